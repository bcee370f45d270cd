//! Did you mean: the nearest name to one that does not exist.

use super::{OUTPUTS, all};

/// What a stranger was probably meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nearest {
    /// This variable.
    Variable(&'static str),
    /// This output, which is read from a block and cannot be written into it.
    Output(&'static str),
}

/// Names other tools give to settings of ours: `aws_db_instance` and the widely used RDS module, Google's and Azure's
/// Terraform resources, DigitalOcean's, and what people say.
const FOREIGN: &[(&str, &str)] = &[
    ("identifier", "name"),
    ("db_identifier", "name"),
    ("db_instance_identifier", "name"),
    ("instance_name", "name"),
    ("provider", "cloud_provider"),
    ("cloud", "cloud_provider"),
    ("env", "environment"),
    ("labels", "tags"),
    ("user_labels", "tags"),
    ("engine", "engine_version"),
    ("postgres_version", "engine_version"),
    ("postgresql_version", "engine_version"),
    ("version", "engine_version"),
    ("size", "instance_class"),
    ("machine_type", "instance_class"),
    ("instance_size", "instance_class"),
    ("storage", "allocated_storage"),
    ("storage_gb", "allocated_storage"),
    ("storage_size", "allocated_storage"),
    ("storage_size_mib", "storage_mb"),
    ("disk_size_gb", "disk_size"),
    ("max_storage", "max_allocated_storage"),
    ("disk_autoresize", "auto_grow_enabled"),
    ("disk_autoresize_limit", "max_allocated_storage"),
    ("iops", "storage_iops"),
    ("throughput", "storage_throughput"),
    ("db_name", "database_name"),
    ("dbname", "database_name"),
    ("database", "database_name"),
    ("username", "master_username"),
    ("user", "master_username"),
    ("user_name", "master_username"),
    ("administrator_login", "master_username"),
    ("password", "master_password"),
    ("administrator_password", "master_password"),
    ("administrator_login_password", "master_password"),
    ("root_password", "master_password"),
    ("network", "vpc_id"),
    ("vpc", "vpc_id"),
    ("private_network", "vpc_id"),
    ("private_network_uuid", "vpc_id"),
    ("subnets", "subnet_ids"),
    ("subnet_group", "subnet_ids"),
    ("db_subnet_group_name", "subnet_ids"),
    ("delegated_subnet_id", "subnet_ids"),
    ("cidr_blocks", "allowed_cidr_blocks"),
    ("allowed_cidrs", "allowed_cidr_blocks"),
    ("authorized_networks", "allowed_cidr_blocks"),
    ("vpc_security_group_ids", "security_group_ids"),
    ("security_groups", "security_group_ids"),
    ("allowed_security_groups", "allowed_security_group_ids"),
    ("source_security_group_id", "allowed_security_group_ids"),
    ("db_port", "port"),
    ("public", "publicly_accessible"),
    ("public_network_access_enabled", "publicly_accessible"),
    ("zone", "availability_zone"),
    ("az", "availability_zone"),
    ("region", "aws_region"),
    ("project", "gcp_project"),
    ("project_id", "gcp_project"),
    ("resource_group", "resource_group_name"),
    ("subscription_id", "azure_subscription_id"),
    ("edition", "gcp_edition"),
    ("key_vault", "key_vault_name"),
    ("key_vault_id", "key_vault_name"),
    ("primary_user_assigned_identity_id", "key_identity_id"),
    ("log_analytics_workspace", "log_analytics_workspace_id"),
    ("workspace_id", "log_analytics_workspace_id"),
    ("high_availability", "multi_az"),
    ("availability_type", "multi_az"),
    ("ha", "multi_az"),
    ("standby", "multi_az"),
    ("replicas", "read_replica_count"),
    ("replica_count", "read_replica_count"),
    ("read_replicas", "read_replica_count"),
    ("replicate_source_db", "create_read_replica"),
    ("backup_retention", "backup_retention_period"),
    ("retention_days", "backup_retention_period"),
    ("point_in_time_recovery_enabled", "enable_binary_log_backup"),
    ("pitr", "enable_binary_log_backup"),
    ("geo_redundant_backup_enabled", "geo_redundant_backup"),
    ("preferred_backup_window", "backup_window"),
    ("backup_start_time", "backup_time"),
    ("preferred_maintenance_window", "maintenance_window"),
    ("final_snapshot_identifier_prefix", "final_snapshot_identifier"),
    ("deletion_protection", "enable_deletion_protection"),
    ("encrypted", "storage_encrypted"),
    ("encryption", "storage_encrypted"),
    ("kms_key_arn", "kms_key_id"),
    ("kms_key", "kms_key_id"),
    ("encryption_key_name", "kms_key_id"),
    ("iam_authentication", "iam_database_authentication_enabled"),
    ("family", "parameter_group_family"),
    ("parameter", "parameters"),
    ("database_flags", "parameters"),
    ("settings", "parameters"),
    ("performance_insights", "enable_performance_insights"),
    ("insights_config", "enable_performance_insights"),
    ("enhanced_monitoring", "enable_enhanced_monitoring"),
    ("logging", "enable_logging"),
    ("cloudwatch_logs_exports", "enabled_cloudwatch_logs_exports"),
    ("alarm_actions", "alarm_targets"),
    ("dashboard", "create_dashboard"),
    ("pgbouncer", "enable_proxy"),
    ("pooler", "enable_proxy"),
    ("proxy", "enable_proxy"),
    ("pool_mode", "proxy_config"),
];

/// The variable or output a name that does not exist was probably meant to be.
///
/// Names of other tools are known; otherwise the spelling decides, and nothing is offered that is far away.
pub fn nearest(name: &str) -> Option<Nearest> {
    let lower = name.to_ascii_lowercase().replace('-', "_");
    let exact = all().map(|variable| variable.name).find(|known| *known == lower);
    let foreign = || FOREIGN.iter().find(|(stranger, _)| *stranger == lower).map(|(_, known)| *known);
    if let Some(known) = exact.or_else(foreign) {
        return Some(Nearest::Variable(known));
    }
    if let Some(output) = OUTPUTS.iter().find(|output| output.name == lower) {
        return Some(Nearest::Output(output.name));
    }
    closest(&lower, all().map(|variable| variable.name)).map(Nearest::Variable)
}

/// The candidate spelled most like `name`, unless even that is far from it.
pub fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this two names only look alike by chance (`tier` and `type` are 0.75, `name` and `names` 0.96).
    const ALIKE: f64 = 0.85;
    /// Comparing takes the product of both lengths, and nobody's misspelt name is longer.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    candidates
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variables::variable;

    #[track_caller]
    fn check(name: &str, expected: Option<Nearest>) {
        assert_eq!(nearest(name), expected);
    }

    #[test]
    fn a_slip_of_the_finger() {
        check("engine_verson", Some(Nearest::Variable("engine_version")));
        check("mutli_az", Some(Nearest::Variable("multi_az")));
        check("allocated_storge", Some(Nearest::Variable("allocated_storage")));
        check("Multi-AZ", Some(Nearest::Variable("multi_az")));
    }

    #[test]
    fn a_word_of_another_tool() {
        check("db_name", Some(Nearest::Variable("database_name")));
        check("storage_size", Some(Nearest::Variable("allocated_storage")));
        check("vpc_security_group_ids", Some(Nearest::Variable("security_group_ids")));
    }

    #[test]
    fn an_output() {
        check("connection_string", Some(Nearest::Output("connection_string")));
        check("performance_insights_enabled", Some(Nearest::Variable("performance_insights_enabled")));
    }

    #[test]
    fn nothing_alike() {
        check("colour", None);
        check("", None);
    }

    #[test]
    fn every_foreign_name_is_foreign_and_leads_to_a_variable() {
        for (stranger, known) in FOREIGN {
            assert!(variable(stranger).is_none() && variable(known).is_some(), "{stranger} -> {known}");
        }
    }
}
