//! What is to be known before anything is done: what a plan makes or changes is asked about, and nothing else. What Azure does not tell
//! is left out of the judgement and told as a note.

mod asked;
mod fits;

use std::collections::BTreeSet;

use futures_util::future::join3;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::{Action, Change};
use pgherd_core::resource::{Observed, Resource};
use pgherd_core::spec::Spec;
use pgherd_engine::provider::{Goal, Intended};

use crate::around::Around;
use crate::error::AzureError;
use crate::kinds::{replica, server};
use crate::provider::Azure;

/// Errors that a user may accept. The others are about what Azure refuses for sure.
pub const ACCEPTABLE: &[&str] =
    &["class-not-offered", "setting-refused", "interrupts-now", "major-upgrade", "no-last-backup", "no-way-in"];

/// Everything to be said about what is intended.
pub(crate) async fn preflight(
    azure: &Azure,
    spec: &Spec,
    intended: &Intended<'_>,
    accepted: &BTreeSet<String>,
) -> Vec<Diagnostic> {
    let about = About { spec, intended, around: azure.around() };
    let said = match intended.goal {
        Goal::Destroy => [about.without_last_backup(), about.other_replicas(azure).await].concat(),
        Goal::Apply { now } => {
            let (place, offer, settings) = join3(about.place(azure), about.offered(azure), about.settings(azure)).await;
            [
                about.at_once(now),
                about.upgraded(),
                about.reached(),
                about.fits(),
                place,
                offer,
                settings,
                about.unheard(),
            ]
            .concat()
        }
    };
    let judged = |told: Diagnostic| if ACCEPTABLE.contains(&told.code) { told.acknowledged(accepted) } else { told };
    said.into_iter().map(judged).collect()
}

/// What is about to be done.
#[derive(Clone, Copy)]
struct About<'a> {
    spec: &'a Spec,
    intended: &'a Intended<'a>,
    around: &'a Around,
}

impl<'a> About<'a> {
    fn error(&self, code: &'static str, at: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(&self.spec.block, at)
    }

    fn note(&self, code: &'static str, at: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::note(code, message).at(&self.spec.block, at)
    }

    fn unchecked(&self, what: &str, error: &AzureError) -> Diagnostic {
        self.note("unchecked", "", format!("{what} could not be checked: {error}"))
    }

    /// What is made of a kind.
    fn made(&self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.intended.plan.steps.iter().filter_map(move |step| match &step.action {
            Action::Create { resource } if resource.id.kind == kind => Some(resource),
            Action::Create { .. } | Action::Update { .. } | Action::Delete { .. } => None,
        })
    }

    fn is_made(&self, kind: &'a str) -> bool {
        self.made(kind).next().is_some()
    }

    /// Whether anything is done to a kind.
    fn is_touched(&self, kind: &str) -> bool {
        self.intended.plan.steps.iter().any(|step| step.id.kind == kind)
    }

    /// What is changed of a kind.
    fn changes(&self, kind: &'a str) -> impl Iterator<Item = &'a Change> {
        let steps = self.intended.plan.steps.iter().filter(move |step| step.id.kind == kind);
        steps.flat_map(|step| step.action.changes())
    }

    fn change(&self, field: &str) -> Option<&'a Change> {
        self.changes(server::NAME).find(|change| change.field == field)
    }

    fn seen(&self, kind: &str) -> Option<&'a Observed> {
        self.intended.observed.iter().find(|seen| seen.id.kind == kind)
    }

    /// Whether a server of a name, or any, is deleted.
    fn is_deleted(&self, kind: &str, name: Option<&str>) -> bool {
        self.intended.plan.steps.iter().any(|step| {
            let is_it = step.id.kind == kind && name.is_none_or(|name| step.id.name == name);
            is_it && matches!(step.action, Action::Delete { .. })
        })
    }

    /// A last backup that Azure has no way to keep.
    fn without_last_backup(&self) -> Vec<Diagnostic> {
        if self.spec.backup.skip_final || !self.is_deleted(server::NAME, None) {
            return Vec::new();
        }
        let message = format!("nothing remains of {}: Azure deletes the backups of a server with it", self.spec.name);
        let help = "take a dump first; then write skip_final_snapshot = true";
        vec![self.error("no-last-backup", "skip_final_snapshot", message).help(help)]
    }

    /// Replicas that nobody told pgherd of.
    async fn other_replicas(&self, azure: &Azure) -> Vec<Diagnostic> {
        if !self.is_deleted(server::NAME, None) {
            return Vec::new();
        }
        let there = match crate::api::replicas(azure.at(), &self.spec.name).await {
            Ok(there) => there,
            Err(error) => {
                let message = format!("whether it has other replicas could not be checked: {error}");
                return vec![self.error("unchecked", "", message)];
            }
        };
        let others = there.iter().map(crate::api::Server::name);
        let others = others.filter(|name| !self.is_deleted(replica::NAME, Some(name)));
        let one = |name: &str| {
            let message = format!("the replica {name} of {} is not pgherd's", self.spec.name);
            self.error("foreign-replica", "", message).help("promote or delete it in the portal first")
        };
        others.map(one).collect()
    }
}
