//! `adopt`: a cluster becomes pgherd's, when its block says exactly what there is. That is looked at beforehand, as if it wore the tag
//! already. Tags are put on, and what nobody notices is done with them, so that nothing is left to do.

use pgherd_core::lint::Intent;
use pgherd_core::plan::{Action, Step};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use pgherd_engine::run;

use crate::api;
use crate::kinds::{alert, cluster, secret};
use crate::observe::{Found, find};
use crate::provider::DigitalOcean;
use crate::tags;
use crate::wait::say;
use pgherd_engine::through::{through, timing};

/// Takes a database over.
pub(super) async fn adopt(ocean: &DigitalOcean, spec: &Spec, events: &Events) -> Result<(), ProviderError> {
    let claiming = ocean.claiming(&spec.name);
    let cluster = match find(&claiming, &spec.name).await? {
        Found::Ours(cluster) => cluster,
        Found::Foreign(_, why) => {
            return Err(ProviderError::new(ErrorKind::Conflict, format!("{} is another's: {why}", spec.name)));
        }
        Found::Nothing => {
            let words = format!("there is no cluster {} to be adopted", spec.name);
            return Err(ProviderError::new(ErrorKind::NotFound, words).help("name in the block says which it is"));
        }
    };
    let planned = run::observe_and_plan(&claiming, spec, &timing(spec), Intent::default()).await?;
    let errors = planned.plan.diagnostics.iter().filter(|_| planned.plan.is_refused()).map(|said| said.message.clone());
    let differs: Vec<String> = errors.chain(planned.plan.steps.iter().filter_map(words)).collect();
    if !differs.is_empty() {
        let words = format!("{} is not as its block says: {}", spec.name, differs.join("; "));
        return Err(
            ProviderError::new(ErrorKind::Protected, words).help("write the block as the database is, then adopt it")
        );
    }
    let wanted = cluster::wanted(spec);
    // The one that says that it is ours is last.
    let mut all = tags::sent(&wanted.props);
    all.sort_by_key(|tag| tag.starts_with(tags::BLOCK));
    for tag in all.iter().filter(|tag| !cluster.tags.iter().any(|worn| worn.eq_ignore_ascii_case(tag))) {
        api::tag(ocean.session(), &cluster.id, tag).await?;
    }
    say(events, format!("the cluster {} is pgherd's", spec.name));
    if let Some(folder) = ocean.secrets(&spec.name) {
        folder.want_document()?;
    }
    // What nobody notices, and what no console sets: the hour of the backup, alerts, the file with the password.
    through(&claiming, spec, events).await
}

/// Settings that the block always says and a cluster that somebody made has not: setting them ends nothing.
const QUIET: [&str; 2] = ["config.backup_hour", "config.backup_minute"];

/// In what it differs. Tags and alerts are put on, and what is in this machine's own files is no part of the database.
fn words(step: &Step) -> Option<String> {
    let Step { id, action, needs: _ } = step;
    match action {
        _ if id.kind == secret::NAME => None,
        Action::Create { .. } if id.kind == alert::NAME => None,
        Action::Create { .. } => Some(format!("there is no {id}")),
        Action::Delete { .. } => Some(format!("there is {id}, which the block does not want")),
        Action::Update { changes, .. } => {
            let is_ours =
                |field: &str, from: &Value| (field.starts_with("tags.") || QUIET.contains(&field)) && from.is_null();
            let told: Vec<String> = changes
                .iter()
                .filter(|change| !is_ours(&change.field, &change.from))
                .map(|change| format!("{} of {id} is {}, the block says {}", change.field, change.from, change.to))
                .collect();
            (!told.is_empty()).then(|| told.join("; "))
        }
    }
}
