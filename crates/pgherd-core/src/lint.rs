//! A finished plan looked over for data loss, downtime and protection.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, Severity};
use crate::plan::{Action, Plan, When};
use crate::resource::Impact;

/// Code of the error for deleting users' data without having been asked to.
pub const DATA_LOSS: &str = "data-loss";
/// Code of the error for deleting what is protected against it.
pub const PROTECTED: &str = "deletion-protected";

/// What the user asked for in so many words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Intent {
    /// Whether what holds data may be deleted.
    pub allow_data_loss: bool,
}

/// What stops a finished plan for safety's sake.
pub fn lint(plan: &Plan, intent: Intent) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for step in &plan.steps {
        let Action::Delete { holds_data, protected } = step.action else { continue };
        let id = &step.id;
        if holds_data && !intent.allow_data_loss {
            let message = format!("{id} holds data and is no longer wanted by {}", plan.block);
            diagnostics.push(
                Diagnostic::error(DATA_LOSS, message).at(&plan.block, "").help(
                    "put it back into the block to keep it; `pgherd destroy` deletes it with all else of the block",
                ),
            );
        }
        if protected {
            let message = format!("{id} is protected against deletion");
            diagnostics.push(
                Diagnostic::error(PROTECTED, message)
                    .at(&plan.block, "enable_deletion_protection")
                    .help("write enable_deletion_protection = false and apply that first"),
            );
        }
    }
    diagnostics
}

/// Whether a diagnostic refuses for safety, rather than because something is wrong.
pub fn is_refusal(diagnostic: &Diagnostic) -> bool {
    [DATA_LOSS, PROTECTED].contains(&diagnostic.code)
}

/// A plan, or several, in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Resources to be created.
    pub created: usize,
    /// Fields to be changed.
    pub changes: usize,
    /// Resources to be destroyed.
    pub destroyed: usize,
    /// How many of them happen during apply.
    pub now: usize,
    /// How many wait for a maintenance window.
    pub in_window: usize,
    /// How many wait for a restart that no window brings.
    #[serde(default)]
    pub at_restart: usize,
    /// The first window that is waited for.
    pub window_opens: Option<Timestamp>,
    /// The worst that happens to users during apply.
    pub worst_now: Option<Impact>,
    /// The worst that happens to users in a window.
    pub worst_in_window: Option<Impact>,
    /// How many errors there are. With any, nothing is applied.
    pub errors: usize,
}

/// Sums up plans.
pub fn summary<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Summary {
    let mut summary = Summary::default();
    for plan in plans {
        let errors = plan.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        summary.errors += errors.count();
        plan.steps.iter().for_each(|step| summary.add_step(&step.action));
    }
    summary
}

impl Summary {
    fn add_step(&mut self, action: &Action) {
        match action {
            Action::Create { .. } => {
                self.created += 1;
                self.now += 1;
            }
            Action::Delete { .. } => {
                self.destroyed += 1;
                self.now += 1;
            }
            Action::Update { changes, .. } => {
                self.changes += changes.len();
                changes.iter().for_each(|change| self.add_change(change.impact, &change.when));
            }
        }
    }

    fn add_change(&mut self, impact: Impact, when: &When) {
        match when {
            When::Now => {
                self.now += 1;
                self.worst_now = self.worst_now.max(Some(impact));
            }
            When::Window { opens } => {
                self.in_window += 1;
                self.worst_in_window = self.worst_in_window.max(Some(impact));
                self.window_opens = Some(self.window_opens.map_or(*opens, |first| first.min(*opens)));
            }
            When::Restart => self.at_restart += 1,
        }
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.created + self.changes + self.destroyed == 0
    }
}

/// The last line of a plan: `3 changes, 0 destroyed. 1 now, 2 at Sun 2026-11-22 04:00 UTC.`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_empty(), self.errors) {
            (true, 0) => return f.write_str("No changes."),
            (true, errors) => return write!(f, "Nothing can be applied: {}.", counted(errors, "error")),
            (false, _) => {}
        }
        if self.created > 0 {
            write!(f, "{} created, ", self.created)?;
        }
        write!(f, "{}, {} destroyed. {} now", counted(self.changes, "change"), self.destroyed, self.now)?;
        if let Some(opens) = self.window_opens {
            write!(f, ", {} at {}", self.in_window, opens.strftime("%a %Y-%m-%d %H:%M UTC"))?;
        }
        if self.at_restart > 0 {
            write!(f, ", {} at the next restart", self.at_restart)?;
        }
        f.write_str(".")?;
        match self.errors {
            0 => Ok(()),
            errors => write!(f, " Nothing of it can be applied: {}.", counted(errors, "error")),
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
