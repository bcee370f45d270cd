//! Names for the same setting, folded into one (rules A2 to A5).

use crate::diagnostic::{Diagnostic, Severity};
use crate::value::Value;
use crate::variables::{self, Variable, aliases};
use crate::version::Version;

use super::draft::{Draft, Written};
use super::gather::Found;

pub(super) fn fold(found: &Found, draft: &mut Draft) {
    for canonical in variables::all().filter(|variable| variable.canonical.is_none()) {
        let members = std::iter::once(canonical).chain(aliases(canonical.name));
        let written = members.filter_map(|member| found.get(member.name).cloned()).collect();
        if let Some(one) = fold_group(canonical, written, draft) {
            draft.written.insert(canonical.name, one);
        }
    }
}

/// The one value of a group. The first member written, or a more exact one, stands for those that agree with it; the
/// others are errors.
fn fold_group(canonical: &Variable, written: Vec<Written>, draft: &mut Draft) -> Option<Written> {
    let mut members = written.into_iter();
    let mut first = members.next()?;
    let mut extra = Vec::new();
    for member in members {
        match agreed(canonical, &first.value, &member.value) {
            Some(More::First) => extra.push(member.name),
            Some(More::Second) => extra.push(std::mem::replace(&mut first, member).name),
            None => draft.diagnostics.push(conflict(draft.block, canonical.name, &first, &member)),
        }
    }
    if let Some(last) = extra.last() {
        let say = if extra.len() == 1 { "says" } else { "say" };
        let message = format!("{} {say} the same as `{}`", quoted(&extra), first.name);
        let said = Diagnostic { severity: Severity::Warning, ..Diagnostic::error("said-twice", message) };
        draft.diagnostics.push(said.at(draft.block, *last).help(format!("write `{}` alone", canonical.name)));
    }
    Some(first)
}

/// Which of two members that agree says more.
enum More {
    First,
    Second,
}

/// Whether two members agree. A major agrees with each of its minors, and the more exact of the two holds.
fn agreed(canonical: &Variable, a: &Value, b: &Value) -> Option<More> {
    if a == b {
        return Some(More::First);
    }
    if canonical.name != "engine_version" {
        return None;
    }
    let (first, second) = (Version::parse(a.as_text()?)?, Version::parse(b.as_text()?)?);
    match (first.major == second.major, first.minor, second.minor) {
        (true, None, _) => Some(More::Second),
        (true, Some(_), None) => Some(More::First),
        (true, Some(_), Some(_)) | (false, _, _) => None,
    }
}

fn conflict(block: &str, canonical: &str, first: &Written, member: &Written) -> Diagnostic {
    let message = format!(
        "`{}` is {} and `{}` is {}, but both are the same setting",
        member.name, member.as_written, first.name, first.as_written,
    );
    Diagnostic::error("alias-conflict", message).at(block, member.name).help(format!("write `{canonical}` alone"))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
