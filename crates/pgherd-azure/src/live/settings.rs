//! Settings of a server: one call each, one after another, and one restart for all that wait for one.

use pgherd_core::plan::Change;
use pgherd_core::resource::Resource;
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use crate::api::{self, Configuration};
use crate::kinds::settings::VALUES;
use crate::parameters::{self, LIBRARIES, POOLER};
use crate::provider::Azure;
use crate::wait::{Trouble, carried, settled};

/// Gives a server its settings. What is no change and waits for a restart gets it when `now` says so.
pub(super) async fn put(
    azure: &Azure,
    resource: &Resource,
    changes: &[Change],
    now: bool,
    events: &Events,
) -> Result<(), ProviderError> {
    let server = resource.id.name.as_str();
    let at_most = azure.patience().changing;
    let there = settled(azure, server, at_most, events).await?;
    let major = there.property("version").and_then(|major| major.parse().ok());
    let live = api::configurations(azure.at(), server).await?;
    let nothing = Props::new();
    let wanted = resource.props.get(VALUES).and_then(Value::as_map).unwrap_or(&nothing);
    stale(server, &live, changes, major)?;
    let mut names: Vec<&String> = wanted.keys().collect();
    // Others of the pooler are hidden until it is there.
    names.sort_by_key(|name| (name.as_str() != POOLER, *name));
    for name in names {
        let Some(value) = wanted[name].as_text() else { return Err(super::not_known(resource, name)) };
        let known = live.iter().find(|one| one.name == *name);
        if known.is_some_and(|one| is_there(one, value, major)) {
            continue;
        }
        let value = match known {
            Some(one) if name == LIBRARIES => parameters::libraries(&one.value, value),
            Some(_) | None => value.to_owned(),
        };
        given(azure, server, name, events, || api::set(azure.at(), server, name, &value)).await?;
    }
    let mut unwanted: Vec<&Configuration> = live.iter().filter(|one| is_unwanted(one, wanted, changes)).collect();
    unwanted.sort_by_key(|one| (one.name == POOLER, &one.name));
    for one in unwanted {
        given(azure, server, &one.name, events, || api::reset(azure.at(), server, one)).await?;
    }
    if now { restarted(azure, server, events).await } else { Ok(()) }
}

/// Whether a setting is to have its default again. Only what was planned is taken away.
fn is_unwanted(one: &Configuration, wanted: &Props, changes: &[Change]) -> bool {
    let field =
        |change: &Change| change.field.strip_prefix(VALUES).and_then(|rest| rest.strip_prefix('.')) == Some(&one.name);
    one.is_set && !wanted.contains_key(&one.name) && changes.iter().any(|change| field(change) && change.to.is_null())
}

fn is_there(one: &Configuration, wanted: &str, major: Option<u32>) -> bool {
    let loads = one.name == LIBRARIES && parameters::loads(&one.value, wanted);
    loads || parameters::told(&one.name, &one.value, major) == wanted
}

/// What is neither as it was planned nor as it should be ends it.
fn stale(server: &str, live: &[Configuration], changes: &[Change], major: Option<u32>) -> Result<(), ProviderError> {
    for change in changes {
        let name = change.field.strip_prefix(VALUES).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
        let Some(one) = live.iter().find(|one| one.name == name) else { continue };
        let now = parameters::told(name, &one.value, major);
        let is = |value: &Value| match value.as_text() {
            Some(text) => is_there(one, text, major),
            None => !one.is_set || now == parameters::told(name, &one.default, major),
        };
        if !is(&change.from) && !is(&change.to) {
            let words = format!("{name} of {server} is {now} by now, and was {} when it was planned", change.from);
            return Err(ProviderError::new(ErrorKind::Conflict, words).help("plan again"));
        }
    }
    Ok(())
}

/// One setting. Azure was seen to take what it then refuses in words that name nothing.
async fn given<F>(
    azure: &Azure,
    server: &str,
    name: &str,
    events: &Events,
    attempt: impl FnMut() -> F,
) -> Result<(), ProviderError>
where
    F: Future<Output = Result<api::Begun, crate::error::AzureError>>,
{
    carried(azure, server, azure.patience().changing, events, attempt).await.map_err(|trouble| {
        let error = ProviderError::from(trouble);
        ProviderError { message: format!("{name} of {server}: {}", error.message), ..error }
    })
}

/// Restarts a server, if anything waits for that.
async fn restarted(azure: &Azure, server: &str, events: &Events) -> Result<(), ProviderError> {
    for _ in 0..super::TRIES {
        if !api::configurations(azure.at(), server).await?.iter().any(|one| one.waits) {
            return Ok(());
        }
        let at_most = azure.patience().changing;
        match carried(azure, server, at_most, events, || api::restart(azure.at(), server)).await {
            Err(Trouble::Refused(error)) if error.maybe_done => {}
            answer => answer?,
        }
        settled(azure, server, at_most, events).await?;
    }
    Ok(())
}
