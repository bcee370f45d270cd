//! The outputs of a block: what DigitalOcean tells, in the words of the table of outputs.

use pgherd_core::outputs::{self, Facts, Replica};
use pgherd_core::resource::{Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};

use crate::kinds::{cluster, pool, replica};
use crate::secrets::Folder;

/// Every output of a block.
pub(crate) fn outputs(spec: &Spec, observed: &[Observed], secrets: Option<&Folder>) -> Props {
    outputs::outputs(spec, &facts(spec, observed, secrets))
}

fn facts(spec: &Spec, observed: &[Observed], secrets: Option<&Folder>) -> Facts {
    let of = |kind: &'static str| {
        observed.iter().filter(move |seen| seen.id.kind == kind && !matches!(seen.status, Status::Foreign(_)))
    };
    let Some(primary) = of(cluster::NAME).next() else { return Facts::default() };
    let id = text(primary, cluster::ID);
    // Applications are given the pool, where there is one that the block wants.
    let pool = of(pool::NAME).next().filter(|_| spec.proxy.is_some());
    let server = pool.unwrap_or(primary);
    let way = way(spec, server);
    let file = |path: std::path::PathBuf| path.is_file().then(|| path.to_string_lossy().into_owned());
    Facts {
        arn: id.as_ref().map(|id| urn(id)),
        resource_id: id.clone(),
        id,
        host: text(server, &format!("{way}.host")),
        pooler: pool.and_then(|pool| text(pool, &format!("{way}.host"))),
        // It is a database of its own name.
        database_name: pool.map(|pool| pool.id.name.clone()),
        port: server
            .props
            .get(&format!("{way}.port"))
            .and_then(Value::as_int)
            .and_then(|port| u16::try_from(port).ok()),
        replicas: of(replica::NAME).filter_map(|seen| replica(spec, seen)).collect(),
        monitoring_arn: text(primary, "metrics"),
        secret: secrets.and_then(|folder| file(folder.secret())),
        passfile: secrets.and_then(|folder| file(folder.passfile())),
        root_certificate: secrets.and_then(|folder| file(folder.certificate())),
        engine_version: text(primary, "engine_version_actual").or_else(|| text(primary, "version")),
        ..Facts::default()
    }
}

/// The private way in, unless the block wants the public one or there is no other.
fn way(spec: &Spec, seen: &Observed) -> &'static str {
    let has_private = text(seen, "private_connection.host").is_some();
    if spec.network.publicly_accessible || !has_private { "connection" } else { "private_connection" }
}

fn replica(spec: &Spec, seen: &Observed) -> Option<Replica> {
    let id = text(seen, cluster::ID)?;
    let endpoint = text(seen, &format!("{}.host", way(spec, seen)))?;
    Some(Replica { arn: urn(&id), id: seen.id.name.clone(), endpoint })
}

/// The name DigitalOcean gives everything, as its Terraform provider has it.
fn urn(id: &str) -> String {
    format!("do:dbaas:{id}")
}

fn text(seen: &Observed, field: &str) -> Option<String> {
    seen.props.get(field).and_then(Value::as_text).map(str::to_owned)
}
