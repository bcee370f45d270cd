//! What a plan says for what is desired and what is observed. Whole plans, as they are printed.

mod compared;
mod late;
mod left;
mod ordered;
mod saved;
mod shown;
mod states;
mod timed;

use jiff::Timestamp;
use pgherd_core::diagnostic::Severity;
use pgherd_core::lint::{self, Intent};
use pgherd_core::plan::{self, Plan, Timing, text};
use pgherd_core::resource::{
    Differs, Equality, Field, Id, Impact, ImpactRule, Kind, Observed, Owner, Pending, Resource, Status,
};
use pgherd_core::value::{Props, Value};
use pgherd_core::window::Window;

const RESTART: Impact = Impact::Restart { about_s: 20 };
const FAILOVER: Impact = Impact::Failover { about_s: 60 };

/// A target with one field of every sort.
static KINDS: [Kind; 6] = [
    Kind {
        name: "network",
        holds_data: false,
        outlives: false,
        fields: &[field("cidrs", Owner::Set, Equality::Unordered, Impact::None)],
    },
    Kind { name: "settings", holds_data: false, outlives: false, fields: &[SETTINGS] },
    Kind { name: "database", holds_data: true, outlives: false, fields: &DATABASE },
    Kind {
        name: "replica",
        holds_data: false,
        outlives: false,
        fields: &[field("class", Owner::Set, Equality::Exact, FAILOVER)],
    },
    Kind { name: "group", holds_data: false, outlives: false, fields: &[GROUP] },
    Kind {
        name: "log",
        holds_data: false,
        outlives: true,
        fields: &[field("days", Owner::Floor, Equality::Exact, Impact::None)],
    },
];

const SETTINGS: Field = Field {
    name: "parameters.*",
    owner: Owner::Set,
    equality: Equality::Parameter,
    impact: ImpactRule::Parameter(RESTART),
};

/// Settings as RDS keeps them: no window restarts for them.
const GROUP: Field = Field { impact: ImpactRule::ParameterUntilRestart(RESTART), ..SETTINGS };

const DATABASE: [Field; 14] = [
    field("class", Owner::Set, Equality::Exact, FAILOVER),
    field("storage_gib", Owner::Floor, Equality::Exact, Impact::None),
    field("version", Owner::Floor, Equality::Version, RESTART),
    field("zone", Owner::Theirs, Equality::Exact, Impact::None),
    field("dbname", Owner::Fixed { migration: "dump it and restore it under the new name" }, Equality::Exact, RESTART),
    field("password", Owner::Set, Equality::Exact, Impact::NewConnections),
    field("policy", Owner::Set, Equality::Json, Impact::None),
    field("engine", Owner::Set, Equality::IgnoreCase, Impact::Unknown),
    field("port", Owner::Set, Equality::Exact, Impact::Reconnect),
    field("address", Owner::Set, Equality::Exact, Impact::None),
    field("tags.*", Owner::Set, Equality::Exact, Impact::None),
    Field { impact: ImpactRule::AtOnce(RESTART), ..field("listener", Owner::Set, Equality::Exact, Impact::None) },
    Field { impact: ImpactRule::UntilRestart(RESTART), ..field("group", Owner::Set, Equality::Exact, Impact::None) },
    Field {
        impact: ImpactRule::By(of_retention),
        ..field("retention_days", Owner::Set, Equality::Exact, Impact::None)
    },
];

/// Backups that begin or end restart the server, and its standby takes over where there is one.
fn of_retention(differs: &Differs<'_>) -> Impact {
    let is_off = |value: &Value| value.as_int() == Some(0);
    match (is_off(differs.from) == is_off(differs.to), differs.seen.get("zone")) {
        (true, _) => Impact::None,
        (false, Some(_)) => FAILOVER,
        (false, None) => RESTART,
    }
}

const fn field(name: &'static str, owner: Owner, equality: Equality, impact: Impact) -> Field {
    Field { name, owner, equality, impact: ImpactRule::Always(impact) }
}

fn wanted<const N: usize>(kind: &str, props: [(&str, Value); N]) -> Resource {
    Resource { id: Id::new(kind, "dev"), props: props_of(props), needs: Vec::new() }
}

fn live<const N: usize>(kind: &str, props: [(&str, Value); N]) -> Observed {
    Observed {
        id: Id::new(kind, "dev"),
        props: props_of(props),
        status: Status::Available,
        pending: Vec::new(),
        needs: Vec::new(),
        protected: false,
    }
}

fn props_of<const N: usize>(props: [(&str, Value); N]) -> Props {
    props.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn map<const N: usize>(entries: [(&str, &str); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
}

fn list<const N: usize>(items: [&str; N]) -> Value {
    Value::List(items.into_iter().map(Value::from).collect())
}

/// Saturday evening; the window opens on Sunday at four.
fn saturday() -> Timing {
    Timing {
        now: "2026-11-21T22:00:00Z".parse::<Timestamp>().expect("a time"),
        window: Window::parse_weekly("sun:04:00-sun:05:00").expect("a window"),
        apply_now: false,
    }
}

fn planned(desired: &[Resource], observed: &[Observed]) -> Plan {
    plan::plan(&KINDS, "database_dev", desired, observed, &saturday())
}

/// A plan as it is printed: lines, then diagnostics, then the sum.
fn printed(plan: &Plan) -> String {
    let mut plan = plan.clone();
    plan.diagnostics.extend(lint::lint(&plan, Intent::default()));
    let mut printed: Vec<String> = text::lines(&plan, false).into_iter().map(|line| line.text).collect();
    printed.extend(plan.diagnostics.iter().map(|diagnostic| {
        let severity = match diagnostic.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let help = if diagnostic.help.is_empty() { String::new() } else { format!("\n  help: {}", diagnostic.help) };
        format!("{severity}[{}]: {}{help}", diagnostic.code, diagnostic.message)
    }));
    printed.push(lint::summary([&plan]).to_string());
    printed.join("\n")
}

fn waits_for_restart(mut observed: Observed, field: &str) -> Observed {
    observed.pending.push(Pending { field: field.to_owned(), waits_for: "restart".to_owned() });
    observed
}
