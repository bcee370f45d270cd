//! What goes between regions: replicas that follow an instance elsewhere, and copies of its automated backups.

use std::collections::BTreeMap;

use super::backed::Given;
use super::state::Region;
use super::{Call, copied, replica};
use crate::wire::{Element, Form, Refusal};

/// All regions, by name.
pub type Regions = BTreeMap<String, Region>;

const START: &str = "StartDBInstanceAutomatedBackupsReplication";
const STOP: &str = "StopDBInstanceAutomatedBackupsReplication";

/// What is asked of one region and concerns two. A replica in another region is asked for as any other one.
pub const ACTIONS: [&str; 2] = [START, STOP];

/// The answer of one region to a request. The region must be there.
pub fn answer(regions: &mut Regions, name: &str, form: &Form, call: &Call) -> Result<Element, Refusal> {
    regions.values_mut().for_each(|region| region.advance(call.now));
    meet(regions);
    let answer = match form.text("Action").unwrap_or_default() {
        "CreateDBInstanceReadReplica" if source(form, "SourceDBInstanceIdentifier", name).is_some() => {
            replica::create_elsewhere(regions, name, form, call)
        }
        START => copied::start(regions, name, form, call),
        STOP => copied::stop(regions, name, form),
        _ => match regions.get_mut(name) {
            Some(region) => super::answer(region, form, call),
            None => Err(Refusal::value(format!("There is no region {name}."))),
        },
    };
    meet(regions);
    answer
}

/// The region and the identifier of an instance elsewhere that a request names by its ARN.
pub fn source<'a>(form: &'a Form, field: &str, here: &str) -> Option<(&'a str, &'a str)> {
    place(form.text(field)?).filter(|(region, _)| *region != here)
}

/// The region and the identifier in the ARN of an instance.
pub fn place(arn: &str) -> Option<(&str, &str)> {
    match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", "aws", "rds", region, _, "db", id] => Some((region, id)),
        _ => None,
    }
}

/// What regions know of each other: who follows whom, and what is copied. A replica whose source is gone follows nobody.
fn meet(regions: &mut Regions) {
    let mut followed: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut copied: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let is_there = |regions: &Regions, arn: &str| {
        place(arn).and_then(|(region, id)| regions.get(region)?.instances.get(id)).is_some()
    };
    let mut lost = Vec::new();
    for region in regions.values() {
        for instance in region.instances.values() {
            let Some(arn) = instance.source.as_deref().filter(|source| source.starts_with("arn:")) else { continue };
            match place(arn).filter(|_| is_there(regions, arn)) {
                Some((at, id)) => {
                    let follower = region.arn("db", &instance.id);
                    followed.entry((at.to_owned(), id.to_owned())).or_default().push(follower);
                }
                None => lost.push((region.name.clone(), instance.id.clone())),
            }
        }
        for (arn, copies) in region.copied.iter().filter(|(_, copies)| copies.is_going_on) {
            if let Some((at, id)) = place(arn) {
                let own = copied.entry((at.to_owned(), id.to_owned())).or_default();
                own.push(region.arn("auto-backup", &copies.id));
            }
        }
    }
    for (region, id) in lost {
        // RDS promotes it without being asked.
        if let Some(instance) = regions.get_mut(&region).and_then(|region| region.instances.get_mut(&id)) {
            instance.source = None;
            instance.order(Given::Promote);
        }
    }
    let ended: Vec<(String, String)> = regions
        .values()
        .flat_map(|region| region.copied.keys().map(|arn| (region.name.clone(), arn.clone())))
        .filter(|(_, arn)| !is_there(regions, arn))
        .collect();
    for (region, arn) in ended {
        if let Some(copies) = regions.get_mut(&region).and_then(|region| region.copied.get_mut(&arn)) {
            copies.is_going_on = false;
        }
    }
    for region in regions.values_mut() {
        let own = |all: &BTreeMap<(String, String), Vec<String>>| {
            let own = all.iter().filter(|((at, _), _)| *at == region.name);
            own.map(|((_, id), arns)| (id.clone(), arns.clone())).collect::<BTreeMap<_, _>>()
        };
        (region.followed_elsewhere, region.copied_elsewhere) = (own(&followed), own(&copied));
    }
}

/// Whether a presigned URL asks for the same in the region of the source, as AWS demands where it looks at one.
pub fn presigned(form: &Form, here: &str, source_region: &str, field: &str) -> Result<(), Refusal> {
    let Some(url) = form.text("PreSignedUrl") else { return Ok(()) };
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let asked = Form::parse(query.as_bytes())?;
    let same = |name: &str| asked.text(name) == form.text(name);
    let scope = asked.text("X-Amz-Credential").unwrap_or_default();
    let is_valid = same("Action")
        && same(field)
        && same("KmsKeyId")
        && asked.text("DestinationRegion") == Some(here)
        && scope.ends_with(&format!("/{source_region}/rds/aws4_request"))
        && asked.text("X-Amz-Signature").is_some();
    is_valid.then_some(()).ok_or_else(|| Refusal::value("PreSignedUrl is not a valid request for the source region."))
}
