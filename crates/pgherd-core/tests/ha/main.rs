//! What the failover brain decides, situation by situation: what is remembered and what is done, with the reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use pgherd_core::ha::{
    Ask, Control, Copy, Data, Disk, Duty, LastRole, Lsn, Member, Memory, Names, Node, NodeId, Pending, Primary, Probe,
    Process, Request, Route, Sender, Server, Slot, Standby, SyncMode, Task, View, Wanted, alarms, decide,
};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);
const HERE: Lsn = Lsn(0x300_0000);

/// A tale: what is seen, and after each look what is decided.
struct Tale {
    view: View,
    memory: Memory,
    told: String,
}

impl Tale {
    /// A healthy instance: n1 the primary, as many standbys, then as many replicas, all streaming, n2 promotable.
    fn of(standbys: u8, replicas: u8) -> Self {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let since = now - SignedDuration::from_hours(1);
        let wanted = Wanted { standbys, replicas, ..Wanted::default() };
        let count = u16::from(standbys) + u16::from(replicas) + 1;
        let ids: Vec<NodeId> = (1..=count).map(NodeId).collect();
        let duty = |id: NodeId| if id.0 > u16::from(standbys) + 1 { Duty::Replica } else { Duty::Pair };
        let member = |id| Member { up_since: Some(since), ..Member::new(duty(id), Copy::Good) };
        let promotable = (standbys > 0).then_some(N2);
        let memory = Memory {
            epoch: 1,
            system_id: Some(7),
            timeline: 1,
            primary: Some(N1),
            promotable,
            members: ids.iter().map(|id| (*id, member(*id))).collect(),
            last_node: count,
            ..Memory::default()
        };
        let mut nodes: BTreeMap<NodeId, Node> = ids.iter().map(|id| (*id, standby(*id, now, since))).collect();
        nodes.insert(N1, primary(now, since, &ids[1..], promotable));
        let readers: BTreeSet<NodeId> = ids.iter().copied().filter(|id| duty(*id) == Duty::Replica).collect();
        let read = if readers.is_empty() { [N1].into() } else { readers };
        let route = Some(Route { write: Some(N1), read, paused: false });
        Self { view: View { now, wanted, request: None, nodes, route }, memory, told: String::new() }
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        self.view.nodes.get_mut(&id).expect("a node of the tale")
    }

    fn dead(&mut self, id: NodeId) {
        let node = self.node(id);
        (node.process, node.server, node.probe) = (Process::Dead, None, Probe::Unknown);
        for node in self.view.nodes.values_mut() {
            match &mut node.server {
                Some(Server::Primary(primary)) => drop(primary.senders.remove(&id)),
                Some(Server::Standby(standby)) if standby.follows == Some(id) => standby.streaming = false,
                Some(Server::Standby(_)) | None => {}
            }
        }
    }

    fn says(&mut self, id: NodeId) -> &mut Primary {
        match &mut self.node(id).server {
            Some(Server::Primary(primary)) => primary,
            other => panic!("{id} is no primary: {other:?}"),
        }
    }

    /// n2 has been promoted.
    fn promoted(&mut self, id: NodeId, timeline: u32) {
        let node = self.node(id);
        let (senders, slots) = (BTreeMap::new(), BTreeMap::new());
        node.server = Some(Server::Primary(Primary { timeline, lsn: HERE, fork: Some(HERE), senders, slots }));
        node.probe = Probe::Answered;
        if let Data::Present(control) = &mut node.data {
            (control.timeline, control.last_role) = (timeline, LastRole::Primary);
        }
    }

    fn route(&mut self, write: Option<NodeId>, read: &[NodeId], paused: bool) {
        self.view.route = Some(Route { write, read: read.iter().copied().collect(), paused });
    }

    fn after_ms(&mut self, ms: i64) {
        self.view.now += SignedDuration::from_millis(ms);
        for node in self.view.nodes.values_mut() {
            node.seen_at = self.view.now;
        }
    }

