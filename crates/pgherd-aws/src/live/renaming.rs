//! Another name for an instance. RDS gives it at once only together with whatever else waits, and nothing that goes by its ARN follows.

use std::collections::BTreeSet;

use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::servers::At;
use super::{change, made, waiting};
use crate::api::rds::{self, DbInstance};
use crate::kinds::tags::REGION;
use crate::provider::Aws;
use crate::wait::{self, Rest};

/// The field of what waits that is another name.
const NAME: &str = "DBInstanceIdentifier";

/// What keeps an instance from getting another name now; `to`: the name that was asked for, which may wait already.
pub(crate) fn refused(seen: &DbInstance, to: Option<&str>) -> Option<ProviderError> {
    sets_off(seen, to).or_else(|| leaves_behind(seen))
}

/// What waits for the window and interrupts comes with the new name (botocore 1.43.11, ModifyDBInstance, `ApplyImmediately`).
fn sets_off(seen: &DbInstance, to: Option<&str>) -> Option<ProviderError> {
    let is_asked = |field: &str| field == NAME && seen.pending.get(NAME).and_then(Value::as_text) == to;
    let waits = waiting::interrupting(seen).find(|field| !is_asked(field))?;
    let message = format!("giving {} another name also does what waits for the window: {waits}", seen.id);
    let help = waiting::help(waits, "does it; then run this again");
    Some(ProviderError::new(ErrorKind::Conflict, message).help(help))
}

/// What is in another region goes by the ARN of the instance, which has its name in it; and so may an Aurora cluster.
fn leaves_behind(seen: &DbInstance) -> Option<ProviderError> {
    let marked =
        seen.tags.keys().filter_map(|key| key.strip_prefix(REGION)).map(|region| format!("what is in {region}"));
    let copies = seen.copies.iter().map(|arn| format!("copies of its backups, {arn}"));
    let elsewhere = seen.replicas.iter().filter(|id| id.contains(':')).map(|arn| format!("the read replica {arn}"));
    let clusters = seen.clusters.iter().map(|id| format!("the Aurora cluster {id}"));
    let followers: Vec<String> = marked.chain(copies).chain(elsewhere).chain(clusters).collect();
    if followers.is_empty() {
        return None;
    }
    let message = format!("{} cannot be given another name, by which it would lose {}", seen.id, followers.join(", "));
    let help = "take geo_redundant_backup and what begins with dr_ out of the block, and pgherd apply; delete or promote what somebody \
                else made to follow it; then run this again, and write it into the block again";
    Some(ProviderError::new(ErrorKind::Protected, message).help(help))
}

/// Gives an instance another name, and returns when it is at rest under that. Which one it is, is told by the id that RDS gave it: names
/// may be anybody's by now.
pub(crate) async fn renamed(
    aws: &Aws,
    resource_id: &str,
    from: &str,
    to: &str,
    events: &Events,
) -> Result<DbInstance, ProviderError> {
    let region = aws.region();
    let is_it = |seen: &DbInstance| seen.props.get("DbiResourceId").and_then(Value::as_text) == Some(resource_id);
    let taken = |name: &str| {
        let message = format!("there is an instance {name} already, and it is another one");
        ProviderError::new(ErrorKind::Conflict, message).help("rename or destroy that one, then run this again")
    };
    match rds::instance(aws.session(), region, to).await? {
        Some(found) if !is_it(&found) => return Err(taken(to)),
        Some(_) => {}
        None => {
            let found = rds::instance(aws.session(), region, from).await?;
            if found.as_ref().is_some_and(|found| !is_it(found)) {
                return Err(taken(from));
            }
            if let Some(found) = found.filter(|found| found.status != "renaming") {
                // Somebody may have asked for something since it was looked at.
                if let Some(refused) = refused(&found, Some(to)) {
                    return Err(refused);
                }
                let at = At { region: region.to_owned(), name: from.to_owned(), block: from.to_owned() };
                let attempt = || rds::rename(aws.session(), region, from, to);
                match change::once_taken(aws, &at, events, attempt).await {
                    // A repeated request finds nobody of the old name where the first one was heard.
                    Err(made::Refused::Aws(error)) if error.is("DBInstanceNotFound") => {}
                    ended => ended?,
                }
            }
            wait::called(aws, region, to, events).await?;
        }
    }
    let nothing = BTreeSet::new();
    let rest = Rest { region, id: to, at_most: aws.patience().changing, changed: &nothing };
    let seen = wait::settled(aws, &rest, events).await?;
    if is_it(&seen) { Ok(seen) } else { Err(taken(to)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut DbInstance), expected: &str) {
        let mut seen = wait::tests::seen("available", "in-sync", &[]);
        change(&mut seen);
        assert_eq!(refused(&seen, Some("copy")).map(|error| error.message).unwrap_or_default(), expected);
    }

    fn wears(key: &str) -> impl FnOnce(&mut DbInstance) {
        let key = key.to_owned();
        move |seen| drop(seen.tags.insert(key, String::new()))
    }

    fn waits(field: &str, to: &str) -> impl FnOnce(&mut DbInstance) {
        let (field, to) = (field.to_owned(), Value::text(to));
        move |seen| drop(seen.pending.insert(field, to))
    }

    #[test]
    fn a_new_name_brings_what_waits() {
        check(|_| {}, "");
        check(waits("MultiAZ", "true"), "");
        let class = "giving orders another name also does what waits for the window: DBInstanceClass";
        check(waits("DBInstanceClass", "db.t3.small"), class);
        // The very name that is asked for is no reason not to ask again.
        check(waits(NAME, "copy"), "");
        check(
            waits(NAME, "other"),
            "giving orders another name also does what waits for the window: DBInstanceIdentifier",
        );
    }

    #[test]
    fn what_goes_by_its_arn_is_not_left_behind() {
        let lost = |what: &str| format!("orders cannot be given another name, by which it would lose {what}");
        check(wears("pgherd:region:eu-west-1"), &lost("what is in eu-west-1"));
        let arn = |kind: &str| format!("arn:aws:rds:eu-west-1:123456789012:{kind}");
        let (copies, replica) = (arn("auto-backup:ab-1"), arn("db:theirs"));
        check(|seen| seen.copies.push(copies.clone()), &lost(&format!("copies of its backups, {copies}")));
        check(|seen| seen.replicas.push(replica.clone()), &lost(&format!("the read replica {replica}")));
        check(|seen| seen.clusters.push("aurora".to_owned()), &lost("the Aurora cluster aurora"));
        // RDS takes along what follows it in its own region.
        check(|seen| seen.replicas.push("orders-r1".to_owned()), "");
        check(wears("pgherd:proxy"), "");
    }
}
