//! The emulated Google Cloud as a world of the suite, and blocks on it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pgherd_core::cloud::Cloud;
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::resource::Id;
use pgherd_core::secret::Secret;
use pgherd_core::spec::{Spec, resolve};
use pgherd_core::value::Value;
use pgherd_emulate::Speed;
use pgherd_emulate::clock::Clock;
use pgherd_emulate::faults::Planned;
use pgherd_emulate::gcp::{self as emulated, Options, Running};
use pgherd_engine::provider::Provider;
use pgherd_engine::suite::{self, Fault};
use pgherd_gcp::{Fixed, Gcp, GcpOptions, Patience, Session, Token};
use pgherd_http::Policy;
use serde_json::Value as Json;

/// How many times faster than usual everybody goes on after a refusal or a failure: it is another computer's time.
const HURRY: u32 = 100;

/// Fifty seconds, as patience counts them, of a cloud that refuses everything.
pub const STORM: Duration = Duration::from_millis(4 * 50_000 / HURRY as u64);

/// The emulator's seconds that a call takes.
const SECONDS: i64 = 20;

/// A block with one of each kind.
pub const WHOLE: &str = r#"
name = "orders"
engine_version = "16"
instance_class = "db-custom-2-7680"
allocated_storage = 50
max_allocated_storage = 100
database_name = "shop"
master_username = "app"
gcp_project = "learning"
gcp_region = "us-central1"
vpc_id = "default"
publicly_accessible = true
multi_az = true
read_replica_count = 1
create_read_replica = true
allowed_cidr_blocks = ["198.51.100.7/32", "10.0.0.0/8"]
backup_retention_period = 14
backup_window = "02:30-03:30"
maintenance_window = "sun:04:00-sun:05:00"
enable_performance_insights = true
alarm_targets = ["ops@example.com"]
enable_deletion_protection = false
tags = { Owner = "Ann" }
parameters = [{ name = "work_mem", value = "16MB" }, { name = "jit", value = "off" }]
"#;

/// The least a block can be.
pub const SMALL: &str = r#"
name = "orders"
instance_class = "db-custom-1-3840"
gcp_project = "learning"
gcp_region = "us-central1"
publicly_accessible = true
allowed_cidr_blocks = ["198.51.100.7/32"]
skip_final_snapshot = true
enable_deletion_protection = false
"#;

/// A world in which each call takes `SECONDS` of its time.
pub struct World<const EACH: i64> {
    pub emulator: Running,
    pub accepted: BTreeSet<String>,
}

/// The usual one.
pub type Google = World<SECONDS>;
/// The same in few calls, where an apply is begun once for each.
pub type Hurried = World<200>;

/// A spec of the arguments of a block.
pub fn spec(arguments: &str) -> Spec {
    let text = format!("module \"database\" {{\n{arguments}\n}}\n");
    let sources = Sources::from_bytes("db.hcl", text.into_bytes());
    let document = read(&sources, &Given::default());
    let inputs = document.blocks.first().expect("a block");
    resolve(inputs, Some(Cloud::Gcp)).0.expect("the target is given")
}

/// A block with some arguments written otherwise; an empty value takes one out.
pub fn with(block: &str, changes: &[(&str, &str)]) -> String {
    let is_changed = |line: &&str| {
        let name = line.split('=').next().unwrap_or_default().trim();
        !changes.iter().any(|(changed, _)| *changed == name)
    };
    let kept = block.lines().filter(is_changed).map(str::to_owned);
    let written = changes.iter().filter(|(_, value)| !value.is_empty());
    kept.chain(written.map(|(name, value)| format!("{name} = {value}"))).collect::<Vec<_>>().join("\n")
}

impl<const EACH: i64> World<EACH> {
    pub fn gcp(&self) -> Gcp {
        let session = Session::of(Fixed {
            token: Token::Fixed(Secret::new("ya29.emulated")),
            endpoint: Some(self.emulator.url().parse().expect("a URL")),
            project: None,
            policy: Policy::hurried(HURRY),
            answer_within: Duration::from_secs(30),
        });
        let minute = Duration::from_secs(60);
        let patience = Patience {
            making: minute,
            changing: minute,
            deleting: minute,
            appearing: Duration::from_secs(10),
            between_looks: Duration::ZERO,
        };
        let options = GcpOptions { accepted: self.accepted.clone(), patience };
        Gcp::new(session.expect("a session"), Some("learning"), Some("us-central1"), options).expect("a project")
    }

    /// Does what somebody else does.
    pub fn tamper(&self, method: &str, path: &str, body: &Json) {
        let (status, said) = self.emulator.with(|google| google.tamper(method, path, body, Instant::now()));
        assert!(status < 300, "{method} {path}: {said}");
    }

