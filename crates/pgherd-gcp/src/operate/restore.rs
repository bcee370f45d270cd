//! `restore` and `clone`: an instance of its own of a moment or a backup of another, and then everything of its block around it.

use pgherd_core::spec::Spec;
use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, Events, Point, ProviderError};
use pgherd_engine::through::through;

use crate::api::{self, Instance, Kept};
use crate::kinds::instance;
use crate::kinds::user::ADMINISTRATOR;
use crate::live::{
    ensure, generated, is_to_be_put_in_force, password_of_role, put_in_force, relabelled, to_be_put_in_force,
};
use crate::observe::{Found, find, foreign};
use crate::provider::Gcp;
use crate::wait::{Trouble, carried, idle, say, settled};
use crate::{labels, names};

/// Makes a database of another as it was.
pub(super) async fn restore(
    gcp: &Gcp,
    name: &str,
    to: &Spec,
    point: &Point,
    events: &Events,
) -> Result<(), ProviderError> {
    if name == to.name {
        let words = format!("{name} cannot be a copy of itself");
        return Err(ProviderError::new(ErrorKind::Conflict, words).help("--as names the new database"));
    }
    match (point, find(gcp, name).await?) {
        (_, Found::Foreign(_, why)) => return Err(foreign(name, &why)),
        // Its last backup outlives it.
        (Point::Backup(_), Found::Nothing) | (_, Found::Ours(_)) => {}
        (_, Found::Nothing) => {
            let words = format!("{name} does not exist");
            let help = "pgherd backups lists what is left of it: --backup says which";
            return Err(ProviderError::new(ErrorKind::NotFound, words).help(help));
        }
    }
    match point {
        Point::Latest => cloned(gcp, name, to, None, events).await,
        Point::At(moment) => cloned(gcp, name, to, Some(&moment.to_string()), events).await,
        Point::Backup(id) => refilled(gcp, name, to, id, events).await,
        Point::Lsn(_) => Err(ProviderError::new(ErrorKind::Unsupported, "Cloud SQL restores to a moment")),
    }
}

/// A clone, of now or of a moment.
async fn cloned(gcp: &Gcp, name: &str, to: &Spec, moment: Option<&str>, events: &Events) -> Result<(), ProviderError> {
    let mark = mark(name, moment.unwrap_or("latest"));
    let at_most = gcp.patience().making;
    match there(gcp, name, to, &mark).await? {
        There::Nothing => {
            within_reach(gcp, name, moment).await?;
            say(
                events,
                format!(
                    "{} is made of {name}, {}",
                    to.name,
                    moment.map_or_else(|| "as it is now".to_owned(), |at| format!("as of {at}"))
                ),
            );
            let attempt = || api::clone(gcp.at(), name, &to.name, moment);
            match carried(gcp, name, at_most, events, attempt).await {
                Err(Trouble::Refused(error)) if error.maybe_done => idle(gcp, name, at_most, events).await?,
                answer => answer?,
            }
        }
        // It wears the labels of what it was made of, which do not tell the moment.
        There::Clone if moment.is_some() => {
            let words =
                format!("{} was made of {name} by a run that was cut short, and nobody knows as of when", to.name);
            return Err(ProviderError::new(ErrorKind::Conflict, words)
                .help("delete it in the console, or restore under another name"));
        }
        There::Clone | There::Marked => {}
    }
    settled(gcp, &to.name, at_most, events).await?;
    let own = [(labels::BLOCK, Some(to.name.as_str())), (labels::RESTORED, Some(mark.as_str()))];
    relabelled(gcp, &to.name, &own, events).await?;
    password_put(gcp, to, events).await?;
    through(&gcp.restoring(mark), to, events).await
}

/// A new instance that is filled with a backup.
async fn refilled(gcp: &Gcp, name: &str, to: &Spec, id: &str, events: &Events) -> Result<(), ProviderError> {
    let mut all = api::last_backups(gcp.at(), name).await?;
    if let Found::Ours(source) = find(gcp, name).await? {
        let disk_gib = source.setting("dataDiskSizeGb").and_then(|size| size.parse().ok());
        let of_source = |one: Kept| Kept { major: one.major.or_else(|| api::major(&source.0)), disk_gib, ..one };
        all.extend(api::backups(gcp.at(), name).await?.into_iter().map(of_source));
    }
    let is_it = |one: &&Kept| one.status == "SUCCESSFUL" && (one.id == id || one.description.as_deref() == Some(id));
    let fitting: Vec<&Kept> = all.iter().filter(is_it).collect();
    let kept = match fitting.as_slice() {
        [kept] => *kept,
        [] => {
            let listed: Vec<&str> = all.iter().map(|one| one.id.as_str()).collect();
            let words = format!("{name} has no backup {id}");
            let help = format!("its backups: {}", listed.join(", "));
            return Err(ProviderError::new(ErrorKind::NotFound, words).help(help));
        }
        several => {
            let listed: Vec<&str> = several.iter().map(|one| one.id.as_str()).collect();
            let words = format!("{} backups of {name} are described as {id}", several.len());
            let help = format!("write which: {}", listed.join(", "));
            return Err(ProviderError::new(ErrorKind::Conflict, words).help(help));
        }
    };
    let id = kept.id.rsplit('/').next().unwrap_or(&kept.id);
    let (empty, full) = (mark(name, &format!("{id}-begun")), mark(name, id));
    let at_most = gcp.patience().making;
    let is_full = match find(gcp, &to.name).await? {
        Found::Nothing => false,
        Found::Ours(there) if there.labels().get(labels::RESTORED) == Some(&empty) => {
            filled(gcp, &there, events).await?
        }
        Found::Ours(there) if there.labels().get(labels::RESTORED) == Some(&full) => true,
        Found::Ours(_) => return Err(exists(&to.name)),
        Found::Foreign(_, why) => return Err(foreign(&to.name, &why)),
    };
    if !is_full {
        let alone = alone(to, kept)?;
        say(events, format!("{} is made of the backup {id} of {name}", to.name));
        // Its roles will have the passwords of the backup: cut short anywhere, the next apply gives them the one that is written down.
        to_be_put_in_force(gcp, &to.name, &instance::wanted(to, gcp.project()).props).await?;
        through(&gcp.filling(empty), &alone, events).await?;
        let attempt = || api::restore(gcp.at(), &to.name, name, kept);
        carried(gcp, &to.name, at_most, events, attempt).await?;
        settled(gcp, &to.name, at_most, events).await?;
        relabelled(gcp, &to.name, &[(labels::RESTORED, Some(full.as_str()))], events).await?;
    }
    password_put(gcp, to, events).await?;
    through(&gcp.restoring(full), to, events).await
}

