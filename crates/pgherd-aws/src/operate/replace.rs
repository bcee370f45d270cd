//! `restore --replace`: a database goes back in its own place. The restored instance is made beside it, with another name; when it is
//! there, the old one is put aside under a third name and the new one takes its place. Nothing is deleted, and the password stays.
//!
//! What would follow the old one, or be interrupted by its new name, is refused before anything is made, and once more right before.

use jiff::Timestamp;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, Point, ProviderError};

use super::origin;
use super::stage::{Replaces, Stage, aside, beside, resource_id, stage};
use crate::api::rds::{self, DbInstance, LOGS};
use crate::api::secrets;
use crate::kinds::instance;
use crate::kinds::tags::{self, REPLACES, RESTORED, RESTORING};
use crate::live::document::Document;
use crate::live::{anew, late, led, marks, renaming};
use crate::names;
use crate::provider::Aws;
use crate::wait;
use pgherd_engine::through::{planned, through, timing};

/// Restores a database in its own place.
pub(super) async fn in_place(aws: &Aws, to: &Spec, point: &Point, events: &Events) -> Result<(), ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), to.name.as_str());
    let words = origin::words(name, point);
    let beside = beside(name);
    let ids = [name.to_owned(), beside.clone()];
    let found = rds::instances(session, region, &ids).await?;
    let of = |id: &str| found.iter().find(|one| one.id == id);
    let (replaces, is_in_place) = match stage(name, of(name), of(&beside), &words)? {
        Stage::Begin(old) => {
            let replaces = Replaces { aside: aside(name, Timestamp::now()), resource_id: resource_id(old)?.to_owned() };
            gives_way(aws, name, &replaces).await?;
            made(aws, to, point, &[(RESTORING, &words), (REPLACES, &replaces.words())], events).await?;
            (replaces, false)
        }
        Stage::Beside(replaces) => {
            // Once the old one is put aside, this was done before.
            if of(name).is_some_and(|old| resource_id(old) == Ok(&replaces.resource_id)) {
                let worn = [(RESTORING, words.as_str()), (REPLACES, &replaces.words())];
                let resource = late::resource(aws, &beside_it(&instance::wanted(to, region), &worn)).await?;
                anew::finished(aws, &resource, &timing(to), events).await?;
            }
            (replaces, false)
        }
        Stage::InPlace(replaces) => (replaces, true),
    };
    if !is_in_place {
        swapped(aws, name, &replaces, events).await?;
    }
    let new = instance_of(aws, name).await?;
    owned(aws, &new, name, &[(RESTORED, &words)]).await?;
    through(&aws.amid(&[(RESTORING, &words), (REPLACES, &replaces.words())]), to, events).await?;
    // Both at once: what has one of them only is no stage.
    let marks = [REPLACES.to_owned(), RESTORING.to_owned()];
    Ok(rds::remove_tags(session, region, &new.arn, &marks).await?)
}

/// Has the old instance give its name to the one that was made beside it.
async fn swapped(aws: &Aws, name: &str, replaces: &Replaces, events: &Events) -> Result<(), ProviderError> {
    let beside = beside(name);
    let new = instance_of(aws, &beside).await?;
    let document = match rds::instance(aws.session(), aws.region(), name).await? {
        // Its password is what clients have; the one in the backup may be an older one.
        Some(old) if resource_id(&old)? == replaces.resource_id => {
            gives_way(aws, name, replaces).await?;
            let document = anew::document_in_force(aws, name, events).await?;
            anew::password_given(aws, &beside, &document.password, events).await?;
            led_nowhere(aws, &old, &new, events).await?;
            document
        }
        Some(_) | None => anew::document_in_force_of(aws, name).await?,
    };
    put_aside(aws, name, replaces, &document, events).await?;
    renaming::renamed(aws, resource_id(&new)?, &beside, name, events).await.map(drop)
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
    origin.fits(aws, &wanted).await?;
    groups_are_there(aws, &to).await?;
    let resource = late::resource(aws, &beside_it(&wanted, worn)).await?;
    anew::restored(aws, &resource, &origin.from, origin.kept.gib, &timing(&to), events).await
}

