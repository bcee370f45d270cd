//! Calls against servers that are busy, broken, late, or somebody else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::Response;
use futures_util::future::join_all;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pgherd_aws::{AwsError, Element, Fixed, Form, Service, Session};
use pgherd_core::secret::Secret;
use pgherd_engine::provider::ProviderError;
use pgherd_http::{Policy, Safety, Url};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::server::{Asked, Server, answer, no_instances, refusal};

const PAGE: &str = "<!doctype html><title>500 Internal Server Error</title>";

/// Waits that are over at once, so that a test of a hundred attempts takes none.
const AT_ONCE: Policy = Policy {
    throttled_for: Duration::from_secs(20),
    obeyed_for: Duration::from_secs(300),
    failed_at_most: 4,
    first_wait: Duration::from_micros(1),
    longest_wait: Duration::from_micros(1),
    hurry: 1,
};
/// Waits that no test outlives: what passes with it did not wait for chance.
const NEVER: Policy =
    Policy { first_wait: Duration::from_secs(86_400), longest_wait: Duration::from_secs(86_400), ..AT_ONCE };

fn session(url: &Url, policy: Policy) -> Arc<Session> {
    Session::of(Fixed {
        region: "eu-central-1".to_owned(),
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("the-secret-key"),
        session_token: None,
        endpoint: Some(url.clone()),
        policy,
        answer_within: Duration::from_secs(20),
    })
}

async fn describe(session: &Session, safety: Safety) -> Result<Element, AwsError> {
    session.query(Service::Rds, "eu-central-1", Form::new("DescribeDBInstances"), safety).await
}

/// How a call of each safety ends, and after how many requests, when the server always gives the same answer.
#[track_caller]
fn check(
    always: impl Fn(&Asked) -> Response + Clone + Send + Sync + 'static,
    repeatable: (&str, u64),
    look_first: (&str, u64),
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for (safety, expected) in [(Safety::Repeatable, repeatable), (Safety::LookFirst, look_first)] {
            let always = always.clone();
            let server = Server::start(move |_, asked| always(asked)).await;
            let session = session(&server.url, AT_ONCE);
            let ended = match describe(&session, safety).await {
                Ok(_) => "answered".to_owned(),
                Err(error) => told(&error, &server.url),
            };
            assert_eq!((ended.as_str(), session.calls()), expected, "{safety:?}");
            assert_eq!(server.asked().len() as u64, session.calls());
        }
    });
}

/// An error as the user gets it, with its kind, and whether it may have taken effect.
fn told(error: &AwsError, url: &Url) -> String {
    let place = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
    let whole = ProviderError::from(error.clone());
    let maybe = if error.maybe_done { ", maybe done" } else { "" };
    format!("{:?}{maybe}: {}", whole.kind, whole.message.replace(&place, "SERVER").replace("127.0.0.1", "SERVER"))
}

#[test]
fn an_answer_is_an_answer() {
    check(|_| no_instances(), ("answered", 1), ("answered", 1));
}

#[test]
fn a_refusal_is_handed_on_at_once() {
    check(
        |_| refusal(404, "DBInstanceNotFound", "DBInstance orders not found."),
        ("NotFound: rds:DescribeDBInstances: DBInstanceNotFound: DBInstance orders not found. (request r-1)", 1),
        ("NotFound: rds:DescribeDBInstances: DBInstanceNotFound: DBInstance orders not found. (request r-1)", 1),
    );
}

#[test]
fn a_failure_is_repeated_where_that_is_safe() {
    check(
        |_| refusal(500, "InternalFailure", "oops"),
        ("Unavailable: rds:DescribeDBInstances: InternalFailure: oops (request r-1)", 4),
        ("Unavailable, maybe done: rds:DescribeDBInstances: InternalFailure: oops (request r-1)", 1),
    );
}

#[test]
fn a_web_page_is_no_answer_of_aws() {
    check(
        |_| answer(500, &[("content-type", "text/html")], PAGE),
        ("Unsupported, maybe done: rds:DescribeDBInstances: SERVER answered 500 and a web page", 2),
        ("Unsupported, maybe done: rds:DescribeDBInstances: SERVER answered 500 and a web page", 1),
    );
    check(
        |_| answer(502, &[("content-type", "text/html")], PAGE),
        ("Unavailable, maybe done: rds:DescribeDBInstances: SERVER answered 502 and a web page", 2),
        ("Unavailable, maybe done: rds:DescribeDBInstances: SERVER answered 502 and a web page", 1),
    );
}

