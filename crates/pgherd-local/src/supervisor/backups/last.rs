//! The last backup of a database that is to go, and letting go of it.

use std::sync::Arc;

use jiff::Timestamp;
use pgherd_archive::Generation;
use pgherd_core::backups::{Backup, BackupKind, Deletion};
use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::proof::{prove, prove_left};
use super::take::{Taking, take};
use super::{archive, quiet, second, store};
use crate::supervisor::ledger::Record;
use crate::supervisor::site::{Site, blocking};
use crate::supervisor::upkeep::Goal;

/// The last backup of an instance that is to go. Repeatable.
pub async fn take_last(site: &Site, record: &Record) -> Result<(), ProviderError> {
    let Goal::Gone { backup: Some(name), asked_at, .. } = record.memory.goal.clone() else { return Ok(()) };
    let primary = record.primary();
    let layout = site.node(primary);
    if !layout.data.join("PG_VERSION").exists() {
        let message = format!("{} is not there, so no last backup can be taken", layout.data.display());
        return Err(ProviderError::new(ErrorKind::Conflict, message)
            .help("mount its disk and repeat; without a last backup only with skip_final_snapshot = true"));
    }
    let turn = site.agent.desk.turn(&site.name);
    let _turn = turn.lock().await;
    // What was taken before somebody could come in again is not the last one, whatever the clock says.
    let since = quiet::is_shut(site, primary).then_some(asked_at);
    let taken = take_last_of(site, record, primary, &name, since).await;
    if taken.is_err() {
        // One that was the primary when it was shut may be one of the others by now.
        for node in record.nodes() {
            if let Err(error) = quiet::open(site, record, node).await {
                site.note(format!("clients cannot come into {node} again: {error}; it is tried again within minutes"));
            }
        }
    }
    taken
}

async fn take_last_of(
    site: &Site,
    record: &Record,
    primary: NodeId,
    name: &str,
    since: Option<Timestamp>,
) -> Result<(), ProviderError> {
    let copied = record.wanted.geo_redundant_backup;
    if copied {
        // While clients work: what cannot be had, or takes long, is known before they are kept out.
        let own = site.clone();
        blocking(move || second::copy_before_last(&own)).await?;
    }
    quiet::shut(site, record, primary).await?;
    let (own, wanted) = (site.clone(), name.to_owned());
    let (name, known) = blocking(move || last_of(&own, &wanted, since)).await?;
    // Taken and listed, and then we were cut short.
    let taken = match known {
        Some(taken) if taken.verified_at.is_some() => taken,
        // It was not read back before we were cut short.
        Some(taken) => {
            prove_left(site, &taken.name).await?;
            taken
        }
        None => {
            take(site, record, &Taking { name, kind: BackupKind::Final, node: primary, come: Arc::default() }, |_| {})
                .await?
        }
    };
    quiet::refuse_company(site, record, primary).await?;
    site.note(format!("took and verified the last backup {} of {} bytes", taken.name, taken.bytes));
    if !copied {
        return Ok(());
    }
    let own = site.clone();
    blocking(move || copy_last(&own, &taken)).await?;
    // That may have taken long enough for another server to become the primary, which lets clients in.
    quiet::refuse_company(site, record, primary).await
}

/// Has the last backup be in the second repository. One that turned out to be damaged is written down as such, and the next attempt takes another.
fn copy_last(site: &Site, taken: &Backup) -> Result<(), ProviderError> {
    let Err(error) = second::copy_last(site, taken) else { return Ok(()) };
    if error.kind == ErrorKind::Invalid
        && let Some(generation) = archive::known_generation(site)?
    {
        prove(&generation, &taken.name)?;
    }
    Err(error)
}

/// What the last backup is called, and itself if it was taken since nobody can come in. One of the name that an earlier attempt to
/// destroy the database left was not its last one, and stays: the next one gets a number.
fn last_of(site: &Site, name: &str, since: Option<Timestamp>) -> Result<(String, Option<Backup>), ProviderError> {
    let Some(generation) = archive::known_generation(site)? else { return Ok((name.to_owned(), None)) };
    choose_last(&generation.backups().map_err(store::refused)?, name, since).ok_or_else(|| {
        let message = format!("there are backups of {name}, and of that name with every number");
        ProviderError::new(ErrorKind::Conflict, message).help("choose another name for the last backup")
    })
}

