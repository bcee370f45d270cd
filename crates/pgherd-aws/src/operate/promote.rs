//! `promote`: a read replica becomes a database of its own, with a name, a password and everything around it. What it followed goes on,
//! and misses a replica.
//!
//! A tag says what the replica becomes until everything is done, so that the same command goes on with it.

use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use crate::api::rds::{self, DbInstance};
use crate::kinds::instance;
use crate::kinds::tags::{self, BECOMES};
use crate::live::{anew, renaming};
use crate::names;
use crate::provider::Aws;
use pgherd_engine::through::{planned, through};

/// Makes a database of its own of a replica.
pub(super) async fn promote(
    aws: &Aws,
    name: &str,
    replica: Option<&str>,
    to: &Spec,
    events: &Events,
) -> Result<(), ProviderError> {
    let (session, region) = (aws.session(), aws.region());
    // In the second region of a block a replica is called otherwise; its own verbs begin there with a block that names that region.
    let ids = names::instances(name).into_iter().chain([names::recovery(name)]).collect::<Vec<_>>();
    let servers = rds::instances(session, region, &ids).await?;
    let there = rds::instance(session, region, &to.name).await?;
    let chosen = match begun(&servers, there.as_ref(), &to.name)? {
        Some(begun) => begun,
        None => {
            let chosen = chosen(name, &servers, replica)?;
            if let Some(refused) = renaming::refused(chosen, Some(&to.name)) {
                return Err(refused);
            }
            // What stands in the way is better known before than after.
            planned(aws, to).await?;
            chosen
        }
    };
    let resource_id = chosen.props.get("DbiResourceId").and_then(Value::as_text).unwrap_or_default();
    if !chosen.tags.contains_key(BECOMES) {
        rds::add_tags(session, region, &chosen.arn, &[(BECOMES.to_owned(), to.name.clone())]).await?;
    }
    if !tags::are_ours(&chosen.tags, &to.name) {
        anew::password_intended(aws, &instance::wanted(to, region)).await?;
        anew::promoted(aws, chosen, (to.backup.retention_days, &to.backup.window.to_string()), events).await?;
        let renamed = renaming::renamed(aws, resource_id, &chosen.id, &to.name, events).await?;
        let owned = [(tags::BLOCK.to_owned(), to.name.clone())];
        // It stays in the subnet group it was made in, which goes with it then.
        if let Some(group) = renamed.subnet_group.as_ref().filter(|group| group.name == names::recovery(name))
            && let Some(arn) = rds::subnet_group(session, region, &group.name).await?.and_then(|group| group.arn)
        {
            rds::add_tags(session, region, &arn, &owned).await?;
        }
        rds::add_tags(session, region, &renamed.arn, &owned).await?;
    }
    through(&aws.amid(&[(BECOMES, &to.name)]), to, events).await?;
    match rds::instance(session, region, &to.name).await? {
        Some(seen) => Ok(rds::remove_tags(session, region, &seen.arn, &[BECOMES.to_owned()]).await?),
        None => Ok(()),
    }
}

/// What an earlier run of the same began with.
fn begun<'a>(
    servers: &'a [DbInstance],
    there: Option<&'a DbInstance>,
    to: &str,
) -> Result<Option<&'a DbInstance>, ProviderError> {
    let is_begun = |one: &DbInstance| one.tags.get(BECOMES).is_some_and(|becomes| becomes == to);
    match there {
        Some(there) if is_begun(there) => Ok(Some(there)),
        Some(there) => {
            let message = format!("there is an instance {} already", there.id);
            Err(ProviderError::new(ErrorKind::Conflict, message).help("choose another name"))
        }
        None => Ok(servers.iter().find(|one| is_begun(one))),
    }
}

