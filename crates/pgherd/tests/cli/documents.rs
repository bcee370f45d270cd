//! The console blocks of the tutorial and of the README are run as they stand, and must print what they show.
//!
//! In a ```` ```console ```` block a line that begins with `$ ` is a command for bash, the lines up to the next one are what it prints,
//! both streams together. `[..]` stands for anything within a line, a line `...` for any number of lines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::live::{Live, live};

struct Step {
    line: usize,
    command: String,
    expected: String,
}

fn steps(markdown: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (index, line) in markdown.lines().enumerate() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (true, line) => {
                if let Some(command) = line.strip_prefix("$ ") {
                    steps.push(Step { line: index + 1, command: command.to_owned(), expected: String::new() });
                } else if let Some(step) = steps.last_mut() {
                    step.expected.push_str(line);
                    step.expected.push('\n');
                }
            }
            (false, _) => {}
        }
    }
    steps
}

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
    let markdown = fs::read_to_string(repository().join(document)).expect("the document");
    let steps = steps(&markdown);
    assert!(!steps.is_empty(), "{document} has no console block");
    for step in steps {
        let place = format!("{document}:{} $ {}", step.line, step.command);
        let printed = snapbox::Data::text(bash(&live, &step.command));
        let expected = snapbox::Data::text(step.expected);
        if let Err(difference) = snapbox::Assert::new().try_eq(Some(&place), printed, expected) {
            panic!("{place}\n{difference}");
        }
    }
}

#[test]
fn the_tutorial_does_what_it_shows() {
    check("docs/src/tutorial/first-database.md");
}

#[test]
fn the_guide_to_recovery_does_what_it_shows() {
    check("docs/src/guides/backup-and-recovery.md");
}

#[test]
fn what_a_document_shows_is_compared() {
    let document = "text\n```console\n$ echo one\none\n$ true\n```\n$ not a command\n";
    let seen: Vec<_> = steps(document).into_iter().map(|step| (step.line, step.command, step.expected)).collect();
    assert_eq!(seen, [(3, "echo one".to_owned(), "one\n".to_owned()), (5, "true".to_owned(), String::new())]);
}
