//! Looking a generation over for damage.

use std::collections::BTreeSet;
use std::io::{Read, Write as _};

use pgherd_core::backups::{BackupKind, Gap, Timeline, WalName, chains, kept_for_changes, without_history};
use serde::Serialize;

use crate::error::{ArchiveError, ErrorKind, Result};
use crate::generation::Generation;
use crate::object::ObjectReader;
use crate::wal::wal_key;

/// How closely it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What is there, under which names and in which sizes, and whether the log has gaps.
    Listed,
    /// Every byte is read back and verified as well.
    Read,
}

/// What is wrong with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It is not what was stored.
    Damaged,
    /// It should be there.
    Missing,
    /// Segments of the log are missing while later ones are there: what is behind the gap cannot be reached over it.
    Gap,
    /// It does not belong there.
    Foreign,
    /// Its key is not here.
    KeyLost,
    /// Other content came under the name of something that is stored.
    Apart,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub trouble: Trouble,
    /// With what: its place within the generation.
    pub at: String,
    /// One sentence.
    pub message: String,
}

impl Generation {
    /// Looks everything over; `progress` hears of bytes that were looked at. An empty answer is a good one. An error is a
    /// repository that could not be looked at.
    pub fn check(&self, depth: Depth, mut progress: impl FnMut(u64)) -> Result<Vec<Finding>> {
        let mut findings = BTreeSet::new();
        let store = &self.repository.store;
        let holdings = self.holdings()?;
        // Behind what a backup of somebody's own needs, log goes when the schedule needs it no more.
        let scheduled = |name: &str| {
            holdings.backups.iter().any(|backup| backup.name == name && backup.kind == BackupKind::Automated)
        };
        let all = !holdings.backups.iter().any(|backup| scheduled(&backup.name));
        let kept = kept_for_changes(&holdings);
        for chain in chains(&holdings).iter().filter(|chain| !kept.contains(chain.backup.as_str())) {
            if all || scheduled(&chain.backup) || !chain.consistent {
                findings.extend(chain.gaps.iter().map(of_gap));
            }
        }
        findings.extend(without_history(&holdings).into_iter().map(of_lost_history));
        let is_listed = |name: &String| holdings.backups.iter().any(|backup| backup.name == *name);
        for backup in &holdings.backups {
            let Some(base) = backup.base.as_ref().filter(|base| !is_listed(base)) else { continue };
            let message =
                format!("the backup {} holds the changes since it, and cannot be used without it", backup.name);
            findings.insert(Finding { trouble: Trouble::Missing, at: format!("backups/{base}"), message });
        }
        let mut expected = BTreeSet::from(["generation".to_owned()]);
        let manifests = self.expect_backups(&mut expected, &mut findings)?;
        expected.extend(holdings.wal.iter().map(|file| wal_key(file.name)));
        let sizes: std::collections::BTreeMap<_, _> = manifests.into_iter().collect();
        for stored in store.list(&self.folder)? {
            let place = stored.key[self.folder.len() + 1..].to_owned();
            if place.starts_with("apart/") {
                let message = "it came under the name of something that is stored, with other content".to_owned();
                findings.insert(Finding { trouble: Trouble::Apart, at: place, message });
                continue;
            }
            if place.starts_with("damaged/") {
                continue;
            }
            // Files of a backup that is being taken, or never was finished.
            let unfinished = place.starts_with("backups/") && !expected.contains(&place);
            if unfinished {
                continue;
            }
            if !expected.contains(&place) && !is_wal(&place) {
                let message = "pgherd stored nothing of that name there".to_owned();
                findings.insert(Finding { trouble: Trouble::Foreign, at: place, message });
                continue;
            }
            let content =
                if depth == Depth::Read { self.read_through(&place, &mut progress) } else { self.look(&place) };
            match content {
                Ok(()) => {}
                // Deleted a moment ago.
                Err(error) if error.kind == ErrorKind::Absent => {}
                Err(error) => findings.extend(finding(&place, error)?),
            }
            if let Some(bytes) = sizes.get(&place)
                && *bytes != stored.bytes
            {
                let message = format!("it has {} bytes, and was stored with {bytes}", stored.bytes);
                findings.insert(Finding { trouble: Trouble::Damaged, at: place, message });
            }
        }
        Ok(findings.into_iter().collect())
    }

