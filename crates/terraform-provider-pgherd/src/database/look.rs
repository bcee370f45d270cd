//! What there is: read, compared with what was left there, imported by name.

use pgherd_core::cloud::Cloud;
use pgherd_core::plan::{Action, Step, plan};
use pgherd_core::resource::{Observed, Resource, Status};
use pgherd_core::spec::Spec;
use pgherd_engine::provider::{Provider, ProviderError};
use pgherd_engine::run;

use super::{DRIFT, REVISION, begun::Begun, imported, promised, refused, same, shown};
use crate::clock;
use crate::fields;
use crate::functions::Problem;
use crate::meaning::{self, Meaning};
use crate::protocol::{Answer, Diagnostic, Kept, Schema, Value};
use crate::provider::Shared;

/// How a database is, by its state.
pub async fn read(shared: &Shared, kept: Kept) -> Answer {
    let settings = shared.settings();
    let (spec, ..) = Meaning::of(&kept.state, &settings);
    let Some(spec) = spec else { return Answer::of(kept.state, kept.private) };
    let told = |error: ProviderError| vec![refused(&error)];
    let looked = async {
        same::elsewhere(&kept.state, &settings, &spec).map_or(Ok(()), |other| Err(vec![other]))?;
        let provider = settings.provider(&spec).await.map_err(told)?;
        same::other_place(&kept.state, &*provider, &spec).map_or(Ok(()), |other| Err(vec![other]))?;
        // The state knows of it, whoever made it.
        shared.is_known(&same::id(&*provider, &spec));
        if let Ok(place) = same::place(shared, &settings, &*provider).await {
            Begun::of(&same::id(&*provider, &spec), &place).remove();
        }
        let desired = provider.desired(&spec);
        let observed = provider.observe(&desired).await.map_err(told)?;
        let another = same::another(&kept.state, &*provider, &spec, &observed).await.map_err(told)?;
        another.map_or(Ok(()), |another| Err(vec![another]))?;
        if same::left(provider.kinds(), &observed).is_empty() {
            return Ok(Value::Null);
        }
        // Its settings are what is read, so nothing differs from them.
        if kept.private == shown::IMPORTED && provider.is_among(&observed) {
            let read = imported::read(&settings, &*provider, kept.state.clone(), (spec, observed)).await;
            let (state, spec, observed) = read.map_err(told)?;
            return Ok(self::state(&state, &*provider, &spec, &observed, Value::object::<String>([])));
        }
        let drift = drift(&*provider, &spec, &desired, &observed);
        // Of a database that is gone nothing is told but what is left of it: the state still says which one it was.
        if !provider.is_among(&observed) {
            let mut state = kept.state.clone();
            state.set("id", Value::text(same::id(&*provider, &spec)));
            state.set(DRIFT, drift);
            return Ok(state);
        }
        let state = state(&kept.state, &*provider, &spec, &observed, drift);
        shared.has_seen(&same::id(&*provider, &spec), desired, observed);
        Ok(state)
    };
    match looked.await {
        Ok(state) => Answer::of(state, kept.private),
        Err(said) => Answer::refused(kept.state, kept.private, said),
    }
}

/// The state with everything that is told of it.
pub fn state(base: &Value, provider: &dyn Provider, spec: &Spec, observed: &[Observed], drift: Value) -> Value {
    let mut state = base.clone();
    let mut outputs = provider.outputs(spec, observed);
    state.set("engine_version_actual", promised::take_version(&mut outputs));
    for (name, value) in fields::told(&outputs) {
        state.set(&name, value);
    }
    state.set("id", Value::text(same::id(provider, spec)));
    state.set(DRIFT, drift);
    state
}

/// What it would take to have it as it was left. Pure, and so nothing is asked for it.
pub fn steps(provider: &dyn Provider, spec: &Spec, desired: &[Resource], observed: &[Observed]) -> Vec<Step> {
    plan(provider.kinds(), &spec.block, desired, observed, &run::timing(spec, clock::now())).steps
}

