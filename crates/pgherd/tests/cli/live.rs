//! The life of real databases, from `up` to `destroy`, through the program alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pgherd_local::paths::Paths;

use crate::sandbox::{Ran, Sandbox};
use crate::terminal::Terminal;

/// A database of this machine. Its window is half a week away: what waits for it is still waiting when the test looks. It is at
/// noon, whatever time it is now, since a window that met the one for backups would be refused.
pub fn block(name: &str, parameters: &str) -> String {
    // Once: a test that goes on over noon means the same day.
    static DAY: LazyLock<String> = LazyLock::new(|| {
        let later = (Timestamp::now() + SignedDuration::from_hours(84)).to_zoned(TimeZone::UTC);
        later.strftime("%a").to_string().to_lowercase()
    });
    let (label, day) = (name.replace('-', "_"), &*DAY);
    let window = format!("{day}:12:00-{day}:13:00");
    format!(
        r#"
module "{label}" {{
  source             = "./modules/database_postgres"
  cloud_provider     = "local"
  name               = "{name}"
  preset             = "dev"
  maintenance_window = "{window}"
  storage_encrypted  = false
  parameters         = [{parameters}]
  port               = {port}
}}
"#,
        port = port(name)
    )
}

/// A port that was free a moment ago and that nobody takes by default: not among those that pgherd gives by itself, which
/// other agents of this machine may take while a database is down. Tests beside this one have databases of the same name.
fn port(name: &str) -> u16 {
    static PORTS: Mutex<BTreeMap<String, u16>> = Mutex::new(BTreeMap::new());
    let mut ports = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    *ports.entry(format!("{test} {name}")).or_insert_with(free_port)
}

/// A port that is free now and given to one test only. Below those that outgoing connections take.
pub fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Another run of the tests begins elsewhere.
    let first = 25_000 + u16::try_from(std::process::id() % 48 * 100).expect("small");
    let (port, _) = pgherd_local::ports::allocate(None, first..=29_999, &taken).expect("a free port");
    taken.insert(port);
    port
}

/// A sandbox whose agent and servers end with it; nothing when this machine has no PostgreSQL.
pub fn live(test: &str) -> Option<Live> {
    let mut sandbox = Sandbox::new();
    // The agent lives by the real clock, so the plans have to.
    sandbox.set("PGHERD_NOW", "");
    let servers = sandbox.run(&["doctor", "--json"]).json();
    let has_server = servers["result"].as_array().is_some_and(|findings| {
        findings
            .iter()
            .any(|one| one["subject"].as_str().is_some_and(|s| s.starts_with("PostgreSQL ")) && one["state"] == "ok")
    });
    if !has_server {
        skipped(test);
        return None;
    }
    Some(Live::new(sandbox))
}

#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
pub fn skipped(test: &str) {
    eprintln!("SKIPPED {test}: no PostgreSQL server is installed");
}

/// One agent at a time: agents of several sandboxes would take each other's ports while a database is down.
static TURN: Mutex<()> = Mutex::new(());

