//! Other data in the place of an instance's own: what is restored of it, or what was put aside before.
//!
//! The copy is made and recovered while the database goes on. Then the intent is written into the ledger, the keeper stops the servers,
//! and renames do the rest: what was there is put aside, the copy becomes the only server of the instance, and the others are made anew
//! of it. Invariant: at every moment the old data or the new is whole under a name that the ledger tells of, and whoever is cut short
//! goes on or leaves it as it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pgherd_core::ha::{self, Copy, Duty, Member, NodeId};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};

use super::restore::{self, Promise, Restored};
use super::{archive, care, drill};
use crate::paths::Layout;
use crate::postgres::control;
use crate::postgres::{folders, io_error, packed, processes, segment};
use crate::supervisor::agent::Agent;
use crate::supervisor::hands;
use crate::supervisor::ledger::Record;
use crate::supervisor::messages::{AsideReport, RestoreHow, RestorePoint};
use crate::supervisor::requests::{Watcher, left_alone};
use crate::supervisor::site::{Site, blocking, cannot, chosen};
use crate::supervisor::{files, upkeep};
use crate::{limits, storage};

/// How long is waited for the log of what is put aside to be archived: it stays with it in any case.
const RESCUE_DEADLINE: Duration = Duration::from_secs(60);
/// What every folder of a copy begins with that is to take the place of an instance's data.
const MADE: &str = "replacing-";

/// Data in the place of which other data was put. It is kept until somebody lets go of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// What it is called: `shop-before-20261123t041500z`.
    pub name: String,
    /// When it was put aside.
    pub at: Timestamp,
    /// What it was restored from itself, where it was.
    pub restored: Option<Restored>,
}

/// Data that is to take the place of an instance's own, from the moment that is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Where it is.
    pub incoming: Incoming,
    /// What was asked for.
    pub point: RestorePoint,
    /// What it was restored from; `None`: it was put aside before, and knows that itself.
    pub restored: Option<Restored>,
    /// The server it becomes.
    pub node: NodeId,
    /// What the data is called that is put aside.
    pub puts_aside: String,
}

/// Where the data is that is to take the place of an instance's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Incoming {
    /// In a folder of this name in the instance's scratch space.
    Made(String),
    /// It was put aside under this name.
    Aside(String),
}

/// What has to be asked of the keeper, once the copy is there; `None`: that was asked before, and is being done.
///
/// The promise is kept until that is done: two such copies would take each other's place.
pub async fn prepare(
    agent: &Arc<Agent>,
    name: &str,
    how: &RestoreHow,
    watcher: &Watcher,
) -> Result<Option<(Exchange, Promise)>, ProviderError> {
    let record = agent.shown(name)?.record;
    if is_under_way(&record, &how.point) {
        return Ok(None);
    }
    let promise = Promise::of_exchange(agent, name)?;
    let site = Site::of(agent.clone(), name);
    refuse_unfit(&record)?;
    let now = Timestamp::now();
    let (incoming, restored) = match named(&record, &how.point) {
        Some(aside) => (Incoming::Aside(aside.name.clone()), None),
        None => {
            // Nothing it is made of is deleted meanwhile.
            let turn = agent.desk.turn(name);
            watcher.phase("waiting for its turn");
            let _turn = turn.lock().await;
            let folder = format!("{MADE}{}", now.as_millisecond());
            let place = made_in(&site, &folder);
            let made = restore::make(agent, name, how, &mut record.clone(), &place, watcher).await;
            match made {
                Ok(made) => (Incoming::Made(folder), Some(made.restored)),
                Err(error) => {
                    restore::remove(&place).await?;
                    return Err(error);
                }
            }
        }
    };
    let puts_aside = free_name(&record, now);
    // The server it becomes is chosen when it is taken in: until then others may be made.
    let node = NodeId(0);
    Ok(Some((Exchange { incoming, point: how.point.clone(), restored, node, puts_aside }, promise)))
}

/// Says what would be done, and does nothing.
pub async fn tell(agent: &Arc<Agent>, name: &str, how: &RestoreHow, watcher: &Watcher) -> Result<(), ProviderError> {
    let record = agent.shown(name)?.record;
    refuse_unfit(&record)?;
    match named(&record, &how.point) {
        Some(aside) => watcher.say(format!("{}, put aside at {}, would be used", aside.name, aside.at)),
        None => restore::tell(agent, name, how, watcher).await?,
    }
    watcher.say(format!("what {name} holds now would be kept as {}", free_name(&record, Timestamp::now())));
    Ok(())
}

