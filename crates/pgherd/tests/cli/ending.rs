//! How real databases end: what is asked, what remains, and that what remains can be used.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::live::{Live, block, live};

/// `orders`, whose end leaves a last backup.
fn kept() -> String {
    block("orders", "").replace("parameters", "skip_final_snapshot = false\n  parameters")
}

#[test]
fn a_last_backup_is_named_and_postgresql_starts_on_it() {
    let Some(live) = live("a_last_backup_is_named_and_postgresql_starts_on_it") else { return };
    live.0.write("database.hcl", kept());
    let _ = live.run("up").with_code(0);
    live.sql("create table kept (id int); insert into kept values (7)");
    let programs = programs(&live);
    let dry = live.run("destroy --dry-run").with_code(0);
    assert!(dry.stderr.contains("orders: a last backup orders-final-"), "{}", dry.transcript());

    let ended = live.run("destroy --confirm orders").with_code(0);
    let place =
        ended.stdout.lines().last().and_then(|line| line.strip_prefix("the last backup of orders is [SANDBOX]/"));
    let place = place.unwrap_or_else(|| panic!("{}", ended.transcript()));
    let backup = live.0.work().parent().expect("the sandbox").join(place);
    assert_eq!(by_hand(&live, &programs, &backup, "select id from kept"), "7\n");

    // Its remains are in nobody's way.
    let _ = live.run("up").with_code(0);
    assert_eq!(live.sql("select count(*) from pg_class where relname = 'kept'"), "0\n");
    let status = live.run("status").with_code(0).stdout;
    assert!(status.contains("1 backup, the last"), "{status}");
}

/// What a statement gives on a server that was started on a backup as the help of `destroy` says.
fn by_hand(live: &Live, programs: &Path, backup: &Path, statement: &str) -> String {
    let help = live.run("destroy --help").with_code(0).stdout;
    let commands: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let begin = commands.iter().position(|line| line.starts_with("mkdir ")).expect("the help says how");
    let [make, allow, start, list] = &commands[begin..begin + 4] else { panic!("{help}") };
    let query = list.replace("-l", &format!("-Atc '{statement}' orders"));
    assert_ne!(query, *list, "{help}");
    let script = format!(
        "set -e\nPATH={}:$PATH\ncd \"$1\"\n{make}\n{allow}\n{start} >&2\n{query}\npg_ctl -D again -m immediate stop >&2",
        programs.display()
    )
    .replace("BACKUP", &backup.display().to_string());
    // Nobody but the user PostgreSQL runs as can read a backup, and root must not run PostgreSQL.
    let (mut command, folder) = if rustix::process::geteuid().is_root() {
        let folder = backup.join("by-hand");
        std::fs::create_dir(&folder).expect("a folder");
        let owner = std::fs::metadata(backup).expect("it is there");
        std::os::unix::fs::chown(&folder, Some(std::os::unix::fs::MetadataExt::uid(&owner)), None).expect("given");
        let mut as_owner = Command::new("setpriv");
        as_owner.args(["--reuid", "pgherd", "--regid", "pgherd", "--clear-groups", "bash"]);
        (as_owner, folder)
    } else {
        (Command::new("bash"), live.0.work())
    };
    command.args(["-c", &script, "by-hand"]).arg(folder);
    let output = live.0.command_of(command).output().expect("bash runs");
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The folder of the programs that run the database.
fn programs(live: &Live) -> PathBuf {
    let status = live.run("status --json").with_code(0).json();
    let pid = status["result"][0]["report"]["nodes"][0]["pid"].as_u64().expect("it runs");
    // Not /proc/PID/exe: of another user's process it may only be followed with CAP_SYS_PTRACE, which root lacks in containers.
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).expect("its command line");
    let program = arguments.split(|byte| *byte == 0).next().expect("splitting gives a first part");
    let folder = Path::new(OsStr::from_bytes(program)).parent().expect("a folder");
    assert!(folder.join("pg_ctl").is_file(), "no pg_ctl beside {}", String::from_utf8_lossy(program));
    folder.to_owned()
}

#[test]
fn without_a_last_backup_the_document_warns() {
    let Some(live) = live("without_a_last_backup_the_document_warns") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("up").with_code(0);
    let ended = live.run("destroy --confirm orders --json").with_code(0);
    let document = ended.json();
    assert_eq!(document["diagnostics"][0]["code"], "no-last-backup", "{}", ended.transcript());
    assert_eq!(document["diagnostics"][0]["severity"], "warning");
    assert_eq!(document["result"]["last_backups"], serde_json::json!([]));
    assert!(ended.stderr.contains("warning: orders: no last backup is taken"), "{}", ended.transcript());
}

#[test]
fn the_document_names_last_backups() {
    let Some(live) = live("the_document_names_last_backups") else { return };
    live.0.write("database.hcl", kept());
    let _ = live.run("up").with_code(0);
    let ended = live.run("destroy --confirm orders --json").with_code(0);
    let backups = &ended.json()["result"]["last_backups"];
    assert_eq!(backups[0]["database"], "orders", "{}", ended.transcript());
    let path = backups[0]["path"].as_str().expect("a path").to_owned();
    assert!(path.ends_with(&format!("/instances/orders/backups/{}", backups[0]["name"].as_str().expect("a name"))));
}
