//! A real PostgreSQL behind each instance: orders of the emulation carried out, one after the other for each server, beside
//! each other for all.
//!
//! It is below pgherd's supervisor: started by the same hands, but kept by the emulated RDS rather than by an agent, since it is RDS
//! that says when a server restarts, and nothing of it outlives the emulator.

mod address;
mod base;
mod files;
mod log;
mod server;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pgherd_engine::provider::ProviderError;
use pgherd_local::paths::Paths;
use pgherd_local::postgres::runas::RunAs;
use pgherd_local::tls::Authority;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::base::Base;
use self::log::Logs;
use self::server::Server;
use crate::emulation::Emulation;
use crate::rds::backed::{Job, Order, Outcome};
use crate::serve::Shared;

/// How often is looked for what servers have written.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Where PostgreSQL comes from, and where it is kept while the emulator lives.
#[derive(Debug, Clone)]
pub struct Backing {
    /// The state folder and the cache of pgherd; its certificate authority signs for the servers.
    pub paths: Paths,
    /// Folders of servers to choose from before all others.
    pub postgres_dirs: Vec<PathBuf>,
    /// The user PostgreSQL runs as when this one is root.
    pub postgres_user: Option<String>,
}

/// Everything that orders are carried out with.
#[derive(Debug)]
pub struct Hands {
    backing: Backing,
    base: Base,
    run_as: RunAs,
    authority: Authority,
}

impl Hands {
    /// Clears what killed emulators left behind, and gets ready.
    pub async fn ready(backing: Backing) -> io::Result<Self> {
        let base = Base::take(&backing.paths.state, &backing.paths.runtime).await?;
        let settle = move || {
            let run_as = RunAs::settle(backing.postgres_user.as_deref())?;
            let authority = Authority::ensure(&backing.paths.authority(), Timestamp::now())?;
            Ok((backing, run_as, authority))
        };
        let (backing, run_as, authority) = blocking(settle).await.map_err(|error| io::Error::other(words(&error)))?;
        Ok(Self { backing, base, run_as, authority })
    }

    /// The certificate of the authority, which clients trust.
    pub fn authority(&self) -> PathBuf {
        self.authority.certificate_file.clone()
    }
}

/// Carries out orders until it is stopped; then all servers end and nothing of theirs is left.
pub async fn work(hands: Hands, shared: Arc<Shared>, mut stopped: watch::Receiver<()>) {
    let hands = Arc::new(hands);
    let (mut age, mut queues, mut workers) = (0, BTreeMap::new(), JoinSet::new());
    let (mut ticks, mut logs) = (tokio::time::interval(BETWEEN_LOOKS), Logs::default());
    loop {
        tokio::select! {
            () = shared.orders.notified() => {}
            _ = ticks.tick() => {
                for (server, lines) in logs.news(&hands.base) {
                    shared.with(|emulation| emulation.said(age, (&server.region, &server.id), lines, Instant::now()));
                }
                continue;
            }
            // The sender is only ever dropped.
            _ = stopped.changed() => break,
        }
        let (now, jobs) = shared.with(Emulation::orders);
        if now != age {
            // Everything began anew: nobody waits for what is going on.
            workers.shutdown().await;
            queues.clear();
            logs = Logs::default();
            // What cannot be removed is removed by the next emulator.
            let _ = hands.base.clear().await;
            age = now;
        }
        for job in jobs {
            logs.follow(key(&job.region, &job.server), &job.region, &job.server);
            let queue = queues.entry(key(&job.region, &job.server)).or_insert_with_key(|key| {
                let (queue, waiting) = mpsc::unbounded_channel();
                workers.spawn(serve(Arc::clone(&hands), key.clone(), waiting, Arc::clone(&shared), now));
                queue
            });
            // A worker ends only when this does.
            let _ = queue.send(job);
        }
    }
    workers.shutdown().await;
    let _ = hands.base.remove().await;
}

/// Does what is ordered of one server.
async fn serve(
    hands: Arc<Hands>,
    key: String,
    mut waiting: mpsc::UnboundedReceiver<Job>,
    shared: Arc<Shared>,
    age: u64,
) {
    let mut server = None;
    while let Some(job) = waiting.recv().await {
        let outcome = carried_out(&hands, &key, &mut server, &job).await;
        shared.carried_out(age, &job, outcome);
    }
}

async fn carried_out(hands: &Hands, key: &str, server: &mut Option<Server>, job: &Job) -> Outcome {
    let done = match (&job.order, server.as_mut()) {
        (Order::Make(origin, wants), _) => match Server::make(hands, key, &job.region, origin, wants).await {
            Ok(made) => {
                let address = made.address();
                *server = Some(made);
                return Outcome::Done(Some(address));
            }
            Err(error) => Err(error),
        },
        (Order::Remove, _) => {
            *server = None;
            server::remove(hands, key).await
        }
        (Order::Forget(copy), _) => {
            base::remove(&hands.base.copy(&job.region, copy)).map_err(|error| server::io(&error))
        }
        (Order::Set { wants, restart }, Some(server)) => {
            return match server.set(hands, &job.region, wants, *restart).await {
                Ok(()) => Outcome::Done(Some(server.address())),
                Err(error) => failed(&error),
            };
        }
        (Order::Stop, Some(server)) => server.stop().await,
        (Order::Promote(wants), Some(server)) => server.promote(hands, &job.region, wants).await,
        (Order::Keep(copy), Some(server)) => server.keep(hands, &hands.base.copy(&job.region, copy)).await,
        (Order::Set { .. } | Order::Stop | Order::Promote(_) | Order::Keep(_), None) => {
            Err(server::trouble("there is no server"))
        }
    };
    match done {
        Ok(()) => Outcome::Done(None),
        Err(error) => failed(&error),
    }
}

fn failed(error: &server::Trouble) -> Outcome {
    Outcome::Failed(error.status, words(&error.why))
}

/// A short name of a server, since sockets need short ones: `us-east-1-db-1`.
fn key(region: &str, resource_id: &str) -> String {
    let number = resource_id.trim_start_matches("db-").trim_start_matches('0');
    format!("{region}-db-{number}")
}

fn words(error: &ProviderError) -> String {
    if error.help.is_empty() { error.message.clone() } else { format!("{}; {}", error.message, error.help) }
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
