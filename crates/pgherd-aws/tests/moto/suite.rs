//! The suite of promises, on moto: nothing of ours answers there, so that what the emulator of our own believes is believed by somebody
//! else as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pgherd_aws::{Aws, AwsOptions, Fixed, Form, KINDS, Patience, Service, Session, kinds};
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Kind, Observed, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::spec::{Spec, resolve};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, Events, Intended, Operation, Provider, ProviderError};
use pgherd_engine::suite::{self, Fault};
use pgherd_http::{Policy, Safety};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::proxy::{Asked, Disturbance, Proxy};
use crate::{gaps, server};

/// An account of its own for each world, since names are the same in all. `WHOLE`: with everything around the servers.
struct Moto<const WHOLE: bool> {
    proxy: Proxy,
    session: Arc<Session>,
}

const REGION: &str = "eu-central-1";

/// How many times faster than usual everybody goes on after a refusal or a failure.
const HURRY: u32 = 100;

/// Everything of a block.
type Whole = Moto<true>;
/// What is made in few calls, where an apply is begun once for each.
type Few = Moto<false>;

/// Those: what no database is without. All of it is made once for each call, and moto takes its time for each.
const FEW: [&str; 4] =
    [kinds::instance::NAME, kinds::parameter_group::NAME, kinds::security_group::NAME, kinds::secret::NAME];

