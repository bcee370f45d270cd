//! Waits: until an instance is at rest, until it is gone, and until what stands in the way has passed.
//!
//! RDS says `available` in between (after a creation, and for a moment after every change), so an instance is at rest when three looks
//! in a row say so.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use pgherd_core::event::What;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use tokio::time::{Instant, sleep};

use crate::api::rds::{self, DbInstance};
use crate::protocol::error::AwsError;
use crate::provider::Aws;
use crate::session::Session;
use crate::status;

/// How long is waited at most, and how often is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until what was made can be used.
    pub making: Duration,
    /// Until something that is made of all the data is there: a snapshot, what is restored, a replica in another region.
    pub restoring: Duration,
    /// Until a change is done. Terraform's provider for AWS waits as long.
    pub changing: Duration,
    /// Until what is deleted is gone: a last snapshot takes most of it.
    pub deleting: Duration,
    /// Until whatever uses a thing has let go of it.
    pub letting_go: Duration,
    /// Until it is known everywhere that something is not protected any more.
    pub unprotecting: Duration,
    /// Until RDS says of settings what was done to them.
    pub telling: Duration,
    /// Until what was made in IAM is known everywhere.
    pub spreading: Duration,
    /// Before the first look at something that takes minutes.
    pub before_first_look: Duration,
    /// From one look, or one try, to the next.
    pub between_looks: Duration,
}

impl Patience {
    /// What fits who is asked: an emulator is not to be waited for by the minute.
    pub fn with(session: &Session) -> Self {
        match session.is_emulated() {
            true => {
                Self { before_first_look: Duration::ZERO, between_looks: Duration::from_millis(200), ..Self::default() }
            }
            false => Self::default(),
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            making: minutes(40),
            restoring: minutes(240),
            changing: minutes(80),
            deleting: minutes(60),
            letting_go: minutes(15),
            unprotecting: minutes(5),
            telling: minutes(5),
            spreading: minutes(2),
            before_first_look: minutes(1),
            between_looks: Duration::from_secs(10),
        }
    }
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// What RDS says of settings that only a restart brings.
pub(crate) const WAITS_FOR_RESTART: &str = "pending-reboot";

/// So many looks in a row that say the same are believed.
const IN_A_ROW: u32 = 3;

/// The minutes of RDS's own events that are told with a failure.
const TOLD_MINUTES: u32 = 60;

/// An instance, and what of it is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest<'a> {
    /// The region it is in.
    pub(crate) region: &'a str,
    /// Its identifier.
    pub(crate) id: &'a str,
    /// How long at most.
    pub(crate) at_most: Duration,
    /// Fields that were changed at once, and so must not be among what is accepted and waits.
    pub(crate) changed: &'a BTreeSet<String>,
}

/// What one look says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    AtRest,
    AtWork,
    /// It does not come round by itself.
    Stuck,
    /// There is none, or none to be seen yet.
    Absent,
}

fn verdict(seen: Option<&DbInstance>, changed: &BTreeSet<String>) -> Verdict {
    let Some(seen) = seen else { return Verdict::Absent };
    let is_pending = changed.iter().any(|field| seen.pending.contains_key(field));
    match seen.status.as_str() {
        "stopped" => Verdict::Stuck,
        word if status::is_fatal(word) => Verdict::Stuck,
        // More storage is what it waits for.
        "storage-full" if changed.contains("AllocatedStorage") => Verdict::AtWork,
        word if status::is_settled(word) && seen.settings != "applying" && !is_pending => Verdict::AtRest,
        _ => Verdict::AtWork,
    }
}

