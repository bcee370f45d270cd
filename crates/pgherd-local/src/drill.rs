//! Clients that write through the port that is handed out, as applications do, and know what was acknowledged, and when.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

use crate::postgres::session::refused;
use crate::supervisor::messages::Endpoint;
use crate::tls;

/// So many clients write.
const WRITERS: i32 = 4;
/// Each writes so often.
const EVERY: Duration = Duration::from_millis(20);
/// So many writes of each are acknowledged before it begins, and after it ended.
const STEADY: usize = 10;
/// How long that, a connection, or a write may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long a client waits before it connects again.
const PAUSE: Duration = Duration::from_millis(5);

const PREPARE: &str = "CREATE SCHEMA IF NOT EXISTS pgherd_drill; \
    CREATE TABLE IF NOT EXISTS pgherd_drill.writes (writer int, number int)";
const WRITE: &str = "INSERT INTO pgherd_drill.writes VALUES ($1, $2)";
const READ: &str = "SELECT writer, number FROM pgherd_drill.writes";
const CLEAR: &str = "DROP TABLE IF EXISTS pgherd_drill.writes; DROP SCHEMA IF EXISTS pgherd_drill";

/// Who connects, and where. Not `Debug`: it must not be printed.
pub struct Login {
    endpoint: Endpoint,
    password: Zeroizing<String>,
}

impl Login {
    /// As the master role, as the endpoint says.
    pub fn new(endpoint: Endpoint, password: Zeroizing<String>) -> Self {
        Self { endpoint, password }
    }
}

/// What the clients saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// The longest time in which none of them had a write acknowledged.
    pub write_gap_ms: u64,
    /// How many clients wrote, each in a connection of its own, about 50 times a second.
    pub clients: u32,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes whose connection ended before an answer.
    pub failed: u64,
    /// Acknowledged writes that are not there.
    pub lost: u64,
    /// Writes that are there more than once.
    pub doubled: u64,
}

