//! `pgherd terraform install`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::sandbox::Sandbox;

/// A working folder with a program that stands for the provider, which is only copied.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("provider", "first");
    sandbox
}

fn provider(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.work().with_file_name("home").join(".terraform.d/plugins/local/pgherd/pgherd");
    let version = env!("CARGO_PKG_VERSION");
    let platform = if cfg!(target_arch = "aarch64") { "linux_arm64" } else { "linux_amd64" };
    folder.join(version).join(platform).join(format!("terraform-provider-pgherd_v{version}"))
}

const INSTALL: [&str; 4] = ["terraform", "install", "--program", "provider"];

#[test]
fn provider_and_module_are_put_where_terraform_looks() {
    let sandbox = sandbox();
    let ran = sandbox.run(&INSTALL).with_code(0);
    let file = provider(&sandbox);
    assert_eq!(fs::read_to_string(&file).expect("the provider"), "first");
    assert_eq!(fs::metadata(&file).expect("the provider").permissions().mode() & 0o777, 0o755);
    let (first, modules) = ran.stdout.split_once('\n').expect("two lines");
    assert!(first.starts_with("wrote [SANDBOX]/home/.terraform.d/plugins/local/pgherd/pgherd/"), "{first}");
    assert_eq!(modules, "wrote modules/database_postgres\nwrote modules/database\n");
    let main = fs::read_to_string(sandbox.work().join("modules/database_postgres/main.tf")).expect("the module");
    assert!(main.contains("source = \"local/pgherd/pgherd\""), "{main}");
}

#[test]
fn what_is_there_is_brought_to_this_version() {
    let sandbox = sandbox();
    let _ = sandbox.run(&INSTALL).with_code(0);
    sandbox.write("provider", "second");
    let variables = sandbox.work().join("modules/database/variables.tf");
    let first = fs::read_to_string(&variables).expect("the module").lines().next().expect("a line").to_owned();
    fs::write(&variables, first + "\n# of an earlier version").expect("written");
    let json = sandbox.run(&[&INSTALL[..], &["--json"]].concat()).with_code(0).json();
    assert_eq!(json["result"]["modules"], serde_json::json!(["modules/database_postgres", "modules/database"]));
    assert_eq!(fs::read_to_string(provider(&sandbox)).expect("the provider"), "second");
    assert!(!fs::read_to_string(&variables).expect("the module").contains("of an earlier version"));
}

/// Whatever was there when it was killed, the next run brings it to its end.
#[test]
fn a_run_that_was_killed_is_gone_on_with() {
    let sandbox = sandbox();
    let module = sandbox.work().join("modules/database_postgres");
    fs::create_dir_all(&module).expect("a folder");
    fs::write(module.join(".main.tf.unfinished"), "# Writ").expect("written");
    let _ = sandbox.run(&INSTALL).with_code(0);
    // An earlier version wrote in place.
    for left in ["", "# Written by `cargo xtask generate` from the table of variables. Change it there.\n\nterraf"] {
        fs::write(module.join("main.tf"), left).expect("written");
        let _ = sandbox.run(&INSTALL).with_code(0);
        let main = fs::read_to_string(module.join("main.tf")).expect("the module");
        assert!(main.contains("resource \"pgherd_postgres\""), "{main}");
    }
    let names = fs::read_dir(&module).expect("the module").flatten().map(|entry| entry.file_name());
    assert_eq!(names.count(), 4, "nothing else is left");
}

#[test]
fn what_somebody_else_wrote_stays_and_nothing_is_done() {
    let sandbox = sandbox();
    let theirs = sandbox.work().join("modules/database");
    fs::create_dir_all(&theirs).expect("a folder");
    fs::write(theirs.join("main.tf"), "# mine").expect("written");
    insta::assert_snapshot!(sandbox.run(&INSTALL).with_code(4).transcript(), @r"
    $ pgherd terraform install --program provider
    -- stderr
    error: modules/database/main.tf is there and not written by pgherd
    hint: move it away, or give another folder with --modules and name that in `source`
    -- exit 4
    ");
    assert_eq!(fs::read_to_string(theirs.join("main.tf")).expect("theirs"), "# mine");
    assert!(!provider(&sandbox).exists() && !sandbox.work().join("modules/database_postgres").exists());
    fs::rename(theirs.join("main.tf"), theirs.join("other.tf")).expect("renamed");
    let said = sandbox.run(&INSTALL).with_code(4);
    assert!(said.stderr.contains("modules/database is there"), "{}", said.stderr);
}

#[test]
fn a_provider_that_is_not_there_is_named() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&INSTALL).with_code(5).transcript(), @r"
    $ pgherd terraform install --program provider
    -- stderr
    error: there is no provider
    hint: cargo build --release --package terraform-provider-pgherd makes it; --program says where it is
    -- exit 5
    ");
}

/// Terraform looks nowhere by itself then.
#[test]
fn a_configuration_that_says_where_providers_are_is_told_of() {
    let sandbox = sandbox();
    let file = sandbox.work().with_file_name("home").join(".terraformrc");
    fs::write(&file, "provider_installation {\n  direct {}\n}\n").expect("written");
    let said = sandbox.run(&INSTALL).with_code(0);
    insta::assert_snapshot!(said.stderr, @r#"
    warning: [SANDBOX]/home/.terraformrc says where providers are looked for, and so Terraform does not look there
    hint: write a block filesystem_mirror with path = "[SANDBOX]/home/.terraform.d/plugins" and include = ["local/pgherd/*"] into provider_installation, and exclude = ["local/pgherd/*"] into the other blocks there
    next: terraform init (with -upgrade where an earlier build was in use)
    "#);
    let home = file.parent().expect("a folder");
    let is_told = |path: &std::path::Path| {
        let text =
            format!("provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n", path.display());
        fs::write(&file, text).expect("written");
        sandbox.run(&INSTALL).with_code(0).stderr.contains("provider_installation")
    };
    assert!(!is_told(&home.join(".terraform.d/plugins")));
    assert!(is_told("/home/ann/.terraform.d/plugins".as_ref()), "somebody else's");
    // What stands in another file of Terraform's counts as well.
    fs::rename(&file, home.join(".terraform.d/mine.tfrc")).expect("renamed");
    assert!(sandbox.run(&INSTALL).with_code(0).stderr.contains("/.terraform.d/mine.tfrc says where providers are"));
}
