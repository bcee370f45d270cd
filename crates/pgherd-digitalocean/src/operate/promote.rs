//! `promote`: a replica becomes a cluster of its own. DigitalOcean gives no cluster another name, so it keeps the replica's.

use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use crate::api::{self, Cluster, Replica};
use crate::observe::{Found, find, foreign_replica, ours};
use crate::provider::DigitalOcean;
use crate::wait::{Of, Refusals, is_at_rest, say, settled, until};
use crate::{kinds, names, tags};
use pgherd_engine::through::through;

/// Makes a replica a database of its own.
pub(super) async fn promote(
    ocean: &DigitalOcean,
    name: &str,
    replica: Option<&str>,
    to: &Spec,
    events: &Events,
) -> Result<(), ProviderError> {
    let source = ours(ocean, name).await?;
    let (session, at) = (ocean.session(), source.id.as_str());
    let mut replicas = api::replicas(session, at).await?;
    let known = names::replicas(name);
    replicas.retain(|one| known.contains(&one.name));
    // A run that was cut short after the promotion finds a cluster that still wears its source's tag.
    let begun = api::clusters(session).await?.into_iter().find(|one| {
        let is_marked = tags::value_of(&one.tags, tags::RESTORED) == Some(mark(name).as_str());
        one.name == to.name && known.contains(&one.name) && (tags::are_ours(&one.tags, name) || is_marked)
    });
    let id = match begun {
        Some(begun) => begun.id,
        None => {
            let chosen = chosen(name, &replicas, replica)?;
            if chosen.name != to.name {
                let words =
                    format!("DigitalOcean cannot give a cluster another name, and {} keeps its own", chosen.name);
                return Err(
                    ProviderError::new(ErrorKind::Unsupported, words).help(format!("write --as {}", chosen.name))
                );
            }
            if !is_at_rest(&chosen.status) {
                let words = format!("{} is {}", chosen.name, chosen.status);
                return Err(ProviderError::new(ErrorKind::Conflict, words).help("wait until it is online"));
            }
            promoted(ocean, at, name, chosen, events).await?;
            chosen.id.clone()
        }
    };
    let cluster = settled(ocean, &id, ocean.patience().making, events, |_| true).await?;
    relabelled(ocean, &cluster, name, to).await?;
    // Lists lag behind: whoever goes on by its name before it is there under it would make another one.
    let id = id.as_str();
    let listed = || async move {
        match find(ocean, &to.name).await? {
            Found::Ours(there) if there.id == id => Ok(Some(())),
            Found::Ours(_) | Found::Foreign(..) | Found::Nothing => Ok(None),
        }
    };
    until(ocean, ocean.patience().making, "not to be seen under its name yet", events, listed).await?;
    say(events, format!("{} is a database of its own; its roles and passwords are those of {name}", to.name));
    through(ocean, to, events).await
}

/// Promotes it. Whose it is is looked at right before each try.
async fn promoted(
    ocean: &DigitalOcean,
    source: &str,
    database: &str,
    chosen: &Replica,
    events: &Events,
) -> Result<(), ProviderError> {
    let mut refusals = Refusals::new(ocean, Of::Replica(source, &chosen.name));
    loop {
        let replicas = api::replicas(ocean.session(), source).await?;
        let Some(there) = replicas.into_iter().find(|one| one.id == chosen.id) else {
            // Promoted by the try before, or taken away: its own id tells.
            return Ok(());
        };
        if !there.is_of(database) {
            return Err(foreign_replica(&chosen.name));
        }
        match api::promote_replica(ocean.session(), source, &chosen.name).await {
            Ok(()) => return Ok(()),
            Err(error) if refusals.pass(ocean, events, &error).await => {}
            Err(error) => {
                // It was done all the same when it is no replica any more.
                let replicas = api::replicas(ocean.session(), source).await?;
                return if replicas.iter().any(|one| one.id == chosen.id) { Err(error.into()) } else { Ok(()) };
            }
        }
    }
}

/// What a promoted cluster wears, so that the same command goes on with it.
fn mark(name: &str) -> String {
    format!("{name}:promoted")
}

/// Has it be its own block's: the new tag first, so that it is never nobody's.
async fn relabelled(ocean: &DigitalOcean, cluster: &Cluster, name: &str, to: &Spec) -> Result<(), ProviderError> {
    let wanted = kinds::cluster::wanted(to);
    let own = tags::flat(tags::BLOCK, &to.name);
    if tags::value_of(&cluster.tags, tags::RESTORED).is_none() {
        api::tag(ocean.session(), &cluster.id, &tags::flat(tags::RESTORED, &mark(name))).await?;
    }
    let worn = wanted.props.get("tags").and_then(Value::as_map).and_then(|worn| worn.get(tags::BLOCK));
    if worn.is_some() && !tags::are_ours(&cluster.tags, &to.name) {
        api::tag(ocean.session(), &cluster.id, &own).await?;
    }
    if tags::are_ours(&cluster.tags, name) {
        api::untag(ocean.session(), &cluster.id, &tags::flat(tags::BLOCK, name)).await?;
    }
    Ok(())
}

/// Which replica is meant.
fn chosen<'a>(name: &str, replicas: &'a [Replica], wanted: Option<&str>) -> Result<&'a Replica, ProviderError> {
    let refused = |words: String, help: String| Err(ProviderError::new(ErrorKind::NotFound, words).help(help));
    let listed: Vec<&str> = replicas.iter().map(|one| one.name.as_str()).collect();
    let listed = listed.join(", ");
    match (wanted, replicas) {
        (_, []) => refused(
            format!("{name} has no read replica"),
            "create_read_replica = true in its block, then pgherd apply makes one".to_owned(),
        ),
        (Some(wanted), all) => match all.iter().find(|one| one.name == wanted) {
            Some(found) => Ok(found),
            None => refused(format!("{wanted} is no read replica of {name}"), format!("its replicas: {listed}")),
        },
        (None, [only]) => Ok(only),
        (None, _) => refused(format!("{name} has several read replicas"), format!("--replica says which: {listed}")),
    }
}
