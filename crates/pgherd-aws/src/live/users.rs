//! Who is in a group that is to be deleted: AWS deletes none that is used. Whoever stays is not waited for.

use pgherd_core::resource::Id;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::rds::{self, DbInstance};
use crate::kinds::{parameter_group, subnet_group};
use crate::names;
use crate::provider::Aws;

/// Whether an instance is in a group; `group_id`: what EC2 calls a security group.
pub(crate) fn is_in(one: &DbInstance, group: &Id, group_id: Option<&Value>) -> bool {
    let name = names::place(&group.kind, &group.name).1;
    match group.kind.as_str() {
        parameter_group::NAME => one.parameter_group == name,
        subnet_group::NAME => one.subnet_group.as_ref().is_some_and(|group| group.name == name),
        _ => {
            let groups = one.props.get("VpcSecurityGroupIds").and_then(Value::as_list).unwrap_or_default();
            group_id.is_some_and(|id| groups.contains(id))
        }
    }
}

/// Refuses to delete a group while an instance is in it that is not being deleted itself.
pub(super) async fn nobody_stays(
    aws: &Aws,
    region: &str,
    group: &Id,
    group_id: Option<&Value>,
) -> Result<(), ProviderError> {
    let all = rds::all_instances(aws.session(), region).await?;
    match all.iter().find(|one| one.status != "deleting" && is_in(one, group, group_id)) {
        Some(user) => {
            let message = format!("{group} stays, because {} is in it", user.id);
            let help = format!("it can be deleted once {} is gone or in other groups; then run this again", user.id);
            Err(ProviderError::new(ErrorKind::Conflict, message).help(help))
        }
        None => Ok(()),
    }
}