    /// Looks, 10 ms after the last time, and tells what is decided.
    fn look(&mut self, what: &str) {
        self.after_ms(10);
        let (next, actions) = decide(&self.view, &self.memory);
        writeln!(self.told, "{what}").expect("a string");
        for (field, value) in changes(&self.memory, &next) {
            writeln!(self.told, "  remember {field} = {value}").expect("a string");
        }
        for action in &actions {
            writeln!(self.told, "  {action}").expect("a string");
        }
        for alarm in alarms(&self.view, &next) {
            writeln!(self.told, "  alarm {}: {}", alarm.code, alarm.message).expect("a string");
        }
        self.memory = serde_json::from_str(&serde_json::to_string(&next).expect("plain data")).expect("the same again");
        assert_eq!(self.memory, next);
    }
}

fn changes(before: &Memory, after: &Memory) -> Vec<(String, serde_json::Value)> {
    let fields = |memory: &Memory| serde_json::to_value(memory).expect("plain data");
    let (before, after) = (fields(before), fields(after));
    let after = after.as_object().expect("a struct").clone();
    let mut changed = Vec::new();
    for (field, value) in after {
        match (&before[&field], &value) {
            (serde_json::Value::Object(old), serde_json::Value::Object(new)) if field == "members" => {
                let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
                for id in ids {
                    changed.extend(member_changes(id, old.get(id), new.get(id)));
                }
            }
            (old, new) if old != new => changed.push((field, value)),
            _ => {}
        }
    }
    changed
}

fn member_changes(
    id: &str,
    old: Option<&serde_json::Value>,
    new: Option<&serde_json::Value>,
) -> Vec<(String, serde_json::Value)> {
    let (Some(old), Some(new)) = (old, new) else {
        return vec![(format!("n{id}"), new.cloned().unwrap_or_default())];
    };
    let fields = new.as_object().expect("a struct");
    let changed = fields.iter().filter(|(field, value)| old[field.as_str()] != **value);
    changed.map(|(field, value)| (format!("n{id}.{field}"), value.clone())).collect()
}

fn control(last_role: LastRole) -> Data {
    Data::Present(Control {
        system_id: 7,
        timeline: 1,
        last_role,
        clean: false,
        end: Some(HERE),
        made_by: None,
        torn: false,
        mib: Some(40),
    })
}

fn running(id: NodeId, since: Timestamp) -> Process {
    Process::Running { start: u64::from(id.0), since, ready: true }
}

fn well(id: NodeId, now: Timestamp, since: Timestamp, role: LastRole, server: Server) -> Node {
    Node {
        process: running(id, since),
        data: control(role),
        server: Some(server),
        names: Names::Nobody,
        pending: Pending::Nothing,
        disk: Disk::Well,
        evidence: Some(false),
        ..Node::unknown(now)
    }
}

fn primary(now: Timestamp, since: Timestamp, others: &[NodeId], sync: Option<NodeId>) -> Node {
    let sender = |id: &NodeId| (*id, sender(sync == Some(*id), HERE));
    let senders = others.iter().map(sender).collect();
    let slots = others.iter().map(|id| (*id, Slot::Well)).collect();
    let says = Server::Primary(Primary { timeline: 1, lsn: HERE, fork: None, senders, slots });
    let names = sync.map_or(Names::Nobody, Names::Node);
    Node { names, probe: Probe::Answered, ..well(N1, now, since, LastRole::Primary, says) }
}

fn sender(sync: bool, held: Lsn) -> Sender {
    Sender { sync, counts: sync, streaming: true, held }
}

fn streaming() -> Standby {
    let (received, flushed, replayed) = (HERE, HERE, HERE);
    Standby { timeline: 1, received, flushed, replayed, follows: Some(N1), streaming: true, slots: BTreeSet::new() }
}

fn standby(id: NodeId, now: Timestamp, since: Timestamp) -> Node {
    well(id, now, since, LastRole::Standby, Server::Standby(streaming()))
}

