//! Listening: connections of HTTP/1.1, each request handed to the emulation and its reply carried out.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::clock::{Speed, later};
use crate::control;
use crate::emulation::{Answer, Asked, Emulation, Reply};
use crate::faults::Planned;
use crate::listen::{self, LARGEST, Silence};
use crate::postgres::{self, Backing, Hands};
use crate::rds::backed::{Job, Outcome};
use crate::rds::state::ACCOUNT;
use crate::wire::Sent;

/// How to emulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How time goes by.
    pub speed: Speed,
    /// The number of the account that everything belongs to: twelve digits.
    pub account: String,
    /// What puts a real PostgreSQL behind each instance; nothing: instances are words only.
    pub postgres: Option<Backing>,
}

impl Default for Options {
    /// On a free port of loopback, with a clock that stands still and without PostgreSQL.
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { listen, speed: Speed::Still, account: ACCOUNT.to_owned(), postgres: None }
    }
}

/// The emulator.
pub struct Emulator;

impl Emulator {
    /// Begins to listen.
    pub async fn start(options: Options) -> std::io::Result<Running> {
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let emulation = Emulation::new(options.speed, Instant::now()).numbered(&options.account);
        let emulation = if options.postgres.is_some() { emulation.backed() } else { emulation };
        let shared =
            Arc::new(Shared { emulation: Mutex::new(emulation), orders: Notify::new(), carried_out: Notify::new() });
        let (stop, stopped) = watch::channel(());
        let (mut tasks, mut authority) = (JoinSet::new(), None);
        if let Some(backing) = options.postgres {
            let hands = Hands::ready(backing).await?;
            authority = Some(hands.authority());
            tasks.spawn(postgres::work(hands, Arc::clone(&shared), stopped.clone()));
        }
        let answers = Arc::clone(&shared);
        tasks.spawn(listen::listen(listener, stopped, move |request| answered(request, Arc::clone(&answers))));
        Ok(Running { addr, authority, shared, stop, tasks })
    }
}

/// What everybody who listens and works looks at.
#[derive(Debug)]
pub struct Shared {
    emulation: Mutex<Emulation>,
    /// There may be orders for a PostgreSQL.
    pub orders: Notify,
    carried_out: Notify,
}

impl Shared {
    /// Does something with the emulation, after which there may be orders.
    pub fn with<T>(&self, change: impl FnOnce(&mut Emulation) -> T) -> T {
        change(&mut self.emulation.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same from outside: whoever carries out orders looks for new ones.
    fn ask<T>(&self, change: impl FnOnce(&mut Emulation) -> T) -> T {
        let answer = self.with(change);
        self.orders.notify_one();
        answer
    }

    /// An order was carried out, or was not.
    pub fn carried_out(&self, age: u64, job: &Job, outcome: Outcome) {
        self.ask(|emulation| emulation.carried_out(age, job, outcome, Instant::now()));
        self.carried_out.notify_waiters();
    }

    /// Returns when no PostgreSQL has anything left to do.
    async fn settled(&self) {
        loop {
            let mut next = pin!(self.carried_out.notified());
            // From here on nothing is missed.
            next.as_mut().enable();
            if self.with(|emulation| emulation.is_settled()) {
                return;
            }
            next.await;
        }
    }
}

/// An emulator that listens. It ends when this is dropped; what is behind it then is cleared by the next one.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The certificate authority of the servers behind the instances, if there are any: clients' `sslrootcert`.
    pub authority: Option<PathBuf>,
    shared: Arc<Shared>,
    stop: watch::Sender<()>,
    tasks: JoinSet<()>,
}

impl Running {
    /// What `AWS_ENDPOINT_URL` is set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Moves its time on, as `POST /_emulate/advance` does.
    pub fn advance(&self, by: SignedDuration) {
        self.with(|emulation| emulation.clock.advance(by, Instant::now()));
    }

    /// Plans a fault, as `POST /_emulate/faults` does.
    pub fn plan(&self, fault: Planned) {
        self.with(|emulation| emulation.faults.push(fault));
    }

    /// What was asked, oldest first, as `GET /_emulate/requests` tells it.
    pub fn asked(&self) -> Vec<Asked> {
        self.with(|emulation| emulation.asked.clone())
    }

    /// Whatever else a test in the same process does to it.
    pub fn with<T>(&self, change: impl FnOnce(&mut Emulation) -> T) -> T {
        self.shared.ask(change)
    }

    /// Returns when no PostgreSQL has anything left to do, as `POST /_emulate/settle` does.
    pub async fn settled(&self) {
        self.shared.settled().await;
    }

    /// Ends, and waits until it has: no PostgreSQL is left, nor anything of one.
    pub async fn stop(self) {
        let Self { stop, mut tasks, .. } = self;
        drop(stop);
        // They cannot fail but by a panic of ours, which has been told by then.
        while tasks.join_next().await.is_some() {}
    }
}

async fn answered(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Silence> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(|_| Silence)?.to_bytes();
    let path = head.uri.path();
    if path == control::SETTLE {
        shared.settled().await;
    }
    if path.starts_with(control::PREFIX) {
        let control =
            |emulation: &mut Emulation| control::answer(emulation, head.method.as_str(), path, &body, Instant::now());
        let (status, said) = shared.ask(control);
        return response(status, "application/json", said.to_string(), None);
    }
    let header = |name: &str| head.headers.get(name).and_then(|header| header.to_str().ok());
    let sent = Sent { path, authorization: header("authorization"), target: header("x-amz-target"), body: &body };
    let reply = shared.ask(|emulation| emulation.reply(sent, Instant::now()));
    match reply {
        Reply::Answer(answer) => answer_of(answer),
        Reply::Nothing => Err(Silence),
        Reply::Never => pending().await,
    }
}

fn answer_of(answer: Answer) -> Result<Response<Full<Bytes>>, Silence> {
    let Answer { status, written, request_id, clock_off_s, code } = answer;
    let mut response = response(status, written.content_type, written.body, Some(&request_id))?;
    let headers = response.headers_mut();
    if clock_off_s != 0 {
        let date = later(Timestamp::now(), SignedDuration::from_secs(clock_off_s));
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        headers.insert("date", date.parse().map_err(|_| Silence)?);
    }
    if written.content_type == "application/cbor" {
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
        // CloudWatch's codes are those of its older protocol, and this is how they are told in the newer ones.
        if let Some(code) = code {
            headers.insert("x-amzn-query-error", format!("{code};Sender").parse().map_err(|_| Silence)?);
        }
    }
    Ok(response)
}

fn response(
    status: u16,
    kind: &str,
    body: impl Into<Bytes>,
    request_id: Option<&str>,
) -> Result<Response<Full<Bytes>>, Silence> {
    let mut response = listen::response(status, kind, body)?;
    if let Some(id) = request_id {
        response.headers_mut().insert("x-amzn-requestid", id.parse().map_err(|_| Silence)?);
    }
    Ok(response)
}
