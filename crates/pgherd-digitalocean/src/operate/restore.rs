//! `restore` and `clone`: a cluster of its own from a backup of another, and then everything of its block around it.

use jiff::Timestamp;
use pgherd_core::spec::Spec;
use pgherd_engine::provider::{ErrorKind, Events, Point, ProviderError};
use serde_json::{Value as Json, json};

use crate::api;
use crate::observe::{Found, find, foreign, ours};
use crate::provider::{DigitalOcean, Origin};
use crate::wait::say;
use crate::{names, tags};
use pgherd_engine::through::through;

/// Makes a database of a backup of another.
pub(super) async fn restore(
    ocean: &DigitalOcean,
    name: &str,
    to: &Spec,
    point: &Point,
    events: &Events,
) -> Result<(), ProviderError> {
    if name == to.name {
        let words = format!("{name} cannot be a copy of itself");
        return Err(ProviderError::new(ErrorKind::Conflict, words).help("--as names the new database"));
    }
    // Backups go with their cluster, so it has to be there.
    let source = ours(ocean, name).await?;
    let backups = api::backups(ocean.session(), &source.id).await?;
    let moment = chosen(name, point, &backups)?;
    let mark = mark(name, moment.as_deref());
    match find(ocean, &to.name).await? {
        Found::Nothing => {}
        Found::Foreign(_, why) => return Err(foreign(&to.name, &why)),
        // What was cut short is gone on with.
        Found::Ours(there) if tags::value_of(&there.tags, tags::RESTORED) == Some(mark.as_str()) => {}
        Found::Ours(_) => {
            let words = format!("there is a database {} already", to.name);
            return Err(ProviderError::new(ErrorKind::Conflict, words).help("--as names one that is not there"));
        }
    }
    let mut asked = json!({ "database_name": name });
    if let Some(moment) = &moment {
        asked["backup_created_at"] = Json::from(moment.as_str());
    }
    let words = moment.map_or_else(|| "its latest backup".to_owned(), |moment| format!("its backup of {moment}"));
    say(events, format!("{} is made of {name}, {words}", to.name));
    let own = to.engine_version.map(|version| version.major.to_string());
    if let Some(own) = own.filter(|own| *own != source.version) {
        let words = format!("{} is PostgreSQL {} as its source is, and not {own}", to.name, source.version);
        say(events, format!("{words}: `pgherd apply` upgrades it"));
    }
    let origin = Origin { asked, tag: mark, version: source.version, storage_mib: source.storage_mib };
    through(&ocean.restoring(origin), to, events).await
}

/// The moment that is asked for, in DigitalOcean's words; `None`: its latest backup.
fn chosen(name: &str, point: &Point, backups: &[(String, Option<f64>)]) -> Result<Option<String>, ProviderError> {
    let listed = || {
        let all: Vec<&str> = backups.iter().map(|(at, _)| at.as_str()).collect();
        format!("its backups: {}", all.join(", "))
    };
    if backups.is_empty() {
        let words = format!("{name} has no backup yet");
        return Err(ProviderError::new(ErrorKind::NotFound, words).help("DigitalOcean takes the first one by itself"));
    }
    match point {
        Point::Latest => Ok(None),
        Point::Backup(wanted) => match backups.iter().find(|(at, _)| at == wanted) {
            Some((at, _)) => Ok(Some(at.clone())),
            None => {
                Err(ProviderError::new(ErrorKind::NotFound, format!("{name} has no backup {wanted}")).help(listed()))
            }
        },
        // Its API is described to take the moment of a backup. What it made of another one nobody could tell from the outside.
        Point::At(wanted) => match backups.iter().find(|(at, _)| at.parse::<Timestamp>().is_ok_and(|at| at == *wanted))
        {
            Some((at, _)) => Ok(Some(at.clone())),
            None => {
                let words = format!(
                    "DigitalOcean's API promises backups and no moment between them; {name} has none of {wanted}"
                );
                Err(ProviderError::new(ErrorKind::NotFound, words).help(listed()))
            }
        },
        Point::Lsn(_) => Err(ProviderError::new(ErrorKind::Unsupported, "DigitalOcean restores a backup")),
    }
}

/// What a restored cluster wears, so that the same command goes on with it and another does not.
fn mark(name: &str, moment: Option<&str>) -> String {
    format!("{name}:{}", moment.map_or_else(|| "latest".to_owned(), names::compact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(point: &Point, expected: &str) {
        let backups = ["2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z"].map(|at| (at.to_owned(), None));
        let found = chosen("orders", point, &backups).map_err(|error| error.message);
        assert_eq!(found.map_or_else(|words| words, |moment| moment.unwrap_or_else(|| "latest".to_owned())), expected);
    }

    #[test]
    fn a_moment_is_that_of_a_backup() {
        let at = |text: &str| Point::At(text.parse().expect("a moment"));
        check(&Point::Latest, "latest");
        check(&at("2026-01-01T03:00:00Z"), "2026-01-01T03:00:00Z");
        let between =
            "DigitalOcean's API promises backups and no moment between them; orders has none of 2026-01-01T12:00:00Z";
        check(&at("2026-01-01T12:00:00Z"), between);
        check(&Point::Backup("2026-01-02T03:00:00Z".to_owned()), "2026-01-02T03:00:00Z");
        check(&Point::Backup("yesterday".to_owned()), "orders has no backup yesterday");
    }
}
