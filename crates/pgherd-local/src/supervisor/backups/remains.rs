//! What stays of databases that were destroyed, and goes by and by.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use pgherd_archive::{Generation, Repository};
use pgherd_core::backups::{Gone, Holdings, expire_gone};
use pgherd_engine::provider::ProviderError;

use super::{archive, store};
use crate::supervisor::agent::Agent;
use crate::supervisor::files;
use crate::supervisor::site::{Site, blocking, cannot};

/// Deletes what is stored of databases that have been gone for long enough. A last backup stays until somebody deletes it.
pub async fn expire(agent: &Arc<Agent>) -> Result<(), ProviderError> {
    let own = agent.clone();
    let gone = blocking(move || count(&own)).await?;
    for (name, gone) in gone {
        let turn = agent.desk.turn(name.split('/').next().unwrap_or_default());
        let _turn = turn.lock().await;
        let own = agent.clone();
        if let Err(error) = blocking(move || expire_one(&own, &name, gone)).await {
            tracing::warn!("what stays of a database that is gone: {error}");
        }
    }
    Ok(())
}

fn file(agent: &Agent) -> PathBuf {
    agent.options.paths.state.join("gone.json")
}

/// For how long each has been gone.
fn count(agent: &Arc<Agent>) -> Result<BTreeMap<String, Gone>, ProviderError> {
    let Some(repository) = store::open_if_there(agent)? else { return Ok(BTreeMap::new()) };
    let (path, now) = (file(agent), Timestamp::now());
    let text = files::read(&path).map_err(|error| cannot("read", &path, &error))?;
    // One that cannot be read is begun anew: everything stays for longer.
    let known: BTreeMap<String, Gone> = text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let names = repository.instances().map_err(store::refused)?.into_iter();
    // An instance whose ledger cannot be read is not an instance that is gone.
    let names = names.filter(|name| !agent.options.paths.instance(name).root.exists());
    // A bucket may have those of another machine.
    let is_ours = |name: &String| agent.history(name).is_ok_and(|history| !history.read().is_empty());
    let is_folder = store::folder(&agent.options.paths).is_some();
    let names = names.filter(|name| is_folder || is_ours(name));
    let all = repository.instances().map_err(store::refused)?;
    let lives = all.iter().filter(|name| agent.options.paths.instance(name).root.exists());
    let names = names.chain(lives.flat_map(|name| earlier_lives(agent, &repository, name).into_keys()));
    let seen = |name: String| {
        let gone = known.get(&name).map_or_else(|| Gone::new(now), |gone| gone.seen(now));
        (name, gone)
    };
    let gone: BTreeMap<String, Gone> = names.map(seen).collect();
    let text = serde_json::to_vec_pretty(&gone).expect("plain data serialises");
    files::replace(&path, &text, 0o600).map_err(|error| cannot("write", &path, &error))?;
    Ok(gone)
}

/// What databases left whose name another one has by now: generations of other clusters than that one's, under `NAME/CLUSTER`. None where
/// it is not known which that is.
fn earlier_lives(agent: &Arc<Agent>, repository: &Repository, name: &str) -> BTreeMap<String, Vec<Generation>> {
    let site = Site::of(agent.clone(), name);
    let mut lives: BTreeMap<String, Vec<Generation>> = BTreeMap::new();
    let Ok(Some(current)) = archive::known_generation(&site) else { return lives };
    let generations = store::generations(repository, name).unwrap_or_else(|error| {
        tracing::warn!(instance = name, "{error}");
        Vec::new()
    });
    let (number, cluster) = (current.info().number, current.info().system_identifier);
    for generation in generations {
        let of = generation.info().system_identifier;
        if generation.info().number < number && of != 0 && cluster != 0 && of != cluster {
            lives.entry(format!("{name}/{of}")).or_default().push(generation);
        }
    }
    lives
}

fn expire_one(agent: &Arc<Agent>, key: &str, gone: Gone) -> Result<(), ProviderError> {
    let Some(repository) = store::open_if_there(agent)? else { return Ok(()) };
    // No name has a slash in it.
    let (name, is_earlier) = key.split_once('/').map_or((key, false), |(name, _)| (name, true));
    let generations = if is_earlier {
        earlier_lives(agent, &repository, name).remove(key).unwrap_or_default()
    } else if agent.options.paths.instance(name).root.exists() {
        return Ok(());
    } else {
        store::generations(&repository, name)?
    };
    let holdings: Vec<Holdings> =
        generations.iter().map(|one| one.holdings().map_err(store::refused)).collect::<Result<_, _>>()?;
    let mut deleted = 0;
    for (generation, what) in generations.iter().zip(expire_gone(&holdings, gone)) {
        generation.delete(&what).map_err(store::refused)?;
        deleted += what.len();
    }
    if deleted > 0 {
        let site = Site::of(agent.clone(), name);
        site.note(format!("deleted {deleted} backups and files of the log, 35 days after it was destroyed"));
    }
    Ok(())
}
