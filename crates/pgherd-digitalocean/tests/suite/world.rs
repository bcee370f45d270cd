//! The emulated DigitalOcean as a world of the suite, and blocks on it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pgherd_core::cloud::Cloud;
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::resource::Id;
use pgherd_core::secret::Secret;
use pgherd_core::spec::{Spec, resolve};
use pgherd_core::value::Value;
use pgherd_digitalocean::{DigitalOcean, DigitalOceanOptions, Fixed, Patience, Session};
use pgherd_emulate::Speed;
use pgherd_emulate::clock::Clock;
use pgherd_emulate::digitalocean::{self as emulated, Options, Running};
use pgherd_emulate::faults::Planned;
use pgherd_engine::provider::Provider;
use pgherd_engine::suite::{self, Fault};
use pgherd_http::Policy;
use serde_json::Value as Json;
use tempfile::TempDir;

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
instance_class = "db-s-2vcpu-4gb"
allocated_storage = 50
max_allocated_storage = 100
database_name = "shop"
master_username = "app"
do_region = "nyc3"
multi_az = true
read_replica_count = 1
create_read_replica = true
allowed_cidr_blocks = ["10.0.0.0/8", "198.51.100.7/32"]
backup_retention_period = 7
backup_window = "02:30-03:30"
maintenance_window = "sat:04:00-sat:05:00"
enable_proxy = true
alarm_targets = ["ops@example.com"]
skip_final_snapshot = true
enable_deletion_protection = false
tags = { Owner = "ann" }
parameters = [{ name = "work_mem", value = "16MB" }, { name = "jit", value = "off" }]
"#;

/// The least a block can be.
pub const SMALL: &str = r#"
name = "orders"
instance_class = "db-s-1vcpu-2gb"
do_region = "nyc3"
skip_final_snapshot = true
enable_deletion_protection = false
"#;

/// A world in which each call takes `SECONDS` of its time.
pub struct World<const EACH: i64> {
    pub emulator: Running,
    pub accepted: BTreeSet<String>,
    pub files: TempDir,
}

/// The usual one.
pub type Ocean = World<SECONDS>;
/// The same in few calls, where an apply is begun once for each.
pub type Hurried = World<200>;

/// A spec of the arguments of a block.
pub fn spec(arguments: &str) -> Spec {
    let text = format!("module \"database\" {{\n{arguments}\n}}\n");
    let sources = Sources::from_bytes("db.hcl", text.into_bytes());
    let document = read(&sources, &Given::default());
    let inputs = document.blocks.first().expect("a block");
    resolve(inputs, Some(Cloud::DigitalOcean)).0.expect("the target is given")
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
    pub fn ocean(&self) -> DigitalOcean {
        let session = Session::of(Fixed {
            token: Secret::new("dop_v1_emulated"),
            endpoint: Some(self.emulator.url().parse().expect("a URL")),
            policy: Policy::hurried(HURRY),
            answer_within: Duration::from_secs(30),
        });
        let minute = Duration::from_secs(60);
        let patience = Patience {
            making: minute,
            changing: minute,
            deleting: minute,
            appearing: Duration::from_secs(20),
            between_looks: Duration::ZERO,
        };
        let secrets = Some(self.files.path().to_owned());
        let options = DigitalOceanOptions { accepted: self.accepted.clone(), secrets, patience };
        DigitalOcean::new(session.expect("a session"), Some("nyc3"), options)
    }

    /// Does what somebody else does.
    pub fn tamper(&self, method: &str, path: &str, body: &Json) {
        let (status, said) = self.emulator.with(|ocean| ocean.tamper(method, path, body, Instant::now()));
        assert!(status < 300, "{method} {path}: {said}");
    }

    /// The id of a cluster or replica.
    pub fn id_of(&self, name: &str) -> String {
        let id = |ocean: &mut emulated::Ocean| {
            ocean.clusters.values().find(|one| one.name == name).map(|one| one.id.clone())
        };
        self.emulator.with(id).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// Lets so much time go by that there is a backup, and all can be seen.
    pub fn age(&self) {
        self.emulator.advance(SignedDuration::from_hours(2));
    }

    /// Whether there is a cluster that can be seen and is online, or not.
    fn is_any(&self, holds: impl Fn(bool, bool) -> bool) -> bool {
        self.emulator.with(|ocean| {
            // Its phases end when somebody asks.
            let now = ocean.clock.now(Instant::now());
            drop(ocean.tamper("GET", "/v2/account", &Json::Null, Instant::now()));
            ocean.clusters.values().any(|one| holds(one.is_seen(now), one.status() == "online"))
        })
    }

    pub fn fault(&self, fault: &str) {
        let fault: Planned = serde_json::from_str(fault).expect("a fault");
        self.emulator.plan(fault);
    }
}

/// Everything in a folder, in another one.
fn copied(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let there = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            fs::create_dir_all(&there).expect("a folder");
            copied(&path, &there);
        } else {
            fs::copy(&path, &there).expect("a file");
        }
    }
}

