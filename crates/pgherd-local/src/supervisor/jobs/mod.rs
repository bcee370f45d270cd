//! The steps of [`super::upkeep`], each run beside the loop that keeps the servers.
//!
//! Invariant: every step may be done twice and cut short anywhere.

mod certificate;
mod choose;
mod configure;
mod learn;
mod prepare;
mod remove;
mod settle;

pub use choose::choose_server;
pub use configure::reload;
pub use learn::{Facts, learn};

use pgherd_engine::provider::ProviderError;

use super::backups;
use super::ledger::Record;
use super::requests::Watcher;
use super::site::Site;
use super::upkeep::Step;

/// What came of a step.
pub struct Outcome {
    /// Which.
    pub step: Step,
    /// The record with what was learnt, and what the serving server said; or what went wrong.
    pub result: Result<Done, ProviderError>,
}

/// What a step that went well leaves.
pub struct Done {
    /// The record as it was when the step began, with what was learnt; `None`: the instance is gone.
    pub record: Option<Record>,
    /// What the server that serves said of itself, where it was asked.
    pub facts: Option<Facts>,
}

/// Carries out one step.
pub async fn run(site: Site, step: Step, mut record: Record, watcher: Watcher) -> Outcome {
    let result = carry_out(&site, step, &mut record, &watcher).await;
    let result = result.map(|facts| Done { record: (step != Step::Remove).then_some(record), facts });
    Outcome { step, result }
}

async fn carry_out(
    site: &Site,
    step: Step,
    record: &mut Record,
    watcher: &Watcher,
) -> Result<Option<Facts>, ProviderError> {
    match step {
        Step::Prepare => prepare::prepare(site, record, watcher).await.map(|()| None),
        Step::Configure => configure::configure(site, record).await,
        Step::FallBack => {
            configure::fall_back(site, record);
            Ok(None)
        }
        Step::Learn => learn(site, record).await.map(Some),
        Step::Settle => settle::settle(site, record).await.map(Some),
        Step::RenewTls => certificate::renew(site, record).await.map(Some),
        Step::Exchange => backups::exchange(site, record).await.map(|()| None),
        Step::Backup => backups::take_last(site, record).await.map(|()| None),
        Step::Remove => remove::remove(site, record).await.map(|()| None),
    }
}
