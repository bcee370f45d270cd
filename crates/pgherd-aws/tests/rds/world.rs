//! An emulated AWS, and blocks that are planned and applied on it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pgherd_aws::{Aws, AwsOptions, Fixed, KINDS, Patience, Session, kinds};
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::event::{Event, What};
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::lint::Intent;
use pgherd_core::plan::{Change, Timing, When};
use pgherd_core::resource::{Id, Kind, Observed, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::spec::{Spec, resolve};
use pgherd_core::value::Props;
use pgherd_emulate::emulation::Asked;
use pgherd_emulate::faults::Planned as Fault;
use pgherd_emulate::rds::Region;
use pgherd_emulate::wire::{Body, Fields, Form, Said};
use pgherd_emulate::{Emulator, Options, Running, Speed};
use pgherd_engine::provider::{ApplyNow, Deletion, Events, Intended, Operation, Provider, ProviderError};
use pgherd_engine::run::{self, Planned};
use pgherd_engine::settle;
use pgherd_engine::stop::Stop;
use pgherd_engine::walk::Outcome;
use pgherd_http::Policy;
use tokio::sync::mpsc::{self, UnboundedReceiver};

pub const REGION: &str = "eu-central-1";

/// The emulator's seconds that a call takes: looks come no closer together on AWS.
const SECONDS: i64 = 20;

/// How many times faster everybody goes on after a throttle than on AWS: it is another computer's time, and would be waited out here.
pub const HURRY: u32 = 100;

/// The roles that blocks name, and who may act as them: somebody else has made them.
pub const ROLES: [(&str, &str); 3] = [
    ("monitoring", "monitoring.rds.amazonaws.com"),
    ("other", "monitoring.rds.amazonaws.com"),
    ("theirs", "rds.amazonaws.com"),
];

pub struct World {
    pub emulator: Running,
    /// Whether blocks are planned with everything around RDS.
    is_whole: bool,
    /// What the user has accepted by name.
    pub accepted: BTreeSet<String>,
    /// How patient its clients are: as they are on AWS, unless a test says otherwise.
    pub policy: Policy,
}

impl World {
    pub async fn new() -> Self {
        Self::going_by(SECONDS).await
    }

    /// A world in which each call takes that many seconds.
    pub async fn going_by(seconds: i64) -> Self {
        let options = Options { speed: Speed::PerCall { seconds }, ..Options::default() };
        let emulator = Emulator::start(options).await.expect("loopback is there");
        emulator.with(|emulation| ROLES.iter().for_each(|(name, service)| emulation.role(name, service)));
        Self { emulator, is_whole: false, accepted: BTreeSet::new(), policy: Policy::hurried(HURRY) }
    }

    /// The same, where blocks are planned with everything around RDS.
    pub async fn whole(seconds: i64) -> Self {
        Self { is_whole: true, ..Self::going_by(seconds).await }
    }

    /// Another world that is as this one is, in which nothing has been asked yet and nothing goes wrong.
    pub async fn like(&self) -> Self {
        let mut emulation = self.emulator.with(|emulation| emulation.clone());
        (emulation.faults, emulation.asked) = (Vec::new(), Vec::new());
        let other = Self { is_whole: self.is_whole, accepted: self.accepted.clone(), ..Self::new().await };
        other.emulator.with(|as_new| *as_new = emulation);
        other
    }

    /// A world in which a block has been applied.
    pub async fn with(block: &str) -> Self {
        let world = Self::new().await;
        world.apply(block).await;
        world
    }

    /// A new session, as a new command has one.
    pub fn provider(&self) -> Box<dyn Provider> {
        self.provider_in(REGION)
    }

    /// The same of a command with a block of another region.
    pub fn provider_in(&self, region: &str) -> Box<dyn Provider> {
        let session = Session::of(Fixed {
            region: region.to_owned(),
            access_key_id: "AKIDEMULATED".to_owned(),
            secret_access_key: Secret::new("emulated"),
            session_token: None,
            endpoint: Some(self.emulator.url().parse().expect("a URL")),
            policy: self.policy,
            answer_within: Duration::from_secs(30),
        });
        let patience = Patience {
            before_first_look: Duration::ZERO,
            between_looks: Duration::ZERO,
            making: Duration::from_secs(60),
            restoring: Duration::from_secs(60),
            changing: Duration::from_secs(60),
            deleting: Duration::from_secs(60),
            letting_go: Duration::from_secs(5),
            unprotecting: Duration::from_secs(5),
            telling: Duration::from_secs(5),
            spreading: Duration::from_secs(5),
        };
        let aws =
            Aws::new(session, None, AwsOptions { patience, accepted: self.accepted.clone(), ..AwsOptions::default() });
        if self.is_whole { Box::new(aws) } else { Box::new(Servers(aws)) }
    }

    pub async fn plan(&self, block: &str) -> Planned {
        self.planned(block, false).await.expect("nothing is in the way")
    }

    pub async fn planned(&self, block: &str, now: bool) -> Result<Planned, ProviderError> {
        let spec = spec(block);
        let timing = Timing { apply_now: now, ..run::timing(&spec, self.now()) };
        run::observe_and_plan(self.provider().as_ref(), &spec, &timing, Intent::default()).await
    }

    /// Plans and applies, and everything goes well.
    pub async fn apply(&self, block: &str) -> Planned {
        self.carried_out(block, false).await.0
    }

    /// The same with what interrupts service.
    pub async fn apply_now(&self, block: &str) -> Planned {
        self.carried_out(block, true).await.0
    }

    /// The same, and what was said meanwhile.
    pub async fn carried_out(&self, block: &str, now: bool) -> (Planned, Vec<String>) {
        let planned = self.planned(block, now).await.expect("nothing is in the way");
        let (outcome, said) = self.walk(block, &planned).await;
        assert!(outcome.is_success(), "{outcome:?}");
        (planned, said)
    }

    pub async fn walk(&self, block: &str, planned: &Planned) -> (Outcome, Vec<String>) {
        assert!(!planned.plan.is_refused(), "{:?}", planned.plan.diagnostics);
        let (events, heard) = events();
        let outcome =
            run::apply(self.provider().as_ref(), &spec(block), planned, self.now(), &events, &Stop::never()).await;
        (outcome, told(heard))
    }

    /// What would be changed.
    pub async fn left(&self, block: &str) -> Vec<String> {
        changes(&self.plan(block).await)
    }

    pub async fn plan_destroy(&self, block: &str) -> Planned {
        run::observe_and_plan_destroy(self.provider().as_ref(), &spec(block)).await.expect("nothing is in the way")
    }

    /// Plans and destroys.
    pub async fn destroy(&self, block: &str) -> Outcome {
        let planned = self.plan_destroy(block).await;
        self.walk(block, &planned).await.0
    }

    /// Does what is no change of what should exist.
    pub async fn operate(&self, operation: &Operation) -> Result<Vec<String>, ProviderError> {
        let (events, heard) = events();
        self.provider().operate(operation, &events).await?;
        Ok(told(heard))
    }

    /// Whether the last call that was done took these tags away, which ends an operation: nothing is left to be gone on with.
    pub fn was_the_last_call(&self, mark: &str) -> bool {
        let asked = self.emulator.asked();
        asked.last().is_some_and(|last| {
            last.action == "RemoveTagsFromResource" && last.parameters.values().any(|value| value == mark)
        })
    }

    /// Whether the secret of a database holds the password of an instance, and says where that is.
    pub fn secret_opens(&self, database: &str, instance: &str) -> bool {
        let asked = serde_json::json!({ "SecretId": format!("pgherd/{database}/master") });
        let said = self.tamper_secret("GetSecretValue", asked);
        let text = said["SecretString"].as_str().unwrap_or_default().to_owned();
        let password = self.region(|region| region.instances.get(instance).map(|one| one.set.password.0.clone()));
        let is_there = text.contains(&format!(r#""host":"{instance}."#));
        password.is_some_and(|password| text.contains(&format!(r#""password":"{password}""#)) && is_there)
    }

    /// Writes a text into a secret, as somebody else would.
    pub fn keep_in_secret(&self, database: &str, text: &str) {
        let token = "0".repeat(32);
        let asked = serde_json::json!({
            "SecretId": format!("pgherd/{database}/master"), "SecretString": text, "ClientRequestToken": token,
        });
        self.tamper_secret("PutSecretValue", asked);
    }

    /// The key that a secret is encrypted with.
    pub fn secret_key(&self, database: &str) -> Option<String> {
        let asked = serde_json::json!({ "SecretId": format!("pgherd/{database}/master") });
        self.tamper_secret("DescribeSecret", asked)["KmsKeyId"].as_str().map(str::to_owned)
    }

    /// A new key that is the account's own, by its id.
    pub fn customer_key(&self) -> String {
        let made = self.tamper_around("kms", "CreateKey", serde_json::json!({}));
        made["KeyMetadata"]["KeyId"].as_str().expect("an id").to_owned()
    }

    /// Encrypts a secret with another key, as somebody else would.
    pub fn encrypt_secret(&self, database: &str, key: &str) {
        let asked = serde_json::json!({ "SecretId": format!("pgherd/{database}/master"), "KmsKeyId": key });
        self.tamper_secret("UpdateSecret", asked);
    }

    /// Has nobody use a key any more.
    pub fn disable_key(&self, key: &str) {
        self.tamper_around("kms", "DisableKey", serde_json::json!({ "KeyId": key }));
    }

    fn tamper_secret(&self, action: &str, asked: serde_json::Value) -> serde_json::Value {
        self.tamper_around("secretsmanager", action, asked)
    }

    fn tamper_around(&self, service: &str, action: &str, asked: serde_json::Value) -> serde_json::Value {
        let body = Body::Fields(Fields::of(asked).expect("a structure"));
        let said = self.emulator.with(|emulation| emulation.tamper(service, REGION, action, &body, Instant::now()));
        match said {
            Ok(Said::Fields(said)) => said,
            other => panic!("{action}: {other:?}"),
        }
    }

    /// Takes a secret away for good, as somebody else would.
    pub fn lose_secret(&self, database: &str) {
        let asked = serde_json::json!({
            "SecretId": format!("pgherd/{database}/master"), "ForceDeleteWithoutRecovery": true,
        });
        self.tamper_secret("DeleteSecret", asked);
    }

    /// Has it taken away in a week.
    pub fn schedule_secret(&self, database: &str) {
        let asked = serde_json::json!({ "SecretId": format!("pgherd/{database}/master"), "RecoveryWindowInDays": 7 });
        self.tamper_secret("DeleteSecret", asked);
    }

    /// The calls to RDS that changed something since the log was cleared, with the names they were about.
    pub fn writes(&self) -> Vec<String> {
        self.emulator.asked().iter().filter(|asked| asked.service == "rds" && is_write(asked)).map(shown).collect()
    }

    /// The same of all services.
    pub fn writes_of_all(&self) -> Vec<String> {
        self.emulator.asked().iter().filter(|asked| is_write(asked)).map(shown).collect()
    }

    pub fn forget_what_was_asked(&self) {
        self.emulator.with(|emulation| emulation.asked.clear());
    }

    pub fn fault(&self, json: &str) {
        self.emulator.plan(serde_json::from_str::<Fault>(json).expect("a fault"));
    }

    /// Does something as somebody else would.
    pub fn tamper(&self, action: &str, parameters: &[(&str, &str)]) {
        self.tamper_in(REGION, action, parameters);
    }

    /// The same in another region.
    pub fn tamper_in(&self, region: &str, action: &str, parameters: &[(&str, &str)]) {
        let pairs = std::iter::once(("Action", action)).chain(parameters.iter().copied());
        let body = Body::Form(Form::of(pairs));
        self.emulator
            .with(|emulation| emulation.tamper("rds", region, action, &body, Instant::now()).map(drop))
            .unwrap_or_else(|refusal| panic!("{action}: {refusal:?}"));
    }

    pub fn region<T>(&self, look: impl FnOnce(&mut Region) -> T) -> T {
        self.region_in(REGION, look)
    }

    /// The same of another region.
    pub fn region_in<T>(&self, name: &str, look: impl FnOnce(&mut Region) -> T) -> T {
        let now = self.now();
        self.emulator.with(|emulation| {
            let region = emulation.region(name);
            region.advance(now);
            look(region)
        })
    }

    /// The instances there are.
    pub fn instances(&self) -> Vec<String> {
        self.region(|region| region.instances.keys().cloned().collect())
    }

    pub fn pass(&self, seconds: i64) {
        self.emulator.advance(jiff::SignedDuration::from_secs(seconds));
    }

    pub fn now(&self) -> jiff::Timestamp {
        self.emulator.with(|emulation| emulation.clock.now(Instant::now()))
    }
}

/// Whether a call could change something.
pub fn is_write(asked: &Asked) -> bool {
    !["Describe", "List", "Get", "Download"].iter().any(|begin| asked.action.starts_with(begin))
}

/// A call: what it was, what it was about, how it ended unless well.
pub fn shown(asked: &Asked) -> String {
    let names =
        ["DBInstanceIdentifier", "DBParameterGroupName", "DBSubnetGroupName", "ResourceName", "Name", "SecretId"];
    let about = names.iter().find_map(|name| asked.parameters.get(*name)).map(String::as_str).unwrap_or_default();
    let about = about.rsplit(':').next().unwrap_or_default();
    let now = if asked.parameters.get("ApplyImmediately").is_some_and(|now| now == "true") { " now" } else { "" };
    let ended = if asked.outcome == "ok" { String::new() } else { format!(": {}", asked.outcome) };
    format!("{} {about}{now}{ended}", asked.action)
}

/// What a plan does, a line each: `update instance orders: Port 5432 -> 5433 (restart)`.
pub fn changes(planned: &Planned) -> Vec<String> {
    let steps = planned.plan.steps.iter().flat_map(|step| {
        let (verb, id) = (step.action.verb(), &step.id);
        match step.action.changes() {
            [] => vec![format!("{verb} {id}")],
            changes => changes.iter().map(|change| format!("{verb} {id}: {}", shown_change(change))).collect(),
        }
    });
    steps.collect()
}

fn shown_change(change: &Change) -> String {
    let when = match change.when {
        When::Now => "",
        When::Window { .. } => " in the window",
        When::Restart => " at a restart",
    };
    format!("{} {} -> {}{when}", change.field, change.from, change.to)
}

pub fn spec(arguments: &str) -> Spec {
    let text = format!("module \"database\" {{\n{arguments}\n}}\n");
    let sources = Sources::from_bytes("db.hcl", text.into_bytes());
    let document = read(&sources, &Given::default());
    let inputs = document.blocks.first().expect("a block");
    resolve(inputs, Some(Cloud::Aws)).0.expect("the target is given")
}

pub fn events() -> (Events, UnboundedReceiver<Event>) {
    let (sender, heard) = mpsc::unbounded_channel();
    (Events::new("database", sender), heard)
}

/// Returns once a call was done that is never answered.
pub async fn hangs(world: &World) {
    while !world.emulator.asked().iter().any(|asked| asked.outcome == "hang") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Phases and what was said, in order.
fn told(mut heard: UnboundedReceiver<Event>) -> Vec<String> {
    let words = |event: Event| match event.what {
        What::Phase { phase } => Some(format!("{}: {phase}", event.id?.name)),
        What::Said { message } => Some(message),
        _ => None,
    };
    std::iter::from_fn(|| heard.try_recv().ok()).filter_map(words).collect()
}

/// AWS, as far as it is about instances, their replicas and their groups.
struct Servers(Aws);

const OF_RDS: [&str; 4] =
    [kinds::instance::NAME, kinds::replica::NAME, kinds::parameter_group::NAME, kinds::subnet_group::NAME];

#[async_trait]
impl Provider for Servers {
    fn cloud(&self) -> Cloud {
        Cloud::Aws
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn desired(&self, spec: &Spec) -> Vec<Resource> {
        let is_here = |id: &Id| OF_RDS.contains(&id.kind.as_str());
        let mut wanted = self.0.desired(spec);
        wanted.retain(|resource| is_here(&resource.id));
        wanted.iter_mut().for_each(|resource| resource.needs.retain(is_here));
        wanted
    }

    async fn preflight(&self, spec: &Spec, intended: &Intended<'_>) -> Result<Vec<Diagnostic>, ProviderError> {
        self.0.preflight(spec, intended).await
    }

    async fn observe(&self, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
        self.0.observe(wanted).await
    }

    async fn create(&self, resource: &Resource, now: ApplyNow, events: &Events) -> Result<(), ProviderError> {
        self.0.create(resource, now, events).await
    }

    async fn update(
        &self,
        resource: &Resource,
        changes: &[Change],
        now: ApplyNow,
        events: &Events,
    ) -> Result<(), ProviderError> {
        self.0.update(resource, changes, now, events).await
    }

    async fn delete(&self, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
        self.0.delete(id, how, events).await
    }

    async fn operate(&self, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
        self.0.operate(operation, events).await
    }

    fn outputs(&self, spec: &Spec, observed: &[Observed]) -> Props {
        self.0.outputs(spec, observed)
    }

    fn inputs(&self, spec: &Spec, observed: &[Observed]) -> Result<Props, ProviderError> {
        self.0.inputs(spec, observed)
    }

    fn until_free(&self) -> settle::Patience {
        self.0.until_free()
    }

    fn ignores(&self) -> &'static [(&'static str, &'static str)] {
        self.0.ignores()
    }
}

/// A block where some arguments are written otherwise: `name = value`; an empty value takes one out.
pub fn with(block: &str, more: &[(&str, &str)]) -> String {
    let mut arguments: BTreeMap<&str, &str> = block
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    for (name, value) in more {
        match *value {
            "" => drop(arguments.remove(name)),
            value => drop(arguments.insert(name, value)),
        }
    }
    arguments.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
}

/// A small block.
pub const SMALL: &str = r#"
    name                  = "orders"
    engine_version        = "16.13"
    instance_class        = "db.t3.micro"
    allocated_storage     = 20
    subnet_ids            = ["subnet-a", "subnet-b", "subnet-c"]
    create_security_group = false
    security_group_ids    = ["sg-default"]
"#;

/// A block with about everything an instance has.
pub const LARGE: &str = r#"
    name                        = "orders"
    engine_version              = "16.13"
    instance_class              = "db.r5.large"
    allocated_storage           = 500
    max_allocated_storage       = 1000
    storage_type                = "gp3"
    storage_iops                = 16000
    storage_throughput          = 1000
    database_name               = "shop"
    master_username             = "chief"
    subnet_ids                  = ["subnet-a", "subnet-b", "subnet-c"]
    create_security_group       = false
    security_group_ids          = ["sg-default"]
    multi_az                    = true
    create_read_replica         = true
    read_replica_count          = 2
    backup_retention_period     = 14
    backup_window               = "02:00-03:00"
    maintenance_window          = "sat:04:00-sat:05:00"
    enable_deletion_protection  = false
    iam_database_authentication_enabled = true
    enable_performance_insights = true
    performance_insights_retention_period = 31
    monitoring_interval         = 30
    monitoring_role_arn         = "arn:aws:iam::123456789012:role/monitoring"
    enable_logging              = true
    parameters                  = [{ name = "shared_buffers", value = "256MB" }, { name = "work_mem", value = "8MB" }]
    tags                        = { Owner = "ann" }
"#;

/// A block with about everything that stands around an instance and its replica.
pub const WHOLE: &str = r#"
    name                = "orders"
    engine_version      = "16.13"
    instance_class      = "db.t3.micro"
    allocated_storage   = 20
    vpc_id              = "vpc-default"
    subnet_ids          = ["subnet-a", "subnet-b", "subnet-c"]
    allowed_cidr_blocks = ["10.0.0.0/16"]
    create_read_replica = true
    monitoring_interval = 60
    enable_logging      = true
    create_dashboard    = true
    alarm_targets       = ["ann@example.org"]
    tags                = { Owner = "ann" }
"#;
