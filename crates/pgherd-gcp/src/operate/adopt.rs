//! `adopt`: an instance becomes pgherd's, when its block says exactly what there is. That is looked at beforehand, as if it wore the label
//! already; nothing but labels is changed, and the credentials are written down by the next apply.

use pgherd_core::lint::Intent;
use pgherd_core::plan::{Action, Step};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use pgherd_engine::run;
use pgherd_engine::through::timing;

use crate::fields::LABELS;
use crate::kinds::{alert, channel, instance, secret};
use crate::labels;
use crate::live::relabelled;
use crate::observe::{Found, find};
use crate::provider::Gcp;
use crate::wait::say;

/// Takes a database over.
pub(super) async fn adopt(gcp: &Gcp, spec: &Spec, events: &Events) -> Result<(), ProviderError> {
    let claiming = gcp.claiming(&spec.name);
    let there = match find(&claiming, &spec.name).await? {
        Found::Ours(there) => there,
        Found::Foreign(_, why) => {
            return Err(ProviderError::new(ErrorKind::Conflict, format!("{} is another's: {why}", spec.name)));
        }
        Found::Nothing => {
            let words = format!("there is no instance {} to be adopted", spec.name);
            return Err(ProviderError::new(ErrorKind::NotFound, words).help("name in the block says which it is"));
        }
    };
    let planned = run::observe_and_plan(&claiming, spec, &timing(spec), Intent::default()).await?;
    let errors = planned.plan.diagnostics.iter().filter(|_| planned.plan.is_refused()).map(|said| said.message.clone());
    let differs: Vec<String> = errors.chain(planned.plan.steps.iter().filter_map(words)).collect();
    if !differs.is_empty() {
        let words = format!("{} is not as its block says: {}", spec.name, differs.join("; "));
        let help = "write the block as the database is, then adopt it";
        return Err(ProviderError::new(ErrorKind::Protected, words).help(help));
    }
    for replica in there.replicas().iter().filter(|name| crate::names::source(name) == Some(&spec.name)) {
        worn(gcp, spec, replica, events).await?;
    }
    // What says that it is ours is last.
    worn(gcp, spec, &spec.name, events).await?;
    say(
        events,
        format!("the instance {} is pgherd's; pgherd apply gives it a new password and writes that down", spec.name),
    );
    Ok(())
}

async fn worn(gcp: &Gcp, spec: &Spec, name: &str, events: &Events) -> Result<(), ProviderError> {
    let wanted = labels::sent(&instance::wanted(spec, gcp.project()).props);
    let all: Vec<(&str, Option<&str>)> =
        wanted.iter().map(|(key, value)| (key.as_str(), Some(value.as_str()))).collect();
    relabelled(gcp, name, &all, events).await
}

/// In what it differs. Labels are put on, and what stands around a database is made.
fn words(step: &Step) -> Option<String> {
    let Step { id, action, needs: _ } = step;
    match action {
        Action::Create { .. } if [secret::NAME, alert::NAME, channel::NAME].contains(&id.kind.as_str()) => None,
        Action::Create { .. } => Some(format!("there is no {id}")),
        Action::Delete { .. } => Some(format!("there is {id}, which the block does not want")),
        Action::Update { .. } if id.kind == secret::NAME => None,
        Action::Update { changes, .. } => {
            let is_ours = |field: &str, from: &Value| field.starts_with(LABELS) && from.is_null();
            let told: Vec<String> = changes
                .iter()
                .filter(|change| !is_ours(&change.field, &change.from))
                .map(|change| format!("{} of {id} is {}, the block says {}", change.field, change.from, change.to))
                .collect();
            (!told.is_empty()).then(|| told.join("; "))
        }
    }
}
