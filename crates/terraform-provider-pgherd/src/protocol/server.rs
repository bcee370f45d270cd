//! Serving: the handshake with whoever started us, a socket that nobody else reaches, and the end when nobody needs us any more.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::dispatch;
use super::grpc::{self, Body, Refusal};
use super::plugin::Plugin;
use super::tls::{self, Tls};

/// The name and the value by which Terraform is known to have started us. No secret: it only keeps people from running us by hand.
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");
/// How long we stay when the last connection is gone: Terraform makes one and keeps it, so nobody comes back.
const LINGER: Duration = Duration::from_secs(5);
/// How long nobody is listened to after that failed.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// How long somebody may take to show who they are.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long whoever told us to end may take to read our answer. go-plugin kills after two seconds, in which the program has to end too.
const FAREWELL: Duration = Duration::from_millis(250);
/// How long we wait for somebody to come at all.
const FIRST: Duration = Duration::from_secs(60);

/// What whoever starts a plugin says in its environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Started {
    /// `TF_PLUGIN_MAGIC_COOKIE`
    pub cookie: Option<String>,
    /// `PLUGIN_PROTOCOL_VERSIONS`, such as `5,6`
    pub versions: Option<String>,
    /// `PLUGIN_CLIENT_CERT`, in PEM
    pub certificate: Option<String>,
}

impl Started {
    /// What this process was started with.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            cookie: variable(COOKIE.0),
            versions: variable("PLUGIN_PROTOCOL_VERSIONS"),
            certificate: variable("PLUGIN_CLIENT_CERT"),
        }
    }

    /// The certificate of who may call, or why nobody can.
    fn client(&self) -> Result<&str, String> {
        if self.cookie.as_deref() != Some(COOKIE.1) {
            return Err("this is a plugin of Terraform and OpenTofu, which start it themselves".to_owned());
        }
        let versions = self.versions.as_deref().unwrap_or_default();
        if !versions.split(',').any(|version| version == "6") {
            return Err(format!(
                "this plugin speaks protocol 6, and was asked for {}",
                if versions.is_empty() { "none" } else { versions }
            ));
        }
        self.certificate.as_deref().ok_or_else(|| {
            "this plugin answers nobody whose certificate it does not know, and was told of none".to_owned()
        })
    }
}

/// Serves until nobody needs us. Everything that was begun is brought to its end before.
pub async fn serve(plugin: Plugin, started: &Started) -> Result<(), String> {
    let Tls { config, certificate } = tls::accepting(started.client()?)?;
    let parent = rustix::process::getppid();
    let mut told_to_end = die_with_parent()?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(|error| format!("no signals: {error}"))?;
    // Only its owner may enter: the socket itself has no rights of its own everywhere. Removed when we return.
    let folder = tempfile::Builder::new()
        .prefix("pgherd-plugin-")
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|error| format!("no folder for a socket can be made: {error}"))?;
    let socket = folder.path().join("socket");
    let listener =
        UnixListener::bind(&socket).map_err(|error| format!("{} cannot be listened on: {error}", socket.display()))?;
    announce(&format!("1|6|unix|{}|grpc|{certificate}", socket.display()))?;
    let served = Arc::new(Served { plugin, present: Present::default(), shutdown: watch::Sender::new(false) });
    let acceptor = TlsAcceptor::from(config);
    let gone = served.present.gone();
    tokio::pin!(gone);
    let mut asked_to_end = served.shutdown.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                match accepted {
                    Ok((stream, _)) => drop(tokio::spawn(Arc::clone(&served).connection(acceptor.clone(), stream))),
                    // No descriptors are left, say: what is under way goes on, and frees some.
                    Err(error) => {
                        log("WARN", &format!("nobody can be listened to: {error}"));
                        tokio::time::sleep(ACCEPT_AGAIN).await;
                    }
                }
            }
            () = &mut gone => break,
            _ = asked_to_end.wait_for(|asked| *asked) => break,
            _ = told_to_end.recv() => if rustix::process::getppid() != parent { break },
            // Terraform hears it, too, and tells us what it wants.
            _ = interrupted.recv() => {}
        }
    }
    served.present.idle().await;
    // The answer to the last call is still on its way: who does not get it takes us for dead, and kills.
    let _ = tokio::time::timeout(FAREWELL, served.present.left()).await;
    Ok(())
}

/// The one line that whoever started us waits for. Standard output has no other.
fn announce(line: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| format!("nobody hears where we are: {error}"))
}

