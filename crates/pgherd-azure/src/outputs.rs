//! The outputs of a block: what Azure tells, in the words of the table of outputs.

use pgherd_core::outputs::{self, Facts, Named, Replica};
use pgherd_core::resource::{Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};

use crate::around::Around;
use crate::kinds::{replica, secret, server};

/// Every output of a block.
pub(crate) fn outputs(spec: &Spec, around: &Around, observed: &[Observed]) -> Props {
    outputs::outputs(spec, &facts(spec, around, observed))
}

fn facts(spec: &Spec, around: &Around, observed: &[Observed]) -> Facts {
    let of = |kind: &'static str| {
        observed.iter().filter(move |seen| seen.id.kind == kind && !matches!(seen.status, Status::Foreign(_)))
    };
    let Some(primary) = of(server::NAME).next() else { return Facts::default() };
    let secret = of(secret::NAME).next().zip(around.vault.as_deref());
    Facts {
        id: Some(primary.id.name.clone()),
        // No ARN, but what Azure has for one.
        arn: text(primary, "id"),
        resource_id: text(primary, "id"),
        host: text(primary, server::HOST),
        port: Some(server::clients(spec)),
        pooler: spec.proxy.as_ref().and_then(|_| text(primary, server::HOST)),
        // What Azure has for a group of subnets and one of parameters.
        subnet_group: named(text(primary, "delegatedSubnetResourceId")),
        parameter_group: named(text(primary, "id").map(|id| format!("{id}/configurations"))),
        replicas: of(replica::NAME).filter_map(replica).collect(),
        secret: secret.map(|(seen, vault)| format!("https://{vault}.vault.azure.net/secrets/{}", seen.id.name)),
        engine_version: version(primary),
        ..Facts::default()
    }
}

fn named(id: Option<String>) -> Named {
    Named { arn: id.clone(), id }
}

fn replica(seen: &Observed) -> Option<Replica> {
    Some(Replica { arn: text(seen, "id")?, id: seen.id.name.clone(), endpoint: text(seen, server::HOST)? })
}

/// Azure tells major and minor apart.
fn version(seen: &Observed) -> Option<String> {
    let major = text(seen, "version")?;
    Some(match text(seen, "minorVersion") {
        Some(minor) => format!("{major}.{minor}"),
        None => major,
    })
}

fn text(seen: &Observed, field: &str) -> Option<String> {
    seen.props.get(field).and_then(Value::as_text).map(str::to_owned)
}
