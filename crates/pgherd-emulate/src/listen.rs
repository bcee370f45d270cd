//! Connections of HTTP/1.1, for whatever answers them. A connection may end without an answer, which no framework above hyper can say.

use std::future::Future;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

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

/// Listens until it is stopped.
pub(crate) async fn listen<A, F>(listener: TcpListener, mut stopped: watch::Receiver<()>, answered: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, Silence>> + Send + 'static,
{
    // Dropping it at the end ends all connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let service = service_fn(answered.clone());
                    connections.spawn(async move {
                        // Whatever ends a connection is the client's to notice.
                        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    });
                }
            }
            Some(_) = connections.join_next() => {}
            // The sender is only ever dropped.
            _ = stopped.changed() => return,
        }
    }
}

/// An answer.
pub(crate) fn response(status: u16, kind: &str, body: impl Into<Bytes>) -> Result<Response<Full<Bytes>>, Silence> {
    let response = Response::builder().status(status).header("content-type", kind);
    response.body(Full::new(body.into())).map_err(|_| Silence)
}
