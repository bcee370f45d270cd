//! What the hands do, as they are bound to by `pgherd_core::ha`, and the daemon's loop.

use pgherd_core::ha::{Action, Examined, LastRole, Lsn, Memory, NodeId, Outcome, Role, Verb};

use crate::defects::Defect;
use crate::servers::{Dir, Machine, Place, Postmaster, RECORD_BYTES, SYSTEM_ID, Work};
use crate::world::World;

/// A node that fails at once is started this often in 10 s at most: 0, 1, 2, 4 s apart, and some for other reasons.
const STARTS_IN_10_S: usize = 9;

impl World {
    /// One turn of the daemon: look, decide, write down, act. `calm`: nothing goes wrong on the way. How much was done.
    pub fn turn(&mut self, calm: bool) -> u32 {
        let Some(memory) = self.daemon.clone() else {
            if self.daemon_back_at <= self.now {
                self.start_daemon();
            }
            return 0;
        };
        let view = self.look(&memory);
        let (next, actions) = match self.defect {
            None => pgherd_core::ha::decide(&view, &memory),
            Some(defect) => defect.decide(&view, &memory),
        };
        self.forget_answered(&next);
        if !self.write(next, calm) {
            return 0;
        }
        let before = self.actions;
        for action in actions {
            if !calm && self.chance.percent(2) {
                self.kill_daemon();
                return 1;
            }
            let took = self.chance.between(1, if calm { 5 } else { 40 });
            self.pass(took);
            self.carry_out(action, calm);
        }
        self.actions - before
    }

    /// What would be done now.
    pub fn plan(&mut self) -> Vec<Action> {
        let Some(memory) = self.daemon.clone() else { return Vec::new() };
        let view = self.look(&memory);
        pgherd_core::ha::decide(&view, &memory).1
    }

    /// A turn that ends after so many actions.
    pub fn do_some(&mut self, count: usize) {
        let Some(memory) = self.daemon.clone() else { return };
        let view = self.look(&memory);
        let (next, actions) = pgherd_core::ha::decide(&view, &memory);
        self.ledger.push(next.clone());
        self.daemon = Some(next);
        for action in actions.iter().take(count) {
            self.pass(5);
            self.perform(action);
        }
    }

    fn forget_answered(&mut self, next: &Memory) {
        let over = next.answer.as_ref().filter(|answer| answer.outcome != Outcome::Accepted).map(|answer| answer.id);
        if self.request.is_some_and(|request| Some(request.id) == over) {
            self.request = None;
            let refused = next.answer.as_ref().is_some_and(|answer| answer.outcome != Outcome::Done);
            self.accepts_loss &= !refused && !self.loss_used;
            self.loss_used = false;
        }
    }

    /// Whether the memory is on disk. When it is not, nothing may be done.
    fn write(&mut self, next: Memory, calm: bool) -> bool {
        if self.daemon.as_ref() == Some(&next) {
            return true;
        }
        if !calm && self.chance.percent(1) {
            self.tell(|| "the ledger is not written".to_owned());
            self.kill_daemon();
            return false;
        }
        if self.defect != Some(Defect::NeverWrites) {
            self.ledger.push(next.clone());
        }
        let turning_point = self.daemon.as_ref().is_some_and(|now| now.promotable != next.promotable);
        self.daemon = Some(next);
        if turning_point && !calm && self.chance.percent(15) {
            self.strike_at = Some(self.now + self.chance.between(0, 30));
        }
        true
    }

    pub fn kill_daemon(&mut self) {
        self.tell(|| "the daemon is killed".to_owned());
        self.daemon = None;
        // A file and a signal: nobody else gives that when it is dead.
        self.late.retain(|(_, action)| !matches!(action.verb, Verb::SetSync { .. }));
        self.daemon_back_at = self.now + self.chance.between(20, 1500);
    }

    fn start_daemon(&mut self) {
        let text = serde_json::to_string(self.ledger.last().expect("never empty")).expect("plain data");
        self.daemon = Some(serde_json::from_str(&text).expect("what was written can be read"));
        let ids: Vec<NodeId> = self.machines.keys().copied().collect();
        for id in ids {
            self.end_work(id);
        }
        self.tell(|| "the daemon starts".to_owned());
    }

