//! `restore --replace`: a database goes back in its own place. The restored instance is made beside it, with another name; when it is
//! there, the old one is put aside under a third name and the new one takes its place. Nothing is deleted, and the password stays.
//!
//! Two tags of the new instance are the memory: what it is restored from, and which instance it replaces and what that is called then.

use jiff::Timestamp;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, Point, ProviderError};

use super::origin;
use super::restore::{RESTORING, tagged};
use super::through::{planned, through, timing};
use crate::api::rds::{self, DbInstance, LOGS};
use crate::kinds::{instance, tags};
use crate::live::{anew, late};
use crate::names;
use crate::provider::Aws;
use crate::wait;

/// The tag that says which instance one replaces: the name that is to be put aside under, and the id that RDS gave it.
const REPLACES: &str = "pgherd:replaces";

/// Longest identifier of an instance (botocore 1.43.11, CreateDBInstance).
const MAX_NAME: usize = 63;

/// Restores a database in its own place.
pub(super) async fn in_place(aws: &Aws, to: &Spec, point: &Point, events: &Events) -> Result<(), ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), to.name.as_str());
    let words = origin::words(name, point);
    let beside = beside(name);
    let ids = [name.to_owned(), beside.clone()];
    let found = rds::instances(session, region, &ids).await?;
    let of = |id: &str| found.iter().find(|one| one.id == id);
    let replaces = match stage(name, of(name), of(&beside), &words)? {
        Stage::Begin(old) => {
            let replaces = Replaces { aside: aside(name, Timestamp::now()), resource_id: resource_id(old)?.to_owned() };
            made(aws, to, point, &[(RESTORING, &words), (REPLACES, &replaces.words())], events).await?;
            Some(replaces)
        }
        Stage::Beside(replaces) => {
            // Once the old one is put aside, this was done before.
            if of(name).is_some_and(|old| resource_id(old) == Ok(&replaces.resource_id)) {
                let worn = [(RESTORING, words.as_str()), (REPLACES, &replaces.words())];
                let resource = late::resource(aws, &beside_it(&instance::wanted(to, region), &worn)).await?;
                anew::finished(aws, &resource, &timing(to), events).await?;
            }
            Some(replaces)
        }
        Stage::InPlace => None,
    };
    if let Some(replaces) = replaces {
        let new = instance_of(aws, &beside).await?;
        let document = match rds::instance(session, region, name).await? {
            // Its password is what clients have; the one in the backup may be an older one.
            Some(old) if resource_id(&old)? == replaces.resource_id => {
                let document = anew::document_in_force(aws, name, events).await?;
                anew::password_given(aws, &beside, &document.password, events).await?;
                document
            }
            Some(_) | None => anew::document_in_force_of(aws, name).await?,
        };
        put_aside(aws, name, &replaces, &document, events).await?;
        anew::renamed(aws, resource_id(&new)?, &beside, name, events).await?;
    }
    let new = instance_of(aws, name).await?;
    owned(aws, &new, name).await?;
    through(aws, to, events).await?;
    // Both at once: what has one of them only is no stage.
    let marks = [REPLACES.to_owned(), RESTORING.to_owned()];
    Ok(rds::remove_tags(session, region, &new.arn, &marks).await?)
}

/// What an instance is called while it is made beside the one that it will replace.
pub(super) fn beside(name: &str) -> String {
    format!("{name}-restored")
}

/// What a database is called once it was replaced. Its replicas keep their numbers behind it.
fn aside(name: &str, now: Timestamp) -> String {
    let before = format!("-before-{}", now.strftime("%Y%m%d%H%M%S"));
    let room = MAX_NAME - before.len() - "-r15".len();
    let cut: String = name.chars().take(room).collect();
    format!("{}{before}", cut.trim_end_matches('-'))
}

/// Which instance is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Replaces {
    /// What it is called then.
    aside: String,
    /// Its `db-…` id.
    resource_id: String,
}

impl Replaces {
    fn words(&self) -> String {
        format!("{} {}", self.resource_id, self.aside)
    }

    fn of(seen: &DbInstance) -> Option<Self> {
        let (resource_id, aside) = seen.tags.get(REPLACES)?.split_once(' ')?;
        Some(Self { aside: aside.to_owned(), resource_id: resource_id.to_owned() })
    }
}

