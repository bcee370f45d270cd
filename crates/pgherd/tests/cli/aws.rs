//! Databases on AWS through the program alone, on an emulated RDS.

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

#[test]
fn verbs_on_what_does_not_exist() {
    let cloud = Cloud::new();
    let verbs: [&[&str]; 4] = [&["logs"], &["params"], &["env"], &["rotate", "--yes"]];
    let said: Vec<String> = verbs.iter().map(|verb| cloud.sandbox.run(verb).with_code(5).transcript()).collect();
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(cloud.writes(), 0);
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
    assert_eq!(ended(), "the last backup of orders is orders-last\n");
    drop(run(&["apply", "--yes"]));
    let again = ended();
    assert!(again.starts_with("the last backup of orders is orders-last-20"), "{again}");
}
