//! What is kept in a second region for when the first one is lost: things of the usual kinds, with that region before their names.
//!
//! Nothing of the first region means anything there: neither groups, nor keys, nor subnets. The roles do, since IAM is one for all.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::spec::{Recovery, Spec};
use pgherd_core::value::Value;

use super::{instance, log_group, output, parameter_group, replica, security_group, setting, subnet_group};
use crate::names;

/// The second region of a spec, where it is known.
pub fn region(spec: &Spec) -> Option<(&Recovery, &str)> {
    let recovery = spec.dr.as_ref()?;
    recovery.region.known().map(|region| (recovery, region.as_str()))
}

/// What a spec wants in its second region so that a replica can be there, and the replica.
pub fn wanted(spec: &Spec, home: &str) -> Vec<Resource> {
    let Some((recovery, region)) = region(spec).filter(|(recovery, _)| recovery.read_replica) else {
        return Vec::new();
    };
    let there = There { spec, recovery, region };
    let (group, subnets, settings) = (there.security_group(), there.subnet_group(), there.parameter_group());
    let logs = there.log_groups();
    let replica = there.replica(home, group.as_ref(), subnets.as_ref(), settings.as_ref(), &logs);
    group.into_iter().chain(subnets).chain(settings).chain(logs).chain([replica]).collect()
}

/// The id of the replica there.
pub fn replica_id(spec: &Spec, region: &str) -> Id {
    Id::new(replica::NAME, names::elsewhere(region, &names::recovery(&spec.name)))
}

struct There<'a> {
    spec: &'a Spec,
    recovery: &'a Recovery,
    region: &'a str,
}

impl There<'_> {
    fn named(&self, name: &str) -> String {
        names::elsewhere(self.region, name)
    }

    fn name(&self) -> String {
        names::recovery(&self.spec.name)
    }

    fn security_group(&self) -> Option<Resource> {
        self.spec.network.create_security_group.then(|| {
            let name = self.named(&names::security_group(&self.name()));
            let rules = security_group::rules_by_address(self.spec);
            let place = (setting(&self.recovery.vpc_id), subnet_group::listed_ids(&self.recovery.subnet_ids));
            self.after_instance(security_group::of(self.spec, name, place, rules))
        })
    }

    fn subnet_group(&self) -> Option<Resource> {
        let subnets = subnet_group::listed_ids(&self.recovery.subnet_ids)?;
        let name = self.named(&names::subnet_group(&self.name()));
        Some(self.after_instance(subnet_group::of(self.spec, name, subnets)))
    }

    /// None where the block names a group that exists: that one is in the first region.
    fn parameter_group(&self) -> Option<Resource> {
        let name = parameter_group::own(self.spec, &self.name());
        let group = || self.after_instance(parameter_group::of(self.spec, self.named(&name)));
        self.spec.parameter_group_name.is_none().then(group)
    }

    fn log_groups(&self) -> Vec<Resource> {
        let mut groups = log_group::of(self.spec, &self.name());
        groups.iter_mut().for_each(|group| group.id.name = self.named(&group.id.name));
        groups.into_iter().map(|group| self.after_instance(group)).collect()
    }

    /// The instance is marked with the region before anything is made there, so that it is found again.
    fn after_instance(&self, resource: Resource) -> Resource {
        let needs = std::iter::once(instance::id(self.spec)).chain(resource.needs).collect();
        Resource { needs, ..resource }
    }

    fn replica(
        &self,
        home: &str,
        group: Option<&Resource>,
        subnets: Option<&Resource>,
        settings: Option<&Resource>,
        logs: &[Resource],
    ) -> Resource {
        let mut props = instance::common(self.spec, home);
        // A key of the first region.
        props.remove("PerformanceInsightsKMSKeyId");
        let own = group.map(|group| output(group.id.clone(), security_group::GROUP_ID));
        let groups: Vec<Value> =
            own.into_iter().chain(self.recovery.security_group_ids.iter().filter_map(setting)).collect();
        let bare = |resource: &Resource| Value::Text(names::place(&resource.id.kind, &resource.id.name).1);
        let encrypted = self.spec.encryption.storage;
        let fields = [
            ("SourceDBInstanceIdentifier", Some(output(instance::id(self.spec), instance::ARN))),
            ("DeletionProtection", Some(false.into())),
            ("BackupRetentionPeriod", Some(super::int(self.spec.backup.retention_days))),
            ("KmsKeyId", encrypted.then(|| key(self.recovery))),
            ("VpcSecurityGroupIds", (!groups.is_empty()).then_some(Value::List(groups))),
            ("DBSubnetGroupName", subnets.map(bare)),
            ("DBParameterGroupName", settings.map(bare)),
            ("PreferredMaintenanceWindow", Some(self.spec.maintenance_window.to_string().into())),
            // Its source's when it is made; RDS wants every replica upgraded before its source, wherever that is.
            ("EngineVersion", self.spec.engine_version.map(|version| version.to_string().into())),
        ];
        props.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let groups = [group, subnets, settings].into_iter().flatten();
        let needs = groups.chain(logs).map(|resource| resource.id.clone());
        Resource {
            id: replica_id(self.spec, self.region),
            props,
            needs: std::iter::once(instance::id(self.spec)).chain(needs).collect(),
        }
    }
}

/// The key of what is encrypted there: the one that is written, or RDS's own of that region. There is no copy of something encrypted
/// without a key.
pub fn key(recovery: &Recovery) -> Value {
    setting(&recovery.kms_key_id).unwrap_or_else(|| OWN_KEY.into())
}

/// The key that RDS has in every region of every account.
pub(crate) const OWN_KEY: &str = "alias/aws/rds";

/// Whether copies of backups are wanted in the second region.
pub fn keeps_backups(spec: &Spec) -> bool {
    spec.backup.geo_redundant && spec.backup.retention_days > 0
}
