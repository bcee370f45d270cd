//! Reading back what was stored of a backup: only what comes back as it was counts.

use jiff::Timestamp;
use pgherd_archive::{ArchiveError, Generation};
use pgherd_core::backups::Deletion;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::{archive, store};
use crate::supervisor::site::{Site, blocking};

/// Reads back what was stored of a backup just now and writes down that it is good. One that is not what was stored is none: it goes,
/// so that the name is free for one that is. What was expanded and looked at when it was stored is not expanded again. Blocking.
pub fn prove_new(generation: &Generation, name: &str, was_expanded: bool) -> Result<(), ProviderError> {
    let error = match read_back(generation, name, was_expanded) {
        Ok(()) => return generation.set_verified(name, Timestamp::now()).map_err(store::refused),
        Err(error) => error,
    };
    if error.kind != pgherd_archive::ErrorKind::Damaged {
        return Err(store::refused(error));
    }
    generation.delete(&[Deletion::Backup(name.to_owned())]).map_err(store::refused)?;
    Err(not_as_it_was(name, &error))
}

/// Reads back a backup that was there before and writes down what it is: one that is damaged stays, and takes the place of no other.
/// Blocking.
pub fn prove(generation: &Generation, name: &str) -> Result<(), ProviderError> {
    match read_back(generation, name, false) {
        Ok(()) => generation.set_verified(name, Timestamp::now()).map_err(store::refused),
        Err(error) if error.kind == pgherd_archive::ErrorKind::Damaged => {
            generation.set_damaged(name, Timestamp::now()).map_err(store::refused)?;
            Err(not_as_it_was(name, &error))
        }
        Err(error) => Err(store::refused(error)),
    }
}

fn read_back(generation: &Generation, name: &str, was_expanded: bool) -> Result<(), ArchiveError> {
    let stored = generation.open_backup(name)?;
    if was_expanded { stored.verify_sealed(|_| {}) } else { stored.verify(|_| {}) }
}

fn not_as_it_was(name: &str, error: &ArchiveError) -> ProviderError {
    let message = format!("the backup {name} was stored and did not come back as it was: {error}");
    ProviderError::new(ErrorKind::Unavailable, message)
        .help("look after the disk of the repository, and take the backup again")
}

/// Reads back one that was listed when whoever took it was killed. To be called by whoever has the turn.
pub async fn prove_left(site: &Site, name: &str) -> Result<(), ProviderError> {
    let (own, name) = (site.clone(), name.to_owned());
    blocking(move || match archive::known_generation(&own)? {
        Some(generation) => prove(&generation, &name),
        None => Err(ProviderError::new(ErrorKind::Unavailable, format!("the backup {name} is out of reach"))),
    })
    .await
}

#[cfg(test)]
mod tests {
    use pgherd_core::backups::{Backup, BackupKind};

    use super::*;
    use crate::supervisor::backups::samples::{damage, generation, has, store};

    #[test]
    fn only_what_comes_back_as_it_was_is_verified() {
        let folder = tempfile::tempdir().expect("a folder");
        let generation = generation(folder.path());
        store(&generation, "last", BackupKind::Final);
        prove(&generation, "last").expect("good");
        assert!(generation.backups().expect("listed")[0].verified_at.is_some());
        store(&generation, "worse", BackupKind::Final);
        damage(folder.path(), "data.tar.pgherd");
        let error = prove(&generation, "worse").expect_err("damaged");
        assert!(error.message.contains("did not come back as it was"), "{}", error.message);
        let is_damaged = |backup: &Backup| backup.name == "worse" && backup.damaged;
        assert!(generation.backups().expect("listed").iter().any(is_damaged), "what was there before stays");
        prove_new(&generation, "worse", true).expect_err("damaged");
        // Of one that was just taken the name is free for a good one.
        assert!(!has(folder.path(), "worse"));
    }
}
