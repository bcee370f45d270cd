//! Variables that change nothing on AWS, and why.

/// Why a variable changes nothing on AWS, for those that do not; shown by `explain`.
pub const IGNORES: &[(&str, &str)] = &[
    ("apply_immediately", "it decides when changes happen, not what exists"),
    ("auto_grow_enabled", "max_allocated_storage says whether storage grows, and how far"),
    ("azure_subscription_id", "it is Azure's"),
    ("cloud_provider", "it decides where the block runs; this is what it is there"),
    ("do_region", OTHER_REGION),
    ("enable_backup_encryption", "snapshots and backups are encrypted when the storage is, with its key"),
    ("enable_binary_log_backup", "RDS can go back to any second as long as backups are kept"),
    ("final_snapshot_identifier", "it decides what destroying does, not what exists"),
    ("gcp_edition", "it is Cloud SQL's"),
    ("gcp_project", "it is Google Cloud's"),
    ("gcp_region", OTHER_REGION),
    ("key_identity_id", "it is Azure's"),
    ("key_vault_name", "it is Azure's"),
    ("local_sync", "RDS decides by itself what commits do while the standby is lost: they go on"),
    ("location", OTHER_REGION),
    ("log_analytics_workspace_id", "it is Azure's"),
    ("resource_group_name", "it is Azure's"),
    ("skip_final_snapshot", "it decides what destroying does, not what exists"),
];

const OTHER_REGION: &str = "it is another cloud's region; write aws_region";
