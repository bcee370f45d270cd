//! What would be done: the engine's plan, said in Terraform's terms.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pgherd_core::lint::Intent;
use pgherd_core::plan::{Action, text};
use pgherd_core::spec::Spec;
use pgherd_engine::provider::{Provider, ProviderError};
use pgherd_engine::run::{self, Planned};

use super::{DRIFT, REVISION, begun::Begun, promised, refused, same, shown};
use crate::fields;
use crate::meaning::{self, Meaning};
use crate::protocol::{Answer, Diagnostic, Plan, Value, has_error, log};
use crate::provider::Shared;
use crate::settings::Settings;

/// Plans.
pub async fn plan(shared: &Shared, asked: Plan) -> Answer {
    let settings = shared.settings();
    if asked.proposed.is_null() {
        return destroy(&settings, asked).await;
    }
    let now = Timestamp::now();
    let meaning = Meaning::checked(&asked.config, &settings, now.to_zoned(TimeZone::UTC).date());
    if has_error(&meaning.diagnostics) {
        return Answer::refused(asked.proposed, asked.private, meaning.diagnostics);
    }
    // What the configuration alone says was said when it was validated; only what could not be known then is new.
    let mut said = meaning.accepted.clone();
    let old = if asked.prior.is_null() { None } else { Meaning::of(&asked.prior, &settings).0 };
    let Some(spec) = &meaning.spec else { return Answer::of(open(&asked, None), Vec::new()) };
    if let Some(fixed) = old.as_ref().and_then(|old| moved(&asked.prior, old, spec)) {
        return Answer::refused(asked.proposed, asked.private, vec![fixed]);
    }
    if meaning.unknown.iter().any(|variable| !variable.sensitive) {
        let effective = meaning.is_settled().then(|| effective(spec, &meaning));
        return Answer::refused(open(&asked, effective), Vec::new(), said);
    }
    let looked = async {
        let provider = settings.provider(spec).await?;
        let planned = run::observe_and_plan(&*provider, spec, &run::timing(spec, now), Intent::default()).await?;
        Ok::<_, ProviderError>((provider, planned))
    };
    let (provider, planned) = match looked.await {
        Ok(found) => found,
        Err(error) => return Answer::refused(asked.proposed, asked.private, vec![refused(&error)]),
    };
    said.extend(planned.plan.diagnostics.iter().filter_map(meaning::diagnostic));
    let is_there = provider.is_among(&planned.observed);
    if old.is_some() {
        match same::another(&asked.prior, &*provider, spec, &planned.observed).await {
            Ok(another) => said.extend(another.or_else(|| same::gone(&*provider, spec, is_there))),
            Err(error) => said.push(refused(&error)),
        }
    } else {
        let id = same::id(&*provider, spec);
        if !is_there {
            // What was begun came to nothing: whatever is there later is somebody else's.
            Begun::of(&id).remove();
        }
        said.extend(taken(&id, is_there).or_else(|| is_there.then(|| gone_on_with(&id))));
    }
    if has_error(&said) {
        return Answer::refused(asked.proposed, asked.private, said);
    }
    said.extend(interruption(spec, &planned));
    tell(spec, &planned);
    if planned.plan.steps.is_empty() && asked.private == shown::IMPORTED {
        let help = "It is as the block says. Terraform shows what is written as changes, because the state of an import knows none of it.";
        let id = same::id(&*provider, spec);
        said.push(Diagnostic::warning(format!("Nothing will be done to {id}: only the state is written."), help));
    }
    let has_open_password = meaning.unknown.iter().any(|variable| variable.sensitive);
    let state = promise(&asked, &*provider, old.as_ref(), spec, &planned, has_open_password);
    Answer::refused(state, shown::kept(spec, &planned), said)
}

/// The end of a database: what protects it stops the plan, not only the apply.
async fn destroy(settings: &Settings, asked: Plan) -> Answer {
    let (spec, ..) = Meaning::of(&asked.prior, settings);
    let Some(spec) = spec else { return Answer::of(Value::Null, asked.private) };
    if let Some(other) = same::other_target(&asked.prior, &spec) {
        return Answer::refused(Value::Null, asked.private, vec![other]);
    }
    let looked = async {
        let provider = settings.provider(&spec).await?;
        let planned = run::observe_and_plan_destroy(&*provider, &spec).await?;
        let another = same::another(&asked.prior, &*provider, &spec, &planned.observed).await?;
        Ok::<_, ProviderError>((planned, another))
    };
    match looked.await {
        Ok((planned, another)) => {
            let mut said: Vec<Diagnostic> = planned.plan.diagnostics.iter().filter_map(meaning::diagnostic).collect();
            said.extend(another);
            tell(&spec, &planned);
            Answer::refused(Value::Null, shown::kept(&spec, &planned), said)
        }
        Err(error) => Answer::refused(Value::Null, asked.private, vec![refused(&error)]),
    }
}

