//! The pooler of an instance, as the supervisor keeps it: started, led, started again, ended. Nothing here waits for it, so that
//! a failover never does.
//!
//! Invariant: as long as its folder is there, a process of it may be, whoever started that.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use pgherd_core::window::Window;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::agent::Agent;
use super::ledger::Record;
use super::requests::ShownPooler;
use super::site::{Site, blocking};
use super::upkeep::Goal;
use super::ways::addresses;
use super::{configure, files};
use crate::paths::Layout;
use crate::pooler::{self, Config, Lead, Places, Pooler, State};
use crate::postgres::folders;
use crate::tls::Authority;

/// One that ran for so long and ended is started again at once.
const CALM: Duration = Duration::from_secs(60);
/// The longest pause between two starts.
const LONGEST_PAUSE: Duration = Duration::from_secs(64);
/// How often its role is looked after: somebody may have closed a database to it.
const PREPARE_EVERY: Duration = Duration::from_secs(60);
/// What is at hand of a pooler.
#[derive(Default)]
pub struct Pooled {
    stage: Stage,
    /// Starts and ends of it that went wrong in a row.
    failures: u32,
    /// What went wrong last, until it goes right.
    trouble: Option<ProviderError>,
    /// Nothing is tried before.
    not_before: Option<Instant>,
    prepared_at: Option<Instant>,
    preparing: Option<JoinHandle<()>>,
}

#[derive(Default)]
enum Stage {
    #[default]
    Off,
    Starting(JoinHandle<Result<(Pooler, Config), ProviderError>>),
    Runs(Box<Running>),
    Ending(JoinHandle<Result<(), ProviderError>>),
}

struct Running {
    pooler: Pooler,
    config: Config,
    states: watch::Receiver<State>,
    since: Instant,
    /// Where it is to lead; `None`: it was not told yet.
    lead: Option<Lead>,
    /// When the certificates that it has read were written.
    certificates: [Option<SystemTime>; 2],
}

/// How a pooler stands, as far as others have to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// There is none, and none is wanted.
    Absent,
    /// It is about to become what is wanted.
    Coming,
    /// It leads its clients where they should be, or holds them back where it should.
    Settled(Lead),
    /// It does not become so.
    Failed(ProviderError),
}

impl Pooled {
    /// Returns when something happened to it that is worth a look.
    pub async fn happens(&mut self) {
        match &mut self.stage {
            Stage::Off => match self.not_before {
                Some(at) => {
                    tokio::time::sleep_until(at).await;
                    self.not_before = None;
                }
                None => std::future::pending().await,
            },
            Stage::Starting(start) => match unwound(start.await) {
                Ok((pooler, config)) => {
                    self.trouble = None;
                    self.stage = Stage::Runs(Box::new(Running::new(pooler, config)));
                }
                Err(error) => self.failed(error, 0),
            },
            Stage::Runs(running) => {
                let ended = tokio::select! {
                    () = running.pooler.ended() => true,
                    changed = running.states.changed() => changed.is_err(),
                };
                if ended {
                    let calm = running.since.elapsed() > CALM;
                    self.failures = if calm { 0 } else { self.failures };
                    let message = "PgBouncer ended by itself";
                    self.failed(ProviderError::new(ErrorKind::Unavailable, message), 1);
                }
            }
            Stage::Ending(end) => match unwound(end.await) {
                Ok(()) => *self = Self::default(),
                Err(error) => self.failed(error, 0),
            },
        }
    }

    /// Somebody asked for something: what waits after a failure is tried again now.
    pub fn try_again(&mut self) {
        self.not_before = None;
    }

    /// Starts it, ends it, or has it lead there, as is wanted; `None`: where it should lead is not known yet.
    pub fn keep(&mut self, site: &Site, record: &Record, lead: Option<Lead>, serves: bool) {
        let config = match config(site, record).transpose() {
            Some(Err(error)) => return self.trouble = Some(error),
            Some(Ok(config)) => Some(config),
            None => None,
        };
        let may_try = self.not_before.is_none();
        match (&mut self.stage, config) {
            // Before, its role may not be there yet.
            (Stage::Off, Some(config)) if may_try && record.memory.settled => {
                self.stage = Stage::Starting(tokio::spawn(start(site.clone(), config)));
            }
            (Stage::Runs(running), Some(config)) if running.pooler.needs_restart(&config) => {
                let places = config.places;
                self.stage = Stage::Ending(tokio::spawn(end(site.clone(), places, false)));
            }
            (Stage::Runs(running), Some(config)) => {
                running.lead(config, lead);
                self.look_after_role(site, record, serves);
            }
            (Stage::Off, None) if may_try && site.layout.pooler().exists() => self.end(site),
            (Stage::Runs(_), None) => self.end(site),
            (Stage::Off | Stage::Starting(_) | Stage::Ending(_), _) => {}
        }
    }

