//! One round of a keeper after the other, until there is nothing to do: look, have both decide, write down, act.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::ha::{self, Verb};

use super::{Job, Keeper};
use crate::supervisor::alone;
use crate::supervisor::current::Current;
use crate::supervisor::hands;
use crate::supervisor::jobs;
use crate::supervisor::ledger::Record;
use crate::supervisor::look::Seen;
use crate::supervisor::promotion::{self, replicas_wanted};
use crate::supervisor::requests::Watcher;
use crate::supervisor::tidings::tidings;
use crate::supervisor::upkeep::{self, Note, Step};

/// So often is decided and acted before others get their turn: more is a fault in a decider, and looks again a second later.
const MOST_ROUNDS: usize = 200;
/// How long nothing is done after something failed, unless something happens.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// What came of the actions of a round.
enum Acted {
    Not,
    Well,
    Failed,
}

/// What there is to be done after a round.
enum Next {
    Look,
    Pause,
    Nothing,
}

impl Keeper {
    /// Looks, decides, remembers and acts until there is nothing to do before the next look.
    ///
    /// What is being removed is nobody's to decide about: written down once more, it would be there again.
    pub(super) async fn settle(&mut self) {
        if matches!(self.job, Some(Job::Step(Step::Remove, _))) {
            self.look_at = None;
            return;
        }
        let (mut rounds, mut failures) = (0, 0);
        while let Some(seen) = self.look().await {
            let next = self.round(&seen).await;
            rounds += 1;
            let endless = rounds > MOST_ROUNDS;
            if endless {
                tracing::error!(instance = self.site.name, "there is no end of what is to be done");
            }
            match next {
                Next::Look if !endless => continue,
                // Whoever decides sees what failed, and may know another way.
                Next::Pause if failures == 0 => {
                    failures += 1;
                    continue;
                }
                Next::Look | Next::Pause => self.look_at = Some(Timestamp::now() + PAUSE),
                Next::Nothing => self.look_at = Some(self.next_look(&seen)),
            }
            self.finish_request(&seen);
            self.close_eyes();
            break;
        }
        if self.record.is_none() {
            self.look_at = None;
            if self.current.as_ref().is_some_and(|current| current.is_accepted) {
                self.finish(Ok(()));
            }
        }
        if self.current.is_none() && self.job.is_none() {
            self.busy = None;
        }
        self.show();
    }

    /// Nobody looks at a single server again for a minute, once there is nothing to be done to it.
    fn close_eyes(&mut self) {
        if self.servers.len() == 1 && self.job.is_none() {
            self.servers.values_mut().for_each(|live| live.eyes.close());
        }
    }

    /// One round: what there is to be done next.
    async fn round(&mut self, seen: &Seen) -> Next {
        let Some(now) = self.record.clone() else { return Next::Nothing };
        let mut next = now.clone();
        let mut step = None;
        if self.job.is_none() {
            let (memory, wanted, notes) = upkeep::decide(&seen.upkeep, &next.memory);
            (next.memory, step) =
                (memory, wanted.filter(|step| *step != Step::Remove || !self.ways.pooled.is_changing()));
            if let Some(what) =
                upkeep::ask(&seen.upkeep, &next.memory).filter(|_| next.request.is_none() && step.is_none())
            {
                next.ask(what);
            }
            notes.iter().for_each(|what| self.site.note(note_words(*what, &next)));
        }
        let actions = self.decide_about_servers(seen, &mut next, step);
        let again = next.alone.follow(&now.ha, &next.ha, next.wanted.multi_az, seen.upkeep.now);
        answered(&mut next, self.current.as_mut());
        if promotion::is_over(&next) {
            next.promotion = None;
        }
        let changed = next != now;
        if changed && !self.remember(next, &now, &actions) {
            return Next::Pause;
        }
        if let Some(record) = &self.record {
            let told = tidings(&now.ha, &record.ha).into_iter().chain(again.map(alone::words));
            told.for_each(|told| self.site.note(told));
        }
        if let Some(step) = step {
            self.begin_step(step);
        }
        match self.carry_out(&actions).await {
            Acted::Failed => Next::Pause,
            Acted::Not if !changed && step.is_none() => Next::Nothing,
            Acted::Not | Acted::Well => Next::Look,
        }
    }

    /// What [`ha`] decides, while there is a server to decide about. A start waits for the configuration being written.
    fn decide_about_servers(&self, seen: &Seen, next: &mut Record, step: Option<Step>) -> Vec<ha::Action> {
        if !next.memory.prepared {
            return Vec::new();
        }
        let is_calm = self.job.is_none() && step.is_none();
        let (mut memory, mut actions) = ha::decide(&seen.ha(next, is_calm), &next.ha);
        let replicas = replicas_wanted(&next.ha, &memory, next.wanted.read_replicas);
        if replicas != next.wanted.read_replicas {
            // Decided again, or it would be given another in the same breath, or lose one.
            next.wanted.read_replicas = replicas;
            (memory, actions) = ha::decide(&seen.ha(next, is_calm), &next.ha);
        }
        let starts = actions.iter().any(|action| matches!(action.verb, Verb::Start { .. }));
        if starts && (self.is_writing_configuration() || step.is_some_and(writes_configuration)) {
            return Vec::new();
        }
        next.ha = memory;
        actions
    }