/// Has clients write while something is done. What came of that, and what they saw.
///
/// A table in a schema `pgherd_drill` is made for it and removed afterwards.
pub async fn measure<T>(login: &Login, done: impl Future<Output = T>) -> Result<(T, Measured), ProviderError> {
    let tls = tls::client(&login.endpoint.ca_file)?;
    // Of one that was cut short.
    let first = connect(login, &tls).await?;
    run(&first, CLEAR).await?;
    run(&first, PREPARE).await?;
    let (phase, phases) = watch::channel(Phase::Before);
    let (steady, mut counts) = watch::channel(0);
    let all = join_all((0..WRITERS).map(|writer| write(login, &tls, writer, phases.clone(), &steady)));
    let lead = async {
        reached(&mut counts, WRITERS).await?;
        let came = done.await;
        phase.send_replace(Phase::After);
        let written = reached(&mut counts, 2 * WRITERS).await;
        phase.send_replace(Phase::End);
        written.map(|()| came).map_err(|error| {
            let message = format!("what was asked for has ended, but {}", error.message);
            ProviderError { message, ..error }
        })
    };
    let (seen, came) = tokio::join!(all, async {
        let came = lead.await;
        phase.send_replace(Phase::End);
        came
    });
    let last = connect(login, &tls).await?;
    let there = last.query(READ, &[]).await.map_err(|error| refused("read what was written", &error))?;
    run(&last, CLEAR).await?;
    let there: Vec<(i32, i32)> = there.iter().map(|row| (row.get(0), row.get(1))).collect();
    Ok((came?, measured(&seen, &there)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    After,
    End,
}

/// What one client saw.
#[derive(Debug, Default)]
struct Seen {
    acknowledged: Vec<(Instant, (i32, i32))>,
    failed: u64,
}

async fn reached(counts: &mut watch::Receiver<i32>, wanted: i32) -> Result<(), ProviderError> {
    let steady = counts.wait_for(|count| *count >= wanted);
    match tokio::time::timeout(DEADLINE, steady).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => {
            let message = format!("the clients could not all write within {} s", DEADLINE.as_secs());
            Err(ProviderError::new(ErrorKind::TimedOut, message))
        }
    }
}

/// Writes until the end. Says so once it is steady before, and once more after.
async fn write(
    login: &Login,
    tls: &MakeRustlsConnect,
    writer: i32,
    phases: watch::Receiver<Phase>,
    steady: &watch::Sender<i32>,
) -> Seen {
    let mut seen = Seen::default();
    let mut number = 0;
    // Since when this is the phase, in writes, and whether it was said that it is steady.
    let (mut known, mut begun, mut is_steady) = (Phase::Before, 0, false);
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut client = None;
    loop {
        let phase = *phases.borrow();
        if phase == Phase::End {
            return seen;
        }
        if phase != known {
            (known, begun, is_steady) = (phase, seen.acknowledged.len(), false);
        }
        if !is_steady && seen.acknowledged.len() >= begun + STEADY {
            is_steady = true;
            steady.send_modify(|count| *count += 1);
        }
        let Some(open) = &client else {
            client = connect(login, tls).await.ok();
            if client.is_none() {
                tokio::time::sleep(PAUSE).await;
            }
            continue;
        };
        ticks.tick().await;
        number += 1;
        let written = tokio::time::timeout(DEADLINE, open.execute(WRITE, &[&writer, &number])).await;
        if matches!(written, Ok(Ok(_))) {
            seen.acknowledged.push((Instant::now(), (writer, number)));
        } else {
            seen.failed += 1;
            client = None;
        }
    }
}

fn measured(seen: &[Seen], there: &[(i32, i32)]) -> Measured {
    let mut moments: Vec<Instant> = seen.iter().flat_map(|one| &one.acknowledged).map(|(at, _)| *at).collect();
    moments.sort();
    let gap = moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    let acknowledged: Vec<(i32, i32)> = seen.iter().flat_map(|one| &one.acknowledged).map(|(_, id)| *id).collect();
    let unique: BTreeSet<(i32, i32)> = there.iter().copied().collect();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Measured {
        write_gap_ms: u64::try_from(gap.as_millis()).unwrap_or(u64::MAX),
        clients: WRITERS.unsigned_abs(),
        acknowledged: count(acknowledged.len()),
        failed: seen.iter().map(|one| one.failed).sum(),
        lost: count(acknowledged.iter().filter(|id| !unique.contains(id)).count()),
        doubled: count(there.len() - unique.len()),
    }
}

async fn connect(login: &Login, tls: &MakeRustlsConnect) -> Result<Client, ProviderError> {
    let Endpoint { host, port, username, database, .. } = &login.endpoint;
    let mut config = Config::new();
    config.host(host).port(*port).user(username).password(login.password.as_bytes()).dbname(database);
    config.ssl_mode(SslMode::Require).application_name("pgherd drill");
    let connected = tokio::time::timeout(DEADLINE, config.connect(tls.clone())).await;
    let late = || ProviderError::new(ErrorKind::TimedOut, format!("no answer after {} s", DEADLINE.as_secs()));
    let (client, connection) = connected.map_err(|_| late())?.map_err(|error| refused("connect", &error))?;
    tokio::spawn(async move {
        // How it ends shows in the next statement.
        drop(connection.await);
    });
    Ok(client)
}

async fn run(client: &Client, sql: &str) -> Result<(), ProviderError> {
    client.batch_execute(sql).await.map_err(|error| refused("prepare the drill", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_the_longest_silence_of_all_clients_together() {
        let begin = Instant::now();
        let at = |ms: u64, id| (begin + Duration::from_millis(ms), id);
        let seen = [
            Seen { acknowledged: vec![at(0, (0, 1)), at(300, (0, 2)), at(320, (0, 3))], failed: 1 },
            Seen { acknowledged: vec![at(50, (1, 1)), at(310, (1, 2))], failed: 0 },
        ];
        let there = [(0, 1), (0, 2), (0, 2), (1, 1), (1, 2), (7, 7)];
        let expected = Measured { write_gap_ms: 250, clients: 4, acknowledged: 5, failed: 1, lost: 1, doubled: 1 };
        assert_eq!(measured(&seen, &there), expected);
    }

    #[test]
    fn nothing_acknowledged_is_no_gap() {
        assert_eq!(measured(&[], &[]).write_gap_ms, 0);
    }
}
