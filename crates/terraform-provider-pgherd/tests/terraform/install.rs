//! What `pgherd terraform install` lays out is all that Terraform needs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::world::World;

#[test]
fn what_pgherd_installs_is_enough_without_a_network() {
    let Some(world) = World::beside("install") else { return };
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

/// What is released is a mirror as it stands, and what Terraform unpacks of it is what the checksums say.
#[test]
fn what_is_released_is_a_mirror() {
    let Some(world) = World::beside("release") else { return };
    fs::remove_dir_all(world.home().join(".terraform.d")).expect("the provider is taken away");
    let provider = Path::new(env!("CARGO_BIN_EXE_terraform-provider-pgherd"));
    let mirror = world.work().join("mirror");
    // Packed before, on another machine.
    let folder = mirror.join("local/pgherd/pgherd");
    fs::create_dir_all(&folder).expect("a folder");
    let version = env!("CARGO_PKG_VERSION");
    fs::write(folder.join(format!("terraform-provider-pgherd_{version}_plan9_386.zip")), "").expect("written");
    let files = xtask::dist::pack(provider, &mirror, false).expect("it is packed");
    let [_archive, manifest, sums] = files.as_slice() else { panic!("{files:?}") };
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).expect("it is there")).expect("JSON");
    assert_eq!(manifest["metadata"]["protocol_versions"], serde_json::json!(["6.0"]));
    let checked =
        Command::new("sha256sum").arg("--check").arg(sums).current_dir(sums.parent().expect("a folder")).output();
    let checked = checked.expect("sha256sum runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(String::from_utf8_lossy(&checked.stdout).lines().count(), 3, "one file of sums for all platforms");
    world.write(
        "cli.tfrc",
        &format!("provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n", mirror.display()),
    );
    world.write(
        "main.tf",
        "module \"database\" {\n  source = \"./modules/database\"\n  cloud_provider = \"local\"\n}\n",
    );
    let run = |line: &str| world.run_with(line, &[("TF_CLI_CONFIG_FILE", "cli.tfrc")]);
    run("init").fine();
    run("validate").fine();
    // A lock file holds what was unpacked on one platform; for others `terraform providers lock -fs-mirror` adds to it.
    run("providers lock -fs-mirror=mirror").fine();
    run("init -lockfile=readonly").fine();
}