/// What was put aside and is meant by a name.
fn named<'r>(record: &'r Record, point: &RestorePoint) -> Option<&'r Aside> {
    let RestorePoint::Backup(name) = point else { return None };
    record.aside.iter().find(|aside| aside.name == *name)
}

/// Whether the same is being done already, or was until the database served again.
fn is_under_way(record: &Record, point: &RestorePoint) -> bool {
    let asked = record.exchange.as_ref().map(|exchange| &exchange.point);
    asked == Some(point) || asked.is_none() && !record.memory.settled && record.exchanged.as_ref() == Some(point)
}

fn refuse_unfit(record: &Record) -> Result<(), ProviderError> {
    let refuse = |message: String| Err(ProviderError::new(ErrorKind::Conflict, message));
    let name = &record.name;
    match record {
        Record { forgotten: true, .. } => Err(left_alone(name)),
        Record { exchange: Some(_), .. } => refuse(format!("other data is just being put in the place of {name}")),
        Record { promotion: Some(promotion), .. } => {
            refuse(format!("a replica of {name} is just becoming {}", promotion.to))
        }
        Record { memory: upkeep::Memory { made: false, .. }, .. } => {
            refuse(format!("{name} was never usable, so there is nothing to restore in its place"))
        }
        Record { memory: upkeep::Memory { goal: upkeep::Goal::Gone { .. }, .. }, .. } => {
            refuse(format!("{name} is being deleted"))
        }
        Record { .. } => Ok(()),
    }
}

/// A name that nothing else of the instance has.
fn free_name(record: &Record, now: Timestamp) -> String {
    let name = |seconds| {
        let at = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
        format!("{}-before-{}", record.name, at.strftime("%Y%m%dt%H%M%Sz"))
    };
    let is_free = |name: &String| record.aside.iter().all(|aside| aside.name != *name);
    (0..).map(name).find(is_free).expect("there is always a later second")
}

/// Takes the intent in: from now on the old servers are stopped, and the rest follows.
pub fn accept(site: &Site, record: &mut Record, exchange: &Exchange) -> Result<(), ProviderError> {
    refuse_unfit(record)?;
    let data = incoming(site, exchange);
    if !data.join("PG_VERSION").exists() {
        let message = format!("{} is not there, so it cannot be put in the place of {}", data.display(), site.name);
        return Err(ProviderError::new(ErrorKind::Conflict, message).help("repeat the command"));
    }
    // A number that no server has or had: where its data is, it was moved there by this exchange. None is made from now on.
    let known = record.nodes().into_iter().chain(site.nodes_on_disk()).map(|node| node.0);
    let node = NodeId(known.chain([record.ha.last_node]).max().unwrap_or(0) + 1);
    record.exchange = Some(Exchange { node, ..exchange.clone() });
    record.memory.exchanging = true;
    record.memory.goal = upkeep::Goal::Serve;
    Ok(())
}

/// Exchanges the data of an instance whose servers are down. Repeatable. An error before the old data was touched, or after it was put
/// back, leaves it where it was.
pub async fn carry_out(site: &Site, record: &mut Record) -> Result<(), ProviderError> {
    let Some(exchange) = record.exchange.clone() else { return Ok(()) };
    for node in record.nodes().into_iter().filter(|node| !record.ha.quarantine.contains_key(node)) {
        processes::kill(&site.node(node).data).await?;
    }
    archive_rest(site, record.primary()).await;
    let (own, of, asked) = (site.clone(), record.clone(), exchange.clone());
    *record = blocking(move || exchange_data(&own, of, &asked)).await?;
    // What was known of the backups was about the data that was put aside.
    site.agent.desk.forget(&site.name);
    site.agent.sweep();
    let kept = record.aside.iter().any(|aside| aside.name == exchange.puts_aside);
    let kept = if kept { format!("; what it held is kept as {}", exchange.puts_aside) } else { String::new() };
    site.note(match (&exchange.restored, &exchange.incoming) {
        (Some(restored), _) => {
            format!("restored in its place from the backup {}, up to {}{kept}", restored.backup, restored.to)
        }
        (None, Incoming::Aside(name) | Incoming::Made(name)) => format!("{name} was put back in its place{kept}"),
    });
    Ok(())
}

