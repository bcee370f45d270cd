//! Roles of IAM: one that RDS delivers samples of the operating system with, one that the proxy reads the secret with.

use pgherd_core::resource::{Equality, Field, Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::{Props, Value};
use serde_json::json;

use super::{TAGS, listed, output, props, set, setting, tags, theirs};
use crate::{endpoint, names};

/// Its name in an [`Id`].
pub const NAME: &str = "role";

/// The field that AWS assigns.
pub const ARN: &str = "Arn";

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        Field { equality: Equality::Json, ..set("AssumeRolePolicyDocument", Impact::None) },
        listed("ManagedPolicyArns", Impact::None),
        // Policies inside the role, by name; each a JSON text.
        Field { equality: Equality::Json, ..set("Policies.*", Impact::None) },
        theirs("Description"),
        TAGS,
    ],
};

/// The roles a spec wants.
pub fn wanted(spec: &Spec, region: &str) -> Vec<Resource> {
    monitoring(spec, region).into_iter().chain(proxy(spec, region)).collect()
}

/// The role that samples of the operating system are delivered with: the one that is written, or ours. None while there are none.
pub fn monitoring_arn(spec: &Spec, region: &str) -> Option<Value> {
    if spec.monitoring.interval_s == 0 {
        return None;
    }
    Some(
        setting(&spec.monitoring.role_arn)
            .unwrap_or_else(|| output(Id::new(NAME, names::monitoring_role(&spec.name, region)), ARN)),
    )
}

/// The role of the proxy.
pub fn proxy_id(spec: &Spec, region: &str) -> Id {
    Id::new(NAME, names::proxy_role(&spec.name, region))
}

fn monitoring(spec: &Spec, region: &str) -> Option<Resource> {
    let is_needed = spec.monitoring.interval_s > 0 && spec.monitoring.role_arn == Setting::Unset;
    is_needed.then(|| {
        // The managed policy that the Amazon RDS User Guide names in "Setting up and enabling Enhanced Monitoring".
        let policy = format!(
            "arn:{}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
            endpoint::arn_partition(region)
        );
        of(
            spec,
            Id::new(NAME, names::monitoring_role(&spec.name, region)),
            "monitoring.rds.amazonaws.com",
            vec![policy.into()],
            Props::new(),
        )
    })
}

fn proxy(spec: &Spec, region: &str) -> Option<Resource> {
    spec.proxy.is_some().then(|| {
        let policies = props([("secret", may_read_the_secret(spec, region).into())]);
        of(spec, proxy_id(spec, region), "rds.amazonaws.com", Vec::new(), policies)
    })
}

/// What the Amazon RDS User Guide asks for in "Setting up IAM policies for RDS Proxy". The account is left open: a secret of another
/// one would need that account's consent. The question marks are the characters of chance at the end of the secret's ARN.
fn may_read_the_secret(spec: &Spec, region: &str) -> String {
    let partition = endpoint::arn_partition(region);
    let secret = format!("arn:{partition}:secretsmanager:{region}:*:secret:{}-??????", names::secret(&spec.name));
    let via = format!("secretsmanager.{region}.{}", endpoint::suffix(region));
    json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": [secret] },
            {
                "Effect": "Allow",
                "Action": ["kms:Decrypt"],
                "Resource": ["*"],
                "Condition": { "StringEquals": { "kms:ViaService": via } },
            },
        ],
    })
    .to_string()
}

fn of(spec: &Spec, id: Id, service: &str, managed: Vec<Value>, policies: Props) -> Resource {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }],
    });
    Resource {
        id,
        props: props([
            ("AssumeRolePolicyDocument", trust.to_string().into()),
            ("ManagedPolicyArns", Value::List(managed)),
            ("Policies", Value::Map(policies)),
            ("Description", format!("For {}, kept by pgherd", spec.name).into()),
            ("Tags", tags::wanted(spec)),
        ]),
        needs: Vec::new(),
    }
}
