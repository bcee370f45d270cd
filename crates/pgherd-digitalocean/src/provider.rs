//! The provider: which file does what is asked.

use std::collections::BTreeSet;
use std::path::PathBuf;
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
use pgherd_engine::settle;
use serde_json::Value as Json;

use crate::kinds::{IGNORES, KINDS, cluster};
use crate::secrets::Folder;
use crate::session::Session;
use crate::wait::Patience;
use crate::{api, desired, live, observe, operate, outputs, preflight, report, tags};

/// How DigitalOcean is used as a target.
#[derive(Debug, Clone, Default)]
pub struct DigitalOceanOptions {
    /// Codes of the errors that the user has acknowledged (`--accept <code>`): they become warnings.
    pub accepted: BTreeSet<String>,
    /// The folder for credentials; `None`: none are written down.
    pub secrets: Option<PathBuf>,
    /// How long is waited.
    pub patience: Patience,
}

/// Managed PostgreSQL of one account.
#[derive(Debug, Clone)]
pub struct DigitalOcean {
    session: Arc<Session>,
    region: Option<String>,
    options: DigitalOceanOptions,
    /// The database whose cluster is taken to wear our tag: what would be, if it were pgherd's.
    claimed: Option<String>,
    /// What a cluster that is made is restored from.
    origin: Option<Origin>,
}

/// What a cluster is restored from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// In the words of the request.
    pub(crate) asked: Json,
    /// The tag that says so.
    pub(crate) tag: String,
    /// The major of its source: a backup is of it.
    pub(crate) version: String,
    /// The storage of its source, which the backup needs.
    pub(crate) storage_mib: Option<i64>,
}

impl DigitalOcean {
    /// DigitalOcean as a session knows it, for a block in `region`. Nothing is asked yet.
    pub fn new(session: Arc<Session>, region: Option<&str>, options: DigitalOceanOptions) -> Self {
        Self { session, region: region.map(str::to_owned), options, claimed: None, origin: None }
    }

    /// The same, which looks at the cluster of a name as if it were ours.
    pub(crate) fn claiming(&self, name: &str) -> Self {
        Self { claimed: Some(name.to_owned()), ..self.clone() }
    }

    /// The same, which makes a cluster of a backup.
    pub(crate) fn restoring(&self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self.clone() }
    }

    /// What a cluster that is made is restored from.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Whether what wears these tags is ours, for the database of a name.
    pub(crate) fn is_ours(&self, worn: &[String], name: &str) -> bool {
        let is_anothers = tags::value_of(worn, tags::BLOCK).is_some();
        tags::are_ours(worn, name) || (self.claimed.as_deref() == Some(name) && !is_anothers)
    }

    /// Who asks.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// How long is waited.
    pub(crate) fn patience(&self) -> &Patience {
        &self.options.patience
    }

    /// Whether the user has accepted something by name.
    pub(crate) fn accepts(&self, code: &str) -> bool {
        self.options.accepted.contains(code)
    }

    /// Where the credentials of a database are written down.
    pub(crate) fn secrets(&self, database: &str) -> Option<Folder> {
        self.options.secrets.as_ref().map(|all| Folder::of(all, database))
    }
}

#[async_trait]
impl Provider for DigitalOcean {
    fn cloud(&self) -> Cloud {
        Cloud::DigitalOcean
    }

    fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    async fn account(&self) -> Result<Option<String>, ProviderError> {
        // A token without account:read does everything else.
        match api::account(&self.session).await {
            Err(error) if error.kind() == ErrorKind::Denied => Ok(None),
            answer => Ok(answer?),
        }
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn desired(&self, spec: &Spec) -> Vec<Resource> {
        let mut desired = desired::desired(spec);
        if let Some(Origin { asked: _, tag, version, storage_mib }) = &self.origin {
            for one in desired.iter_mut().filter(|one| one.id.kind == cluster::NAME) {
                if let Some(Value::Map(worn)) = one.props.get_mut("tags") {
                    worn.insert(tags::RESTORED.to_owned(), Value::text(tag));
                }
                // Another major is an upgrade, which is a step of its own; less storage than there is data is none.
                one.props.remove("newest_version");
                one.props.insert("version".to_owned(), Value::text(version));
                let wanted = one.props.get("storage_size_mib").and_then(Value::as_int);
                if let Some(mib) = wanted.max(*storage_mib) {
                    one.props.insert("storage_size_mib".to_owned(), Value::Int(mib));
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
        _now: ApplyNow,
        events: &Events,
    ) -> Result<(), ProviderError> {
        live::update(self, resource, changes, events).await
    }

    async fn delete(&self, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
        live::delete(self, id, how, events).await
    }

    async fn operate(&self, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
        operate::operate(self, operation, events).await
    }

    fn outputs(&self, spec: &Spec, observed: &[Observed]) -> Props {
        outputs::outputs(spec, observed, self.secrets(&spec.name).as_ref())
    }

    fn inputs(&self, _spec: &Spec, _observed: &[Observed]) -> Result<Props, ProviderError> {
        Err(unsupported(Cloud::DigitalOcean, "read the settings off a database"))
    }

    fn ignores(&self) -> &'static [(&'static str, &'static str)] {
        IGNORES
    }

    fn until_free(&self) -> settle::Patience {
        let pause = self.patience().between_looks;
        settle::Patience { deadline: self.patience().changing, first_pause: pause, longest_pause: pause * 3 }
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
        report::history(self, &spec.name).await
    }

    async fn log(
        &self,
        spec: &Spec,
        _asked: &LogAsked,
        _on_line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ProviderError> {
        observe::ours(self, &spec.name).await?;
        Err(ProviderError::new(
            ErrorKind::Unsupported,
            "DigitalOcean's API reads no logs: it only sends them to a sink",
        )
        .help("the control panel shows them under Logs & Queries; a log sink is set up there, too"))
    }

    async fn parameters(&self, spec: &Spec) -> Result<Vec<LiveParameter>, ProviderError> {
        report::parameters(self, &spec.name).await
    }

    async fn password(&self, spec: &Spec) -> Result<Secret, ProviderError> {
        live::password(self, &spec.name, &spec.master_username).await
    }
}
