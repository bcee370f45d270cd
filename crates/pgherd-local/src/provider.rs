//! The provider: speaks to the supervisor over its unix socket.

use std::collections::BTreeSet;
use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::{Diagnostic, Severity};
use pgherd_core::event::What;
use pgherd_core::outputs::{Facts, Named, Replica, outputs};
use pgherd_core::plan::{Action, Change, Timing, plan};
use pgherd_core::report::{Backups, LiveParameter, LogAsked, Restorable};
use pgherd_core::resource::{Id, Kind, Observed, Resource, Status};
use pgherd_core::secret::Secret;
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{
    ApplyNow, Deletion, ErrorKind, Events, Goal, Intended, Operation, Point, Provider, ProviderError, address_in,
};
use sha2::{Digest as _, Sha256};

use crate::client::{self, Client};
use crate::desired::{self, KINDS, Wanted, value_of};
use crate::encrypted;
use crate::pooler;
use crate::preflight::{Second, preflight};
use crate::supervisor::messages::{
    BackupHow, BackupsReport, Delete, FailoverHow, Instance, Line, PromoteHow, Put, Reader, RestoreHow, RestorePoint,
    Span, check_backup_name,
};
use crate::supervisor::{AgentOptions, first_repository_trouble, second_repository_trouble};
use crate::told;
use crate::written;

/// How this machine is used as a target.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The agent to speak to, and how it is started when absent.
    pub agent: AgentOptions,
    /// The executable that has the `agent` command.
    pub program: PathBuf,
    /// Codes of the errors that the user has acknowledged (`--accept <code>`): they become warnings.
    pub accepted: BTreeSet<String>,
}

/// Real PostgreSQL on this machine.
#[derive(Debug, Clone)]
pub struct Local {
    options: LocalOptions,
}

impl Local {
    /// This machine, used like that. Nothing is touched yet.
    pub fn new(options: LocalOptions) -> Self {
        Self { options }
    }

    /// The agent, started when absent.
    pub async fn agent(&self) -> Result<Client, ProviderError> {
        client::connect_or_start(&self.options.program, &self.options.agent).await
    }

    /// The agent for a mere look: `None` when there is nothing it could know of, so that a plan on an untouched machine
    /// starts nothing.
    pub async fn agent_to_look(&self) -> Result<Option<Client>, ProviderError> {
        if !self.options.agent.paths.instances().is_dir() {
            return Ok(None);
        }
        self.agent().await.map(Some)
    }
}

