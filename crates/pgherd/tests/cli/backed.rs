//! Databases on an emulated AWS that have a real PostgreSQL behind them: whoever has the secret gets in, at every moment of a
//! password's change and in what is made of a backup. And the example of the guide, as it is printed there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pgherd_emulate::emulation::Asked;
use pgherd_emulate::wire::{Body, Fields, Said};
use pgherd_emulate::{Backing, Emulator, Options, Running, Speed};
use pgherd_local::postgres::{find, processes, segment, server::Server};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::documents::repository;
use crate::live::{free_port, skipped};
use crate::sandbox::{Ran, Sandbox};

/// Nothing here takes nearly as long.
const DEADLINE: Duration = Duration::from_secs(180);

/// The stages of a secret: at every moment one of both opens the database.
const STAGES: [&str; 2] = ["AWSCURRENT", "AWSPENDING"];

/// A sandbox with an account of its own, whose instances are real. Each call takes half a minute of its time.
struct Cloud {
    sandbox: Sandbox,
    emulator: Option<Running>,
    beside: Runtime,
    server: Server,
    port: u16,
}

impl Cloud {
    /// Nothing, and said, where no PostgreSQL is installed.
    fn new(test: &str) -> Option<Self> {
        let mut sandbox = Sandbox::new();
        let paths = sandbox.paths();
        let mut found = find::servers(&[], Some("/usr/bin:/bin".as_ref()), &paths.servers()).servers;
        found.retain(|server| (14..=18).contains(&server.major()));
        let Some(server) = found.into_iter().max_by_key(Server::major) else {
            skipped(test);
            return None;
        };
        let beside = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let beside = beside.expect("a runtime");
        let postgres = Backing { paths, postgres_dirs: Vec::new(), postgres_user: None };
        let speed = Speed::PerCall { seconds: 30 };
        let options = Options { speed, postgres: Some(postgres), ..Options::default() };
        let emulator = beside.block_on(Emulator::start(options)).expect("it listens");
        let authority = emulator.authority.as_ref().expect("it is backed").display().to_string();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", emulator.url().as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "a-secret-that-is-nobodys"),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("PGSSLROOTCERT", &authority),
            ("PGHERD_NOW", ""),
        ] {
            sandbox.set(name, value);
        }
        Some(Self { sandbox, emulator: Some(emulator), beside, server, port: free_port() })
    }

    fn emulator(&self) -> &Running {
        self.emulator.as_ref().expect("it was not stopped")
    }

    fn block(&self, name: &str) -> String {
        let (major, port) = (self.server.major(), self.port);
        format!(
            r#"
module "{name}" {{
  source                     = "./modules/database_postgres"
  cloud_provider             = "aws"
  aws_region                 = "{REGION}"
  name                       = "{name}"
  engine_version             = "{major}"
  database_name              = "shop"
  port                       = {port}
  skip_final_snapshot        = true
  enable_deletion_protection = false
}}
"#
        )
    }

    fn run(&self, line: &str) -> Ran {
        self.sandbox.run(&line.split(' ').collect::<Vec<_>>())
    }

    /// The program, killed when a call of this action was done and its answer never came. What was begun then comes to its end.
    fn killed_after(&self, line: &str, action: &str) {
        let planned = serde_json::from_value(json!({ "action": action, "fault": "hang" })).expect("a fault");
        self.emulator().plan(planned);
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut command = self.sandbox.command(&arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        let hangs = |asked: &Asked| asked.action == action && asked.outcome == "hang";
        let begun = Instant::now();
        while !self.emulator().asked().iter().any(hangs) {
            let ended = child.try_wait().expect("ours");
            assert!(ended.is_none() && begun.elapsed() < DEADLINE, "{line} does not call {action}: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().expect("ours");
        child.wait().expect("it ends");
        self.emulator().with(|emulation| emulation.asked.clear());
        self.at_rest();
    }

    /// Time goes by until nothing is going on any more.
    fn at_rest(&self) {
        for _ in 0..4 {
            self.beside.block_on(self.emulator().settled());
            self.emulator().advance(jiff::SignedDuration::from_hours(1));
            // Whoever looks has things go on.
            self.asked_of("rds", "DescribeEvents");
        }
        self.beside.block_on(self.emulator().settled());
    }

    fn asked_of(&self, service: &str, action: &str) {
        let form = pgherd_emulate::wire::Form::of([("Action", action)]);
        let looked = self
            .emulator()
            .with(|emulation| emulation.tamper(service, REGION, action, &Body::Form(form), Instant::now()).map(drop));
        assert!(looked.is_ok(), "{looked:?}");
    }

    /// What a database's secret says at a stage, as any application reads it.
    fn secret(&self, name: &str, stage: &str) -> Option<Value> {
        let asked = json!({ "SecretId": format!("pgherd/{name}/master"), "VersionStage": stage });
        let body = Body::Fields(Fields::of(asked).expect("an object"));
        let told = self
            .emulator()
            .with(|emulation| emulation.tamper("secretsmanager", REGION, "GetSecretValue", &body, Instant::now()));
        let Ok(Said::Fields(told)) = told else { return None };
        Some(serde_json::from_str(told["SecretString"].as_str().expect("a text")).expect("JSON"))
    }

    /// What a statement gives whoever has nothing but the secret.
    fn sql(&self, secret: &Value, statement: &str) -> Result<String, String> {
        let field = |name: &str| match &secret[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut psql = Command::new(self.server.program("psql"));
        psql.args(["-XAtqc", statement]);
        let mut command = self.sandbox.command_of(psql);
        let connection = ["host", "port", "dbname", "username", "password"].map(field);
        let variables = ["PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD"];
        command.envs(variables.into_iter().zip(connection)).env("PGSSLMODE", "verify-ca");
        let ended = command.output().expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if ended.status.success() { Ok(text(&ended.stdout)) } else { Err(text(&ended.stderr)) }
    }

    /// The same of the secret as it is now.
    #[track_caller]
    fn current(&self, name: &str, statement: &str) -> String {
        let secret = self.secret(name, "AWSCURRENT").expect("a secret");
        self.sql(&secret, statement).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Which stages of a secret open its database.
    fn opened_by(&self, name: &str) -> Vec<&'static str> {
        let opens = |stage: &&str| self.secret(name, stage).is_some_and(|secret| self.sql(&secret, "SELECT").is_ok());
        STAGES.into_iter().filter(opens).collect()
    }

    fn stop(mut self) {
        let emulator = self.emulator.take().expect("stopped once");
        self.beside.block_on(emulator.stop());
    }
}

/// A test that fails leaves no server behind.
impl Drop for Cloud {
    fn drop(&mut self) {
        let paths = self.sandbox.paths();
        let servers = std::fs::read_dir(paths.state.join("emulate/1/servers"));
        let data = servers.into_iter().flatten().flatten().map(|entry| entry.path().join("data"));
        for pid in data.flat_map(|data| processes::of(&data)).filter_map(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        segment::remove_below(&paths.state);
        let _ = std::fs::remove_dir_all(paths.runtime);
    }
}

const REGION: &str = "eu-central-1";

#[test]
fn whoever_has_the_secret_gets_in_before_and_after_each_new_password() {
    let Some(cloud) = Cloud::new("a database behind an emulated RDS") else { return };
    cloud.sandbox.write("database.hcl", cloud.block("orders"));
    let _ = cloud.run("apply --yes").with_code(0);
    let made = cloud.secret("orders", "AWSCURRENT").expect("a secret");
    let who = "SELECT format('%s %s %s', current_user, current_database(), current_setting('server_version_num')::int / 10000)";
    let fields: Vec<&String> = made.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["dbname", "host", "password", "port", "username"]);
    let (user, major) = (made["username"].as_str().expect("a name"), cloud.server.major());
    assert_eq!(cloud.sql(&made, who), Ok(format!("{user} shop {major}")));

    let _ = cloud.run("rotate --yes").with_code(0);
    let refused = cloud.sql(&made, "SELECT").expect_err("the old password is no more");
    assert!(refused.contains("password authentication failed"), "{refused}");
    // What the server says of that is in its log; the emulator reads it now and then.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !cloud.run("logs").with_code(0).stdout.contains("password authentication failed") {
        assert!(Instant::now() < deadline, "the log tells nothing of it");
    }
    assert_eq!(cloud.current("orders", who), format!("{user} shop {major}"));

    // Written down; given to the instance; moved: one of both stages opens it, and the next run goes on from there.
    for (action, opened, next) in [
        ("PutSecretValue", "AWSCURRENT", "apply --yes"),
        ("ModifyDBInstance", "AWSPENDING", "apply --yes"),
        ("UpdateSecretVersionStage", "AWSCURRENT", "rotate --yes"),
    ] {
        let before = cloud.secret("orders", "AWSCURRENT");
        cloud.killed_after("rotate --yes", action);
        assert!(cloud.secret("orders", "AWSPENDING").is_some(), "{action}");
        let opens = cloud.opened_by("orders");
        assert!(opens.contains(&opened), "killed after {action}: {opens:?}");
        let _ = cloud.run(next).with_code(0);
        assert_eq!(cloud.opened_by("orders"), ["AWSCURRENT"], "killed after {action}, and run again");
        assert_ne!(cloud.secret("orders", "AWSCURRENT"), before, "the new password is in force: {action}");
        let old = before.and_then(|secret| cloud.sql(&secret, "SELECT").err());
        assert!(old.is_some(), "the old one is not: {action}");
        assert_eq!(cloud.secret("orders", "AWSPENDING"), None, "{action}");
        let _ = cloud.run("plan --detailed-exitcode").with_code(0);
    }
    cloud.stop();
}

#[test]
fn what_is_restored_has_the_rows_of_its_backup_and_a_secret_of_its_own() {
    let Some(cloud) = Cloud::new("a restore behind an emulated RDS") else { return };
    cloud.sandbox.write("database.hcl", cloud.block("orders"));
    let _ = cloud.run("apply --yes").with_code(0);
    cloud.current("orders", "CREATE TABLE line (id int); INSERT INTO line VALUES (1), (2)");
    let _ = cloud.run("backup --as before-the-sale --yes").with_code(0);
    cloud.current("orders", "INSERT INTO line VALUES (3)");
    let _ = cloud.run("restore --as copy --backup before-the-sale --yes").with_code(0);
    let [orders, copy] = ["orders", "copy"].map(|name| cloud.secret(name, "AWSCURRENT").expect("a secret"));
    let rows = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM line";
    assert_eq!(cloud.sql(&orders, rows), Ok("1 2 3".to_owned()));
    assert_eq!(cloud.sql(&copy, rows), Ok("1 2".to_owned()));
    // The password that was in force when the backup was taken opens nothing of the copy.
    let mut theirs = copy.clone();
    theirs["password"] = orders["password"].clone();
    let refused = cloud.sql(&theirs, "SELECT").expect_err("another password");
    assert!(refused.contains("password authentication failed"), "{refused}");
    assert_ne!(orders["host"], copy["host"]);
    cloud.stop();
}

/// A Python with boto3 and psycopg: the one of the checkout's tools.
fn python() -> Option<PathBuf> {
    let python = repository().join("target/tools/bin/python3");
    let has = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-c", "import boto3, psycopg"]).stdin(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if has(&python) {
        return Some(python);
    }
    assert!(std::env::var_os("PGHERD_REQUIRE_MOTO").is_none(), "boto3 and psycopg are required here and absent");
    None
}

#[test]
fn the_example_of_the_guide_is_printed_as_it_works() {
    let Some(python) = python() else { return skipped("the example of emulated-aws.md, with boto3 and psycopg") };
    let Some(cloud) = Cloud::new("the example of emulated-aws.md") else { return };
    let guide = std::fs::read_to_string(repository().join("docs/src/guides/emulated-aws.md")).expect("the guide");
    let example = guide.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    // This machine's PostgreSQL, and a port that is nobody's.
    let (version, name) = (r#"EngineVersion="15""#, r#"DBName="orders""#);
    assert!(example.contains(version) && example.contains(name), "{example}");
    let example = example.replace(version, &format!("EngineVersion=\"{}\"", cloud.server.major()));
    let example = example.replace(name, &format!("{name}, Port={}", cloud.port));
    cloud.sandbox.write("example.py", example);
    let mut command = Command::new(python);
    command.arg("example.py");
    let ended = cloud.sandbox.command_of(command).output().expect("python runs");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let expected = format!("PostgreSQL {}.", cloud.server.major());
    assert!(said.starts_with(&expected), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    cloud.stop();
}
