//! What a running server says of itself, asked with one question.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pgherd_core::ha::{CommitLevel, Lsn, NodeId, Pending, Primary, Sender, Server, Slot, Standby};
use serde::Deserialize;

use super::role::{self, Upstream};
use super::{Place, blocking, history, pg_control, wal};
use crate::postgres::session::Session;

/// One round trip for either role. What only a primary can be asked fails on a standby, and is not evaluated there.
///
/// A primary's timeline is that of the file it writes: `pg_control` follows only at the next checkpoint.
const QUESTION: &str = "
SELECT json_build_object(
  'primary', CASE WHEN NOT pg_is_in_recovery() THEN json_build_object(
    'lsn', pg_current_wal_lsn(),
    'file', pg_walfile_name(pg_current_wal_lsn()),
    'history', pg_read_file('pg_wal/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '.history', 0, 1000000, true),
    'senders', (SELECT json_agg(json_build_object('name', application_name, 'sync', sync_state = 'sync', 'counts', sync_priority > 0,
      'streaming', state = 'streaming', 'written', write_lsn, 'flushed', flush_lsn, 'replayed', replay_lsn))
      FROM pg_stat_replication)) END,
  'standby', CASE WHEN pg_is_in_recovery() THEN json_build_object(
    'timeline', greatest((SELECT timeline_id FROM pg_control_checkpoint()),
      (SELECT min_recovery_end_timeline FROM pg_control_recovery()), (SELECT received_tli FROM pg_stat_wal_receiver)),
    'written', (SELECT written_lsn FROM pg_stat_wal_receiver),
    'flushed', pg_last_wal_receive_lsn(),
    'replayed', pg_last_wal_replay_lsn(),
    'conninfo', current_setting('primary_conninfo'),
    'streaming', coalesce((SELECT status = 'streaming' FROM pg_stat_wal_receiver), false)) END,
  'slots', (SELECT json_agg(json_build_object('name', slot_name, 'lost', wal_status IS NOT DISTINCT FROM 'lost'))
    FROM pg_replication_slots WHERE slot_type = 'physical'),
  'pending', (SELECT json_agg(json_build_object('name', name, 'now', setting, 'next', coalesce(
      (SELECT f.setting FROM pg_file_settings f WHERE f.name = s.name ORDER BY seqno DESC LIMIT 1), boot_val)))
    FROM pg_settings s WHERE pending_restart))::text";

/// Those that must not be lower on a standby than on its primary (manual, \"Hot Standby\").
const NOT_LOWER: [&str; 5] = [
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
];

/// Asks; `None` when there is no answer, or none that makes sense.
pub(super) async fn ask(place: &Place, session: &Session, commit: CommitLevel) -> Option<(Server, Pending)> {
    let row = session.one(QUESTION, &[]).await.ok()?;
    let answer: Answer = serde_json::from_str(row.get(0)).ok()?;
    let pending = pending(answer.pending.as_deref().unwrap_or_default());
    let slots = slots(answer.slots.as_deref().unwrap_or_default());
    let server = match (answer.primary, answer.standby) {
        (Some(primary), None) => Server::Primary(primary.read(slots, commit)?),
        (None, Some(standby)) => {
            let data = place.layout.data.clone();
            blocking(move || Ok(standby.read(&slots, &data))).await.ok().flatten().map(Server::Standby)?
        }
        // It is being promoted right now: the next look knows.
        (Some(_), Some(_)) | (None, None) => return None,
    };
    Some((server, pending))
}

#[derive(Deserialize)]
struct Answer {
    primary: Option<PrimaryAnswer>,
    standby: Option<StandbyAnswer>,
    slots: Option<Vec<SlotAnswer>>,
    pending: Option<Vec<PendingAnswer>>,
}

#[derive(Deserialize)]
struct PrimaryAnswer {
    lsn: String,
    file: String,
    history: Option<String>,
    senders: Option<Vec<SenderAnswer>>,
}

#[derive(Deserialize)]
struct SenderAnswer {
    name: String,
    sync: Option<bool>,
    counts: Option<bool>,
    streaming: Option<bool>,
    written: Option<String>,
    flushed: Option<String>,
    replayed: Option<String>,
}

#[derive(Deserialize)]
struct StandbyAnswer {
    timeline: u32,
    written: Option<String>,
    flushed: Option<String>,
    replayed: Option<String>,
    conninfo: String,
    streaming: bool,
}

#[derive(Deserialize)]
struct SlotAnswer {
    name: String,
    lost: bool,
}

#[derive(Deserialize)]
struct PendingAnswer {
    name: String,
    now: Option<String>,
    next: Option<String>,
}

impl PrimaryAnswer {
    fn read(&self, slots: BTreeMap<NodeId, Slot>, commit: CommitLevel) -> Option<Primary> {
        let timeline = u32::from_str_radix(self.file.get(..8)?, 16).ok()?;
        // Without its history it cannot be told who is ahead of it: then nothing is known.
        let way = history::parse(self.history.as_deref().unwrap_or_default(), timeline)?;
        let fork = way.last().filter(|_| timeline > 1).map(|stretch| stretch.begin);
        let mut senders = BTreeMap::new();
        for (node, sender) in self.senders.iter().flatten().filter_map(|sender| sender.read(commit)) {
            // One of a connection that is gone may be listed for a while beside its successor.
            let known = senders.entry(node).or_insert(sender);
            let counts = known.counts || sender.counts;
            if worth(&sender) > worth(known) {
                *known = sender;
            }
            known.counts = counts;
        }
        Some(Primary { timeline, lsn: Lsn::parse(&self.lsn)?, fork, senders, slots })
    }
}

impl SenderAnswer {
    fn read(&self, commit: CommitLevel) -> Option<(NodeId, Sender)> {
        let held = match commit {
            CommitLevel::RemoteWrite => &self.written,
            CommitLevel::Local | CommitLevel::On => &self.flushed,
            CommitLevel::RemoteApply => &self.replayed,
        };
        let sender = Sender {
            sync: self.sync.unwrap_or(false),
            counts: self.counts.unwrap_or(true),
            streaming: self.streaming.unwrap_or(false),
            held: lsn(held.as_deref()),
        };
        Some((role::node(&self.name)?, sender))
    }
}

impl StandbyAnswer {
    fn read(&self, slots: &BTreeMap<NodeId, Slot>, data: &Path) -> Option<Standby> {
        let replayed = lsn(self.replayed.as_deref());
        // Receiving begins anew at the beginning of a file; what is replayed was found, or received before.
        let flushed = lsn(self.flushed.as_deref()).max(replayed);
        Some(Standby {
            timeline: self.timeline_at(flushed, data)?,
            received: lsn(self.written.as_deref()).max(flushed),
            flushed,
            replayed,
            follows: Upstream::parse(&self.conninfo).map(|upstream| upstream.node),
            streaming: self.streaming,
            slots: slots.keys().copied().collect::<BTreeSet<_>>(),
        })
    }

    /// What it says of its timeline lags behind while it does not stream, until the next restart point. The files it received
    /// bear the number; one of a later timeline is only there when it went along.
    fn timeline_at(&self, at: Lsn, data: &Path) -> Option<u32> {
        let segment_bytes = pg_control::read(data).ok()?.segment_bytes;
        let newest = history::newest(data).ok()?;
        let has_file = |timeline: &u32| data.join("pg_wal").join(wal::file_name(*timeline, at, segment_bytes)).exists();
        Some((self.timeline + 1..=newest).rev().find(has_file).unwrap_or(self.timeline))
    }
}

fn worth(sender: &Sender) -> (bool, bool, Lsn) {
    (sender.sync, sender.streaming, sender.held)
}

fn slots(answers: &[SlotAnswer]) -> BTreeMap<NodeId, Slot> {
    let slot = |answer: &SlotAnswer| if answer.lost { Slot::Lost } else { Slot::Well };
    answers.iter().filter_map(|answer| Some((role::node(&answer.name)?, slot(answer)))).collect()
}

fn pending(waiting: &[PendingAnswer]) -> Pending {
    let number = |text: &Option<String>| text.as_ref()?.trim().parse::<i64>().ok();
    let lowers = |setting: &&PendingAnswer| {
        NOT_LOWER.contains(&setting.name.as_str()) && number(&setting.next) < number(&setting.now)
    };
    match (waiting.is_empty(), waiting.iter().find(lowers)) {
        (true, _) => Pending::Nothing,
        (false, None) => Pending::Restart,
        (false, Some(_)) => Pending::Lowers,
    }
}

/// What it does not say yet is the beginning.
fn lsn(text: Option<&str>) -> Lsn {
    text.and_then(Lsn::parse).unwrap_or_default()
}
