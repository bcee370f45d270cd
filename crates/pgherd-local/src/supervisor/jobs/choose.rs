//! The server for what is wanted: found, or else downloaded.

use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::postgres::choose::{Choice, choose, instead};
use crate::postgres::{fetch, find};
use crate::supervisor::agent::Agent;
use crate::supervisor::ledger::Record;
use crate::supervisor::requests::Watcher;
use crate::supervisor::site::blocking;

/// Chooses the server of a record. An error when it would be another major version than before.
pub async fn choose_server(agent: &Agent, record: &mut Record, watcher: &Watcher) -> Result<(), ProviderError> {
    let asked = record.wanted.engine_version.as_deref().and_then(Version::parse);
    let strict = agent.options.strict_minor;
    let (given, cache) = (agent.options.postgres_dirs.clone(), agent.options.paths.servers());
    let cached = cache.clone();
    let search_path = std::env::var_os("PATH");
    let found = blocking(move || Ok(find::servers(&given, search_path.as_deref(), &cached))).await?;
    let (server, note) = match choose(asked, strict, &found.servers) {
        Choice::Use { server, note } => (server, note),
        Choice::Fetch(version) => {
            watcher.phase(format!("downloading PostgreSQL {version}"));
            let download = move || {
                fetch::fetch(version, strict, &fetch::Sources::default(), &cache, &|phase| tracing::info!("{phase}"))
            };
            match blocking(download).await {
                Ok(server) => (server, None),
                Err(error) => {
                    let refuse = |message| ProviderError::new(ErrorKind::Unavailable, message).help(error.help.clone());
                    let (server, warning) = instead(asked, strict, &found.servers, &error.message).map_err(refuse)?;
                    watcher.say(warning.clone());
                    (server, Some(warning))
                }
            }
        }
    };
    let now = record.server.as_ref();
    if let Some(now) = now.filter(|now| now.major() != server.major()) {
        let message = format!("{} runs and {} would be needed", now.banner, server.banner);
        return Err(ProviderError::new(ErrorKind::Invalid, message).help(crate::desired::MAJOR_MIGRATION));
    }
    record.server = Some(server);
    record.server_note = note;
    Ok(())
}