    pub fn fault(&self, fault: &str) {
        let fault: Planned = serde_json::from_str(fault).expect("a fault");
        self.emulator.plan(fault);
    }
}

impl<const EACH: i64> suite::World for World<EACH> {
    async fn new() -> Self {
        let options = Options { speed: Speed::PerCall { seconds: EACH }, ..Options::default() };
        let emulator = emulated::GoogleCloud::start(options).await.expect("loopback is there");
        // Said aloud by tests of their own.
        let accepted = ["major-upgrade"].map(str::to_owned).into();
        Self { emulator, accepted }
    }

    async fn like(&self) -> Option<Self> {
        let mut google = self.emulator.with(|google| google.clone());
        google.asked.clear();
        let other = Self { accepted: self.accepted.clone(), ..Self::new().await };
        other.emulator.with(|as_new| *as_new = google);
        Some(other)
    }

    fn provider(&self) -> Box<dyn Provider> {
        Box::new(self.gcp())
    }

    fn spec(arguments: &str) -> Spec {
        spec(arguments)
    }

    fn now(&self) -> Timestamp {
        self.emulator.with(|google| google.clock.now(Instant::now()))
    }

    fn rest(&self) {
        self.emulator.advance(SignedDuration::from_hours(2));
    }

    fn slowly(&self) {
        self.emulator.with(|google| {
            let real = Instant::now();
            google.clock = Clock::new(Speed::PerCall { seconds: 40 }, google.clock.now(real), real);
        });
    }

    fn is_at_work(&self) -> bool {
        let now = self.now();
        self.emulator.with(|google| google.operations.iter().any(|one| one.until > now))
    }

    fn calls(&self) -> usize {
        self.emulator.asked().len()
    }

    fn writes(&self) -> Vec<String> {
        let asked = self.emulator.asked();
        asked.iter().filter(|asked| asked.method != "GET").map(|asked| asked.action.clone()).collect()
    }

    fn forget_calls(&self) {
        self.emulator.with(|google| google.asked.clear());
    }

    fn disturb(&self, nth: usize, fault: Fault) {
        let fault = match fault {
            Fault::Hang => r#""fault":"hang""#.to_owned(),
            Fault::Lost => r#""fault":"lost""#.to_owned(),
            Fault::Throttled => format!(r#""fault":"throttle","times":{}"#, u32::MAX),
        };
        self.fault(&format!(r#"{{"nth":{nth},{fault}}}"#));
    }

    fn calm(&self) {
        self.emulator.with(|google| google.faults.clear());
    }

    fn was_disturbed(&self) -> bool {
        let faults = ["hang", "lost", "rateLimitExceeded"];
        self.emulator.asked().iter().any(|asked| faults.contains(&asked.outcome.as_str()))
    }

    async fn hung(&self) {
        while !self.emulator.asked().iter().any(|asked| asked.outcome == "hang") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn things(&self) -> Vec<String> {
        self.emulator.with(|google| {
            let instances = google.instances.values().flat_map(|one| {
                let name = one.json["name"].as_str().unwrap_or_default();
                let kind = if one.source().is_some() { "replica" } else { "instance" };
                // What is in a replica is its primary's.
                let own = if one.source().is_some() { 0 } else { usize::MAX };
                let users = one.users.keys().take(own).map(|user| format!("user {user} of {name}"));
                let databases = one.databases.iter().take(own).map(|database| format!("database {database} of {name}"));
                [format!("{kind} {name}")].into_iter().chain(users).chain(databases).collect::<Vec<_>>()
            });
            let secrets = google.secrets.keys().map(|name| format!("secret {name}"));
            let alerts = google.policies.values().map(|one| format!("alert {}", one["displayName"]));
            let channels = google.channels.values().map(|one| format!("channel {}", one["displayName"]));
            let last = google.last_backups.iter().map(|one| format!("last backup of {}", one["instance"]));
            let mut all: Vec<String> = instances.chain(secrets).chain(alerts).chain(channels).chain(last).collect();
            all.sort();
            all
        })
    }

    fn made(&self) -> Vec<String> {
        let asked = self.emulator.asked();
        let is_made = |action: &str| action.ends_with(".insert") || action.ends_with(".create");
        let made = asked.iter().filter(|asked| asked.done && is_made(&asked.action));
        let mut made: Vec<String> = made
            .map(|asked| {
                let name = asked.body["name"].as_str().or(asked.body["displayName"].as_str());
                format!("{} {}", asked.action, name.unwrap_or_default())
            })
            .collect();
        made.sort();
        made
    }

    fn tamper(&self, id: &Id, field: &str, seen: &Value) -> bool {
        crate::drift::tamper(self, id, field, seen)
    }
}
