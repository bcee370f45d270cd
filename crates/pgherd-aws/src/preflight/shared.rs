//! Groups that a destroy would delete while an instance is in them that stays: what was put aside by a restore, or was a read replica
//! once, is in the very groups of the database. AWS deletes none of those, which is better known before anything is gone.

use std::collections::{BTreeMap, BTreeSet};

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::{Action, Plan};
use pgherd_core::resource::Id;
use pgherd_core::spec::Spec;
use pgherd_engine::provider::Intended;

use crate::api::rds::{self, DbInstance};
use crate::kinds::{instance, parameter_group, replica, security_group, subnet_group};
use crate::live::users;
use crate::names;
use crate::provider::Aws;

/// Asks for all instances of each region in which groups are deleted, and judges.
pub(super) async fn told(aws: &Aws, spec: &Spec, intended: &Intended<'_>) -> Vec<Diagnostic> {
    let groups = deleted(intended.plan, &[parameter_group::NAME, security_group::NAME, subnet_group::NAME]);
    let regions: BTreeSet<Option<String>> = groups.iter().map(|id| names::place(&id.kind, &id.name).0).collect();
    let mut said = Vec::new();
    for region in regions {
        match rds::all_instances(aws.session(), region.as_deref().unwrap_or(aws.region())).await {
            Ok(all) => said.extend(used(spec, intended, region.as_deref(), &all)),
            Err(error) => {
                let message = format!("{error}; whether somebody else uses the groups of {} is not checked", spec.name);
                said.push(Diagnostic::note("could-not-check", message).at(&spec.block, ""));
            }
        }
    }
    said
}

fn deleted<'a>(plan: &'a Plan, kinds: &[&str]) -> Vec<&'a Id> {
    let steps = plan.steps.iter().filter(|step| matches!(step.action, Action::Delete { .. }));
    steps.map(|step| &step.id).filter(|id| kinds.contains(&id.kind.as_str())).collect()
}

/// What each instance that stays uses of what goes.
fn used(spec: &Spec, intended: &Intended<'_>, region: Option<&str>, all: &[DbInstance]) -> Option<Diagnostic> {
    let is_here = |id: &&&Id| names::place(&id.kind, &id.name).0.as_deref() == region;
    let goes = deleted(intended.plan, &[instance::NAME, replica::NAME]);
    let goes: Vec<String> = goes.iter().filter(is_here).map(|id| names::place(&id.kind, &id.name).1).collect();
    let groups = deleted(intended.plan, &[parameter_group::NAME, security_group::NAME, subnet_group::NAME]);
    let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for id in groups.iter().filter(is_here) {
        let seen = intended.observed.iter().find(|seen| seen.id == **id);
        let group_id = seen.and_then(|seen| seen.props.get(security_group::GROUP_ID));
        let stays = all.iter().filter(|one| !goes.contains(&one.id) && users::is_in(one, id, group_id));
        stays.for_each(|one| users.entry(&one.id).or_default().push(id.to_string()));
    }
    let (user, groups) = users.first_key_value()?;
    let message = format!("{user} stays, and so does what it is in: {}", groups.join(", "));
    let help = format!(
        "destroy {} first, or these groups once more when it is gone: a block with that name lets pgherd do it",
        users.keys().copied().collect::<Vec<_>>().join(", ")
    );
    Some(Diagnostic::warning("groups-in-use", message).at(&spec.block, "").help(help))
}
