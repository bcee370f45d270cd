//! Databases on AWS through the program alone, on an emulated RDS.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use pgherd_emulate::faults::{Fault, Planned};
use pgherd_emulate::{Emulator, Options, Running, Speed};
use tokio::runtime::Runtime;

use crate::sandbox::Sandbox;

const BLOCK: &str = r#"
module "orders" {
  source         = "./modules/database_postgres"
  cloud_provider = "aws"
  aws_region     = "eu-central-1"
  name           = "orders"
  engine_version = "17"
  skip_final_snapshot        = true
  enable_deletion_protection = false
}
"#;

/// A sandbox with an account of its own. The emulator runs beside the test, and ends with it.
struct Cloud {
    sandbox: Sandbox,
    emulator: Running,
    _beside: Runtime,
}

impl Cloud {
    fn new() -> Self {
        let beside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let beside = beside.expect("a runtime");
        let options = Options { speed: Speed::PerCall { seconds: 30 }, ..Options::default() };
        let emulator = beside.block_on(Emulator::start(options)).expect("it listens");
        let mut sandbox = Sandbox::new();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", emulator.url().as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "a-secret-that-is-nobodys"),
            ("PGHERD_NOW", ""),
        ] {
            sandbox.set(name, value);
        }
        sandbox.write("database.hcl", BLOCK);
        Self { sandbox, emulator, _beside: beside }
    }

    /// How many calls changed something.
    fn writes(&self) -> usize {
        let reads = ["Describe", "Get", "List"];
        self.emulator.asked().iter().filter(|asked| !reads.iter().any(|read| asked.action.starts_with(read))).count()
    }
}

#[test]
fn without_credentials_nothing_is_asked() {
    let sandbox = Sandbox::new();
    sandbox.write("database.hcl", BLOCK);
    insta::assert_snapshot!(sandbox.run(&["plan"]).transcript());
}

#[test]
fn a_database_from_plan_to_destroy() {
    let cloud = Cloud::new();
    let run = |arguments: &[&str]| cloud.sandbox.run(arguments);
    insta::assert_snapshot!("planned", run(&["plan"]).with_code(0).transcript());
    assert_eq!(cloud.writes(), 0);
    insta::assert_snapshot!("missing", run(&["output"]).with_code(5).transcript());
    let applied = run(&["apply", "--yes"]).with_code(0);
    assert!(applied.stderr.contains("instance orders: created in"), "{}", applied.stderr);
    let made = cloud.writes();
    insta::assert_snapshot!("kept", run(&["apply", "--yes"]).with_code(0).transcript());
    assert_eq!(cloud.writes(), made, "an empty plan writes nothing");
    insta::assert_snapshot!("outputs", run(&["output"]).with_code(0).transcript());
    let destroyed = run(&["destroy", "--yes", "--confirm", "orders"]).with_code(0);
    assert!(destroyed.stderr.contains("instance orders: deleted in"), "{}", destroyed.stderr);
    let gone = run(&["output"]).with_code(5);
    assert_eq!(gone.stdout, "");
}

