//! What is deleted from the second repository: what is past its retention by what is there, and what somebody names.
//!
//! Invariant: nothing is deleted because the first one lost it. What goes by itself is past its retention by what is *there*, and the
//! first one has it no more.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pgherd_archive::{Generation, Repository};
use pgherd_core::backups::{BackupKind, Clusters, Deletion, Holdings, Retention, expire, expire_ended};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::turn::Turn;
use crate::supervisor::agent::Agent;
use crate::supervisor::backups::schedule::is_past;
use crate::supervisor::backups::{archive, care, store};
use crate::supervisor::site::Site;

/// Deletes there what is past its retention there, and not here any more; says how much that was. `current` is the generation that is
/// archived to. To be called by whoever has the turn. Blocking.
pub fn delete_superfluous(
    current: &Generation,
    first: &Repository,
    second: &Repository,
    retention: Retention,
    now: Timestamp,
) -> Result<usize, ProviderError> {
    let name = current.instance();
    let there = store::generations(second, name)?;
    let Some(newest) = there.iter().find(|generation| generation.info().id == current.info().id) else { return Ok(0) };
    let newest_holdings = newest.holdings().map_err(store::refused)?;
    let mut deleted = 0;
    for generation in &there {
        let number = generation.info().number;
        let holdings = generation.holdings().map_err(store::refused)?;
        let what = match number.cmp(&current.info().number) {
            std::cmp::Ordering::Equal => {
                let what = expire(&newest_holdings, retention, now);
                what.into_iter().filter(|deletion| is_past(deletion, &holdings, retention, now)).collect()
            }
            std::cmp::Ordering::Less => {
                let clusters = Clusters {
                    ended: generation.info().system_identifier,
                    successor: current.info().system_identifier,
                };
                expire_ended(&holdings, &newest_holdings, clusters, retention, now)
            }
            std::cmp::Ordering::Greater => continue,
        };
        let here = match first.generation(name, number) {
            Ok(here) => here.holdings().map_err(store::refused)?,
            Err(error) if error.kind == pgherd_archive::ErrorKind::Absent => Holdings::default(),
            Err(error) => return Err(store::refused(error)),
        };
        let what = not_here(what, &here);
        generation.delete(&what).map_err(store::refused)?;
        // Of a backup that was begun and left, and of one whose name was given to another.
        generation.clear_unfinished().map_err(store::refused)?;
        deleted += what.len();
    }
    Ok(deleted)
}

fn not_here(what: Vec<Deletion>, here: &Holdings) -> Vec<Deletion> {
    let backups: BTreeSet<_> = here.backups.iter().map(|backup| backup.name.clone()).collect();
    let log: BTreeSet<_> = here.wal.iter().map(|file| file.name).collect();
    let is_gone = |deletion: &Deletion| match deletion {
        Deletion::Backup(name) => !backups.contains(name),
        Deletion::Wal(name) => !log.contains(name),
    };
    what.into_iter().filter(is_gone).collect()
}

/// Deletes a backup that somebody names, of which the first one has nothing any more; says where it was. `lives`: there is a database
/// of the name. Blocking.
pub fn delete(agent: &Agent, site: &Site, label: &str, lives: bool) -> Result<Option<String>, ProviderError> {
    let turn = Turn::of(&site.name);
    let _at_work = turn.take_at_once();
    let Some(second) = super::open_if_there(agent)? else { return Ok(None) };
    let current = archive::current_number(site)?.filter(|_| lives);
    if !delete_from(&second, &site.name, label, current)? {
        return Ok(None);
    }
    agent.desk.note(&site.name, |known| known.second_changed = true);
    Ok(Some(second.location().to_string()))
}

