//! What is to be known before anything is done: what a plan makes or changes is looked into, side by side, and nothing else is asked.
//!
//! Whatever a question is about, deciding is pure: `ask` gathers facts and `say` judges them. A fact that AWS does not tell, because
//! the credentials may not ask or the service fails, is left out of the judgement and told as a note.

#[cfg(test)]
mod case;
mod elsewhere;
mod engine;
mod keys;
mod limits;
mod network;
mod parameters;
mod pending;
mod shared;
mod stays;
mod storage;
mod watched;

use std::collections::BTreeSet;

use jiff::civil::Date;
use pgherd_core::diagnostic::{Diagnostic, Severity};
use pgherd_core::plan::{Action, Change, Plan, Step};
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{Goal, Intended};

use crate::kinds::instance;
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;

pub(crate) use engine::chosen;

/// The code by which a user lets a version be replaced by the newest of its major.
pub(crate) const VERSION_UNAVAILABLE: &str = "version-unavailable";
/// Code of a version that RDS does not create.
const VERSION_NOT_OFFERED: &str = "version-not-offered";

/// Errors that may be a matter of opinion, or of AWS telling less than it does. The others are about what AWS refuses for sure.
pub const ACCEPTABLE: &[&str] = &[
    "class-not-offered",
    "major-upgrade",
    "parameter-allowed-values",
    "parameter-not-modifiable",
    "password-managed",
    "password-replaced",
    "port-restarts-now",
    "quota",
    "tls-required",
    "upgrade-path",
];

/// Everything to be said about what is intended.
pub(crate) async fn preflight(
    aws: &Aws,
    spec: &Spec,
    intended: &Intended<'_>,
    accepted: &BTreeSet<String>,
    today: Date,
) -> Vec<Diagnostic> {
    let Goal::Apply { now } = intended.goal else { return shared::told(aws, spec, intended).await };
    let about = About {
        spec,
        plan: intended.plan,
        desired: intended.desired,
        observed: intended.observed,
        region: aws.region(),
        accepted,
        now,
        today,
    };
    let (engine, parameters, network, keys, storage, limits, elsewhere, stays) = tokio::join!(
        engine::ask(aws, &about),
        parameters::ask(aws, &about),
        network::ask(aws, &about),
        keys::ask(aws, &about),
        storage::ask(aws, &about),
        limits::ask(aws, &about),
        elsewhere::ask(aws, &about),
        stays::ask(aws, &about),
    );
    let said = [
        pending::say(&about),
        stays::say(&about, &stays),
        watched::say(&about),
        engine::say(&about, &engine, network.subnets.known()),
        parameters::say(&about, &parameters),
        network::say(&about, &network),
        keys::say(&about, &keys),
        storage::say(&about, &storage),
        limits::say(&about, &limits),
        elsewhere.as_ref().map(|facts| elsewhere::say(&about, facts)).unwrap_or_default(),
        doubts(
            &about,
            [
                engine.doubts(),
                parameters.doubts(),
                network.doubts(),
                keys.doubts(),
                storage.doubts(),
                limits.doubts(),
                elsewhere.map(|facts| facts.doubts()).unwrap_or_default(),
            ]
            .concat(),
        ),
    ];
    let acknowledged =
        |told: Diagnostic| if ACCEPTABLE.contains(&told.code) { told.acknowledged(accepted) } else { told };
    said.into_iter().flatten().map(acknowledged).collect()
}

/// What is about to be done, and what is known of it without asking.
#[derive(Debug, Clone, Copy)]
struct About<'a> {
    spec: &'a Spec,
    plan: &'a Plan,
    desired: &'a [Resource],
    observed: &'a [Observed],
    region: &'a str,
    accepted: &'a BTreeSet<String>,
    /// Whether what interrupts service shall happen during apply.
    now: bool,
    today: Date,
}

impl<'a> About<'a> {
    /// The steps of a kind in the block's own region.
    fn steps(&self, kind: &'static str) -> impl Iterator<Item = &'a Step> + use<'a> {
        let is_here = move |id: &Id| id.kind == kind && names::place(&id.kind, &id.name).0.is_none();
        self.plan.steps.iter().filter(move |step| is_here(&step.id))
    }

