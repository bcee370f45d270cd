//! Variables that change nothing on DigitalOcean, and why.

/// Why a variable changes nothing on DigitalOcean, for those that do not; shown by `explain`.
pub const IGNORES: &[(&str, &str)] = &[
    ("allowed_security_group_ids", NO_GROUPS),
    ("apply_immediately", "DigitalOcean does everything at once; false has that refused where it interrupts service"),
    ("auto_grow_enabled", "max_allocated_storage says whether storage grows"),
    ("availability_zone", "DigitalOcean has no zones within a region"),
    ("aws_region", OTHER_REGION),
    ("azure_subscription_id", "it is Azure's"),
    ("backup_retention_period", "DigitalOcean keeps backups for 7 days, always"),
    ("cloud_provider", "it decides where the block runs; this is what it is there"),
    ("copy_tags_to_snapshot", "backups on DigitalOcean wear no tags"),
    ("create_dashboard", "DigitalOcean shows graphs of its own, and takes no dashboard"),
    ("create_security_group", NO_GROUPS),
    ("dr_kms_key_id", NO_KEYS),
    ("dr_security_group_ids", NO_GROUPS),
    ("dr_subnet_ids", NO_SUBNETS),
    ("enable_backup", "DigitalOcean takes backups always"),
    ("enable_backup_encryption", "DigitalOcean encrypts backups always"),
    ("enable_binary_log_backup", "DigitalOcean archives the log always"),
    ("enable_enhanced_monitoring", NO_MONITORING),
    ("enable_logging", NO_LOGS),
    ("enable_performance_insights", "DigitalOcean has no query analysis; pg_stat_statements is there"),
    ("enabled_cloudwatch_logs_exports", NO_LOGS),
    ("final_snapshot_identifier", "DigitalOcean takes no last backup"),
    ("gcp_edition", "it is Cloud SQL's"),
    ("gcp_project", "it is Google Cloud's"),
    ("gcp_region", OTHER_REGION),
    ("geo_redundant_backup", "DigitalOcean keeps backups in the region of the database only"),
    ("iam_database_authentication_enabled", "DigitalOcean has no login with cloud identities"),
    ("key_identity_id", "it is Azure's"),
    ("key_vault_name", "it is Azure's"),
    ("kms_key_id", NO_KEYS),
    ("local_sync", "DigitalOcean decides by itself what commits do while a standby is lost"),
    ("location", OTHER_REGION),
    ("log_analytics_workspace_id", "it is Azure's"),
    ("master_password", "DigitalOcean chooses passwords itself"),
    ("monitoring_interval", NO_MONITORING),
    ("monitoring_role_arn", NO_MONITORING),
    ("option_group_name", "PostgreSQL has no options"),
    ("parameter_group_name", NO_PARAMETER_GROUPS),
    ("performance_insights_kms_key_id", NO_KEYS),
    ("performance_insights_retention_period", "DigitalOcean has no query analysis"),
    ("port", "DigitalOcean listens on 25060"),
    ("resource_group_name", "it is Azure's"),
    ("security_group_ids", NO_GROUPS),
    ("skip_final_snapshot", "it decides what destroying does, not what exists"),
    ("storage_encrypted", "DigitalOcean encrypts storage always"),
    ("storage_iops", NO_KIND),
    ("storage_throughput", NO_KIND),
    ("storage_type", NO_KIND),
    ("subnet_ids", NO_SUBNETS),
];

const NO_GROUPS: &str = "DigitalOcean has no security groups; allowed_cidr_blocks says who may come in";
const NO_KEYS: &str = "DigitalOcean has no customer keys";
const NO_KIND: &str = "DigitalOcean has one kind of storage";
const NO_LOGS: &str = "DigitalOcean sends logs to a sink that is set up in its control panel";
const NO_MONITORING: &str = "DigitalOcean's metrics endpoint is always there";
const NO_PARAMETER_GROUPS: &str = "DigitalOcean has no parameter groups; parameters says what is set";
const NO_SUBNETS: &str = "a network on DigitalOcean has no subnets";
const OTHER_REGION: &str = "it is another cloud's region; write do_region";
