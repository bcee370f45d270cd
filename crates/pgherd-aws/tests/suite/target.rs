//! The emulated AWS as a world of the suite.

use std::time::Instant;

use jiff::Timestamp;
use pgherd_core::resource::Id;
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_emulate::Speed;
use pgherd_emulate::clock::Clock;
use pgherd_emulate::wire::{Body, Fields, Form, Said};
use pgherd_engine::provider::Provider;
use pgherd_engine::suite::{self, Fault};

use crate::world::{REGION, ROLES, World, hangs, spec};

/// An AWS in which each call takes so many seconds; `WHOLE`: with everything around RDS.
pub struct Cloud<const WHOLE: bool, const SECONDS: i64>(pub World);

/// Everything of a block.
pub type Whole = Cloud<true, 20>;
/// The servers and their groups.
pub type Servers = Cloud<false, 20>;
/// The same in few calls, where an apply is begun once for each.
pub type Hurried<const WHOLE: bool> = Cloud<WHOLE, 300>;

/// Longer than RDS optimizes a change of storage, in seconds.
const TWO_DAYS: i64 = 2 * 24 * 3600;

impl<const WHOLE: bool, const SECONDS: i64> suite::World for Cloud<WHOLE, SECONDS> {
    async fn new() -> Self {
        let mut world = if WHOLE { World::whole(SECONDS).await } else { World::going_by(SECONDS).await };
        // Said aloud by a test of its own.
        world.accepted.insert("port-restarts-now".to_owned());
        Self(world)
    }

    async fn like(&self) -> Option<Self> {
        Some(Self(self.0.like().await))
    }

    fn provider(&self) -> Box<dyn Provider> {
        self.0.provider()
    }

    fn spec(arguments: &str) -> Spec {
        spec(arguments)
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn rest(&self) {
        self.0.pass(TWO_DAYS);
    }

    fn slowly(&self) {
        self.0.emulator.with(|emulation| {
            let real = Instant::now();
            emulation.clock = Clock::new(Speed::PerCall { seconds: 40 }, emulation.clock.now(real), real);
        });
    }

    fn is_at_work(&self) -> bool {
        self.0.region(|region| region.instances.values().any(|instance| !instance.phases.is_empty()))
    }

    fn calls(&self) -> usize {
        self.0.emulator.asked().len()
    }

    fn writes(&self) -> Vec<String> {
        self.0.writes_of_all()
    }

    fn forget_calls(&self) {
        self.0.forget_what_was_asked();
    }

    fn disturb(&self, nth: usize, fault: Fault) {
        let fault = match fault {
            Fault::Hang => r#""fault":"hang""#.to_owned(),
            Fault::Lost => r#""fault":"lost""#.to_owned(),
            Fault::Throttled => format!(r#""fault":"throttle","times":{}"#, u32::MAX),
        };
        self.0.fault(&format!(r#"{{"nth":{nth},{fault}}}"#));
    }

    fn calm(&self) {
        self.0.emulator.with(|emulation| emulation.faults.clear());
    }

    fn was_disturbed(&self) -> bool {
        let faults = ["hang", "lost", "throttle", "Throttling", "ThrottlingException", "RequestLimitExceeded"];
        self.0.emulator.asked().iter().any(|asked| faults.contains(&asked.outcome.as_str()))
    }

    async fn hung(&self) {
        hangs(&self.0).await;
    }

    fn things(&self) -> Vec<String> {
        let of_rds = self.0.region(|region| {
            let named = |kind: &str, names: Vec<&String>| -> Vec<String> {
                names.into_iter().map(|name| format!("{kind} {name}")).collect()
            };
            let groups = region.around.security_groups.values().filter(|group| group.name != "default");
            let snapshots = region.snapshots.values().map(|snapshot| &snapshot.instance);
            [
                named("instance", region.instances.keys().collect()),
                named("parameter group", region.parameter_groups.keys().collect()),
                named("subnet group", region.subnet_groups.keys().collect()),
                named("security group", groups.map(|group| &group.name).collect()),
                named("snapshot of", snapshots.collect()),
            ]
            .concat()
        });
        let around = LISTS.iter().flat_map(|(service, action, field)| listed(&self.0, service, action, field));
        let mut all: Vec<String> = of_rds.into_iter().chain(around).collect();
        all.retain(|thing| !ROLES.iter().any(|(name, _)| *thing == format!("RoleName {name}")));
        all.sort();
        all
    }

    fn made(&self) -> Vec<String> {
        let asked = self.0.emulator.asked();
        let made = asked.iter().filter(|asked| asked.action.starts_with("Create"));
        // These two give what is there already.
        let made = made.filter(|asked| !["CreateTags", "CreateTopic"].contains(&asked.action.as_str()));
        let made = made.filter(|asked| ["ok", "lost", "hang"].contains(&asked.outcome.as_str()));
        let mut made: Vec<String> = made
            .map(|asked| {
                let names = [
                    "DBInstanceIdentifier",
                    "DBParameterGroupName",
                    "DBSubnetGroupName",
                    "GroupName",
                    "RoleName",
                    "Name",
                    "logGroupName",
                ];
                let name = names.iter().find_map(|name| asked.parameters.get(*name)).cloned().unwrap_or_default();
                format!("{} {name}", asked.action)
            })
            .collect();
        made.sort();
        made
    }

    fn tamper(&self, id: &Id, field: &str, seen: &Value) -> bool {
        crate::drift::tamper(&self.0, id, field, seen)
    }
}

/// What lists the things around RDS, and the field with their names.
const LISTS: [(&str, &str, &str); 6] = [
    ("secretsmanager", "ListSecrets", "Name"),
    ("iam", "ListRoles", "RoleName"),
    ("logs", "DescribeLogGroups", "logGroupName"),
    ("monitoring", "DescribeAlarms", "AlarmName"),
    ("monitoring", "ListDashboards", "DashboardName"),
    ("sns", "ListTopics", "TopicArn"),
];

/// The names that a list tells. Secrets on their way out are not listed by AWS.
fn listed(world: &World, service: &str, action: &str, field: &str) -> Vec<String> {
    let form = Form::of([("Action", action)]);
    let body = match service {
        "iam" | "sns" => Body::Form(form),
        _ => Body::Fields(Fields::of(serde_json::json!({})).expect("an object")),
    };
    let said = world.emulator.with(|emulation| emulation.tamper(service, REGION, action, &body, Instant::now()));
    let names = match said.unwrap_or_else(|refusal| panic!("{action}: {refusal:?}")) {
        Said::Fields(told) => named(&told, field),
        Said::Xml(told) => {
            let (told, tag) = (told.document(""), format!("<{field}>"));
            let each = told.split(tag.as_str()).skip(1);
            each.filter_map(|rest| rest.split('<').next().map(str::to_owned)).collect()
        }
    };
    names.into_iter().map(|name| format!("{field} {name}")).collect()
}

/// The texts of a field, however deep.
fn named(told: &serde_json::Value, field: &str) -> Vec<String> {
    match told {
        serde_json::Value::Array(items) => items.iter().flat_map(|item| named(item, field)).collect(),
        serde_json::Value::Object(entries) => entries
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(text) if name == field => vec![text.to_owned()],
                _ => named(value, field),
            })
            .collect(),
        _ => Vec::new(),
    }
}