/// How far a restore is.
#[derive(Debug, PartialEq)]
enum Stage<'a> {
    /// Nothing is done yet; this is the instance.
    Begin(&'a DbInstance),
    /// The new instance is there, beside the old one, or on its way.
    Beside(Replaces),
    /// The new instance has the name.
    InPlace,
}

/// How far it is, by what is there under the name and beside it.
fn stage<'a>(
    name: &str,
    current: Option<&'a DbInstance>,
    beside: Option<&DbInstance>,
    words: &str,
) -> Result<Stage<'a>, ProviderError> {
    let refused = |message: String, help: &str| Err(ProviderError::new(ErrorKind::Conflict, message).help(help));
    let begun =
        [beside, current].into_iter().flatten().find_map(|one| one.tags.get(REPLACES).and(one.tags.get(RESTORING)));
    if let Some(begun) = begun.filter(|begun| *begun != words) {
        return refused(
            format!("another restore of {name} was begun: {begun}"),
            "finish that one first, with the same words",
        );
    }
    match (current, beside) {
        (_, Some(beside)) => match Replaces::of(beside) {
            Some(replaces) => Ok(Stage::Beside(replaces)),
            None => {
                let message = format!("there is an instance {} already, which is no restore of {name}", beside.id);
                refused(message, "rename it: that name is needed while the restored one is made")
            }
        },
        (Some(current), None) if Replaces::of(current).is_some() => Ok(Stage::InPlace),
        (Some(current), None) if !tags::are_ours(&current.tags, name) => {
            let message = format!("{name} exists and is not pgherd's");
            Err(ProviderError::new(ErrorKind::Protected, message).help("`pgherd adopt` takes it over"))
        }
        (Some(current), None) => Ok(Stage::Begin(current)),
        (None, None) => {
            let message = format!("there is no {name} whose place could be taken");
            Err(ProviderError::new(ErrorKind::NotFound, message).help("--as NAME restores it as another database"))
        }
    }
}

/// Makes the new instance beside the old one, in the old one's groups.
async fn made(
    aws: &Aws,
    to: &Spec,
    point: &Point,
    worn: &[(&str, &str)],
    events: &Events,
) -> Result<(), ProviderError> {
    let origin = origin::found(aws, &to.name, point).await?;
    let to = origin.fitted(to);
    let wanted = instance::wanted(&to, aws.region());
    if let Some(error) = origin.refuses(&wanted) {
        return Err(error);
    }
    groups_are_there(aws, &to).await?;
    let resource = late::resource(aws, &beside_it(&wanted, worn)).await?;
    anew::restored(aws, &resource, &origin.from, origin.kept.gib, &timing(&to), events).await
}

/// The instance as it is wanted beside the old one: nothing is exported under a name that it will not keep.
fn beside_it(wanted: &Resource, worn: &[(&str, &str)]) -> Resource {
    let name = beside(&wanted.id.name);
    let mut resource = tagged(wanted, tags::BLOCK, &name);
    resource = worn.iter().fold(resource, |resource, (key, value)| tagged(&resource, key, value));
    resource.props.insert(LOGS.to_owned(), Value::List(Vec::new()));
    Resource { id: Id::new(instance::NAME, name), ..resource }
}

/// Refuses when what the instance is put into is not there as the block wants it: one thing at a time.
async fn groups_are_there(aws: &Aws, to: &Spec) -> Result<(), ProviderError> {
    let needed = instance::wanted(to, aws.region()).needs;
    let planned = planned(aws, to).await?;
    match planned.plan.steps.iter().find(|step| needed.contains(&step.id)) {
        Some(step) => {
            let message = format!("{} is not as the block wants it", step.id);
            Err(ProviderError::new(ErrorKind::Conflict, message).help("`pgherd apply` first, then run this again"))
        }
        None => Ok(()),
    }
}

