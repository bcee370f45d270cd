//! The process of a pooler: found again or started, told where to lead, watched, stopped.

use std::ffi::OsString;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::process::Signal;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::config::{self, Config, Places, files_needed};
use super::console::{Address, Console};
use super::driver::{self, Driver, Lead, State, Wanted};
use super::program::Program;
use crate::detached::{self, Detached};
use crate::ports;
use crate::postgres::notice::Notice;
use crate::postgres::process::in_own_session;
use crate::postgres::processes::Watch;
use crate::postgres::runas::RunAs;
use crate::postgres::{Result, io_error};

/// How long a new pooler may take until its console answers; it takes some 20 ms.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// How long one that was told to end may take.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// A running pooler. Dropping it leaves the process as it is.
#[derive(Debug)]
pub struct Pooler {
    watch: Watch,
    program: Program,
    /// How many files it may have open, as far as that is known.
    files: Mutex<Option<u64>>,
    wanted: watch::Sender<Option<Wanted>>,
    state: watch::Receiver<State>,
    driving: JoinHandle<()>,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

impl Pooler {
    /// The pooler of this configuration's folder, whoever started it, else a new one, which holds its clients back until it is
    /// told where to [`lead`](Self::lead). Needs a tokio runtime.
    ///
    /// One that runs and whose console does not answer, or that has another port or other addresses, is ended first. (PgBouncer's
    /// own online restart, `-R`, hands over no connection with TLS, and there is no other.)
    pub async fn adopt_or_start(program: &Program, run_as: &RunAs, config: &Config) -> Result<Self> {
        let places = &config.places;
        run_as.make_dir(&places.folder, 0o700)?;
        let address = Address::of(run_as, places, config.port);
        let found = adopt(run_as, config, &address).await?;
        let watch = match found {
            Some(watch) => watch,
            None => start(program, run_as, config, &address).await?,
        };
        let files = Mutex::new(detached::allow_files(watch.pid(), files_needed(config)));
        let (wanted, to_driver) = watch::channel(None);
        let (to_us, state) = watch::channel(State::default());
        let driver =
            Driver { program: program.clone(), run_as: run_as.clone(), address, wanted: to_driver, state: to_us };
        let pooler =
            Self { watch, program: program.clone(), files, wanted, state, driving: tokio::spawn(driver.run()) };
        Ok(pooler)
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.watch.pid()
    }

    /// Have it lead there from now on, with this configuration, whatever it did before: a PAUSE that stands and is not wanted
    /// ends. Returns at once; [`state`](Self::state) says when it is so. Repeating what is wanted already does nothing.
    pub fn lead(&self, config: &Config, lead: Lead) {
        self.wanted.send_if_modified(|wanted| {
            let reloads = wanted.as_ref().map_or(0, |wanted| wanted.reloads);
            let new = Some(Wanted { config: config.clone(), lead, reloads });
            let changed = *wanted != new;
            if wanted.as_ref().is_none_or(|now| now.config.max_client_conn != config.max_client_conn) {
                *self.files() = detached::allow_files(self.pid(), files_needed(config));
            }
            *wanted = new;
            changed
        });
    }

    fn files(&self) -> MutexGuard<'_, Option<u64>> {
        // Nothing in there can be left half done by a panic.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Have it read its certificates again.
    pub fn reload(&self) {
        self.wanted.send_if_modified(|wanted| wanted.as_mut().map(|wanted| wanted.reloads += 1).is_some());
    }

    /// How it stands.
    pub fn state(&self) -> State {
        let state = self.state.borrow().clone();
        let reached = self.wanted.borrow().as_ref().map(|wanted| wanted.lead);
        // The task may not have noticed yet that something else is wanted.
        State { lead: state.lead.filter(|lead| Some(*lead) == reached), ..state }
    }

