//! A block that is planned where nobody is asked, for the tables of what is said about it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, date};
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::{At, Diagnostic, Severity};
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::plan::{Plan, Timing, plan};
use pgherd_core::resource::{Observed, Resource, Status};
use pgherd_core::spec::{Spec, resolve};

use super::About;
use crate::desired::desired;
use crate::kinds::{KINDS, instance, parameter_group, replica, subnet_group};

const REGION: &str = "eu-central-1";
const TODAY: Date = date(2026, 11, 22);
const SERVERS: [&str; 4] = [instance::NAME, replica::NAME, parameter_group::NAME, subnet_group::NAME];

const BASE: &str = r#"
    name                  = "orders"
    engine_version        = "16.13"
    instance_class        = "db.t3.micro"
    allocated_storage     = 20
    storage_type          = "gp3"
    subnet_ids            = ["s-a", "s-b"]
    create_security_group = false
    security_group_ids    = ["sg-1"]
"#;

/// A block, and what there is of it.
pub(super) struct Case {
    spec: Spec,
    desired: Vec<Resource>,
    observed: Vec<Observed>,
    now: bool,
    accepted: BTreeSet<String>,
}

impl Case {
    /// A block of which there is nothing yet; `more` arguments, a line each.
    pub(super) fn made(more: &str) -> Self {
        let spec = spec(more);
        let desired = desired(&spec, REGION);
        Self { spec, desired, observed: Vec::new(), now: false, accepted: BTreeSet::new() }
    }

    /// A block whose servers are as with the first arguments and shall be as with the others.
    pub(super) fn changed(from: &str, to: &str) -> Self {
        let servers = |more: &str| {
            let spec = spec(more);
            let mut desired = desired(&spec, REGION);
            desired.retain(|one| SERVERS.contains(&one.id.kind.as_str()));
            desired.iter_mut().for_each(|one| one.needs.retain(|id| SERVERS.contains(&id.kind.as_str())));
            (spec, desired)
        };
        let there = |one: Resource| Observed {
            id: one.id,
            props: one.props,
            status: Status::Available,
            pending: Vec::new(),
            needs: one.needs,
            protected: false,
        };
        let observed = servers(from).1.into_iter().map(there).collect();
        let (spec, desired) = servers(to);
        Self { spec, desired, observed, now: false, accepted: BTreeSet::new() }.seen(|seen| {
            let version = seen.props.get("EngineVersion").cloned();
            seen.props.extend(version.map(|version| ("engine_version_actual".to_owned(), version)));
        })
    }

    /// The same with another look at the instance.
    pub(super) fn seen(mut self, look: impl Fn(&mut Observed)) -> Self {
        self.observed.iter_mut().filter(|seen| seen.id.kind == instance::NAME).for_each(look);
        self
    }

    /// The same with what interrupts service.
    pub(super) fn now(self) -> Self {
        Self { now: true, ..self }
    }

    /// The same where the user has accepted something by its code.
    pub(super) fn accepting(mut self, code: &str) -> Self {
        self.accepted.insert(code.to_owned());
        self
    }

    fn plan(&self) -> Plan {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let timing = Timing { now, window: self.spec.maintenance_window, apply_now: self.now };
        plan(KINDS, &self.spec.block, &self.desired, &self.observed, &timing)
    }

    /// Checks what is said, a line each: severity, variable, message and, in brackets, help.
    #[track_caller]
    pub(super) fn check(&self, say: impl Fn(&About<'_>) -> Vec<Diagnostic>, expected: &[&str]) {
        let plan = self.plan();
        let about = About {
            spec: &self.spec,
            plan: &plan,
            desired: &self.desired,
            observed: &self.observed,
            region: REGION,
            accepted: &self.accepted,
            now: self.now,
            today: TODAY,
        };
        let said: Vec<String> = say(&about).iter().map(shown).collect();
        assert_eq!(said, expected);
    }
}

fn shown(told: &Diagnostic) -> String {
    let severity = match told.severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let at = match &told.at {
        At::Variable { path, .. } if !path.is_empty() => path,
        At::Variable { .. } | At::Nowhere | At::Source { .. } => "-",
    };
    let help = if told.help.is_empty() { String::new() } else { format!(" [{}]", told.help) };
    format!("{severity} {at}: {}{help}", told.message)
}

/// The base block where some arguments are written otherwise.
fn spec(more: &str) -> Spec {
    let pairs = |text: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
    };
    let mut arguments = pairs(BASE);
    arguments.extend(pairs(more));
    let lines = arguments.iter().filter(|(_, value)| *value != "null");
    let lines: String = lines.map(|(name, value)| format!("{name} = {value}\n")).collect();
    let text = format!("module \"database\" {{\n{lines}}}\n");
    let document = read(&Sources::from_bytes("db.hcl", text.into_bytes()), &Given::default());
    resolve(document.blocks.first().expect("a block"), Some(Cloud::Aws)).0.expect("the target is given")
}
