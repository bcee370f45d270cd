//! Azure's own client drives the emulator, unmodified and over TLS: azure-mgmt-postgresqlflexibleservers with azure-identity.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use pgherd_emulate::Speed;
use pgherd_emulate::azure::{AzureCloud, CLIENT, Options, TENANT};
use tokio::process::Command;

/// A python of the checkout's tools, else the one on the path, if it has them.
async fn python() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/python3");
    for program in [tools, PathBuf::from("python3")] {
        let mut command = Command::new(&program);
        command.args(["-c", "import azure.identity, azure.mgmt.postgresqlflexibleservers"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().await.is_ok_and(|status| status.success()) {
            return Some(program);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azures_client_lives_a_whole_life() {
    let Some(python) = python().await else {
        eprintln!("SKIPPED azure-mgmt-postgresqlflexibleservers: no python3 with it in target/tools or on the path");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Some(folder.path().to_path_buf());
    let options = Options { speed: Speed::PerCall { seconds: 30 }, authority, ..Options::default() };
    let emulator = AzureCloud::start(options).await.expect("loopback is there");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/azure/life.py");
    let mut command = Command::new(python);
    command.arg(script).arg(emulator.secure_url()).stdin(Stdio::null());
    // Whoever runs this has no part in it.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["AZURE_", "ARM_", "HTTP", "http", "CURL_CA"].iter().any(|known| text.starts_with(known)) {
            command.env_remove(&name);
        }
    }
    command.env("NO_PROXY", "127.0.0.1").env("AZURE_AUTHORITY_HOST", emulator.secure_url());
    command.env("AZURE_TENANT_ID", TENANT).env("AZURE_CLIENT_ID", CLIENT).env("AZURE_CLIENT_SECRET", CLIENT);
    command.env("REQUESTS_CA_BUNDLE", emulator.authority.as_ref().expect("it speaks TLS"));
    let ended = command.output().await.expect("it runs");
    emulator.stop().await;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    insta::assert_snapshot!(said, @r"
    another secret True
    free True
    offered ['14', '15', '16', '17', '18']
    mistyped 400 InvalidRequestContent
    a window at once 400 InvalidParameterValue
    another group 404 ResourceGroupNotFound
    begun InProgress ServerState.PROVISIONING
    while it is made 409 ServerIsBusy
    made ServerState.READY Canada Central orders.postgres.database.azure.com
    standby PostgreSqlFlexibleServerHighAvailabilityMode.ZONE_REDUNDANT HighAvailabilityState.HEALTHY
    twice 409 ServerNameAlreadyExists
    database shop
    rule 198.51.100.7
    a rule of IPv6 400 InvalidParameterValue
    work_mem 16384
    waits for a restart True
    and had it False
    a unit 400 InvalidParameterValue
    read only 200 OperationFailed
    settings True
    window 0
    smaller 400 InvalidParameterValue
    failed over True
    backup before
    replica ReplicationRole.ASYNC_REPLICA
    replicas ['orders-replica-1']
    with a replica 409 ServerHasReplicas
    promoted ReplicationRole.PRIMARY
    restored 16
    servers ['copy', 'orders', 'orders-replica-1']
    left 0
    ");
}
