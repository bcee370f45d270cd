//! The emulated Azure, and blocks for it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pgherd_azure::{Around, Azure, AzureOptions, Fixed, Patience, Place, Session, Token};
use pgherd_core::cloud::Cloud;
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::resource::Id;
use pgherd_core::secret::Secret;
use pgherd_core::spec::{Spec, resolve};
use pgherd_core::value::Value;
use pgherd_emulate::Speed;
use pgherd_emulate::azure::{self as emulated, GROUP, Options, Running, VAULT};
use pgherd_emulate::clock::Clock;
use pgherd_emulate::faults::Planned;
use pgherd_engine::provider::Provider;
use pgherd_engine::suite::{self, Fault};
use pgherd_http::Policy;
use serde_json::Value as Json;

/// How many times faster than usual everybody goes on after a refusal or a failure: it is another computer's time.
const HURRY: u32 = 100;

/// Fifty seconds, as patience counts them, of a cloud that refuses everything.
pub const STORM: Duration = Duration::from_millis(4 * 50_000 / HURRY as u64);

/// The emulator's seconds that a call takes.
const SECONDS: i64 = 20;

/// A block with one of each kind that a server from the internet has.
pub const WHOLE: &str = r#"
name = "orders"
engine_version = "16"
instance_class = "GP_Standard_D2ds_v5"
allocated_storage = 64
max_allocated_storage = 256
database_name = "shop"
master_username = "app"
resource_group_name = "databases"
location = "Canada Central"
publicly_accessible = true
multi_az = true
read_replica_count = 1
create_read_replica = true
allowed_cidr_blocks = ["198.51.100.7/32", "10.0.0.0/8"]
backup_retention_period = 14
maintenance_window = "sun:04:00-sun:05:00"
enable_performance_insights = true
enable_logging = true
alarm_targets = ["ops@example.com"]
enable_deletion_protection = false
skip_final_snapshot = true
tags = { Owner = "Ann" }
parameters = [{ name = "work_mem", value = "16MB" }, { name = "max_connections", value = "200" }]
"#;

/// The least a block can be.
pub const SMALL: &str = r#"
name = "orders"
instance_class = "B_Standard_B1ms"
resource_group_name = "databases"
location = "canadacentral"
publicly_accessible = true
allowed_cidr_blocks = ["198.51.100.7/32"]
skip_final_snapshot = true
enable_deletion_protection = false
"#;

/// A server in a subnet.
pub const PRIVATE: &str = r#"
name = "orders"
instance_class = "GP_Standard_D2ds_v5"
resource_group_name = "databases"
subnet_ids = ["/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/n/subnets/db"]
skip_final_snapshot = true
enable_deletion_protection = true
"#;

/// A world in which each call takes `EACH` of its time.
pub struct World<const EACH: i64> {
    pub emulator: Running,
    pub accepted: BTreeSet<String>,
    pub around: Around,
}

/// The usual one.
pub type Cloudy = World<SECONDS>;
/// The same in few calls, where an apply is begun once for each.
pub type Hurried = World<200>;