#[test]
fn a_gateway_without_words_is_repeated_as_a_failure() {
    check(
        |_| answer(503, &[], ""),
        ("Unavailable, maybe done: rds:DescribeDBInstances: SERVER answered 503 and nothing AWS would answer", 4),
        ("Unavailable, maybe done: rds:DescribeDBInstances: SERVER answered 503 and nothing AWS would answer", 1),
    );
}

#[test]
fn nobody_is_followed_elsewhere() {
    check(
        |_| answer(307, &[("location", "http://elsewhere.test/")], ""),
        ("Unavailable, maybe done: rds:DescribeDBInstances: SERVER answered 307 and nothing AWS would answer", 2),
        ("Unavailable, maybe done: rds:DescribeDBInstances: SERVER answered 307 and nothing AWS would answer", 1),
    );
}

#[test]
fn success_that_nobody_can_read_is_no_success() {
    check(
        |_| answer(200, &[], PAGE),
        ("Unavailable, maybe done: rds:DescribeDBInstances: SERVER answered with no DescribeDBInstancesResponse", 1),
        ("Unavailable, maybe done: rds:DescribeDBInstances: SERVER answered with no DescribeDBInstancesResponse", 1),
    );
}

/// It would look as if nothing existed.
#[test]
fn an_empty_answer_is_none() {
    check(
        |_| answer(200, &[], ""),
        ("Unavailable, maybe done: rds:DescribeDBInstances: SERVER answered with nothing", 1),
        ("Unavailable, maybe done: rds:DescribeDBInstances: SERVER answered with nothing", 1),
    );
}

#[test]
fn credentials_that_are_refused_are_named_with_what_they_lack() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = Server::start(|_, _| refusal(403, "AccessDenied", "not authorized")).await;
        let error = describe(&session(&server.url, AT_ONCE), Safety::Repeatable).await.expect_err("denied");
        assert_eq!(ProviderError::from(error).help, "the credentials need the permission rds:DescribeDBInstances");
    });
}

#[tokio::test]
async fn a_connection_that_breaks_off_may_have_done_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = Url::parse(&format!("http://{}/", listener.local_addr().expect("an address"))).expect("a URL");
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The request is read, whole or in part, before the line goes dead.
            stream.read_exact(&mut [0; 64]).await.expect("a request");
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    for (safety, requests) in [(Safety::Repeatable, 4), (Safety::LookFirst, 1)] {
        seen.store(0, Ordering::Relaxed);
        let session = session(&url, AT_ONCE);
        let error = describe(&session, safety).await.expect_err("no answer");
        let words = told(&error, &url);
        assert!(
            words.starts_with("Unavailable, maybe done: rds:DescribeDBInstances: the connection to SERVER broke off: "),
            "{words}"
        );
        assert_eq!((session.calls(), seen.load(Ordering::Relaxed) as u64), (requests, requests));
    }
    serving.abort();
}

#[tokio::test]
async fn what_never_left_was_not_done() {
    // Bound, which keeps everybody else from it, and not listening.
    let port = tokio::net::TcpSocket::new_v4().expect("a socket");
    port.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let url = Url::parse(&format!("http://{}/", port.local_addr().expect("an address"))).expect("a URL");
    let session = session(&url, AT_ONCE);
    let error = describe(&session, Safety::LookFirst).await.expect_err("nobody listens");
    assert_eq!(
        told(&error, &url),
        "Unavailable: rds:DescribeDBInstances: no connection to SERVER: Connection refused (os error 111)"
    );
    assert_eq!(session.calls(), 0);
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_is_obeyed() {
    let server = Server::start(|nth, _| match nth {
        1 => answer(
            503,
            &[("retry-after", "0")],
            "<ErrorResponse><Error><Code>ServiceUnavailable</Code></Error></ErrorResponse>",
        ),
        _ => no_instances(),
    })
    .await;
    let session = session(&server.url, NEVER);
    describe(&session, Safety::Repeatable).await.expect("the second answers");
    assert_eq!(session.calls(), 2);
    // Of a throttle it is the least that is waited.
    let server = Server::start(|nth, _| match nth {
        1 => answer(
            400,
            &[("retry-after", "1")],
            "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>",
        ),
        _ => no_instances(),
    })
    .await;
    let session = self::session(&server.url, AT_ONCE);
    let began = std::time::Instant::now();
    describe(&session, Safety::Repeatable).await.expect("the second answers");
    assert_eq!((session.calls(), began.elapsed() >= Duration::from_secs(1)), (2, true));
}

/// Every step would use up its own attempts against a service that takes five requests a second.
#[tokio::test]
async fn a_storm_of_throttles_ends_well() {
    let server = Server::start(|nth, _| match nth {
        1..=6 => refusal(400, "Throttling", "Rate exceeded"),
        _ => no_instances(),
    })
    .await;
    let session = session(&server.url, AT_ONCE);
    let ended = join_all((0..6).map(|_| describe(&session, Safety::LookFirst))).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert_eq!(session.calls(), 12);
}

#[tokio::test]
async fn the_clock_of_the_server_is_learnt_once() {
    // Twenty minutes ahead of ours; nothing older than five is taken.
    let now = || Timestamp::now() + Duration::from_secs(1200);
    let server = Server::start(move |_, asked| {
        let sent = DateTime::strptime("%Y%m%dT%H%M%SZ", asked.header("x-amz-date")).expect("a date");
        let sent = sent.to_zoned(TimeZone::UTC).expect("a time").timestamp();
        if now().duration_since(sent).abs() < jiff::SignedDuration::from_mins(5) {
            return no_instances();
        }
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now()).expect("a date");
        let body = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired</Message></Error></ErrorResponse>";
        answer(403, &[("date", &date)], body)
    })
    .await;
    let session = session(&server.url, NEVER);
    // Side by side: each of the three finds out, and one of them first.
    let ended = join_all((0..3).map(|_| describe(&session, Safety::LookFirst))).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    for calls in [7, 8, 9] {
        describe(&session, Safety::LookFirst).await.expect("the clock is corrected");
        assert_eq!(session.calls(), calls);
    }
}

