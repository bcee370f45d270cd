//! A database on an emulated AWS, from plan to destroy, with the same module.

use pgherd_emulate::{Emulator, Options, Speed};

use crate::world::World;

const FILE: &str = r#"
module "orders" {
  source                     = "./modules/database_postgres"
  cloud_provider             = "aws"
  aws_region                 = "eu-central-1"
  name                       = "orders"
  engine_version             = "17"
  skip_final_snapshot        = true
  enable_deletion_protection = false
}

output "secret" {
  value = module.orders.db_credentials_secret_arn
}
"#;

#[test]
fn a_database_from_plan_to_destroy() {
    let Some(mut world) = World::new("cloud") else { return };
    let beside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let options = Options { speed: Speed::PerCall { seconds: 30 }, ..Options::default() };
    let emulator = beside.block_on(Emulator::start(options)).expect("it listens");
    for (name, value) in [
        ("AWS_ENDPOINT_URL", emulator.url().as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-that-is-nobodys"),
    ] {
        world.set(name, value);
    }
    world.write("main.tf", FILE);
    world.run("init").fine();
    let writes = || {
        let reads = ["Describe", "Get", "List"];
        emulator.asked().iter().filter(|asked| !reads.iter().any(|read| asked.action.starts_with(read))).count()
    };
    world.run("plan -out=saved").fine().says("1 to add");
    assert_eq!(writes(), 0, "a plan writes nothing");
    world.run("apply saved").fine().says("secret = \"arn:aws:secretsmanager:eu-central-1");
    let made = writes();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    world.run("apply -auto-approve").fine();
    assert_eq!(writes(), made, "an empty plan writes nothing");
    world.run("destroy -auto-approve").fine().says("Destroy complete!");
}
