//! Field by field: what of a resource differs, by the table of its kind.

use std::collections::{BTreeMap, BTreeSet};

use super::late::Late;
use super::{Change, Timing, When, equal};
use crate::catalogue::parameters;
use crate::diagnostic::Diagnostic;
use crate::resource::{Differs, Equality, Field, Impact, ImpactRule, Kind, Observed, Owner, Resource, Status};
use crate::value::{Props, Value};
use crate::version::Version;

/// What comparing found.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) changes: Vec<Change>,
    /// Differences that no step can remove.
    pub(super) refused: Vec<Diagnostic>,
}

/// Compares a resource with what is there. Only desired fields are compared.
pub(super) fn resources(
    kind: &Kind,
    resource: &Resource,
    seen: &Observed,
    late: Late<'_>,
    timing: &Timing,
) -> Compared {
    let mut compared = Compared::default();
    for (name, wanted) in &resource.props {
        for pair in pairs(kind, name, wanted, seen) {
            match pair.verdict(late, timing) {
                Verdict::Same => {}
                Verdict::Differs => compared.changes.push(pair.change(pair.found, timing)),
                Verdict::Waits => compared.changes.push(pair.change(pair.wanted, timing)),
                Verdict::Refused(diagnostic) => compared.refused.push(diagnostic),
            }
        }
    }
    compared
}

/// Two values to compare, and how.
struct Pair<'a> {
    /// Name of the field, with the key for maps.
    name: String,
    /// What the field is called where it has a name of its own in PostgreSQL: the key for maps.
    parameter: String,
    field: &'a Field,
    wanted: &'a Value,
    found: &'a Value,
    /// Everything else that was found.
    seen: &'a Observed,
}

enum Verdict {
    Same,
    Differs,
    /// Accepted before, and to take effect now.
    Waits,
    Refused(Diagnostic),
}

static NOTHING: Props = BTreeMap::new();

/// The pairs of one prop: itself, or each key where the kind declares `<name>.*`.
fn pairs<'a>(kind: &'a Kind, name: &str, wanted: &'a Value, seen: &'a Observed) -> Vec<Pair<'a>> {
    let found = seen.props.get(name).unwrap_or(&Value::Null);
    let field = |name: &str| {
        kind.field(name).unwrap_or_else(|| panic!("a {} has a field {name} that its table does not list", kind.name))
    };
    let keyed = kind.fields.iter().any(|field| field.name.strip_suffix(".*") == Some(name));
    let (Some(wanted), Some(found), true) = (entries(wanted), entries(found), keyed) else {
        let field = field(&if keyed { format!("{name}.*") } else { name.to_owned() });
        return vec![Pair { name: name.to_owned(), parameter: name.to_owned(), field, wanted, found, seen }];
    };
    let keys: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    keys.into_iter()
        .map(|key| Pair {
            name: format!("{name}.{key}"),
            parameter: key.clone(),
            field: field(&format!("{name}.{key}")),
            wanted: wanted.get(key).unwrap_or(&Value::Null),
            found: found.get(key).unwrap_or(&Value::Null),
            seen,
        })
        .collect()
}

/// The entries of a map; an absent map has none.
fn entries(value: &Value) -> Option<&Props> {
    if value.is_null() { Some(&NOTHING) } else { value.as_map() }
}

