//! The request that is being done, and when it is.

use std::sync::Arc;

use pgherd_core::ha;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::ledger::Record;
use super::look::Seen;
use super::pooled::Standing;
use super::requests::{Ask, Watcher};
use super::upkeep::{Goal, Servers};

/// A request that is being done.
pub struct Current {
    /// What was asked.
    pub ask: Arc<Ask>,
    /// Who watches.
    pub watcher: Watcher,
    /// Whether it was taken in.
    pub is_accepted: bool,
    /// The first thing that went wrong since.
    pub error: Option<ProviderError>,
    /// Its number among the requests to the servers.
    pub request: Option<u64>,
    /// How that ended.
    pub answer: Option<ha::Outcome>,
    said_recovering: bool,
}

impl Current {
    /// One that is not taken in yet.
    pub fn new(ask: Arc<Ask>, watcher: Watcher) -> Self {
        Self { ask, watcher, is_accepted: false, error: None, request: None, answer: None, said_recovering: false }
    }

    /// How it ended; `None`: it goes on. Asked when there is nothing to do before the next look, or something happens.
    pub fn result(&mut self, seen: &Seen, record: &Record, others_wait: bool) -> Option<Result<(), ProviderError>> {
        match (&*self.ask, &record.memory.goal) {
            (Ask::Delete(_), Goal::Gone { .. }) | (Ask::Stop, _) if seen.upkeep.servers != Servers::Down => None,
            (Ask::Stop, _) | (Ask::TakeUp, Goal::Stopped) | (Ask::LetGo(_), _) => Some(Ok(())),
            (Ask::Delete(_), Goal::Gone { .. }) => None,
            (Ask::Servers(_), _) => self.answered(),
            // It is tried again and again, and somebody may know why it fails.
            (Ask::Promote(_), _) => self.error.take().map(Err).or_else(|| self.answered()),
            _ => self.served(seen, record, others_wait),
        }
    }

    fn answered(&mut self) -> Option<Result<(), ProviderError>> {
        match self.answer.take()? {
            ha::Outcome::Accepted => None,
            ha::Outcome::Done => Some(Ok(())),
            // Whatever stands against it, doing it all the same would not be safe.
            ha::Outcome::Refused { why } => Some(Err(ProviderError::new(ErrorKind::Protected, why))),
        }
    }

    /// Whoever asked for a server that recovers waits until it serves, unless somebody asks for something else meanwhile.
    fn served(&mut self, seen: &Seen, record: &Record, others_wait: bool) -> Option<Result<(), ProviderError>> {
        let memory = &record.memory;
        if memory.exchanging {
            return self.error.take().map(Err);
        }
        if seen.upkeep.servers == Servers::Serve {
            return match self.error.take() {
                Some(error) => Some(Err(error)),
                None if memory.configured && memory.settled && record.request.is_none() && seen.is_whole(record) => {
                    pooled(&seen.pooler)
                }
                None => None,
            };
        }
        if !memory.held && seen.is_starting(record) {
            if seen.is_recovering(record) && !self.said_recovering {
                self.said_recovering = true;
                self.watcher.phase(super::keeper::RECOVERING);
            }
            let message = format!("{} still recovers from a crash", record.name);
            let late = || ProviderError::new(ErrorKind::TimedOut, message).help("it serves as soon as it has");
            return others_wait.then(|| Err(late()));
        }
        // Without a reason it is only not seen, or about to be started.
        let reason = record.ha.refused.clone().or_else(|| record.trouble.clone().filter(|_| seen.upkeep.data_missing));
        let stands = reason.map(|reason| ProviderError::new(ErrorKind::Unavailable, reason));
        // What failed before it was ever usable is the user's to look at.
        let held = memory.held.then(|| record.trouble.clone().unwrap_or_default());
        let held = held.map(|trouble| ProviderError::new(ErrorKind::Unavailable, trouble));
        self.error.take().or(stands).or(held).map(Err)
    }
}

/// Whether clients get in through the pooler, where one is wanted.
fn pooled(standing: &Standing) -> Option<Result<(), ProviderError>> {
    match standing {
        Standing::Absent => Some(Ok(())),
        Standing::Settled(lead) if lead.to.is_some() && !lead.paused => Some(Ok(())),
        Standing::Settled(_) | Standing::Coming => None,
        Standing::Failed(error) => Some(Err(error.clone())),
    }
}