impl<const EACH: i64> suite::World for World<EACH> {
    const DELETION_TAKES_TIME: bool = false;

    async fn new() -> Self {
        let options = Options { speed: Speed::PerCall { seconds: EACH }, ..Options::default() };
        let emulator = emulated::DigitalOcean::start(options).await.expect("loopback is there");
        // So many calls long, however long one takes; while one is throttled, they take seconds.
        emulator.with(|ocean| ocean.hidden_s = if EACH == SECONDS { 4 } else { 10 } * EACH);
        // Said aloud by tests of their own.
        let accepted = ["uncapped-growth", "major-upgrade", "region-migration"].map(str::to_owned).into();
        Self { emulator, accepted, files: tempfile::tempdir().expect("a folder") }
    }

    async fn like(&self) -> Option<Self> {
        let mut ocean = self.emulator.with(|ocean| ocean.clone());
        ocean.asked.clear();
        let other = Self { accepted: self.accepted.clone(), ..Self::new().await };
        other.emulator.with(|as_new| *as_new = ocean);
        copied(self.files.path(), other.files.path());
        Some(other)
    }

    fn provider(&self) -> Box<dyn Provider> {
        Box::new(self.ocean())
    }

    fn spec(arguments: &str) -> Spec {
        spec(arguments)
    }

    fn now(&self) -> Timestamp {
        self.emulator.with(|ocean| ocean.clock.now(Instant::now()))
    }

    /// What cannot be seen yet is not waited for: whoever comes next has to bear that.
    fn rest(&self) {
        while self.is_any(|is_seen, is_online| is_seen && !is_online) {
            self.emulator.advance(SignedDuration::from_mins(1));
        }
    }

    /// One that cannot be seen yet is on its way, too.
    fn is_at_work(&self) -> bool {
        self.is_any(|is_seen, is_online| !is_seen || !is_online)
    }

    fn slowly(&self) {
        self.emulator.with(|ocean| {
            let real = Instant::now();
            ocean.clock = Clock::new(Speed::PerCall { seconds: 40 }, ocean.clock.now(real), real);
        });
    }

    fn calls(&self) -> usize {
        self.emulator.asked().len()
    }

    fn writes(&self) -> Vec<String> {
        let asked = self.emulator.asked();
        asked.iter().filter(|asked| asked.method != "GET").map(|asked| asked.action.clone()).collect()
    }

    fn forget_calls(&self) {
        self.emulator.with(|ocean| ocean.asked.clear());
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
        self.emulator.with(|ocean| ocean.faults.clear());
    }

    fn was_disturbed(&self) -> bool {
        let faults = ["hang", "lost", "too_many_requests"];
        self.emulator.asked().iter().any(|asked| faults.contains(&asked.outcome.as_str()))
    }

    async fn hung(&self) {
        while !self.emulator.asked().iter().any(|asked| asked.outcome == "hang") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn things(&self) -> Vec<String> {
        self.emulator.with(|ocean| {
            let clusters = ocean.clusters.values().flat_map(|one| {
                let kind = if one.source.is_some() { "replica" } else { "cluster" };
                let pools = one.pools.iter().map(|pool| format!("pool {}", pool["name"]));
                // What is in a replica is its cluster's.
                let own = if one.source.is_some() { 0 } else { usize::MAX };
                let users = one.users.iter().take(own).map(|user| format!("user {} of {}", user.name, one.name));
                let databases =
                    one.databases.iter().take(own).map(|database| format!("database {database} of {}", one.name));
                let all: Vec<String> =
                    [format!("{kind} {}", one.name)].into_iter().chain(pools).chain(users).chain(databases).collect();
                all
            });
            let alerts = ocean.alerts.values().map(|alert| format!("alert {}", alert["description"]));
            let mut all: Vec<String> = clusters.chain(alerts).collect();
            all.extend(written(self.files.path()));
            all.sort();
            all
        })
    }

    fn made(&self) -> Vec<String> {
        let asked = self.emulator.asked();
        let is_made = |action: &str| action.contains("_create_") || action.contains("_add");
        let made = asked.iter().filter(|asked| is_made(&asked.action));
        let made = made.filter(|asked| asked.done);
        let mut made: Vec<String> = made
            .map(|asked| {
                let name = asked.body["name"].as_str().or(asked.body["description"].as_str());
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

/// Files of this machine, as `file orders/secret.json`.
fn written(folder: &std::path::Path) -> Vec<String> {
    let entries = |folder: &std::path::Path| {
        std::fs::read_dir(folder).expect("a folder").map(|one| one.expect("an entry").path())
    };
    let files = entries(folder).flat_map(|database| {
        let name = |path: std::path::PathBuf| path.strip_prefix(folder).expect("within").display().to_string();
        entries(&database).map(name).collect::<Vec<_>>()
    });
    files.map(|file| format!("file {file}")).collect()
}
