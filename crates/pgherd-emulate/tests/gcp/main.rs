//! Google's own client drives the emulator, unmodified: google-api-python-client.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use pgherd_emulate::Speed;
use pgherd_emulate::gcp::{GoogleCloud, Options};
use tokio::process::Command;

/// A python of the checkout's tools, else the one on the path, if it has it.
async fn python() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/python3");
    for program in [tools, PathBuf::from("python3")] {
        let mut command = Command::new(&program);
        command.args(["-c", "import googleapiclient"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().await.is_ok_and(|status| status.success()) {
            return Some(program);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn googles_client_lives_a_whole_life() {
    let Some(python) = python().await else {
        eprintln!("SKIPPED google-api-python-client: no python3 with it in target/tools or on the path");
        return;
    };
    let options = Options { speed: Speed::PerCall { seconds: 30 }, ..Options::default() };
    let emulator = GoogleCloud::start(options).await.expect("loopback is there");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gcp/life.py");
    let mut command = Command::new(python);
    command.arg(script).arg(emulator.url()).env("NO_PROXY", "127.0.0.1").stdin(Stdio::null());
    // Whoever runs this has no part in it.
    for name in ["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "NO_GCE_CHECK"] {
        command.env_remove(name);
    }
    let machine = emulator.addr.to_string();
    command.env("CLOUDSDK_CONFIG", "/nonexistent").env("PATH", "/nonexistent");
    command.env("GCE_METADATA_HOST", &machine).env("GCE_METADATA_IP", &machine);
    let ended = command.output().await.expect("it runs");
    emulator.stop().await;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    insta::assert_snapshot!(said, @r"
    without edition 400 invalid
    mistyped 400 invalid
    made CREATE RUNNING
    twice 409 instanceAlreadyExists
    while it is made 409 operationInProgress
    created done
    state RUNNABLE 10 PRIMARY
    found learning ['orders']
    database done
    user done
    users ['app', 'postgres']
    flags done
    stale 412 staleData
    smaller 400 invalid
    a unit 400 invalidFlagValue
    flag INTEGER True
    backup done
    backups ['SUCCESSFUL']
    replica done
    with a replica 400 invalid
    promoted done
    cloned done
    secret projects/learning/secrets/s
    empty 404 notFound
    version 1
    holds x
    policies 1
    in use 400 failedPrecondition
    last backups [('orders', 'FINAL'), ('orders-replica-1', 'FINAL')]
    left 0
    ");
}