/// Waits until an instance is at rest, and says how it is then.
pub(crate) async fn settled(aws: &Aws, rest: &Rest<'_>, events: &Events) -> Result<DbInstance, ProviderError> {
    let mut wait = Wait::new(aws, rest.at_most);
    let mut row = (Verdict::AtWork, 0);
    loop {
        let seen = match rds::instance(aws.session(), rest.region, rest.id).await {
            Ok(seen) => seen,
            Err(error) if error.kind().is_transient() => {
                wait.pause(&error.message, events).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let verdict = verdict(seen.as_ref(), rest.changed);
        row = if row.0 == verdict { (verdict, row.1 + 1) } else { (verdict, 1) };
        let phase = seen.as_ref().map_or_else(|| "not to be seen yet".to_owned(), |seen| seen.status.clone());
        match (row, seen) {
            ((Verdict::AtRest, IN_A_ROW..), Some(seen)) => return Ok(seen),
            ((Verdict::Stuck, IN_A_ROW..), Some(seen)) => return Err(stuck(aws, rest, &seen.status).await),
            ((Verdict::Absent, IN_A_ROW..), _) => return Err(absent(rest.id)),
            _ => wait.pause(&phase, events).await?,
        }
    }
}

/// Waits until an instance is at rest and what RDS says of its settings is as expected, or has had time enough to become so.
pub(crate) async fn settings(
    aws: &Aws,
    rest: &Rest<'_>,
    is_expected: impl Fn(&str) -> bool,
    events: &Events,
) -> Result<DbInstance, ProviderError> {
    let mut wait = Wait::new(aws, aws.patience().telling);
    loop {
        let seen = settled(aws, rest, events).await?;
        let phase = format!("settings {}", seen.settings);
        if is_expected(&seen.settings) || wait.pause(&phase, events).await.is_err() {
            return Ok(seen);
        }
    }
}

/// Waits until an instance is gone.
pub(crate) async fn gone(aws: &Aws, region: &str, id: &str, events: &Events) -> Result<(), ProviderError> {
    let mut wait = Wait::new(aws, aws.patience().deleting);
    loop {
        let phase = match rds::instance(aws.session(), region, id).await {
            Ok(None) => return Ok(()),
            Ok(Some(seen)) => seen.status,
            Err(error) if error.kind().is_transient() => error.message,
            Err(error) => return Err(error.into()),
        };
        wait.pause(&phase, events).await?;
    }
}

/// Waits until an instance is to be seen under a name it is being given.
pub(crate) async fn called(aws: &Aws, region: &str, name: &str, events: &Events) -> Result<(), ProviderError> {
    let mut wait = Wait::new(aws, aws.patience().changing);
    loop {
        let phase = match rds::instance(aws.session(), region, name).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => format!("not called {name} yet"),
            Err(error) if error.kind().is_transient() => error.message,
            Err(error) => return Err(error.into()),
        };
        wait.pause(&phase, events).await?;
    }
}

/// Waits until a snapshot is complete.
pub(crate) async fn snapshot(aws: &Aws, region: &str, name: &str, events: &Events) -> Result<(), ProviderError> {
    let mut wait = Wait::new(aws, aws.patience().restoring);
    loop {
        let phase = match rds::snapshot_status(aws.session(), region, name).await {
            Ok(Some(word)) if word == "available" => return Ok(()),
            Ok(Some(word)) if word == "failed" => {
                let message = format!("the snapshot {name} failed");
                return Err(ProviderError::new(ErrorKind::Conflict, message).help("run this again"));
            }
            Ok(word) => format!("snapshot {}", word.unwrap_or_else(|| "not to be seen yet".to_owned())),
            Err(error) if error.kind().is_transient() => error.message,
            Err(error) => return Err(error.into()),
        };
        wait.pause(&phase, events).await?;
    }
}

/// Tries until it is done, or refused for something that does not pass, or the time is over: then with the last refusal.
pub(crate) async fn tried<T, F>(
    aws: &Aws,
    at_most: Duration,
    events: &Events,
    passes: impl Fn(&AwsError) -> bool,
    mut attempt: impl FnMut() -> F,
) -> Result<T, AwsError>
where
    F: Future<Output = Result<T, AwsError>>,
{
    let mut wait = Wait::new(aws, at_most);
    loop {
        match attempt().await {
            Err(error) if passes(&error) => {
                if wait.pause(&error.message, events).await.is_err() {
                    return Err(error);
                }
            }
            ended => return ended,
        }
    }
}

/// Looks until it is over, telling each new phase once. A look says what came of it, or what is waited for.
pub(crate) async fn until<T, F>(
    aws: &Aws,
    at_most: Duration,
    events: &Events,
    mut look: impl FnMut() -> F,
) -> Result<T, ProviderError>
where
    F: Future<Output = Result<Result<T, String>, ProviderError>>,
{
    let mut wait = Wait::new(aws, at_most);
    loop {
        match look().await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(phase)) => wait.pause(&phase, events).await?,
            Err(error) if error.kind.is_transient() => wait.pause(&error.message, events).await?,
            Err(error) => return Err(error),
        }
    }
}

/// Pauses between looks, up to a deadline, telling each new phase once.
struct Wait {
    began: Instant,
    at_most: Duration,
    between: Duration,
    told: String,
}

