//! A provider for the [`Target`], written as one for a cloud would be.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Impact, Kind, Observed, Resource, Status};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{
    ApplyNow, Deletion, ErrorKind, Events, Goal, Intended, Operation, Provider, ProviderError,
};
use pgherd_engine::settle::{self, Patience, settle};
use pgherd_engine::stop::Stop;

use crate::target::{Target, Thing};

const PATIENCE: Patience = Patience {
    deadline: Duration::from_secs(600),
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(30),
};

/// A provider that wants these resources, whatever the spec.
pub struct Client {
    pub target: Arc<Target>,
    pub wants: Vec<Resource>,
    /// What it has to say beforehand.
    pub says: Vec<Diagnostic>,
    /// What it was asked before anything is done.
    pub looks: Mutex<Vec<Look>>,
}

/// A question that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// What exists.
    Observe,
    /// What there is to be said about so many steps.
    Preflight { goal: Goal, steps: usize },
}

#[async_trait]
impl Provider for Client {
    fn cloud(&self) -> Cloud {
        Cloud::Aws
    }

    fn kinds(&self) -> &'static [Kind] {
        self.target.kinds()
    }

    fn desired(&self, _spec: &Spec) -> Vec<Resource> {
        self.wants.clone()
    }

    async fn preflight(&self, _spec: &Spec, intended: &Intended<'_>) -> Result<Vec<Diagnostic>, ProviderError> {
        self.looked(Look::Preflight { goal: intended.goal, steps: intended.plan.steps.len() });
        Ok(self.says.clone())
    }

    async fn observe(&self, _wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
        self.looked(Look::Observe);
        Ok(self.target.list().await?.into_iter().map(|(id, thing)| observed(id, thing)).collect())
    }

    async fn create(&self, resource: &Resource, _now: ApplyNow, events: &Events) -> Result<(), ProviderError> {
        match self.target.create(&resource.id, &resource.needs).await {
            // Begun by a run that was killed: the name is ours, so is the thing.
            Err(error) if error.kind == ErrorKind::Conflict => {}
            other => other?,
        }
        self.idle(&resource.id, events).await?;
        let mut props = Props::new();
        for (name, value) in &resource.props {
            props.insert(name.clone(), self.resolved(value).await?);
        }
        self.target.configure(&resource.id, &props).await?;
        self.idle(&resource.id, events).await
    }

    async fn update(
        &self,
        resource: &Resource,
        changes: &[Change],
        now: ApplyNow,
        events: &Events,
    ) -> Result<(), ProviderError> {
        for change in changes {
            let interrupts = !matches!(change.impact, Impact::None | Impact::NewConnections);
            let to = self.resolved(&change.to).await?;
            self.target.modify(&resource.id, &change.field, &to, interrupts).await?;
            self.idle(&resource.id, events).await?;
        }
        // As on RDS: all that waits takes effect, whichever run asked for it.
        if now == ApplyNow(true) {
            self.target.take_effect(&resource.id).await?;
            self.idle(&resource.id, events).await?;
        }
        Ok(())
    }

    async fn delete(&self, id: &Id, _how: &Deletion, events: &Events) -> Result<(), ProviderError> {
        match self.target.delete(id).await {
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        settle(&PATIENCE, events, &Stop::never(), async || {
            Ok(match self.target.get(id).await? {
                None => settle::Look::Ready(()),
                Some(_) => settle::Look::Wait { phase: "deleting".to_owned(), retry_after: None },
            })
        })
        .await
    }

    async fn operate(&self, _operation: &Operation, _events: &Events) -> Result<(), ProviderError> {
        Err(ProviderError::new(ErrorKind::Invalid, "this target has no operations"))
    }

    fn outputs(&self, _spec: &Spec, observed: &[Observed]) -> Props {
        observed.iter().map(|seen| (seen.id.to_string(), Value::Bool(true))).collect()
    }

    fn inputs(&self, _spec: &Spec, _observed: &[Observed]) -> Result<Props, ProviderError> {
        Err(ProviderError::new(ErrorKind::Unsupported, "this target reads no settings back"))
    }

    fn ignores(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}

impl Client {
    fn looked(&self, look: Look) {
        self.looks.lock().expect("no test panics while it looks").push(look);
    }

    /// What it was asked since this was last asked.
    pub fn take_looks(&self) -> Vec<Look> {
        std::mem::take(&mut self.looks.lock().expect("no test panics while it looks"))
    }

    /// Waits until it is there and does nothing.
    async fn idle(&self, id: &Id, events: &Events) -> Result<(), ProviderError> {
        settle(&PATIENCE, events, &Stop::never(), async || {
            let doing = match self.target.get(id).await? {
                Some(Thing { doing: None, .. }) => return Ok(settle::Look::Ready(())),
                Some(Thing { doing: Some(doing), .. }) => doing,
                None => "not seen yet",
            };
            Ok(settle::Look::Wait { phase: doing.to_owned(), retry_after: None })
        })
        .await
    }

    async fn resolved(&self, value: &Value) -> Result<Value, ProviderError> {
        let Value::Output(id, field) = value else { return Ok(value.clone()) };
        let thing = self.target.get(id).await?;
        thing
            .and_then(|thing| thing.props.get(&**field).cloned())
            .ok_or_else(|| ProviderError::new(ErrorKind::NotFound, format!("{id} has no {field}")))
    }
}

fn observed(id: Id, thing: Thing) -> Observed {
    let status = match thing.doing {
        _ if thing.foreign => Status::Foreign("it wears no tag of ours".to_owned()),
        Some("creating") => Status::Incomplete("it is being created".to_owned()),
        Some(doing) => Status::Busy(doing.to_owned()),
        None if thing.configured => Status::Available,
        None => Status::Incomplete("it has no settings yet".to_owned()),
    };
    let Thing { props, needs, pending, protected, .. } = thing;
    Observed { id, props, status, pending, needs, protected }
}
