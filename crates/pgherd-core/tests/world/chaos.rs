//! Everything that goes wrong, everything a user does, and the calm after it in which all must become well.

use pgherd_core::ha::{Ask, Copy, Disk, Duty, Memory, NodeId, Pending};

use crate::defects::Defect;
use crate::servers::{Dir, Machine, Place, SYSTEM_ID};
use crate::world::World;

/// Turns of the daemon while things go wrong.
const TURNS: u32 = 110;
/// Turns in which all must have become well afterwards; backoffs are up to a minute.
const CALM_TURNS: u32 = 400;
/// Turns without an action after which nothing is expected any more.
const QUIET_TURNS: u32 = 6;

/// Plays one world to its end; the story of what broke, if anything did.
pub fn play(seed: u64, defect: Option<Defect>) -> Result<(), String> {
    // Telling takes longer than playing, so a story is only told when it is wanted.
    let world = played(seed, defect, false);
    if world.violation.is_none() { Ok(()) } else { Err(played(seed, defect, true).report()) }
}

/// Whether something broke.
pub fn breaks(seed: u64, defect: Defect) -> bool {
    played(seed, Some(defect), false).violation.is_some()
}

/// Has the daemon die after each action of each plan of a world, and all become well afterwards. How many there were.
pub fn cut_short(seed: u64) -> usize {
    let mut world = World::new(seed, None, true);
    let mut cuts = 0;
    world.rise();
    for _ in 0..TURNS / 2 {
        world.disturb();
        let wait = world.wait();
        world.pass(wait);
        for done in 0..world.clone().plan().len() {
            let mut cut = world.clone();
            cut.do_some(done);
            cut.kill_daemon();
            cut.calm_down();
            assert_eq!(cut.violation, None, "{}", cut.report());
            cuts += 1;
        }
        world.turn(false);
    }
    cuts
}

/// Plays one world to its end.
pub fn played(seed: u64, defect: Option<Defect>, listened: bool) -> World {
    let mut world = World::new(seed, defect, listened);
    world.rise();
    for _ in 0..TURNS {
        world.disturb();
        let wait = world.wait();
        world.pass(wait);
        world.turn(false);
        if world.violation.is_some() {
            return world;
        }
    }
    world.calm_down();
    world
}

impl World {
    /// What happened, the last of it first of all what broke.
    fn report(&self) -> String {
        let from = self.story.len().saturating_sub(60);
        let what = self.violation.as_deref().unwrap_or_default();
        let memory = self.daemon.as_ref().map(|memory| serde_json::to_string(memory).expect("plain data"));
        let (seed, wanted, story) = (self.seed, &self.wanted, self.story[from..].join("\n"));
        format!("seed {seed}: {what}\n  wanted {wanted:?}\n{story}\n  remembered {}", memory.unwrap_or_default())
    }

    /// A new instance, mostly undisturbed until it serves.
    fn rise(&mut self) {
        for _ in 0..self.chance.between(0, 40) {
            self.turn(true);
            self.pass(60);
        }
    }

    fn wait(&mut self) -> i64 {
        match self.chance.between(0, 99) {
            0..=79 => self.chance.between(3, 60),
            80..=95 => self.chance.between(100, 900),
            _ => self.chance.between(1_000, 8_000),
        }
    }

    fn some_node(&mut self) -> Option<NodeId> {
        let ids: Vec<NodeId> = self.machines.keys().copied().collect();
        match self.chance.percent(50) {
            true => self.owner,
            false => self.chance.pick(&ids),
        }
    }