    /// What backups consist of, with sizes where they are known; what is missing is found at once.
    fn expect_backups(
        &self,
        expected: &mut BTreeSet<String>,
        findings: &mut BTreeSet<Finding>,
    ) -> Result<Vec<(String, u64)>> {
        let store = &self.repository.store;
        let folder = self.key("backups");
        let stored: BTreeSet<_> = store.list(&folder)?.into_iter().map(|stored| stored.key).collect();
        let mut sizes = Vec::new();
        for name in store.names(&folder)? {
            let of = |what: &str| format!("backups/{name}/{what}");
            expected.extend([of("manifest"), of("verified"), of("damaged")]);
            let manifest = match self.manifest(&name) {
                Ok(manifest) => manifest,
                Err(error) if error.kind == ErrorKind::Absent => continue,
                Err(error) => {
                    findings.extend(finding(&format!("backups/{name}/manifest"), error)?);
                    continue;
                }
            };
            for file in &manifest.files {
                let place = format!("backups/{name}/{}/{}", manifest.attempt, file.name);
                if !stored.contains(&self.key(&place)) {
                    let message = format!("the backup {name} cannot be used without it");
                    findings.insert(Finding { trouble: Trouble::Missing, at: place.clone(), message });
                }
                sizes.push((place.clone(), file.bytes));
                expected.insert(place);
            }
        }
        Ok(sizes)
    }

    /// Looks at what an object says of itself.
    fn look(&self, place: &str) -> Result<()> {
        let key = self.key(place);
        let what = self.repository.store.describe(&key);
        self.opened(place, ObjectReader::new(self.repository.store.open(&key)?, &self.repository.options.keys, &what)?)
            .map(|_| ())
    }

    fn read_through(&self, place: &str, progress: &mut impl FnMut(u64)) -> Result<()> {
        let key = self.key(place);
        let what = self.repository.store.describe(&key);
        let reader = ObjectReader::new(self.repository.store.open(&key)?, &self.repository.options.keys, &what)?;
        let mut reader = self.opened(place, reader)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer).map_err(|error| ArchiveError::io(&format!("read {what}"), &error))? {
                0 => return Ok(()),
                count => progress(count as u64),
            }
        }
    }

    /// A generation's own description belongs to none.
    fn opened<R: Read>(&self, place: &str, reader: ObjectReader<R>) -> Result<ObjectReader<R>> {
        if place == "generation" { reader.belonging(place, "") } else { reader.belonging(place, &self.info.id) }
    }
}

/// Whether log of that name belongs there: it may have been stored since what there is was listed, and says itself what it is.
fn is_wal(place: &str) -> bool {
    let name = place.rsplit('/').next().and_then(|name| name.parse::<WalName>().ok());
    name.is_some_and(|name| wal_key(name) == place)
}

/// What an error says of an object; one that says nothing of it is an error still.
pub(crate) fn finding(place: &str, error: ArchiveError) -> Result<Option<Finding>> {
    let trouble = match error.kind {
        ErrorKind::Damaged if error.help.is_some() => Trouble::Foreign,
        ErrorKind::Damaged | ErrorKind::Invalid => Trouble::Damaged,
        ErrorKind::KeyLost => Trouble::KeyLost,
        ErrorKind::Absent => return Ok(None),
        ErrorKind::Conflict | ErrorKind::Full | ErrorKind::Denied | ErrorKind::Unavailable => return Err(error),
    };
    Ok(Some(Finding { trouble, at: place.to_owned(), message: error.message }))
}

fn of_lost_history(timeline: Timeline) -> Finding {
    let at = wal_key(WalName::History(timeline));
    let message = "it cannot be used, and without it nobody goes on from earlier backups to what is of its timeline";
    Finding { trouble: Trouble::Missing, at, message: message.to_owned() }
}

fn of_gap(gap: &Gap) -> Finding {
    let at = wal_key(WalName::Segment(gap.first));
    let mut message = Vec::new();
    let _ = match gap.segments {
        1 => write!(message, "it is missing, and later segments are there"),
        count => write!(message, "{count} segments up to {} are missing, and later ones are there", gap.last),
    };
    Finding { trouble: Trouble::Gap, at, message: String::from_utf8_lossy(&message).into_owned() }
}
