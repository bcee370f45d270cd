//! `adopt`: what exists under the names of a block becomes pgherd's, when the block then says exactly what there is. That is looked at
//! beforehand, as if the tags were on already; nothing but tags is changed, and no password is ever given to anybody.

use pgherd_core::lint::Intent;
use pgherd_core::plan::{Action, Plan, Step};
use pgherd_core::resource::{Id, Observed, Status};
use pgherd_core::secret::Secret;
use pgherd_core::spec::{Setting, Spec};
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use pgherd_engine::run::{self, Planned};

use super::worn;
use crate::api::rds;
use crate::kinds::{instance, secret, tags};
use crate::live::document::Document;
use crate::live::{anew, marks};
use crate::provider::Aws;
use crate::wait;
use pgherd_engine::through::timing;

/// Takes a database over.
pub(super) async fn adopt(aws: &Aws, spec: &Spec, events: &Events) -> Result<(), ProviderError> {
    let wanted = instance::wanted(spec, aws.region());
    let claiming = aws.claiming(tags::sent(&wanted.props).into_iter().collect());
    let given = tags::sent_around(&wanted.props);
    let planned = run::observe_and_plan(&claiming, spec, &timing(spec), Intent::default()).await?;
    if !planned.observed.iter().any(|seen| seen.id == wanted.id) {
        let message = format!("there is no instance {} to be adopted", spec.name);
        return Err(ProviderError::new(ErrorKind::NotFound, message).help("name in the block says which it is"));
    }
    let writes_secret = writes_secret(spec, &planned.plan);
    if let Some(error) = refused(spec, &planned, writes_secret.is_some()) {
        return Err(error);
    }
    if let Some(password) = writes_secret {
        let seen = rds::instance(aws.session(), aws.region(), &spec.name).await?;
        let seen = seen.ok_or_else(|| ProviderError::new(ErrorKind::NotFound, format!("{} is gone", spec.name)))?;
        anew::written_down(aws, &spec.name, &Document::of(&seen, password), (&given, key(spec))).await?;
        wait::say(events, format!("{} is written down", secret::id(spec)));
    }
    let ours: Vec<&Observed> = in_order(&planned.observed, &wanted.id).collect();
    let marks: Vec<_> = marks::of(&spec.name, ours.iter().copied()).into_iter().chain(tags::written(spec)).collect();
    for seen in ours {
        let marks = if seen.id == wanted.id { marks.as_slice() } else { &[] };
        if worn::put_on(aws, seen, &[&given, marks].concat()).await? {
            wait::say(events, format!("{} is pgherd's", seen.id));
        }
    }
    Ok(())
}

/// The key that a block says.
fn key(spec: &Spec) -> Option<&str> {
    match &spec.encryption.kms_key_id {
        Setting::Known(key) => Some(key),
        Setting::Unset | Setting::Unknown(_) => None,
    }
}

/// The password that is written into a secret that is not there, where one was given.
fn writes_secret(spec: &Spec, plan: &Plan) -> Option<Secret> {
    let id = secret::id(spec);
    let is_missing = plan.steps.iter().any(|step| step.id == id && matches!(step.action, Action::Create { .. }));
    match &spec.master_password {
        Setting::Known(password) if is_missing => Some(password.clone()),
        Setting::Known(_) | Setting::Unset | Setting::Unknown(_) => None,
    }
}

/// Why a database is not adopted: everything in which it differs from its block.
fn refused(spec: &Spec, planned: &Planned, writes_secret: bool) -> Option<ProviderError> {
    let id = secret::id(spec);
    let is_left = |step: &&Step| !(writes_secret && step.id == id);
    let steps: Vec<&Step> = planned.plan.steps.iter().filter(is_left).collect();
    let errors = planned.plan.diagnostics.iter().filter(|_| planned.plan.is_refused()).map(|said| said.message.clone());
    let differs: Vec<String> = errors.chain(steps.iter().map(|step| words(step))).collect();
    if differs.is_empty() {
        return None;
    }
    let message = format!("{} is not as its block says: {}", spec.name, differs.join("; "));
    let mut help = "write the block as the database is, then adopt it".to_owned();
    if steps.iter().any(|step| step.id == id && matches!(step.action, Action::Create { .. })) {
        help.push_str("; --password-file FILE says the password, which pgherd never changes");
    }
    Some(ProviderError::new(ErrorKind::Protected, message).help(help))
}

/// What a plan would do: `would create alarm orders-cpu`, `DBInstanceClass of instance orders is db.t3.small, the block says db.t3.micro`.
fn words(step: &Step) -> String {
    let Step { id, action, needs: _ } = step;
    match action {
        Action::Create { .. } => format!("there is no {id}"),
        Action::Delete { .. } => format!("there is {id}, which the block does not want"),
        Action::Update { changes, .. } => {
            let one = |change: &pgherd_core::plan::Change| {
                format!("{} of {id} is {}, the block says {}", change.field, change.from, change.to)
            };
            changes.iter().map(one).collect::<Vec<_>>().join("; ")
        }
    }
}

/// What is to wear the tags, the instance last: as long as that wears none, nobody takes the database for pgherd's.
fn in_order<'a>(observed: &'a [Observed], last: &'a Id) -> impl Iterator<Item = &'a Observed> {
    let is_ours = |seen: &&Observed| !matches!(seen.status, Status::Foreign(_));
    let first = observed.iter().filter(is_ours).filter(move |seen| seen.id != *last);
    first.chain(observed.iter().filter(is_ours).filter(move |seen| seen.id == *last))
}