/// What differs, by field, with the value it has.
pub fn drift(provider: &dyn Provider, spec: &Spec, desired: &[Resource], observed: &[Observed]) -> Value {
    let mut differs = Vec::new();
    for step in &steps(provider, spec, desired, observed) {
        let id = &step.id;
        match &step.action {
            Action::Create { .. } => {
                let seen = observed.iter().find(|seen| seen.id == *id).map(|seen| &seen.status);
                let why = match seen {
                    Some(Status::Incomplete(why)) => why.clone(),
                    _ => "is not there".to_owned(),
                };
                differs.push((id.to_string(), Value::text(why)));
            }
            Action::Update { changes, .. } => {
                let each = changes.iter().filter(|change| !change.is_waiting());
                differs.extend(
                    each.map(|change| (format!("{id}: {}", change.field), Value::text(change.from.to_string()))),
                );
            }
            Action::Delete { .. } => differs.push((id.to_string(), Value::text("is there, and nothing wants it"))),
        }
    }
    Value::object(differs)
}

/// The state of a database that exists, as far as its name tells: what it says is compared with at the next plan.
pub fn import(shared: &Shared, schema: &Schema, id: &str) -> Answer {
    let parts: Vec<&str> = id.split('/').collect();
    let (target, region, name) = match parts.as_slice() {
        [name] => (None, None, *name),
        [target, name] => (Some(*target), None, *name),
        [target, region, name] => (Some(*target), Some(*region), *name),
        _ => (None, None, ""),
    };
    let cloud = target.map(Cloud::from_name);
    if name.is_empty() || cloud == Some(None) {
        let clouds: Vec<&str> = Cloud::ALL.iter().map(|cloud| cloud.name()).collect();
        let help = format!(
            "Write target/region/name, target/name, or name: the target is one of {}, as in local/orders or aws/eu-central-1/orders.",
            clouds.join(", ")
        );
        return Answer::refused(
            Value::Null,
            Vec::new(),
            vec![Diagnostic::error(format!("\"{id}\" names no database."), help)],
        );
    }
    let set = shared.settings().target;
    if let (Some(Some(typed)), Some(set)) = (cloud, set)
        && typed != set
    {
        let help = "The database of that name there is another one. Take target out of the provider's block, or PGHERD_TARGET out of the \
            environment; or write the id of the one that is meant.";
        let said =
            Diagnostic::error(format!("\"{id}\" is on {typed}, and the provider runs every database on {set}."), help);
        return Answer::refused(Value::Null, Vec::new(), vec![said]);
    }
    let mut state = Value::object(schema.attributes.iter().map(|attribute| (attribute.name.clone(), Value::Null)));
    state.set("name", Value::text(name));
    if let Some(target) = target {
        state.set("cloud_provider", Value::text(target));
    }
    let variable = cloud.flatten().or(set).and_then(fields::region);
    if let (None, Some(region)) = (variable, region) {
        let said = Diagnostic::error(
            format!("\"{id}\" names no database."),
            format!("There is no region {region} there: write target/name."),
        );
        return Answer::refused(Value::Null, Vec::new(), vec![said]);
    }
    if let (Some(variable), Some(region)) = (variable, region) {
        state.set(variable, Value::text(region));
    }
    let inputs = meaning::inputs(&state);
    let today = clock::today();
    let wrong = ["name"].into_iter().chain(variable).map(|variable| Problem::of(variable, &inputs, set, today));
    let wrong: Vec<String> = wrong.filter(|said| !said.is_empty()).collect();
    if !wrong.is_empty() {
        let said = Diagnostic::error(format!("\"{id}\" names no database."), wrong.join(" "));
        return Answer::refused(Value::Null, Vec::new(), vec![said]);
    }
    state.set(REVISION, Value::int(1));
    Answer::of(state, shown::IMPORTED.to_vec())
}
