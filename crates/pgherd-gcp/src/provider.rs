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
use pgherd_engine::settle;

use crate::api::At;
use crate::fields::LABELS;
use crate::kinds::{IGNORES, KINDS, instance};
use crate::labels::{self, Labels};
use crate::session::Session;
use crate::wait::Patience;
use crate::{desired, live, observe, operate, outputs, preflight, report};

/// How Google Cloud is used as a target.
#[derive(Debug, Clone, Default)]
pub struct GcpOptions {
    /// Codes of the errors that the user has acknowledged (`--accept <code>`): they become warnings.
    pub accepted: BTreeSet<String>,
    /// How long is waited.
    pub patience: Patience,
}

/// Cloud SQL of one project.
#[derive(Debug, Clone)]
pub struct Gcp {
    session: Arc<Session>,
    project: String,
    region: Option<String>,
    options: GcpOptions,
    /// The database whose instance is taken to wear our label: what would be, if it were pgherd's.
    claimed: Option<String>,
    /// What an instance that is made is restored from, as a label says it.
    restored: Option<String>,
    /// Whether a backup is put into that instance afterwards, with the passwords that it holds.
    fills: bool,
}

impl Gcp {
    /// Google Cloud as a session knows it, for a block of a project and a region. Nothing is asked yet.
    pub fn new(
        session: Arc<Session>,
        project: Option<&str>,
        region: Option<&str>,
        options: GcpOptions,
    ) -> Result<Self, ProviderError> {
        let project = project.map(str::to_owned).or_else(|| session.project.clone()).ok_or_else(|| {
            ProviderError::new(ErrorKind::Invalid, "there is no project of Google Cloud")
                .help("write gcp_project, or set GOOGLE_CLOUD_PROJECT")
        })?;
        Ok(Self {
            session,
            project,
            region: region.map(str::to_owned),
            options,
            claimed: None,
            restored: None,
            fills: false,
        })
    }

    /// The same, which looks at the instance of a name as if it were ours.
    pub(crate) fn claiming(&self, name: &str) -> Self {
        Self { claimed: Some(name.to_owned()), ..self.clone() }
    }

    /// The same, which makes an instance that wears what it is restored from.
    pub(crate) fn restoring(&self, mark: String) -> Self {
        Self { restored: Some(mark), ..self.clone() }
    }

    /// The same, which makes an instance that a backup is put into.
    pub(crate) fn filling(&self, mark: String) -> Self {
        Self { fills: true, ..self.restoring(mark) }
    }

    /// Whether a backup is put into what it makes.
    pub(crate) fn is_filling(&self) -> bool {
        self.fills
    }

    /// Whether what wears these labels is ours, for the database of a name.
    pub(crate) fn is_ours(&self, worn: &Labels, name: &str) -> bool {
        let is_anothers = worn.contains_key(labels::BLOCK);
        labels::are_ours(worn, name) || (self.claimed.as_deref() == Some(name) && !is_anothers)
    }

    /// Who asks, and of which project.
    pub(crate) fn at(&self) -> At<'_> {
        At { session: &self.session, project: &self.project }
    }

    /// The project.
    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// How long is waited.
    pub(crate) fn patience(&self) -> &Patience {
        &self.options.patience
    }
}

#[async_trait]
impl Provider for Gcp {
    fn cloud(&self) -> Cloud {
        Cloud::Gcp
    }

    fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    async fn account(&self) -> Result<Option<String>, ProviderError> {
        Ok(Some(self.project.clone()))
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn desired(&self, spec: &Spec) -> Vec<Resource> {
        let mut desired = desired::desired(spec, &self.project);
        if let Some(mark) = &self.restored {
            for one in desired.iter_mut().filter(|one| one.id.kind == instance::NAME) {
                if let Some(Value::Map(worn)) = one.props.get_mut(LABELS) {
                    worn.insert(labels::RESTORED.to_owned(), Value::text(mark));
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
        outputs::outputs(spec, &self.project, observed)
    }

    fn inputs(&self, _spec: &Spec, _observed: &[Observed]) -> Result<Props, ProviderError> {
        Err(unsupported(Cloud::Gcp, "read the settings off a database"))
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
        let (project, name) = (&self.project, &spec.name);
        let filter = format!(
            "log_id(\"cloudsql.googleapis.com/postgres.log\") AND resource.labels.database_id=\"{project}:{name}\""
        );
        Err(ProviderError::new(ErrorKind::Unsupported, "this version of pgherd does not read Cloud Logging")
            .help(format!("gcloud logging read '{filter}' --project {project}")))
    }

    async fn parameters(&self, spec: &Spec) -> Result<Vec<LiveParameter>, ProviderError> {
        report::parameters(self, &spec.name).await
    }

    async fn password(&self, spec: &Spec) -> Result<Secret, ProviderError> {
        live::password(self, &spec.name).await
    }
}
