//! `promote`: a replica becomes an instance of its own. Cloud SQL gives no instance another name, so it keeps the replica's.

use pgherd_core::spec::Spec;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use pgherd_engine::through::through;

use super::restore::password_put;
use crate::api::{self, Instance};
use crate::live::relabelled;
use crate::observe::{ours, replicas};
use crate::provider::Gcp;
use crate::wait::{Trouble, carried, idle, say, settled};
use crate::{labels, names};

/// Makes a replica a database of its own.
pub(super) async fn promote(
    gcp: &Gcp,
    name: &str,
    replica: Option<&str>,
    to: &Spec,
    events: &Events,
) -> Result<(), ProviderError> {
    let source = ours(gcp, name).await?;
    let at_most = gcp.patience().making;
    // A run that was cut short after the promotion finds an instance that follows nobody, with its source's label or our mark.
    let begun = api::instance(gcp.at(), &to.name).await?.filter(|there| there.source().is_none());
    let begun = begun.filter(|there| {
        let is_marked = there.labels().get(labels::RESTORED) == Some(&mark(name));
        names::source(there.name()) == Some(name) && (labels::are_ours(&there.labels(), name) || is_marked)
    });
    if begun.is_none() {
        let all = replicas(gcp, &source).await?;
        let chosen = chosen(name, &all, replica)?;
        if chosen.name() != to.name {
            let words = format!("Cloud SQL cannot give an instance another name, and {} keeps its own", chosen.name());
            let help = format!("write --as {}", chosen.name());
            return Err(ProviderError::new(ErrorKind::Unsupported, words).help(help));
        }
        let chosen = chosen.name();
        match carried(gcp, chosen, at_most, events, || api::promote(gcp.at(), chosen)).await {
            Err(Trouble::Refused(error)) if error.maybe_done => idle(gcp, chosen, at_most, events).await?,
            answer => answer?,
        }
        let there = settled(gcp, chosen, at_most, events).await?;
        if there.source().is_some() {
            let words = format!("{chosen} follows {name} still");
            return Err(ProviderError::new(ErrorKind::Unavailable, words).help("run this again"));
        }
    }
    let mark = mark(name);
    let own = [(labels::BLOCK, Some(to.name.as_str())), (labels::RESTORED, Some(mark.as_str()))];
    relabelled(gcp, &to.name, &own, events).await?;
    password_put(gcp, to, events).await?;
    say(
        events,
        format!("{} is a database of its own, with a password of its own; other roles are as they were", to.name),
    );
    through(&gcp.restoring(mark), to, events).await
}

/// What a promoted instance wears, so that the same command goes on with it.
fn mark(name: &str) -> String {
    labels::folded(&format!("{name}-promoted"))
}

/// Which replica is meant.
fn chosen<'a>(name: &str, replicas: &'a [Instance], wanted: Option<&str>) -> Result<&'a Instance, ProviderError> {
    let refused = |words: String, help: String| Err(ProviderError::new(ErrorKind::NotFound, words).help(help));
    let listed: Vec<&str> = replicas.iter().map(Instance::name).collect();
    let listed = listed.join(", ");
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
