//! How far a restore in place is. Two tags of the new instance are the memory: what it is restored from, and which instance it replaces
//! and what that is called then. Pure.

use jiff::Timestamp;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::rds::DbInstance;
use crate::kinds::tags::{self, REPLACES, RESTORED, RESTORING};

/// Longest identifier of an instance (botocore 1.43.11, CreateDBInstance).
const MAX_NAME: usize = 63;

/// What an instance is called while it is made beside the one that it will replace.
pub(super) fn beside(name: &str) -> String {
    format!("{name}-restored")
}

/// What a database is called once it was replaced. Its replicas keep their numbers behind it.
pub(super) fn aside(name: &str, now: Timestamp) -> String {
    let before = format!("-before-{}", now.strftime("%Y%m%d%H%M%S"));
    let room = MAX_NAME - before.len() - "-r15".len();
    let cut: String = name.chars().take(room).collect();
    format!("{}{before}", cut.trim_end_matches('-'))
}

/// Which instance is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaces {
    /// What it is called then.
    pub(super) aside: String,
    /// Its `db-…` id.
    pub(super) resource_id: String,
}

impl Replaces {
    /// What a server of the name, the instance or a replica, is called then.
    pub(super) fn aside_of(&self, name: &str, id: &str) -> String {
        format!("{}{}", self.aside, id.strip_prefix(name).unwrap_or_default())
    }

    pub(super) fn words(&self) -> String {
        format!("{} {}", self.resource_id, self.aside)
    }

    pub(super) fn of(seen: &DbInstance) -> Option<Self> {
        let (resource_id, aside) = seen.tags.get(REPLACES)?.split_once(' ')?;
        Some(Self { aside: aside.to_owned(), resource_id: resource_id.to_owned() })
    }
}

/// How far a restore is.
#[derive(Debug, PartialEq)]
pub(super) enum Stage<'a> {
    /// Nothing is done yet; this is the instance.
    Begin(&'a DbInstance),
    /// The new instance is there, beside the old one, or on its way.
    Beside(Replaces),
    /// The new instance has the name.
    InPlace(Replaces),
}

/// How far it is, by what is there under the name and beside it.
pub(super) fn stage<'a>(
    name: &str,
    current: Option<&'a DbInstance>,
    beside: Option<&DbInstance>,
    words: &str,
) -> Result<Stage<'a>, ProviderError> {
    let refused = |message: String, help: &str| Err(ProviderError::new(ErrorKind::Conflict, message).help(help));
    let begun =
        [beside, current].into_iter().flatten().find_map(|one| one.tags.get(REPLACES).and(one.tags.get(RESTORING)));
    if let Some(begun) = begun.filter(|begun| *begun != words) {
        let message = format!("another restore of {name} was begun: {begun}");
        return refused(message, &format!("finish that one first, with the same words{}", given_up(current, beside)));
    }
    match (current, beside) {
        (_, Some(beside)) => match Replaces::of(beside) {
            Some(replaces) => Ok(Stage::Beside(replaces)),
            None => {
                let message = format!("there is an instance {} already, which is no restore of {name}", beside.id);
                refused(message, "rename or delete it: that name is needed while the restored one is made")
            }
        },
        (Some(current), None) if let Some(replaces) = Replaces::of(current) => Ok(Stage::InPlace(replaces)),
        (Some(current), None) if !tags::are_ours(&current.tags, name) => {
            let message = format!("{name} exists and is not pgherd's");
            Err(ProviderError::new(ErrorKind::Protected, message).help("`pgherd adopt` takes it over"))
        }
        (Some(current), None) if current.tags.get(RESTORED).is_some_and(|done| done == words) => {
            let message = format!("{name} was put back from that already: {words}");
            let help = format!("to do it once more, take the tag {RESTORED} off the instance first");
            Err(ProviderError::new(ErrorKind::Conflict, message).help(help))
        }
        (Some(current), None) => Ok(Stage::Begin(current)),
        (None, None) => {
            let message = format!("there is no {name} whose place could be taken");
            Err(ProviderError::new(ErrorKind::NotFound, message).help("--as NAME restores it as another database"))
        }
    }
}

