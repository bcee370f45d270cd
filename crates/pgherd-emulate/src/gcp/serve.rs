//! Listening: each request handed to the emulated project and its reply carried out.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use jiff::SignedDuration;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Answer, Asked, Google, Reply, Sent, machine};
use crate::clock::Speed;
use crate::faults::Planned;
use crate::listen::{self, LARGEST, Silence};

/// How to emulate.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How time goes by.
    pub speed: Speed,
}

impl Default for Options {
    /// On a free port of loopback, with a clock that stands still.
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), speed: Speed::Still }
    }
}

/// The emulator of Google Cloud.
pub struct GoogleCloud;

impl GoogleCloud {
    /// Begins to listen.
    pub async fn start(options: Options) -> std::io::Result<Running> {
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let google = Arc::new(Mutex::new(Google::new(options.speed, Instant::now())));
        let (stop, stopped) = watch::channel(());
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&google);
        tasks.spawn(listen::listen(listener, stopped, move |request| answered(request, Arc::clone(&shared))));
        Ok(Running { addr, google, stop, tasks })
    }
}

/// An emulator that listens. It ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    google: Arc<Mutex<Google>>,
    stop: watch::Sender<()>,
    tasks: JoinSet<()>,
}

impl Running {
    /// What `PGHERD_GCP_ENDPOINT` is set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Moves its time on, as `POST /_emulate/advance` does.
    pub fn advance(&self, by: SignedDuration) {
        self.with(|google| google.clock.advance(by, Instant::now()));
    }

    /// Plans a fault, as `POST /_emulate/faults` does.
    pub fn plan(&self, fault: Planned) {
        self.with(|google| google.faults.push(fault));
    }

    /// What was asked, oldest first, as `GET /_emulate/requests` tells it.
    pub fn asked(&self) -> Vec<Asked> {
        self.with(|google| google.asked.clone())
    }

    /// Whatever else a test in the same process does to it.
    pub fn with<T>(&self, change: impl FnOnce(&mut Google) -> T) -> T {
        change(&mut self.google.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends, and waits until it has.
    pub async fn stop(self) {
        let Self { stop, mut tasks, .. } = self;
        drop(stop);
        while tasks.join_next().await.is_some() {}
    }
}

async fn answered(request: Request<Incoming>, google: Arc<Mutex<Google>>) -> Result<Response<Full<Bytes>>, Silence> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(|_| Silence)?.to_bytes();
    let (method, path) = (head.method.as_str(), head.uri.path());
    let reply = {
        let mut google = google.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(what) = path.strip_prefix(crate::control::PREFIX) {
            let (status, said) = controlled(&mut google, method, what, &body);
            return listen::response(status, "application/json", said.to_string());
        }
        if let Some((status, said)) = machine::told(path) {
            return machine::answer(status, said, head.headers.contains_key("metadata-flavor"));
        }
        if (method, path) == ("POST", "/token") {
            let (status, said) = google.token(Instant::now());
            return listen::response(status, "application/json", said.to_string());
        }
        let user_project = head.headers.get("x-goog-user-project").and_then(|header| header.to_str().ok());
        let authorization = head.headers.get("authorization").and_then(|header| header.to_str().ok());
        let query = head.uri.query();
        google.reply(Sent { method, path, query, authorization, user_project, body: &body }, Instant::now())
    };
    match reply {
        Reply::Answer(answer) => answer_of(&answer),
        Reply::Nothing => Err(Silence),
        Reply::Never => pending().await,
    }
}

fn answer_of(answer: &Answer) -> Result<Response<Full<Bytes>>, Silence> {
    let mut response = match (answer.is_page, &answer.body) {
        (true, _) => {
            let page = format!("<!doctype html>\n<title>{}</title>\n", answer.status);
            listen::response(answer.status, "text/html", page)?
        }
        (false, Json::Null) => listen::response(answer.status, "application/json", "")?,
        (false, body) => listen::response(answer.status, "application/json", body.to_string())?,
    };
    // A limit that is over at once, so that no test waits for a minute.
    if answer.status == 429 {
        response.headers_mut().insert("retry-after", "0".parse().map_err(|_| Silence)?);
    }
    Ok(response)
}

/// The control endpoint, as the emulated AWS has it.
fn controlled(google: &mut Google, method: &str, what: &str, body: &[u8]) -> (u16, Json) {
    let real = Instant::now();
    let sent: Json = serde_json::from_slice(body).unwrap_or_default();
    match (method, what) {
        ("POST", "reset") => google.reset(real),
        ("POST", "advance") => match sent["seconds"].as_i64() {
            Some(seconds) => google.clock.advance(SignedDuration::from_secs(seconds), real),
            None => return (400, json!({ "message": "seconds is missing" })),
        },
        ("POST", "faults") => {
            let list = if sent.is_array() { sent } else { json!([sent]) };
            match serde_json::from_value::<Vec<Planned>>(list) {
                Ok(none) if none.is_empty() => google.faults.clear(),
                Ok(faults) => google.faults.extend(faults),
                Err(error) => return (400, json!({ "message": error.to_string() })),
            }
        }
        ("POST", "tamper") => {
            let text = |name: &str| sent[name].as_str().unwrap_or_default().to_owned();
            let (status, said) = google.tamper(&text("method"), &text("path"), &sent["body"], real);
            return if status < 300 { (200, json!({})) } else { (400, said) };
        }
        ("GET", "requests") => return (200, json!(google.asked)),
        ("DELETE", "requests") => google.asked.clear(),
        _ => return (404, json!({ "message": format!("there is no {method} {what}") })),
    }
    (200, json!({ "now": google.clock.now(real).to_string() }))
}
