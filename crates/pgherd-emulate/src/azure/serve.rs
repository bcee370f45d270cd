//! Listening: each request handed to the emulated subscription and its reply carried out.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
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

use super::{Asked, Azure, Reply, Sent, Told, entra};
use crate::clock::Speed;
use crate::faults::Planned;
use crate::listen::{self, LARGEST, Secured, Silence};

/// How to emulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How time goes by.
    pub speed: Speed,
    /// The folder of the authority that signs for it, made on first use: the same port speaks TLS then, too, which Azure's own clients
    /// insist on.
    pub authority: Option<PathBuf>,
}

impl Default for Options {
    /// On a free port of loopback, with a clock that stands still.
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), speed: Speed::Still, authority: None }
    }
}

/// The emulator of Azure.
pub struct AzureCloud;

impl AzureCloud {
    /// Begins to listen.
    pub async fn start(options: Options) -> std::io::Result<Running> {
        let secured = match options.authority {
            Some(folder) => Some(tokio::task::spawn_blocking(move || Secured::by(&folder)).await??),
            None => None,
        };
        let authority = secured.as_ref().map(|secured| secured.authority.clone());
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let azure = Arc::new(Mutex::new(Azure::new(options.speed, Instant::now())));
        let (stop, stopped) = watch::channel(());
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&azure);
        let answer = move |request| answered(request, Arc::clone(&shared), addr);
        tasks.spawn(listen::listen_to_both(listener, secured.map(|secured| secured.acceptor), stopped, answer));
        Ok(Running { addr, authority, azure, stop, tasks })
    }
}

/// An emulator that listens. It ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The certificate of the authority that signs for it, where it speaks TLS.
    pub authority: Option<PathBuf>,
    azure: Arc<Mutex<Azure>>,
    stop: watch::Sender<()>,
    tasks: JoinSet<()>,
}

impl Running {
    /// What `PGHERD_AZURE_ENDPOINT` is set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The same over TLS.
    pub fn secure_url(&self) -> String {
        format!("https://{}", self.addr)
    }

    /// Moves its time on, as `POST /_emulate/advance` does.
    pub fn advance(&self, by: SignedDuration) {
        self.with(|azure| azure.clock.advance(by, Instant::now()));
    }

    /// Plans a fault, as `POST /_emulate/faults` does.
    pub fn plan(&self, fault: Planned) {
        self.with(|azure| azure.faults.push(fault));
    }

    /// What was asked, oldest first, as `GET /_emulate/requests` tells it.
    pub fn asked(&self) -> Vec<Asked> {
        self.with(|azure| azure.asked.clone())
    }

    /// Whatever else a test in the same process does to it.
    pub fn with<T>(&self, change: impl FnOnce(&mut Azure) -> T) -> T {
        change(&mut self.azure.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends, and waits until it has.
    pub async fn stop(self) {
        let Self { stop, mut tasks, .. } = self;
        drop(stop);
        while tasks.join_next().await.is_some() {}
    }
}

async fn answered(
    request: Request<Incoming>,
    azure: Arc<Mutex<Azure>>,
    addr: SocketAddr,
) -> Result<Response<Full<Bytes>>, Silence> {
    let base = format!("{}://{addr}", if listen::is_secure(&request) { "https" } else { "http" });
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(|_| Silence)?.to_bytes();
    let (method, path) = (head.method.as_str(), head.uri.path());
    let reply = {
        let mut azure = azure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(what) = path.strip_prefix(crate::control::PREFIX) {
            let (status, said) = controlled(&mut azure, method, what, &body);
            return listen::response(status, "application/json", said.to_string());
        }
        if let Some((status, said)) = entra::told(method, path, &base, &body) {
            return listen::response(status, "application/json", said.to_string());
        }
        // What goes on is told where it was begun.
        azure.base = base;
        let authorization = head.headers.get("authorization").and_then(|header| header.to_str().ok());
        azure.reply(Sent { method, path, query: head.uri.query(), authorization, body: &body }, Instant::now())
    };
    match reply {
        Reply::Answer(told) => answer_of(&told),
        Reply::Page(status) => {
            listen::response(status, "text/html", format!("<!doctype html>\n<title>{status}</title>\n"))
        }
        Reply::Nothing => Err(Silence),
        Reply::Never => pending().await,
    }
}

fn answer_of(told: &Told) -> Result<Response<Full<Bytes>>, Silence> {
    let body = if told.body.is_null() { String::new() } else { told.body.to_string() };
    let mut response = listen::response(told.status, "application/json", body)?;
    let mut head = |name: &'static str, value: &str| {
        response.headers_mut().insert(name, value.parse().map_err(|_| Silence)?);
        Ok::<(), Silence>(())
    };
    if let Some(url) = &told.operation {
        head("azure-asyncoperation", url)?;
        head("location", &url.replace("/azureAsyncOperation/", "/operationResults/"))?;
    }
    if let Some(seconds) = told.retry_after {
        head("retry-after", &seconds.to_string())?;
    }
    Ok(response)
}

/// The control endpoint, as the emulated AWS has it.
fn controlled(azure: &mut Azure, method: &str, what: &str, body: &[u8]) -> (u16, Json) {
    let real = Instant::now();
    let sent: Json = serde_json::from_slice(body).unwrap_or_default();
    match (method, what) {
        ("POST", "reset") => azure.reset(real),
        ("POST", "advance") => match sent["seconds"].as_i64() {
            Some(seconds) => azure.clock.advance(SignedDuration::from_secs(seconds), real),
            None => return (400, json!({ "message": "seconds is missing" })),
        },
        ("POST", "faults") => {
            let list = if sent.is_array() { sent } else { json!([sent]) };
            match serde_json::from_value::<Vec<Planned>>(list) {
                Ok(none) if none.is_empty() => azure.faults.clear(),
                Ok(faults) => azure.faults.extend(faults),
                Err(error) => return (400, json!({ "message": error.to_string() })),
            }
        }
        ("POST", "tamper") => {
            let text = |name: &str| sent[name].as_str().unwrap_or_default().to_owned();
            let (status, said) = azure.tamper(&text("method"), &text("path"), &sent["body"], real);
            return if status < 300 { (200, json!({})) } else { (400, said) };
        }
        ("GET", "requests") => return (200, json!(azure.asked)),
        ("DELETE", "requests") => azure.asked.clear(),
        _ => return (404, json!({ "message": format!("there is no {method} {what}") })),
    }
    (200, json!({ "now": azure.clock.now(real).to_string() }))
}
