//! AWS's own client for Python drives the emulator, unmodified.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::Path;
use std::process::Stdio;

use pgherd_emulate::{Emulator, Options, Speed};
use tokio::process::Command;

/// A Python that has boto3: that of the checkout's tools, else the one on the path.
async fn python() -> Option<String> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/python3");
    for python in [tools.display().to_string(), "python3".to_owned()] {
        let mut command = Command::new(&python);
        command.args(["-c", "import boto3"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().await.is_ok_and(|status| status.success()) {
            return Some(python);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_lives_a_whole_life() {
    let Some(python) = python().await else {
        eprintln!("SKIPPED boto3: no python3 with boto3 in target/tools or on the path");
        return;
    };
    // Each call takes half a minute of the emulator's time, so boto3's waiters wait for nothing.
    let options = Options { speed: Speed::PerCall { seconds: 30 }, ..Options::default() };
    let emulator = Emulator::start(options).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(python);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rds/life.py"))
        .arg(emulator.url())
        .env("HOME", home.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKID")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", home.path().join("config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", home.path().join("credentials"))
        .stdin(Stdio::null());
    let ended = command.output().await.unwrap();
    emulator.stop().await;
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    insta::assert_snapshot!(said);
}
