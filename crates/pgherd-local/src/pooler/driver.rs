//! Leading a pooler where it is wanted, in a task of its own: PAUSE waits for clients, and nobody shall wait for PAUSE.
//!
//! Every step may be done twice, and be given up when something else is wanted meanwhile.

use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::watch;

use super::config::{self, Config, Files, Places};
use super::console::{Address, Console};
use super::program::Program;
use crate::postgres::runas::RunAs;
use crate::postgres::{Result, io_error};
use crate::supervisor::files;

/// How long to wait after a step that failed. The process itself is watched by others.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// Where a pooler leads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lead {
    /// Port of the primary on 127.0.0.1; `None`: nobody, clients are held back.
    pub to: Option<u16>,
    /// Whether clients are held back and no transaction is left.
    pub paused: bool,
}

/// How a pooler stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Where it leads; `None`: it is on its way there.
    pub lead: Option<Lead>,
    /// Why it did not get there yet, when something is in its way.
    pub trouble: Option<String>,
}

/// What is wanted of a pooler.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    pub config: Config,
    pub lead: Lead,
    /// Counts what cannot be seen in the files: new certificates, a pooler that was just found.
    pub reloads: u64,
}

pub(super) struct Driver {
    pub program: Program,
    pub run_as: RunAs,
    pub address: Address,
    pub wanted: watch::Receiver<Option<Wanted>>,
    pub state: watch::Sender<State>,
}

impl Driver {
    /// Goes on until it is dropped.
    pub(super) async fn run(mut self) {
        let mut reloaded = None;
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let reached = match &wanted {
                Some(wanted) => {
                    let reload = reloaded != Some(wanted.reloads);
                    let step = Step { program: &self.program, run_as: &self.run_as, address: &self.address, wanted };
                    tokio::select! {
                        // Something else is wanted; what was begun is of no use any more.
                        changed = self.wanted.changed() => match changed {
                            Ok(()) => {
                                self.state.send_if_modified(|state| state.lead.take().is_some());
                                // Whether it was read again is not known.
                                reloaded = None;
                                self.wanted.mark_changed();
                                continue;
                            }
                            Err(_) => return,
                        },
                        reached = step.take(reload) => reached.map(|()| reloaded = Some(wanted.reloads)),
                    }
                }
                None => Ok(()),
            };
            let again = match reached {
                Ok(()) => {
                    self.say(State { lead: wanted.map(|wanted| wanted.lead), trouble: None });
                    None
                }
                Err(error) => {
                    reloaded = None;
                    self.say(State { lead: None, trouble: Some(error.message) });
                    Some(TRY_AGAIN)
                }
            };
            let changed = self.wanted.changed();
            let ended = match again {
                Some(pause) => tokio::time::timeout(pause, changed).await.is_ok_and(|changed| changed.is_err()),
                None => changed.await.is_err(),
            };
            if ended {
                return;
            }
        }
    }

    fn say(&self, new: State) {
        self.state.send_if_modified(|state| {
            let differs = *state != new;
            *state = new;
            differs
        });
    }
}

/// All that has to be done once.
struct Step<'a> {
    program: &'a Program,
    run_as: &'a RunAs,
    address: &'a Address,
    wanted: &'a Wanted,
}

impl Step<'_> {
    async fn take(self, reload: bool) -> Result<()> {
        let Wanted { config, lead, reloads: _ } = self.wanted;
        let console = Console::open(self.address).await?;
        // Held back first: while the files change nobody shall be led to who is leaving.
        let held = lead.paused || lead.to.is_none();
        let pausing = async {
            if held {
                console.pause().await?;
            }
            Ok(())
        };
        let leading = async {
            let other = Console::open(self.address).await?;
            let changed = write(config, self.program, self.run_as, lead.to)?;
            if changed || reload {
                other.reload().await?;
            }
            Ok(())
        };
        tokio::try_join!(pausing, leading)?;
        if !held {
            return console.resume().await;
        }
        // A second PAUSE returns at once, so this is what tells that the first is done.
        match console.has_server_connections().await? {
            false => Ok(()),
            true => Err(ProviderError::new(ErrorKind::Unavailable, "a client keeps its transaction open")),
        }
    }
}

/// Writes the files that differ, leading to `to`, or where they lead now. Says whether any did.
pub(super) fn write(config: &Config, program: &Program, run_as: &RunAs, to: Option<u16>) -> Result<bool> {
    let places = &config.places;
    let Files { ini, hba, users } = config::render(config, program, to.or_else(|| leads_to(places)).unwrap_or(NOWHERE));
    let mut changed = false;
    for (path, text) in [(places.users(), users), (places.hba(), hba), (places.ini(), ini)] {
        let now = files::read(&path).map_err(|error| io_error("read", &path, &error))?;
        if now.as_deref() == Some(text.as_bytes()) {
            continue;
        }
        files::replace(&path, text.as_bytes(), 0o600).map_err(|error| io_error("write", &path, &error))?;
        run_as.own(&path)?;
        changed = true;
    }
    Ok(changed)
}

/// A port that nobody listens on: "discard", which is below those that users may take.
const NOWHERE: u16 = 9;

/// Where the files lead now.
fn leads_to(places: &Places) -> Option<u16> {
    let text = std::fs::read_to_string(places.ini()).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("* = host=127.0.0.1 port="))?;
    line.trim().parse().ok()
}