/// A sandbox with databases in it, and the turn to have one.
pub struct Live(pub Sandbox, #[expect(dead_code, reason = "held until the agent has ended")] MutexGuard<'static, ()>);

impl Live {
    /// That sandbox, once no other one lives.
    pub fn new(sandbox: Sandbox) -> Self {
        Self(sandbox, TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs the program with the words of this line.
    pub fn run(&self, line: &str) -> Ran {
        self.0.run(&line.split(' ').collect::<Vec<_>>())
    }

    /// What one SQL statement gives, through `pgherd connect`.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> String {
        self.0.run(&["connect", "--", "-Atc", statement]).with_code(0).stdout
    }
}

/// Ends whatever still runs in the sandbox, by its process id: a test that failed half-way leaves nothing behind.
impl Drop for Live {
    fn drop(&mut self) {
        let Paths { state, runtime, .. } = self.0.paths();
        let deadline = Instant::now() + KILL_DEADLINE;
        // Killed processes take a moment to end, and an agent may have started one since it was looked.
        loop {
            let left = processes_of(&[&state, &runtime]);
            if left.is_empty() || Instant::now() > deadline {
                break;
            }
            for pid in left.into_iter().filter_map(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        pgherd_local::postgres::segment::remove_below(&state);
        let _ = std::fs::remove_dir_all(runtime);
    }
}

/// The kernel ends a killed process at once unless it is stuck in the disk.
const KILL_DEADLINE: Duration = Duration::from_secs(180);

/// Processes that work in one of these folders or name it in their arguments. Forwarders and poolers name the runtime folder alone.
fn processes_of(folders: &[&Path]) -> Vec<i32> {
    let is_of = |process: &Path| {
        let cwd = std::fs::read_link(process.join("cwd"));
        let arguments = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments);
        folders.iter().any(|folder| {
            cwd.as_ref().is_ok_and(|cwd| cwd.starts_with(folder)) || arguments.contains(&*folder.to_string_lossy())
        })
    };
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let pid = path.file_name()?.to_str()?.parse().ok()?;
            is_of(&path).then_some(pid)
        })
        .collect()
}

#[test]
fn a_test_that_fails_leaves_nothing_running() {
    let Some(live) = live("a_test_that_fails_leaves_nothing_running") else { return };
    live.0.write("database.hcl", block("orders", "").replace("parameters ", "multi_az = true\n  parameters "));
    let _ = live.run("up").with_code(0);
    let Paths { state, runtime, .. } = live.0.paths();
    // The forwarder is known by the runtime folder alone.
    assert!(!processes_of(&[&runtime]).is_empty());
    drop(live);
    assert_eq!(processes_of(&[&state, &runtime]), Vec::<i32>::new());
    assert!(!runtime.exists());
}

#[test]
fn a_database_from_up_to_destroy() {
    let Some(live) = live("a_database_from_up_to_destroy") else { return };
    live.0.write("database.hcl", block("orders", ""));

    let up = live.run("up").with_code(0);
    assert!(up.stdout.contains("orders is up: postgresql://postgres@"), "{}", up.transcript());
    assert!(up.stderr.contains("next: pgherd connect"), "{}", up.transcript());
    let status = live.run("status").with_code(0);
    assert!(
        status.stdout.contains("orders  local  PostgreSQL ") && status.stdout.contains("available"),
        "{}",
        status.transcript()
    );
    assert!(live.run("plan --detailed-exitcode").with_code(0).stdout.contains("nothing to do"));
    assert_eq!(live.sql("select current_user, current_database()"), "postgres|orders\n");

    connects_by_environment(&live);
    shows_no_password(&live);
    changes_a_setting_at_once(&live);
    changes_a_setting_by_restart(&live);
    rotates(&live);

    assert!(!live.run("logs -n 5").with_code(0).stdout.is_empty());
    live.sql("create table kept (id int); insert into kept values (7)");
    assert_eq!(live.run("down").with_code(0).stdout, "stopped orders\n");
    assert!(live.run("status").with_code(0).stdout.contains("stopped"));
    let _ = live.run("up").with_code(0);
    assert_eq!(live.sql("select id from kept"), "7\n");

    let _ = live.run("destroy").with_code(4);
    let _ = live.run("destroy --yes").with_code(4);
    let _ = live.run("destroy --confirm order").with_code(4);
    assert_eq!(live.sql("select id from kept"), "7\n");
    let _ = live.run("destroy --confirm orders").with_code(0);
    let _ = live.run("status").with_code(5);
}

fn connects_by_environment(live: &Live) {
    let environment = live.run("env").with_code(0).stdout;
    for name in ["DB_SECRET_ARN", "DB_HOST", "PGHOST", "PGPORT", "PGPASSFILE", "PGSSLROOTCERT"] {
        assert!(environment.contains(&format!("export {name}=")), "{environment}");
    }
    assert!(!environment.contains("PGPASSWORD"), "{environment}");
    // As an application's start script does; the environment is handed over as it was printed.
    let script = "eval \"$($PGHERD env)\" && psql -Atc 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'";
    let mut shell = live.0.command_of(Command::new("/bin/sh"));
    let output = shell.args(["-c", script]).env("PGHERD", env!("CARGO_BIN_EXE_pgherd")).output().expect("sh runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "t\n", "{}", String::from_utf8_lossy(&output.stderr));
}

fn shows_no_password(live: &Live) {
    let password = live.run("output master_password --reveal --raw").with_code(0).stdout;
    let password = password.trim();
    assert_eq!(password.len(), 32, "{password}");
    for line in
        ["output", "output --json", "env", "env --json", "status --json", "params", "explain", "plan -v", "logs"]
    {
        let ran = live.run(line).with_code(0);
        assert!(!ran.transcript().contains(password), "{line} shows the password");
    }
    let _ = live.run("output master_password").with_code(4);
    assert!(live.run("env --reveal").with_code(0).stdout.contains(password));
    let port = live.run("output db_instance_port --raw").with_code(0).stdout;
    assert!(port.trim().parse::<u16>().is_ok(), "{port}");
}

fn changes_a_setting_at_once(live: &Live) {
    live.0.write("database.hcl", block("orders", r#"{ name = "work_mem", value = "9MB" }"#));
    let plan = live.run("plan --detailed-exitcode").with_code(2).stdout;
    assert!(plan.contains("work_mem") && plan.contains("9MB") && plan.contains("now"), "{plan}");
    let _ = live.run("apply --yes").with_code(0);
    let _ = live.run("plan --detailed-exitcode").with_code(0);
    assert_eq!(live.sql("show work_mem"), "9MB\n");
    let shown = live.run("params work_mem").with_code(0).stdout;
    assert!(shown.contains("work_mem = 9MB") && shown.contains("set by    block"), "{shown}");
}

fn changes_a_setting_by_restart(live: &Live) {
    live.0.write("database.hcl", block("orders", r#"{ name = "max_connections", value = "42" }"#));
    let plan = live.run("plan").with_code(0).stdout;
    assert!(plan.contains("max_connections") && plan.contains("restart"), "{plan}");
    let _ = live.run("apply --yes").with_code(3);
    assert_ne!(live.sql("show max_connections"), "42\n");
    let status = live.run("status").with_code(0).stdout;
    assert!(status.contains("pending") && status.contains("max_connections"), "{status}");
    assert!(live.run("params max_connections").with_code(0).stdout.contains("waits     for a restart"));
    // A restart interrupts: without --yes nobody is there to type the word.
    let _ = live.run("apply --now").with_code(4);
    let _ = live.run("apply --now --yes").with_code(0);
    assert_eq!(live.sql("show max_connections"), "42\n");
    let _ = live.run("plan --detailed-exitcode").with_code(0);
}

fn rotates(live: &Live) {
    let before = live.run("output master_password --reveal --raw").with_code(0).stdout;
    let _ = live.run("rotate --yes").with_code(0);
    let after = live.run("output master_password --reveal --raw").with_code(0).stdout;
    assert_ne!(before, after);
    assert_eq!(live.sql("select 1"), "1\n");
    let _ = live.run("plan --detailed-exitcode").with_code(0);
}

#[test]
fn several_databases_live_side_by_side() {
    let Some(live) = live("several_databases_live_side_by_side") else { return };
    live.0.write("database.hcl", block("orders", "") + &block("invoices", ""));
    let _ = live.run("up").with_code(0);
    let _ = live.run("connect").with_code(1);
    let of_orders = live.run("output orders db_instance_port --raw").with_code(0).stdout;
    assert_eq!(live.run("output db_instance_port --raw -b orders").with_code(0).stdout, of_orders);
    assert_ne!(live.run("output invoices db_instance_port --raw").with_code(0).stdout, of_orders);
    assert!(live.run("params orders work_mem").with_code(0).stdout.starts_with("work_mem = "));
    assert!(live.run("params invoices").with_code(0).stdout.contains("\nwork_mem "));
    assert_eq!(live.run("connect invoices -- -Atc nonsense").code, Some(1), "psql's own exit code");
    let status = live.run("status").with_code(0).stdout;
    assert_eq!(status.matches("available").count(), 2, "{status}");
    let _ = live.run("destroy invoices --confirm invoices").with_code(0);
    let left = live.run("status --all").with_code(0).stdout;
    assert!(left.contains("orders") && !left.contains("invoices"), "{left}");
}

#[test]
fn a_saved_plan_is_applied_once() {
    let Some(live) = live("a_saved_plan_is_applied_once") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("plan -o saved").with_code(0);
    // Another name for a setting is no change of the block, nor of what exists (A9).
    live.0.write("database.hcl", block("orders", "").replace("storage_encrypted", "enable_encryption"));
    let _ = live.run("apply saved --yes").with_code(0);
    assert!(live.run("plan --detailed-exitcode").with_code(0).stdout.contains("nothing to do"));
    live.0.write("database.hcl", block("orders", ""));
    assert!(live.run("plan --detailed-exitcode").with_code(0).stdout.contains("nothing to do"));
    let stale = live.run("apply saved --yes").with_code(4);
    assert!(stale.stderr.contains("stale-plan"), "{}", stale.transcript());
}

#[test]
fn deletion_protection_refuses_and_can_be_taken_back() {
    let Some(live) = live("deletion_protection_refuses_and_can_be_taken_back") else { return };
    let protected = block("orders", "").replace("parameters", "enable_deletion_protection = true\n  parameters");
    live.0.write("database.hcl", &protected);
    let _ = live.run("up").with_code(0);
    let refused = live.run("destroy --confirm orders").with_code(4);
    assert!(refused.stderr.contains("deletion-protected"), "{}", refused.transcript());
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("apply --yes").with_code(0);
    // Wanted again while it is on its way out: it is made anew, and not found to be as it should be.
    let left = live.run("destroy --confirm orders --no-wait");
    assert!([Some(0), Some(3)].contains(&left.code), "{}", left.transcript());
    let _ = live.run("up").with_code(0);
    assert_eq!(live.sql("select 1"), "1\n");
    let _ = live.run("destroy --confirm orders").with_code(0);
}

#[test]
fn on_a_terminal_everything_is_asked() {
    let Some(live) = live("on_a_terminal_everything_is_asked") else { return };
    live.0.write("database.hcl", block("orders", ""));

    let mut no = Terminal::start(&live.0, &["apply"]);
    no.expect("apply 1 step? [y/N]: ").answer("");
    assert!(no.end().ends_with("not confirmed, nothing was done\n-- exit 4\n"));
    let _ = live.run("status").with_code(5);

    let mut yes = Terminal::start(&live.0, &["apply"]);
    yes.expect("[y/N]: ").answer("y");
    let screen = yes.end();
    assert!(screen.contains("instance orders: created in") && screen.ends_with("-- exit 0\n"), "{screen}");

    let mut wrong = Terminal::start(&live.0, &["destroy"]);
    wrong.expect("type orders: ").answer("yes");
    assert!(wrong.end().ends_with("-- exit 4\n"));
    let mut right = Terminal::start(&live.0, &["destroy"]);
    right.expect("delete orders and all its data? type orders: ").answer("orders");
    let screen = right.end();
    assert!(screen.contains("instance orders: deleted in") && screen.ends_with("-- exit 0\n"), "{screen}");
}

#[test]
fn whoever_does_not_wait_is_told_that_it_goes_on() {
    let Some(live) = live("whoever_does_not_wait_is_told_that_it_goes_on") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let left = live.run("up --timeout 1ms").with_code(6);
    assert!(left.stderr.contains("nothing was touched"), "{}", left.transcript());
    let _ = live.run("up").with_code(0);
    assert_eq!(live.sql("select 1"), "1\n");
    let left = live.run("down --timeout 1ms").with_code(6);
    assert!(left.stderr.contains("what was begun goes on"), "{}", left.transcript());
    // Whatever state is found.
    let _ = live.run("up").with_code(0);
    assert_eq!(live.sql("select 1"), "1\n");
    live.0.write("database.hcl", block("orders", "") + &block("invoices", ""));
    let accepted = live.run("apply invoices --yes --no-wait").with_code(3);
    assert!(accepted.stderr.contains("accepted; it goes on without us"), "{}", accepted.transcript());
    let _ = live.run("up").with_code(0);
    assert_eq!(live.run("status").with_code(0).stdout.matches("available").count(), 2);
}