/// Deletes the newest backup of that name; `false`: there is none. `current` is the generation of the database that is there.
fn delete_from(second: &Repository, name: &str, label: &str, current: Option<u32>) -> Result<bool, ProviderError> {
    for generation in store::generations(second, name)?.into_iter().rev() {
        let names = generation.backup_names().map_err(store::refused)?;
        if !names.iter().any(|known| known == label) {
            continue;
        }
        let is_current = current == Some(generation.info().number);
        let listed = generation.backups().map_err(store::refused)?;
        care::refuse_base(&listed, label)?;
        let known = listed.into_iter().find(|backup| backup.name == label);
        if is_current && known.is_some_and(|known| known.kind == BackupKind::Automated) {
            let message = format!("{label} was taken by the schedule, and the second repository alone has it");
            let help =
                "it goes by itself after backup_retention_period days; what somebody asked for by name can be deleted";
            return Err(ProviderError::new(ErrorKind::Protected, message).help(help));
        }
        generation.delete(&[Deletion::Backup(label.to_owned())]).map_err(store::refused)?;
        if !is_current && names.len() == 1 {
            // Nothing can be restored from the log alone.
            generation.delete_all().map_err(store::refused)?;
        }
        return Ok(true);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;
    use std::path::Path;

    use jiff::SignedDuration;
    use pgherd_archive::{BackupEnd, BackupStart, Copies, Location, Options, copy};
    use pgherd_core::backups::{Lsn, SegmentName, Timeline, WalName};
    use tempfile::TempDir;

    use super::*;

    const SEGMENT: u64 = 16 << 20;
    const DAYS: u32 = 7;
    const CLUSTER: u64 = 4711;

    /// Two repositories of a database that was archived for some days: a backup by schedule and a segment each day.
    struct World {
        folder: TempDir,
        first: Repository,
        second: Repository,
        /// The generation that is archived to.
        number: u32,
    }

    fn now() -> Timestamp {
        "2026-11-23T03:00:00Z".parse().expect("a time")
    }

    fn ago(days: i64) -> Timestamp {
        now() - SignedDuration::from_hours(24 * days)
    }

    fn wal(day: i64) -> WalName {
        let number = u64::try_from(100 - day).expect("a number");
        WalName::Segment(SegmentName::new(Timeline(1), number, SEGMENT))
    }

    impl World {
        fn of_days(days: i64) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let make = |name: &str| {
                Repository::create(&Location::Folder(folder.path().join(name)), Options::default()).expect("made")
            };
            let (first, second) = (make("first"), make("second"));
            first.begin_generation("shop", CLUSTER, None, ago(days)).expect("begun");
            let world = Self { folder, first, second, number: 1 };
            world.archive_days(days);
            world
        }

        fn archive_days(&self, days: i64) {
            for day in (0..days).rev() {
                self.archive(day);
                self.take(&format!("auto-{day}"), BackupKind::Automated, day);
            }
            self.copy();
        }

        fn current(&self) -> Generation {
            self.first.generation("shop", self.number).expect("there")
        }

        fn copy(&self) {
            copy(&self.current(), &self.second, &mut Copies::default(), |_| {}).expect("copied");
        }

        fn archive(&self, day: i64) {
            let path = self.folder.path().join(wal(day).to_string());
            std::fs::write(&path, [7; 1000]).expect("written");
            let written = std::fs::File::options().write(true).open(&path).expect("there");
            written.set_modified(ago(day).into()).expect("ours");
            self.current().push_wal(wal(day), &path).expect("stored");
        }

        fn take(&self, name: &str, kind: BackupKind, day: i64) {
            let start = BackupStart {
                name: name.to_owned(),
                kind,
                taken_at: ago(day),
                version: "15.18".to_owned(),
                wal_segment_bytes: SEGMENT,
                tags: BTreeMap::new(),
                base: None,
            };
            let writer = self.current().begin_backup(start).expect("begun");
            let mut file = writer.file("data.tar").expect("begun");
            file.write_all(&[7; 1000]).expect("written");
            file.finish().expect("stored");
            let place = u64::try_from(100 - day).expect("a number") * SEGMENT;
            let (start_lsn, end_lsn) = (Lsn(place + 40), Lsn(place + 296));
            let finished_at = ago(day);
            writer
                .finish(BackupEnd { finished_at, timeline: Timeline(1), start_lsn, end_lsn, self_contained: true })
                .expect("a backup");
        }

        fn expire(&self) -> usize {
            let retention = Retention { days: DAYS, point_in_time: true };
            delete_superfluous(&self.current(), &self.first, &self.second, retention, now()).expect("looked over")
        }

        /// What the first one deletes by its schedule.
        fn expire_first(&self) {
            let retention = Retention { days: DAYS, point_in_time: true };
            let generation = self.current();
            let what = expire(&generation.holdings().expect("listed"), retention, now());
            assert!(!what.is_empty());
            generation.delete(&what).expect("deleted");
        }

        fn backups(&self) -> Vec<String> {
            let generation = self.second.generation("shop", 1).expect("there");
            generation.backups().expect("listed").into_iter().map(|backup| backup.name).collect()
        }

        fn segments(&self) -> usize {
            self.second.generation("shop", 1).and_then(|generation| generation.wal()).expect("listed").len()
        }

        fn lose(&self, place: &str) {
            let path = self.folder.path().join("first/shop/0001").join(place);
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.expect("lost");
        }
    }

    #[test]
    fn what_is_past_its_retention_goes_when_the_first_has_it_no_more() {
        let world = World::of_days(12);
        world.take("mine", BackupKind::Manual, 11);
        world.copy();
        assert_eq!(world.expire(), 0, "the first one has all of it");
        world.expire_first();
        let deleted = world.expire();
        assert!(deleted > 0);
        let here = world.current().holdings().expect("listed");
        let there = world.second.generation("shop", 1).and_then(|generation| generation.holdings()).expect("listed");
        assert_eq!(here, there, "both keep the same");
        assert!(world.backups().contains(&"mine".to_owned()) && !world.backups().contains(&"auto-11".to_owned()));
        assert_eq!(world.expire(), 0);
    }

    #[test]
    fn what_the_first_lost_stays() {
        // All that is within the retention period, half of it, or all there is.
        for lost in [&["backups", "wal"][..], &["backups"], &["wal"], &["backups/auto-3"], &["backups/auto-0"]] {
            let world = World::of_days(6);
            let (backups, segments) = (world.backups(), world.segments());
            lost.iter().for_each(|place| world.lose(place));
            assert_eq!(world.expire(), 0, "{lost:?}");
            assert_eq!((world.backups(), world.segments()), (backups, segments), "{lost:?}");
        }
        // A backup that lost its file is one that the first has no more, and it stays, too.
        let world = World::of_days(6);
        let folder = world.folder.path().join("first/shop/0001/backups/auto-2");
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                std::fs::remove_dir_all(entry.path()).expect("lost");
            }
        }
        assert_eq!(world.expire(), 0);
        assert_eq!(world.backups().len(), 6);
        // What is past its retention anyway does not go before its time because much is lost.
        let world = World::of_days(12);
        world.lose("backups");
        world.lose("wal");
        world.expire();
        let kept = world.second.generation("shop", 1).and_then(|generation| generation.holdings()).expect("listed");
        assert!(kept.backups.iter().any(|backup| backup.finished_at <= ago(i64::from(DAYS))), "{kept:?}");
        assert!(world.segments() > usize::try_from(DAYS).expect("small"));
    }

    /// A machine that is lost: on a new one somebody makes the database anew before they restore it.
    #[test]
    fn what_an_earlier_database_of_the_name_left_stays_for_as_long_as_nobody_goes_on_with_it() {
        for (cluster, is_kept) in [(CLUSTER + 1, true), (CLUSTER, false)] {
            let mut world = World::of_days(3);
            std::fs::remove_dir_all(world.folder.path().join("first/shop")).expect("lost");
            world.number = 2;
            world.first.begin_generation_after(1, "shop", cluster, None, ago(20)).expect("begun");
            world.archive_days(20);
            world.expire();
            assert_eq!(world.backups().len(), if is_kept { 3 } else { 0 });
        }
    }

    #[test]
    fn one_of_another_database_deletes_nothing() {
        let world = World::of_days(12);
        let other = World::of_days(12);
        other.expire_first();
        let retention = Retention { days: DAYS, point_in_time: true };
        let deleted = delete_superfluous(&other.current(), &other.first, &world.second, retention, now());
        assert_eq!(deleted, Ok(0));
        assert_eq!(world.backups().len(), 12);
    }

    #[test]
    fn a_first_that_cannot_be_read_deletes_nothing() {
        let world = World::of_days(12);
        let current = world.current();
        world.expire_first();
        std::fs::write(world.folder.path().join("first/shop/0001/generation.pgherd"), "no marker").expect("damaged");
        let retention = Retention { days: DAYS, point_in_time: true };
        delete_superfluous(&current, &world.first, &world.second, retention, now()).expect_err("refused");
        assert_eq!(world.backups().len(), 12);
    }

    fn is_empty(folder: &Path) -> bool {
        std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()) || !folder.exists()
    }

    #[test]
    fn with_the_last_backup_of_a_destroyed_database_its_log_goes() {
        let world = World::of_days(2);
        let delete = |label: &str, current| delete_from(&world.second, "shop", label, current);
        assert_eq!(delete("none", None), Ok(false));
        // The schedule of one that lives deletes what it took.
        assert_eq!(delete("auto-1", Some(1)).expect_err("refused").kind, ErrorKind::Protected);
        assert_eq!((delete("auto-1", None), world.segments()), (Ok(true), 2));
        assert_eq!(delete("auto-0", None), Ok(true));
        assert!(is_empty(&world.folder.path().join("second/shop/0001")), "log and marker are gone");
        // Of one that lives the log goes on.
        let world = World::of_days(1);
        world.take("mine", BackupKind::Manual, 0);
        world.copy();
        let second = world.second.generation("shop", 1).expect("there");
        second.delete(&[Deletion::Backup("auto-0".to_owned())]).expect("deleted");
        assert_eq!(delete_from(&world.second, "shop", "mine", Some(1)), Ok(true));
        assert_eq!(world.segments(), 1);
    }
}
