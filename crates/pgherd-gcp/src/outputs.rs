//! The outputs of a block: what Google Cloud tells, in the words of the table of outputs.

use pgherd_core::outputs::{self, Facts, Replica};
use pgherd_core::resource::{Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};

use crate::kinds::{instance, replica, secret};

/// Every output of a block.
pub(crate) fn outputs(spec: &Spec, project: &str, observed: &[Observed]) -> Props {
    outputs::outputs(spec, &facts(spec, project, observed))
}

fn facts(spec: &Spec, project: &str, observed: &[Observed]) -> Facts {
    let of = |kind: &'static str| {
        observed.iter().filter(move |seen| seen.id.kind == kind && !matches!(seen.status, Status::Foreign(_)))
    };
    let Some(primary) = of(instance::NAME).next() else { return Facts::default() };
    let host = host(spec, primary);
    let is_pooled = primary.props.get("connectionPoolingEnabled").and_then(Value::as_bool) == Some(true);
    Facts {
        id: Some(primary.id.name.clone()),
        // No ARN, but what Google has for one.
        arn: text(primary, "selfLink"),
        resource_id: Some(format!("projects/{project}/instances/{}", primary.id.name)),
        pooler: host.clone().filter(|_| is_pooled),
        host,
        port: Some(if is_pooled { instance::POOLER_PORT } else { instance::PORT }),
        replicas: of(replica::NAME).filter_map(|seen| replica(spec, seen)).collect(),
        secret: of(secret::NAME).next().map(|seen| format!("projects/{project}/secrets/{}", seen.id.name)),
        engine_version: version(primary),
        ..Facts::default()
    }
}

/// The private way in, unless the block wants the public one or there is no other.
fn host(spec: &Spec, seen: &Observed) -> Option<String> {
    let (public, private) = (text(seen, instance::PUBLIC), text(seen, instance::PRIVATE));
    if spec.network.publicly_accessible { public.or(private) } else { private.or(public) }
}

fn replica(spec: &Spec, seen: &Observed) -> Option<Replica> {
    Some(Replica { arn: text(seen, "selfLink")?, id: seen.id.name.clone(), endpoint: host(spec, seen)? })
}

/// `POSTGRES_16_4` is 16.4.
pub(crate) fn version(seen: &Observed) -> Option<String> {
    let installed = text(seen, "databaseInstalledVersion");
    let read = |told: String| told.strip_prefix("POSTGRES_").map(|version| version.replace('_', "."));
    installed.and_then(read).or_else(|| text(seen, "databaseVersion"))
}

fn text(seen: &Observed, field: &str) -> Option<String> {
    seen.props.get(field).and_then(Value::as_text).map(str::to_owned)
}
