//! Does what was planned: planned once more, since the world may have moved, and carried out by the engine.

use std::sync::OnceLock;
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

use super::{REVISION, TIMEOUTS, begun, begun::Begun, look, plan, refused, same, shown};
use crate::clock;
use crate::fields;
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
    let spec = if ends { spec } else { Meaning::of(&as_planned(&asked), &settings).0 };
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
    let limit = limit(if ends { &asked.prior } else { &asked.planned }, which);
    // It is read, and what comes next may take an hour.
    let asked = Apply { config: Value::Null, ..asked };
    // The state says what was promised, which may be what it said before.
    let told = if ends { None } else { Meaning::of(&asked.planned, &settings).0 };
    let told = told.unwrap_or_else(|| spec.clone());
    let provider = match settings.provider(&spec).await {
        Ok(provider) => provider,
        Err(error) => return fails(asked, vec![refused(&error)]),
    };
    let done = Done::default();
    let work = carry_out(shared, &*provider, (&spec, &told), &asked, (now, &done));
    let came = match limit {
        None => Some(work.await),
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
    };
    let is_under_way = came.is_none();
    match came.unwrap_or_else(|| Err(vec![too_long(which)])) {
        Ok((state, said)) => Answer::refused(state, Vec::new(), said),
        Err(mut said) => {
            if let Some(begun) = done.begun.get() {
                said.extend(cut_short(&*provider, &spec, begun, is_under_way).await);
            }
            fails(Apply { prior: done.told(asked.prior), ..asked }, said)
        }
    }
}

/// What was done of an apply that went wrong later.
#[derive(Default)]
struct Done {
    /// A create was begun.
    begun: OnceLock<Begun>,
    /// The password was exchanged.
    exchanged: OnceLock<()>,
}

impl Done {
    /// A state of before, with what was done and no later look can tell: whoever hangs on the password is to hear of it.
    fn told(&self, mut state: Value) -> Value {
        if let (Some(()), Some(revision)) = (self.exchanged.get(), state.get(REVISION).as_int()) {
            state.set(REVISION, Value::int(revision + 1));
        }
        state
    }
}

/// What the plan was made of. To that Terraform hands what is written without what it is to ignore (`ignore_changes`), to the apply all of it,
/// and then something nobody was shown would be done. What the state keeps in other words is as it is written, and a secret that is kept
/// nowhere only stands there.
fn as_planned(asked: &Apply) -> Value {
    let mut meant = asked.planned.clone();
    let reworded = shown::reworded(&asked.private);
    for variable in fields::canonical() {
        if variable.sensitive {
            let unkept = fields::write_only(variable);
            meant.set(&unkept, asked.config.get(&unkept).clone());
        } else if reworded.iter().any(|name| name == variable.name) {
            meant.set(variable.name, asked.config.get(variable.name).clone());
        }
    }
    meant
}

/// What is to be known of a create that was begun and did not come to its end. Where its time was over, what was asked for last may not be
/// seen yet.
async fn cut_short(provider: &dyn Provider, spec: &Spec, begun: &Begun, is_under_way: bool) -> Option<Diagnostic> {
    let looked = tokio::time::timeout(LOOK, provider.observe(&provider.desired(spec))).await;
    let observed = looked.ok().and_then(Result::ok);
    let is_there = observed.as_ref().map(|observed| provider.is_among(observed));
    if let Some(made) = observed.as_ref().and_then(|observed| same::own_id(provider, spec, observed)) {
        // Whatever gets the name later is somebody else's.
        begun.is_of(&made);
    } else if is_there == Some(false) && !is_under_way {
        begun.remove();
    }
    let is_left = observed.map(|observed| !same::left(provider.kinds(), &observed).is_empty());
    let is = match is_left {
        Some(true) => "is",
        Some(false) if !is_under_way => return None,
        Some(false) | None => "may be",
    };
    Some(unknown_to_the_state(&same::id(provider, spec), is))
}

async fn carry_out(
    shared: &Shared,
    provider: &dyn Provider,
    (spec, told_of): (&Spec, &Spec),
    asked: &Apply,
    (now, done): (Timestamp, &Done),
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
    let may_be_less = which != Which::Update;
    if let Some(other) = other.or_else(|| shown::moved(&asked.private, &id, spec, &planned, may_be_less)) {
        return Err(vec![other]);
    }
    if let Some(begun) = begun {
        let is_there = provider.is_among(&planned.observed);
        let made = same::own_id(provider, spec, &planned.observed).filter(|_| is_there);
        begun.write(made.as_deref()).map_err(|why| vec![not_begun(&id, why)])?;
        done.begun.get_or_init(|| begun);
    }
    let outcome = walk(shared, provider, spec, &planned, now).await;
    if !outcome.is_success() {
        let is_done = |step: &&Step| outcome.done.contains(&step.id);
        if planned.plan.steps.iter().filter(is_done).any(plan::exchanges_password) {
            done.exchanged.get_or_init(|| ());
        }
        return Err(failed(&outcome));
    }
    let desired = planned.desired;
    if which == Which::Delete {
        return Ok((
            Value::Null,
            last_backup(provider, &id, spec, &planned.plan.steps, now).await.into_iter().collect(),
        ));
    }
    let observed = provider.observe(&desired).await.map_err(told)?;
    let not_yet = not_yet(&id, &look::drift(provider, spec, &desired, &observed));
    if let Some(begun) = done.begun.get() {
        // Whether Terraform gets to write its state is not known here: the next look takes it away.
        begun.made(same::own_id(provider, spec, &observed).as_deref());
    }
    let waiting = plan::waiting(&id, &run::timing(spec, clock::now()), &[], &observed);
    // Of what is different it was promised that it is not, and the next look finds it.
    let state = look::state(&asked.planned, provider, told_of, &observed, Value::object::<String>([]));
    Ok((state, not_yet.into_iter().chain(waiting).collect()))
}