    fn is_writing_configuration(&self) -> bool {
        matches!(&self.job, Some(Job::Step(step, _)) if writes_configuration(*step))
    }

    /// Writes the record down; says whether to go on. A full disk keeps no server down: a start in place need not be known of
    /// beforehand, the next agent adopts what runs.
    fn remember(&mut self, next: Record, before: &Record, actions: &[ha::Action]) -> bool {
        let (members, route_ordered_at) = (before.ha.members.clone(), before.ha.route_ordered_at);
        let start_in_place = actions.iter().all(|action| matches!(action.verb, Verb::Start { .. } | Verb::Route(_)))
            && ha::Memory { members, route_ordered_at, ..next.ha.clone() } == before.ha;
        self.record = Some(next);
        match self.save() {
            Ok(()) => true,
            Err(error) if start_in_place && !actions.is_empty() => {
                tracing::error!(instance = self.site.name, "{error}");
                true
            }
            Err(error) => {
                self.record = Some(before.clone());
                self.went_wrong("the ledger", error);
                false
            }
        }
    }

    /// Carries out actions up to the first that fails.
    async fn carry_out(&mut self, actions: &[ha::Action]) -> Acted {
        let mut acted = Acted::Not;
        for action in actions {
            if self.record.as_ref().is_none_or(|record| record.ha.epoch != action.epoch) {
                break;
            }
            if hands::is_under_way(self, &action.verb) {
                continue;
            }
            acted = Acted::Well;
            if let Some(phase) = hands::phase(&action.verb) {
                self.site.note(format!("{}: {}", action.reason, action.verb));
                self.is_busy_with(phase);
            }
            if let Err(error) = hands::act(self, action).await {
                self.went_wrong(&action.verb.to_string(), error);
                if let Some(record) = self.record.as_mut().filter(|record| !record.memory.made) {
                    record.memory = upkeep::failed(&record.memory, Timestamp::now());
                    return Acted::Well;
                }
                return Acted::Failed;
            }
        }
        acted
    }

    fn begin_step(&mut self, step: Step) {
        let Some(record) = self.record.clone() else { return };
        if let Some(phase) = phase(step) {
            self.is_busy_with(phase.to_owned());
        }
        if step == Step::Settle {
            // Which puts on disk what is there by now.
            self.on_disk.begins();
        }
        let watcher = self.current.as_ref().map_or_else(Watcher::nobody, |current| current.watcher.clone());
        let (site, run) = (self.site.clone(), jobs::run);
        self.job = Some(Job::Step(step, tokio::spawn(run(site, step, record, watcher))));
    }

    fn is_busy_with(&mut self, phase: String) {
        if let Some(current) = &self.current {
            current.watcher.phase(phase.clone());
        }
        self.busy = Some(phase);
        self.show();
    }

    /// Ends the request that is being done, when it is.
    fn finish_request(&mut self, seen: &Seen) {
        let (Some(current), Some(record)) = (&mut self.current, &self.record) else { return };
        if !current.is_accepted || self.job.is_some() {
            return;
        }
        let others_wait = !self.waiting.is_empty() || *self.stop.borrow();
        if let Some(result) = current.result(seen, record, others_wait) {
            self.finish(result);
        }
    }
}

/// Takes in how a request to the servers ended.
fn answered(next: &mut Record, current: Option<&mut Current>) {
    let (Some(request), Some(answer)) = (next.request, next.ha.answer.clone()) else { return };
    if request.id != answer.id || answer.outcome == ha::Outcome::Accepted {
        return;
    }
    next.request = None;
    match request.what {
        ha::Ask::Restart { .. } => next.memory.restart = upkeep::Restart::No,
        ha::Ask::Release { .. } => next.promotion = None,
        ha::Ask::Switchover | ha::Ask::Failover { .. } => {}
    }
    if let Some(current) = current.filter(|current| current.request == Some(request.id)) {
        current.answer = Some(answer.outcome);
    }
}

fn writes_configuration(step: Step) -> bool {
    matches!(step, Step::Prepare | Step::Configure | Step::FallBack)
}

/// What is said while a step is carried out; `None` for what takes no time.
pub(super) fn phase(step: Step) -> Option<&'static str> {
    Some(match step {
        Step::Configure => "writing the configuration",
        Step::FallBack => "going back to the configuration that worked",
        Step::Settle => "setting role, password and database",
        Step::RenewTls => "renewing the server certificate",
        Step::Backup => "taking the last backup",
        Step::Exchange => "putting the restored data in its place",
        Step::Remove => "removing the data",
        Step::Prepare | Step::Learn => return None,
    })
}

pub(super) fn words(step: Step) -> &'static str {
    phase(step).unwrap_or(match step {
        Step::Prepare => "choosing the server",
        _ => "asking the server",
    })
}

fn note_words(note: Note, record: &Record) -> String {
    match (note, record.memory.over_allocated) {
        (Note::Growth, _) => format!("storage grew to {} GiB", record.memory.allocated_gib),
        (Note::OverAllocated, true) => {
            format!("storage uses more than the {} GiB it may", record.memory.allocated_gib)
        }
        (Note::OverAllocated, false) => format!("storage is within its {} GiB again", record.memory.allocated_gib),
    }
}
