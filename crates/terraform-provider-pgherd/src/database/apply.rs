//! Does what was planned: planned once more, since the world may have moved, and carried out by the engine.

use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::cloud::Cloud;
use pgherd_core::event::{Event, What};
use pgherd_core::lint::Intent;
use pgherd_core::plan::{Action, Step};
use pgherd_core::spec::Spec;
use pgherd_engine::ending;
use pgherd_engine::provider::{ErrorKind, Events, Provider, ProviderError};
use pgherd_engine::run::{self, Planned};
use pgherd_engine::stop;
use pgherd_engine::walk::Outcome;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{TIMEOUTS, begun, begun::Begun, look, plan, refused, same, shown};
use crate::clock;
use crate::meaning::{self, Meaning, sentence};
use crate::protocol::{Answer, Apply, Diagnostic, Value, has_error, log};
use crate::provider::{For, Shared};

/// Applies.
pub async fn apply(shared: &Shared, asked: Apply) -> Answer {
    let settings = shared.settings();
    let ends = asked.planned.is_null();
    let now = clock::now();
    let (spec, said) = if ends {
        (Meaning::of(&asked.prior, &settings).0, Vec::new())
    } else {
        let meaning = Meaning::checked(&asked.config, &settings, clock::today());
        (meaning.spec, meaning.diagnostics)
    };
    // A create that went wrong leaves no state: Terraform would destroy what it calls tainted. What was kept beside the plan is of no use
    // beside a state.
    let fails = |asked: Apply, said: Vec<Diagnostic>| Answer::refused(asked.prior, Vec::new(), said);
    if has_error(&said) {
        return fails(asked, said);
    }
    let Some(spec) = spec else {
        return fails(
            asked,
            vec![Diagnostic::error("It is not known where the database is.", "Write cloud_provider.")],
        );
    };
    let old = if asked.prior.is_null() { None } else { Meaning::of(&asked.prior, &settings).0 };
    let fixed = old.filter(|_| !ends).and_then(|old| plan::moved(&asked.prior, &old, &spec));
    if let Some(other) = fixed.or_else(|| same::elsewhere(&asked.prior, &settings, &spec)) {
        return fails(asked, vec![other]);
    }
    let which = Which::of(&asked);
    let limit = limit(asked.config.get(TIMEOUTS), asked.prior.get(TIMEOUTS), which);
    // It is read, and what comes next may take an hour.
    let asked = Apply { config: Value::Null, ..asked };
    // The state says what was promised, which may be what it said before.
    let told = if ends { None } else { Meaning::of(&asked.planned, &settings).0 };
    let told = told.unwrap_or_else(|| spec.clone());
    let work = async {
        let provider = settings.provider(&spec).await.map_err(|error| vec![refused(&error)])?;
        carry_out(shared, &*provider, (&spec, &told), &asked, now).await
    };
    let done = match limit {
        None => work.await,
        Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(vec![too_long(which)])),
    };
    match done {
        Ok((state, said)) => Answer::refused(state, Vec::new(), said),
        Err(said) => fails(asked, said),
    }
}