    /// Where it was last told to lead.
    pub fn told(&self) -> Option<Lead> {
        match &self.stage {
            Stage::Runs(running) => running.lead,
            Stage::Off | Stage::Starting(_) | Stage::Ending(_) => None,
        }
    }

    /// Whether nobody is led by it to where they should not be: it does as it was told, or there is none.
    pub fn leads_as_told(&self) -> bool {
        match &self.stage {
            Stage::Off | Stage::Ending(_) => true,
            // One that an earlier agent left may be found.
            Stage::Starting(_) => false,
            Stage::Runs(running) => running.lead.is_some() && running.pooler.state().lead == running.lead,
        }
    }

    /// Whether one is just being started, found or ended: nobody else can end it until then.
    pub fn is_changing(&self) -> bool {
        matches!(self.stage, Stage::Starting(_) | Stage::Ending(_))
    }

    /// How it stands.
    pub fn standing(&self, record: &Record) -> Standing {
        let wanted = record.pool().is_some();
        match (&self.stage, &self.trouble) {
            (Stage::Off, Some(error)) => Standing::Failed(error.clone()),
            (Stage::Off, None) if !wanted => Standing::Absent,
            (Stage::Off | Stage::Starting(_) | Stage::Ending(_), _) => Standing::Coming,
            (Stage::Runs(running), _) => running.standing(),
        }
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<i32> {
        match &self.stage {
            Stage::Runs(running) => Some(running.pooler.pid()),
            Stage::Off | Stage::Starting(_) | Stage::Ending(_) => None,
        }
    }

    /// What is shown of it; `None`: none is wanted.
    pub fn shown(&self, record: &Record) -> Option<ShownPooler> {
        record.pool()?;
        let caveats = match &self.stage {
            Stage::Runs(running) => running.pooler.caveats(&running.config),
            Stage::Off | Stage::Starting(_) | Stage::Ending(_) => Vec::new(),
        };
        Some(ShownPooler { pid: self.pid(), standing: self.standing(record), caveats })
    }

    fn end(&mut self, site: &Site) {
        self.stage = Stage::Ending(tokio::spawn(end(site.clone(), places(site), true)));
    }

    /// It is tried again: the first `at_once` times at once, then after 1 s, 2 s, 4 s …
    fn failed(&mut self, error: ProviderError, at_once: u32) {
        tracing::warn!("the pooler: {error}");
        self.stage = Stage::Off;
        self.trouble = Some(error);
        let doublings = self.failures.checked_sub(at_once);
        self.failures += 1;
        self.not_before = doublings.map(|doublings| Instant::now() + pause(doublings));
    }

    fn look_after_role(&mut self, site: &Site, record: &Record, serves: bool) {
        let is_due = self.prepared_at.is_none_or(|at| at.elapsed() > PREPARE_EVERY);
        let idle = self.preparing.as_ref().is_none_or(JoinHandle::is_finished);
        if serves && is_due && idle {
            self.prepared_at = Some(Instant::now());
            let (site, record) = (site.clone(), record.clone());
            self.preparing = Some(tokio::spawn(async move {
                let prepare = async {
                    let session = site.connect(&record, record.primary(), "postgres").await?;
                    session.take_turn().await?;
                    pooler::prepare(&session).await
                };
                if let Err(error) = prepare.await {
                    tracing::warn!(instance = site.name, "the pooler's role: {error}");
                }
            }));
        }
    }
}

impl Running {
    fn new(pooler: Pooler, config: Config) -> Self {
        let (states, certificates) = (pooler.states(), written_at(&config.places));
        Self { pooler, config, states, since: Instant::now(), lead: None, certificates }
    }

    fn lead(&mut self, config: Config, lead: Option<Lead>) {
        self.lead = lead.or(self.lead);
        if let Some(lead) = self.lead {
            self.pooler.lead(&config, lead);
        }
        let certificates = written_at(&config.places);
        if certificates != self.certificates {
            self.certificates = certificates;
            self.pooler.reload();
        }
        self.config = config;
    }