/// Gives the old instance and its replicas their other names, and their tags with them; and writes down how the old one is connected to.
async fn put_aside(
    aws: &Aws,
    name: &str,
    replaces: &Replaces,
    document: &crate::live::document::Document,
    events: &Events,
) -> Result<(), ProviderError> {
    let (session, region, aside) = (aws.session(), aws.region(), replaces.aside.as_str());
    for old in rds::instances(session, region, &names::instances(name)).await? {
        let follows = old.source.as_deref().is_some_and(|source| source == name || source == aside);
        if let (true, Some((_, number))) = (follows, old.id.rsplit_once("-r")) {
            let to = format!("{aside}-r{number}");
            let renamed = anew::renamed(aws, resource_id(&old)?, &old.id, &to, events).await?;
            owned(aws, &renamed, aside).await?;
        }
    }
    let old = anew::renamed(aws, &replaces.resource_id, name, aside, events).await?;
    wait::say(events, format!("the old {name} goes on as {aside}"));
    owned(aws, &old, aside).await?;
    // A replica that was renamed before a run was killed is not of the name any more.
    for seen in rds::instances(session, region, &names::instances(aside)).await? {
        if seen.source.is_some() && !tags::are_ours(&seen.tags, aside) {
            owned(aws, &seen, aside).await?;
        }
    }
    let given = vec![(tags::BLOCK.to_owned(), aside.to_owned())];
    anew::written_down(aws, aside, &anew::document(&old, document.password.clone()), &given).await
}

/// Whose an instance is from now on.
async fn owned(aws: &Aws, seen: &DbInstance, block: &str) -> Result<(), ProviderError> {
    if tags::are_ours(&seen.tags, block) {
        return Ok(());
    }
    let tags = [(tags::BLOCK.to_owned(), block.to_owned())];
    Ok(rds::add_tags(aws.session(), aws.region(), &seen.arn, &tags).await?)
}

async fn instance_of(aws: &Aws, name: &str) -> Result<DbInstance, ProviderError> {
    let seen = rds::instance(aws.session(), aws.region(), name).await?;
    seen.ok_or_else(|| {
        ProviderError::new(ErrorKind::NotFound, format!("{name} is not there any more")).help("run this again")
    })
}

fn resource_id(seen: &DbInstance) -> Result<&str, ProviderError> {
    let id = seen.props.get("DbiResourceId").and_then(Value::as_text);
    id.ok_or_else(|| {
        ProviderError::new(ErrorKind::Unsupported, format!("nobody tells the DbiResourceId of {}", seen.id))
    })
}

/// That a restore was cut short between the two names: whoever made the database anew would stand in its way.
pub(crate) async fn in_the_way(aws: &Aws, id: &Id) -> Result<(), ProviderError> {
    let beside = rds::instance(aws.session(), aws.region(), &beside(&id.name)).await?;
    match beside.filter(|beside| Replaces::of(beside).is_some()) {
        Some(beside) => {
            let message = format!("a restore of {} was cut short: what was restored is called {}", id.name, beside.id);
            Err(ProviderError::new(ErrorKind::Conflict, message).help("`pgherd restore --replace` goes on with it"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(id: &str, tags: &[(&str, &str)]) -> DbInstance {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        DbInstance { id: id.to_owned(), tags, ..wait::tests::seen("available", "in-sync", &[]) }
    }

    #[track_caller]
    fn check(current: Option<&DbInstance>, beside: Option<&DbInstance>, expected: &str) {
        let found = match stage("orders", current, beside, "orders latest") {
            Ok(Stage::Begin(old)) => format!("begin with {}", old.id),
            Ok(Stage::Beside(replaces)) => format!("beside, {} goes to {}", replaces.resource_id, replaces.aside),
            Ok(Stage::InPlace) => "in place".to_owned(),
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
        check(Some(&new), None, "in place");
        check(None, None, "there is no orders whose place could be taken");
        check(Some(&seen("orders", &[])), None, "orders exists and is not pgherd's");
        let other = seen("orders-restored", &[]);
        check(Some(&ours), Some(&other), "there is an instance orders-restored already, which is no restore of orders");
        let worn = [("pgherd:restoring", "orders backup x"), ("pgherd:replaces", "db-1 orders-before-1")];
        let another = seen("orders-restored", &worn);
        check(Some(&ours), Some(&another), "another restore of orders was begun: orders backup x");
    }

    #[test]
    fn a_name_that_was_put_aside_has_room_for_its_replicas() {
        let now = "2026-11-22T18:00:05Z".parse().expect("a time");
        assert_eq!(aside("orders", now), "orders-before-20261122180005");
        let long = aside(&"a".repeat(55), now);
        assert_eq!((long.len(), format!("{long}-r15").len()), (59, 63));
    }
}
