//! Stands before moto: remembers what is asked, can give whoever asks an account of their own, and disturbs calls: withholds an
//! answer, so that whoever asked can be ended at that very point, loses it, or refuses.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;
use pgherd_http::{Client, Options, Request, Url};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A request that reached moto.
#[derive(Clone)]
pub struct Asked {
    pub action: String,
    /// Whether moto did it.
    pub is_done: bool,
    body: String,
}

impl Asked {
    /// What was sent, as it was.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// A field of a form.
    pub fn field(&self, name: &str) -> Option<String> {
        let fields = self.body.split('&').filter_map(|field| field.split_once('='));
        let mut values = fields.filter(|(field, _)| *field == name).map(|(_, value)| value);
        values.next().map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned())
    }
}

pub struct Proxy {
    pub url: Url,
    shared: Arc<Shared>,
}

struct Shared {
    moto: Url,
    client: Client,
    /// The account that everything belongs to, if it is not moto's usual one.
    account: Option<String>,
    asked: Mutex<Vec<Asked>>,
    /// Requests until the one that is disturbed, and how.
    disturbance: Mutex<Option<(usize, Disturbance)>>,
    was_disturbed: AtomicBool,
    /// Requests that moto has not answered yet.
    going_on: AtomicUsize,
    withheld: Notify,
    /// Actions that are refused before moto hears of them, with the code of each.
    refused: Mutex<Vec<(String, String)>>,
}

/// How a request is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// It is done, and there is never an answer.
    Withheld,
    /// It is done, and the answer breaks off.
    Lost,
    /// It and those after it are refused, because there are too many of them.
    Throttled,
}

impl Proxy {
    pub async fn start(moto: Url) -> Self {
        Self::of(moto, None).await
    }

    /// The same for an account, which moto makes as soon as it is spoken of.
    pub async fn of(moto: Url, account: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            moto,
            client: Client::new(Options::default()),
            account,
            asked: Mutex::default(),
            disturbance: Mutex::default(),
            was_disturbed: AtomicBool::new(false),
            going_on: AtomicUsize::new(0),
            withheld: Notify::new(),
            refused: Mutex::default(),
        });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&shared));
        // It ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: Url::parse(&format!("http://127.0.0.1:{port}/")).expect("a URL"), shared }
    }

    /// What was asked since this was last called.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refuses an action that speaks in forms with a code, so many times.
    pub fn refuse(&self, action: &str, code: &str, times: usize) {
        let mut refused = self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.extend(std::iter::repeat_n((action.to_owned(), code.to_owned()), times));
    }

    /// Withholds the answer to the request of this number from now, from 0; `None`: to none.
    pub fn withhold(&self, number: Option<usize>) {
        let disturbance = number.map(|number| (number, Disturbance::Withheld));
        *self.shared.disturbance.lock().unwrap_or_else(PoisonError::into_inner) = disturbance;
    }

    /// Disturbs the request of this number from now, from 0.
    pub fn disturb(&self, number: usize, how: Disturbance) {
        self.shared.was_disturbed.store(false, Ordering::Relaxed);
        *self.shared.disturbance.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, how));
    }

    /// Disturbs no request any more.
    pub fn calm(&self) {
        self.withhold(None);
    }

    /// Whether it came to that.
    pub fn was_disturbed(&self) -> bool {
        self.shared.was_disturbed.load(Ordering::Relaxed)
    }

    /// What was asked since it was last taken.
    pub fn peek(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Until an answer is withheld: moto has done what it was asked.
    pub async fn withheld(&self) {
        self.shared.withheld.notified().await;
    }

    /// Until moto has done everything it was asked, also by whoever has gone meanwhile.
    pub async fn at_rest(&self) {
        while self.shared.going_on.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

async fn forward(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let action = match target {
        Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        None => Asked { action: String::new(), is_done: false, body: text.clone() }.field("Action").unwrap_or_default(),
    };
    let is_form = target.is_none();
    let disturbance = due(&shared);
    if disturbance == Some(Disturbance::Throttled) {
        return throttled(is_form);
    }
    if let Some(code) = refusal(&shared, &action) {
        let body =
            format!("<ErrorResponse><Error><Code>{code}</Code><Message>not now</Message></Error></ErrorResponse>");
        return (StatusCode::BAD_REQUEST, [("content-type", "text/xml")], body).into_response();
    }
    let url = shared.moto.join(uri.path()).expect("a path");
    let mut passed = headers;
    // The client says these itself.
    for name in ["host", "content-length", "connection"] {
        passed.remove(name);
    }
    if let Some(account) = &shared.account {
        passed.insert("x-moto-account-id", account.parse().expect("digits"));
    }
    let asking = Arc::clone(&shared);
    shared.going_on.fetch_add(1, Ordering::SeqCst);
    // Moto does it whether or not whoever asked is still there.
    let answer = tokio::spawn(async move {
        let answer = asking.client.send(Request { method, url, headers: passed, body }).await;
        let is_done = answer.as_ref().is_ok_and(|answer| answer.status == StatusCode::OK);
        asking.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { action, is_done, body: text });
        asking.going_on.fetch_sub(1, Ordering::SeqCst);
        answer
    });
    let answer = answer.await.expect("it does not panic");
    match disturbance {
        Some(Disturbance::Withheld) => {
            shared.withheld.notify_one();
            return std::future::pending().await;
        }
        // Whoever asked gets a beginning, and then the end of the connection.
        Some(Disturbance::Lost) => {
            let broken = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("broken off")) });
            return Body::from_stream(broken).into_response();
        }
        Some(Disturbance::Throttled) | None => {}
    }
    match answer {
        Ok(answer) => {
            let mut headers = answer.headers;
            for name in ["content-length", "transfer-encoding", "connection", "server", "date"] {
                headers.remove(name);
            }
            (answer.status, headers, answer.body).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// What is done to this request. All count.
fn due(shared: &Shared) -> Option<Disturbance> {
    let mut planned = shared.disturbance.lock().unwrap_or_else(PoisonError::into_inner);
    let (left, how) = planned.take()?;
    if left > 0 {
        *planned = Some((left - 1, how));
        return None;
    }
    if how == Disturbance::Throttled {
        *planned = Some((0, how));
    }
    shared.was_disturbed.store(true, Ordering::Relaxed);
    Some(how)
}

fn throttled(is_form: bool) -> Response {
    let (kind, body) = match is_form {
        true => (
            "text/xml",
            "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>",
        ),
        false => ("application/x-amz-json-1.1", r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#),
    };
    (StatusCode::BAD_REQUEST, [("content-type", kind)], body).into_response()
}

fn refusal(shared: &Shared, action: &str) -> Option<String> {
    let mut refused = shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
    let place = refused.iter().position(|(refused, _)| refused == action)?;
    Some(refused.remove(place).1)
}
