//! `restore` and `clone`: a new database of what was kept of another, which nothing here ever touches.
//!
//! It is made as an apply makes one, but that its instance comes of a restore. Its password is a new one, and written down as pending
//! before there is an instance. A tag says what the instance is made of until everything is done, so that the same command goes on with
//! it and no other takes it for its own.

use async_trait::async_trait;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Kind, Observed, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Props;
use pgherd_engine::provider::{
    ApplyNow, Deletion, ErrorKind, Events, Intended, Operation, Point, Provider, ProviderError,
};

use super::origin::{self, Origin};
use super::replace;
use crate::api::rds::{self, DbInstance};
use crate::kinds::instance;
use crate::kinds::tags::RESTORING;
use crate::live::{anew, late};
use crate::provider::Aws;
use pgherd_engine::settle::Patience;
use pgherd_engine::through::{self, through};

/// Restores a database as another one, or in its own place.
pub(super) async fn restore(
    aws: &Aws,
    name: &str,
    to: &Spec,
    point: &Point,
    events: &Events,
) -> Result<(), ProviderError> {
    if to.name == name {
        return replace::in_place(aws, to, point, events).await;
    }
    made(aws, name, to, point, events).await
}

/// Makes a database that holds what another one held at the latest moment that RDS can restore.
pub(super) async fn clone(aws: &Aws, name: &str, to: &Spec, events: &Events) -> Result<(), ProviderError> {
    if to.name == name {
        let message = format!("a clone of {name} needs a name of its own");
        return Err(ProviderError::new(ErrorKind::Invalid, message).help("--as NAME gives it one"));
    }
    made(aws, name, to, &Point::Latest, events).await
}

async fn made(aws: &Aws, name: &str, to: &Spec, point: &Point, events: &Events) -> Result<(), ProviderError> {
    let words = origin::words(name, point);
    let there = rds::instance(aws.session(), aws.region(), &to.name).await?;
    if let Some(error) = there.as_ref().and_then(|there| another(there, &words)) {
        return Err(error);
    }
    let origin = origin::found(aws, name, point).await?;
    let to = origin.fitted(to);
    origin.fits(aws, &instance::wanted(&to, aws.region())).await?;
    let provider = Restoring { aws: &aws.amid(&[(RESTORING, &words)]), origin: &origin, spec: &to };
    through(&provider, &to, events).await?;
    let seen = rds::instance(aws.session(), aws.region(), &to.name).await?;
    match seen {
        Some(seen) => Ok(rds::remove_tags(aws.session(), aws.region(), &seen.arn, &[RESTORING.to_owned()]).await?),
        None => Ok(()),
    }
}

/// What is there under the name of what is to be made, unless it is what an earlier run of the same began.
fn another(there: &DbInstance, words: &str) -> Option<ProviderError> {
    let message = match there.tags.get(RESTORING) {
        Some(begun) if begun == words => return None,
        Some(begun) => format!("{} is being restored from something else: {begun}", there.id),
        None => format!("there is an instance {} already", there.id),
    };
    Some(ProviderError::new(ErrorKind::Conflict, message).help("choose another name"))
}

/// AWS, where an instance that is not there comes of a restore.
struct Restoring<'a> {
    aws: &'a Aws,
    origin: &'a Origin,
    spec: &'a Spec,
}

#[async_trait]
impl Provider for Restoring<'_> {
    fn cloud(&self) -> Cloud {
        self.aws.cloud()
    }

    fn kinds(&self) -> &'static [Kind] {
        self.aws.kinds()
    }

    fn desired(&self, spec: &Spec) -> Vec<Resource> {
        self.aws.desired(spec)
    }

    async fn preflight(&self, spec: &Spec, intended: &Intended<'_>) -> Result<Vec<Diagnostic>, ProviderError> {
        self.aws.preflight(spec, intended).await
    }

    async fn observe(&self, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
        self.aws.observe(wanted).await
    }

    async fn create(&self, resource: &Resource, now: ApplyNow, events: &Events) -> Result<(), ProviderError> {
        if resource.id.kind != instance::NAME {
            return self.aws.create(resource, now, events).await;
        }
        let resource = late::resource(self.aws, resource).await?;
        if rds::instance(self.aws.session(), self.aws.region(), &resource.id.name).await?.is_none() {
            anew::password_intended(self.aws, &resource).await?;
        }
        let Origin { from, kept, database: _ } = self.origin;
        anew::restored(self.aws, &resource, from, kept.gib, &through::timing(self.spec), events).await
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

    fn until_free(&self) -> Patience {
        self.aws.until_free()
    }

    fn ignores(&self) -> &'static [(&'static str, &'static str)] {
        self.aws.ignores()
    }
}