/// Whoever interrupts a run and repeats it meets what that began: it is waited for.
#[test]
fn an_apply_waits_for_what_goes_on_and_then_does_the_rest() {
    let cloud = Cloud::new();
    drop(cloud.sandbox.run(&["apply", "--yes"]).with_code(0));
    cloud.sandbox.write("database.hcl", BLOCK.replace("\n}\n", "\n  copy_tags_to_snapshot = false\n}\n"));
    let busy = || {
        cloud.emulator.with(|emulation| {
            let now = emulation.clock.now(Instant::now());
            let orders = emulation.region("eu-central-1").instances.get_mut("orders").expect("it was made");
            orders.goes_through("modifying", SignedDuration::from_mins(20), Vec::new(), now);
        });
    };
    busy();
    let said = "instance orders is busy: modifying";
    for patient in [&["plan"][..], &["apply", "--yes", "--no-wait"], &["apply", "--yes", "--dry-run"]] {
        let refused = cloud.sandbox.run(patient).with_code(1);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    busy();
    // Nobody waits an hour for a question that nobody can answer.
    let refused = cloud.sandbox.run(&["apply"]).with_code(4);
    assert!(refused.stderr.contains("there is no terminal"), "{}", refused.stderr);
    let applied = cloud.sandbox.run(&["apply", "--yes"]).with_code(0);
    assert_eq!(applied.stderr.matches(&format!("orders: {said}; waiting for it")).count(), 1, "{}", applied.stderr);
    assert!(cloud.sandbox.run(&["plan"]).with_code(0).stdout.contains("nothing to do"));
}

/// Of several databases one is busy: all are planned before it is waited for, and again afterwards.
#[test]
fn of_several_databases_one_that_is_busy_hides_no_mistake_and_no_change_of_another() {
    let cloud = Cloud::new();
    let users = BLOCK.replace("orders", "users");
    cloud.sandbox.write("database.hcl", format!("{BLOCK}{users}"));
    drop(cloud.sandbox.run(&["apply", "--yes"]).with_code(0));
    let changed = |block: &str, line: &str| block.replace("\n}\n", &format!("\n  {line}\n}}\n"));
    let orders = changed(BLOCK, "copy_tags_to_snapshot = false");
    let busy = |minutes: i64| {
        cloud.emulator.with(|emulation| {
            let now = emulation.clock.now(Instant::now());
            let orders = emulation.region("eu-central-1").instances.get_mut("orders").expect("it was made");
            orders.goes_through("modifying", SignedDuration::from_mins(minutes), Vec::new(), now);
        });
    };
    // What another block lacks is told at once.
    cloud.sandbox.write(
        "database.hcl",
        format!("{orders}{}", changed(&users, "engine_version = \"16\"").replacen("engine_version = \"17\"", "", 1)),
    );
    busy(600);
    let asked = cloud.emulator.asked().len();
    let refused = cloud.sandbox.run(&["apply", "--yes"]).with_code(1);
    assert!(refused.stderr.contains("users"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("waiting for it"), "{}", refused.stderr);
    assert!(cloud.emulator.asked().len() - asked < 40, "one look at each");
    // The deadline has a code of its own.
    cloud.sandbox.write("database.hcl", format!("{orders}{users}"));
    busy(100_000);
    let left = cloud.sandbox.run(&["apply", "--yes", "--timeout", "15s"]).with_code(6);
    assert!(left.stderr.contains("stopped waiting at the timeout; orders: instance orders is busy"), "{}", left.stderr);
    // Whoever does not wait is not told that apply does.
    let now = cloud.sandbox.run(&["apply", "--yes", "--no-wait"]).with_code(1);
    assert!(now.stderr.contains("run it again when that is over"), "{}", now.stderr);
    // What somebody does to the other one meanwhile is seen.
    let mut command = cloud.sandbox.command(&["apply", "--yes", "--timeout", "120s"]);
    let mut waiting = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
    let lines = BufReader::new(waiting.stderr.take().expect("piped")).lines();
    let mut lines = lines.map(|line| line.expect("a line"));
    assert!(lines.any(|line| line.contains("waiting for it")));
    cloud.emulator.with(|emulation| {
        let region = emulation.region("eu-central-1");
        region.instances.get_mut("users").expect("it was made").set.copy_tags = false;
        region.instances.get_mut("orders").expect("it was made").phases.clear();
    });
    let rest: Vec<String> = lines.collect();
    assert!(waiting.wait().expect("it ends").success(), "{rest:?}");
    cloud.emulator.with(|emulation| {
        let region = emulation.region("eu-central-1");
        assert!(region.instances["users"].set.copy_tags, "{rest:?}");
    });
}

/// Nothing is answered: the user hears of it, and `--timeout` is kept.
#[test]
fn while_calls_are_refused_the_user_is_told_and_a_timeout_is_kept() {
    let cloud = Cloud::new();
    drop(cloud.sandbox.run(&["apply", "--yes"]).with_code(0));
    cloud.emulator.with(|emulation| {
        let (action, fault) = ("*".to_owned(), Fault::Throttle);
        emulation.faults.push(Planned { action, region: None, nth: 1, times: u64::MAX, fault });
    });
    for verb in [&["apply", "--yes"][..], &["destroy", "--confirm", "orders"]] {
        let began = Instant::now();
        let left = cloud.sandbox.run(&[verb, &["--timeout", "1s"]].concat()).with_code(6);
        let said = "the timeout passed before all was looked at; nothing was touched";
        assert!(left.stderr.contains(said), "{}", left.stderr);
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
    // Side by side, since it is told after a while only.
    let mut told = [&["plan"][..], &["plan", "--json"]].map(|arguments| {
        let mut command = cloud.sandbox.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    });
    let words = "AWS refuses calls for now, there are too many; they are tried until ";
    let lines = told.each_mut().map(|child| {
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut lines = lines.map(|line| line.expect("a line"));
        let line = lines.find(|line| line.contains(words)).expect("it is told before it ends");
        (line, lines)
    });
    cloud.emulator.with(|emulation| emulation.faults.clear());
    let [(plain, _), (json, _)] = &lines;
    assert!(plain.starts_with(words) && plain.ends_with(" UTC"), "{plain}");
    let event: serde_json::Value = serde_json::from_str(json).expect("a line of JSON");
    assert_eq!((&event["verb"], &event["event"]["what"]["event"]), (&"plan".into(), &"said".into()));
    for (child, (_, lines)) in told.into_iter().zip(lines) {
        let rest: Vec<String> = lines.collect();
        let ended = child.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "it is outlasted: {rest:?}");
        assert!(!rest.iter().any(|line| line.contains(words)), "told once: {rest:?}");
    }
}

#[test]
fn verbs_on_what_does_not_exist() {
    let cloud = Cloud::new();
    let verbs: [&[&str]; 4] = [&["logs"], &["params"], &["env"], &["rotate", "--yes"]];
    let said: Vec<String> = verbs.iter().map(|verb| cloud.sandbox.run(verb).with_code(5).transcript()).collect();
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(cloud.writes(), 0);
}

/// A pair with a replica, as it is six hours after the emulator began.
const PAIR: &str = r#"
module "orders" {
  source                      = "./modules/database_postgres"
  cloud_provider              = "aws"
  aws_region                  = "eu-central-1"
  name                        = "orders"
  engine_version              = "17"
  multi_az                    = true
  create_read_replica         = true
  backup_retention_period     = 7
  skip_final_snapshot         = true
  enable_deletion_protection  = false
  parameters                  = [{ name = "work_mem", value = "64MB" }, { name = "max_connections", value = "200" }]
}
"#;

fn pair() -> Cloud {
    let mut cloud = Cloud::new();
    cloud.sandbox.set("PGHERD_NOW", "2026-01-01T06:00:00Z").write("database.hcl", PAIR);
    drop(cloud.sandbox.run(&["apply", "--yes"]).with_code(0));
    cloud
}

/// Without what depends on how many calls there were before: the emulator's time goes on with each.
fn timeless(text: &str) -> String {
    let is_of_time = |c: char| c.is_ascii_digit() || ":.-".contains(c);
    let mut shown = String::new();
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some(at) = rest.find("2026-") {
            let (before, time) = rest.split_at(at);
            let day = time.get("2026-01-01 ".len()..).unwrap_or_default();
            shown.push_str(before);
            shown.push_str("[TIME]");
            rest = day.trim_start_matches(is_of_time);
        }
        shown.push_str(rest);
    }
    let ago = |line: &str| match line.split_once(" h ago") {
        Some((before, after)) => {
            format!("{}[N] h ago{}", before.trim_end_matches(|c: char| c.is_ascii_digit()), after)
        }
        None => line.to_owned(),
    };
    shown.split_inclusive('\n').map(ago).collect()
}

#[test]
fn how_a_pair_is_doing() {
    let cloud = pair();
    let run = |arguments: &[&str]| cloud.sandbox.run(arguments).with_code(0);
    drop(run(&["backup", "--as", "before-the-sale", "--yes"]));
    let shown = |arguments: &[&str]| timeless(&run(arguments).transcript());
    insta::assert_snapshot!("pair_status", shown(&["status"]));
    insta::assert_snapshot!("pair_events", shown(&["events", "-n", "5"]));
    insta::assert_snapshot!("pair_logs", shown(&["logs", "-n", "3"]));
    insta::assert_snapshot!("pair_params", run(&["params"]).transcript());
    insta::assert_snapshot!("pair_param", run(&["params", "work_mem"]).transcript());
    insta::assert_snapshot!("pair_backups", shown(&["backups"]));
    let report = &run(&["status", "--json"]).json()["result"][0];
    assert_eq!((&report["target"], &report["region"]), (&"aws".into(), &"eu-central-1".into()));
    assert_eq!(report["report"]["servers"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_standby_takes_over() {
    let cloud = pair();
    insta::assert_snapshot!("pair_failover", cloud.sandbox.run(&["failover", "--yes"]).with_code(0).transcript());
    insta::assert_snapshot!("pair_switchover", cloud.sandbox.run(&["switchover", "--yes"]).with_code(1).transcript());
    let drilled = cloud.sandbox.run(&["failover", "--drill", "--yes"]).with_code(1);
    insta::assert_snapshot!("pair_drill", drilled.transcript());
}

#[test]
fn without_a_standby_nothing_takes_over() {
    let cloud = Cloud::new();
    drop(cloud.sandbox.run(&["apply", "--yes"]).with_code(0));
    insta::assert_snapshot!(cloud.sandbox.run(&["failover", "--yes"]).with_code(4).transcript());
}

#[test]
fn a_backup_is_taken_once_under_its_name() {
    let cloud = Cloud::new();
    drop(cloud.sandbox.run(&["apply", "--yes"]).with_code(0));
    let take = || cloud.sandbox.run(&["backup", "--as", "before-the-sale", "--yes"]);
    insta::assert_snapshot!("backed_up", take().with_code(0).transcript());
    insta::assert_snapshot!("backed_up_again", take().with_code(1).transcript());
    // It outlives the database.
    drop(cloud.sandbox.run(&["destroy", "--yes", "--confirm", "orders"]).with_code(0));
    let kept = cloud.sandbox.run(&["backups"]).with_code(0);
    assert!(kept.stdout.starts_with("before-the-sale  "), "{}", kept.stdout);
}

#[test]
fn what_waits_is_told_with_its_time() {
    let cloud = pair();
    let bigger = PAIR.replace("name                        =", "instance_class = \"db.r5.large\"\n  name =");
    cloud.sandbox.write("database.hcl", bigger);
    drop(cloud.sandbox.run(&["apply", "--yes"]).with_code(3));
    let status = cloud.sandbox.run(&["status"]).with_code(0).stdout;
    let pending = status.lines().find(|line| line.starts_with("  pending"));
    let (what, when) = pending.and_then(|line| line.split_once(", ")).expect("it waits, and until when");
    assert_eq!(what, "  pending   DBInstanceClass waits for the maintenance window");
    assert!(when.starts_with("Sun "), "{when}");
}

#[test]
fn a_new_password_is_told_to_nobody() {
    let cloud = Cloud::new();
    let run = |arguments: &[&str]| cloud.sandbox.run(arguments).with_code(0);
    drop(run(&["apply", "--yes"]));
    insta::assert_snapshot!("environment", run(&["env"]).transcript());
    insta::assert_snapshot!("rotated", run(&["rotate", "--yes"]).transcript());
}

/// Somebody has taken the name that is written.
#[test]
fn the_last_backup_is_told_by_the_name_it_got() {
    let cloud = Cloud::new();
    let block = BLOCK.replace("skip_final_snapshot        = true", "final_snapshot_identifier = \"orders-last\"");
    cloud.sandbox.write("database.hcl", &block);
    let run = |arguments: &[&str]| cloud.sandbox.run(arguments).with_code(0);
    let ended = || run(&["destroy", "--yes", "--confirm", "orders"]).stdout;
    drop(run(&["apply", "--yes"]));
    let first = ended();
    assert!(first.ends_with("\nthe last backup of orders is orders-last\n"), "{first}");
    drop(run(&["apply", "--yes"]));
    let again = ended();
    assert!(again.contains("\nthe last backup of orders is orders-last-20"), "{again}");
}

/// psql as a script that tells how it was called.
const PSQL: &str = r#"#!/bin/sh
echo "arguments: $*"
env | grep ^PG | grep -v -e PGHERD -e PGPASSFILE | sort
echo "others may read the file: $(find -L "$PGPASSFILE" -perm /077)"
cut -d: -f1-4 "$PGPASSFILE"
cut -d: -f5 "$PGPASSFILE" > password
"#;

#[test]
fn a_session_gets_the_password_where_nobody_sees_it() {
    let mut cloud = Cloud::new();
    drop(cloud.sandbox.run(&["apply", "--yes"]).with_code(0));
    let psql = cloud.sandbox.work().join("psql");
    std::fs::write(cloud.sandbox.work().join("script"), PSQL).expect("a script");
    // Copied by another process: what is open for writing in this one is inherited by whatever it starts meanwhile, and is then
    // "busy".
    let script = cloud.sandbox.work().join("script");
    let made = std::process::Command::new("install").args(["-m", "755"]).args([&script, &psql]).status();
    assert!(made.expect("coreutils").success());
    let path = format!("{}:/usr/bin:/bin", cloud.sandbox.work().display());
    cloud.sandbox.set("PATH", &path).set("PGPASSWORD", "of another database");
    let connected = cloud.sandbox.run(&["connect", "--", "-c", "select 1"]).with_code(0);
    insta::assert_snapshot!("connected", connected.transcript());
    let read = std::fs::read_to_string(cloud.sandbox.work().join("password")).expect("psql read it");
    let revealed = cloud.sandbox.run(&["output", "master_password", "--raw", "--reveal"]).with_code(0);
    assert_eq!(read, revealed.stdout);
    assert_eq!(read.trim().len(), 32);
}