/// How a restore is given up, while the old instance has its name still.
fn given_up(current: Option<&DbInstance>, beside: Option<&DbInstance>) -> String {
    let is_old = |current: &DbInstance| Replaces::of(current).is_none();
    match beside.filter(|_| current.is_some_and(is_old)) {
        Some(beside) => format!("; or give it up: delete {}", beside.id),
        None => String::new(),
    }
}

/// Which instance one is, whatever it is called.
pub(super) fn resource_id(seen: &DbInstance) -> Result<&str, ProviderError> {
    let id = seen.props.get("DbiResourceId").and_then(Value::as_text);
    id.ok_or_else(|| {
        ProviderError::new(ErrorKind::Unsupported, format!("nobody tells the DbiResourceId of {}", seen.id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait;

    fn seen(id: &str, tags: &[(&str, &str)]) -> DbInstance {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        DbInstance { id: id.to_owned(), tags, ..wait::tests::seen("available", "in-sync", &[]) }
    }

    #[track_caller]
    fn check(current: Option<&DbInstance>, beside: Option<&DbInstance>, expected: &str) {
        let found = match stage("orders", current, beside, "orders latest") {
            Ok(Stage::Begin(old)) => format!("begin with {}", old.id),
            Ok(Stage::Beside(replaces)) => format!("beside, {} goes to {}", replaces.resource_id, replaces.aside),
            Ok(Stage::InPlace(replaces)) => format!("in place of {}", replaces.resource_id),
            Err(error) => error.message,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_there_tells_how_far_a_restore_is() {
        let ours = seen("orders", &[("pgherd:block", "orders")]);
        let worn = [("pgherd:restoring", "orders latest"), ("pgherd:replaces", "db-1 orders-before-1")];
        let (beside, new) = (seen("orders-restored", &worn), seen("orders", &worn));
        check(Some(&ours), None, "begin with orders");
        check(Some(&ours), Some(&beside), "beside, db-1 goes to orders-before-1");
        check(None, Some(&beside), "beside, db-1 goes to orders-before-1");
        check(Some(&new), None, "in place of db-1");
        check(None, None, "there is no orders whose place could be taken");
        check(Some(&seen("orders", &[])), None, "orders exists and is not pgherd's");
        let other = seen("orders-restored", &[]);
        check(Some(&ours), Some(&other), "there is an instance orders-restored already, which is no restore of orders");
        let worn = [("pgherd:restoring", "orders backup x"), ("pgherd:replaces", "db-1 orders-before-1")];
        let another = seen("orders-restored", &worn);
        check(Some(&ours), Some(&another), "another restore of orders was begun: orders backup x");
    }

    #[test]
    fn nobody_restores_twice_by_repeating_a_command() {
        let done = |words: &str| seen("orders", &[("pgherd:block", "orders"), ("pgherd:restored", words)]);
        check(Some(&done("orders latest")), None, "orders was put back from that already: orders latest");
        check(Some(&done("orders backup x")), None, "begin with orders");
    }

    /// Without the old instance the new one is all there is of the name.
    #[test]
    fn what_is_begun_is_given_up_only_while_the_old_one_is_in_its_place() {
        let worn = [("pgherd:restoring", "orders latest"), ("pgherd:replaces", "db-1 orders-before-1")];
        let (ours, beside) = (seen("orders", &[("pgherd:block", "orders")]), seen("orders-restored", &worn));
        assert_eq!(given_up(Some(&ours), Some(&beside)), "; or give it up: delete orders-restored");
        assert_eq!((given_up(None, Some(&beside)), given_up(Some(&seen("orders", &worn)), None)), Default::default());
    }

    #[test]
    fn a_name_that_was_put_aside_has_room_for_its_replicas() {
        let now = "2026-11-22T18:00:05Z".parse().expect("a time");
        assert_eq!(aside("orders", now), "orders-before-20261122180005");
        let long = aside(&"a".repeat(55), now);
        assert_eq!((long.len(), format!("{long}-r15").len()), (59, 63));
    }
}
