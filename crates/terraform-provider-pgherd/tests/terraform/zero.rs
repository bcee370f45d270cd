//! From zero: the tutorial's page about Terraform is run as it stands, on this machine and on an emulated AWS.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::world::{World, pgherd};

#[test]
fn the_tutorial_does_what_it_shows() {
    let document = "docs/src/tutorial/terraform.md";
    let Some(mut world) = World::new(document) else { return };
    // Everything is put in place by the page itself.
    fs::remove_file(world.work().join("modules")).expect("the link is taken away");
    fs::remove_dir_all(world.home().join(".terraform.d")).expect("the provider is taken away");
    world.set("TF_CLI_ARGS", "-no-color");
    world.set("TF_IN_AUTOMATION", "");
    let programs = pgherd().parent().expect("a folder").display().to_string();
    let terraform = world.terraform().parent().map(Path::display).map(|folder| folder.to_string()).unwrap_or_default();
    let bash = |command: &str| {
        let script = format!("exec 2>&1\nPATH={programs}:{terraform}:$PATH\n{command}");
        let mut bash: Command = world.command(Path::new("/bin/bash"));
        let output = bash.args(["-c", &script]).output().expect("bash runs");
        String::from_utf8(output.stdout).expect("text")
    };
    xtask::documents::play(document, bash).unwrap_or_else(|said| panic!("{said}"));
}