/// Has the kernel tell us of our parent's end: Terraform may be killed in a way that leaves it no time to.
///
/// The kernel means the thread that started us, which may end by itself, so whoever hears it looks whether the process is there.
fn die_with_parent() -> Result<tokio::signal::unix::Signal, String> {
    let heard = signal(SignalKind::terminate()).map_err(|error| format!("no signals: {error}"))?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
        .map_err(|error| format!("the kernel does not tell of our parent's end: {error}"))?;
    Ok(heard)
}

struct Served {
    plugin: Plugin,
    present: Present,
    shutdown: watch::Sender<bool>,
}

impl Served {
    async fn connection(self: Arc<Self>, acceptor: TlsAcceptor, stream: UnixStream) {
        let _connected = self.present.connected();
        let stream = match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return log("WARN", &format!("who has not the right certificate was refused: {error}")),
            // Silence must not keep us here when nobody else does.
            Err(_) => return log("WARN", "who did not say who they are was sent away"),
        };
        let me = Arc::clone(&self);
        let service = hyper::service::service_fn(move |request| Arc::clone(&me).called(request));
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
            log("DEBUG", &format!("a connection ended: {error}"));
        }
    }

    /// A call goes on when its caller has gone: half a change is worse than one that nobody hears of.
    async fn called(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path().to_owned();
        let me = Arc::clone(&self);
        let answered = tokio::spawn(async move {
            let _busy = me.present.called();
            let body = grpc::message(request).await?;
            me.answer(&path, body).await
        });
        let answer = answered.await.unwrap_or_else(|trouble| Err(Refusal::internal(panicked(trouble))));
        Ok(grpc::response(answer))
    }

    async fn answer(&self, path: &str, body: Bytes) -> Result<Vec<u8>, Refusal> {
        match path.trim_start_matches('/').split_once('/') {
            Some(("tfplugin6.Provider", call)) => dispatch::answer(&self.plugin, call, body).await,
            Some(("plugin.GRPCController", "Shutdown")) => {
                self.shutdown.send_replace(true);
                Ok(Vec::new())
            }
            // Field 1 is the status, and 1 is "serving".
            Some(("grpc.health.v1.Health", "Check")) => Ok(vec![0x08, 0x01]),
            _ => Err(Refusal::unimplemented(format!("there is no {path}"))),
        }
    }
}

/// The sentence of a panic, for whoever asked; the rest went to the log.
fn panicked(trouble: tokio::task::JoinError) -> String {
    let mut said = "the provider has a bug".to_owned();
    if let Ok(cause) = trouble.try_into_panic() {
        let text = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
        let _ = write!(said, ": {}", text.unwrap_or("it says nothing"));
    }
    said
}

/// Who is connected, and what is being answered.
#[derive(Debug)]
struct Present {
    connections: watch::Sender<usize>,
    calls: watch::Sender<usize>,
}

impl Default for Present {
    fn default() -> Self {
        Self { connections: watch::Sender::new(0), calls: watch::Sender::new(0) }
    }
}

/// One of those, as long as it lives.
struct Here(watch::Sender<usize>);

impl Here {
    fn of(counter: &watch::Sender<usize>) -> Self {
        counter.send_modify(|count| *count += 1);
        Self(counter.clone())
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Present {
    fn connected(&self) -> Here {
        Here::of(&self.connections)
    }

    fn called(&self) -> Here {
        Here::of(&self.calls)
    }

    /// Returns when nothing is being answered.
    async fn idle(&self) {
        let mut calls = self.calls.subscribe();
        // The sender is ours, so it is there.
        let _ = calls.wait_for(|count| *count == 0).await;
    }

    /// Returns when nobody is connected.
    async fn left(&self) {
        let _ = self.connections.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Returns when nobody has come, or when all have left for long enough.
    fn gone(&self) -> impl Future<Output = ()> + use<> {
        let mut connections = self.connections.subscribe();
        async move {
            let mut patience = FIRST;
            loop {
                let somebody = async {
                    let _ = connections.wait_for(|count| *count > 0).await;
                };
                if tokio::time::timeout(patience, somebody).await.is_err() {
                    return;
                }
                let _ = connections.wait_for(|count| *count == 0).await;
                patience = LINGER;
            }
        }
    }
}

/// A line for Terraform's log (`TF_LOG`), which knows levels by their brackets.
pub fn log(level: &str, line: &str) {
    // Nobody listens: nothing is missed.
    let _ = writeln!(io::stderr(), "[{level}] {line}");
}

#[cfg(test)]
mod tests;