/// Stores the last of the log that the primary wrote, so that every moment up to its end can be restored.
async fn archive_rest(site: &Site, primary: NodeId) {
    let own = site.clone();
    let rescued = blocking(move || archive::rescue(&own, primary));
    match tokio::time::timeout(RESCUE_DEADLINE, rescued).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => site.note(format!("the last of its log is only in what is put aside: {error}")),
        Err(_) => site.note("the last of its log takes too long to archive, and is only in what is put aside"),
    }
}

/// The renames, and what the ledger says afterwards. Blocking.
fn exchange_data(site: &Site, record: Record, exchange: &Exchange) -> Result<Record, ProviderError> {
    let (paths, run_as) = (&site.agent.options.paths, &site.agent.run_as);
    let (new, from) = (site.node(exchange.node), incoming(site, exchange));
    let there = if new.data.exists() { &new.data } else { &from };
    let control = control::read(chosen(&record)?, run_as, there)?;
    let aside = aside_folder(&site.layout, &exchange.puts_aside);
    let old = newest(site, &record);
    let kept = put_aside(site, old.as_ref(), &aside)?;
    if !new.data.exists() {
        let put = folders::make(paths, &new, run_as).and_then(|()| moved(&from, &new.data));
        if let Err(error) = put {
            // As it was: first the copy, whose place is taken for a sign that it was moved.
            if new.data.exists() {
                moved(&new.data, &from)?;
            }
            if let Some(old) = old.filter(|_| kept) {
                moved(&aside.join("data"), &old.data)?;
            }
            return Err(error);
        }
    }
    forget_others(site, &record, exchange)?;
    // What is archived from now on has a generation of its own; and nobody has practised with it yet.
    for file in [archive::settings_file(site), drill::file(site), care::file(site)] {
        files::remove(&file).map_err(|error| cannot("remove", &file, &error))?;
    }
    let mut next = record;
    let put_back = match &exchange.incoming {
        Incoming::Aside(name) => next.aside.extract_if(.., |aside| aside.name == *name).next(),
        Incoming::Made(_) => None,
    };
    let outgoing = Aside { name: exchange.puts_aside.clone(), at: Timestamp::now(), restored: next.restored.take() };
    next.aside.extend(kept.then_some(outgoing));
    next.restored = exchange.restored.clone().or_else(|| put_back.and_then(|aside| aside.restored));
    next.system_identifier = Some(control.system_identifier.to_string());
    next.ha = ha::Memory {
        epoch: next.ha.epoch + 1,
        system_id: Some(control.system_identifier),
        timeline: control.timeline,
        primary: Some(exchange.node),
        members: [(exchange.node, Member::new(Duty::Pair, Copy::Good))].into(),
        quarantine: next.ha.quarantine.clone(),
        last_node: exchange.node.0,
        last_serial: next.ha.last_serial,
        ..ha::Memory::default()
    };
    (next.exchange, next.exchanged) = (None, Some(exchange.point.clone()));
    Ok(next)
}

/// The server whose data is to be kept: the primary's, or where that is gone the one that holds most of it.
fn newest(site: &Site, record: &Record) -> Option<Layout> {
    let others = record.ha.promotable.into_iter().chain(record.nodes());
    let mut all = [record.primary()].into_iter().chain(others);
    // A primary whose files are broken is set apart, too, and is what is to be kept above all.
    let is_ours = |node: &NodeId| *node == record.primary() || !record.ha.quarantine.contains_key(node);
    let is_there = |node: &NodeId| is_ours(node) && site.node(*node).data.exists();
    all.find(is_there).map(|node| site.node(node))
}

/// Puts the data of a server aside, with its logs; says whether there is any.
fn put_aside(site: &Site, old: Option<&Layout>, aside: &Path) -> Result<bool, ProviderError> {
    let kept = aside.join("data");
    let Some(old) = old.filter(|_| !kept.exists()) else { return Ok(kept.exists()) };
    let asides = aside.parent().unwrap_or(&site.layout.root);
    files::make_folder(asides, 0o711).map_err(|error| cannot("make", asides, &error))?;
    site.agent.run_as.make_dir(aside, 0o700)?;
    packed::sync_folder(asides)?;
    packed::sync_folder(&site.layout.root)?;
    segment::remove(&old.data);
    moved(&old.data, &kept)?;
    // What it said while it ran; that there is none is fine.
    let _ = std::fs::rename(&old.log, aside.join("log"));
    Ok(true)
}

