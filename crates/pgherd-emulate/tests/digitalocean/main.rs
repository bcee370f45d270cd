//! DigitalOcean's own client drives the emulator, unmodified: pydo.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use pgherd_emulate::Speed;
use pgherd_emulate::digitalocean::{DigitalOcean, Options};
use tokio::process::Command;

/// A python of the checkout's tools, else the one on the path, if it has pydo.
async fn python() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/python3");
    for program in [tools, PathBuf::from("python3")] {
        let mut command = Command::new(&program);
        command.args(["-c", "import pydo"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().await.is_ok_and(|status| status.success()) {
            return Some(program);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pydo_lives_a_whole_life() {
    let Some(python) = python().await else {
        eprintln!("SKIPPED pydo: no python3 with pydo in target/tools or on the path");
        return;
    };
    let options = Options { speed: Speed::PerCall { seconds: 30 }, ..Options::default() };
    let emulator = DigitalOcean::start(options).await.expect("loopback is there");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/digitalocean/life.py");
    let mut command = Command::new(python);
    command.arg(script).arg(emulator.url()).env("NO_PROXY", "127.0.0.1").stdin(Stdio::null());
    let ended = command.output().await.expect("it runs");
    emulator.stop().await;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    insta::assert_snapshot!(said, @r"
    account active
    versions ['15', '16', '17']
    made creating orders
    listed ['orders']
    database shop
    user normal
    pool 25061
    config {'work_mem': 16}
    rules ['10.0.0.0/8']
    window 04:00:00
    too small 422
    while resizing 422
    resized db-s-2vcpu-4gb
    rotated app
    replica forking
    replicas ['orders-r1']
    left 0
    ");
}