/// A spec of the arguments of a block.
pub fn spec(arguments: &str) -> Spec {
    let text = format!("module \"database\" {{\n{arguments}\n}}\n");
    let sources = Sources::from_bytes("db.hcl", text.into_bytes());
    let document = read(&sources, &Given::default());
    let inputs = document.blocks.first().expect("a block");
    resolve(inputs, Some(Cloud::Azure)).0.expect("the target is given")
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

/// The path of a server, or of something within one.
pub fn path(server: &str, rest: &str) -> String {
    format!(
        "/subscriptions/s/resourceGroups/{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{server}{rest}"
    )
}

impl<const EACH: i64> World<EACH> {
    pub fn azure(&self) -> Azure {
        let session = Session::of(Fixed {
            token: Token::Fixed(Secret::new("eyJ.emulated")),
            endpoint: Some(self.emulator.url().parse().expect("a URL")),
            subscription: Some("s".to_owned()),
            policy: Policy::hurried(HURRY),
            answer_within: Duration::from_secs(30),
        });
        let minute = Duration::from_secs(60);
        let patience = Patience { making: minute, changing: minute, deleting: minute, between_looks: Duration::ZERO };
        let options = AzureOptions { accepted: self.accepted.clone(), patience };
        let place = Place { subscription: None, group: GROUP.to_owned() };
        Azure::new(session.expect("a session"), place, self.around.clone(), options).expect("a subscription")
    }

    /// Does what somebody else does, and waits until it is done.
    pub fn tamper(&self, method: &str, path: &str, body: &Json) {
        let (status, said) = self.emulator.with(|azure| azure.tamper(method, path, body, Instant::now()));
        assert!(status < 300, "{method} {path}: {said}");
    }

    pub fn fault(&self, fault: &str) {
        let fault: Planned = serde_json::from_str(fault).expect("a fault");
        self.emulator.plan(fault);
    }
}

impl<const EACH: i64> suite::World for World<EACH> {
    /// It does; that the same command comes again at once is not played on Azure yet.
    const TAKES_TIME: bool = false;

    async fn new() -> Self {
        let options = Options { speed: Speed::PerCall { seconds: EACH }, ..Options::default() };
        let emulator = emulated::AzureCloud::start(options).await.expect("loopback is there");
        emulator.with(|azure| azure.is_brief = EACH > SECONDS);
        // Said aloud by tests of their own.
        let accepted = ["major-upgrade"].map(str::to_owned).into();
        let around = Around { vault: Some(VAULT.to_owned()), tenant: Some("t".to_owned()), ..Around::default() };
        Self { emulator, accepted, around }
    }

    fn provider(&self) -> Box<dyn Provider> {
        Box::new(self.azure())
    }

    fn spec(arguments: &str) -> Spec {
        spec(arguments)
    }

    fn now(&self) -> Timestamp {
        self.emulator.with(|azure| azure.clock.now(Instant::now()))
    }

    fn rest(&self) {
        self.emulator.advance(SignedDuration::from_hours(2));
    }

    fn slowly(&self) {
        self.emulator.with(|azure| {
            let real = Instant::now();
            azure.clock = Clock::new(Speed::PerCall { seconds: SECONDS }, azure.clock.now(real), real);
        });
    }

    fn is_at_work(&self) -> bool {
        let now = self.now();
        self.emulator.with(|azure| azure.operations.iter().any(|one| !one.is_done || one.until > now))
    }

    fn calls(&self) -> usize {
        self.emulator.asked().len()
    }

    fn writes(&self) -> Vec<String> {
        let asked = self.emulator.asked();
        let is_write = |method: &str, action: &str| method != "GET" && action != "NameAvailability.check_globally";
        asked.iter().filter(|asked| is_write(&asked.method, &asked.action)).map(|asked| asked.action.clone()).collect()
    }

    fn forget_calls(&self) {
        self.emulator.with(|azure| azure.asked.clear());
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
        self.emulator.with(|azure| azure.faults.clear());
    }

    fn was_disturbed(&self) -> bool {
        let faults = ["hang", "lost", "TooManyRequests"];
        self.emulator.asked().iter().any(|asked| faults.contains(&asked.outcome.as_str()))
    }

    async fn hung(&self) {
        while !self.emulator.asked().iter().any(|asked| asked.outcome == "hang") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn things(&self) -> Vec<String> {
        self.emulator.with(|azure| {
            let servers = azure.servers.iter().flat_map(|(name, one)| {
                let kind = if one.source().is_some() { "replica" } else { "server" };
                // What is in a replica is its primary's.
                let own = if one.source().is_some() { 0 } else { usize::MAX };
                let databases = one.databases.iter().take(own).map(|database| format!("database {database} of {name}"));
                let rules = one.rules.keys().map(|rule| format!("rule {rule} of {name}"));
                let locks = one.locks.keys().map(|lock| format!("lock {lock} of {name}"));
                let set = one.settings.iter().map(|(setting, value)| format!("{setting} = {value} of {name}"));
                let head = [format!("{kind} {name}")].into_iter();
                head.chain(databases).chain(rules).chain(locks).chain(set).collect::<Vec<_>>()
            });
            let named = |kind: &'static str| move |name: &String| format!("{kind} {name}");
            let secrets = azure.secrets.keys().map(named("secret"));
            let alerts = azure.alerts.keys().map(named("alert"));
            let groups = azure.groups.keys().map(named("action group"));
            let zones = azure.zones.keys().map(named("zone"));
            let links = azure.links.keys().map(named("link"));
            let around = secrets.chain(alerts).chain(groups).chain(zones).chain(links);
            let mut all: Vec<String> = servers.chain(around).collect();
            all.sort();
            all
        })
    }

    fn made(&self) -> Vec<String> {
        let asked = self.emulator.asked();
        let is_made = |action: &str| ["Servers.create_or_update", "Databases.create"].contains(&action);
        let made = asked.iter().filter(|asked| asked.done && is_made(&asked.action));
        let mut made: Vec<String> = made.map(|asked| format!("{} {}", asked.action, asked.path)).collect();
        made.sort();
        made
    }

    fn tamper(&self, id: &Id, field: &str, seen: &Value) -> bool {
        crate::drift::tamper(self, id, field, seen)
    }
}
