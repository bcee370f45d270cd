//! Writers: clients that insert ids through the endpoint that is handed out, and log on their side what was acknowledged.
//!
//! Every id is inserted once, in a transaction of its own. It counts as acknowledged when the commit has returned; one whose
//! statement failed may be there or not.

mod client;
mod judge;

pub use client::Address;
pub use judge::{Judgement, judge, longest_gap, out_of_order};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::client::Connected;
use crate::machine::wait;

/// From one answer to the next statement of a writer: about 50 a second each.
const PAUSE: Duration = Duration::from_millis(20);
/// Before a writer whose connection failed connects again.
const CONNECT_AGAIN: Duration = Duration::from_millis(10);
/// How long the last statement of a writer may take, and a connection for reading what is there.
const DEADLINE: Duration = Duration::from_secs(60);
/// Ids of one writer are this far from those of the next.
const STRIDE: i64 = 1_000_000_000;

/// One statement of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// What it inserted.
    pub id: i64,
    /// When it was sent.
    pub sent: Instant,
    /// When it was answered, or failed.
    pub ended: Instant,
    /// Who acknowledged it; `None`: it failed, and may have been done all the same.
    pub by: Option<Server>,
}

/// The server that acknowledged a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// On which timeline it wrote: every promotion begins a new one.
    pub timeline: u32,
    /// Its own port.
    pub port: u16,
}

/// Writers at work.
pub struct Writers {
    address: Address,
    runtime: Handle,
    stop: watch::Sender<bool>,
    log: Arc<Log>,
    clients: Vec<JoinHandle<()>>,
}

/// What the writers noted.
#[derive(Default)]
struct Log {
    writes: Mutex<Vec<Write>>,
    /// Why the last statement or connection failed.
    trouble: Mutex<Option<String>>,
}

impl Writers {
    /// Sets so many to work on an empty table.
    pub fn start(runtime: &Handle, address: Address, count: i64) -> Result<Self, String> {
        runtime.block_on(async { client::prepare(&address).await })?;
        let (stop, stopped) = watch::channel(false);
        let log = Arc::new(Log::default());
        let begin = |number| runtime.spawn(write(address.clone(), number * STRIDE, log.clone(), stopped.clone()));
        let clients = (0..count).map(begin).collect();
        Ok(Self { address, runtime: runtime.clone(), stop, log, clients })
    }

    /// Everything so far.
    pub fn writes(&self) -> Vec<Write> {
        lock(&self.log.writes).clone()
    }

    /// The ids that a database has.
    pub fn found_in(&self, address: &Address) -> Result<Vec<i64>, String> {
        self.runtime.block_on(async {
            let found = tokio::time::timeout(DEADLINE, client::found(address)).await;
            found.unwrap_or_else(|_| Err("the table is not answered".to_owned()))
        })
    }

    /// Returns when a statement that was sent from now on has been acknowledged.
    pub fn go_on(&self) -> Result<(), String> {
        let now = Instant::now();
        wait("an acknowledged write", || self.write_since(now)).map_err(|vain| match &*lock(&self.log.trouble) {
            Some(trouble) => format!("{vain}; a writer was told: {trouble}"),
            None => vain,
        })
    }

    /// Whether a statement that was sent after then has been acknowledged.
    fn write_since(&self, then: Instant) -> bool {
        lock(&self.log.writes).iter().rev().any(|write| write.sent >= then && write.by.is_some())
    }

    /// Whether a statement has been acknowledged that was sent after one had failed that ended after then.
    pub fn write_after_trouble(&self, then: Instant) -> bool {
        let writes = lock(&self.log.writes);
        let trouble = writes.iter().find(|write| write.ended >= then && write.by.is_none()).map(|write| write.ended);
        trouble.is_some_and(|trouble| writes.iter().rev().any(|write| write.by.is_some() && write.sent > trouble))
    }

    /// Ends them, reads what is there, and judges.
    pub fn end(self) -> Result<(Vec<Write>, Judgement), String> {
        self.stop.send_replace(true);
        let found = self.runtime.block_on(async {
            for client in self.clients {
                let ended = tokio::time::timeout(DEADLINE, client).await;
                ended.map_err(|_| "a writer waits for an answer for ever")?.map_err(|error| error.to_string())?;
            }
            tokio::time::timeout(DEADLINE, client::found(&self.address))
                .await
                .map_err(|_| "the table is not answered")?
        });
        let writes = lock(&self.log.writes).clone();
        let trouble = lock(&self.log.trouble).clone();
        let found = found.map_err(|error: String| match trouble {
            Some(trouble) => format!("{error}; a writer was told: {trouble}"),
            None => error,
        })?;
        let judgement = judge(&writes, &found);
        Ok((writes, judgement))
    }
}

/// One writer: inserts one id after the other until it is stopped, and connects again where that is needed.
async fn write(address: Address, first: i64, log: Arc<Log>, stopped: watch::Receiver<bool>) {
    let mut ids = first..;
    while !*stopped.borrow() {
        match Connected::to(&address).await {
            Ok(mut connection) => {
                while !*stopped.borrow()
                    && let Some(id) = ids.next()
                {
                    let sent = Instant::now();
                    let answer = connection.insert(id).await;
                    let by = answer.as_ref().ok().copied();
                    lock(&log.writes).push(Write { id, sent, ended: Instant::now(), by });
                    if let Err(error) = answer {
                        *lock(&log.trouble) = Some(error);
                        break;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Err(error) => {
                *lock(&log.trouble) = Some(error);
                tokio::time::sleep(CONNECT_AGAIN).await;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here can be left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
