//! Firewall rules of a server: each is put and removed by itself, and those of others are left alone.

use pgherd_core::resource::Resource;
use pgherd_engine::provider::{Events, ProviderError};

use super::{not_known, texts};
use crate::api::{self, Rule};
use crate::kinds::firewall::RANGES;
use crate::names::{self, RULE};
use crate::provider::Azure;
use crate::wait::{Trouble, carried};

/// Has exactly the ranges that are wanted come in by rules of ours. New ones come first, so that nobody is kept out meanwhile.
pub(super) async fn put(azure: &Azure, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (server, at_most) = (resource.id.name.as_str(), azure.patience().changing);
    let wanted: Option<Vec<Rule>> = texts(resource, RANGES)?.iter().map(|range| rule(range)).collect();
    let wanted = wanted.ok_or_else(|| not_known(resource, RANGES))?;
    let there = api::rules(azure.at(), server).await?;
    let is_there = |rule: &&Rule| there.iter().any(|one| one.name == rule.name && one.range() == rule.range());
    for rule in wanted.iter().filter(|rule| !is_there(rule)) {
        carried(azure, server, at_most, events, || api::put_rule(azure.at(), server, rule)).await?;
    }
    let is_over = |one: &&Rule| one.name.starts_with(RULE) && !wanted.iter().any(|rule| rule.name == one.name);
    let over: Vec<&Rule> = there.iter().filter(is_over).collect();
    if over.is_empty() {
        return Ok(());
    }
    let lifted = removed(azure, server, &over, events).await;
    if let Ok(true) | Err((true, _)) = lifted {
        api::put_lock(azure.at(), server).await?;
    }
    lifted.map(drop).map_err(|(_, error)| error)
}

/// Removes rules. Our lock keeps what is within the server, too: whether it was lifted for that.
async fn removed(azure: &Azure, server: &str, over: &[&Rule], events: &Events) -> Result<bool, (bool, ProviderError)> {
    let at_most = azure.patience().changing;
    let mut is_lifted = false;
    for one in over {
        loop {
            match carried(azure, server, at_most, events, || api::delete_rule(azure.at(), server, &one.name)).await {
                Ok(()) => break,
                Err(Trouble::Refused(error)) if error.is_locked() && !is_lifted => {
                    let locks = api::locks(azure.at(), server).await.map_err(|error| (false, error.into()))?;
                    if locks.0.is_none() {
                        return Err((false, error.into()));
                    }
                    events.phase("its lock is lifted to remove firewall rules");
                    is_lifted = true;
                    api::delete_lock(azure.at(), server).await.map_err(|error| (true, error.into()))?;
                }
                Err(trouble) => return Err((is_lifted, trouble.into())),
            }
        }
    }
    Ok(is_lifted)
}

fn rule(range: &str) -> Option<Rule> {
    let (first, last) = range.split_once('-')?;
    Some(Rule { name: names::rule(first, last), first: first.to_owned(), last: last.to_owned() })
}
