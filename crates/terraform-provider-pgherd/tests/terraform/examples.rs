//! `examples/database`, as the requirements' own test uses it: made with a name, its output not empty, and away with it again.

use std::fs;

use crate::world::{World, repository};

#[test]
fn the_example_is_what_the_requirements_test_expects() {
    let Some(world) = World::new("examples") else { return };
    let folder = world.work().join("examples/database");
    fs::create_dir_all(folder.join("tests")).expect("a folder");
    for name in ["main.tf", "variables.tf", "outputs.tf", "tests/database.tftest.hcl"] {
        fs::copy(repository().join("examples/database").join(name), folder.join(name)).expect("it is there");
    }
    let run = |line: &str| world.run(&format!("-chdir=examples/database {line}"));
    run("init").fine();
    run("test").fine().says("3 passed, 0 failed");
    run("apply -auto-approve -var name=test-database").fine();
    let endpoint = run("output -raw db_instance_endpoint").fine();
    assert_eq!(endpoint.said, "localhost");
    run("destroy -auto-approve -var name=test-database").fine().says("Destroy complete!");
}
