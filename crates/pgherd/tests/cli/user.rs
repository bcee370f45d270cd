//! As whom PostgreSQL runs when root has nobody for it yet.

use std::process::Command;

use crate::live::{block, live};

/// A machine with an `/etc` of its own, in which nobody is called pgherd.
const FRESH: &str = r#"
set -eu
cp -a /etc "$TMPDIR/etc"
sed -i '/^pgherd:/d' "$TMPDIR/etc/passwd" "$TMPDIR/etc/group" "$TMPDIR/etc/shadow" "$TMPDIR/etc/gshadow"
mount --bind "$TMPDIR/etc" /etc
if getent passwd pgherd; then echo 'there is such a user already'; exit 99; fi
"$0" up --yes
stat --format 'the data belongs to %U' "$PGHERD_STATE_DIR/instances/orders/n1/data"
"#;

#[test]
fn the_user_is_made_where_roots_path_names_no_system_folder() {
    const TEST: &str = "the_user_is_made_where_roots_path_names_no_system_folder";
    if !rustix::process::geteuid().is_root()
        || !Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|it| it.success())
    {
        return skipped(TEST);
    }
    let Some(live) = live(TEST) else { return };
    live.0.write("database.hcl", block("orders", ""));
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", FRESH, env!("CARGO_BIN_EXE_pgherd")]);
    let output = live.0.command_of(command).output().expect("it runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("the data belongs to pgherd\n"), "{said}");
}

#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
fn skipped(test: &str) {
    eprintln!("SKIPPED {test}: only root can make users, and a machine that seems fresh");
}
