//! Marks on an instance: tags that tell of what stands beside it and is told by no description of it, such as a proxy.
//!
//! A mark is set before the first such thing is made and taken off when the last one is gone, so that whatever is cut short in between
//! is found again, even after it was taken out of the block; and a plan asks for nothing where there is no mark.

use std::collections::BTreeMap;

use pgherd_core::resource::Observed;
use pgherd_core::value::Value;
use pgherd_engine::provider::ProviderError;

use super::spelling;
use crate::api::rds;
use crate::api::tags::Tags;
use crate::kinds::tags::{LEAVES, PROXY, REGION};
use crate::kinds::{backup_replication, proxy};
use crate::names;
use crate::provider::Aws;

/// The field of an observed instance that holds its marks.
pub(super) const FIELD: &str = "Marks";

/// What is marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// A proxy, and the role it reads the secret with.
    Proxy,
    /// Something that nothing refers to any more, and that is not deleted yet.
    Left,
    /// Whatever is in a second region.
    Region(String),
}

impl Mark {
    fn key(&self) -> String {
        match self {
            Self::Proxy => PROXY.to_owned(),
            Self::Left => LEAVES.to_owned(),
            Self::Region(region) => format!("{REGION}{region}"),
        }
    }

    fn of(key: &str) -> Option<Self> {
        if key == PROXY {
            Some(Self::Proxy)
        } else if key == LEAVES {
            Some(Self::Left)
        } else {
            key.strip_prefix(REGION).map(|name| Self::Region(name.to_owned()))
        }
    }

    /// What somebody reads who looks at the tag.
    fn words(&self, database: &str) -> String {
        match self {
            Self::Proxy => names::proxy(database),
            Self::Left => database.to_owned(),
            Self::Region(_) => names::recovery(database),
        }
    }
}

/// The keys of marks among tags, as they are told of an instance.
pub(super) fn told(worn: &Tags) -> Value {
    Value::List(worn.keys().filter(|key| Mark::of(key).is_some()).map(Value::text).collect())
}

/// The marks that are told of an instance.
pub(super) fn read(told: Option<&Value>) -> Vec<Mark> {
    let keys = told.and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_text);
    keys.filter_map(Mark::of).collect()
}

/// Whether tags of an instance tell of a proxy in front of it.
pub(crate) fn is_proxied(worn: &Tags) -> bool {
    worn.contains_key(PROXY)
}

/// The keys of the marks that an observed thing wears.
pub(crate) fn keys(seen: &Observed) -> Vec<String> {
    read(seen.props.get(FIELD)).iter().map(Mark::key).collect()
}

/// The tags that mark an instance with what stands beside it of a database, all of it there already.
pub(crate) fn of<'a>(database: &str, beside: impl IntoIterator<Item = &'a Observed>) -> Vec<(String, String)> {
    let mark = |seen: &Observed| match seen.id.kind.as_str() {
        proxy::NAME => Some(Mark::Proxy),
        // The instance itself tells of copies of its backups.
        backup_replication::NAME => None,
        kind => names::place(kind, &seen.id.name).0.map(Mark::Region),
    };
    let tag = |mark: Mark| (mark.key(), mark.words(database));
    let marks: BTreeMap<String, String> = beside.into_iter().filter_map(mark).map(tag).collect();
    marks.into_iter().collect()
}

/// The tag that marks an instance with a proxy.
pub(crate) fn of_proxy(database: &str) -> (String, String) {
    (Mark::Proxy.key(), Mark::Proxy.words(database))
}

/// Sets a mark on a database's instance, unless it has it.
pub(super) async fn set(aws: &Aws, database: &str, mark: &Mark) -> Result<(), ProviderError> {
    let Some(seen) = rds::instance(aws.session(), aws.region(), database).await? else { return Ok(()) };
    // Between a plan and its steps somebody else may have made one of that name.
    if seen.tags.contains_key(&mark.key()) || spelling::foreign(&aws.worn(seen.tags.clone()), database).is_some() {
        return Ok(());
    }
    let tags = [(mark.key(), mark.words(database))];
    Ok(rds::add_tags(aws.session(), aws.region(), &seen.arn, &tags).await?)
}

/// Takes a mark off a database's instance, where that is still there.
pub(super) async fn clear(aws: &Aws, database: &str, mark: &Mark) -> Result<(), ProviderError> {
    let Some(seen) = rds::instance(aws.session(), aws.region(), database).await? else { return Ok(()) };
    if !seen.tags.contains_key(&mark.key()) {
        return Ok(());
    }
    match rds::remove_tags(aws.session(), aws.region(), &seen.arn, &[mark.key()]).await {
        // It went meanwhile, and its tags with it.
        Err(error) if error.is("DBInstanceNotFound") => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use pgherd_core::resource::{Id, Status};
    use pgherd_core::value::Props;

    use super::*;

    #[test]
    fn what_stands_beside_an_instance_is_marked_on_it() {
        let seen =
            |kind: &str, name: &str| crate::live::ours::seen(&Id::new(kind, name), Props::new(), Status::Available);
        let here = [seen("instance", "orders"), seen("secret", "pgherd/orders/master"), seen("alarm", "orders-cpu")];
        assert_eq!(of("orders", &here), []);
        let copies = seen("backup_replication", "eu-west-1/orders");
        let there = [seen("proxy", "orders-proxy"), seen("replica", "eu-west-1/orders-dr"), copies];
        let expected = [("pgherd:proxy", "orders-proxy"), ("pgherd:region:eu-west-1", "orders-dr")];
        assert_eq!(of("orders", &there), expected.map(|(key, words)| (key.to_owned(), words.to_owned())));
    }

    #[test]
    fn marks_are_told_by_their_keys() {
        let keys = ["pgherd:proxy", "pgherd:region:eu-west-1", "pgherd:leaves", "pgherd:block", "Owner"];
        let worn = keys.map(|key| (key.to_owned(), String::new())).into();
        assert_eq!(read(Some(&told(&worn))), [Mark::Left, Mark::Proxy, Mark::Region("eu-west-1".to_owned())]);
    }
}