/// Another identity is another database: this one would be left behind, or deleted.
pub fn moved(prior: &Value, old: &Spec, new: &Spec) -> Option<Diagnostic> {
    let is = prior.get("id").as_text().unwrap_or(&old.name);
    let advice = "Nothing is replaced here: a replaced database is an empty one. Write it back; or add a second database, bring the \
        data over, and take this one away.";
    let differs = |what: &str, from: &str, to: &str| {
        Some(Diagnostic::error(format!("The {what} of {is} cannot become {to}: it is {from}."), advice))
    };
    if let Some(target) = is.split_once('/').map(|(target, _)| target).filter(|target| *target != new.target.name()) {
        return differs("target", target, new.target.name()).map(|one| one.at("cloud_provider"));
    }
    if old.name != new.name {
        return differs("name", &old.name, &new.name).map(|one| one.at("name"));
    }
    match (old.place.region.known(), new.place.region.known()) {
        (Some(region), Some(new_region)) if region != new_region => {
            let one = differs("region", region, new_region)?;
            Some(match fields::region(new.target) {
                Some(variable) => one.at(variable),
                None => one,
            })
        }
        _ => None,
    }
}

/// Why a database cannot be made: there is one of that name, or somebody is making it, and nothing says that it was begun here.
pub fn taken(id: &str, is_there: bool) -> Option<Diagnostic> {
    if !is_there || Begun::of(id).is_there() {
        return None;
    }
    let help = format!(
        "Take it over with `terraform import ADDRESS {id}`, where ADDRESS is the one of this resource, or with an import block; \
         or choose another name."
    );
    Some(Diagnostic::error(format!("There is a database {id} already."), help).at("name"))
}

/// A create that was cut short is no new database.
fn gone_on_with(id: &str) -> Diagnostic {
    let help = "A create from this folder was cut short before its end was known. If somebody else has made it since, choose another name: \
        the apply changes this one.";
    Diagnostic::warning(format!("There is a database {id} already, and this goes on with it."), help)
}

/// What users of the database will notice, which no attribute says.
fn interruption(spec: &Spec, planned: &Planned) -> Option<Diagnostic> {
    let interrupts =
        planned.plan.steps.iter().flat_map(|step| step.action.changes()).any(|change| change.impact.interrupts());
    if !interrupts {
        return None;
    }
    let lines: Vec<String> = text::lines(&planned.plan, false).into_iter().map(|line| line.text).collect();
    Some(Diagnostic::warning(format!("Who uses {} will notice.", spec.name), lines.join("\n")))
}

/// The engine's own plan, for the log.
fn tell(spec: &Spec, planned: &Planned) {
    for line in text::lines(&planned.plan, true) {
        log("INFO", &format!("{}: {}", spec.name, line.text));
    }
}

/// A plan in which something that is needed is not known yet: everything that is told is open.
fn open(asked: &Plan, effective: Option<Value>) -> Value {
    let mut planned = asked.proposed.clone();
    for attribute in fields::outputs() {
        planned.set(&attribute.name, Value::Unknown);
    }
    for name in ["id", "engine_version_actual", DRIFT, REVISION, shown::STEPS] {
        planned.set(name, Value::Unknown);
    }
    if let Some(effective) = effective {
        planned.set("effective", effective);
    }
    planned
}

/// Every setting that is known.
fn effective(spec: &Spec, meaning: &Meaning) -> Value {
    let outputs = pgherd_core::outputs::outputs(spec, &pgherd_core::outputs::Facts::default());
    let told = fields::told(&outputs).into_iter().find(|(name, _)| name == "effective");
    let mut settings = told.map_or(Value::Null, |(_, settings)| settings);
    for variable in meaning.unknown.iter().filter(|variable| !variable.sensitive) {
        settings.set(variable.name, Value::Unknown);
    }
    settings
}

/// What comes of it, as far as it can be promised. A password that is not known yet may be another one than the one in force.
fn promise(
    asked: &Plan,
    provider: &dyn Provider,
    old: Option<&Spec>,
    spec: &Spec,
    planned: &Planned,
    has_open_password: bool,
) -> Value {
    let mut state = asked.proposed.clone();
    let mut outputs = provider.outputs(spec, &planned.observed);
    let runs = promised::take_version(&mut outputs);
    let had_drift = asked.prior.get(DRIFT).as_map().is_some_and(|drift| !drift.is_empty());
    let does_something = !planned.plan.steps.is_empty() || has_open_password;
    for (name, value) in promised::outputs(&outputs, old, spec, planned, does_something, had_drift) {
        state.set(&name, value);
    }
    state.set("engine_version_actual", if does_something { Value::Unknown } else { runs });
    state.set("id", Value::text(same::id(provider, spec)));
    state.set(DRIFT, Value::object::<String>([]));
    let next = match asked.prior.get(REVISION).as_int() {
        None => Value::int(1),
        Some(_) if has_open_password => Value::Unknown,
        Some(revision) if has_new_password(planned) => Value::int(revision + 1),
        Some(revision) => Value::int(revision),
    };
    state.set(REVISION, next);
    let steps = match (does_something, asked.prior.get(shown::STEPS)) {
        _ if has_open_password => Value::Unknown,
        (false, before) if !asked.prior.is_null() => before.clone(),
        _ => shown::steps(planned),
    };
    state.set(shown::STEPS, steps);
    state
}

/// Whether the password that is given is another than the one in force. The target knows a verifier of that, so nothing made of the
/// password has to be kept to compare it with.
fn has_new_password(planned: &Planned) -> bool {
    planned.plan.steps.iter().any(|step| match &step.action {
        Action::Update { changes, .. } => changes.iter().any(|change| change.to.has_secret()),
        Action::Create { .. } | Action::Delete { .. } => false,
    })
}
