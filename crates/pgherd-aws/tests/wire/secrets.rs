//! Errors that are provoked by servers which quote what they were sent. No secret is in any of them, nor in the log.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::response::Response;
use pgherd_aws::{AwsError, Fixed, Form, Service, Session};
use pgherd_core::secret::Secret;
use pgherd_engine::provider::ProviderError;
use pgherd_http::{Policy, Safety, Url};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::server::{Asked, Server, answer, refusal};

/// What must never be seen, in pieces that no encoding of a server takes apart: `hunter2` stands in each secret.
const NEEDLE: &str = "hunter2";
const PASSWORD: &str = "hunter2-p+a s\"s%/";
const KEY: &str = "hunter2-key";
const TOKEN: &str = "hunter2-token/+=";

type Quote = fn(&Asked) -> Response;

/// How a server may answer with what it was sent.
const QUOTES: &[(&str, Quote)] = &[
    ("the body in a message", |asked| refusal(400, "InvalidParameterValue", &escaped(&asked.body))),
    ("the body decoded in a message", |asked| refusal(400, "InvalidParameterValue", &escaped(&decoded(&asked.body)))),
    ("the body in small letters of hexadecimal", |asked| {
        refusal(400, "InvalidParameterValue", &escaped(&asked.body.replace("%2B", "%2b").replace("%2F", "%2f")))
    }),
    ("the headers in a message", |asked| {
        refusal(403, "SignatureDoesNotMatch", &escaped(&format!("{:?}", asked.headers)))
    }),
    ("the body in the code", |asked| refusal(400, &escaped(&decoded(&asked.body)), "wrong")),
    ("the token in the id of the request", |asked| {
        answer(
            400,
            &[("x-amzn-requestid", asked.header("x-amz-security-token"))],
            "<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>",
        )
    }),
    ("the body in JSON", |asked| {
        answer(400, &[], json!({ "__type": "ValidationException", "message": asked.body }).to_string())
    }),
    ("the body decoded in JSON", |asked| {
        answer(400, &[], json!({ "__type": "ValidationException", "message": decoded(&asked.body) }).to_string())
    }),
    ("the password in JSON", |_| {
        answer(400, &[], json!({ "__type": "E", "message": format!("{PASSWORD} is too weak") }).to_string())
    }),
    ("the headers in the type of the error", |asked| {
        answer(400, &[("x-amzn-errortype", asked.header("x-amz-security-token"))], "{}")
    }),
    ("a page", |asked| answer(500, &[], format!("<html>{}</html>", asked.body))),
    ("a gateway's page", |asked| answer(502, &[], format!("<!doctype html>{:?}", asked.headers))),
    ("plain text", |asked| answer(500, &[], asked.body.clone())),
    ("plain text with success", |asked| answer(200, &[], asked.body.clone())),
    ("XML of something else", |asked| answer(200, &[], format!("<Echo>{}</Echo>", escaped(&asked.body)))),
    ("XML that ends early", |asked| {
        answer(400, &[], format!("<ErrorResponse><Error><Message>{}", escaped(&asked.body)))
    }),
    ("JSON that ends early", |asked| answer(200, &[], format!("{{\"a\": \"{}", asked.body))),
    ("a redirect", |asked| answer(307, &[("location", asked.header("x-amz-security-token"))], asked.body.clone())),
];

#[tokio::test]
async fn no_error_holds_a_secret() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    let _listening = tracing::subscriber::set_default(subscriber);
    let mut errors = Vec::new();
    for (what, quote) in QUOTES {
        let server = Server::start(move |_, asked| quote(asked)).await;
        let session = session(&server.url, TOKEN);
        errors.push((*what, create(&session).await));
        errors.push((*what, put(&session).await));
    }
    let nowhere = Url::parse("http://127.0.0.1:1/").expect("a URL");
    errors.push(("nobody listens", create(&session(&nowhere, TOKEN)).await));
    errors.push(("nobody listens", put(&session(&nowhere, TOKEN)).await));
    errors.push(("a token that no header holds", create(&session(&nowhere, "hunter2\ntoken")).await));
    errors.push(("a token that no header holds", put(&session(&nowhere, "hunter2\ntoken")).await));
    // What JSON is quoted with success is an answer.
    assert_eq!(errors.iter().filter(|(_, error)| error.is_none()).count(), 1);
    let errors: Vec<_> = errors.into_iter().filter_map(|(what, error)| Some((what, error?))).collect();
    assert_eq!(errors.len(), 39);
    for (what, error) in errors {
        let whole = ProviderError::from(error.clone());
        let shown = format!("{error} {error:?} {whole} {whole:?} {}", serde_json::to_string(&whole).expect("JSON"));
        assert!(!shown.contains(NEEDLE), "{what}: {shown}");
    }
    let log = log.text();
    assert!(log.contains("CreateDBInstance"), "the log was written");
    let line = log.lines().find(|line| line.contains(NEEDLE));
    assert_eq!(line, None);
}

async fn create(session: &Session) -> Option<AwsError> {
    let form = Form::new("CreateDBInstance")
        .set("DBInstanceIdentifier", "orders")
        .set("MasterUserPassword", &Secret::new(PASSWORD))
        .list("Tags", "Tag", [Form::part().set("Key", "team").set("Value", &Secret::new("hunter2-tag"))]);
    assert!(!format!("{form:?}").contains(NEEDLE));
    session.query(Service::Rds, "eu-west-1", form, Safety::LookFirst).await.err()
}

async fn put(session: &Session) -> Option<AwsError> {
    let secret = json!({ "username": "app", "password": PASSWORD }).to_string();
    let body = json!({ "SecretId": "pgherd/orders/master", "SecretString": secret });
    session.json(Service::SecretsManager, "eu-west-1", "PutSecretValue", &body, Safety::LookFirst).await.err()
}

fn session(url: &Url, token: &str) -> Arc<Session> {
    Session::of(Fixed {
        region: "eu-west-1".to_owned(),
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new(KEY),
        session_token: Some(Secret::new(token)),
        endpoint: Some(url.clone()),
        policy: Policy { first_wait: Duration::ZERO, ..Policy::default() },
        answer_within: Duration::from_secs(20),
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// All that is logged, whatever the level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("nobody panics with it")).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