/// Takes everything else of the old servers out of use: what they hold, the old primary held, too.
fn forget_others(site: &Site, record: &Record, exchange: &Exchange) -> Result<(), ProviderError> {
    let removed = site.agent.options.paths.removed();
    let put_away = |folder: &Path| files::put_away(folder, &removed).map_err(|error| cannot("remove", folder, &error));
    for node in record.nodes().into_iter().filter(|node| !record.ha.quarantine.contains_key(node)) {
        limits::forget(&hands::group(site, node));
        segment::remove(&site.node(node).data);
        put_away(site.node(node).folder())?;
    }
    match &exchange.incoming {
        Incoming::Made(folder) => put_away(&made_in(site, folder).root),
        Incoming::Aside(name) => put_away(&aside_folder(&site.layout, name)),
    }
}

/// Whether nothing of an exchange was done yet, or all of it was taken back: it can be given up.
pub fn is_untouched(site: &Site, exchange: &Exchange) -> bool {
    let aside = aside_folder(&site.layout, &exchange.puts_aside).join("data");
    !aside.exists() && !site.node(exchange.node).data.exists()
}

/// Renames durably.
fn moved(from: &Path, to: &Path) -> Result<(), ProviderError> {
    std::fs::rename(from, to).map_err(|error| io_error("move", from, &error))?;
    [to, from].into_iter().filter_map(Path::parent).try_for_each(packed::sync_folder)
}

/// Lets go of what was put aside. Blocking. Repeatable.
pub fn let_go(site: &Site, record: &mut Record, name: &str) -> Result<(), ProviderError> {
    let missing = || ProviderError::new(ErrorKind::NotFound, format!("nothing is put aside as {name}"));
    let is_wanted = |exchange: &Exchange| exchange.incoming == Incoming::Aside(name.to_owned());
    if record.exchange.as_ref().is_some_and(is_wanted) {
        let message = format!("{name} is just being put back in the place of {}", site.name);
        return Err(ProviderError::new(ErrorKind::Conflict, message));
    }
    let index = record.aside.iter().position(|aside| aside.name == name).ok_or_else(missing)?;
    let folder = aside_folder(&site.layout, name);
    files::put_away(&folder, &site.agent.options.paths.removed()).map_err(|error| cannot("remove", &folder, &error))?;
    record.aside.remove(index);
    let _ = std::fs::remove_dir(folder.parent().unwrap_or(&folder));
    site.note(format!("let go of {name}"));
    site.agent.sweep();
    Ok(())
}

/// What is put aside of an instance. Blocking.
pub fn report(agent: &Agent, record: &Record) -> Vec<AsideReport> {
    let layout = agent.options.paths.instance(&record.name);
    let one = |aside: &Aside| {
        let path = aside_folder(&layout, &aside.name);
        AsideReport { name: aside.name.clone(), at: aside.at, bytes: storage::used_bytes(&path.join("data")), path }
    };
    record.aside.iter().map(one).collect()
}

/// Removes what an attempt left that nobody goes on with, unless its keeper does.
pub async fn clear(site: &Site, exchange: &Exchange) -> Result<(), ProviderError> {
    let record = site.agent.shown(&site.name)?.record;
    match &exchange.incoming {
        Incoming::Made(folder) if record.exchange.is_none() => restore::remove(&made_in(site, folder)).await,
        Incoming::Made(_) | Incoming::Aside(_) => Ok(()),
    }
}

/// Folders in an instance's scratch space that hold what was to take the place of its data, and will not.
pub fn left(layout: &Layout, record: Option<&Record>) -> Vec<String> {
    let wanted = record.and_then(|record| record.exchange.as_ref()).map(|exchange| exchange.incoming.clone());
    let entries = std::fs::read_dir(&layout.scratch).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(MADE) && wanted != Some(Incoming::Made(name.clone()))).collect()
}

fn incoming(site: &Site, exchange: &Exchange) -> PathBuf {
    match &exchange.incoming {
        Incoming::Made(folder) => made_in(site, folder).data,
        Incoming::Aside(name) => aside_folder(&site.layout, name).join("data"),
    }
}

fn made_in(site: &Site, folder: &str) -> Layout {
    Layout::new(site.layout.scratch.join(folder), site.layout.socket.clone())
}

/// Where something is kept that was put aside.
fn aside_folder(layout: &Layout, name: &str) -> PathBuf {
    layout.root.join("aside").join(name)
}
