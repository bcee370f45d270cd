//! The provider: which file does what is asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::Change;
use pgherd_core::report::{Backups, Happened, LiveParameter, LogAsked, Report};
use pgherd_core::resource::{Id, Kind, Observed, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::spec::Spec;
use pgherd_core::value::Props;
use pgherd_engine::provider::{ApplyNow, Deletion, Events, Goal, Intended, Operation, Provider, ProviderError};
use pgherd_engine::settle;

use crate::api::sts;
use crate::api::tags::Tags;
use crate::kinds::tags::{self, BLOCK};
use crate::kinds::{IGNORES, KINDS, instance};
use crate::live::left::Leaving;
use crate::session::Session;
use crate::wait::Patience;
use crate::{desired, live, logs, observe, operate, outputs, preflight, report, seen, settings, written};

/// How AWS is used as a target.
#[derive(Debug, Clone, Default)]
pub struct AwsOptions {
    /// Codes of the errors that the user has acknowledged (`--accept <code>`): they become warnings.
    pub accepted: BTreeSet<String>,
    /// A file with the certificates of Amazon's authorities, where there is one: connections are then verified fully.
    pub root_certificate: Option<String>,
    /// How long is waited.
    pub patience: Patience,
    /// The day by which it is judged what AWS still offers; `None`: the clock's.
    pub today: Option<Date>,
}

/// RDS for PostgreSQL in one region of one account.
#[derive(Debug, Clone)]
pub struct Aws {
    session: Arc<Session>,
    region: String,
    options: AwsOptions,
    /// Tags that everything is taken to wear that nobody else has claimed: what would be, if it were pgherd's.
    claimed: Tags,
    /// Tags that the instance is wanted with meanwhile: what says how far a verb is.
    stage: Tags,
    /// The steps at work that let go of something.
    leaving: Arc<Leaving>,
    /// Whether something is being done, of which a look is a part: giving up would leave it half done.
    is_at_work: bool,
}

impl Aws {
    /// AWS as a session knows it, for a block in `region`; `None`: the session's. Nothing is asked yet.
    pub fn new(session: Arc<Session>, region: Option<&str>, options: AwsOptions) -> Self {
        let region = region.unwrap_or(session.region()).to_owned();
        Self {
            session,
            region,
            options,
            claimed: Tags::new(),
            stage: Tags::new(),
            leaving: Arc::default(),
            is_at_work: false,
        }
    }

    /// The same, which looks at everything as if it wore these tags, but for what belongs to another block.
    pub(crate) fn claiming(&self, tags: Tags) -> Self {
        Self { claimed: tags, ..self.clone() }
    }

    /// The same, which leaves tags on the instance that say how far a verb is with it.
    pub(crate) fn amid(&self, stage: &[(&str, &str)]) -> Self {
        let stage = stage.iter().map(|(key, words)| ((*key).to_owned(), (*words).to_owned())).collect();
        Self { stage, ..self.clone() }
    }

    /// The same at work on something.
    fn at_work(&self) -> Self {
        Self { is_at_work: true, ..self.clone() }
    }

    /// The same for one look, which gives up sooner when calls are refused than what is at work.
    fn looking(&self) -> Self {
        if self.is_at_work { self.clone() } else { Self { session: self.session.looking(), ..self.clone() } }
    }

    /// The same for a look at what can be done without.
    pub(crate) fn sparing(&self) -> Self {
        Self { session: self.session.sparing(), ..self.clone() }
    }

    /// The tags of something, as they are looked at.
    pub(crate) fn worn(&self, mut tags: Tags) -> Tags {
        let is_anothers = tags.get(BLOCK).is_some_and(|block| self.claimed.get(BLOCK) != Some(block));
        if !is_anothers {
            tags.extend(self.claimed.clone());
        }
        tags
    }

    /// Who asks.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// The steps at work that let go of something.
    pub(crate) fn leaving(&self) -> &Leaving {
        &self.leaving
    }

    /// The block's own region.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// The day by which it is judged what AWS still offers.
    pub(crate) fn today(&self) -> Date {
        self.options.today.unwrap_or_else(|| Timestamp::now().to_zoned(TimeZone::UTC).date())
    }

    /// How long is waited.
    pub(crate) fn patience(&self) -> &Patience {
        &self.options.patience
    }
}

#[async_trait]
impl Provider for Aws {
    fn cloud(&self) -> Cloud {
        Cloud::Aws
    }

    fn region(&self) -> Option<&str> {
        Some(&self.region)
    }

    async fn account(&self) -> Result<Option<String>, ProviderError> {
        Ok(Some(sts::account(&self.session.looking(), &self.region).await?))
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn desired(&self, spec: &Spec) -> Vec<Resource> {
        let mut desired = desired::desired(spec, &self.region);
        for instance in desired.iter_mut().filter(|one| one.id.kind == instance::NAME) {
            self.stage.iter().for_each(|(key, words)| tags::wear(instance, key, words));
        }
        desired
    }

    fn derived(&self, spec: &Spec) -> Vec<(Id, String)> {
        desired::derived(spec)
    }

    async fn preflight(&self, spec: &Spec, intended: &Intended<'_>) -> Result<Vec<Diagnostic>, ProviderError> {
        let (aws, accepted) = (&self.sparing(), &self.options.accepted);
        let mut told = preflight::preflight(aws, spec, intended, accepted, self.today()).await;
        if matches!(intended.goal, Goal::Apply { .. }) {
            let said = seen::told(&intended.plan.block, intended.desired, intended.observed);
            let is_acceptable = |one: &Diagnostic| preflight::ACCEPTABLE.contains(&one.code);
            told.extend(said.into_iter().map(|one| if is_acceptable(&one) { one.acknowledged(accepted) } else { one }));
        }
        Ok(told)
    }

    async fn observe(&self, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
        observe::observe(&self.looking(), wanted).await
    }

    async fn create(&self, resource: &Resource, now: ApplyNow, events: &Events) -> Result<(), ProviderError> {
        let aws = &self.at_work();
        let mut resource = live::late::resource(aws, resource).await?;
        if resource.id.kind == instance::NAME && self.options.accepted.contains(preflight::VERSION_UNAVAILABLE) {
            resource = preflight::chosen(aws, &resource).await;
        }
        live::create(aws, &resource, now, events).await
    }

    async fn update(
        &self,
        resource: &Resource,
        changes: &[Change],
        now: ApplyNow,
        events: &Events,
    ) -> Result<(), ProviderError> {
        let aws = &self.at_work();
        let (resource, changes) = live::late::update(aws, resource, changes).await?;
        live::update(aws, &resource, &changes, now, events).await
    }

    async fn delete(&self, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
        live::delete(&self.at_work(), id, how, events).await
    }

    async fn operate(&self, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
        operate::operate(&self.at_work(), operation, events).await
    }

    fn outputs(&self, spec: &Spec, observed: &[Observed]) -> Props {
        outputs::outputs(spec, observed, self.options.root_certificate.as_deref())
    }

    fn inputs(&self, spec: &Spec, observed: &[Observed]) -> Result<Props, ProviderError> {
        Ok(written::inputs(spec, &self.region, observed))
    }

    fn ignores(&self) -> &'static [(&'static str, &'static str)] {
        IGNORES
    }

    fn is_emulated(&self) -> bool {
        self.session().is_emulated()
    }

    fn until_free(&self) -> settle::Patience {
        let pause = self.patience().between_looks;
        settle::Patience { deadline: self.patience().changing, first_pause: pause, longest_pause: pause * 3 }
    }

    fn can(&self, operation: &Operation) -> Result<(), ProviderError> {
        operate::can(operation)
    }

    async fn report(&self, spec: &Spec) -> Result<Report, ProviderError> {
        report::report(&self.looking(), spec, Timestamp::now()).await
    }

    async fn backups(&self, spec: &Spec) -> Result<Backups, ProviderError> {
        report::backups(&self.looking(), spec).await
    }

    async fn history(&self, spec: &Spec) -> Result<Vec<Happened>, ProviderError> {
        report::history(&self.looking(), spec).await
    }

    async fn log(
        &self,
        spec: &Spec,
        asked: &LogAsked,
        on_line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ProviderError> {
        logs::log(self, &spec.name, asked, on_line).await
    }

    async fn parameters(&self, spec: &Spec) -> Result<Vec<LiveParameter>, ProviderError> {
        settings::settings(&self.looking(), &spec.name).await
    }

    async fn password(&self, spec: &Spec) -> Result<Secret, ProviderError> {
        live::password(&self.looking(), &spec.name).await
    }
}
