//! A read replica becomes an instance of its own: which one, what it then is, and its move.
//!
//! The ledger of the new instance is written beside its place before the data is moved, and put into its place afterwards. Killed
//! before the move, the instance it was of repeats all of it; killed after it, the next agent does the rest.

use std::path::Path;

use jiff::Timestamp;
use pgherd_core::ha::{self, Copy, Duty, Leaving, Member, NodeId};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};

use super::agent::Agent;
use super::configure;
use super::ledger::{self, Record};
use super::messages::PromoteHow;
use super::site::{Site, cannot};
use super::upkeep::Memory;
use crate::desired::Wanted;
use crate::paths::Layout;
use crate::postgres::replication::making;
use crate::{limits, sizing};

/// The one server of the new instance.
const FIRST: NodeId = NodeId(1);

/// A replica that is to become an instance of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Which.
    pub node: NodeId,
    /// The name of that instance.
    pub to: String,
}

/// What an instance was before it was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The instance it was a replica of.
    pub instance: String,
    /// Which.
    pub node: NodeId,
}

/// Whether this was asked for before and is through: the instance is there.
pub fn is_through(agent: &Agent, name: &str, how: &PromoteHow) -> Result<bool, ProviderError> {
    match agent.shown(&how.to) {
        Ok(known) => {
            let ours = |origin: &Origin| {
                origin.instance == name && how.replica.as_ref().is_none_or(|node| *node == origin.node.to_string())
            };
            if known.record.origin.as_ref().is_some_and(ours) {
                return Ok(true);
            }
            let message = format!("there is an instance {} already", how.to);
            Err(ProviderError::new(ErrorKind::Conflict, message).help("choose another name"))
        }
        Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The replica that is meant, once it is sure that it can be an instance of that name.
pub fn accept(site: &Site, record: &Record, how: &PromoteHow) -> Result<Promotion, ProviderError> {
    promise(&site.agent, &how.to, &site.name)?;
    if is_through(&site.agent, &site.name, how)? {
        let message = format!("{} is an instance of its own by now", how.to);
        return Err(ProviderError::new(ErrorKind::Conflict, message));
    }
    if let Some(known) = &record.promotion {
        let same_node = how.replica.as_ref().is_none_or(|node| *node == known.node.to_string());
        if same_node && known.to == how.to {
            return Ok(known.clone());
        }
        if !same_node || how.replica.is_none() {
            return Err(taken(&known.to, &site.name));
        }
    }
    let node = choose(record, how.replica.as_deref())?;
    let to = Site::of(site.agent.clone(), &how.to);
    if to.has_data() {
        let message = format!("{} holds data, and the ledger knows no instance {}", to.layout.root.display(), how.to);
        return Err(ProviderError::new(ErrorKind::Conflict, message).help("choose another name"));
    }
    match coming(&site.agent, &how.to) {
        Some(other) if other != site.name => Err(taken(&how.to, &other)),
        _ => Ok(Promotion { node, to: how.to.clone() }),
    }
}

/// The instance whose replica is about to get this name.
pub fn coming(agent: &Agent, name: &str) -> Option<String> {
    let all = agent.all().into_iter();
    let gets = |record: &Record| record.promotion.as_ref().is_some_and(|promotion| promotion.to == name);
    all.map(|shown| shown.record).find(gets).map(|record| record.name)
}

/// Promises a name to an instance before it is looked whether it is free: whoever asks for it meanwhile is refused.
pub fn promise(agent: &Agent, name: &str, to: &str) -> Result<(), ProviderError> {
    agent.names.promise(name, to).map_err(|known| {
        if known != name {
            return taken(name, &known);
        }
        let message = format!("an instance {name} is just being made");
        ProviderError::new(ErrorKind::Conflict, message).help("choose another name")
    })
}

/// A name is promised.
pub fn taken(name: &str, of: &str) -> ProviderError {
    let message = format!("a replica of {of} is just becoming {name}");
    ProviderError::new(ErrorKind::Conflict, message).help("wait until it is, or choose another name")
}

fn choose(record: &Record, asked: Option<&str>) -> Result<NodeId, ProviderError> {
    let (name, memory) = (&record.name, &record.ha);
    let replicas = memory.members.iter().filter(|(_, member)| member.duty == Duty::Replica);
    let all: Vec<NodeId> = replicas.map(|(node, _)| *node).collect();
    let names = || all.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ");
    let refuse = |message: String, help: &str| Err(ProviderError::new(ErrorKind::Invalid, message).help(help));
    let node = match (asked, all.as_slice()) {
        (_, []) => {
            return refuse(format!("{name} has no read replica"), "write create_read_replica = true and apply that");
        }
        (None, [one]) => *one,
        (None, _) => return refuse(format!("{name} has the replicas {}", names()), "say which with --replica"),
        (Some(asked), _) => match all.iter().find(|node| node.to_string() == asked) {
            Some(node) => *node,
            None => return refuse(format!("{asked} is no replica of {name}"), &format!("its replicas: {}", names())),
        },
    };
    if memory.members[&node].leaving.is_some() {
        let message = format!("{node} is just being taken away from {name}");
        return Err(ProviderError::new(ErrorKind::Conflict, message).help("pgherd status shows which replicas stay"));
    }
    if memory.members[&node].copy != Copy::Good || memory.quarantine.contains_key(&node) {
        let message = format!("{node} holds no whole copy of {name} now");
        return Err(ProviderError::new(ErrorKind::Unavailable, message).help("pgherd status says how it is doing"));
    }
    Ok(node)
}

/// How many replicas are wanted after a decision that has one leave for a life of its own, or stay after all: the instance goes
/// on with one less, and is not given another in its place.
pub fn replicas_wanted(before: &ha::Memory, after: &ha::Memory, replicas: u32) -> u32 {
    let leaves = |memory: &ha::Memory, node: &NodeId| memory.members.get(node).map(|member| member.leaving);
    before.members.keys().fold(replicas, |wanted, node| match (leaves(before, node), leaves(after, node)) {
        (Some(None), Some(Some(Leaving::Released))) => wanted.saturating_sub(1),
        (Some(Some(Leaving::Released)), Some(None)) => wanted + 1,
        _ => wanted,
    })
}

/// Whether nothing is left to be done for the promotion that is written down: the replica is gone, or stays. Another request may
/// have taken the place of the one that would be answered.
pub fn is_over(record: &Record) -> bool {
    let Some(promotion) = &record.promotion else { return false };
    let asked = record.request.is_some_and(|request| request.what == ha::Ask::Release { node: promotion.node });
    let leaving = record.ha.members.get(&promotion.node).and_then(|member| member.leaving);
    !asked && leaving != Some(Leaving::Released)
}

/// The ledger of the new instance: the same wish without standby, replicas and port, and a primary that is yet to be promoted.
fn record_of(agent: &Agent, of: &Record, promotion: &Promotion, conf: &str, now: Timestamp) -> Record {
    let mut wanted =
        Wanted { multi_az: false, read_replicas: 0, port: None, final_backup_name: None, ..of.wanted.clone() };
    keep_connections(agent, promotion, conf, &mut wanted);
    let mut record = Record::new(&promotion.to, wanted, now);
    record.server.clone_from(&of.server);
    record.server_note.clone_from(&of.server_note);
    record.system_identifier.clone_from(&of.system_identifier);
    record.memory = Memory { made: true, ..Memory::new(of.memory.allocated_gib) };
    record.ha = ha::Memory {
        epoch: of.ha.epoch + 1,
        system_id: of.ha.system_id,
        // It is promoted to a later one: a number of its own.
        timeline: of.ha.timeline,
        primary: Some(FIRST),
        members: [(FIRST, Member::new(Duty::Pair, Copy::Good))].into(),
        last_node: FIRST.0,
        last_serial: of.ha.last_serial,
        ..ha::Memory::default()
    };
    record.origin = Some(Origin { instance: of.name.clone(), node: promotion.node });
    record
}

/// A standby does not start with fewer connections than its primary had (manual, "Hot Standby"), and where memory is promised to
/// others an instance is sized for fewer: then it keeps what it had.
fn keep_connections(agent: &Agent, promotion: &Promotion, conf: &str, wanted: &mut Wanted) {
    let sized = sizing::size(&configure::size(wanted), agent.machine(&promotion.to)).max_connections;
    let had = connections(conf).filter(|had| *had > sized && !wanted.parameters.contains_key(MAX_CONNECTIONS));
    if let Some(had) = had {
        wanted.parameters.insert(MAX_CONNECTIONS.to_owned(), had.to_string());
    }
}

const MAX_CONNECTIONS: &str = "max_connections";

/// How many connections a `postgresql.conf` of ours allows.
fn connections(conf: &str) -> Option<u64> {
    let value = |line: &str| {
        line.strip_prefix(MAX_CONNECTIONS)?.trim_start().strip_prefix('=')?.trim().trim_matches('\'').parse().ok()
    };
    conf.lines().rev().find_map(value)
}

/// Moves the stopped replica to where its own instance is. Blocking. Repeatable.
pub fn hand_over(site: &Site, record: &Record, promotion: &Promotion) -> Result<(), ProviderError> {
    let to = Site::of(site.agent.clone(), &promotion.to);
    let from = site.node(promotion.node);
    let origin = Origin { instance: site.name.clone(), node: promotion.node };
    if Record::load(&to.layout.root)?.is_some_and(|known| known.origin.as_ref() != Some(&origin)) {
        let message = format!("there is an instance {} by now, which is another", promotion.to);
        return Err(ProviderError::new(ErrorKind::Conflict, message));
    }
    // It has been moved already when this is repeated.
    let read = |layout: &Layout| std::fs::read_to_string(layout.postgresql_conf());
    let conf = read(&from).or_else(|_| read(&to.node(FIRST))).unwrap_or_default();
    ledger::announce(&to.layout.root, &record_of(&site.agent, record, promotion, &conf, Timestamp::now()))?;
    making::hand_over(&from, &to.node(FIRST))?;
    settle(&to.layout)
}

/// Puts an announced ledger into its place when the data it is about is there. Blocking. Repeatable.
pub fn settle(layout: &Layout) -> Result<(), ProviderError> {
    if !layout.node(FIRST).data.exists() {
        return Ok(());
    }
    ledger::put_announced(&layout.root).map_err(|error| cannot("put the ledger into", &layout.root, &error))
}

/// Settles what an agent that ended left announced.
pub fn settle_all(instances: &Path, layout_of: impl Fn(&str) -> Layout) {
    for name in ledger::announced(instances) {
        if let Err(error) = settle(&layout_of(&name)) {
            tracing::error!("{error}");
        }
    }
}

/// Forgets the control group of a server that is not this instance's any more.
pub fn forget_limits(site: &Site, node: NodeId) {
    limits::forget(&super::hands::group(site, node));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(leaving: Option<Leaving>) -> ha::Memory {
        let member = |duty, leaving| Member { leaving, ..Member::new(duty, Copy::Good) };
        let members = [(NodeId(1), member(Duty::Pair, None)), (NodeId(2), member(Duty::Replica, leaving))];
        ha::Memory { members: members.into(), ..ha::Memory::default() }
    }

    #[track_caller]
    fn check(before: Option<Leaving>, after: Option<Leaving>, expected: u32) {
        assert_eq!(replicas_wanted(&memory(before), &memory(after), 2), expected);
    }

    #[test]
    fn one_less_is_wanted_from_the_moment_one_leaves_for_a_life_of_its_own() {
        check(None, Some(Leaving::Released), 1);
        check(Some(Leaving::Released), Some(Leaving::Released), 2);
    }

    #[test]
    fn one_that_was_leaving_already_is_counted_once() {
        check(Some(Leaving::Removed), Some(Leaving::Released), 2);
    }

    #[test]
    fn the_connections_are_read_as_they_are_written() {
        assert_eq!(connections("max_connections = '112'\nmax_connections_of = '7'\n"), Some(112));
        assert_eq!(connections("max_connections = '112'\nmax_connections = '40'\n"), Some(40));
        assert_eq!(connections("# max_connections = '112'\n"), None);
    }

    #[test]
    fn one_that_stays_after_all_is_wanted_again() {
        check(Some(Leaving::Released), None, 3);
    }

    #[test]
    fn one_that_is_gone_or_removed_changes_no_wish() {
        check(None, Some(Leaving::Removed), 2);
        let gone = ha::Memory { members: [].into(), ..ha::Memory::default() };
        assert_eq!(replicas_wanted(&memory(Some(Leaving::Released)), &gone, 2), 2);
    }
}
