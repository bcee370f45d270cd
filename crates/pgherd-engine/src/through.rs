//! A plan that is carried out to its end as part of a verb, with everything that interrupts service: nobody uses the database yet.

use crate::provider::{ErrorKind, Events, Provider, ProviderError};
use crate::run::{self, Planned};
use crate::stop::Stop;
use jiff::Timestamp;
use pgherd_core::diagnostic::{Diagnostic, Severity};
use pgherd_core::lint::Intent;
use pgherd_core::plan::{Action, Timing};
use pgherd_core::spec::Spec;

/// When changes of a spec happen: at once.
pub fn timing(spec: &Spec) -> Timing {
    Timing { apply_now: true, ..run::timing(spec, Timestamp::now()) }
}

/// What there is to do, unless something is in the way. A verb that makes things deletes none.
pub async fn planned(provider: &dyn Provider, spec: &Spec) -> Result<Planned, ProviderError> {
    let timing = timing(spec);
    // Nobody is told here what would be waited for: whoever asks again is.
    let planned = run::observe_and_plan(provider, spec, &timing, Intent::default()).await?;
    let is_error = |said: &&Diagnostic| said.severity == Severity::Error;
    let errors: Vec<&Diagnostic> = planned.plan.diagnostics.iter().filter(is_error).collect();
    if !errors.is_empty() {
        let joined = |of: fn(&Diagnostic) -> &str| {
            let words: Vec<&str> = errors.iter().map(|error| of(error)).filter(|words| !words.is_empty()).collect();
            words.join("; ")
        };
        let error = ProviderError::new(ErrorKind::Conflict, joined(|error| &error.message));
        return Err(error.help(joined(|error| &error.help)));
    }
    let deleted = planned.plan.steps.iter().find(|step| matches!(step.action, Action::Delete { .. }));
    match deleted {
        Some(step) => {
            let message = format!("{} is there and not wanted any more", step.id);
            Err(ProviderError::new(ErrorKind::Conflict, message).help("`pgherd apply` deletes it; then run this again"))
        }
        None => Ok(planned),
    }
}

/// Does what there is to do.
pub async fn through(provider: &dyn Provider, spec: &Spec, events: &Events) -> Result<(), ProviderError> {
    let planned = planned(provider, spec).await?;
    let outcome = run::apply(provider, spec, &planned, Timestamp::now(), events, &Stop::never()).await;
    match outcome.failed.into_iter().next() {
        Some((id, error)) => Err(ProviderError { message: format!("{id}: {}", error.message), ..error }),
        None => Ok(()),
    }
}
