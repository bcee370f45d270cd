//! A block on moto, and what is left to do for it.

use std::sync::Arc;
use std::time::Duration;

use pgherd_aws::{Aws, AwsOptions, Element, Fixed, Form, KINDS, Patience, Service, Session};
use pgherd_core::cloud::Cloud;
use pgherd_core::event::{Event, What};
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::plan::{Action, Plan, Step, Timing, plan, plan_destroy};
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::spec::resolve;
use pgherd_core::window::Window;
use pgherd_engine::provider::{ApplyNow, Deletion, Events, Operation, Provider as _, ProviderError};
use pgherd_http::{Policy, Safety};
use serde_json::Value as Json;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::gaps;
use crate::proxy::{Asked, Proxy};
use crate::server;

/// The kinds that stand around an instance.
pub const AROUND: &[&str] = &["topic", "role", "security_group", "log_group", "secret", "proxy", "alarm", "dashboard"];

/// What moto takes of every block.
const BASE: &str = "name = \"orders\"\nengine_version = \"16.13\"\nbackup_window = \"03:00-03:30\"\n";

pub struct World {
    pub aws: Aws,
    pub session: Arc<Session>,
    proxy: Proxy,
    events: Events,
    heard: std::sync::Mutex<UnboundedReceiver<Event>>,
}

