//! The admin console of a pooler, over its unix socket.
//!
//! PgBouncer lets the user `pgbouncer` in without a password when the peer has the user id that it runs as itself (its manual,
//! "Admin console"). Nobody else gets in: `admin_users` is empty.

use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, SimpleQueryRow};

use super::config::Places;
use crate::postgres::Result;
use crate::postgres::runas::RunAs;

/// The console's user and database.
const CONSOLE: &str = "pgbouncer";
/// How long the console may take to answer anything but PAUSE.
const DEADLINE: Duration = Duration::from_secs(5);
/// What PgBouncer says to a second PAUSE and to a RESUME without one.
const ALREADY: [&str; 2] = ["already suspended/paused", "pooler is not paused/suspended"];

/// Where a console is.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub socket: PathBuf,
    pub run_as: RunAs,
}

impl Address {
    /// Of the pooler of these places that listens on this port.
    pub(super) fn of(run_as: &RunAs, places: &Places, port: u16) -> Self {
        Self { socket: places.console.join(format!(".s.PGSQL.{port}")), run_as: run_as.clone() }
    }
}

/// An open console.
pub(super) struct Console {
    client: Client,
    connection: JoinHandle<()>,
}

impl Drop for Console {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Console {
    /// Opens it.
    pub(super) async fn open(address: &Address) -> Result<Self> {
        let open = async {
            let stream = connect_as(address.clone()).await.map_err(|error| trouble(&error))?;
            let mut config = tokio_postgres::Config::new();
            config.user(CONSOLE).dbname(CONSOLE);
            let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(|error| trouble(&error))?;
            let connection = tokio::spawn(async move {
                // A broken connection shows in the next command.
                drop(connection.await);
            });
            Ok(Self { client, connection })
        };
        tokio::time::timeout(DEADLINE, open).await.map_err(|_| late())?
    }

    /// Has it read its files again, certificates too.
    pub(super) async fn reload(&self) -> Result<()> {
        self.within("RELOAD").await.map(drop)
    }

    /// Lets clients go on; fine when they do.
    pub(super) async fn resume(&self) -> Result<()> {
        self.within("RESUME").await.map(drop)
    }

    /// Holds clients back; returns when the last transaction has ended, which is up to whoever keeps one open. Clients stay
    /// held back when this is dropped before. A second one returns at once, whatever the first waits for.
    pub(super) async fn pause(&self) -> Result<()> {
        self.run("PAUSE").await.map(drop)
    }

    /// Whether there is any connection to a server, in use or not.
    pub(super) async fn has_server_connections(&self) -> Result<bool> {
        let rows = self.within("SHOW SERVERS").await?;
        Ok(rows.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_))))
    }

    /// How many clients it has, those of the console left out.
    pub(super) async fn clients(&self) -> Result<u32> {
        let rows = self.within("SHOW POOLS").await?;
        let count =
            |row: &SimpleQueryRow, column| row.get(column).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
        let of_users = rows.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) if row.get("database") != Some(CONSOLE) => {
                Some(count(row, "cl_active") + count(row, "cl_waiting"))
            }
            _ => None,
        });
        Ok(of_users.sum())
    }

    async fn within(&self, command: &str) -> Result<Vec<SimpleQueryMessage>> {
        tokio::time::timeout(DEADLINE, self.run(command)).await.map_err(|_| late())?
    }

    async fn run(&self, command: &str) -> Result<Vec<SimpleQueryMessage>> {
        match self.client.simple_query(command).await {
            Ok(rows) => Ok(rows),
            Err(error) if error.as_db_error().is_some_and(|said| ALREADY.contains(&said.message())) => Ok(Vec::new()),
            Err(error) => Err(trouble(&error)),
        }
    }
}

/// Connects with the user id that the pooler runs as.
///
/// Linux keeps user ids by thread, and a socket remembers who connected it. So a thread of its own takes on that id and ends;
/// no other is touched.
async fn connect_as(address: Address) -> std::io::Result<UnixStream> {
    let Address { socket, run_as } = address;
    if !run_as.drops {
        return UnixStream::connect(socket).await;
    }
    let (done, result) = tokio::sync::oneshot::channel();
    let connect = move || -> std::io::Result<StdStream> {
        let user = rustix::process::Uid::from_raw(run_as.uid);
        rustix::thread::set_thread_res_uid(None, user, None)?;
        let stream = StdStream::connect(socket)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    std::thread::Builder::new().name("console".to_owned()).spawn(move || {
        // Whoever waited may have given up.
        drop(done.send(connect()));
    })?;
    let stream = result.await.map_err(std::io::Error::other)??;
    UnixStream::from_std(stream)
}

fn trouble(error: &dyn std::error::Error) -> ProviderError {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    ProviderError::new(ErrorKind::Unavailable, format!("the pooler's console: {error}{cause}"))
}

fn late() -> ProviderError {
    ProviderError::new(ErrorKind::TimedOut, "the pooler's console does not answer")
}
