//! One attempt: bytes out, bytes in, at most 16 MiB, within a deadline.
//!
//! Invariant: no error holds a header, a body or a query, so nothing secret can be in one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Method, StatusCode, Url};

/// The longest answer that is read. The largest that clouds send us is a page of a hundred instances, about 1 MiB.
pub const LONGEST_ANSWER_BYTES: usize = 16 << 20;
/// How long an idle connection is kept: longer than the 10 s between two looks at a thing that is being made.
const IDLE: Duration = Duration::from_secs(20);

/// How a client talks.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it calls itself, as `pgherd/1.2.3`.
    pub user_agent: String,
    /// How long a connection may take to come about, TLS included.
    pub connect_within: Duration,
    /// How long one attempt may take in all.
    pub answer_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user_agent: concat!("pgherd/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_within: Duration::from_secs(10),
            answer_within: Duration::from_secs(30),
        }
    }
}

/// What is sent. It has no `Debug`, since headers and bodies hold secrets; [`crate::redact::shown`] shows what may be seen.
#[derive(Clone)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers beside those of HTTP itself (`Host`, `Content-Length`).
    pub headers: HeaderMap,
    /// What it says.
    pub body: Bytes,
}

/// What came back, whatever its status.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Response {
    /// A header as text; `None` when it is absent or no ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the body is a web page, which no API answers with: it comes from a proxy, a gateway or a server that broke down.
    pub fn is_page(&self) -> bool {
        let start = self.body.trim_ascii_start();
        let begins = |with: &[u8]| start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
        begins(b"<!doctype html") || begins(b"<html")
    }
}

/// There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The request never left, so it had no effect.
    #[error("{0}")]
    NotSent(String),
    /// It may have arrived, and may have taken effect.
    #[error("{0}")]
    NoAnswer(String),
}

/// The client. Connections are kept and used again, so there is one of it for a process.
#[derive(Debug)]
pub struct Client {
    options: Options,
    roots: OnceLock<Vec<u8>>,
    ways: Mutex<HashMap<Way, reqwest::Client>>,
}

impl Client {
    /// A client; nothing is opened or loaded before it is needed.
    pub fn new(options: Options) -> Self {
        Self { options, roots: OnceLock::new(), ways: Mutex::default() }
    }

    /// Certificate authorities to trust beside the system's, as PEM text. They count for connections with TLS from then on, and only
    /// the first ones are taken: where they stand is often known only after something was asked without TLS.
    pub fn trust(&self, roots: Vec<u8>) {
        let _ = self.roots.set(roots);
    }

    /// Sends the request once and reads the answer. Redirects are answers too: following one would send credentials elsewhere.
    pub async fn send(&self, request: Request) -> Result<Response, Refused> {
        let place = place(&request.url);
        let client = self.way(Way::to(&request.url)).map_err(Refused::NotSent)?;
        let answer = client
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send()
            .await
            .map_err(|error| self.refused(&place, &error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = self.body(answer, &place).await?;
        Ok(Response { status, headers, body })
    }

    async fn body(&self, mut answer: reqwest::Response, place: &str) -> Result<Bytes, Refused> {
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.refused(place, &error))? {
            if body.len() + chunk.len() > LONGEST_ANSWER_BYTES {
                let words = format!("{place} answered with more than {} MiB", LONGEST_ANSWER_BYTES >> 20);
                return Err(Refused::NoAnswer(words));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn refused(&self, place: &str, error: &reqwest::Error) -> Refused {
        let reason = deepest(error);
        if error.is_connect() || error.is_builder() {
            return Refused::NotSent(match error.is_timeout() {
                true => format!("no connection to {place} within {} s", self.options.connect_within.as_secs()),
                false => format!("no connection to {place}: {reason}"),
            });
        }
        Refused::NoAnswer(match error.is_timeout() {
            true => format!("no answer from {place} within {} s", self.options.answer_within.as_secs()),
            false => format!("the connection to {place} broke off: {reason}"),
        })
    }

    fn way(&self, way: Way) -> Result<reqwest::Client, String> {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = ways.get(&way) {
            return Ok(client.clone());
        }
        let client = self.made(way)?;
        ways.insert(way, client.clone());
        Ok(client)
    }

    fn extra_roots(&self) -> Result<Vec<Certificate>, String> {
        let Some(text) = self.roots.get() else {
            return Ok(Vec::new());
        };
        match Certificate::from_pem_bundle(text) {
            Ok(roots) if roots.is_empty() => {
                Err("there is no certificate among the certificate authorities".to_owned())
            }
            Ok(roots) => Ok(roots),
            Err(error) => Err(format!("the certificate authorities cannot be read: {}", deepest(&error))),
        }
    }

    fn made(&self, way: Way) -> Result<reqwest::Client, String> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.options.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .pool_idle_timeout(IDLE)
            .connect_timeout(self.options.connect_within)
            .timeout(self.options.answer_within);
        if !way.through_proxy {
            builder = builder.no_proxy();
        }
        builder = match way.tls {
            true => builder.tls_certs_merge(self.extra_roots()?),
            // The system's authorities take 1 MiB and some milliseconds.
            false => builder.tls_certs_only([]),
        };
        builder.build().map_err(|error| format!("no HTTP client: {}", deepest(&error)))
    }
}

/// What a connection needs. Kept apart so that a command that talks to this machine only never loads certificate authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Way {
    tls: bool,
    through_proxy: bool,
}

impl Way {
    fn to(url: &Url) -> Self {
        Self { tls: url.scheme() == "https", through_proxy: !is_here(url.host_str().unwrap_or_default()) }
    }
}

/// This machine, and the services a cloud's own machines find at link-local addresses (metadata, credentials of a container): no
/// proxy of elsewhere could reach them.
fn is_here(host: &str) -> bool {
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unicast_link_local(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// Host and port, which are no secret; a path or query may be.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("nowhere");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The innermost reason. The outer layers say only "error sending request", with the whole URL.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_way(url: &str, tls: bool, through_proxy: bool) {
        assert_eq!(Way::to(&Url::parse(url).expect("a URL")), Way { tls, through_proxy }, "{url}");
    }

    #[test]
    fn only_https_needs_authorities_and_nothing_near_takes_a_proxy() {
        check_way("https://rds.us-east-1.amazonaws.com/", true, true);
        check_way("http://emulator.test:4566/", false, true);
        check_way("http://127.0.0.1:5000/", false, false);
        check_way("http://[::1]:5000/", false, false);
        check_way("http://localhost:5000/", false, false);
        check_way("https://localhost:5000/", true, false);
        check_way("http://169.254.169.254/latest/api/token", false, false);
        check_way("http://[fe80::1]/", false, false);
        check_way("http://10.0.0.1/", false, true);
    }

    #[test]
    fn a_page_is_told_from_xml_and_json() {
        let of = |body: &'static str| {
            Response { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) }
                .is_page()
        };
        assert_eq!(
            ["<!DOCTYPE html><p>", " \n<HTML>", "<?xml version=\"1.0\"?><a/>", "{}", "", "<h"].map(of),
            [true, true, false, false, false, false]
        );
    }

    #[test]
    fn a_place_shows_neither_path_nor_query_nor_user() {
        let of = |url: &str| place(&Url::parse(url).expect("a URL"));
        assert_eq!(of("https://user:hunter2@host.test/secret?token=hunter2"), "host.test");
        assert_eq!(of("http://127.0.0.1:5000/secret"), "127.0.0.1:5000");
    }
}
