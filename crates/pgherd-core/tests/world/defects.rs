//! Mistakes one could make, made on purpose: the world has to notice each of them.

use pgherd_core::ha::{Action, Copy, Data, LastRole, Memory, Names, Probe, Process, Role, Server, Verb, View, decide};

macro_rules! defects {
    ($($(#[doc = $words:literal])+ $name:ident,)+) => {
        /// A mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Defect {
            $($(#[doc = $words])+ $name,)+
        }

        impl Defect {
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

defects! {
    /// Promotes at once, without waiting until the old primary is seen to be dead.
    PromotesBeforeDead,
    /// Takes a dead postmaster for a dead instance.
    ForgetsOrphans,
    /// Takes "cannot be seen" for "is dead".
    TakesUnknownForDead,
    /// Never writes the memory.
    NeverWrites,
    /// Goes on calling a standby promotable that commits do not wait for.
    KeepsLostStandbyPromotable,
    /// Calls a standby promotable as soon as `sync_state` says so.
    PromotableAtSyncState,
    /// Takes the names in the file for what commits wait for.
    TakesNamesForWaiting,
    /// Promotes a standby that merely runs.
    PromotesAnyStandby,
    /// Accepts loss whenever a primary is given up.
    AlwaysAcceptsLoss,
    /// Starts whoever last ran as a primary as one.
    StartsEveryPrimary,
    /// Starts a standby's directory as a primary instead of promoting it.
    StartsStandbyAsPrimary,
    /// Believes a record against directories on a newer timeline.
    BelievesOldRecord,
    /// Carries out orders from before a change of primary.
    NoEpochs,
    /// Leaves the pooler paused.
    ForgetsResume,
    /// Never brings an old primary back.
    NeverRejoins,
    /// Overwrites a directory without keeping it.
    KeepsNoEvidence,
    /// Never deletes what was kept as evidence.
    KeepsEvidenceForEver,
    /// Starts a directory whose rewind did not end.
    StartsTornDirectories,
    /// Copies over a directory that is not ours.
    OverwritesForeign,
    /// Makes the database again where its directory is missing.
    MakesAnew,
    /// Removes the primary when the set gets smaller.
    RemovesPrimary,
    /// Never lets commits go on without a standby.
    NeverDegrades,
    /// Lets commits go on without a standby although one is required.
    DegradesWhenRequired,
    /// Never makes commits wait again.
    NeverUpgrades,
    /// Makes no replication slots.
    MakesNoSlots,
    /// Leaves slots on a primary that became a standby.
    LeavesOldSlots,
    /// Does not notice that the primary hangs.
    IgnoresHangs,
    /// Starts what was stopped on purpose.
    ForgetsStop,
    /// Restarts whenever a setting waits for it.
    IgnoresWindow,
    /// Begins a round of restarts again and again.
    RestartsForEver,
    /// Starts a server that ends at once without a pause.
    NeverPauses,
    /// Leaves nodes that are not wanted any more.
    NeverShrinks,
}

impl Defect {
    /// As [`decide`], with the mistake.
    pub fn decide(self, view: &View, memory: &Memory) -> (Memory, Vec<Action>) {
        let (mut view, mut memory) = (view.clone(), memory.clone());
        self.see(&mut view, &mut memory);
        let before = memory.clone();
        let (mut next, mut actions) = decide(&view, &memory);
        self.err(&view, &before, &mut next, &mut actions);
        (next, actions)
    }

    /// Mistakes in looking.
    fn see(self, view: &mut View, memory: &mut Memory) {
        let now = view.now;
        let known = memory.timeline;
        for (id, node) in &mut view.nodes {
            let primary = memory.primary == Some(*id);
            match self {
                Self::PromotesBeforeDead if memory.fence.as_ref().is_some_and(|fence| fence.node == *id) => {
                    node.process = Process::Dead;
                    node.seen_at = now;
                }
                Self::ForgetsOrphans if node.process == Process::Orphans => node.process = Process::Dead,
                Self::TakesUnknownForDead if node.process == Process::Unknown => node.process = Process::Dead,
                Self::KeepsLostStandbyPromotable if primary && node.process == Process::Dead => {
                    node.names = Names::Unknown;
                }
                Self::PromotesAnyStandby if primary && node.process == Process::Dead => node.names = Names::Unknown,
                Self::BelievesOldRecord => old_timeline(node, known),
                Self::OverwritesForeign => own(node, memory.system_id),
                Self::TakesNamesForWaiting => {
                    node.waits_for = if let Names::Node(named) = node.names { Some(named) } else { None };
                }
                Self::IgnoresHangs => node.probe = Probe::Answered,
                Self::StartsTornDirectories => pretend_complete(node, memory.members.get(id).map(|member| member.copy)),
                Self::MakesAnew if primary && node.data == Data::Absent => memory.system_id = None,
                _ => {}
            }
        }
        match self {
            Self::ForgetsStop => view.wanted.serve = true,
            Self::IgnoresWindow => view.wanted.window_open = true,
            Self::NeverShrinks => {
                for member in memory.members.values_mut() {
                    member.leaving = None;
                }
            }
            Self::PromotesAnyStandby => any_standby(view, memory),
            _ => {}
        }
    }

    /// Mistakes in deciding.
    fn err(self, view: &View, before: &Memory, next: &mut Memory, actions: &mut Vec<Action>) {
        let primary = before.primary;
        match self {
            Self::KeepsLostStandbyPromotable => next.promotable = next.promotable.or(before.promotable),
            Self::PromotableAtSyncState => {
                let sender = primary.and_then(|id| view.nodes.get(&id)?.as_primary());
                let sync = sender.and_then(|p| p.senders.iter().find(|(_, sender)| sender.sync).map(|(id, _)| *id));
                next.promotable = next.promotable.or(sync);
            }
            Self::AlwaysAcceptsLoss => {
                if let Some(fence) = &mut next.fence {
                    fence.accept_loss = true;
                }
            }
            Self::NeverPauses => {
                for member in next.members.values_mut() {
                    member.retry.not_before = None;
                }
            }
            Self::RestartsForEver => {
                if let Some(wave) = next.wave.as_mut().filter(|wave| !wave.only_pending) {
                    wave.since = view.now;
                }
            }
            Self::NeverShrinks => actions.retain(|action| !matches!(action.verb, Verb::Remove { .. })),
            _ => {}
        }
        actions.retain(|action| self.keeps(&action.verb));
        for action in actions {
            self.alter(&mut action.verb, view, before);
        }
    }

    fn keeps(self, verb: &Verb) -> bool {
        match self {
            Self::ForgetsResume => !matches!(verb, Verb::Route(route) if !route.paused),
            Self::NeverRejoins => !matches!(verb, Verb::Clone { keep_old: true, .. } | Verb::Rejoin { .. }),
            Self::KeepsEvidenceForEver => !matches!(verb, Verb::Discard { .. }),
            Self::NeverDegrades => !matches!(verb, Verb::SetSync { to: None, .. }),
            Self::NeverUpgrades => !matches!(verb, Verb::SetSync { to: Some(_), .. }),
            Self::MakesNoSlots => !matches!(verb, Verb::Slots { of, .. } if !of.is_empty()),
            Self::LeavesOldSlots => !matches!(verb, Verb::Slots { of, .. } if of.is_empty()),
            _ => true,
        }
    }

    fn alter(self, verb: &mut Verb, view: &View, before: &Memory) {
        match (self, verb) {
            (Self::KeepsNoEvidence, Verb::Clone { keep_old, .. }) => *keep_old = false,
            (Self::StartsEveryPrimary, Verb::Start { node, role }) => {
                let control = view.nodes.get(node).and_then(|node| node.control());
                if control.is_some_and(|control| control.last_role == LastRole::Primary) {
                    *role = Role::Primary { sync: None };
                }
            }
            (Self::StartsStandbyAsPrimary, Verb::Start { node, role }) if before.primary == Some(*node) => {
                *role = Role::Primary { sync: None };
            }
            (Self::RemovesPrimary, Verb::Remove { node }) => *node = before.primary.unwrap_or(*node),
            (Self::DegradesWhenRequired, Verb::SetSync { to, .. } | Verb::Promote { sync: to, .. }) => *to = None,
            _ => {}
        }
    }
}

fn old_timeline(node: &mut pgherd_core::ha::Node, known: u32) {
    if let Data::Present(control) = &mut node.data {
        control.timeline = control.timeline.min(known);
    }
    if let Some(Server::Primary(primary)) = &mut node.server {
        primary.timeline = primary.timeline.min(known);
    }
}

/// A rewind that did not end looks like one that did.
fn pretend_complete(node: &mut pgherd_core::ha::Node, copy: Option<Copy>) {
    if let (Data::Present(control), Some(Copy::Making { serial, .. })) = (&mut node.data, copy)
        && control.torn
    {
        control.torn = false;
        control.made_by = Some(serial);
        control.last_role = LastRole::Standby;
        control.end = None;
    }
}

fn own(node: &mut pgherd_core::ha::Node, ours: Option<u64>) {
    match &mut node.data {
        Data::Foreign => node.data = Data::Absent,
        Data::Present(control) => control.system_id = ours.unwrap_or(control.system_id),
        Data::Unknown | Data::Absent => {}
    }
}

fn any_standby(view: &View, memory: &mut Memory) {
    let dead = memory.primary.and_then(|id| view.nodes.get(&id)).is_some_and(|node| node.process == Process::Dead);
    let runs = memory.members.iter().find(|(id, member)| {
        member.copy == Copy::Good
            && view.nodes.get(id).is_some_and(|node| node.is_ready() && node.as_standby().is_some())
    });
    if let Some((id, _)) = runs.filter(|_| dead) {
        memory.promotable = Some(*id);
    }
}
