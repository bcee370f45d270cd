//! A plan as lines of aligned text. Colour is the printer's business, by the sign of each line.

use super::{Action, Change, Plan, Step, When};
use crate::resource::{Impact, Observed, Pending};
use crate::value::Value;

/// One line, ready to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What the line is about.
    pub sign: Sign,
    /// The whole line, sign included, without colour.
    pub text: String,
}

/// What a line says happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Made: `+`.
    Create,
    /// Changed: `~`.
    Change,
    /// Removed: `-`.
    Delete,
    /// More about the line above.
    Detail,
}

impl Sign {
    /// The sign as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Change => "~",
            Self::Delete => "-",
            Self::Detail => " ",
        }
    }
}

/// Longest `from -> to` that is shown on one line.
const ONE_LINE: usize = 60;

/// The steps of a plan, a line for each change, and what nobody wrote of what is made; with `verbose` every field of that.
pub fn lines(plan: &Plan, verbose: bool) -> Vec<Line> {
    let updated = plan.steps.iter().filter(|step| matches!(step.action, Action::Update { .. })).count();
    let rows: Vec<Row> = plan
        .steps
        .iter()
        .flat_map(|step| {
            let derived = plan.derived.get(&step.id).map(Vec::as_slice).unwrap_or_default();
            rows(step, derived, updated > 1, verbose)
        })
        .collect();
    align(&rows)
}

/// What was accepted before and still waits, as far as the steps do nothing about it.
pub fn waiting<'a>(steps: &[Step], seen: &'a Observed) -> Vec<&'a Pending> {
    let is_planned = |pending: &&Pending| {
        steps.iter().filter(|step| step.id == seen.id).any(|step| match &step.action {
            Action::Update { changes, .. } => changes.iter().any(|change| change.field == pending.field),
            Action::Create { .. } | Action::Delete { .. } => true,
        })
    };
    seen.pending.iter().filter(|pending| !is_planned(pending)).collect()
}

/// When, as a column: `now`, `Sun 04:00Z` or `at restart`.
pub fn when(when: &When) -> String {
    match when {
        When::Now => "now".to_owned(),
        When::Window { opens } => opens.strftime("%a %H:%MZ").to_string(),
        When::Restart => "at restart".to_owned(),
    }
}

/// What users notice, as a column: `no impact`, `restart ~20 s`.
pub fn impact(impact: Impact) -> String {
    match impact {
        Impact::None => "no impact".to_owned(),
        Impact::NewConnections => "new connections".to_owned(),
        Impact::Reconnect => "reconnect".to_owned(),
        Impact::Restart { about_s } => format!("restart ~{about_s} s"),
        Impact::Failover { about_s } => format!("failover ~{about_s} s"),
        Impact::Unknown => "unknown impact".to_owned(),
    }
}

/// A line before it is aligned. Details stand outside of the columns.
struct Row {
    sign: Sign,
    columns: [String; 4],
    detail: String,
}

impl Row {
    fn new(sign: Sign, subject: impl Into<String>, change: impl Into<String>, when: String, impact: String) -> Self {
        Self { sign, columns: [subject.into(), change.into(), when, impact], detail: String::new() }
    }

    fn detail(detail: String) -> Self {
        Self { sign: Sign::Detail, columns: Default::default(), detail }
    }
}

fn rows(step: &Step, derived: &[String], name_resource: bool, verbose: bool) -> Vec<Row> {
    match &step.action {
        Action::Create { resource } => {
            let mut rows =
                vec![Row::new(Sign::Create, step.id.to_string(), "created", when(&When::Now), String::new())];
            if verbose {
                rows.extend(resource.props.iter().flat_map(|(name, value)| field(name, value)));
            } else {
                rows.extend(derived.iter().cloned().map(Row::detail));
            }
            rows
        }
        Action::Update { changes, .. } => {
            let prefix = if name_resource { format!("{} ", step.id) } else { String::new() };
            changes.iter().flat_map(|change| changed(&prefix, change)).collect()
        }
        Action::Delete { holds_data, .. } => {
            let change = if *holds_data { "destroyed, with its data" } else { "destroyed" };
            vec![Row::new(Sign::Delete, step.id.to_string(), change, when(&When::Now), String::new())]
        }
    }
}