impl Pair<'_> {
    fn verdict(&self, late: Late<'_>, timing: &Timing) -> Verdict {
        if !self.wanted.is_known() {
            return self.unknown(late);
        }
        let same = equal::same(self.field.equality, &self.parameter, self.wanted, self.found);
        match self.field.owner {
            Owner::Theirs => Verdict::Same,
            Owner::Set if same => self.unless_it_waits(timing),
            Owner::Set => Verdict::Differs,
            Owner::Floor if same => self.unless_it_waits(timing),
            Owner::Floor => self.floor(),
            // What was half-made may not have the field yet.
            Owner::Fixed { .. }
                if same || matches!(self.seen.status, Status::Incomplete(_)) && self.found.is_null() =>
            {
                Verdict::Same
            }
            Owner::Fixed { migration } => {
                let (Self { name, wanted, found, .. }, id) = (self, &self.seen.id);
                let message = format!("{name} of {id} is fixed at creation: it is {found} and cannot become {wanted}");
                Verdict::Refused(Diagnostic::error("fixed-field", message).help(migration))
            }
        }
    }

    /// What a step of this plan makes is not what is there now; what nobody knows cannot be compared.
    fn unknown(&self, late: Late<'_>) -> Verdict {
        let will_be_known = self.wanted.unknown().is_none() && late.is_made(self.wanted);
        match self.field.owner {
            Owner::Set if will_be_known => Verdict::Differs,
            Owner::Set | Owner::Floor | Owner::Theirs | Owner::Fixed { .. } => Verdict::Same,
        }
    }

    /// An accepted change that waits is done now when that was asked for.
    fn unless_it_waits(&self, timing: &Timing) -> Verdict {
        let waits = self.seen.pending.iter().any(|pending| pending.field == self.name);
        if waits && timing.apply_now { Verdict::Waits } else { Verdict::Same }
    }

    fn floor(&self) -> Verdict {
        let id = &self.seen.id;
        if self.field.equality == Equality::Version
            && let (Some(wanted), Some(found)) = (version(self.wanted), version(self.found))
        {
            return match wanted.major.cmp(&found.major) {
                std::cmp::Ordering::Greater => Verdict::Differs,
                std::cmp::Ordering::Equal if wanted.minor > found.minor => Verdict::Differs,
                std::cmp::Ordering::Equal => Verdict::Same,
                std::cmp::Ordering::Less => Verdict::Refused(
                    Diagnostic::error("downgrade", format!("{id} runs version {found} and cannot go back to {wanted}"))
                        .help(format!(
                            "write {found}, or restore a dump of it into a new database of version {wanted}"
                        )),
                ),
            };
        }
        match (equal::number(self.wanted), equal::number(self.found)) {
            (Some(wanted), Some(found)) if found >= wanted => Verdict::Same,
            // Nothing is wanted, so whatever is there is above it.
            _ if self.wanted.is_null() => Verdict::Same,
            _ => Verdict::Differs,
        }
    }

    fn change(&self, from: &Value, timing: &Timing) -> Change {
        let (impact, when) = self.cost(from, timing);
        Change { field: self.name.clone(), from: from.clone(), to: self.wanted.clone(), impact, when }
    }

    fn cost(&self, from: &Value, timing: &Timing) -> (Impact, When) {
        let usual = |impact: Impact| (impact, timing.of(impact));
        let at_restart = |impact: Impact| (impact, timing.at_restart(impact));
        match self.field.impact {
            ImpactRule::Always(impact) => usual(impact),
            ImpactRule::Switch { on, off } => usual(if *self.wanted == Value::Bool(true) { on } else { off }),
            ImpactRule::Parameter(restart) => usual(parameters::impact(&self.parameter, None, restart)),
            ImpactRule::By(rule) => usual(self.judged(rule, from)),
            ImpactRule::AtOnce(impact) => (impact, When::Now),
            ImpactRule::ByAtOnce(rule) => (self.judged(rule, from), When::Now),
            ImpactRule::ParameterAtOnce(restart) => (parameters::impact(&self.parameter, None, restart), When::Now),
            ImpactRule::UntilRestart(restart) => at_restart(restart),
            ImpactRule::ParameterUntilRestart(restart) => {
                at_restart(parameters::impact(&self.parameter, None, restart))
            }
        }
    }

    fn judged(&self, rule: fn(&Differs<'_>) -> Impact, from: &Value) -> Impact {
        let impact = rule(&Differs { from, to: self.wanted, seen: &self.seen.props });
        // It waits because it interrupts service, and what it comes from, which would tell how, is no longer told.
        if from == self.wanted && !impact.interrupts() { Impact::Unknown } else { impact }
    }
}

fn version(value: &Value) -> Option<Version> {
    match value {
        Value::Text(text) => Version::parse(text),
        _ => value.as_int().and_then(|major| Version::parse(&major.to_string())),
    }
}
