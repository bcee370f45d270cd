//! How much an account may have in a region. The most are AWS's defaults (Amazon RDS User Guide, "Quotas and constraints for Amazon RDS").

use super::state::Region;
use super::{create, replica};
use crate::wire::{Element, Form, Refusal};

/// GiB of storage of all instances together.
const STORAGE_GIB: i64 = 100_000;
/// Parameter groups, and subnet groups as well.
const GROUPS: usize = 50;

/// `DescribeAccountAttributes`: it takes nothing.
pub fn describe(region: &Region, _form: &Form) -> Result<Element, Refusal> {
    let count = |used: usize| i64::try_from(used).unwrap_or(i64::MAX);
    let storage: i64 = region.instances.values().map(|instance| instance.set.storage_gib).sum();
    let replicas = region.instances.keys().map(|id| region.replicas(id).len()).max().unwrap_or_default();
    let quotas = [
        ("DBInstances", count(region.instances.len()), count(create::QUOTA)),
        ("AllocatedStorage", storage, STORAGE_GIB),
        ("DBParameterGroups", count(region.parameter_groups.len()), count(GROUPS)),
        ("DBSubnetGroups", count(region.subnet_groups.len()), count(GROUPS)),
        ("ReadReplicasPerMaster", count(replicas), count(replica::MOST)),
    ];
    let shown = quotas.map(|(name, used, most)| {
        Element::new("AccountQuota").put("AccountQuotaName", name).put("Used", used).put("Max", most)
    });
    Ok(Element::new("").list("AccountQuotas", shown))
}