/// A field of what is made; maps over several lines.
fn field(name: &str, value: &Value) -> Vec<Row> {
    match value {
        Value::Map(map) if !map.is_empty() => {
            map.iter().flat_map(|(key, value)| field(&format!("{name}.{key}"), value)).collect()
        }
        _ => vec![Row::detail(format!("{name} = {}", shown(value)))],
    }
}

fn changed(prefix: &str, change: &Change) -> Vec<Row> {
    let row = |text: String| {
        let subject = format!("{prefix}{}", change.field);
        Row::new(Sign::Change, subject, text, when(&change.when), impact(change.impact))
    };
    let (from, to) = (end(&change.field, &change.from), end(&change.field, &change.to));
    if change.is_waiting() {
        return vec![row(format!("{to} (was waiting)"))];
    }
    let text = format!("{from} -> {to}");
    if text.chars().count() <= ONE_LINE {
        return vec![row(text)];
    }
    vec![row("changed".to_owned()), Row::detail(format!("from {from}")), Row::detail(format!("  to {to}"))]
}

/// One end of a change. A setting that is no longer written is not nothing: what pgherd or PostgreSQL has by itself counts.
fn end(field: &str, value: &Value) -> String {
    if field.starts_with("parameters.") && value.is_null() { "(default)".to_owned() } else { shown(value) }
}

/// A value as it would be written, so that spaces and emptiness can be seen.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text)
            if text.is_empty() || text.contains(|char: char| char.is_whitespace() || char.is_control()) =>
        {
            format!("{text:?}")
        }
        Value::List(list) => format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let entries: Vec<_> = map.iter().map(|(key, value)| format!("{key} = {}", shown(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Secret(_)
        | Value::Unknown(_)
        | Value::Output(..) => value.to_string(),
    }
}

fn align(rows: &[Row]) -> Vec<Line> {
    let width = |column: usize| rows.iter().map(|row| row.columns[column].chars().count()).max().unwrap_or(0);
    let (w0, w1, w2) = (width(0), width(1), width(2));
    rows.iter()
        .map(|row| {
            let [subject, change, when, impact] = &row.columns;
            let sign = row.sign.as_str();
            let text = match row.sign {
                Sign::Detail => format!("      {}", row.detail),
                Sign::Create | Sign::Change | Sign::Delete => {
                    format!("  {sign} {subject:<w0$}  {change:<w1$}   {when:<w2$}   {impact}")
                }
            };
            Line { sign: row.sign, text: text.trim_end().to_owned() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Id, Resource, Status};
    use crate::value::Props;

    #[test]
    fn what_waits_is_told_beside_whatever_is_done_to_others() {
        let id = |kind: &str| Id::new(kind, "orders");
        let pending =
            |field: &str, waits_for: &str| Pending { field: field.to_owned(), waits_for: waits_for.to_owned() };
        let seen = Observed {
            id: id("instance"),
            props: Props::new(),
            status: Status::Available,
            pending: vec![
                pending("class", "the maintenance window"),
                pending("group", "a restart"),
                pending("port", "restart"),
            ],
            needs: Vec::new(),
            protected: false,
        };
        let step = |kind: &str, field: Option<&str>| {
            let resource = Resource { id: id(kind), props: Props::new(), needs: Vec::new() };
            let change = |field: &str| Change {
                field: field.to_owned(),
                from: Value::Null,
                to: Value::Int(1),
                impact: Impact::None,
                when: When::Now,
            };
            let action = match field {
                Some(field) => Action::Update { resource, changes: vec![change(field)] },
                None => Action::Create { resource },
            };
            Step { id: id(kind), action, needs: Vec::new() }
        };
        let told = |steps: &[Step]| {
            let waits = waiting(steps, &seen).into_iter();
            waits.map(|one| format!("{} waits for {}", one.field, one.what())).collect::<Vec<_>>()
        };
        let all = ["class waits for the maintenance window", "group waits for a restart", "port waits for a restart"];
        assert_eq!(told(&[]), all);
        assert_eq!(told(&[step("alarm", None), step("replica", Some("class"))]), all);
        assert_eq!(told(&[step("instance", Some("class"))]), all[1..]);
    }
}