    fn standing(&self) -> Standing {
        let state = self.pooler.state();
        match (state.lead, state.trouble) {
            (Some(lead), _) => Standing::Settled(lead),
            (None, Some(trouble)) if self.lead.is_some_and(|lead| !lead.paused) => {
                Standing::Failed(ProviderError::new(ErrorKind::Unavailable, trouble))
            }
            (None, _) => Standing::Coming,
        }
    }
}

/// Ends every process of a pooler, whoever started it: the instance goes.
pub async fn end_all(site: &Site) -> Result<(), ProviderError> {
    pooler::end_all(&site.agent.run_as, &places(site)).await
}

/// Lets a pooler go that is not wanted any more, once the window is open.
pub fn let_go(record: &mut Record, window: Window, now: Timestamp) {
    if record.pooler_kept.is_some() && window.is_open(now) {
        record.pooler_kept = None;
        record.memory.configured = false;
    }
}

/// How many clients the pooler at this port has; `None`: it cannot be asked.
pub async fn clients(agent: &Agent, name: &str, port: u16) -> Option<u32> {
    let places = places_of(agent, &agent.options.paths.instance(name));
    pooler::clients(&agent.run_as, &places, port).await.ok()
}

fn places(site: &Site) -> Places {
    places_of(&site.agent, &site.layout)
}

/// Where the files of an instance's pooler are.
fn places_of(agent: &Agent, layout: &Layout) -> Places {
    let paths = &agent.options.paths;
    Places {
        folder: layout.pooler(),
        console: paths.ways(),
        log: layout.pooler_log(),
        certificate: layout.certificate(),
        client_certificate: layout.pooler_certificate(),
        authority: paths.authority_certificate(),
    }
}

/// The pooler that is to run now.
fn config(site: &Site, record: &Record) -> Result<Option<Config>, ProviderError> {
    let serves = record.memory.made && record.memory.goal == Goal::Serve;
    let (Some(pool), Some(port), true) = (record.pool(), record.pooler_port, serves) else { return Ok(None) };
    Ok(Some(Config {
        listen: addresses(record),
        port,
        allowed: configure::networks(&record.wanted.allowed_cidrs)?,
        pool_mode: pool.pool_mode.clone(),
        default_pool_size: pool.default_pool_size,
        max_client_conn: pool.max_client_conn,
        places: places(site),
    }))
}

async fn start(site: Site, config: Config) -> Result<(Pooler, Config), ProviderError> {
    let (paths, run_as, file) =
        (site.agent.options.paths.clone(), site.agent.run_as.clone(), config.places.client_certificate.clone());
    let program = blocking(move || {
        // In memory: gone after a reboot.
        folders::make_sockets(&paths, &run_as)?;
        let now = Timestamp::now();
        Authority::ensure(&paths.authority(), now)?.ensure_client(&file, pooler::ROLE, &run_as, now)?;
        Ok(pooler::find(std::env::var_os("PATH").as_deref()))
    });
    let missing = || ProviderError::new(ErrorKind::Unavailable, "PgBouncer is not installed").help(pooler::INSTALL);
    let program = program.await?.ok_or_else(missing)?;
    let pooler = Pooler::adopt_or_start(&program, &site.agent.run_as, &config).await?;
    Ok((pooler, config))
}

async fn end(site: Site, places: Places, for_good: bool) -> Result<(), ProviderError> {
    pooler::end_all(&site.agent.run_as, &places).await?;
    let removed = if for_good { files::remove_folder(&places.folder) } else { Ok(()) };
    removed.map_err(|error| super::site::cannot("remove", &places.folder, &error))
}

fn written_at(places: &Places) -> [Option<SystemTime>; 2] {
    [&places.certificate, &places.client_certificate]
        .map(|file: &PathBuf| std::fs::metadata(file).and_then(|found| found.modified()).ok())
}

/// 1 s, 2 s, 4 s …
fn pause(doublings: u32) -> Duration {
    Duration::from_secs(1 << doublings.min(6)).min(LONGEST_PAUSE)
}

/// A task that panicked is a mistake of ours: its keeper ends with it and begins anew.
fn unwound<T>(joined: Result<T, tokio::task::JoinError>) -> T {
    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