    /// For waiting until the state changes.
    pub fn states(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Whether this configuration needs a new process: then [`stop`](Self::stop) this one and start another.
    pub fn needs_restart(&self, config: &Config) -> bool {
        let now = self.wanted.borrow();
        now.as_ref().is_some_and(|now| (now.config.port, &now.config.listen) != (config.port, &config.listen))
    }

    /// Sentences for `status`: what does not work as somebody may expect.
    pub fn caveats(&self, config: &Config) -> Vec<String> {
        let too_few = self.files().filter(|files| *files < files_needed(config)).map(|files| {
            format!(
                "PgBouncer may open {files} files, and max_client_conn = {} can take {}: raise the limit (ulimit -n, \
                 LimitNOFILE) of the agent",
                config.max_client_conn,
                files_needed(config)
            )
        });
        self.program.caveat(&config.pool_mode).into_iter().chain(too_few).collect()
    }

    /// Its version: major, minor, patch.
    pub fn version(&self) -> (u32, u32, u32) {
        self.program.version
    }

    /// Returns when it has ended, for whatever reason; start another one then.
    pub async fn ended(&self) {
        self.watch.ended().await;
    }

    /// Ends it and returns when it is gone. Its clients are cut off.
    pub async fn stop(&self) -> Result<()> {
        detached::end(&self.watch, Signal::TERM, STOP_DEADLINE).await
    }
}

/// Ends every pooler of these places, whoever started it.
pub async fn end_all(run_as: &RunAs, places: &Places) -> Result<()> {
    for pid in detached::find(&marks(places), run_as) {
        if let Some(watch) = Watch::open(pid)? {
            detached::end(&watch, Signal::TERM, STOP_DEADLINE).await?;
        }
    }
    Ok(())
}

/// How many clients the pooler at this port has.
pub async fn clients(run_as: &RunAs, places: &Places, port: u16) -> Result<u32> {
    Console::open(&Address::of(run_as, places, port)).await?.clients().await
}

async fn adopt(run_as: &RunAs, config: &Config, address: &Address) -> Result<Option<Watch>> {
    let mut found = None;
    for pid in detached::find(&marks(&config.places), run_as) {
        let Some(watch) = Watch::open(pid)? else { continue };
        let answers = Console::open(address).await.is_ok();
        if found.is_none() && answers && listens(pid, config) && has_addresses(config)? {
            found = Some(watch);
        } else {
            tracing::warn!("the pooler {pid} does not answer or listens elsewhere: it is replaced");
            detached::end(&watch, Signal::TERM, STOP_DEADLINE).await?;
        }
    }
    Ok(found)
}

/// Whether it was started with the same addresses; the port is known from its console.
fn has_addresses(config: &Config) -> Result<bool> {
    let path = config.places.ini();
    let text = std::fs::read_to_string(&path).map_err(|error| io_error("read", &path, &error))?;
    let wanted = format!("listen_addr = {}", config::listen(config));
    Ok(text.lines().any(|line| line == wanted))
}

async fn start(program: &Program, run_as: &RunAs, config: &Config, address: &Address) -> Result<Watch> {
    let places = &config.places;
    // It would go on without the port, with a warning in its log.
    ports::ensure_free(config.port)?;
    driver::write(config, program, run_as, None)?;
    match std::fs::remove_file(&address.socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(io_error("remove", &address.socket, &error));
        }
        _ => {}
    }
    let mut notice = Notice::of(&places.console);
    let mut command = in_own_session(&program.path);
    command.args(marks(places));
    let watch = Detached { command, run_as, log: &places.log }.start()?;
    let answers = async {
        while Console::open(address).await.is_err() {
            detached::appears(&mut notice).await;
        }
    };
    let said = || format!("see {}", places.log.display());
    tokio::select! {
        () = watch.ended() => {
            let message = "PgBouncer ended while it started";
            return Err(ProviderError::new(ErrorKind::Invalid, message).help(said()));
        }
        waited = tokio::time::timeout(START_DEADLINE, answers) => waited.map_err(|_| {
            ProviderError::new(ErrorKind::TimedOut, "PgBouncer does not answer").help(said())
        })?,
    }
    if listens(watch.pid(), config) {
        return Ok(watch);
    }
    detached::end(&watch, Signal::TERM, STOP_DEADLINE).await?;
    let message = format!("PgBouncer could not listen on port {}", config.port);
    Err(ProviderError::new(ErrorKind::Conflict, message).help(said()))
}

/// Whether the process itself holds the port.
fn listens(pid: i32, config: &Config) -> bool {
    ports::holder(config.port).is_some_and(|holder| holder.ends_with(&format!("(pid {pid})")))
}

/// The last argument it is started with, which is its own among all processes of the machine.
fn marks(places: &Places) -> [OsString; 1] {
    [places.ini().into_os_string()]
}
