//! Connections of HTTP/1.1, for whatever answers them. A connection may end without an answer, which no framework above hyper can say.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use pgherd_local::tls::{self, Authority};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// The largest request that is read.
pub(crate) const LARGEST: usize = 1 << 20;

/// What makes a connection end without an answer.
#[derive(Debug)]
pub(crate) struct Silence;

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection ends without an answer")
    }
}

impl std::error::Error for Silence {}

/// How TLS is spoken, and who signs for it.
pub(crate) struct Secured {
    pub(crate) acceptor: TlsAcceptor,
    /// The certificate of the authority.
    pub(crate) authority: PathBuf,
}

impl Secured {
    /// By the authority of a folder, which is made on first use. Blocking.
    pub(crate) fn by(folder: &Path) -> io::Result<Self> {
        let now = Timestamp::now();
        let refused = |error: pgherd_engine::provider::ProviderError| io::Error::other(error.message);
        let authority = Authority::ensure(folder, now).map_err(refused)?;
        let pem = authority.server(&tls::names(None, &[]), now).map_err(refused)?;
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)?;
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(certificates.map_err(io::Error::other)?, key)
            .map_err(io::Error::other)?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), authority: authority.certificate_file })
    }
}

/// That a request came over TLS.
#[derive(Debug, Clone, Copy)]
struct OverTls;

/// Whether a request came over TLS.
pub(crate) fn is_secure(request: &Request<Incoming>) -> bool {
    request.extensions().get::<OverTls>().is_some()
}

/// Listens until it is stopped.
pub(crate) async fn listen<A, F>(listener: TcpListener, stopped: watch::Receiver<()>, answered: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, Silence>> + Send + 'static,
{
    listen_to_both(listener, None, stopped, answered).await;
}

/// Listens until it is stopped, on one port to those who speak TLS and those who do not.
pub(crate) async fn listen_to_both<A, F>(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    mut stopped: watch::Receiver<()>,
    answered: A,
) where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, Silence>> + Send + 'static,
{
    // Dropping it at the end ends all connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(served(stream, acceptor.clone(), answered.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
            // The sender is only ever dropped.
            _ = stopped.changed() => return,
        }
    }
}

/// One connection. Whatever ends it is the client's to notice.
async fn served<A, F>(stream: TcpStream, acceptor: Option<TlsAcceptor>, answered: A)
where
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, Silence>> + Send + 'static,
{
    /// What a handshake begins with, and no request does.
    const HANDSHAKE: u8 = 22;
    if let Some(acceptor) = acceptor {
        let mut first = [0];
        if stream.peek(&mut first).await.is_ok() && first == [HANDSHAKE] {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(OverTls);
                answered(request)
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            return;
        }
    }
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answered)).await;
}

/// An answer.
pub(crate) fn response(status: u16, kind: &str, body: impl Into<Bytes>) -> Result<Response<Full<Bytes>>, Silence> {
    let response = Response::builder().status(status).header("content-type", kind);
    response.body(Full::new(body.into())).map_err(|_| Silence)
}