impl Wait {
    fn new(aws: &Aws, at_most: Duration) -> Self {
        Self { began: Instant::now(), at_most, between: aws.patience().between_looks, told: String::new() }
    }

    async fn pause(&mut self, phase: &str, events: &Events) -> Result<(), ProviderError> {
        if self.told != phase {
            events.phase(phase);
            phase.clone_into(&mut self.told);
        }
        if self.began.elapsed() + self.between >= self.at_most {
            let message = format!("not done after {} min; last seen: {phase}", self.at_most.as_secs() / 60);
            let help = "RDS goes on with what it began; run this again to do the rest";
            return Err(ProviderError::new(ErrorKind::TimedOut, message).help(help));
        }
        sleep(self.between).await;
        Ok(())
    }
}

fn absent(id: &str) -> ProviderError {
    ProviderError::new(ErrorKind::NotFound, format!("{id} is not there; somebody deleted it meanwhile"))
}

/// Why an instance does not come round, as RDS tells it.
async fn stuck(aws: &Aws, rest: &Rest<'_>, word: &str) -> ProviderError {
    let id = rest.id;
    if word == "stopped" {
        let help =
            format!("start it with `aws rds start-db-instance --db-instance-identifier {id}`, then run this again");
        return ProviderError::new(ErrorKind::Conflict, format!("{id} is stopped")).help(help);
    }
    let told = happened(aws, rest.region, id).await;
    let message = format!("{id} is {word}; what RDS told in the last hour: {told}");
    ProviderError::new(ErrorKind::Conflict, message)
}

/// What RDS told of an instance in the last hour. The failure itself is what matters; that its reasons cannot be read is no other one.
pub(crate) async fn happened(aws: &Aws, region: &str, id: &str) -> String {
    let told = rds::happened(aws.session(), region, id, TOLD_MINUTES).await.unwrap_or_default();
    if told.is_empty() { "nothing".to_owned() } else { told.join("; ") }
}

/// Says something that is no phase.
pub(crate) fn say(events: &Events, message: impl Into<String>) {
    events.emit(What::Said { message: message.into() });
}

#[cfg(test)]
pub(crate) mod tests {
    use pgherd_core::value::{Props, Value};

    use super::*;

    /// An instance of which little is known.
    pub(crate) fn seen(status: &str, settings: &str, pending: &[&str]) -> DbInstance {
        DbInstance {
            id: "orders".to_owned(),
            arn: String::new(),
            status: status.to_owned(),
            props: Props::new(),
            pending: pending.iter().map(|field| ((*field).to_owned(), Value::Int(1))).collect(),
            parameter_group: String::new(),
            settings: settings.to_owned(),
            subnet_group: None,
            zones: Vec::new(),
            source: None,
            following: None,
            replicas: Vec::new(),
            clusters: Vec::new(),
            certificate_until: None,
            own_secret: None,
            copies: Vec::new(),
            tags: Default::default(),
        }
    }

    #[track_caller]
    fn check(status: &str, settings: &str, pending: &[&str], expected: Verdict) {
        let changed = BTreeSet::from(["AllocatedStorage".to_owned()]);
        assert_eq!(verdict(Some(&seen(status, settings, pending)), &changed), expected);
    }

    #[test]
    fn at_rest_is_what_nothing_is_done_to() {
        check("available", "in-sync", &[], Verdict::AtRest);
        check("storage-optimization", "pending-reboot", &[], Verdict::AtRest);
        check("backing-up", "in-sync", &[], Verdict::AtWork);
        assert_eq!(verdict(Some(&seen("storage-full", "in-sync", &[])), &BTreeSet::new()), Verdict::AtRest);
        check("storage-full", "in-sync", &[], Verdict::AtWork);
        check("available", "applying", &[], Verdict::AtWork);
    }

    #[test]
    fn a_change_that_was_to_be_done_at_once_is_waited_for_and_one_of_the_window_is_not() {
        check("available", "in-sync", &["AllocatedStorage"], Verdict::AtWork);
        check("available", "in-sync", &["DBInstanceClass"], Verdict::AtRest);
    }

    #[test]
    fn what_does_not_come_round_is_stuck() {
        check("incompatible-parameters", "in-sync", &[], Verdict::Stuck);
        check("stopped", "in-sync", &[], Verdict::Stuck);
        assert_eq!(verdict(None, &BTreeSet::new()), Verdict::Absent);
    }
}
