//! The world: machines, clients, a daemon with a ledger, and what must always be true.

use std::collections::BTreeMap;

use pgherd_core::ha::{
    Ask, CommitLevel, Control, Data, Lsn, Memory, Names, Node, NodeId, Primary, Probe, Process, Request, Route, Sender,
    Server, Slot, Standby, SyncMode, Task, View, Wanted,
};

use crate::chance::Chance;
use crate::defects::Defect;
use crate::servers::{Dir, Machine, Place, RECORD_BYTES, Record, Waiting};

const EPOCH_MS: i64 = 1_800_000_000_000;

#[derive(Clone, Copy)]
pub struct Acknowledged {
    pub record: Record,
    pub excused: bool,
}

#[derive(Clone)]
pub struct World {
    pub seed: u64,
    pub chance: Chance,
    pub now: i64,
    pub machines: BTreeMap<NodeId, Machine>,
    /// Every memory that was written; the last is what the disk has.
    pub ledger: Vec<Memory>,
    /// The running daemon's; `None` while there is none.
    pub daemon: Option<Memory>,
    pub daemon_back_at: i64,
    pub late: Vec<(i64, pgherd_core::ha::Action)>,
    pub wanted: Wanted,
    pub request: Option<Request>,
    pub last_request: u64,
    pub route: Route,
    pub route_unseen_until: i64,
    pub last_record: Record,
    pub last_start: u64,
    pub acknowledged: Vec<Acknowledged>,
    /// Who last became able to write.
    pub owner: Option<NodeId>,
    pub made: bool,
    pub ledger_lost: bool,
    /// How many records a standby receives at most in a while.
    pub batch: i64,
    /// When each node was started, to see whether that is too often.
    pub started: BTreeMap<NodeId, Vec<i64>>,
    pub late_now: bool,
    /// When the primary is to be killed, at a moment that hurts.
    pub strike_at: Option<i64>,
    pub accepts_loss: bool,
    pub loss_used: bool,
    pub strictly_required: bool,
    pub stopped_since: Option<i64>,
    pub window_ever_open: bool,
    pub actions: u32,
    pub starts: u32,
    pub disturbances: u32,
    pub story: Vec<String>,
    pub listened: bool,
    pub violation: Option<String>,
    pub defect: Option<Defect>,
}

impl World {
    pub fn new(seed: u64, defect: Option<Defect>, listened: bool) -> Self {
        let mut chance = Chance::new(seed);
        let standbys = chance.pick(&[0, 1, 1, 1, 1, 2]).expect("a list");
        let required = chance.percent(25) && standbys > 0;
        let wanted = Wanted {
            standbys,
            replicas: chance.pick(&[0, 0, 1, 2]).expect("a list"),
            sync: if required { SyncMode::Required } else { SyncMode::Preferred },
            commit: if chance.percent(4) { CommitLevel::Local } else { CommitLevel::On },
            ..Wanted::default()
        };
        let strictly_required = required && wanted.commit == CommitLevel::On && chance.percent(50);
        let batch = chance.pick(&[3, 6]).expect("a list");
        let machines = [(NodeId(1), Machine::new())].into();
        Self {
            seed,
            chance,
            now: 0,
            machines,
            ledger: vec![Memory::default()],
            daemon: Some(Memory::default()),
            daemon_back_at: 0,
            late: Vec::new(),
            wanted,
            request: None,
            last_request: 0,
            route: Route::default(),
            route_unseen_until: 0,
            last_record: 0,
            last_start: 0,
            acknowledged: Vec::new(),
            owner: None,
            made: false,
            ledger_lost: false,
            batch,
            started: BTreeMap::new(),
            late_now: false,
            strike_at: None,
            accepts_loss: false,
            loss_used: false,
            strictly_required,
            stopped_since: None,
            window_ever_open: false,
            actions: 0,
            starts: 0,
            disturbances: 0,
            story: Vec::new(),
            listened,
            violation: None,
            defect,
        }
    }