#[async_trait]
impl Provider for Local {
    fn cloud(&self) -> Cloud {
        Cloud::Local
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn desired(&self, spec: &Spec) -> Vec<Resource> {
        desired::desired(spec)
    }

    /// What this machine cannot promise is said at every plan, one with nothing to do included: the disk may have changed.
    async fn preflight(&self, spec: &Spec, intended: &Intended<'_>) -> Result<Vec<Diagnostic>, ProviderError> {
        match intended.goal {
            Goal::Apply { .. } => {}
            // Nothing of it will remain, and so no promise.
            Goal::Destroy => return Ok(Vec::new()),
        }
        let state = &self.options.agent.paths.state;
        // Before the first use, what counts is where it will be made.
        let nearest = state.ancestors().find(|folder| folder.exists()).unwrap_or(state);
        let program = spec.proxy.as_ref().and_then(|_| pooler::find(std::env::var_os("PATH").as_deref()));
        let named_in = self.options.agent.paths.second_repository();
        let paths = self.options.agent.paths.clone();
        let second = match named_in.exists() {
            true => second_repository_trouble(&paths).map_or(Second::There, |why| Second::Wrong { why }),
            false => Second::None { named_in },
        };
        let first = first_repository_trouble(&paths);
        let storage = encrypted::of(nearest);
        Ok(preflight(spec, &storage, program.as_ref(), first.as_deref(), &second, &self.options.accepted))
    }

    async fn observe(&self, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
        let Some(agent) = self.agent_to_look().await? else {
            return Ok(Vec::new());
        };
        let mut observed = Vec::new();
        for resource in wanted {
            if let Some(instance) = agent.instance(&resource.id.name).await? {
                observed.push(observed_instance(&instance, resource));
            }
        }
        Ok(observed)
    }

    async fn create(&self, resource: &Resource, now: ApplyNow, events: &Events) -> Result<(), ProviderError> {
        let put = Put {
            wanted: Wanted::from_props(&resource.props)
                .map_err(|error| ProviderError::new(ErrorKind::Invalid, error))?,
            master_password: match resource.props.get("master_password") {
                Some(Value::Secret(secret)) => secret.reveal().map(str::to_owned),
                _ => None,
            },
            apply_now: now.0,
        };
        self.agent().await?.put(&resource.id.name, &put, |line| tell(events, line)).await
    }

    async fn update(
        &self,
        resource: &Resource,
        _changes: &[Change],
        now: ApplyNow,
        events: &Events,
    ) -> Result<(), ProviderError> {
        self.create(resource, now, events).await
    }

    async fn delete(&self, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
        let how = Delete { final_backup: how.final_backup.clone() };
        let Some(agent) = self.agent_to_look().await? else { return Ok(()) };
        match agent.delete(&id.name, &how, |line| tell(events, line)).await {
            // Already gone is success.
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    async fn operate(&self, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
        self.can(operation)?;
        let (name, verb) = match operation {
            Operation::Start { name } => (name, "start"),
            Operation::Stop { name } => (name, "stop"),
            Operation::Restart { name } => (name, "restart"),
            Operation::Rotate { name } => (name, "rotate"),
            Operation::Switchover { name } => (name, "switchover"),
            Operation::Failover { name, accept_loss } => {
                let how = FailoverHow { accept_loss: *accept_loss };
                return self.agent().await?.failover(name, how, |line| tell(events, line)).await;
            }
            Operation::Promote { name, replica, to } => {
                let how = PromoteHow { replica: replica.clone(), to: to.name.clone() };
                return self.agent().await?.promote(name, &how, |line| tell(events, line)).await;
            }
            Operation::Backup { name, label } => {
                let named = |label: &String| BackupHow { label: label.clone() };
                let how = label
                    .as_ref()
                    .map(named)
                    .ok_or_else(|| ProviderError::new(ErrorKind::Invalid, "a backup that is asked for has a name"))?;
                return self.agent().await?.backup(name, &how, |line| tell(events, line)).await;
            }
            Operation::Restore { name, to, point } => {
                let how = restore_how(to, restore_point(point));
                return self.agent().await?.restore(name, &how, |line| tell(events, line)).await;
            }
            Operation::Clone { name, to } => {
                let how = restore_how(to, RestorePoint::Now);
                return self.agent().await?.restore(name, &how, |line| tell(events, line)).await;
            }
            Operation::Drill { name } => return self.agent().await?.drill(name, |line| tell(events, line)).await,
            Operation::Forget { spec } => (&spec.name, "forget"),
            Operation::Adopt { spec } => {
                self.refuse_differences(spec).await?;
                (&spec.name, "adopt")
            }
        };
        self.agent().await?.operate(name, verb, |line| tell(events, line)).await
    }

    fn outputs(&self, spec: &Spec, observed: &[Observed]) -> Props {
        outputs(spec, &observed.first().map_or_else(Facts::default, facts))
    }

    fn inputs(&self, _spec: &Spec, observed: &[Observed]) -> Result<Props, ProviderError> {
        Ok(observed.first().map(|seen| written::inputs(&seen.props)).unwrap_or_default())
    }

    fn ignores(&self) -> &'static [(&'static str, &'static str)] {
        desired::IGNORES
    }

    /// As the agent knows it: the server is asked nothing.
    async fn address(&self, spec: &Spec) -> Result<Option<String>, ProviderError> {
        let Some(agent) = self.agent_to_look().await? else { return Ok(None) };
        let (instance, wanted) = (agent.known_instance(&spec.name).await?, self.desired(spec));
        let observed: Vec<Observed> =
            instance.iter().zip(&wanted).map(|(instance, resource)| observed_instance(instance, resource)).collect();
        Ok(address_in(&self.outputs(spec, &observed)))
    }

    fn can(&self, operation: &Operation) -> Result<(), ProviderError> {
        match operation {
            Operation::Backup { label, .. } => label.as_deref().map_or(Ok(()), check_backup_name),
            Operation::Start { .. }
            | Operation::Stop { .. }
            | Operation::Restart { .. }
            | Operation::Rotate { .. }
            | Operation::Failover { .. }
            | Operation::Switchover { .. }
            | Operation::Promote { .. }
            | Operation::Drill { .. }
            | Operation::Restore { .. }
            | Operation::Clone { .. }
            | Operation::Adopt { .. }
            | Operation::Forget { .. } => Ok(()),
        }
    }

    async fn backups(&self, spec: &Spec) -> Result<Backups, ProviderError> {
        let BackupsReport { kept, aside, restorable, also_restorable } =
            self.agent().await?.backups(&spec.name).await?;
        let span = |span: Span| Restorable { from: Some(span.since), to: span.until };
        let kept = kept.into_iter().map(told::backup).chain(aside.into_iter().map(told::aside));
        let also_restorable = also_restorable.into_iter().map(span).collect();
        Ok(Backups { kept: kept.collect(), restorable: restorable.map(span), also_restorable })
    }

    async fn log(
        &self,
        spec: &Spec,
        asked: &LogAsked,
        on_line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ProviderError> {
        let agent = self.agent().await?;
        agent.logs(&spec.name, asked.lines, asked.follow, |line| on_line(line.to_owned())).await
    }

    async fn parameters(&self, spec: &Spec) -> Result<Vec<LiveParameter>, ProviderError> {
        let parameters = self.agent().await?.params(&spec.name).await?;
        Ok(parameters.into_iter().map(told::parameter).collect())
    }

    async fn password(&self, spec: &Spec) -> Result<Secret, ProviderError> {
        let instance = self.agent().await?.instance(&spec.name).await?;
        let missing = || ProviderError::new(ErrorKind::NotFound, format!("{} does not exist", spec.name));
        told::password(&instance.ok_or_else(missing)?.endpoint.secret_file)
    }
}

/// What the agent is asked for when a database is to be restored as a spec says.
pub fn restore_how(to: &Spec, point: RestorePoint) -> RestoreHow {
    let master_password = match &to.master_password {
        Setting::Known(password) => password.reveal().map(str::to_owned),
        Setting::Unknown(_) | Setting::Unset => None,
    };
    RestoreHow { to: to.name.clone(), wanted: Wanted::from_spec(to), master_password, point, dry_run: false }
}

/// The same moment, as the agent is told.
pub fn restore_point(point: &Point) -> RestorePoint {
    match point {
        Point::Latest => RestorePoint::Latest,
        Point::At(at) => RestorePoint::At(*at),
        Point::Lsn(lsn) => RestorePoint::Lsn(lsn.clone()),
        Point::Backup(backup) => RestorePoint::Backup(backup.clone()),
    }
}

/// What the outputs need, as [`observed_instance`] put it beside the compared fields.
fn facts(observed: &Observed) -> Facts {
    let text = |field: &str| observed.props.get(field).and_then(Value::as_text).map(str::to_owned);
    let port_of = |value: &Value| value.as_int().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
    let port = |field: &str| observed.props.get(field).and_then(port_of);
    let host = text("endpoint_host");
    let at = |port: u16| Some(format!("{}:{port}", host.as_ref()?));
    let replicas: Vec<Replica> = match observed.props.get(REPLICAS) {
        Some(Value::List(replicas)) => replicas.iter().filter_map(|one| replica(&observed.id.name, one, at)).collect(),
        _ => Vec::new(),
    };
    let named = |id: Option<String>| Named { id, arn: None };
    Facts {
        id: Some(observed.id.name.clone()),
        arn: Some(format!("pgherd:local:{}", observed.id.name)),
        resource_id: text("system_identifier"),
        host: host.clone(),
        port: port("endpoint_port"),
        pooler: host.clone().filter(|_| port("pooler_port").is_some()),
        reader: port("read_port").filter(|_| !replicas.is_empty()).and_then(at),
        replicas,
        database_name: text("database_name"),
        username: text("master_username"),
        security_group: named(text("access_fingerprint")),
        parameter_group: named(text("settings_fingerprint")),
        secret: text("secret_file"),
        passfile: text("passfile"),
        root_certificate: text("ca_file"),
        engine_version: text("engine_version_actual"),
        ..Facts::default()
    }
}

/// The read replicas among what the outputs need.
const REPLICAS: &str = "replicas";

/// One replica: its number is its name in an instance, by which `pgherd promote --replica` knows it.
fn replica(instance: &str, seen: &Value, at: impl Fn(u16) -> Option<String>) -> Option<Replica> {
    let seen = seen.as_map()?;
    let id = seen.get("name")?.as_text()?.to_owned();
    let endpoint = at(u16::try_from(seen.get("port")?.as_int()?).ok()?)?;
    Some(Replica { arn: format!("pgherd:local:{instance}/{id}"), id, endpoint })
}

impl Local {
    /// Refuses where a block says something else of an instance that is there, or there is none.
    async fn refuse_differences(&self, spec: &Spec) -> Result<(), ProviderError> {
        let desired = self.desired(spec);
        let mut observed = self.observe(&desired).await?;
        if observed.is_empty() {
            let message = format!("there is no {} on this machine", spec.name);
            return Err(ProviderError::new(ErrorKind::NotFound, message)
                .help("what pgherd did not make it cannot take over here; pgherd apply makes a database"));
        }
        for seen in observed.iter_mut().filter(|seen| matches!(seen.status, Status::Foreign(_))) {
            seen.status = Status::Available;
        }
        let timing = Timing { now: Timestamp::now(), window: spec.maintenance_window, apply_now: false };
        let plan = plan(KINDS, &spec.block, &desired, &observed, &timing);
        let errors = plan.diagnostics.iter().filter(|said| said.severity == Severity::Error);
        let refused = errors.map(|error| error.message.clone());
        let fields = plan.steps.iter().flat_map(|step| match &step.action {
            Action::Update { changes, .. } => changes.iter().map(|change| change.field.clone()).collect(),
            Action::Create { .. } | Action::Delete { .. } => vec![step.id.to_string()],
        });
        let differences: Vec<String> = refused.chain(fields).collect();
        if differences.is_empty() {
            return Ok(());
        }
        let message = format!("{} is not as its block says: {}", spec.name, differences.join(", "));
        Err(ProviderError::new(ErrorKind::Conflict, message)
            .help("write into the block what there is; a plan changes it afterwards"))
    }
}

/// An instance as the plan compares it, and what the outputs need.
fn observed_instance(instance: &Instance, wanted: &Resource) -> Observed {
    let mut props: Props = instance.observed.iter().map(|(field, json)| (field.clone(), value_of(json))).collect();
    if let Some(verifier) = &instance.master_verifier {
        props.insert("master_password".to_owned(), Value::Secret(Secret::Verifier(verifier.clone())));
    }
    // What a newly written setting is changed from: the value in force, whoever set it.
    if let (Some(Value::Map(seen)), Some(Value::Map(written))) =
        (props.get_mut("parameters"), wanted.props.get("parameters"))
    {
        for name in written.keys().filter(|name| !instance.wanted.parameters.contains_key(*name)) {
            if let Some(value) = instance.settings.get(name) {
                seen.entry(name.clone()).or_insert_with(|| Value::text(value));
            }
        }
    }
    // Without a pooler nobody asks for its settings; that they are kept for later is no difference.
    if wanted.props.get("enable_proxy") == Some(&Value::Bool(false)) {
        props.remove("proxy_config");
    }
    let endpoint = &instance.endpoint;
    let reader = |one: &Reader| {
        Value::Map(Props::from([
            ("name".to_owned(), Value::text(&one.name)),
            ("port".to_owned(), Value::Int(one.port.into())),
        ]))
    };
    let path = |path: &std::path::Path| Value::text(path.display().to_string());
    props.extend(
        [
            ("endpoint_host", Value::text(&endpoint.host)),
            // What applications connect to (variables.md, section 4).
            ("endpoint_port", Value::Int(endpoint.pooler_port.unwrap_or(endpoint.port).into())),
            ("pooler_port", endpoint.pooler_port.map(i64::from).into()),
            ("read_port", instance.read_port.map(i64::from).into()),
            (REPLICAS, Value::List(instance.replicas.iter().map(reader).collect())),
            ("system_identifier", endpoint.system_identifier.clone().into()),
            ("secret_file", path(&endpoint.secret_file)),
            ("passfile", path(&endpoint.passfile)),
            ("ca_file", path(&endpoint.ca_file)),
            ("access_fingerprint", fingerprint(&props, &["allowed_cidrs", "publicly_accessible"])),
            ("settings_fingerprint", fingerprint(&props, &["parameters", "memory_mib", "logging"])),
            ("engine_version_actual", props.get("engine_version").cloned().unwrap_or(Value::Null)),
        ]
        .map(|(field, value)| (field.to_owned(), value)),
    );
    // Another version runs in place of the one asked for (rule L1): as long as the same is asked, that is no difference.
    let asked = instance.wanted.to_props();
    props.insert(written::ASKED.to_owned(), Value::Map(asked.clone()));
    for field in ["engine_major", "engine_version"] {
        if let Some(asked) = asked.get(field).filter(|asked| wanted.props.get(field) == Some(asked)) {
            props.insert(field.to_owned(), asked.clone());
        }
    }
    Observed {
        id: wanted.id.clone(),
        props,
        status: instance.status.clone(),
        pending: instance.pending.clone(),
        needs: Vec::new(),
        protected: instance.wanted.deletion_protection,
    }
}

/// Twelve hexadecimal digits that stand for the values of some fields.
fn fingerprint(props: &Props, fields: &[&str]) -> Value {
    let text: String = fields.iter().filter_map(|field| Some(format!("{field}={}\n", props.get(*field)?))).collect();
    Value::text(Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Tells whoever watches what the agent tells.
pub fn tell(events: &Events, line: Line) {
    match line {
        Line::Phase { phase } => events.phase(phase),
        Line::Said { message } => events.emit(What::Said { message }),
        Line::Progress { done, total } => events.emit(What::Progress { done, total, unit: "bytes".to_owned() }),
        // The result of the call says these.
        Line::Checked { .. } | Line::Done | Line::Failed { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use pgherd_core::inputs::Inputs;
    use pgherd_core::plan::Plan;
    use pgherd_core::spec::resolve;

    use super::*;
    use crate::paths::{Paths, Surroundings};

    fn local() -> Local {
        let paths = Paths::choose(&Surroundings { state_dir: Some("/nowhere".into()), ..Surroundings::default() });
        let agent =
            AgentOptions { paths, run_as: None, postgres_dirs: Vec::new(), strict_minor: false, announce: false };
        Local::new(LocalOptions { agent, program: "/nowhere/pgherd".into(), accepted: BTreeSet::new() })
    }

    fn spec() -> Spec {
        let values = [("geo_redundant_backup".to_owned(), true.into())].into();
        resolve(&Inputs { block: "db".to_owned(), values }, Some(Cloud::Local)).0.expect("the target is given")
    }

    /// A plan with nothing to do included: what the machine does not promise is said as long as the block asks for it.
    #[tokio::test]
    async fn what_cannot_be_promised_is_said_at_every_plan_and_at_no_destroy() {
        let plan = Plan {
            block: "db".to_owned(),
            steps: Vec::new(),
            diagnostics: Vec::new(),
            fingerprint: String::new(),
            derived: Default::default(),
        };
        let said = async |goal| {
            let intended = Intended { goal, plan: &plan, desired: &[], observed: &[] };
            local().preflight(&spec(), &intended).await.expect("it asks nobody")
        };
        let codes = said(Goal::Apply { now: false }).await.into_iter().map(|said| said.code).collect::<Vec<_>>();
        assert!(codes.contains(&"geo-redundant-backup-unavailable"), "{codes:?}");
        assert_eq!(said(Goal::Destroy).await, []);
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_adopted() {
        let (sender, _) = tokio::sync::mpsc::unbounded_channel();
        let adopt = Operation::Adopt { spec: Box::new(spec()) };
        let refused = local().operate(&adopt, &Events::new("db", sender)).await.expect_err("refused");
        assert_eq!(refused.kind, ErrorKind::NotFound, "{refused}");
    }
}