    fn carry_out(&mut self, action: Action, calm: bool) {
        // A stop returns when the server has stopped, so it is not ordered again before.
        let stops = matches!(action.verb, Verb::Stop { node } if self.machines.get(&node).is_some_and(Machine::stops));
        self.actions += u32::from(!stops);
        self.tell(|| action.to_string());
        if calm {
            return self.perform(&action);
        }
        // What hurts most when it goes wrong goes wrong most often.
        let delicate = matches!(action.verb, Verb::Kill { .. } | Verb::Start { .. } | Verb::Promote { .. });
        if matches!(action.verb, Verb::Init { .. }) {
            // Files that the daemon itself writes, before anything else: no part of it comes later.
            return self.perform(&action);
        }
        let start_of_primary = matches!(action.verb, Verb::Start { role: Role::Primary { sync: Some(_) }, .. });
        if start_of_primary && self.chance.percent(20) {
            let at = self.now + self.chance.between(20, 3000);
            return self.late.push((at, action));
        }
        match self.chance.between(0, if delicate { 49 } else { 99 }) {
            0..=2 => self.tell(|| "  which fails".to_owned()),
            3..=5 => {
                self.perform(&action);
                self.perform(&action);
            }
            6..=8 => {
                let at = self.now + self.chance.between(20, 3000);
                self.late.push((at, action));
            }
            _ => self.perform(&action),
        }
    }

    pub fn perform(&mut self, action: &Action) {
        let current = self.daemon.as_ref().or(self.ledger.last()).map(|memory| memory.epoch);
        if self.defect != Some(Defect::NoEpochs) && current != Some(action.epoch) {
            return self.tell(|| format!("  refused: of epoch {} in {current:?}", action.epoch));
        }
        if let Some(id) = action.verb.node() {
            self.machine(id);
            self.check_not_foreign(id, &action.verb);
        }
        match &action.verb {
            Verb::Init { node } => self.init(*node),
            Verb::Start { node, role } => self.start(*node, *role),
            Verb::Stop { node } => self.stop(*node, &action.reason),
            Verb::Kill { node } => self.kill(*node),
            Verb::Promote { node, sync, above } => self.promote(*node, *sync, *above),
            Verb::Clone { node, from, serial, keep_old } => self.make(*node, *from, *serial, false, *keep_old),
            Verb::Rejoin { node, from, serial } => self.make(*node, *from, *serial, true, true),
            Verb::Examine { node, against } => self.examine(*node, *against),
            Verb::SetSync { primary, to } => self.set_sync(*primary, *to),
            Verb::Follow { node, primary } => self.machine(*node).follows = Some(*primary),
            Verb::Slots { on, of } => {
                let machine = self.machine(*on);
                if machine.postmaster.is_some() {
                    machine.slots.clone_from(of);
                    machine.lost_slots.clear();
                }
            }
            Verb::Route(route) => self.route = route.clone(),
            Verb::Checkpoint { node } => {
                let until = self.now + self.chance.between(1, 300);
                self.machine(*node).checkpoint_until = until;
            }
            Verb::Remove { node } => self.remove(*node),
            Verb::Discard { node } => self.machine(*node).evidence = false,
            Verb::Release { node } => self.release(*node),
        }
    }

    fn check_not_foreign(&mut self, id: NodeId, verb: &Verb) {
        let foreign = self.machines[&id].is_foreign();
        // Ending processes of ours does not touch what is in the directory.
        let harmless =
            matches!(verb, Verb::Kill { .. } | Verb::Stop { .. } | Verb::Follow { .. } | Verb::Checkpoint { .. })
                || matches!(
                    verb,
                    Verb::SetSync { .. } | Verb::Slots { .. } | Verb::Promote { .. } | Verb::Discard { .. }
                )
                || matches!(verb, Verb::Start { .. } | Verb::Examine { .. });
        // Ordered on the word of when it was ours: the hands look again before they put a copy in its place.
        let looks_again = self.is_old_word(id) && matches!(verb, Verb::Clone { .. } | Verb::Rejoin { .. });
        if foreign && !harmless && !looks_again {
            self.violate(format!("{verb} touches a directory that is not ours"));
        }
    }