    /// Adds a line to the story, when somebody listens.
    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        if !self.listened {
            return;
        }
        let line = format!("{:>7} ms  {}", self.now, what());
        self.story.push(line);
    }

    pub fn violate(&mut self, what: String) {
        if self.violation.is_none() {
            self.tell(|| format!("VIOLATION {what}"));
            self.violation = Some(what);
        }
    }

    pub fn machine(&mut self, id: NodeId) -> &mut Machine {
        self.machines.entry(id).or_insert_with(Machine::new)
    }

    pub fn new_record(&mut self) -> Record {
        self.last_record += 1;
        self.last_record
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: i64) {
        self.now += ms;
        let ids: Vec<NodeId> = self.machines.keys().copied().collect();
        for id in &ids {
            self.grow_up(*id);
            self.finish_work(*id);
        }
        for id in &ids {
            self.commit(*id);
            self.orphans_commit(*id);
        }
        for id in &ids {
            self.stream(*id);
        }
        for id in &ids {
            self.forget_gone_sender(*id);
            self.acknowledge(*id);
        }
        self.do_late();
    }

    /// Recovery, promotion and stopping come to their end.
    fn grow_up(&mut self, id: NodeId) {
        let now = self.now;
        let machine = self.machine(id);
        if machine.frozen {
            // The hands end what does not stop.
            if machine.postmaster.as_ref().and_then(|pm| pm.stops_at).is_some_and(|at| at + 5_000 <= now) {
                machine.end();
            }
            return;
        }
        if machine.names_reach_commits_at <= now {
            machine.commits_wait = machine.names_file.is_some();
        }
        let Some(pm) = machine.postmaster.clone() else { return };
        if pm.stops_at.is_some_and(|at| at <= now) {
            return self.stopped(id);
        }
        if pm.promoted_at.is_some_and(|at| at <= now && pm.ready_at <= now) {
            return self.promoted(id);
        }
        if pm.primary && pm.ready_at <= now && self.owner != Some(id) {
            self.becomes_writer(id);
        }
    }

    /// A fast stop: a last record, which every connected standby gets.
    fn stopped(&mut self, id: NodeId) {
        let record = self.new_record();
        let full = !self.chance.percent(10);
        let machine = self.machine(id);
        let primary = machine.postmaster.as_ref().is_some_and(|pm| pm.primary);
        machine.end();
        let Some(dir) = machine.dir_mut() else { return };
        dir.clean = true;
        if !primary {
            return;
        }
        dir.log.push(record);
        let dir = dir.clone();
        let followers: Vec<NodeId> =
            self.machines.iter().filter(|(_, m)| m.follows == Some(id) && m.streams).map(|(id, _)| *id).collect();
        for follower in followers.into_iter().filter(|_| full) {
            let standby = self.machine(follower);
            if let Some(copy) = standby.dir_mut().filter(|copy| copy.begins(&dir)) {
                copy.log.clone_from(&dir.log);
            }
        }
    }

    fn promoted(&mut self, id: NodeId) {
        let record = self.new_record();
        let machine = self.machine(id);
        if let Some(pm) = &mut machine.postmaster {
            pm.promoted_at = None;
            pm.primary = true;
        }
        let above = machine.postmaster.as_ref().map_or(0, |pm| pm.above);
        machine.streams = false;
        if let Some(dir) = machine.dir_mut() {
            dir.timeline = dir.timeline.max(above) + 1;
            let fork = dir.log.len();
            dir.forks.insert(dir.timeline, fork);
            dir.log.push(record);
            dir.ran_as_standby = false;
            dir.clean = false;
        }
        self.becomes_writer(id);
    }

    /// From here on only this one may acknowledge anything.
    fn becomes_writer(&mut self, id: NodeId) {
        self.tell(|| format!("{id} takes writes"));
        let others: Vec<NodeId> =
            self.machines.iter().filter(|(other, m)| **other != id && m.may_write()).map(|(other, _)| *other).collect();
        if let Some(other) = others.first() {
            self.violate(format!("{id} takes writes while {other} may"));
        }
        self.owner = Some(id);
        let accepts_loss = self.accepts_loss;
        // Once asked for and answered it is used up; until the answer it may be carried out again.
        self.accepts_loss &= self.request.is_some();
        self.loss_used |= accepts_loss;
        let Some(dir) = self.machines[&id].dir() else { return };
        let mut missing = Vec::new();
        for (index, ack) in self.acknowledged.iter().enumerate() {
            if !ack.excused && !dir.holds(ack.record) {
                missing.push(index);
            }
        }
        if let Some(first) = missing.first().filter(|_| !accepts_loss) {
            let record = self.acknowledged[*first].record;
            self.violate(format!(
                "{id} takes writes and lacks {} acknowledged commits, the first is {record}",
                missing.len()
            ));
        }
        for index in missing {
            self.acknowledged[index].excused = true;
        }
    }

    fn commit(&mut self, id: NodeId) {
        if !self.machines[&id].writes(self.now) {
            return;
        }
        for _ in 0..self.chance.between(0, 2) {
            let record = self.new_record();
            let machine = self.machine(id);
            if let Some(dir) = machine.dir_mut() {
                dir.log.push(record);
                dir.clean = false;
                let position = dir.log.len();
                machine.waiting.push(Waiting { record, position });
            }
        }
        let now = self.now;
        self.machine(id).probe_answered_at = now;
    }

    /// A backend that outlived its postmaster finishes its statement and answers its client, unless it has to wait.
    fn orphans_commit(&mut self, id: NodeId) {
        let now = self.now;
        let due = self.machine(id).orphans.iter().filter(|at| **at <= now).count();
        self.machine(id).orphans.retain(|at| *at > now);
        for _ in 0..due {
            let record = self.new_record();
            let waits = self.machines[&id].commits_wait;
            if let Some(dir) = self.machine(id).dir_mut() {
                dir.log.push(record);
            }
            if !waits {
                self.tell(|| format!("an orphaned backend of {id} answers its client"));
                self.answer_client(id, record);
            }
        }
    }

    fn stream(&mut self, id: NodeId) {
        let now = self.now;
        let batch = usize::try_from(self.chance.between(0, self.batch)).expect("small");
        let machine = &self.machines[&id];
        let receives = machine.postmaster.as_ref().is_some_and(|pm| !pm.primary && pm.ready_at <= now)
            && !machine.frozen
            && machine.cut_until <= now;
        let source = machine.follows.filter(|_| receives).and_then(|from| {
            let source = self.machines.get(&from).filter(|source| source.writes(now) && source.slots.contains(&id))?;
            let (ours, theirs) = (machine.dir()?, source.dir()?);
            let possible = !source.lost_slots.contains(&id) && ours.begins(theirs) && ours.timeline <= theirs.timeline;
            let until = (ours.log.len() + batch).min(theirs.log.len());
            possible.then(|| (theirs.log[ours.log.len()..until].to_vec(), theirs.forks.clone()))
        });
        let full_disk = self.machines[&id].disk != Disk::Well;
        let machine = self.machine(id);
        machine.streams = source.is_some() && !full_disk;
        if let (Some((records, forks)), Some(dir)) = (source.filter(|_| !full_disk), machine.dir_mut()) {
            dir.log.extend(records);
            if let Some((timeline, _)) = forks.iter().rev().find(|(_, fork)| dir.log.len() > **fork) {
                dir.timeline = *timeline;
                dir.forks = forks;
            }
        }
    }

    /// A WAL sender that begins anew reads the names as they are then.
    fn forget_gone_sender(&mut self, id: NodeId) {
        let last = self.machines[&id].last_sender;
        if last.is_some_and(|standby| self.held_by(id, standby).is_none()) {
            self.machine(id).last_sender = None;
        }
    }

    fn acknowledge(&mut self, id: NodeId) {
        let machine = &self.machines[&id];
        if !machine.writes(self.now) || machine.waiting.is_empty() {
            return;
        }
        let now = self.now;
        let counting = self.machines.keys().filter(|standby| machine.counts(**standby, now));
        let held = match machine.commits_wait {
            false => usize::MAX,
            true => counting.filter_map(|standby| self.held_by(id, *standby)).max().unwrap_or(0),
        };
        let waiting = std::mem::take(&mut self.machine(id).waiting);
        for wait in waiting {
            match wait.position <= held {
                true => self.answer_client(id, wait.record),
                false => self.machine(id).waiting.push(wait),
            }
        }
    }

    /// How much of `id`'s log a standby that streams from it has.
    fn held_by(&self, id: NodeId, standby: NodeId) -> Option<usize> {
        let machine = self.machines.get(&standby).filter(|machine| machine.streams && machine.follows == Some(id))?;
        machine.dir().map(|dir| dir.log.len())
    }

    fn answer_client(&mut self, id: NodeId, record: Record) {
        if self.owner != Some(id) {
            let owner = self.owner;
            self.violate(format!("{id} acknowledges commit {record} after {owner:?} took over"));
        }
        if self.strictly_required && !self.machines[&id].commits_wait {
            self.violate(format!("{id} acknowledges commit {record} without a standby although one is required"));
        }
        self.acknowledged.push(Acknowledged { record, excused: false });
    }

    fn finish_work(&mut self, id: NodeId) {
        let Some(work) = self.machines[&id].work.clone().filter(|work| work.done_at <= self.now) else { return };
        let now = self.now;
        let is_new = self.is_new();
        let source = self.machines.get(&work.from).filter(|source| is_new || source.writes(now));
        let source = source.and_then(Machine::dir).cloned();
        self.machine(id).work = None;
        let Some(source) = source.filter(|_| !work.fails) else {
            self.tell(|| format!("copy {} of {id} fails", work.serial));
            self.machine(id).failed_work = Some(work.serial);
            return;
        };
        let machine = self.machine(id);
        let old = machine.dir().is_some();
        let copy = Dir { made_by: Some(work.serial), torn: false, ran_as_standby: true, clean: true, ..source };
        machine.place = Place::Data(copy);
        machine.evidence |= old && !work.rewind;
        machine.slots.clear();
        self.check_nothing_is_gone(&format!("copy {} of {id}", work.serial));
    }

    /// Nobody has used the database, nor written down that somebody might have.
    fn is_new(&self) -> bool {
        self.last_record <= 1 && !self.ledger_lost
    }

    /// After a directory was replaced or removed every acknowledged commit must still be somewhere.
    pub fn check_nothing_is_gone(&mut self, what: &str) {
        let dirs: Vec<&Dir> = self.machines.values().filter_map(Machine::dir).collect();
        let gone = self.acknowledged.iter().find(|ack| !ack.excused && !dirs.iter().any(|dir| dir.holds(ack.record)));
        if let Some(record) = gone.map(|ack| ack.record) {
            self.violate(format!("{what} destroyed the last copy of acknowledged commit {record}"));
        }
    }

    fn do_late(&mut self) {
        let now = self.now;
        let (due, rest) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = rest;
        let due: Vec<(i64, pgherd_core::ha::Action)> = due;
        for (_, action) in due {
            self.tell(|| format!("late: {action}"));
            self.late_now = true;
            self.perform(&action);
            self.late_now = false;
        }
    }

    pub fn timestamp(&self, ms: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(EPOCH_MS + ms).expect("a time")
    }

    /// What the daemon sees.
    pub fn look(&mut self, memory: &Memory) -> View {
        self.now += 1;
        let now = self.timestamp(self.now);
        for id in memory.members.keys() {
            self.machine(*id);
        }
        let ids: Vec<NodeId> = self.machines.keys().copied().collect();
        let mut nodes = BTreeMap::new();
        for id in ids {
            let known = memory.members.contains_key(&id) || !matches!(self.machines[&id].place, Place::Absent);
            if known || memory.members.is_empty() {
                nodes.insert(id, self.look_at(id));
            }
        }
        let route = (self.route_unseen_until <= self.now).then(|| self.route.clone());
        let wanted = Wanted { is_new: self.is_new(), ..self.wanted.clone() };
        View { now, wanted, request: self.request, nodes, route }
    }

    fn look_at(&mut self, id: NodeId) -> Node {
        let now = self.now;
        if self.machines[&id].unseen_until > now {
            return Node::unknown(self.timestamp(now));
        }
        if let Some(seen) = self.machines[&id].last_seen.clone().filter(|_| self.machines[&id].stale_until > now) {
            return seen;
        }
        let mut node = self.see(id);
        if self.machines[&id].half_seen_until > now {
            node.server = None;
            node.names = Names::Unknown;
        }
        node
    }

    pub fn see(&self, id: NodeId) -> Node {
        let machine = &self.machines[&id];
        let answers = machine.ready(self.now) && !machine.frozen;
        let silent_ms = u32::try_from((self.now - machine.probe_answered_at).max(0)).expect("small");
        let recorded = self.daemon.as_ref().is_some_and(|memory| memory.primary == Some(id));
        let writer = machine.postmaster.as_ref().is_some_and(|pm| pm.primary || recorded);
        Node {
            seen_at: self.timestamp(self.now),
            process: self.process(machine),
            data: match &machine.place {
                Place::Absent => Data::Absent,
                Place::Foreign => Data::Foreign,
                Place::Data(dir) => Data::Present(control(dir)),
            },
            server: answers.then(|| self.server(id, machine)).flatten(),
            probe: match (writer, machine.ready(self.now), machine.frozen) {
                (false, _, _) => Probe::Unknown,
                (true, true, false) => Probe::Answered,
                (true, true, true) => Probe::Waiting { for_ms: silent_ms },
                (true, false, _) => Probe::Refused { for_ms: silent_ms },
            },
            names: match machine.names_file {
                Some(node) => Names::Node(node),
                None => Names::Nobody,
            },
            waits_for: machine.waits_for,
            pending: machine.pending,
            disk: machine.disk,
            task: match (&machine.work, machine.failed_work) {
                (Some(_), _) => Task::Busy,
                (None, _) if machine.checkpoint_until > self.now => Task::Busy,
                (None, Some(serial)) => Task::Failed { serial, why: "no space".to_owned() },
                (None, None) => Task::Idle,
            },
            evidence: Some(machine.evidence),
            examined: machine.examined,
        }
    }

    fn process(&self, machine: &Machine) -> Process {
        match &machine.postmaster {
            Some(pm) => {
                Process::Running { start: pm.start, since: self.timestamp(pm.since), ready: machine.ready(self.now) }
            }
            None if machine.orphans.is_empty() => Process::Dead,
            None => Process::Orphans,
        }
    }

    fn server(&self, id: NodeId, machine: &Machine) -> Option<Server> {
        let dir = machine.dir()?;
        let lsn = lsn(dir.log.len());
        if machine.postmaster.as_ref()?.primary {
            return Some(Server::Primary(Primary {
                timeline: dir.timeline,
                lsn,
                fork: dir.forks.get(&dir.timeline).map(|fork| self::lsn(*fork)),
                senders: self.senders(id, machine, dir),
                slots: machine.slots.iter().map(|id| (*id, slot(machine, *id))).collect(),
            }));
        }
        Some(Server::Standby(Standby {
            timeline: dir.timeline,
            received: lsn,
            flushed: lsn,
            replayed: lsn,
            follows: machine.follows,
            streaming: machine.streams,
            slots: machine.slots.clone(),
        }))
    }

    fn senders(&self, id: NodeId, machine: &Machine, dir: &Dir) -> BTreeMap<NodeId, Sender> {
        let connected = self.machines.iter().filter(|(_, other)| other.follows == Some(id) && other.streams);
        connected
            .filter_map(|(other, standby)| {
                let held = standby.dir()?.log.len();
                let streaming = dir.log.len() - held.min(dir.log.len()) < 40;
                let counts = machine.counts(*other, self.now);
                Some((*other, Sender { sync: counts && streaming, counts, streaming, held: lsn(held) }))
            })
            .collect()
    }

    pub fn ask(&mut self, what: Ask) {
        self.last_request += 1;
        self.request = Some(Request { id: self.last_request, what });
    }
}

use pgherd_core::ha::Disk;

fn lsn(records: usize) -> Lsn {
    Lsn(u64::try_from(records).expect("small") * RECORD_BYTES)
}

fn slot(machine: &Machine, id: NodeId) -> Slot {
    if machine.lost_slots.contains(&id) { Slot::Lost } else { Slot::Well }
}

fn control(dir: &Dir) -> Control {
    Control {
        system_id: dir.system_id,
        timeline: dir.timeline,
        last_role: dir.last_role(),
        clean: dir.clean,
        end: Some(lsn(dir.log.len())),
        made_by: dir.made_by,
        torn: dir.torn,
        mib: Some(dir.mib),
    }
}
