//! `adopt`: a server becomes pgherd's, when its block says exactly what there is. That is looked at beforehand, as if it wore the tag
//! already; nothing but tags is changed, and the credentials are written down by the next apply.

use pgherd_core::lint::Intent;
use pgherd_core::plan::{Action, Step};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use pgherd_engine::run;
use pgherd_engine::through::timing;

use crate::kinds::{action_group, alert, lock, logs, secret, server};
use crate::live::retagged;
use crate::observe::{Found, find, replicas};
use crate::provider::Azure;
use crate::tags::{self, TAGS};
use crate::wait::say;

/// Takes a database over.
pub(super) async fn adopt(azure: &Azure, spec: &Spec, events: &Events) -> Result<(), ProviderError> {
    let claiming = azure.claiming(&spec.name);
    match find(&claiming, &spec.name).await? {
        Found::Ours(_) => {}
        Found::Foreign(_, why) => {
            return Err(ProviderError::new(ErrorKind::Conflict, format!("{} is another's: {why}", spec.name)));
        }
        Found::Nothing => {
            let words = format!("there is no server {} to be adopted", spec.name);
            return Err(ProviderError::new(ErrorKind::NotFound, words).help("name in the block says which it is"));
        }
    }
    let planned = run::observe_and_plan(&claiming, spec, &timing(spec), Intent::default()).await?;
    let errors = planned.plan.diagnostics.iter().filter(|_| planned.plan.is_refused()).map(|said| said.message.clone());
    let differs: Vec<String> = errors.chain(planned.plan.steps.iter().filter_map(words)).collect();
    if !differs.is_empty() {
        let words = format!("{} is not as its block says: {}", spec.name, differs.join("; "));
        let help = "write the block as the database is, then adopt it";
        return Err(ProviderError::new(ErrorKind::Protected, words).help(help));
    }
    for replica in replicas(azure, &spec.name).await? {
        worn(azure, spec, replica.name(), events).await?;
    }
    // What says that it is ours is last.
    worn(azure, spec, &spec.name, events).await?;
    say(
        events,
        format!("the server {} is pgherd's; pgherd apply gives it a new password and writes that down", spec.name),
    );
    Ok(())
}

async fn worn(azure: &Azure, spec: &Spec, name: &str, events: &Events) -> Result<(), ProviderError> {
    let wanted = tags::sent(&server::wanted(spec, azure.around()).props);
    let all: Vec<(&str, Option<&str>)> = wanted.iter().map(|(tag, to)| (tag.as_str(), Some(to.as_str()))).collect();
    retagged(azure, name, &all, events).await
}

/// In what it differs. Tags are put on, and what stands around a database is made.
fn words(step: &Step) -> Option<String> {
    const AROUND: [&str; 5] = [secret::NAME, alert::NAME, action_group::NAME, logs::NAME, lock::NAME];
    let Step { id, action, needs: _ } = step;
    match action {
        Action::Create { .. } if AROUND.contains(&id.kind.as_str()) => None,
        Action::Create { .. } => Some(format!("there is no {id}")),
        Action::Delete { .. } => Some(format!("there is {id}, which the block does not want")),
        Action::Update { .. } if id.kind == secret::NAME => None,
        Action::Update { changes, .. } => {
            let is_ours = |field: &str, from: &Value| field.starts_with(TAGS) && from.is_null();
            let told: Vec<String> = changes
                .iter()
                .filter(|change| !is_ours(&change.field, &change.from))
                .map(|change| format!("{} of {id} is {}, the block says {}", change.field, change.from, change.to))
                .collect();
            (!told.is_empty()).then(|| told.join("; "))
        }
    }
}