    /// Whether what is done was decided before the node became what it is.
    fn is_old_word(&self, id: NodeId) -> bool {
        self.late_now || self.machines[&id].stale_until > self.now
    }

    fn init(&mut self, id: NodeId) {
        if !matches!(self.machines[&id].place, Place::Absent) {
            return;
        }
        if self.owner.is_some() && !self.ledger_lost {
            return self.violate(format!("{id} is made anew although the database has served"));
        }
        self.made = true;
        let record = self.new_record();
        let mib = if self.chance.percent(50) { 1000 } else { 40 };
        let dir = Dir { system_id: SYSTEM_ID, log: vec![record], timeline: 1, clean: true, mib, ..Dir::default() };
        self.machine(id).place = Place::Data(dir);
    }

    fn start(&mut self, id: NodeId, role: Role) {
        self.starts += 1;
        if !self.late_now && self.stopped_since.is_some_and(|since| self.now - since > 500) {
            self.violate(format!("{id} is started although the instance was stopped on purpose"));
        }
        let slow = self.machines[&id].slow;
        let takes = if slow { self.chance.between(2_000, 6_000) } else { self.chance.between(20, 400) };
        let torn_starts = self.defect == Some(Defect::StartsTornDirectories);
        self.last_start += 1;
        let (start, now) = (self.last_start, self.now);
        let machine = self.machine(id);
        let busy = machine.postmaster.is_some() || !machine.orphans.is_empty() || machine.work.is_some();
        let full = machine.disk != pgherd_core::ha::Disk::Well;
        let Some(dir) =
            machine.dir_mut().filter(|dir| !busy && (!dir.torn || torn_starts) && dir.system_id == SYSTEM_ID)
        else {
            return self.tell(|| format!("  refused: {id} runs, or cannot be started"));
        };
        dir.clean = false;
        let (torn, last) = (dir.torn, dir.last_role());
        let starts = self.started.entry(id).or_default();
        starts.retain(|at| *at > now - 10_000);
        starts.push(now);
        if starts.len() > STARTS_IN_10_S {
            self.violate(format!("{id} is started again and again"));
        }
        if full {
            return self.tell(|| format!("  {id} ends at once: its disk is full"));
        }
        let machine = self.machine(id);
        let primary = matches!(role, Role::Primary { .. });
        if let Some(dir) = machine.dir_mut() {
            dir.ran_as_standby = !primary;
        }
        let stops_at = None;
        machine.postmaster = Some(Postmaster {
            start,
            since: now,
            ready_at: now + takes,
            primary,
            promoted_at: None,
            above: 0,
            stops_at,
        });
        machine.probe_answered_at = now;
        machine.pending = pgherd_core::ha::Pending::Nothing;
        machine.examined = None;
        let names = match role {
            Role::Primary { sync } => sync,
            Role::Standby { of } => {
                machine.follows = of;
                None
            }
        };
        machine.names_from_the_start(names);
        if torn {
            self.violate(format!("{id} is started half rewound"));
        }
        if primary && last == LastRole::Standby {
            self.violate(format!("{id} is started as a primary on the timeline it was a standby on"));
        }
    }

    fn stop(&mut self, id: NodeId, reason: &str) {
        if reason.starts_with("a restart of") && !self.window_ever_open && self.last_request == 0 {
            self.violate(format!("{id} is restarted outside of the window and nobody asked"));
        }
        let at = self.now + if self.chance.percent(5) { 9_000 } else { self.chance.between(1, 150) };
        if let Some(pm) = &mut self.machine(id).postmaster {
            pm.stops_at.get_or_insert(at);
        }
    }

    fn kill(&mut self, id: NodeId) {
        if self.machines[&id].unseen_until > self.now && self.chance.percent(50) {
            return self.tell(|| format!("  which fails: {id} cannot be seen"));
        }
        self.end_work(id);
        self.machine(id).end();
    }

