//! Variables that change nothing on Google Cloud, and why.

/// Why a variable changes nothing on Google Cloud, for those that do not; shown by `explain`.
pub const IGNORES: &[(&str, &str)] = &[
    ("allowed_security_group_ids", NO_GROUPS),
    ("apply_immediately", "Cloud SQL does everything at once; false has that refused where it interrupts service"),
    ("auto_grow_enabled", "max_allocated_storage says whether storage grows"),
    ("aws_region", OTHER_REGION),
    ("azure_subscription_id", "it is Azure's"),
    ("cloud_provider", "it decides where the block runs; this is what it is there"),
    ("copy_tags_to_snapshot", "backups on Cloud SQL wear no labels"),
    ("create_dashboard", "this version makes no dashboard on Google Cloud"),
    ("create_security_group", NO_GROUPS),
    ("do_region", OTHER_REGION),
    ("dr_kms_key_id", NO_SECOND_REGION),
    ("dr_read_replica", NO_SECOND_REGION),
    ("dr_region", NO_SECOND_REGION),
    ("dr_security_group_ids", NO_GROUPS),
    ("dr_subnet_ids", NO_SUBNETS),
    ("dr_vpc_id", NO_SECOND_REGION),
    ("enable_backup_encryption", "Cloud SQL encrypts backups always"),
    ("enable_enhanced_monitoring", NO_MONITORING),
    ("enable_logging", "the log of PostgreSQL is in Cloud Logging always"),
    ("enabled_cloudwatch_logs_exports", "the log of PostgreSQL is in Cloud Logging always"),
    ("final_snapshot_identifier", "it decides what destroying does, not what exists"),
    ("gcp_project", "it decides where the block runs, not what exists there"),
    ("geo_redundant_backup", "this version leaves backups where the project has Cloud SQL keep them"),
    ("key_identity_id", "it is Azure's"),
    ("key_vault_name", "it is Azure's"),
    ("local_sync", "Cloud SQL decides by itself what commits do while the standby is lost"),
    ("location", OTHER_REGION),
    ("log_analytics_workspace_id", "it is Azure's"),
    ("monitoring_interval", NO_MONITORING),
    ("monitoring_role_arn", NO_MONITORING),
    ("option_group_name", "PostgreSQL has no options"),
    ("parameter_group_name", NO_PARAMETER_GROUPS),
    ("performance_insights_kms_key_id", "Query Insights has no key of its own"),
    ("performance_insights_retention_period", "Query Insights keeps what the edition says"),
    ("port", "Cloud SQL listens on 5432"),
    ("resource_group_name", "it is Azure's"),
    ("security_group_ids", NO_GROUPS),
    ("skip_final_snapshot", "it decides what destroying does, not what exists"),
    ("storage_encrypted", "Cloud SQL encrypts storage always"),
    ("storage_iops", BY_SIZE),
    ("storage_throughput", BY_SIZE),
    ("subnet_ids", NO_SUBNETS),
];

const BY_SIZE: &str = "the performance of a disk follows its size; this version tells Cloud SQL no other";
const NO_GROUPS: &str = "Cloud SQL has no security groups; allowed_cidr_blocks says who may come in from the internet";
const NO_MONITORING: &str = "Cloud SQL tells metrics every 60 s always";
const NO_PARAMETER_GROUPS: &str = "Cloud SQL has no parameter groups; parameters says what is set";
const NO_SECOND_REGION: &str = "this version keeps nothing in a second region on Google Cloud";
const NO_SUBNETS: &str =
    "an instance of Cloud SQL is in a network of Google's, which vpc_id is connected to, and in no subnet";
const OTHER_REGION: &str = "it is another cloud's region; write gcp_region";