impl<const WHOLE: bool> suite::World for Moto<WHOLE> {
    async fn new() -> Self {
        static ACCOUNTS: AtomicUsize = AtomicUsize::new(100_000_000_000);
        let account = ACCOUNTS.fetch_add(1, Ordering::Relaxed).to_string();
        let moto = server::url().expect("whoever begins has asked whether moto is there");
        gaps::tell();
        let proxy = Proxy::of(moto, Some(account)).await;
        let session = Session::of(Fixed {
            region: REGION.to_owned(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("secret"),
            session_token: None,
            endpoint: Some(proxy.url.clone()),
            policy: Policy::hurried(HURRY),
            answer_within: Duration::from_secs(30),
        });
        Self { proxy, session }
    }

    fn provider(&self) -> Box<dyn Provider> {
        let short = Duration::from_secs(5);
        let patience = Patience {
            letting_go: short,
            unprotecting: short,
            telling: short,
            before_first_look: Duration::ZERO,
            between_looks: Duration::from_millis(1),
            ..Patience::default()
        };
        let options = AwsOptions { patience, ..AwsOptions::default() };
        Box::new(Told { aws: Aws::new(Arc::clone(&self.session), None, options), is_whole: WHOLE })
    }

    fn spec(arguments: &str) -> Spec {
        let text = format!("module \"orders\" {{\n{arguments}\n}}\n");
        let sources = Sources::from_bytes("db.hcl", text.into_bytes());
        let document = read(&sources, &Given::default());
        resolve(document.blocks.first().expect("a block"), Some(Cloud::Aws)).0.expect("a target")
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    const TAKES_TIME: bool = false;

    fn rest(&self) {}

    fn slowly(&self) {}

    fn is_at_work(&self) -> bool {
        false
    }

    fn calls(&self) -> usize {
        self.proxy.peek().len()
    }

    fn writes(&self) -> Vec<String> {
        let looks = ["Describe", "Get", "List"];
        let asked = self.proxy.peek().into_iter().map(|asked| asked.action);
        asked.filter(|action| !looks.iter().any(|look| action.starts_with(look))).collect()
    }

    fn forget_calls(&self) {
        drop(self.proxy.asked());
    }

    fn disturb(&self, nth: usize, fault: Fault) {
        let how = match fault {
            Fault::Hang => Disturbance::Withheld,
            Fault::Lost => Disturbance::Lost,
            Fault::Throttled => Disturbance::Throttled,
        };
        self.proxy.disturb(nth - 1, how);
    }

    fn calm(&self) {
        self.proxy.calm();
    }

    fn was_disturbed(&self) -> bool {
        self.proxy.was_disturbed()
    }

    /// What others of the same run have asked for is done as well, so that who comes next finds it.
    async fn hung(&self) {
        self.proxy.withheld().await;
        self.proxy.at_rest().await;
    }

    fn things(&self) -> Vec<String> {
        block_in_place(|| Handle::current().block_on(things(&self.session, WHOLE)))
    }

    fn made(&self) -> Vec<String> {
        let asked = self.proxy.peek();
        let made = asked.iter().filter(|asked| asked.is_done && asked.action.starts_with("Create"));
        // These give what is there already.
        let made = made.filter(|asked| !["CreateTags", "CreateTopic"].contains(&asked.action.as_str()));
        let mut made: Vec<String> = made.map(|asked| format!("{} {}", asked.action, name(asked))).collect();
        made.sort();
        made
    }

    fn tamper(&self, _: &Id, _: &str, _: &Value) -> bool {
        false
    }
}

/// The name of what was to be made.
fn name(asked: &Asked) -> String {
    let fields = ["DBInstanceIdentifier", "DBParameterGroupName", "GroupName", "RoleName"];
    let in_form = fields.iter().find_map(|field| asked.field(field));
    let body: serde_json::Value = serde_json::from_str(asked.body()).unwrap_or_default();
    let in_json = || ["Name", "logGroupName"].iter().find_map(|field| body[*field].as_str().map(str::to_owned));
    in_form.or_else(in_json).unwrap_or_default()
}

/// What lists things, and where each has its name.
const LISTS: [(Service, &str, &str, &str, &str); 8] = [
    (Service::Rds, "DescribeDBInstances", "DBInstances", "DBInstance", "DBInstanceIdentifier"),
    (Service::Rds, "DescribeDBParameterGroups", "DBParameterGroups", "DBParameterGroup", "DBParameterGroupName"),
    (Service::Rds, "DescribeDBSnapshots", "DBSnapshots", "DBSnapshot", "DBInstanceIdentifier"),
    (Service::Ec2, "DescribeSecurityGroups", "securityGroupInfo", "item", "groupName"),
    (Service::Iam, "ListRoles", "Roles", "member", "RoleName"),
    (Service::CloudWatch, "DescribeAlarms", "MetricAlarms", "member", "AlarmName"),
    (Service::CloudWatch, "ListDashboards", "DashboardEntries", "member", "DashboardName"),
    (Service::Sns, "ListTopics", "Topics", "member", "TopicArn"),
];

/// Names of everything; without what stands around, where nobody makes it.
async fn things(session: &Session, is_whole: bool) -> Vec<String> {
    let mut all = Vec::new();
    let of_servers = |service: &Service| matches!(service, Service::Rds | Service::Ec2);
    for (service, action, list, element, field) in LISTS.into_iter().filter(|one| is_whole || of_servers(&one.0)) {
        let told = session.query(service, REGION, Form::new(action), Safety::Repeatable).await.expect("an answer");
        let names = told.list(list, element).filter_map(|one| one.text(field));
        let named = |name: &str| format!("{element} {}", name.rsplit(':').next().unwrap_or_default());
        all.extend(names.filter(|name| *name != "default").map(named));
    }
    for (service, action, list, field) in [
        (Service::SecretsManager, "ListSecrets", "SecretList", "Name"),
        (Service::Logs, "DescribeLogGroups", "logGroups", "logGroupName"),
    ] {
        let told = session.json(service, REGION, action, &json!({}), Safety::Repeatable).await.expect("an answer");
        let names = told[list].as_array().into_iter().flatten().filter_map(|one| one[field].as_str());
        all.extend(names.map(|name| format!("{field} {name}")));
    }
    all.sort();
    all
}

/// AWS, as far as moto tells it: what it never tells of a thing is not wanted.
struct Told {
    aws: Aws,
    is_whole: bool,
}

#[async_trait]
impl Provider for Told {
    fn cloud(&self) -> Cloud {
        Cloud::Aws
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn desired(&self, spec: &Spec) -> Vec<Resource> {
        let is_here = |id: &Id| self.is_whole || FEW.contains(&id.kind.as_str());
        let mut wanted = self.aws.desired(spec);
        wanted.retain(|resource| is_here(&resource.id));
        wanted.iter_mut().for_each(|resource| resource.needs.retain(is_here));
        for resource in &mut wanted {
            let is_told = |field: &str| !gaps::UNTOLD.contains(&(resource.id.kind.as_str(), field));
            resource.props.retain(|field, _| is_told(field));
        }
        wanted
    }

    async fn preflight(&self, spec: &Spec, intended: &Intended<'_>) -> Result<Vec<Diagnostic>, ProviderError> {
        let mut said = self.aws.preflight(spec, intended).await?;
        said.retain(|said| said.code != gaps::UNOFFERED);
        Ok(said)
    }

    async fn observe(&self, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
        self.aws.observe(wanted).await
    }

    async fn create(&self, resource: &Resource, now: ApplyNow, events: &Events) -> Result<(), ProviderError> {
        self.aws.create(resource, now, events).await
    }

    async fn update(
        &self,
        resource: &Resource,
        changes: &[Change],
        now: ApplyNow,
        events: &Events,
    ) -> Result<(), ProviderError> {
        self.aws.update(resource, changes, now, events).await
    }

    async fn delete(&self, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
        self.aws.delete(id, how, events).await
    }

    async fn operate(&self, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
        self.aws.operate(operation, events).await
    }

    fn outputs(&self, spec: &Spec, observed: &[Observed]) -> Props {
        self.aws.outputs(spec, observed)
    }

    fn inputs(&self, spec: &Spec, observed: &[Observed]) -> Result<Props, ProviderError> {
        self.aws.inputs(spec, observed)
    }

    fn ignores(&self) -> &'static [(&'static str, &'static str)] {
        self.aws.ignores()
    }
}

/// A database with everything around it.
const WHOLE: &str = r#"
    name                       = "orders"
    engine_version             = "16"
    backup_retention_period    = 1
    backup_window              = "03:00-03:30"
    allowed_cidr_blocks        = ["10.0.0.0/8"]
    enable_enhanced_monitoring = true
    enable_logging             = true
    create_dashboard           = true
    create_read_replica        = true
    alarm_targets              = ["ann@example.com"]
    skip_final_snapshot        = true
    tags                       = { Owner = "ann" }
"#;

/// The servers, and no more than they need.
const SMALL: &str = r#"
    name                    = "orders"
    engine_version          = "16"
    backup_retention_period = 1
    backup_window           = "03:00-03:30"
    allowed_cidr_blocks     = ["10.0.0.0/8"]
    skip_final_snapshot     = true
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_applied_is_kept_by_doing_nothing() {
    if server::url().is_some() {
        suite::kept::<Whole>(WHOLE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_throttling_ends_well() {
    if server::url().is_some() {
        suite::throttled::<Few>(SMALL, 4, 4 * Duration::from_secs(50) / HURRY).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_any_call_of_a_creation_it_ends_well_and_nothing_is_made_twice() {
    if server::url().is_some() {
        suite::killed_anywhere::<Few>(None, SMALL, 10).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_answer_is_lost_one_apply_is_enough() {
    if server::url().is_some() {
        suite::answers_lost::<Few>(None, SMALL, 10).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroy_leaves_what_is_asked_to_stay() {
    if server::url().is_some() {
        let left = ["orders-r1/postgresql", "orders-r1/upgrade", "orders/postgresql", "orders/upgrade"];
        let left = left.map(|log| format!("logGroupName /aws/rds/instance/{log}"));
        let left = left.each_ref().map(String::as_str);
        suite::destroyed::<Whole>(WHOLE, &left).await;
    }
}
