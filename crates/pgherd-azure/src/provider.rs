//! The provider: which file does what is asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::Change;
use pgherd_core::report::{Backups, Happened, LiveParameter, LogAsked, Report};
use pgherd_core::resource::{Id, Kind, Observed, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{
    ApplyNow, Deletion, ErrorKind, Events, Intended, Operation, Provider, ProviderError, unsupported,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::api::{self, At};
use crate::around::Around;
use crate::kinds::{IGNORES, KINDS, server};
use crate::session::Session;
use crate::tags::{self, TAGS, Tags};
use crate::wait::Patience;
use crate::{desired, live, observe, operate, outputs, preflight, report};

/// How Azure is used as a target.
#[derive(Debug, Clone, Default)]
pub struct AzureOptions {
    /// Codes of the errors that the user has acknowledged (`--accept <code>`): they become warnings.
    pub accepted: BTreeSet<String>,
    /// How long is waited.
    pub patience: Patience,
}

/// Where a block is.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The subscription; without one, the session's.
    pub subscription: Option<String>,
    /// The resource group, which exists.
    pub group: String,
}

/// Azure in one resource group.
#[derive(Debug, Clone)]
pub struct Azure {
    session: Arc<Session>,
    subscription: String,
    group: String,
    around: Around,
    options: AzureOptions,
    /// One thing at a time is done to a server.
    turn: Arc<Mutex<()>>,
    /// The database whose server is taken to wear our tag: what would be, if it were pgherd's.
    claimed: Option<String>,
    /// What a server that is made is restored from, as a tag says it.
    restored: Option<String>,
}

impl Azure {
    /// Azure as a session knows it, for a block of a resource group. Nothing is asked yet.
    pub fn new(
        session: Arc<Session>,
        place: Place,
        around: Around,
        options: AzureOptions,
    ) -> Result<Self, ProviderError> {
        let subscription = place.subscription.or_else(|| session.subscription.clone()).ok_or_else(|| {
            ProviderError::new(ErrorKind::Invalid, "there is no subscription of Azure")
                .help("write azure_subscription_id, or set ARM_SUBSCRIPTION_ID")
        })?;
        let (group, turn) = (place.group, Arc::default());
        Ok(Self { session, subscription, group, around, options, turn, claimed: None, restored: None })
    }

    /// The same, which looks at the server of a name as if it were ours.
    pub(crate) fn claiming(&self, name: &str) -> Self {
        Self { claimed: Some(name.to_owned()), ..self.clone() }
    }

    /// The same, which makes a server that wears what it is restored from.
    pub(crate) fn restoring(&self, mark: String) -> Self {
        Self { restored: Some(mark), ..self.clone() }
    }

    /// Whether what wears these tags is ours, for the database of a name.
    pub(crate) fn is_ours(&self, worn: &Tags, name: &str) -> bool {
        let is_anothers = worn.contains_key(tags::BLOCK);
        tags::are_ours(worn, name) || (self.claimed.as_deref() == Some(name) && !is_anothers)
    }

    /// Who asks, and of which resource group.
    pub(crate) fn at(&self) -> At<'_> {
        At { session: &self.session, subscription: &self.subscription, group: &self.group }
    }

    /// What is around a block.
    pub(crate) fn around(&self) -> &Around {
        &self.around
    }

    /// The vault that keeps secrets.
    pub(crate) fn vault(&self) -> Result<&str, ProviderError> {
        self.around.vault.as_deref().ok_or_else(|| {
            ProviderError::new(ErrorKind::Invalid, "there is no key vault for the credentials")
                .help("write key_vault_name = \"<name>\", or set PGHERD_AZURE_KEY_VAULT")
        })
    }

    /// The region of a resource: its own, or that of the resource group.
    pub(crate) async fn location(&self, props: &Props) -> Result<String, ProviderError> {
        if let Some(location) = props.get("location").and_then(Value::as_text) {
            return Ok(location.to_owned());
        }
        api::location_of_group(self.at()).await?.ok_or_else(|| {
            ProviderError::new(ErrorKind::NotFound, format!("there is no resource group {}", self.group))
                .help(format!("az group create --name {} --location <location> makes it", self.group))
        })
    }

    /// How long is waited.
    pub(crate) fn patience(&self) -> &Patience {
        &self.options.patience
    }

    /// Has nobody else of us do something to a server meanwhile.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

#[async_trait]
impl Provider for Azure {
    fn cloud(&self) -> Cloud {
        Cloud::Azure
    }

    fn region(&self) -> Option<&str> {
        self.around.location.as_deref()
    }

    async fn account(&self) -> Result<Option<String>, ProviderError> {
        Ok(Some(format!("{}/{}", self.subscription, self.group)))
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn desired(&self, spec: &Spec) -> Vec<Resource> {
        let mut desired = desired::desired(spec, &self.around);
        if let Some(mark) = &self.restored {
            for one in desired.iter_mut().filter(|one| one.id.kind == server::NAME) {
                if let Some(Value::Map(worn)) = one.props.get_mut(TAGS) {
                    worn.insert(tags::RESTORED.to_owned(), Value::text(mark));
                }
            }
        }
        desired
    }

    async fn preflight(&self, spec: &Spec, intended: &Intended<'_>) -> Result<Vec<Diagnostic>, ProviderError> {
        Ok(preflight::preflight(self, spec, intended, &self.options.accepted).await)
    }

    async fn observe(&self, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
        observe::observe(self, wanted).await
    }

    async fn create(&self, resource: &Resource, _now: ApplyNow, events: &Events) -> Result<(), ProviderError> {
        live::create(self, resource, events).await
    }

    async fn update(
        &self,
        resource: &Resource,
        changes: &[Change],
        now: ApplyNow,
        events: &Events,
    ) -> Result<(), ProviderError> {
        live::update(self, resource, changes, now, events).await
    }

    async fn delete(&self, id: &Id, _how: &Deletion, events: &Events) -> Result<(), ProviderError> {
        live::delete(self, id, events).await
    }

    async fn operate(&self, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
        operate::operate(self, operation, events).await
    }

    fn outputs(&self, spec: &Spec, observed: &[Observed]) -> Props {
        outputs::outputs(spec, &self.around, observed)
    }

    fn inputs(&self, _spec: &Spec, _observed: &[Observed]) -> Result<Props, ProviderError> {
        Err(unsupported(Cloud::Azure, "read the settings off a database"))
    }

    fn ignores(&self) -> &'static [(&'static str, &'static str)] {
        IGNORES
    }

    fn can(&self, operation: &Operation) -> Result<(), ProviderError> {
        operate::can(operation)
    }

    async fn report(&self, spec: &Spec) -> Result<Report, ProviderError> {
        report::report(self, spec).await
    }

    async fn backups(&self, spec: &Spec) -> Result<Backups, ProviderError> {
        report::backups(self, &spec.name).await
    }

    async fn history(&self, spec: &Spec) -> Result<Vec<Happened>, ProviderError> {
        // What Azure remembers is asked of another API.
        let help =
            format!("az monitor activity-log list --resource-id {} --offset 7d", self.at().server_id(&spec.name));
        Err(ProviderError::new(ErrorKind::Unsupported, "this version of pgherd does not read Azure's activity log")
            .help(help))
    }

    async fn log(
        &self,
        spec: &Spec,
        _asked: &LogAsked,
        _on_line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ProviderError> {
        let message = "this version of pgherd does not read the log of a server on Azure";
        let (name, group) = (&spec.name, &self.group);
        let help = match &self.around.workspace {
            Some(_) => "it is in the workspace of Log Analytics, table PGSQLServerLogs".to_owned(),
            None => format!(
                "az postgres flexible-server server-logs list --server-name {name} --resource-group {group}, and server-logs download; \
                 enable_logging = true keeps it there"
            ),
        };
        Err(ProviderError::new(ErrorKind::Unsupported, message).help(help))
    }

    async fn parameters(&self, spec: &Spec) -> Result<Vec<LiveParameter>, ProviderError> {
        report::parameters(self, &spec.name).await
    }

    async fn password(&self, spec: &Spec) -> Result<Secret, ProviderError> {
        live::password(self, &spec.name).await
    }
}
