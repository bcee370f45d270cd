//! What is left when the power goes.

use std::process::Command;

use crate::live::{block, live};

/// State on a file system of its own. What is in its file when `up` returns is what would be left after the power went; what only
/// this machine's memory has is not.
const POWER_GOES: &str = r#"
set -eu
end_all() {
    # Many end with the first.
    kill -9 "$(cat "$PGHERD_STATE_DIR/agent.lock")" || true
    for process in /proc/[0-9]*; do
        case "$(readlink "$process/cwd")" in "$PGHERD_STATE_DIR"/*) kill -9 "${process#/proc/}" || true ;; esac
    done
    umount --lazy "$PGHERD_STATE_DIR"
}
truncate --size 600M "$TMPDIR/disk"
/usr/sbin/mkfs.ext4 -q "$TMPDIR/disk"
mkdir "$PGHERD_STATE_DIR"
mount -o loop "$TMPDIR/disk" "$PGHERD_STATE_DIR"
"$0" up --yes
"$0" connect -- -qc 'create table kept as select 7 as id'
cp "$TMPDIR/disk" "$TMPDIR/left"
end_all
mount -o loop "$TMPDIR/left" "$PGHERD_STATE_DIR"
"$0" up --yes
"$0" connect -- -Atc 'select * from kept'
"$0" events
"$0" failover --yes
"$0" connect -- -Atc "select 'after the failover', * from kept"
end_all
"#;

#[test]
fn a_new_pair_survives_a_power_cut() {
    const TEST: &str = "a_new_pair_survives_a_power_cut";
    let mounts = "truncate --size 1M disk && /usr/sbin/mkfs.ext4 -q disk && mkdir at && mount -o loop disk at";
    let folder = tempfile::tempdir().expect("a folder");
    let mut trial = Command::new("unshare");
    trial.args(["--mount", "sh", "-c", mounts]).current_dir(folder.path());
    if !trial.output().is_ok_and(|ran| ran.status.success()) {
        return skipped(TEST);
    }
    let Some(live) = live(TEST) else { return };
    live.0.write("database.hcl", block("orders", "").replace("parameters ", "multi_az = true\n  parameters "));
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", POWER_GOES, env!("CARGO_BIN_EXE_pgherd")]);
    let output = live.0.command_of(command).output().expect("it runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("\n7\n") && said.contains("after the failover|7\n"), "{said}");
    // The standby was not made anew: it was on disk.
    assert_eq!(said.matches("clone n2 from n1").count(), 1, "{said}");
}

#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
fn skipped(test: &str) {
    eprintln!("SKIPPED {test}: file systems cannot be mounted here");
}