/// Whether what was made for a backup by a run that was cut short holds it already. What may have been used since is not written over.
async fn filled(gcp: &Gcp, there: &Instance, events: &Events) -> Result<bool, ProviderError> {
    let name = there.name();
    idle(gcp, name, gcp.patience().making, events).await?;
    let is_put = |one: &api::Operation| one.kind == "RESTORE_VOLUME" && one.is_done && one.error.is_none();
    if api::operations(gcp.at(), there).await?.iter().any(is_put) {
        return Ok(true);
    }
    if is_to_be_put_in_force(gcp, name).await? {
        return Ok(false);
    }
    let words = format!(
        "{name} was made by a run that was cut short before it held anything, and was applied since: what is in it would be lost"
    );
    Err(ProviderError::new(ErrorKind::Conflict, words).help("destroy it, or restore under another name"))
}

/// What a backup is put into: of its major, with room for it, and without replicas, into which nothing can be put.
fn alone(to: &Spec, kept: &Kept) -> Result<Spec, ProviderError> {
    let mut alone = Spec { replicas: 0, ..to.clone() };
    match (to.engine_version, kept.major) {
        (Some(wanted), Some(major)) if wanted.major != major => {
            let words = format!("the backup is of PostgreSQL {major}, and the block says {}", wanted.major);
            let help = format!("write engine_version = \"{major}\", restore it, and change the version then");
            return Err(ProviderError::new(ErrorKind::Conflict, words).help(help));
        }
        (None, Some(major)) => alone.engine_version = Some(Version { major, minor: None }),
        (_, None) | (Some(_), Some(_)) => {}
    }
    let storage = &mut alone.storage;
    storage.allocated_gib = storage.allocated_gib.max(kept.disk_gib.unwrap_or_default());
    storage.max_gib = storage.max_gib.map(|most| most.max(storage.allocated_gib));
    Ok(alone)
}

/// What there is under the name of what is to be made.
enum There {
    Nothing,
    /// A clone that nobody has said anything about.
    Clone,
    /// What this very command made.
    Marked,
}

async fn there(gcp: &Gcp, name: &str, to: &Spec, mark: &String) -> Result<There, ProviderError> {
    let is_clone = |there: &Instance| {
        labels::are_ours(&there.labels(), name) && there.source().is_none() && names::source(there.name()) != Some(name)
    };
    match find(gcp, &to.name).await? {
        Found::Nothing => Ok(There::Nothing),
        Found::Ours(there) if there.labels().get(labels::RESTORED) == Some(mark) => Ok(There::Marked),
        Found::Ours(_) => Err(exists(&to.name)),
        Found::Foreign(there, _) if is_clone(&there) => Ok(There::Clone),
        Found::Foreign(_, why) => Err(foreign(&to.name, &why)),
    }
}

fn exists(name: &str) -> ProviderError {
    let words = format!("there is a database {name} already");
    ProviderError::new(ErrorKind::Conflict, words).help("--as names one that is not there")
}

/// Refuses a moment that is not kept.
async fn within_reach(gcp: &Gcp, name: &str, moment: Option<&str>) -> Result<(), ProviderError> {
    let Some(moment) = moment else { return Ok(()) };
    let refused = |words: String, help: &str| Err(ProviderError::new(ErrorKind::NotFound, words).help(help));
    let Some((first, last)) = api::recovery(gcp.at(), name).await? else {
        let help = "pgherd backups lists what can be restored: --backup says which";
        return refused(format!("{name} archives no log, so it cannot be restored to a moment"), help);
    };
    match moment.parse::<jiff::Timestamp>() {
        Ok(at) if at < first || at > last => {
            let words = format!("{name} cannot be restored to {moment}");
            refused(words, &format!("it can be restored to any moment from {first} to {last}"))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Gives the administrator of what was made a password of its own, which is written down before. That of the instance itself gets one
/// that nobody knows: what opened the instance that this one was made of opens it no more.
pub(super) async fn password_put(gcp: &Gcp, to: &Spec, events: &Events) -> Result<(), ProviderError> {
    let wanted = instance::wanted(to, gcp.project());
    let password = ensure(gcp, &to.name, &wanted.props).await?;
    if to.master_username != ADMINISTRATOR {
        password_of_role(gcp, &to.name, ADMINISTRATOR, &generated(), events).await?;
    }
    password_of_role(gcp, &to.name, &to.master_username, &password, events).await?;
    put_in_force(gcp, &to.name).await
}

/// What a restored instance wears, so that the same command goes on with it and another does not.
fn mark(name: &str, moment: &str) -> String {
    // The end says more than the beginning of a long name does.
    let moment = names::compact(moment);
    let room = 62usize.saturating_sub(moment.len());
    labels::folded(&format!("{}-{moment}", name.get(..room).unwrap_or(name)))
}