#[tokio::test]
async fn a_wrong_key_is_not_taken_for_a_wrong_clock() {
    let server = Server::start(|_, _| refusal(403, "SignatureDoesNotMatch", "check your key")).await;
    let session = session(&server.url, NEVER);
    let error = describe(&session, Safety::Repeatable).await.expect_err("refused");
    assert_eq!(session.calls(), 1);
    assert_eq!(ProviderError::from(error).help, "look at the secret access key and at this machine's clock");
}

#[tokio::test]
async fn an_idle_connection_is_used_again() {
    let server = Server::start(|_, _| no_instances()).await;
    let session = session(&server.url, AT_ONCE);
    for _ in 0..3 {
        describe(&session, Safety::Repeatable).await.expect("answered");
    }
    let from: BTreeSet<_> = server.asked().iter().map(|asked| asked.from).collect();
    assert_eq!((session.calls(), from.len()), (3, 1));
}

#[tokio::test]
async fn json_is_spoken_to_those_who_speak_it() {
    let server = Server::start(|nth, _| match nth {
        1 => answer(200, &[], r#"{"Name":"pgherd/orders/master"}"#),
        2 => answer(200, &[], ""),
        _ => answer(
            400,
            &[("x-amzn-requestid", "r-3")],
            r#"{"__type":"com.amazonaws.secretsmanager#ResourceNotFoundException","Message":"no such secret"}"#,
        ),
    })
    .await;
    let session = session(&server.url, AT_ONCE);
    let wanted = json!({"SecretId": "a"});
    let ask = || session.json(Service::SecretsManager, "eu-central-1", "DescribeSecret", &wanted, Safety::Repeatable);
    assert_eq!(ask().await.expect("an answer"), json!({"Name": "pgherd/orders/master"}));
    assert_eq!(ask().await.expect("an answer"), json!({}));
    let error = ask().await.expect_err("a refusal");
    assert_eq!(
        told(&error, &server.url),
        "NotFound: secretsmanager:DescribeSecret: ResourceNotFoundException: no such secret (request r-3)"
    );
    let asked = server.asked().remove(0);
    assert_eq!(
        [asked.header("content-type"), asked.header("x-amz-target"), asked.header("user-agent"), &asked.body],
        ["application/x-amz-json-1.1", "secretsmanager.DescribeSecret", "pgherd/0.1.0", r#"{"SecretId":"a"}"#]
    );
}

#[tokio::test]
async fn a_service_of_a_whole_partition_is_signed_for_its_own_region() {
    let server = Server::start(|_, _| answer(200, &[], "<GetRoleResponse/>")).await;
    let session = session(&server.url, AT_ONCE);
    session.query(Service::Iam, "eu-central-1", Form::new("GetRole"), Safety::Repeatable).await.expect("answered");
    let asked = server.asked().remove(0);
    assert!(asked.header("authorization").contains("/us-east-1/iam/aws4_request"), "{}", asked.header("authorization"));
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/"));
}
