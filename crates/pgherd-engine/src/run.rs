//! From a spec to a plan, and from a plan to the world: what every front end does.

use jiff::Timestamp;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::lint::{self, Intent, Summary};
use pgherd_core::plan::{self, Plan, Timing};
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Props;

use crate::provider::{Deletion, Events, Goal, Intended, Provider, ProviderError};
use crate::stop::Stop;
use crate::walk::{Options, Outcome, walk};

/// A plan and what it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The plan, linted; the target's own diagnostics are among its.
    pub plan: Plan,
    /// What should exist.
    pub desired: Vec<Resource>,
    /// What does.
    pub observed: Vec<Observed>,
    /// What stays for good although nothing wants it any more, such as logs: to be told.
    pub remains: Vec<Id>,
    /// The plan in figures.
    pub summary: Summary,
}

/// When this spec's changes take effect, planned at `now`.
pub fn timing(spec: &Spec, now: Timestamp) -> Timing {
    Timing { now, window: spec.maintenance_window, apply_now: spec.apply_immediately.unwrap_or(false) }
}

/// Looks at the world and plans what it takes to get what the spec asks for. Sends no write.
pub async fn observe_and_plan(
    provider: &dyn Provider,
    spec: &Spec,
    timing: &Timing,
    intent: Intent,
) -> Result<Planned, ProviderError> {
    let desired = provider.desired(spec);
    let observed = provider.observe(&desired).await?;
    plan_observed(provider, spec, timing, intent, (desired, observed)).await
}

/// The same of what was seen just now, when what should exist was looked for.
pub async fn plan_observed(
    provider: &dyn Provider,
    spec: &Spec,
    timing: &Timing,
    intent: Intent,
    (desired, observed): (Vec<Resource>, Vec<Observed>),
) -> Result<Planned, ProviderError> {
    let mut plan = plan::plan(provider.kinds(), &spec.block, &desired, &observed, timing);
    for (id, words) in provider.derived(spec) {
        plan.derived.entry(id).or_default().push(words);
    }
    let intended =
        Intended { goal: Goal::Apply { now: timing.apply_now }, plan: &plan, desired: &desired, observed: &observed };
    let said = provider.preflight(spec, &intended).await?;
    let remains = plan::remaining(provider.kinds(), &desired, &observed);
    let (plan, summary) = finish(plan, said, intent);
    Ok(Planned { plan, desired, observed, remains, summary })
}

/// Looks at the world and plans that nothing of the spec's database remains. Sends no write.
///
/// Deletion protection is honoured whether it is the target's or only the block's.
pub async fn observe_and_plan_destroy(provider: &dyn Provider, spec: &Spec) -> Result<Planned, ProviderError> {
    let desired = provider.desired(spec);
    let observed = provider.observe(&desired).await?;
    let plan = plan::plan_destroy(provider.kinds(), &spec.block, &observed);
    let intended = Intended { goal: Goal::Destroy, plan: &plan, desired: &desired, observed: &observed };
    let mut said = provider.preflight(spec, &intended).await?;
    if spec.deletion_protection && !plan.steps.is_empty() && !observed.iter().any(|seen| seen.protected) {
        let message = format!("{} says that it must not be deleted", spec.block);
        said.push(
            Diagnostic::error(lint::PROTECTED, message)
                .at(&spec.block, "enable_deletion_protection")
                .help("write enable_deletion_protection = false"),
        );
    }
    let remains = plan::remaining(provider.kinds(), &[], &observed);
    let (plan, summary) = finish(plan, said, Intent { allow_data_loss: true });
    Ok(Planned { plan, desired, observed, remains, summary })
}

/// The plan with everything that is to be said about it, and in figures.
fn finish(mut plan: Plan, said: Vec<Diagnostic>, intent: Intent) -> (Plan, Summary) {
    let linted = lint::lint(&plan, intent);
    plan.diagnostics.splice(0..0, said);
    plan.diagnostics.extend(linted);
    let summary = lint::summary([&plan]);
    (plan, summary)
}

/// Carries out a plan that was made for the spec: an apply or a destroy.
///
/// What holds data is backed up before it is deleted, unless the spec skips that.
pub async fn apply(
    provider: &dyn Provider,
    spec: &Spec,
    planned: &Planned,
    now: Timestamp,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    let options = Options { deletion: deletion(spec, now), ..Options::default() };
    walk(provider, &planned.plan, &options, events, stop).await
}

/// How the spec's database is deleted. Without a written name the last backup's is unique by its second.
pub fn deletion(spec: &Spec, now: Timestamp) -> Deletion {
    let name = || {
        spec.backup
            .final_name
            .clone()
            .unwrap_or_else(|| format!("{}-final-{}", spec.name, now.strftime("%Y%m%dt%H%M%Sz")))
    };
    Deletion { final_backup: (!spec.backup.skip_final).then(name) }
}

/// The outputs of the spec's database as it is now.
pub async fn outputs(provider: &dyn Provider, spec: &Spec) -> Result<Props, ProviderError> {
    let observed = provider.observe(&provider.desired(spec)).await?;
    Ok(provider.outputs(spec, &observed))
}