/// The instance as it is wanted beside the old one: nothing is exported under a name that it will not keep.
fn beside_it(wanted: &Resource, worn: &[(&str, &str)]) -> Resource {
    let name = beside(&wanted.id.name);
    let mut resource = wanted.clone();
    [(tags::BLOCK, name.as_str())].iter().chain(worn).for_each(|(key, value)| tags::wear(&mut resource, key, value));
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

/// Refuses while the old instance or a replica of it cannot be given another name, or something else would go on with the old one.
async fn gives_way(aws: &Aws, name: &str, replaces: &Replaces) -> Result<(), ProviderError> {
    let servers = rds::instances(aws.session(), aws.region(), &names::instances(name)).await?;
    let is_renamed = |seen: &&DbInstance| seen.id == name || is_replica(seen, name, &replaces.aside);
    let mut refused = servers.iter().filter(is_renamed);
    match refused.find_map(|seen| renaming::refused(seen, Some(&replaces.aside_of(name, &seen.id)))) {
        Some(error) => Err(error),
        None => led::by_nobody_else(aws, name).await,
    }
}

/// Whether a server of a name of ours follows the old instance as its read replica. Somebody else's stays what it is and where it is.
fn is_replica(seen: &DbInstance, name: &str, aside: &str) -> bool {
    let follows = seen.source.as_deref().is_some_and(|source| source == name || source == aside);
    follows && [name, aside].iter().any(|block| tags::are_ours(&seen.tags, block))
}

/// Takes the old instance out of the block's proxy, and marks the new one with it, so that it is found whatever comes of this.
async fn led_nowhere(aws: &Aws, old: &DbInstance, new: &DbInstance, events: &Events) -> Result<(), ProviderError> {
    if !marks::is_proxied(&old.tags) && !led::has_ours(aws, &old.id).await? {
        return Ok(());
    }
    rds::add_tags(aws.session(), aws.region(), &new.arn, &[marks::of_proxy(&old.id)]).await?;
    led::nowhere(aws, &old.id, events).await
}

/// Gives the old instance and its replicas their other names, and their tags with them; and writes down how the old one is connected to.
async fn put_aside(
    aws: &Aws,
    name: &str,
    replaces: &Replaces,
    document: &Document,
    events: &Events,
) -> Result<(), ProviderError> {
    let (session, region, aside) = (aws.session(), aws.region(), replaces.aside.as_str());
    let replicas = rds::instances(session, region, &names::instances(name)).await?;
    for old in replicas.iter().filter(|seen| is_replica(seen, name, aside)) {
        let to = replaces.aside_of(name, &old.id);
        let renamed = renaming::renamed(aws, resource_id(old)?, &old.id, &to, events).await?;
        owned(aws, &renamed, aside, &[]).await?;
    }
    let old = renaming::renamed(aws, &replaces.resource_id, name, aside, events).await?;
    wait::say(events, format!("the old {name} goes on as {aside}, with whatever is not in the restored one"));
    owned(aws, &old, aside, &[]).await?;
    let stays = [tags::PROXY, tags::RESTORED].map(str::to_owned);
    let left: Vec<String> = stays.into_iter().filter(|key| old.tags.contains_key(key)).collect();
    if !left.is_empty() {
        rds::remove_tags(session, region, &old.arn, &left).await?;
    }
    // A replica that was renamed before a run was killed is not of the name any more.
    for seen in rds::instances(session, region, &names::instances(aside)).await? {
        if seen.source.is_some() && tags::are_ours(&seen.tags, name) {
            owned(aws, &seen, aside, &[]).await?;
        }
    }
    let given = vec![(tags::BLOCK.to_owned(), aside.to_owned())];
    // Encrypted as the one that it comes from.
    let key = secrets::describe(session, region, &names::secret(name)).await?.and_then(|secret| secret.key);
    let document = Document::of(&old, document.password.clone());
    anew::written_down(aws, aside, &document, (&given, key.as_deref())).await
}

/// Whose an instance is from now on, and what else its tags say then.
async fn owned(aws: &Aws, seen: &DbInstance, block: &str, more: &[(&str, &str)]) -> Result<(), ProviderError> {
    if tags::are_ours(&seen.tags, block) {
        return Ok(());
    }
    let all = [&[(tags::BLOCK, block)], more].concat();
    let tags: Vec<_> = all.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Ok(rds::add_tags(aws.session(), aws.region(), &seen.arn, &tags).await?)
}

async fn instance_of(aws: &Aws, name: &str) -> Result<DbInstance, ProviderError> {
    let seen = rds::instance(aws.session(), aws.region(), name).await?;
    seen.ok_or_else(|| {
        ProviderError::new(ErrorKind::NotFound, format!("{name} is not there any more")).help("run this again")
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