async fn carry_out(
    shared: &Shared,
    provider: &dyn Provider,
    (spec, told_of): (&Spec, &Spec),
    asked: &Apply,
    now: Timestamp,
) -> Result<(Value, Vec<Diagnostic>), Vec<Diagnostic>> {
    let told = |error: ProviderError| vec![refused(&error)];
    let which = Which::of(asked);
    let planned = async {
        match which {
            Which::Delete => run::observe_and_plan_destroy(provider, spec).await,
            Which::Create | Which::Update => {
                let timing = run::timing(spec, now);
                // What is busy is not waited for: Terraform tells nobody what it waits for.
                run::observe_and_plan(provider, spec, &timing, Intent::default()).await
            }
        }
    };
    // What comes after it is done, and then looked at, whoever asks to stop: the state has to know.
    let planned =
        shared.stop().unless_asked(planned).await.unwrap_or_else(|| Err(stop::interrupted())).map_err(told)?;
    let said: Vec<Diagnostic> = planned.plan.diagnostics.iter().filter_map(meaning::diagnostic).collect();
    if has_error(&said) {
        return Err(said);
    }
    let id = same::id(provider, spec);
    let begun = match which {
        Which::Create => Some(Begun::of(&id, &same::place(shared, &shared.settings(), provider).await.map_err(told)?)),
        Which::Update | Which::Delete => None,
    };
    let another = async || same::another(&asked.prior, provider, spec, &planned.observed).await.map_err(told);
    let other = match &begun {
        Some(begun) => {
            let taken = || plan::taken(&id, begun, provider, spec, &planned.observed);
            let is_twice = shared.is_second(For::Create, &id) || begun.is_of_this_run();
            is_twice.then(|| same::twice(&id)).or_else(taken)
        }
        None if which == Which::Delete => another().await?,
        None => another().await?.or_else(|| same::gone(provider, spec, &planned.observed)),
    };
    if let Some(other) = other.or_else(|| shown::moved(&asked.private, &id, spec, &planned)) {
        return Err(vec![other]);
    }
    if let Some(begun) = &begun {
        begun.write().map_err(|why| vec![not_begun(&id, why)])?;
    }
    let walked = walk(shared, provider, spec, &planned, now).await;
    let desired = planned.desired;
    if let (Err(said), Some(begun)) = (&walked, &begun) {
        let observed = provider.observe(&desired).await;
        let is_away = |observed: &Vec<_>| same::left(provider.kinds(), observed).is_empty();
        if observed.as_ref().is_ok_and(|observed| !provider.is_among(observed)) {
            begun.remove();
        }
        let rest = (!observed.as_ref().is_ok_and(is_away)).then(|| unknown_to_the_state(&id));
        return Err(said.iter().cloned().chain(rest).collect());
    }
    walked?;
    if which == Which::Delete {
        return Ok((
            Value::Null,
            last_backup(provider, &id, spec, &planned.plan.steps, now).await.into_iter().collect(),
        ));
    }
    let observed = provider.observe(&desired).await.map_err(told)?;
    let drift = look::drift(provider, spec, &desired, &observed);
    if let Some(begun) = &begun {
        // Whether Terraform gets to write its state is not known here: the next look takes it away.
        begun.made(same::own_id(provider, spec, &observed).as_deref());
    }
    let waiting = plan::waiting(&id, &run::timing(spec, clock::now()), &[], &observed);
    Ok((look::state(&asked.planned, provider, told_of, &observed, drift), waiting.into_iter().collect()))
}

fn not_begun(id: &str, why: begun::Refused) -> Diagnostic {
    match why {
        begun::Refused::UnderWay => same::twice(id),
        begun::Refused::Unwritten(error) => {
            let help = "It is written so that a create that is cut short is gone on with. Make Terraform's data folder writable.";
            Diagnostic::error(format!("What is begun cannot be written down: {error}."), help)
        }
    }
}

/// Where the data is that was destroyed. That it was asked for is no word of its being there.
async fn last_backup(
    provider: &dyn Provider,
    id: &str,
    spec: &Spec,
    steps: &[Step],
    now: Timestamp,
) -> Option<Diagnostic> {
    let loses_data = |step: &Step| matches!(step.action, Action::Delete { holds_data: true, .. });
    let asked = ending::last_backup(spec, now).filter(|_| steps.iter().any(loses_data))?;
    // The database is gone: what is not found out in time is told as not known.
    let looked = tokio::time::timeout(LOOK, provider.backups(spec)).await;
    let known = looked.ok().and_then(Result::ok).map(|backups| backups.kept);
    if let Some(name) = known.as_ref().and_then(|kept| ending::newest_of(kept, &asked)) {
        return Some(Diagnostic::warning(
            format!("The last backup of {id} is {name}."),
            "It stays until somebody deletes it.",
        ));
    }
    // One that was never finished has none, and this machine knows its backups.
    let is_known = known.is_some() && spec.target == Cloud::Local;
    let help = "It may have another name, of a destroy that was cut short and is now finished. Look for it among the backups of the target.";
    let said = format!("A last backup {asked} of {id} was asked for, and was not seen afterwards.");
    (!is_known).then(|| Diagnostic::warning(said, help))
}

/// How long is looked for what is only told.
const LOOK: Duration = Duration::from_secs(20);

fn unknown_to_the_state(id: &str) -> Diagnostic {
    let help = format!(
        "Apply again in this folder: that goes on with it. `terraform destroy` does not know it: to end it, take it over first with \
         `terraform import ADDRESS {id}`."
    );
    Diagnostic::warning(format!("Something of {id} is there and not in the state."), help)
}