fn choose_last(kept: &[Backup], name: &str, since: Option<Timestamp>) -> Option<(String, Option<Backup>)> {
    let mut names = std::iter::once(name.to_owned()).chain((2..100).map(|number| format!("{name}-{number}")));
    names.find_map(|name| match kept.iter().find(|known| known.name == name) {
        None => Some((name, None)),
        Some(known) if known.kind != BackupKind::Final => Some((name, None)),
        Some(known) => {
            let is_it = !known.damaged && since.is_some_and(|since| known.taken_at >= since);
            is_it.then(|| (name, Some(known.clone())))
        }
    })
}

/// Lets go of an instance that is being removed. With a last backup everything that is stored of it stays; without one, which is to
/// say that it is not worth one, only what somebody asked for by name. What is stored of earlier ones of its name stays in any case.
/// Repeatable.
pub async fn let_go(site: &Site, record: &Record) -> Result<(), ProviderError> {
    let turn = site.agent.desk.turn(&site.name);
    let _turn = turn.lock().await;
    site.agent.desk.forget(&site.name);
    if !matches!(record.memory.goal, Goal::Gone { backup: None, .. }) {
        return Ok(());
    }
    let own = site.clone();
    blocking(move || match archive::known_generation(&own)? {
        Some(generation) => forget_automatic(&generation),
        None => Ok(()),
    })
    .await
}

fn forget_automatic(generation: &Generation) -> Result<(), ProviderError> {
    // What was begun and never finished is nobody's.
    generation.clear_unfinished().map_err(store::refused)?;
    let holdings = generation.holdings().map_err(store::refused)?;
    let names = generation.backup_names().map_err(store::refused)?;
    // One whose manifest is damaged is not listed, and may be what somebody asked for by name.
    let is_automatic = |name: &String| {
        holdings.backups.iter().any(|backup| backup.name == *name && backup.kind == BackupKind::Automated)
    };
    if names.iter().all(is_automatic) {
        return generation.delete_all().map_err(store::refused);
    }
    let automatic = holdings.backups.iter().filter(|backup| backup.kind == BackupKind::Automated);
    let backups = automatic.map(|backup| Deletion::Backup(backup.name.clone()));
    // The others hold what makes them consistent.
    let wal = holdings.wal.iter().map(|file| Deletion::Wal(file.name));
    generation.delete(&backups.chain(wal).collect::<Vec<_>>()).map_err(store::refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::backups::samples::{damage, generation, has, store};

    #[test]
    fn what_an_attempt_to_destroy_left_stays_and_the_next_has_a_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let generation = generation(folder.path());
        let last = |seconds: Option<i64>| {
            let since = seconds.map(|seconds| Timestamp::from_second(seconds).expect("a time"));
            let (name, known) = choose_last(&generation.backups().expect("listed"), "last", since).expect("a name");
            (name, known.is_some())
        };
        assert_eq!(last(Some(0)), ("last".to_owned(), false));
        store(&generation, "last", BackupKind::Final);
        assert_eq!(last(Some(0)), ("last".to_owned(), true), "it was taken since, before the agent was killed");
        assert_eq!(last(Some(1)), ("last-2".to_owned(), false));
        assert_eq!(last(None), ("last-2".to_owned(), false), "clients came in since, whatever the clock says");
        store(&generation, "last-2", BackupKind::Final);
        assert_eq!(last(Some(1)), ("last-3".to_owned(), false));
        // What somebody else calls so is refused by whoever takes it.
        store(&generation, "last-3", BackupKind::Manual);
        assert_eq!(last(Some(1)), ("last-3".to_owned(), false));
        generation.set_damaged("last", Timestamp::now()).expect("written down");
        generation.set_damaged("last-2", Timestamp::now()).expect("written down");
        assert_eq!(last(Some(0)), ("last-3".to_owned(), false), "a damaged one is not the last one");
    }

    #[test]
    fn what_somebody_asked_for_stays_also_when_its_manifest_is_damaged() {
        let folder = tempfile::tempdir().expect("a folder");
        let generation = generation(folder.path());
        store(&generation, "before-upgrade", BackupKind::Manual);
        store(&generation, "daily", BackupKind::Automated);
        damage(folder.path(), "before-upgrade/manifest.pgherd");
        forget_automatic(&generation).expect("forgotten");
        assert!(has(folder.path(), "before-upgrade") && has(folder.path(), "data.tar"));
        assert!(!has(folder.path(), "daily"));
    }

    #[test]
    fn a_generation_of_the_schedule_alone_goes_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let generation = generation(folder.path());
        store(&generation, "daily", BackupKind::Automated);
        // Cut short.
        std::fs::create_dir_all(folder.path().join("shop/0001/backups/nightly")).expect("made");
        forget_automatic(&generation).expect("forgotten");
        assert!(!has(folder.path(), "shop"));
    }
}