    /// What is made of a kind here.
    fn made(&self, kind: &'static str) -> impl Iterator<Item = &'a Resource> + use<'a> {
        self.steps(kind).filter_map(|step| match &step.action {
            Action::Create { resource } => Some(resource),
            Action::Update { .. } | Action::Delete { .. } => None,
        })
    }

    /// What is made of a kind here and is not begun yet.
    fn begun_anew(&self, kind: &'static str) -> impl Iterator<Item = &'a Resource> + use<'a> {
        let about = *self;
        self.made(kind).filter(move |resource| about.seen(&resource.id).is_none())
    }

    /// What is changed of a kind here.
    fn changes(&self, kind: &'static str) -> impl Iterator<Item = (&'a Id, &'a Change)> + use<'a> {
        self.steps(kind).flat_map(|step| step.action.changes().iter().map(|change| (&step.id, change)))
    }

    /// The change of a field of the instance.
    fn change(&self, field: &str) -> Option<&'a Change> {
        self.changes(instance::NAME).map(|(_, change)| change).find(|change| change.field == field)
    }

    fn seen(&self, id: &Id) -> Option<&'a Observed> {
        self.observed.iter().find(|seen| seen.id == *id)
    }

    /// A field of the instance as it is.
    fn live(&self, field: &str) -> Option<&'a Value> {
        self.seen(&instance::id(self.spec))?.props.get(field)
    }

    /// A field of the instance as it should be.
    fn wanted(&self, field: &str) -> Option<&'a Value> {
        let id = instance::id(self.spec);
        self.desired.iter().find(|one| one.id == id)?.props.get(field).filter(|value| !value.is_null())
    }

    fn has_accepted(&self, code: &str) -> bool {
        self.accepted.contains(code)
    }

    fn error(&self, code: &'static str, at: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(&self.spec.block, at)
    }

    fn warning(&self, code: &'static str, at: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(code, message).at(&self.spec.block, at)
    }

    fn note(&self, code: &'static str, at: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::note(code, message).at(&self.spec.block, at)
    }
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
enum Answer<T> {
    /// It does not matter, so nobody asked.
    Unasked,
    /// AWS told.
    Told(T),
    /// AWS did not tell: what that leaves unchecked, in words, and why.
    Untold(Doubt),
}

impl<T> Answer<T> {
    /// What AWS answered to a question; `what` says what is not checked without it.
    fn to(what: &'static str, answer: Result<T, AwsError>) -> Self {
        match answer {
            Ok(told) => Self::Told(told),
            Err(error) => Self::Untold(Doubt { what, error }),
        }
    }

    fn known(&self) -> Option<&T> {
        match self {
            Self::Told(told) => Some(told),
            Self::Unasked | Self::Untold(_) => None,
        }
    }

    fn doubt(&self) -> Option<Doubt> {
        match self {
            Self::Untold(doubt) => Some(doubt.clone()),
            Self::Unasked | Self::Told(_) => None,
        }
    }
}

/// Something that was not looked at.
#[derive(Debug, Clone, PartialEq)]
struct Doubt {
    what: &'static str,
    error: AwsError,
}

/// What could not be looked at, once for each call. A version that somebody wants although this version of pgherd believes it gone is
/// told aloud: nobody has looked at it then.
fn doubts(about: &About<'_>, doubts: Vec<Doubt>) -> Vec<Diagnostic> {
    let mut told = BTreeSet::new();
    let first = doubts.into_iter().filter(|doubt| told.insert(doubt.error.permission()));
    let said = first.map(|Doubt { what, error }| {
        let message = match error.kind() {
            pgherd_engine::provider::ErrorKind::Denied => {
                format!("pgherd may not {}; {what}", error.permission())
            }
            _ => format!("{error}; {what}"),
        };
        let told = about.note("could-not-check", "", message);
        let is_risky = what == engine::VERSION && about.has_accepted(VERSION_UNAVAILABLE);
        if is_risky { Diagnostic { severity: Severity::Warning, ..told } } else { told }
    });
    said.collect()
}

/// Names in a row, as a sentence has them: `a, b or c`.
fn either(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
