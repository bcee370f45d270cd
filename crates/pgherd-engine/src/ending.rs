//! What remains of a database that is deleted: its last backup, or none. Told before it is done, and afterwards by the name it has then.

use jiff::Timestamp;
use pgherd_core::cloud::Cloud;
use pgherd_core::report::Backup;
use pgherd_core::spec::Spec;

use crate::run;

/// What will be left of a database whose data goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// A backup that is taken first, by the name that is asked for.
    Backup(String),
    /// Nothing.
    Nothing {
        /// That, and why; whose stands before it.
        message: String,
        /// What to write to have one.
        help: &'static str,
    },
}

/// What will be left of the spec's database when it is deleted now.
pub fn left(spec: &Spec, now: Timestamp) -> Left {
    if let Some(name) = last_backup(spec, now) {
        return Left::Backup(name);
    }
    // They are deleted with the instance, so not even a moment before is left.
    let kept = spec.target != Cloud::Aws && spec.backup.retention_days == 0;
    let more = if kept { "" } else { ", and its automated backups go with it" };
    let (why, help) = match takes_one(spec) {
        true => (" (skip_final_snapshot)", "skip_final_snapshot = false takes one"),
        false if spec.target == Cloud::Azure => ("", "Azure has none; keep a pg_dump"),
        false => ("", "DigitalOcean has none; keep a pg_dump"),
    };
    Left::Nothing { message: format!("no last backup is taken{why}{more}"), help }
}

/// The name that the last backup is to have.
pub fn last_backup(spec: &Spec, now: Timestamp) -> Option<String> {
    run::deletion(spec, now).final_backup.filter(|_| takes_one(spec))
}

/// Whether its target has last backups at all.
fn takes_one(spec: &Spec) -> bool {
    !matches!(spec.target, Cloud::Azure | Cloud::DigitalOcean)
}

/// The newest of the backups, which are listed from the oldest on, that are called as was asked for or after it: a target gives it
/// another name where somebody has taken that one.
pub fn newest_of<'a>(kept: &'a [Backup], asked: &str) -> Option<&'a str> {
    let asked = asked.to_lowercase();
    let is_time =
        |rest: &str| rest.len() == 15 && rest.starts_with('-') && rest[1..].bytes().all(|byte| byte.is_ascii_digit());
    let is_it = |name: &str| name.strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || is_time(rest));
    kept.iter().map(|backup| backup.name.as_str()).rfind(|name| is_it(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kept: &[&str], asked: &str, expected: Option<&str>) {
        let backup = |name: &&str| Backup { name: (*name).to_owned(), ..Backup::default() };
        let kept: Vec<Backup> = kept.iter().map(backup).collect();
        assert_eq!(newest_of(&kept, asked), expected);
    }

    #[test]
    fn the_newest_of_a_name_or_after_it() {
        check(&["orders-last"], "orders-last", Some("orders-last"));
        check(&["ORDERS", "orders-last"], "Orders-Last", Some("orders-last"));
        let other = "orders-last-20261122183000";
        check(&["orders-last", other], "orders-last", Some(other));
        check(&["orders-last", "orders-last-week", "orders-last-2026"], "orders-last", Some("orders-last"));
        check(&["before"], "orders-last", None);
    }
}
