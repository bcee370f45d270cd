//! What is wanted can be planned: in an order that exists, and to an end.

use pgherd_aws::KINDS;
use pgherd_core::plan::{Plan, Timing, plan};
use pgherd_core::resource::{Id, Observed, Status};
use pgherd_core::window::Window;

use super::*;

fn planned(wanted: &[Resource], seen: &[Observed]) -> Plan {
    let window = Window::parse_weekly("sun:04:00-sun:05:00").expect("a window");
    let timing = Timing { now: jiff::Timestamp::UNIX_EPOCH, window, apply_now: false };
    plan(KINDS, "database", wanted, seen, &timing)
}

/// What would be there after all of it was made, with what AWS assigns.
fn made(wanted: &[Resource]) -> Vec<Observed> {
    let written = |id: &Id, field: &str| wanted.iter().find(|one| one.id == *id)?.props.get(field).cloned();
    let assigned = |id: &Id, field: &str| Some(written(id, field).unwrap_or_else(|| format!("{field} of {id}").into()));
    let outputs: Vec<_> = wanted.iter().flat_map(|one| one.props.values().flat_map(Value::outputs)).collect();
    let seen = |resource: &Resource| {
        let mut props: pgherd_core::value::Props =
            resource.props.iter().map(|(name, value)| (name.clone(), value.with_outputs(&assigned))).collect();
        for (_, field) in outputs.iter().filter(|(id, _)| **id == resource.id) {
            props.entry((*field).to_owned()).or_insert_with(|| assigned(&resource.id, field).expect("always some"));
        }
        let (id, needs) = (resource.id.clone(), resource.needs.clone());
        Observed { id, props, status: Status::Available, pending: Vec::new(), needs, protected: false }
    };
    wanted.iter().map(seen).collect()
}

#[test]
fn everything_is_made_in_some_order_once() {
    let wanted = resources(table::EVERYTHING);
    let plan = planned(&wanted, &[]);
    assert_eq!((plan.steps.len(), plan.diagnostics.as_slice()), (wanted.len(), [].as_slice()));
}

#[test]
fn what_was_made_is_what_is_wanted() {
    for arguments in [table::EVERYTHING, ""] {
        let wanted = resources(arguments);
        let plan = planned(&wanted, &made(&wanted));
        let left: Vec<_> = plan.steps.iter().map(|step| step.id.to_string()).collect();
        assert_eq!(
            (left.as_slice(), plan.diagnostics.as_slice()),
            ([""; 0].map(str::to_owned).as_slice(), [].as_slice())
        );
    }
}

/// Two zones are no help where both change.
#[test]
fn what_two_zones_do_not_bridge_is_said() {
    let of = |more: &str| resources(&format!("multi_az = true\n{more}"));
    let said = |from: &str, to: &str| {
        let plan = planned(&of(to), &made(&of(from)));
        let changes = plan.steps.iter().flat_map(|step| step.action.changes());
        changes.map(|change| format!("{}: {:?}", change.field, change.impact)).collect::<Vec<_>>()
    };
    let version = said("engine_version = \"16.13\"", "engine_version = \"16.14\"");
    assert_eq!(version, ["EngineVersion: Restart { about_s: 60 }"]);
    let class = said("instance_class = \"db.r5.large\"", "instance_class = \"db.r5.xlarge\"");
    assert_eq!(class, ["DBInstanceClass: Failover { about_s: 120 }", "Threshold: None"]);
}
