//! Stands before moto: remembers what is asked, and can withhold an answer, so that whoever asked can be ended at that very point.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
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
    asked: Mutex<Vec<Asked>>,
    /// Requests until the one whose answer is withheld.
    left: Mutex<Option<usize>>,
    withheld: Notify,
    /// Actions that are refused before moto hears of them, with the code of each.
    refused: Mutex<Vec<(String, String)>>,
}

impl Proxy {
    pub async fn start(moto: Url) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            moto,
            client: Client::new(Options::default()),
            asked: Mutex::default(),
            left: Mutex::default(),
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
        *self.shared.left.lock().unwrap_or_else(PoisonError::into_inner) = number;
    }

    /// Until an answer is withheld: moto has done what it was asked.
    pub async fn withheld(&self) {
        self.shared.withheld.notified().await;
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
        None => Asked { action: String::new(), body: text.clone() }.field("Action").unwrap_or_default(),
    };
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
    let answer = shared.client.send(Request { method, url, headers: passed, body }).await;
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { action, body: text });
    let is_withheld = {
        let mut left = shared.left.lock().unwrap_or_else(PoisonError::into_inner);
        let is_this = *left == Some(0);
        *left = left.and_then(|left| left.checked_sub(1));
        is_this
    };
    if is_withheld {
        shared.withheld.notify_one();
        return std::future::pending().await;
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

fn refusal(shared: &Shared, action: &str) -> Option<String> {
    let mut refused = shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
    let place = refused.iter().position(|(refused, _)| refused == action)?;
    Some(refused.remove(place).1)
}
