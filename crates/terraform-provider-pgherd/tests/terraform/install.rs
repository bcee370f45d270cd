//! What `pgherd terraform install` lays out is all that Terraform needs.

use std::fs;
use std::path::Path;

use crate::world::World;

#[test]
fn what_pgherd_installs_is_enough_without_a_network() {
    let Some(world) = World::new("install") else { return };
    fs::remove_file(world.work().join("modules")).expect("the link is taken away");
    fs::remove_dir_all(world.home().join(".terraform.d")).expect("the provider is taken away");
    let provider = Path::new(env!("CARGO_BIN_EXE_terraform-provider-pgherd"));
    world.pgherd(&format!("terraform install --program {}", provider.display()));
    world.write(
        "main.tf",
        "module \"database\" {\n  source         = \"./modules/database_postgres\"\n  cloud_provider = \"local\"\n}\n",
    );
    world.run("init").fine();
    world.run("validate").fine();
}
