//! How the data is kept and the server set: backup and maintenance, protection and encryption, PostgreSQL settings.

use super::{AWS, AWS_LOCAL, AZURE, GCP};
use crate::cloud::Cloud;
use crate::variables::{Attribute, Literal, Section, Type, Variable};

const B: Variable = Variable { section: Section::Backup, ..Variable::BASE };

pub(super) const BACKUP: &[Variable] = &[
    Variable {
        name: "backup_retention_period",
        ty: Type::Number,
        default: "7; 1 under the preset dev",
        meaning: "Days automated backups are kept and any moment can be restored; 0 turns them off.",
        validation: "a whole number, 0 to 35 (azure 7 to 35, digitalocean 7)",
        ..B
    },
    Variable {
        name: "backup_retention_days",
        ty: Type::Number,
        canonical: Some("backup_retention_period"),
        clouds: AZURE,
        default: "backup_retention_period",
        meaning: "Days automated backups are kept, Azure's name for it.",
        ..B
    },
    Variable {
        name: "enable_backup",
        ty: Type::Bool,
        default: "whether backup_retention_period is above 0",
        meaning: "Whether automated backups are made; false is the same as a retention of 0.",
        ..B
    },
    Variable {
        name: "enable_binary_log_backup",
        ty: Type::Bool,
        default: "true when backups are on",
        meaning: "Whether any moment can be restored. \"Binary log\" is MySQL's word; in PostgreSQL it is WAL archiving.",
        ..B
    },
    Variable {
        name: "backup_window",
        default: "\"03:00-04:00\"",
        meaning: "Daily window in which backups start, UTC.",
        validation: "hh:mm-hh:mm, at least 30 minutes, not overlapping maintenance_window",
        ..B
    },
    Variable {
        name: "backup_time",
        canonical: Some("backup_window"),
        clouds: GCP,
        default: "the start of backup_window",
        meaning: "Start of the daily backup window, UTC; \"03:00\" is the window \"03:00-04:00\".",
        validation: "hh:mm",
        ..B
    },
    Variable {
        name: "enable_backup_encryption",
        ty: Type::Bool,
        default: "as storage_encrypted",
        meaning: "Whether backups are encrypted.",
        validation: "on aws and local true needs storage_encrypted; never false on gcp, azure and digitalocean",
        ..B
    },
    Variable {
        name: "copy_tags_to_snapshot",
        ty: Type::Bool,
        clouds: AWS_LOCAL,
        default: "true",
        meaning: "Whether tags go onto backups too.",
        ..B
    },
    Variable {
        name: "skip_final_snapshot",
        ty: Type::Bool,
        default: "false; true under the preset dev",
        meaning: "Whether destroying takes no last backup.",
        ..B
    },
    Variable {
        name: "final_snapshot_identifier",
        default: "<name>-final-<time, UTC>",
        meaning: "Name of the last backup, taken when the instance is destroyed.",
        ..B
    },
    Variable {
        name: "maintenance_window",
        default: "\"sun:04:00-sun:05:00\"",
        meaning: "Weekly window for maintenance and for changes that interrupt service, UTC.",
        validation: "ddd:hh:mm-ddd:hh:mm, at least 30 minutes",
        ..B
    },
    Variable {
        name: "apply_immediately",
        ty: Type::Bool,
        default: "asked when applying; the maintenance window where nobody can be asked",
        meaning: "Whether changes that interrupt service happen at once rather than in maintenance_window.",
        ..B
    },
];

const P: Variable = Variable { section: Section::Protection, ..Variable::BASE };

pub(super) const PROTECTION: &[Variable] = &[
    Variable {
        name: "enable_deletion_protection",
        ty: Type::Bool,
        default: "false; true under the preset prod",
        meaning: "Whether destroying is refused.",
        ..P
    },
    Variable {
        name: "storage_encrypted",
        ty: Type::Bool,
        forces_new: true,
        default: "true",
        meaning: "Whether storage is encrypted at rest.",
        validation: "never false on gcp, azure and digitalocean",
        ..P
    },
    Variable {
        name: "enable_encryption",
        ty: Type::Bool,
        canonical: Some("storage_encrypted"),
        forces_new: true,
        default: "storage_encrypted",
        meaning: "Whether storage is encrypted at rest, another spelling of storage_encrypted.",
        ..P
    },
    Variable {
        name: "kms_key_id",
        forces_new: true,
        clouds: &[Cloud::Aws, Cloud::Gcp, Cloud::Azure, Cloud::Local],
        default: "a key the target keeps",
        meaning: "Your own key for the storage (local: the absolute path of a key file, for backups).",
        validation: "needs storage_encrypted",
        ..P
    },
    Variable {
        name: "iam_database_authentication_enabled",
        ty: Type::Bool,
        clouds: &[Cloud::Aws, Cloud::Gcp, Cloud::Azure],
        default: "false",
        meaning: "Whether identities of the cloud may log in to the database (azure: Entra).",
        ..P
    },
];

const S: Variable = Variable { section: Section::Settings, ..Variable::BASE };

/// One PostgreSQL setting.
const PARAMETER: &[Attribute] = &[
    Attribute { name: "name", ty: Type::String, default: None, meaning: "name of the setting" },
    Attribute { name: "value", ty: Type::String, default: None, meaning: "its value in PostgreSQL units" },
    Attribute {
        name: "apply_method",
        ty: Type::String,
        default: Some(Literal::Null),
        meaning: "immediate or pending-reboot; pgherd knows which one a setting needs",
    },
];

pub(super) const SETTINGS: &[Variable] = &[
    Variable {
        name: "parameter_group_name",
        clouds: AWS,
        default: "none: pgherd makes one",
        meaning: "Existing parameter group to use as it is.",
        validation: "not together with parameters or parameter_group_family",
        ..S
    },
    Variable {
        name: "parameter_group_family",
        clouds: AWS,
        default: "\"postgres\" and the major",
        meaning: "Family of the parameter group pgherd makes; decides the version when engine_version is not written.",
        validation: "the major of engine_version",
        ..S
    },
    Variable {
        name: "parameters",
        ty: Type::List(&Type::Object(PARAMETER)),
        default: "[]; pg_stat_statements and log_min_duration_statement = 1000 are always set",
        meaning: "PostgreSQL settings, values in PostgreSQL units (\"256MB\"), converted for each target.",
        validation: "each name once, a value its type takes, none that pgherd itself decides",
        ..S
    },
    Variable {
        name: "option_group_name",
        clouds: AWS,
        default: "none",
        meaning: "RDS option group; PostgreSQL has only the default one.",
        ..S
    },
];