    fn disturb(&mut self) {
        if let (Some(owner), Some(_)) = (self.owner, self.strike_at.filter(|at| *at <= self.now)) {
            self.strike_at = None;
            return self.crash(owner);
        }
        if !self.chance.percent(14) {
            return;
        }
        self.disturbances += 1;
        let Some(id) = self.some_node() else { return };
        let until = self.now + self.chance.between(50, 6_000);
        match self.chance.between(0, 99) {
            0..=15 => self.crash(id),
            16..=21 => self.kill_all(id),
            22..=27 => self.freeze(id),
            28..=30 => self.thaw(id),
            31..=36 => {
                self.tell(|| format!("{id} receives nothing for a while"));
                self.machine(id).cut_until = until;
            }
            37..=41 => self.machine(id).unseen_until = until,
            42..=45 => self.machine(id).half_seen_until = until,
            46..=50 => {
                let seen = self.see(id);
                self.machine(id).last_seen = Some(seen);
                self.machine(id).stale_until = until;
            }
            51..=57 => self.lose_daemon(),
            58..=60 => self.lose_directory(id),
            61..=62 => self.foreign_directory(id),
            63..=65 => {
                self.tell(|| format!("the disk of {id} is full or not"));
                let full = self.machine(id).disk == Disk::Well;
                self.machine(id).disk = if full { Disk::Full } else { Disk::Well };
            }
            66..=68 => self.reboot(),
            69..=71 => self.machine(id).slow ^= true,
            72..=73 => self.route_unseen_until = until,
            74..=75 => self.lose_slot(id),
            76..=81 => self.user_asks(id),
            82..=87 => self.user_wants(),
            88..=92 => self.settings_wait(id),
            _ => self.crash_pair(),
        }
    }

    fn crash(&mut self, id: NodeId) {
        if self.machines[&id].postmaster.is_none() {
            return;
        }
        let now = self.now;
        let count = if self.machines[&id].writes(now) { self.chance.between(0, 2) } else { 0 };
        let orphans: Vec<i64> = (0..count).map(|_| now + self.chance.between(20, 4_000)).collect();
        self.tell(|| format!("the postmaster of {id} is killed, {} backends go on", orphans.len()));
        let machine = self.machine(id);
        machine.end();
        machine.orphans = orphans;
        if self.chance.percent(15) {
            let seen = self.see(id);
            let until = now + self.chance.between(50, 3_000);
            let machine = self.machine(id);
            machine.last_seen = Some(seen);
            machine.stale_until = until;
        }
    }

    fn kill_all(&mut self, id: NodeId) {
        self.tell(|| format!("every process of {id} is killed"));
        self.machine(id).end();
    }

    fn freeze(&mut self, id: NodeId) {
        if self.machines[&id].postmaster.is_some() {
            self.tell(|| format!("{id} is frozen"));
            self.machine(id).frozen = true;
        }
    }

    fn thaw(&mut self, id: NodeId) {
        self.tell(|| format!("{id} wakes if it was frozen"));
        self.machine(id).frozen = false;
    }

    fn crash_pair(&mut self) {
        let ids: Vec<NodeId> = self.machines.keys().copied().collect();
        if let (Some(one), Some(other)) = (self.owner, self.chance.pick(&ids)) {
            self.crash(other);
            self.crash(one);
            if self.chance.percent(40) && self.daemon.is_some() {
                self.kill_daemon();
            }
        }
    }

    /// The daemon ends; sometimes the disk gives back the ledger as it was one write ago, and rarely it is gone.
    fn lose_daemon(&mut self) {
        if self.daemon.is_none() {
            return;
        }
        self.kill_daemon();
        let whole = self.machines.values().any(|machine| machine.dir().is_some_and(|dir| dir.system_id == SYSTEM_ID));
        if self.chance.percent(25) && self.ledger.len() > 2 && self.made && whole {
            self.tell(|| "and the disk gives back the ledger of one write ago".to_owned());
            self.ledger.pop();
        } else if self.chance.percent(6) && whole {
            self.tell(|| "and the ledger is gone".to_owned());
            self.ledger = vec![Memory::default()];
            self.ledger_lost = true;
        }
    }

    fn reboot(&mut self) {
        self.tell(|| "the machine reboots".to_owned());
        for machine in self.machines.values_mut() {
            machine.end();
            machine.work = None;
        }
        self.late.clear();
        if self.daemon.is_some() {
            self.kill_daemon();
        }
    }

    fn lose_directory(&mut self, id: NodeId) {
        if self.chance.percent(60) || self.machines[&id].dir().is_none() {
            return;
        }
        self.tell(|| format!("the directory of {id} is lost"));
        self.replace(id, Place::Absent);
    }

    fn foreign_directory(&mut self, id: NodeId) {
        if self.chance.percent(60) || self.machines[&id].dir().is_none() {
            return;
        }
        self.tell(|| format!("the directory of {id} is another's"));
        let other = Dir { system_id: 99, log: vec![1], timeline: 5, clean: true, ..Dir::default() };
        let place = if self.chance.percent(50) { Place::Foreign } else { Place::Data(other) };
        self.replace(id, place);
    }

