//! Faults over a real connection, planned by the control endpoint.

use pgherd_emulate::{Emulator, Options, Running};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::SIGNED;

/// What comes back over a connection of its own; nothing when there was no answer.
async fn send(emulator: &Running, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(emulator.addr).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: emulated\r\nauthorization: {SIGNED}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const CREATE: &str = "Action=CreateDBSubnetGroup&DBSubnetGroupName=orders&DBSubnetGroupDescription=d&SubnetIds.SubnetIdentifier.1=subnet-a&SubnetIds.SubnetIdentifier.2=subnet-b";

/// The status line and code of a create that meets a fault, and of the same create once more.
async fn twice(fault: &str) -> [String; 2] {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let planned = send(&emulator, "POST", "/_emulate/faults", fault).await;
    assert!(planned.starts_with("HTTP/1.1 200"), "{planned}");
    let first = send(&emulator, "POST", "/", CREATE).await;
    let second = send(&emulator, "POST", "/", CREATE).await;
    emulator.stop().await;
    [first, second].map(|answer| {
        let status = answer.split(' ').nth(1).unwrap_or("nothing");
        let code = super::inside(&answer, "Code").unwrap_or_default();
        format!("{status} {code}").trim_end().to_owned()
    })
}

#[tokio::test]
async fn a_throttled_call_does_nothing() {
    assert_eq!(twice(r#"{"fault":"throttle"}"#).await, ["400 Throttling", "200"]);
}

#[tokio::test]
async fn a_dropped_call_does_nothing() {
    assert_eq!(twice(r#"{"fault":"dropped"}"#).await, ["nothing", "200"]);
}

#[tokio::test]
async fn a_lost_answer_was_done() {
    assert_eq!(twice(r#"{"fault":"lost"}"#).await, ["nothing", "400 DBSubnetGroupAlreadyExists"]);
}

#[tokio::test]
async fn services_fail_in_many_ways() {
    assert_eq!(twice(r#"{"fault":"error","status":503}"#).await, ["503 ServiceUnavailable", "200"]);
    assert_eq!(twice(r#"{"fault":"html"}"#).await, ["500", "200"]);
    assert_eq!(twice(r#"{"fault":"denied"}"#).await, ["403 AccessDenied", "200"]);
    assert_eq!(twice(r#"{"fault":"expired_token"}"#).await, ["403 ExpiredToken", "200"]);
    assert_eq!(twice(r#"{"fault":"clock_off","seconds":3600}"#).await, ["403 SignatureDoesNotMatch", "200"]);
}

#[tokio::test]
async fn a_fault_that_does_not_exist_is_refused() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    assert!(send(&emulator, "POST", "/_emulate/faults", r#"{"fault":"bogus"}"#).await.starts_with("HTTP/1.1 400"));
    emulator.stop().await;
}

#[tokio::test]
async fn what_was_asked_is_told() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    send(&emulator, "POST", "/", "Action=DescribeDBInstances").await;
    send(&emulator, "POST", "/", "Action=Bogus").await;
    let told = send(&emulator, "GET", "/_emulate/requests", "").await;
    let told = told.split_once("\r\n\r\n").unwrap().1;
    insta::assert_snapshot!(told);
    emulator.stop().await;
}

#[tokio::test]
async fn somebody_else_is_not_told_of() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let body = r#"{"region":"us-east-1","action":"CreateDBParameterGroup","parameters":{"DBParameterGroupName":"g","DBParameterGroupFamily":"postgres16","Description":"d"}}"#;
    assert!(send(&emulator, "POST", "/_emulate/tamper", body).await.starts_with("HTTP/1.1 200"));
    assert!(send(&emulator, "GET", "/_emulate/requests", "").await.ends_with("[]"));
    assert!(
        send(&emulator, "POST", "/", "Action=DescribeDBParameterGroups").await.contains("<DBParameterGroupName>g<")
    );
    emulator.stop().await;
}

#[tokio::test]
async fn an_answer_that_never_comes_was_done_too() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    emulator.plan(serde_json::from_str(r#"{"action":"CreateDBSubnetGroup","fault":"hang"}"#).unwrap());
    let asked = async {
        while emulator.asked().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = send(&emulator, "POST", "/", CREATE) => panic!("{answer}"),
        () = asked => {}
    }
    assert_eq!(emulator.asked()[0].outcome, "hang");
    assert!(send(&emulator, "POST", "/", CREATE).await.contains("<Code>DBSubnetGroupAlreadyExists</Code>"));
    emulator.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_off_shows_in_the_date() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    emulator.plan(serde_json::from_str(r#"{"fault":"clock_off","seconds":315360000}"#).unwrap());
    let year = |answer: &str| -> i64 {
        let date = answer.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
        date.split(' ').nth(3).unwrap().parse().unwrap()
    };
    let (off, right) = (send(&emulator, "POST", "/", CREATE).await, send(&emulator, "POST", "/", CREATE).await);
    assert!(year(&off) - year(&right) >= 9, "{off}");
    emulator.stop().await;
}
