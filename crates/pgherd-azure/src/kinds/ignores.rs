//! Variables that change nothing on Azure, and why.

/// Why a variable changes nothing on Azure, for those that do not; shown by `explain`.
pub const IGNORES: &[(&str, &str)] = &[
    ("allowed_security_group_ids", NO_GROUPS),
    ("apply_immediately", "it decides when restarts happen, not what exists"),
    ("aws_region", OTHER_REGION),
    ("azure_subscription_id", "it decides where the block runs, not what exists there"),
    ("backup_window", "Azure chooses the time of backups"),
    ("cloud_provider", "it decides where the block runs; this is what it is there"),
    ("copy_tags_to_snapshot", "backups on Azure wear no tags"),
    ("create_dashboard", "this version makes no dashboard on Azure"),
    ("do_region", OTHER_REGION),
    ("dr_kms_key_id", NO_SECOND_REGION),
    ("dr_read_replica", NO_SECOND_REGION),
    ("dr_region", NO_SECOND_REGION),
    ("dr_security_group_ids", NO_GROUPS),
    ("dr_subnet_ids", NO_SECOND_REGION),
    ("dr_vpc_id", NO_SECOND_REGION),
    ("enable_backup_encryption", "Azure encrypts backups always"),
    ("enable_binary_log_backup", "Azure restores to any second always"),
    ("final_snapshot_identifier", NO_LAST),
    ("gcp_edition", "it is Google Cloud's"),
    ("gcp_project", "it is Google Cloud's"),
    ("gcp_region", OTHER_REGION),
    ("key_vault_name", "it decides where the credentials are kept, not what exists"),
    ("local_sync", "Azure decides by itself what commits do while the standby is lost"),
    ("monitoring_interval", NO_MONITORING),
    ("monitoring_role_arn", NO_MONITORING),
    ("option_group_name", "PostgreSQL has no options"),
    ("parameter_group_name", "Azure has no parameter groups; parameters says what is set"),
    ("performance_insights_kms_key_id", "Query Store is in the server, and encrypted with it"),
    ("port", "Azure listens on 5432"),
    ("resource_group_name", "it decides where the block runs, not what exists there"),
    ("security_group_ids", NO_GROUPS),
    ("skip_final_snapshot", NO_LAST),
    ("storage_encrypted", "Azure encrypts storage always"),
    ("storage_throughput", "PremiumV2_LRS begins with 125 MB/s here; change it in the portal, and it stays so"),
    ("vpc_id", "the subnet says which network it is in: subnet_ids"),
];

const NO_GROUPS: &str =
    "a server on Azure joins no security group; allowed_cidr_blocks says who may come in, and a group of its subnet";
const NO_MONITORING: &str = "Azure tells metrics every 60 s always";
const NO_SECOND_REGION: &str = "this version keeps no replica in a second region on Azure; geo_redundant_backup keeps backups in the region's pair";
const NO_LAST: &str = "it decides what destroying does, not what exists; Azure keeps no last backup";
const OTHER_REGION: &str = "it is another cloud's region; write location";
