//! `promote`: a replica becomes a server of its own. Azure gives no server another name, so it keeps the replica's.

use pgherd_core::spec::Spec;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use pgherd_engine::through::through;
use serde_json::json;

use super::restore::password_put;
use crate::api::{self, Server};
use crate::live::retagged;
use crate::observe::{ours, replicas};
use crate::provider::Azure;
use crate::wait::{Trouble, carried, idle, say, settled};
use crate::{names, tags};

/// Makes a replica a database of its own.
pub(super) async fn promote(
    azure: &Azure,
    name: &str,
    replica: Option<&str>,
    to: &Spec,
    events: &Events,
) -> Result<(), ProviderError> {
    ours(azure, name).await?;
    let at_most = azure.patience().making;
    let mark = format!("{name}-promoted");
    // A run that was cut short after the promotion finds a server that follows nobody, with its source's tag or our mark.
    let begun = api::server(azure.at(), &to.name).await?.filter(|there| there.source().is_none());
    let begun = begun.filter(|there| {
        let is_marked = there.tags().get(tags::RESTORED) == Some(&mark);
        names::source(there.name()) == Some(name) && (tags::are_ours(&there.tags(), name) || is_marked)
    });
    if begun.is_none() {
        let all = replicas(azure, name).await?;
        let chosen = chosen(name, &all, replica)?.name();
        if chosen != to.name {
            let words = format!("Azure cannot give a server another name, and {chosen} keeps its own");
            let help = format!("write --as {chosen}");
            return Err(ProviderError::new(ErrorKind::Unsupported, words).help(help));
        }
        // Planned: everything that is committed gets there first.
        let body = json!({ "properties": { "replica": {
            "role": "None", "promoteMode": "Standalone", "promoteOption": "Planned",
        } } });
        match carried(azure, chosen, at_most, events, || api::patch(azure.at(), chosen, &body)).await {
            Err(Trouble::Refused(error)) if error.maybe_done => drop(idle(azure, chosen, at_most, events).await?),
            answer => answer?,
        }
        if settled(azure, chosen, at_most, events).await?.source().is_some() {
            let words = format!("{chosen} follows {name} still");
            return Err(ProviderError::new(ErrorKind::Unavailable, words).help("run this again"));
        }
    }
    let own = [(tags::BLOCK, Some(to.name.as_str())), (tags::RESTORED, Some(mark.as_str()))];
    retagged(azure, &to.name, &own, events).await?;
    password_put(azure, to, events).await?;
    say(
        events,
        format!("{} is a database of its own, with a password of its own; other roles are as they were", to.name),
    );
    through(&azure.restoring(mark), to, events).await
}

/// Which replica is meant.
fn chosen<'a>(name: &str, replicas: &'a [Server], wanted: Option<&str>) -> Result<&'a Server, ProviderError> {
    let refused = |words: String, help: String| Err(ProviderError::new(ErrorKind::NotFound, words).help(help));
    let listed = replicas.iter().map(Server::name).collect::<Vec<_>>().join(", ");
    match (wanted, replicas) {
        (_, []) => refused(
            format!("{name} has no read replica"),
            "create_read_replica = true in its block, then pgherd apply makes one".to_owned(),
        ),
        (Some(wanted), all) => match all.iter().find(|one| one.name() == wanted) {
            Some(found) => Ok(found),
            None => refused(format!("{wanted} is no read replica of {name}"), format!("its replicas: {listed}")),
        },
        (None, [only]) => Ok(only),
        (None, _) => refused(format!("{name} has several read replicas"), format!("--replica says which: {listed}")),
    }
}