/// What was accepted and is not so all the same.
fn not_yet(id: &str, drift: &Value) -> Option<Diagnostic> {
    let differs = drift.as_map().filter(|differs| !differs.is_empty())?;
    let lines: Vec<String> =
        differs.iter().map(|(field, value)| format!("{field}: {}", value.as_text().unwrap_or_default())).collect();
    let help = format!("{}\nThe next plan shows what is left to do.", lines.join("\n"));
    Some(Diagnostic::warning(format!("{id} is not yet as its block says."), help))
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

fn unknown_to_the_state(id: &str, is: &str) -> Diagnostic {
    let help = format!(
        "Apply again in this folder: that goes on with it. `terraform destroy` does not know it: to end it, take it over first with \
         `terraform import ADDRESS {id}`."
    );
    Diagnostic::warning(format!("Something of {id} {is} there and not in the state."), help)
}

async fn walk(shared: &Shared, provider: &dyn Provider, spec: &Spec, planned: &Planned, now: Timestamp) -> Outcome {
    let (sender, events) = unbounded_channel();
    let telling = tokio::spawn(tell(events));
    let outcome =
        run::apply(provider, spec, planned, now, &Events::new(spec.name.clone(), sender), shared.stop()).await;
    // Its sender is gone, so it ends.
    let _ = telling.await;
    outcome
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

/// How long is waited, by what is planned; of a database that ends the state knows it. A time that was taken out of the block does not hold
/// any more.
fn limit(known: &Value, which: Which) -> Option<Duration> {
    known.get(TIMEOUTS).get(which.name()).as_text().and_then(time)
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
    fn each_time_is_of_its_own() {
        let known = Value::object([(TIMEOUTS, Value::object([("delete", Value::text("2m"))]))]);
        assert_eq!(limit(&known, Which::Delete), Some(Duration::from_secs(120)));
        assert_eq!(limit(&known, Which::Create), None);
        assert_eq!(limit(&Value::object([(TIMEOUTS, Value::Null)]), Which::Update), None);
    }

    #[test]
    fn what_terraform_ignores_is_not_done() {
        let value = |class: &str, version: &str| {
            let pairs = [("instance_class", class), ("engine_version", version), ("master_password", class)];
            Value::object(pairs.map(|(name, value)| (name, Value::text(value))))
        };
        let mut config = value("db.t3.large", "17");
        config.set("master_password_wo", Value::text("a-new-one"));
        let private = br#"{"block":"orders","spec":"","fingerprint":"","steps":[],"reworded":["engine_version"]}"#;
        let planned = value("db.t3.medium", "17.4");
        let asked = Apply { prior: planned.clone(), planned, config, private: private.to_vec() };
        let mut expected = value("db.t3.medium", "17");
        expected.set("master_password_wo", Value::text("a-new-one"));
        assert_eq!(meaning::inputs(&as_planned(&asked)), meaning::inputs(&expected));
    }

    #[test]
    fn a_password_that_was_exchanged_is_counted_whatever_failed_then() {
        let state = Value::object([(REVISION, Value::int(1))]);
        let done = Done::default();
        assert_eq!(done.told(state.clone()), state);
        done.exchanged.get_or_init(|| ());
        assert_eq!(done.told(state).get(REVISION).as_int(), Some(2));
        assert_eq!(done.told(Value::Null), Value::Null, "a create leaves no state");
    }

    #[test]
    fn what_did_not_take_is_said() {
        let differs = |pairs: &[(&str, &str)]| {
            not_yet("local/orders", &Value::object(pairs.iter().map(|(field, is)| (*field, Value::text(*is)))))
        };
        assert_eq!(differs(&[]), None);
        let said = differs(&[("instance orders: enable_proxy", "false")]).expect("it differs");
        assert!(!said.is_error && said.summary == "local/orders is not yet as its block says.", "{said:?}");
        assert!(said.detail.starts_with("instance orders: enable_proxy: false\n"), "{}", said.detail);
    }
}