impl World {
    /// A region for each test, so that none sees what another made. `None`, said aloud: there is no moto here.
    pub async fn new(region: &str) -> Option<Self> {
        let proxy = Proxy::start(server::url()?).await;
        gaps::tell();
        let session = Session::of(Fixed {
            region: region.to_owned(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("secret"),
            session_token: None,
            endpoint: Some(proxy.url.clone()),
            policy: Policy { first_wait: Duration::from_millis(1), ..Policy::default() },
            answer_within: Duration::from_secs(30),
        });
        let patience = Patience {
            letting_go: Duration::from_secs(5),
            unprotecting: Duration::from_secs(5),
            telling: Duration::from_secs(5),
            before_first_look: Duration::ZERO,
            between_looks: Duration::from_millis(1),
            ..Patience::default()
        };
        let aws = Aws::new(Arc::clone(&session), None, AwsOptions { patience, ..AwsOptions::default() });
        let (sender, heard) = mpsc::unbounded_channel();
        Some(Self { aws, session, proxy, events: Events::new("database", sender), heard: heard.into() })
    }

    pub fn resources(&self, arguments: &str) -> Vec<Resource> {
        let text = format!("module \"database\" {{\n{BASE}{arguments}\n}}\n");
        let sources = Sources::from_bytes("db.hcl", text.into_bytes());
        let document = read(&sources, &Given::default());
        let spec = resolve(document.blocks.first().expect("a block"), Some(Cloud::Aws)).0.expect("a target");
        self.aws.desired(&spec)
    }

    pub fn resource(&self, arguments: &str, kind: &str) -> Resource {
        self.resources(arguments).into_iter().find(|one| one.id.kind == kind).expect("it is wanted")
    }

    pub async fn observe(&self, arguments: &str) -> Vec<Observed> {
        self.aws.observe(&self.resources(arguments)).await.expect("observed")
    }

    pub async fn seen(&self, arguments: &str, kind: &str) -> Option<Observed> {
        self.observe(arguments).await.into_iter().find(|seen| seen.id.kind == kind)
    }

    async fn plan(&self, arguments: &str) -> Plan {
        let window = Window::parse_weekly("sun:04:00-sun:05:00").expect("a window");
        let timing = Timing { now: jiff::Timestamp::UNIX_EPOCH, window, apply_now: false };
        let wanted = self.resources(arguments);
        plan(KINDS, "database", &wanted, &self.aws.observe(&wanted).await.expect("observed"), &timing)
    }

    /// What of the things around the instance a plan would do, and what it would say of them: a line each.
    pub async fn left(&self, arguments: &str) -> String {
        let plan = self.plan(arguments).await;
        let said = plan.diagnostics.iter().filter(|said| AROUND.iter().any(|kind| said.message.starts_with(kind)));
        let said = said.map(|said| format!("{}: {}", said.code, said.message));
        let steps = plan.steps.iter().filter(|step| is_around(&step.id)).map(shown);
        said.chain(steps).collect::<Vec<_>>().join("\n")
    }

    /// Makes and changes what stands around the instance, and makes the instance.
    pub async fn apply(&self, arguments: &str) {
        self.try_apply(arguments).await.expect("applied");
    }

    /// The steps of one kind.
    pub async fn apply_only(&self, arguments: &str, kind: &str) {
        for step in self.plan(arguments).await.steps.iter().filter(|step| step.id.kind == kind) {
            self.carry_out(step).await.expect("carried out");
        }
    }

    pub async fn try_apply(&self, arguments: &str) -> Result<(), ProviderError> {
        for step in &self.plan(arguments).await.steps {
            // What moto does not tell of an instance would be changed for ever.
            if is_around(&step.id) || matches!(step.action, Action::Create { .. }) {
                self.carry_out(step).await?;
            }
        }
        Ok(())
    }

    /// The same, ended when moto has done what request `number` asks and nobody knows of it. Whether it came to that.
    pub async fn apply_cut(&self, arguments: &str, number: usize) -> bool {
        let plan = self.plan(arguments).await;
        self.proxy.withhold(Some(number));
        let carried_out = async {
            for step in plan.steps.iter().filter(|step| is_around(&step.id)) {
                self.carry_out(step).await.expect("carried out");
            }
        };
        let is_cut = tokio::select! {
            () = carried_out => false,
            () = self.proxy.withheld() => true,
        };
        self.proxy.withhold(None);
        is_cut
    }

    pub async fn destroy(&self, arguments: &str) {
        let observed = self.observe(arguments).await;
        for step in &plan_destroy(KINDS, "database", &observed).steps {
            self.carry_out(step).await.expect("destroyed");
        }
    }

    async fn carry_out(&self, step: &Step) -> Result<(), ProviderError> {
        let events = self.events.about(&step.id);
        let now = ApplyNow(false);
        match &step.action {
            Action::Create { resource } => self.aws.create(resource, now, &events).await,
            Action::Update { resource, changes } => self.aws.update(resource, changes, now, &events).await,
            Action::Delete { .. } => self.delete(&step.id).await,
        }
    }

    pub async fn delete(&self, id: &Id) -> Result<(), ProviderError> {
        self.aws.delete(id, &Deletion { final_backup: None }, &self.events.about(id)).await
    }

    pub async fn create(&self, resource: &Resource) -> Result<(), ProviderError> {
        self.aws.create(resource, ApplyNow(false), &self.events.about(&resource.id)).await
    }

    /// Refuses an action that speaks in forms with a code, so many times.
    pub fn refuse(&self, action: &str, code: &str, times: usize) {
        self.proxy.refuse(action, code, times);
    }

    pub async fn rotate(&self) -> Result<(), ProviderError> {
        self.aws.operate(&Operation::Rotate { name: "orders".to_owned() }, &self.events).await
    }

    /// Everything that was told since this was last called.
    pub fn told(&self) -> Vec<String> {
        let mut heard = self.heard.lock().expect("nobody panicked with it");
        let words = |what: What| match what {
            What::Phase { phase } => Some(phase),
            What::Said { message } => Some(message),
            _ => None,
        };
        std::iter::from_fn(|| heard.try_recv().ok()).filter_map(|event| words(event.what)).collect()
    }

    /// What moto was asked since this was last called.
    pub fn asked(&self) -> Vec<Asked> {
        self.proxy.asked()
    }

    /// The actions among those that begin with one of these words.
    pub fn actions(&self, beginnings: &[&str]) -> Vec<String> {
        let actions = self.asked().into_iter().map(|asked| asked.action);
        actions.filter(|action| beginnings.iter().any(|beginning| action.starts_with(beginning))).collect()
    }

    /// Somebody else asks.
    pub async fn query(&self, service: Service, form: Form) -> Element {
        self.session.query(service, self.session.region(), form, Safety::Repeatable).await.expect("an answer")
    }

    /// Somebody else asks.
    pub async fn json(&self, service: Service, action: &str, body: &Json) -> Json {
        self.session.json(service, self.session.region(), action, body, Safety::Repeatable).await.expect("an answer")
    }
}

fn is_around(id: &Id) -> bool {
    AROUND.contains(&id.kind.as_str())
}

fn shown(step: &Step) -> String {
    let fields: Vec<&str> = step.action.changes().iter().map(|change| change.field.as_str()).collect();
    let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
    format!("{} {}{fields}", step.action.verb(), step.id)
}
