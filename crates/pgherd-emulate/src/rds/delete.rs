//! `DeleteDBInstance`.

use super::backed::Given;
use super::instance::Effect;
use super::state::{Region, seconds};
use super::{Call, backups, show, snapshot, validate};
use crate::wire::{Element, Form, Refusal};

/// `DeleteDBInstance`.
pub fn delete(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = form.required("DBInstanceIdentifier")?.to_lowercase();
    let mut instance = region.instances.get(&id).ok_or_else(|| Refusal::no_instance(&id))?.clone();
    let final_id = form.text("FinalDBSnapshotIdentifier").map(str::to_lowercase);
    match (form.bool("SkipFinalSnapshot")?.unwrap_or(false), &final_id) {
        (true, Some(_)) => {
            return Err(Refusal::combination(
                "FinalDBSnapshotIdentifier can't be specified when SkipFinalSnapshot is true.",
            ));
        }
        (false, None) => {
            return Err(Refusal::combination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
            ));
        }
        (true, None) | (false, Some(_)) => {}
    }
    if instance.set.protection {
        return Err(Refusal::combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        ));
    }
    if instance.phases.iter().any(|phase| phase.word == "deleting") {
        return Err(Refusal::state(format!("Instance {id} is already being deleted.")));
    }
    if let Some(snapshot) = &final_id {
        if instance.source.is_some() {
            return Err(Refusal::combination("A final snapshot of a read replica can't be taken."));
        }
        if !instance.takes_changes(call.now) {
            return Err(Refusal::state(format!(
                "Cannot create a snapshot because the database instance {id} is not currently in the available state."
            )));
        }
        validate::identifier("FinalDBSnapshotIdentifier", snapshot, 255)?;
        snapshot::take(region, snapshot, &mut instance, call)?;
    }
    if !form.bool("DeleteAutomatedBackups")?.unwrap_or(true) {
        backups::retain(region, &mut instance, call.now);
    }
    instance.order(Given::Remove);
    instance.phases.clear();
    instance.goes_through(
        "deleting",
        call.lasts(seconds(if final_id.is_some() { 300 } else { 120 })),
        vec![Effect::Gone],
        call.now,
    );
    let answer = Element::new("").with(show::instance(region, &instance, call.now));
    region.instances.insert(id, instance);
    Ok(answer)
}