    /// What was acknowledged and is nowhere any more was destroyed by the world, not by the brain.
    fn replace(&mut self, id: NodeId, place: Place) {
        let machine = self.machine(id);
        machine.end();
        machine.work = None;
        machine.place = place;
        let dirs: Vec<&Dir> = self.machines.values().filter_map(Machine::dir).collect();
        for ack in &mut self.acknowledged {
            ack.excused |= !dirs.iter().any(|dir| dir.holds(ack.record));
        }
    }

    fn lose_slot(&mut self, id: NodeId) {
        if let Some(owner) = self.owner.filter(|owner| *owner != id) {
            self.tell(|| format!("the slot of {id} is lost"));
            self.machine(owner).lost_slots.insert(id);
        }
    }

    fn user_asks(&mut self, id: NodeId) {
        if self.request.is_some() {
            return;
        }
        let what = match self.chance.between(0, 9) {
            0..=4 => Ask::Switchover,
            5 => Ask::Failover { accept_loss: false },
            6 => Ask::Failover { accept_loss: true },
            7 => Ask::Restart { only_pending: false },
            8 => Ask::Restart { only_pending: true },
            _ => Ask::Release { node: id },
        };
        if what == (Ask::Failover { accept_loss: true }) {
            self.accepts_loss = true;
            self.loss_used = false;
        }
        self.tell(|| format!("the user asks for {what:?}"));
        self.ask(what);
    }

    fn user_wants(&mut self) {
        match self.chance.between(0, 3) {
            0 if !self.strictly_required => {
                self.wanted.standbys = u8::try_from(self.chance.between(0, 2)).expect("small");
            }
            0 | 1 => self.wanted.replicas = u8::try_from(self.chance.between(0, 2)).expect("small"),
            _ => {
                self.wanted.serve ^= true;
                self.stopped_since = (!self.wanted.serve).then_some(self.now);
            }
        }
        let (serve, standbys, replicas) = (self.wanted.serve, self.wanted.standbys, self.wanted.replicas);
        self.tell(|| format!("the user wants serve {serve}, {standbys} standbys, {replicas} replicas"));
    }

    fn settings_wait(&mut self, id: NodeId) {
        let pending = if self.chance.percent(80) { Pending::Restart } else { Pending::Lowers };
        self.tell(|| format!("settings of {id} wait for a restart"));
        self.machine(id).pending = pending;
        if self.chance.percent(50) {
            self.wanted.window_open ^= true;
            self.window_ever_open |= self.wanted.window_open;
        }
    }

    /// Nothing goes wrong any more; what is broken stays so until the brain has dealt with it. All must become well.
    fn calm_down(&mut self) {
        self.tell(|| "from here on nothing goes wrong".to_owned());
        self.late.clear();
        self.strike_at = None;
        self.wanted.serve = true;
        self.stopped_since = None;
        self.route_unseen_until = 0;
        self.daemon_back_at = self.now;
        for machine in self.machines.values_mut() {
            (machine.unseen_until, machine.half_seen_until, machine.stale_until) = (0, 0, 0);
            machine.disk = Disk::Well;
            machine.slow = false;
            machine.cut_until = 0;
        }
        let (actions_before, starts_before) = (self.actions, self.starts);
        let mut quiet = 0;
        let mut wait = 20;
        for turn in 0..CALM_TURNS {
            self.pass(wait);
            let acted = self.turn(true) > 0;
            wait = if acted { 20 } else { (wait * 3 / 2).min(1_000) };
            quiet = if acted || self.why_not_whole().is_some() { 0 } else { quiet + 1 };
            if quiet >= QUIET_TURNS || self.violation.is_some() {
                break;
            }
            if turn % 40 == 39 && !self.user_helps() {
                return;
            }
        }
        if let Some(why) = self.why_not_whole() {
            return self.violate(format!("it does not become well: {why}"));
        }
        if quiet < QUIET_TURNS {
            return self.violate("it does not come to rest".to_owned());
        }
        self.check_restless(actions_before, starts_before);
        self.check_survivors();
    }