#[test]
fn a_healthy_instance_is_left_alone() {
    let mut tale = Tale::of(1, 1);
    tale.look("all is well");
    tale.view.nodes.values_mut().for_each(|node| *node = Node::unknown(node.seen_at));
    tale.view.route = None;
    tale.look("nothing can be seen");
    assert_eq!(tale.told, "all is well\nnothing can be seen\n");
}

#[test]
fn the_primary_ends_and_the_standby_takes_over() {
    let mut tale = Tale::of(1, 1);
    tale.dead(N1);
    tale.node(N1).process = Process::Orphans;
    tale.look("the postmaster of n1 is killed, a backend works on");
    tale.look("the backend is still there");
    tale.node(N1).process = Process::Dead;
    tale.route(None, &[N3], true);
    tale.look("no process of n1 is left");
    tale.look("n2 is being promoted");
    tale.promoted(N2, 2);
    tale.look("n2 takes writes");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_view_from_before_the_kill_confirms_nothing() {
    let mut tale = Tale::of(1, 0);
    tale.dead(N1);
    tale.look("n1 ended");
    let before = tale.view.nodes[&N1].seen_at - SignedDuration::from_millis(1);
    tale.after_ms(10);
    tale.node(N1).seen_at = before;
    let (next, actions) = decide(&tale.view, &tale.memory);
    assert_eq!((next.primary, next.epoch), (Some(N1), tale.memory.epoch));
    assert!(actions.iter().all(|action| !action.to_string().starts_with("promote")), "{actions:?}");
}

#[test]
fn a_single_instance_is_started_again_with_pauses() {
    let mut tale = Tale::of(0, 0);
    tale.dead(N1);
    tale.look("n1 ended");
    tale.look("it ended at once");
    tale.look("a moment later");
    tale.after_ms(1_000);
    tale.look("a second later");
    tale.view.wanted.serve = false;
    tale.look("it is stopped on purpose");
    tale.after_ms(100_000);
    tale.look("long after");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_standby_that_lacks_commits_is_not_promoted() {
    let mut tale = Tale::of(1, 0);
    tale.memory.promotable = None;
    tale.node(N1).names = Names::Nobody;
    tale.dead(N1);
    tale.look("n1 ended while commits went on without n2");
    tale.node(N1).data = Data::Absent;
    tale.after_ms(10_000);
    tale.look("its directory is gone, too");
    tale.view.request = Some(Request { id: 1, what: Ask::Failover { accept_loss: false } });
    tale.look("the user asks for a failover");
    tale.view.request = Some(Request { id: 2, what: Ask::Failover { accept_loss: true } });
    tale.look("the user accepts the loss");
    tale.look("n1 is seen to be dead");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn an_old_record_does_not_make_a_standby_promotable() {
    let mut tale = Tale::of(1, 0);
    tale.node(N1).names = Names::Nobody;
    tale.dead(N1);
    tale.look("the record calls n2 promotable, the file of n1 says that commits waited for nobody");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_hung_primary_is_ended_first() {
    let mut tale = Tale::of(1, 0);
    tale.node(N1).server = None;
    tale.node(N1).probe = Probe::Waiting { for_ms: 2_900 };
    tale.look("a write is not answered for 2.9 s");
    tale.node(N1).probe = Probe::Waiting { for_ms: 3_100 };
    tale.look("for 3.1 s");
    tale.node(N1).process = Process::Unknown;
    tale.look("n1 cannot be seen");
    tale.after_ms(5_000);
    tale.look("n1 cannot be seen for 5 s");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_lost_standby_is_given_up_in_the_safe_order_and_comes_back_in_the_reverse() {
    let mut tale = Tale::of(1, 0);
    tale.dead(N2);
    tale.look("n2 ended");
    tale.node(N1).names = Names::Nobody;
    tale.look("commits go on without it");
    let since = tale.view.now;
    tale.view.nodes.insert(N2, standby(N2, since, since));
    tale.says(N1).senders.insert(N2, sender(false, Lsn(HERE.0 - 4096)));
    tale.look("n2 streams again");
    tale.node(N1).names = Names::Node(N2);
    tale.says(N1).senders.insert(N2, sender(true, Lsn(HERE.0 - 4096)));
    tale.look("sync_state is sync");
    tale.after_ms(2_000);
    tale.look("no commit was seen to wait for 2 s");
    tale.node(N1).waits_for = Some(N2);
    tale.look("one was seen to wait, and n2 lacks a little");
    tale.says(N1).senders.insert(N2, sender(true, HERE));
    tale.look("n2 has everything");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_wal_sender_that_still_lets_commits_go_for_another_is_waited_out() {
    let mut tale = Tale::of(1, 1);
    tale.memory.promotable = None;
    tale.node(N1).waits_for = Some(N2);
    tale.says(N1).senders.insert(N3, Sender { counts: true, ..sender(false, HERE) });
    tale.look("n3 still counts");
    tale.look("n3 still counts");
    assert_eq!((tale.memory.promotable, tale.memory.rising), (None, None));
    tale.says(N1).senders.insert(N3, sender(false, HERE));
    tale.look("n3 counts no longer");
    tale.look("n2 has what there was then");
    assert_eq!(tale.memory.promotable, Some(N2));
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_standby_that_stops_while_no_commit_is_seen_to_wait_for_it_is_given_up_in_time() {
    let mut tale = Tale::of(1, 0);
    tale.memory.promotable = None;
    tale.says(N1).senders.insert(N2, sender(true, Lsn(HERE.0 - 4096)));
    tale.look("n2 lacks a little");
    tale.after_ms(2_000);
    tale.look("2 s later");
    tale.after_ms(1_200);
    tale.look("3.2 s later");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn required_commits_wait_for_the_lost_standby() {
    let mut tale = Tale::of(1, 0);
    tale.view.wanted.sync = SyncMode::Required;
    tale.dead(N2);
    tale.node(N2).disk = Disk::Full;
    tale.look("n2 ended and its disk is full");
    tale.after_ms(9_000);
    tale.look("9 s later");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn an_old_primary_is_examined_and_copied_or_rewound() {
    let mut tale = Tale::of(1, 0);
    tale.dead(N1);
    tale.look("n1 ended");
    tale.look("it is dead");
    tale.promoted(N2, 2);
    tale.look("n2 takes writes");
    tale.node(N1).examined = Some(pgherd_core::ha::Examined { end: Lsn(HERE.0 + 96), lost_commits: Some(1) });
    if let Data::Present(control) = &mut tale.node(N1).data {
        control.mib = Some(900);
    }
    tale.look("n1 was examined; it is big");
    tale.node(N1).task = Task::Busy;
    tale.look("it is being rewound");
    tale.node(N1).task = Task::Idle;
    if let Data::Present(control) = &mut tale.node(N1).data {
        control.torn = true;
    }
    tale.look("the daemon was killed: nobody works on it and it is torn");
    insta::assert_snapshot!(tale.told);
}

/// Until it is back the data is on one server alone.
#[test]
fn an_old_primary_is_made_anew_at_once_however_often_it_ended() {
    let mut tale = Tale::of(1, 0);
    let member = tale.memory.members.get_mut(&N1).expect("a member");
    member.retry.failures = 5;
    tale.dead(N1);
    tale.look("n1 ended, for the sixth time in a row");
    tale.look("it is dead");
    tale.promoted(N2, 2);
    tale.look("n2 takes writes");
    let examined = pgherd_core::ha::Examined { end: HERE, lost_commits: Some(0) };
    tale.node(N1).examined = Some(examined);
    tale.look("n1 was examined");
    let last = tale.told.lines().rfind(|line| line.contains("clone"));
    assert_eq!(
        last,
        Some("  clone n1 from n2 (copy 1), keeping the old directory: n1: it left the primary's timeline"),
        "{}",
        tale.told
    );
}

#[test]
fn a_replica_follows_or_is_made_anew_when_it_is_ahead() {
    let mut tale = Tale::of(1, 2);
    tale.dead(N1);
    tale.look("n1 ended");
    tale.look("it is dead");
    tale.promoted(N2, 2);
    if let Some(Server::Standby(ahead)) = &mut tale.node(NodeId(4)).server {
        ahead.received = Lsn(HERE.0 + 4096);
    }
    tale.look("n2 takes writes; n4 has more than n2 had");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_switchover_loses_nothing_and_the_old_primary_follows_as_it_is() {
    let mut tale = Tale::of(1, 0);
    tale.view.request = Some(Request { id: 9, what: Ask::Switchover });
    tale.look("asked for");
    tale.look("the checkpoint is done");
    tale.route(Some(N1), &[N1], true);
    tale.look("clients are held back");
    tale.dead(N1);
    if let Data::Present(control) = &mut tale.node(N1).data {
        control.clean = true;
    }
    tale.look("n1 stopped and n2 has everything");
    tale.promoted(N2, 2);
    tale.route(None, &[], true);
    tale.look("n2 takes writes");
    insta::assert_snapshot!(tale.told);
}

/// The stop writes one, too, while clients wait.
#[test]
fn a_switchover_waits_for_its_checkpoint() {
    let mut tale = Tale::of(1, 0);
    tale.view.request = Some(Request { id: 9, what: Ask::Switchover });
    tale.after_ms(10);
    // As it is: a node is looked at a moment after the time of the view.
    tale.node(N1).seen_at += SignedDuration::from_millis(1);
    let (memory, _) = decide(&tale.view, &tale.memory);
    tale.memory = memory;
    tale.node(N1).task = Task::Busy;
    tale.look("the checkpoint is being written");
    assert_eq!(tale.told, "the checkpoint is being written\n");
}

#[test]
fn a_switchover_that_takes_too_long_is_called_off() {
    let mut tale = Tale::of(1, 0);
    tale.view.request = Some(Request { id: 9, what: Ask::Switchover });
    tale.look("asked for");
    tale.look("the checkpoint is done");
    tale.after_ms(5_000);
    tale.look("clients could not be held back for 5 s");
    tale.look("a moment later");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_setting_that_needs_a_restart_costs_one_switchover() {
    let mut tale = Tale::of(1, 0);
    tale.node(N1).pending = Pending::Restart;
    tale.node(N2).pending = Pending::Restart;
    tale.look("the window is closed");
    tale.view.wanted.window_open = true;
    tale.look("the window opens");
    tale.node(N1).names = Names::Nobody;
    tale.look("nobody waits for n2");
    tale.dead(N2);
    tale.look("n2 stopped");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn settings_that_get_lower_begin_with_the_primary() {
    let mut tale = Tale::of(1, 0);
    tale.node(N1).pending = Pending::Lowers;
    tale.node(N2).pending = Pending::Lowers;
    tale.view.wanted.window_open = true;
    tale.look("max_connections gets lower");
    tale.dead(N1);
    tale.look("n1 stopped");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn after_a_reboot_the_recorded_primary_starts() {
    let mut tale = Tale::of(1, 0);
    tale.dead(N1);
    tale.dead(N2);
    tale.look("nothing runs");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn after_a_reboot_with_an_old_record_the_newer_timeline_starts() {
    let mut tale = Tale::of(1, 0);
    tale.dead(N1);
    tale.dead(N2);
    tale.node(N2).data = Data::Unknown;
    tale.look("the directory of n2 cannot be seen");
    tale.node(N2).data = control(LastRole::Primary);
    if let Data::Present(control) = &mut tale.node(N2).data {
        control.timeline = 2;
    }
    tale.look("n2 ran as a primary on timeline 2");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn without_a_record_the_directories_tell_or_nothing_is_done() {
    let mut tale = Tale::of(1, 0);
    tale.memory = Memory::default();
    tale.dead(N1);
    tale.look("the record is gone, n1 is dead and n2 may be about to be promoted");
    tale.dead(N2);
    tale.look("both are dead");
    tale.memory = Memory::default();
    tale.node(N2).data = control(LastRole::Primary);
    tale.look("both ran as primaries on one timeline");
    tale.memory = Memory::default();
    tale.node(N1).data = Data::Absent;
    tale.node(N2).data = Data::Absent;
    tale.look("there is nothing at all");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn what_is_not_ours_is_left_alone_and_replaced() {
    let mut tale = Tale::of(1, 0);
    tale.dead(N2);
    tale.node(N2).data = Data::Foreign;
    tale.look("something else is in the directory of n2");
    tale.node(N1).names = Names::Nobody;
    tale.view.nodes.insert(N3, Node { process: Process::Dead, data: Data::Absent, ..Node::unknown(tale.view.now) });
    tale.look("n3 takes its place");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_replica_that_is_not_wanted_any_more_is_stopped_and_removed() {
    let mut tale = Tale::of(0, 2);
    tale.view.wanted.replicas = 1;
    tale.look("one replica is enough");
    tale.dead(N3);
    tale.after_ms(10);
    let old = tale.view.nodes[&N1].seen_at;
    tale.after_ms(10);
    tale.node(N1).seen_at = old;
    let (_, actions) = decide(&tale.view, &tale.memory);
    assert!(actions.iter().all(|action| !action.to_string().starts_with("remove")), "on old news: {actions:?}");
    tale.look("it stopped");
    tale.node(N3).data = Data::Absent;
    tale.look("its directory is removed");
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_primary_that_never_served_and_was_given_up_is_no_newer_one() {
    let mut tale = Tale::of(1, 1);
    tale.dead(N1);
    tale.look("n1 ended");
    tale.look("it is dead");
    tale.promoted(N2, 2);
    tale.node(N2).server = None;
    tale.view.request = Some(Request { id: 3, what: Ask::Failover { accept_loss: true } });
    tale.look("n2 was promoted, cannot be asked, and the user gives it up, too");
    tale.dead(N2);
    tale.look("n2 is dead");
    tale.look("n3 is being promoted");
    assert_eq!(tale.memory.primary, Some(N3));
    insta::assert_snapshot!(tale.told);
}

#[test]
fn names_that_somebody_else_changed_begin_the_rise_anew() {
    let mut tale = Tale::of(1, 0);
    tale.memory.promotable = None;
    tale.says(N1).senders.insert(N2, sender(true, Lsn(HERE.0 - 4096)));
    tale.node(N1).waits_for = Some(N2);
    tale.look("a commit was seen to wait, and n2 lacks a little");
    tale.node(N1).names = Names::Nobody;
    tale.node(N1).waits_for = None;
    tale.look("the names were emptied");
    tale.node(N1).names = Names::Node(N2);
    tale.says(N1).senders.insert(N2, sender(true, HERE));
    tale.look("they are set again, and n2 has what it lacked then");
    assert_eq!(tale.memory.promotable, None);
    insta::assert_snapshot!(tale.told);
}

#[test]
fn a_database_is_written_down_as_made_before_it_first_starts() {
    let mut tale = Tale::of(0, 0);
    tale.memory = Memory::default();
    tale.dead(N1);
    tale.node(N1).data = Data::Absent;
    tale.look("there is nothing");
    tale.node(N1).data = control(LastRole::Primary);
    tale.look("the database is made");
    let made = tale.memory.clone();
    tale.look("it is started");
    tale.memory = made;
    tale.node(N1).data = Data::Absent;
    tale.look("the ledger is one write old and the disk is not mounted");
    insta::assert_snapshot!(tale.told);
}
