//! Each variable of what stands around an instance, written otherwise: something changes, and then nothing.

use pgherd_engine::suite;

use crate::target::Whole;
use crate::world::{WHOLE, with};

/// Applies the whole block, then the same with an argument written otherwise, and checks what that is about, a line a step.
async fn check(more: &[(&str, &str)], expected: Vec<String>) {
    assert!(!expected.is_empty(), "{more:?} is no flip");
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    suite::changes_of_kinds::<Whole>(WHOLE, &with(WHOLE, more), &expected).await;
}

fn steps(steps: &[&str]) -> Vec<String> {
    steps.iter().map(|step| (*step).to_owned()).collect()
}

/// A step of the instance and of its replica.
fn both(verb: &str) -> Vec<String> {
    steps(&[&format!("{verb} instance orders"), &format!("{verb} replica orders-r1")])
}

const RULE: &str =
    "[{ type = \"ingress\", from_port = 5432, to_port = 5432, protocol = \"tcp\", cidr_blocks = [\"10.9.0.0/16\"] }]";

/// A step of each alarm of a server.
fn of_alarms(verb: &str, server: &str, about: &[&str]) -> Vec<String> {
    about.iter().map(|about| format!("{verb} alarm {server}-{about}")).collect()
}

/// The alarms of both servers about something, and what else there is to do, in order.
fn alarms(about: &str, more: &[&str]) -> Vec<String> {
    let of = |server: &str| of_alarms("update", server, &[about]);
    sorted([of("orders"), of("orders-r1"), steps(more)].concat())
}

/// What is watched of every server, and of a replica beside that.
const WATCHED: [&str; 5] = ["burst-credits", "connections", "cpu", "read-latency", "storage"];
const DASHBOARD: [&str; 1] = ["update dashboard orders-eu-central-1"];
const LAG: [&str; 1] = ["replica-lag"];

fn all_alarms_and(more: &str) -> Vec<String> {
    let of = |server: &str, about: &[&str]| of_alarms("update", server, about);
    sorted([of("orders", &WATCHED), of("orders-r1", &WATCHED), of("orders-r1", &LAG), steps(&[more])].concat())
}

/// What goes with the replica: its alarms, and its lines on the dashboard.
fn without_replica() -> Vec<String> {
    let of = |about: &[&str]| of_alarms("delete", "orders-r1", about);
    let rest = steps(&["delete replica orders-r1", "update dashboard orders-eu-central-1"]);
    sorted([of(&WATCHED), of(&LAG), rest].concat())
}

fn sorted(mut steps: Vec<String>) -> Vec<String> {
    steps.sort();
    steps
}

fn without_role() -> Vec<String> {
    let role = "delete role pgherd-orders-eu-central-1-monitoring";
    [steps(&[role]), both("update")].concat()
}

fn group_of_somebody_else() -> Vec<String> {
    [steps(&["delete security_group orders-db"]), both("update")].concat()
}

flips! {
    who_may_come_in {
        [("allowed_cidr_blocks", "[\"10.1.0.0/16\"]")] => steps(&["update security_group orders-db"]);
        [("allowed_security_group_ids", "[\"sg-default\"]")] => steps(&["update security_group orders-db"]);
        [("security_group_rules", RULE)] => steps(&["update security_group orders-db"]);
    }
    a_group_of_somebody_else {
        [("create_security_group", "false"), ("security_group_ids", "[\"sg-default\"]")] => group_of_somebody_else();
        [("security_group_ids", "[\"sg-default\"]")] => both("update");
    }
    who_is_told {
        [("alarm_targets", "[\"arn:aws:sns:eu-central-1:123456789012:theirs\"]")] => all_alarms_and("delete topic orders-alarms");
        [("create_dashboard", "false")] => all_alarms_and("delete dashboard orders-eu-central-1");
    }
    at_which_figures {
        [("alarms", "{ cpu_percent = 70 }")] => alarms("cpu", &DASHBOARD);
        [("alarms", "{ connections = 33 }")] => alarms("connections", &DASHBOARD);
        [("alarms", "{ free_storage_percent = 50 }")] => alarms("storage", &[]);
        [("alarms", "{ read_latency_seconds = 0.5 }")] => alarms("read-latency", &DASHBOARD);
    }
    a_replica {
        [("create_read_replica", "false")] => without_replica();
    }
    samples_logs_and_storage {
        [("monitoring_interval", "0")] => without_role();
        [("enable_logging", "false")] => both("update");
        [("storage_type", "\"gp2\"")] => both("update");
        [("preset", "\"dev\"")] => both("update");
    }
}
