//! The outputs of a block: what AWS tells, in the words of the table of outputs. Pure.

use pgherd_core::outputs::{self, Facts, Named, Replica};
use pgherd_core::resource::{Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};

use crate::kinds::instance::{ADDRESS, ARN};
use crate::kinds::{instance, proxy, replica, secret, security_group};
use crate::live::sibling;

/// Every output of a block. `certificates` is a file with those of Amazon's authorities, where there is one.
pub(crate) fn outputs(spec: &Spec, observed: &[Observed], certificates: Option<&str>) -> Props {
    outputs::outputs(spec, &facts(observed, certificates))
}

/// What is known of a block. What somebody else made is none of it.
pub(crate) fn facts(observed: &[Observed], certificates: Option<&str>) -> Facts {
    let of = |kind: &'static str| {
        observed.iter().filter(move |seen| seen.id.kind == kind && !matches!(seen.status, Status::Foreign(_)))
    };
    let Some(primary) = of(instance::NAME).next() else { return Facts::default() };
    let told = |field: &str| text(primary, field);
    let arn = told(ARN);
    let beside = |kind: &str, field: &str| {
        let id = told(field);
        let arn = arn.as_ref().zip(id.as_ref()).map(|(arn, name)| sibling(arn, kind, name));
        Named { id, arn }
    };
    let group = of(security_group::NAME).find(|group| !group.id.name.contains('/'));
    Facts {
        id: Some(primary.id.name.clone()),
        resource_id: told("DbiResourceId"),
        host: told(ADDRESS),
        port: primary.props.get("Port").and_then(Value::as_int).and_then(|port| u16::try_from(port).ok()),
        database_name: told("DBName"),
        username: told("MasterUsername"),
        pooler: of(proxy::NAME).next().and_then(|proxy| text(proxy, proxy::ENDPOINT)),
        replicas: replicas(of(replica::NAME)),
        security_group: Named {
            id: group.and_then(|group| text(group, security_group::GROUP_ID)),
            arn: group.and_then(|group| text(group, "SecurityGroupArn")),
        },
        subnet_group: beside("subgrp", "DBSubnetGroupName"),
        parameter_group: beside("pg", "DBParameterGroupName"),
        monitoring_arn: told("MonitoringRoleArn"),
        secret: of(secret::NAME).next().and_then(|secret| text(secret, secret::ARN)),
        passfile: None,
        root_certificate: certificates.map(str::to_owned),
        reader: None,
        engine_version: told("engine_version_actual"),
        arn,
    }
}

/// Replicas that can be reached, in the order of their numbers; those of a second region come last.
fn replicas<'a>(seen: impl Iterator<Item = &'a Observed>) -> Vec<Replica> {
    let mut seen: Vec<&Observed> = seen.collect();
    seen.sort_by_key(|seen| {
        let name = &seen.id.name;
        (name.contains('/'), name.rsplit_once("-r").and_then(|(_, number)| number.parse::<u32>().ok()), name.clone())
    });
    let replica = |seen: &Observed| {
        let name = seen.id.name.rsplit('/').next().unwrap_or_default();
        Some(Replica { id: name.to_owned(), arn: text(seen, ARN)?, endpoint: text(seen, ADDRESS)? })
    };
    seen.into_iter().filter_map(replica).collect()
}

fn text(seen: &Observed, field: &str) -> Option<String> {
    seen.props.get(field).and_then(Value::as_text).map(str::to_owned)
}