    /// Tools of ours end; what a rewind did until then stays.
    fn end_work(&mut self, id: NodeId) {
        let machine = self.machine(id);
        machine.checkpoint_until = 0;
        machine.work = None;
    }

    fn promote(&mut self, id: NodeId, sync: Option<NodeId>, above: u32) {
        let at = self.now + self.chance.between(20, 140);
        let now = self.now;
        let machine = self.machine(id);
        let possible = machine.ready(now) && !machine.frozen;
        if let Some(pm) = machine.postmaster.as_mut().filter(|pm| possible && !pm.primary) {
            pm.promoted_at.get_or_insert(at);
            pm.above = above;
            machine.names_from_the_start(sync);
        }
    }

    fn make(&mut self, id: NodeId, from: NodeId, serial: u64, rewind: bool, keep_old: bool) {
        let done_at = self.now + self.chance.between(50, 4_000);
        let fails = self.chance.percent(10);
        if self.is_old_word(id) && self.machines[&id].is_foreign() {
            return self.tell(|| format!("  refused: another's directory is at {id}"));
        }
        let machine = self.machine(id);
        let done = machine.dir().is_some_and(|dir| dir.made_by == Some(serial));
        if machine.postmaster.is_some() || !machine.orphans.is_empty() || machine.work.is_some() || done {
            return;
        }
        if machine.dir().is_some() && !keep_old {
            return self.tell(|| format!("  refused: copy {serial} of {id} would overwrite a directory"));
        }
        if rewind && machine.dir().is_none_or(|dir| dir.torn) {
            machine.failed_work = Some(serial);
            return;
        }
        machine.failed_work = None;
        machine.work = Some(Work { serial, from, rewind, done_at, fails });
        if let Some(dir) = machine.dir_mut().filter(|_| rewind) {
            dir.torn = true;
        }
    }

    fn examine(&mut self, id: NodeId, against: NodeId) {
        let Some(new) = self.machines.get(&against).and_then(Machine::dir).cloned() else { return };
        let Some(old) = self.machines[&id].dir() else { return };
        let lost = old.log.iter().filter(|record| !new.holds(**record)).count();
        let end = Lsn(u64::try_from(old.log.len()).expect("small") * RECORD_BYTES);
        self.machine(id).examined = Some(Examined { end, lost_commits: u64::try_from(lost).ok() });
    }

    /// Mostly backends learn of it at once, and later than anybody waits for while the checkpointer is busy.
    fn set_sync(&mut self, id: NodeId, to: Option<NodeId>) {
        let now = self.now;
        let reach = now + self.chance.pick(&[0, 0, 30, 95, 900, 2_500]).expect("a list");
        let sender_reach = now + self.chance.pick(&[0, 0, 400, 3_000]).expect("a list");
        let machine = self.machine(id);
        if machine.postmaster.is_none() || machine.frozen {
            return;
        }
        if machine.names_file != to {
            machine.last_sender = machine.names_sender;
            (machine.names_file, machine.names_sender) = (to, to);
            (machine.names_reach_commits_at, machine.last_sender_until) = (reach, sender_reach);
        }
        if machine.names_reach_commits_at <= now {
            machine.commits_wait = to.is_some();
        }
        // A commit that waits does not say for whom.
        machine.waits_for = to.filter(|_| machine.commits_wait);
    }

    fn remove(&mut self, id: NodeId) {
        let machine = self.machine(id);
        if machine.postmaster.is_none() && machine.orphans.is_empty() {
            machine.place = Place::Absent;
            machine.evidence = false;
            self.check_nothing_is_gone(&format!("removing {id}"));
        }
    }

    /// The released one becomes another instance; what it holds is no copy of ours any more.
    fn release(&mut self, id: NodeId) {
        let machine = self.machine(id);
        if machine.postmaster.is_none() && machine.orphans.is_empty() {
            machine.place = Place::Absent;
            self.check_nothing_is_gone(&format!("releasing {id}"));
        }
    }
}