    /// What a user does when the instance says that it needs one. `false`: everything is lost, and rightly nothing is done.
    fn user_helps(&mut self) -> bool {
        let Some(memory) = self.daemon.clone() else { return true };
        let ours = |machine: &Machine| machine.dir().is_some_and(|dir| dir.system_id == SYSTEM_ID && !dir.torn);
        if !self.machines.values().any(ours) {
            return !self.made;
        }
        if memory.refused.is_some() {
            let foreign: Vec<NodeId> =
                self.machines.iter().filter(|(_, m)| !ours(m) && m.dir().is_some()).map(|(id, _)| *id).collect();
            for id in foreign.into_iter().filter(|_| memory.primary.is_none()) {
                self.tell(|| format!("the user takes the directory of {id} away"));
                self.machine(id).place = Place::Absent;
            }
            if self.request.is_none() {
                self.tell(|| "the user accepts the loss".to_owned());
                self.accepts_loss = true;
                self.loss_used = false;
                self.ask(Ask::Failover { accept_loss: true });
            }
        }
        true
    }

    fn why_not_whole(&self) -> Option<String> {
        let memory = self.daemon.as_ref()?;
        let Some(owner) = self.owner else { return Some("nobody ever served".to_owned()) };
        let primary = &self.machines[&owner];
        if !primary.writes(self.now) || memory.primary != Some(owner) {
            return Some(format!("{owner} takes no writes"));
        }
        if self.route.write != Some(owner) || self.route.paused {
            return Some(format!("the endpoint leads to {:?}", self.route));
        }
        if memory.fence.is_some() || memory.switchover.is_some() || memory.wave.is_some() {
            return Some(format!(
                "fence {:?}, switchover {:?}, wave {:?}",
                memory.fence, memory.switchover, memory.wave
            ));
        }
        let others: Vec<NodeId> =
            memory.members.keys().copied().filter(|id| !memory.quarantine.contains_key(id)).collect();
        for duty in [Duty::Pair, Duty::Replica] {
            let wanted = usize::from(match duty {
                Duty::Pair => self.wanted.standbys + 1,
                Duty::Replica => self.wanted.replicas,
            });
            let count = others.iter().filter(|id| memory.members[id].duty == duty).count();
            if count != wanted {
                return Some(format!("{count} nodes for {duty:?} instead of {wanted}"));
            }
        }
        for id in others.iter().filter(|id| **id != owner) {
            let Some(machine) = self.machines.get(id) else { return Some(format!("{id} was never looked at")) };
            if !machine.streams || machine.follows != Some(owner) || memory.members[id].copy != Copy::Good {
                return Some(format!("{id} does not stream: {:?}", memory.members[id]));
            }
            if !machine.slots.is_empty() {
                return Some(format!("{id} keeps slots"));
            }
            if machine.evidence {
                return Some(format!("old directory of {id} is kept for ever"));
            }
        }
        if primary.slots != others.iter().copied().filter(|id| *id != owner).collect() {
            return Some(format!("slots for {:?}", primary.slots));
        }
        let sync = self.wanted.synchronous();
        if sync != memory.promotable.is_some()
            || memory.promotable != primary.names_file.filter(|_| primary.commits_wait)
        {
            return Some(format!(
                "{:?} is promotable and commits wait for {:?}",
                memory.promotable, primary.names_file
            ));
        }
        (primary.waiting.len() > 60).then(|| "commits are not acknowledged".to_owned())
    }

    fn check_restless(&mut self, actions_before: u32, starts_before: u32) {
        let (calm, starts) = (self.actions - actions_before, self.starts - starts_before);
        if calm > 120 || starts > 40 {
            self.violate(format!("{calm} actions and {starts} starts until all was well"));
        }
        let allowed = 150 + 30 * self.disturbances;
        if actions_before > allowed {
            self.violate(format!("{actions_before} actions for {} disturbances", self.disturbances));
        }
    }

    fn check_survivors(&mut self) {
        let Some(dir) = self.owner.and_then(|owner| self.machines[&owner].dir()) else { return };
        let lost = self.acknowledged.iter().find(|ack| !ack.excused && !dir.holds(ack.record)).map(|ack| ack.record);
        if let Some(record) = lost {
            self.violate(format!("acknowledged commit {record} did not survive"));
        }
    }
}