/// The replica that is meant.
fn chosen<'a>(name: &str, servers: &'a [DbInstance], replica: Option<&str>) -> Result<&'a DbInstance, ProviderError> {
    let refused = |message: String, help: &str| Err(ProviderError::new(ErrorKind::Invalid, message).help(help));
    let is_of = |source: &str| source == name || source.ends_with(&format!(":db:{name}"));
    let follows = |one: &&DbInstance| one.source.as_deref().is_some_and(is_of) && tags::are_ours(&one.tags, name);
    let replicas: Vec<&DbInstance> = servers.iter().filter(follows).collect();
    let is_meant = |one: &DbInstance| replica.is_none_or(|asked| one.id == asked);
    let elsewhere = servers.iter().filter(|one| is_meant(one)).find_map(|one| Some((one, one.tags.get(BECOMES)?)));
    if let Some((one, becomes)) = elsewhere {
        let message = format!("{} is becoming {becomes} already", one.id);
        let help = format!(
            "--as {becomes} goes on with that{}",
            if replica.is_none() { "; --replica names another one" } else { "" }
        );
        return Err(ProviderError::new(ErrorKind::Conflict, message).help(help));
    }
    let listed = replicas.iter().map(|one| one.id.as_str()).collect::<Vec<_>>().join(", ");
    match (replica, replicas.as_slice()) {
        (_, []) if servers.is_empty() => {
            let message = format!("neither {name} nor a read replica of it is in this region");
            Err(ProviderError::new(ErrorKind::NotFound, message)
                .help("a replica in a second region is promoted with a block whose aws_region is that region"))
        }
        (_, []) => refused(
            format!("{name} has no read replica"),
            "create_read_replica = true in its block, then pgherd apply makes one",
        ),
        (Some(asked), all) => match all.iter().find(|one| one.id == asked) {
            Some(found) => Ok(found),
            None => refused(
                format!("{asked} is no read replica of {name} in this region"),
                &format!("its replicas: {listed}"),
            ),
        },
        (None, [only]) => Ok(only),
        (None, _) => refused(format!("{name} has several read replicas"), &format!("--replica says which: {listed}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait;

    fn seen(id: &str, source: Option<&str>, block: &str) -> DbInstance {
        let tags = [(tags::BLOCK.to_owned(), block.to_owned())].into();
        let source = source.map(str::to_owned);
        DbInstance { id: id.to_owned(), source, tags, ..wait::tests::seen("available", "in-sync", &[]) }
    }

    #[track_caller]
    fn check(servers: &[DbInstance], replica: Option<&str>, expected: &str) {
        let found = match chosen("orders", servers, replica) {
            Ok(chosen) => chosen.id.clone(),
            Err(error) => format!("{}; {}", error.message, error.help),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn one_replica_is_meant_and_of_several_one_is_named() {
        let of = |number: &str| seen(&format!("orders-r{number}"), Some("orders"), "orders");
        let orders = seen("orders", None, "orders");
        let none = "orders has no read replica; create_read_replica = true in its block, then pgherd apply makes one";
        check(std::slice::from_ref(&orders), None, none);
        let nothing = "neither orders nor a read replica of it is in this region; a replica in a second region is promoted with a block whose aws_region is that region";
        check(&[], None, nothing);
        let there = seen("orders-dr", Some("arn:aws:rds:eu-central-1:123456789012:db:orders"), "orders");
        check(std::slice::from_ref(&there), None, "orders-dr");
        check(&[orders.clone(), seen("orders-r1", None, "orders")], Some("orders-r1"), none);
        check(&[orders.clone(), seen("orders-r1", Some("orders"), "others")], None, none);
        check(&[orders.clone(), of("1")], None, "orders-r1");
        let two = [orders, of("1"), of("2")];
        check(&two, None, "orders has several read replicas; --replica says which: orders-r1, orders-r2");
        check(&two, Some("orders-r2"), "orders-r2");
        let other = "orders-r3 is no read replica of orders in this region; its replicas: orders-r1, orders-r2";
        check(&two, Some("orders-r3"), other);
    }

    #[test]
    fn what_was_begun_is_gone_on_with_and_nobody_elses_name_is_taken() {
        let mut replica = seen("orders-r1", None, "orders");
        replica.tags.insert(BECOMES.to_owned(), "copy".to_owned());
        let servers = [seen("orders", None, "orders"), replica.clone()];
        let of = |there: Option<&DbInstance>, to: &str| {
            begun(&servers, there, to).map(|found| found.map(|one| one.id.clone())).map_err(|error| error.message)
        };
        assert_eq!(of(None, "copy"), Ok(Some("orders-r1".to_owned())));
        assert_eq!(of(None, "other"), Ok(None));
        let other = chosen("orders", &servers, None).map(|one| one.id.clone()).map_err(|error| error.message);
        assert_eq!(other, Err("orders-r1 is becoming copy already".to_owned()));
        let renamed = DbInstance { id: "copy".to_owned(), ..replica };
        assert_eq!(of(Some(&renamed), "copy"), Ok(Some("copy".to_owned())));
        let other = seen("copy", None, "copy");
        assert_eq!(of(Some(&other), "copy"), Err("there is an instance copy already".to_owned()));
    }
}