async fn walk(
    shared: &Shared,
    provider: &dyn Provider,
    spec: &Spec,
    planned: &Planned,
    now: Timestamp,
) -> Result<(), Vec<Diagnostic>> {
    let (sender, events) = unbounded_channel();
    let telling = tokio::spawn(tell(events));
    let outcome =
        run::apply(provider, spec, planned, now, &Events::new(spec.name.clone(), sender), shared.stop()).await;
    // Its sender is gone, so it ends.
    let _ = telling.await;
    if outcome.is_success() { Ok(()) } else { Err(failed(&outcome)) }
}

/// What happens, for whoever reads the log.
async fn tell(mut events: UnboundedReceiver<Event>) {
    while let Some(Event { block, id, what, .. }) = events.recv().await {
        let about = id.map_or(block, |id| id.to_string());
        let words = match what {
            What::Started { action, .. } => format!("{action} begins"),
            What::Phase { phase } => phase,
            What::Progress { done, total: Some(total), unit } => format!("{done} of {total} {unit}"),
            What::Progress { done, total: None, unit } => format!("{done} {unit}"),
            What::Finished { took_ms } => format!("done in {took_ms} ms"),
            What::Failed { message } => format!("failed: {message}"),
            What::Skipped { because } => format!("skipped: {because}"),
            What::Said { message } => message,
        };
        log("INFO", &format!("{about}: {words}"));
    }
}

fn failed(outcome: &Outcome) -> Vec<Diagnostic> {
    let rest = "What was done stays done; the next apply does the rest.";
    let mut said: Vec<Diagnostic> = outcome
        .failed
        .iter()
        .map(|(id, error)| {
            let help = if error.help.is_empty() { String::new() } else { format!("{} ", sentence(&error.help)) };
            Diagnostic::error(sentence(&format!("{id}: {}", error.message)), format!("{help}{rest}"))
        })
        .collect();
    if said.is_empty() {
        let error = ProviderError::new(ErrorKind::Interrupted, "the run was asked to stop").help(rest);
        said.push(refused(&error));
    }
    said
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Create,
    Update,
    Delete,
}

impl Which {
    fn of(asked: &Apply) -> Self {
        match (asked.prior.is_null(), asked.planned.is_null()) {
            (_, true) => Self::Delete,
            (true, false) => Self::Create,
            (false, false) => Self::Update,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// How long is waited; of a database that ends the state knows it.
fn limit(written: &Value, kept: &Value, which: Which) -> Option<Duration> {
    let times = if written.is_null() { kept } else { written };
    times.get(which.name()).as_text().and_then(time)
}

fn time(text: &str) -> Option<Duration> {
    Duration::try_from(text.parse::<jiff::SignedDuration>().ok()?).ok().filter(|time| !time.is_zero())
}

fn too_long(which: Which) -> Diagnostic {
    let name = which.name();
    let help = format!("What was begun goes on, and the next apply does the rest. Write a longer timeouts.{name}.");
    Diagnostic::error(format!("The {name} took longer than timeouts.{name} allows."), help).at(TIMEOUTS)
}

/// What is no time.
pub fn wrong_times(config: &Value) -> Vec<Diagnostic> {
    let times = config.get(TIMEOUTS).as_map().into_iter().flatten();
    let wrong = times.filter(|(_, value)| value.as_text().is_some_and(|text| time(text).is_none()));
    wrong
        .map(|(name, _)| {
            let help = "Write a time with its unit, such as 30s, 5m or 1h.";
            Diagnostic::error(format!("timeouts.{name} is no time."), help).at(TIMEOUTS)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_others_refused() {
        let times = |create: &str| Value::object([(TIMEOUTS, Value::object([("create", Value::text(create))]))]);
        for fine in ["30s", "5m", "1h 30m"] {
            assert_eq!(wrong_times(&times(fine)), [], "{fine}");
        }
        for wrong in ["", "5", "-5m", "0s", "soon"] {
            assert_eq!(wrong_times(&times(wrong)).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn a_database_that_ends_is_waited_for_as_its_state_says() {
        let times = Value::object([("delete", Value::text("2m"))]);
        assert_eq!(limit(&Value::Null, &times, Which::Delete), Some(Duration::from_secs(120)));
        assert_eq!(limit(&times, &Value::Null, Which::Create), None);
    }
}
