//! The console blocks of the tutorial are run as they stand, and must print what they show.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::live::{Live, live};

/// The top of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// What bash prints on both streams, with `pgherd` on its path.
fn bash(live: &Live, command: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_pgherd")).parent().expect("a folder").display().to_string();
    let script = format!("exec 2>&1\nPATH={programs}:$PATH\n{command}");
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]);
    let output = live.0.command_of(bash).output().expect("bash runs");
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn check(document: &str) {
    let Some(live) = live(document) else { return };
    xtask::documents::play(document, |command| bash(&live, command)).unwrap_or_else(|said| panic!("{said}"));
}

#[test]
fn the_tutorial_does_what_it_shows() {
    check("docs/src/tutorial/first-database.md");
}

#[test]
fn the_guide_to_recovery_does_what_it_shows() {
    check("docs/src/guides/backup-and-recovery.md");
}
