//! What the instance is: identity, engine, size and storage, database and credentials.

use super::{AWS, AZURE, GCP};
use crate::cloud::Cloud;
use crate::variables::{Section, Type, Variable};

const I: Variable = Variable { section: Section::Identity, ..Variable::BASE };

pub(super) const IDENTITY: &[Variable] = &[
    Variable {
        name: "name",
        forces_new: true,
        default: "\"database\"",
        meaning: "Name of the instance, its identity within the account and region of its target.",
        validation: "lower-case letters, digits and single hyphens, first a letter, last no hyphen, 1 to 63 characters",
        ..I
    },
    Variable {
        name: "environment",
        default: "none",
        meaning: "Environment label. Adds the tag Environment unless tags has one; chooses no preset by itself.",
        validation: "not empty",
        ..I
    },
    Variable {
        name: "preset",
        default: "none",
        meaning: "Set of sensible settings for an environment; fills only what is not written.",
        validation: "dev, staging or prod",
        ..I
    },
    Variable {
        name: "cloud_provider",
        forces_new: true,
        default: "\"aws\"",
        meaning: "Where the database runs; `--provider local` runs any block on this machine instead.",
        validation: "aws, gcp, azure, digitalocean or local",
        ..I
    },
    Variable {
        name: "tags",
        ty: Type::Map(&Type::String),
        default: "{}",
        meaning: "Tags or labels put on every object that is created.",
        validation: "at most 50; spelled as the target's labels allow",
        ..I
    },
];

const E: Variable = Variable { section: Section::Engine, ..Variable::BASE };

pub(super) const ENGINE: &[Variable] = &[
    Variable {
        name: "engine_version",
        default: "the major of parameter_group_family when that is written, else the newest the target offers",
        meaning: "PostgreSQL version: a major (16), whose newest minor is taken, or a major and minor (16.4).",
        validation: "major or major.minor, a major the target offers",
        ..E
    },
    Variable {
        name: "database_version",
        canonical: Some("engine_version"),
        clouds: GCP,
        default: "engine_version",
        meaning: "PostgreSQL version in Cloud SQL spelling, such as POSTGRES_14.",
        validation: "POSTGRES_ and the major",
        ..E
    },
    Variable {
        name: "server_version",
        canonical: Some("engine_version"),
        clouds: AZURE,
        default: "engine_version",
        meaning: "PostgreSQL version in Azure spelling, the major alone.",
        validation: "a major",
        ..E
    },
];

const S: Variable = Variable { section: Section::Size, ..Variable::BASE };

pub(super) const SIZE: &[Variable] = &[
    Variable {
        name: "instance_class",
        default: "aws and local db.t3.micro, gcp db-f1-micro, azure B_Standard_B1ms, digitalocean db-s-1vcpu-1gb",
        meaning: "Machine size, in the spelling of any supported cloud.",
        validation: "a size of the target, or of another cloud: then the nearest size not smaller is taken, with a warning",
        ..S
    },
    Variable {
        name: "db_instance_class",
        canonical: Some("instance_class"),
        clouds: AWS,
        default: "instance_class",
        meaning: "Machine size, another spelling of instance_class.",
        ..S
    },
    Variable {
        name: "instance_type",
        canonical: Some("instance_class"),
        clouds: GCP,
        default: "instance_class",
        meaning: "Machine size, another spelling of instance_class.",
        ..S
    },
    Variable {
        name: "tier",
        canonical: Some("instance_class"),
        clouds: GCP,
        default: "instance_class",
        meaning: "Machine size in Cloud SQL spelling, such as db-custom-2-7680.",
        ..S
    },
    Variable {
        name: "sku_name",
        canonical: Some("instance_class"),
        clouds: AZURE,
        default: "instance_class",
        meaning: "Machine size in Azure spelling, such as GP_Standard_D2ds_v5.",
        ..S
    },
    Variable {
        name: "allocated_storage",
        ty: Type::Number,
        default: "20",
        meaning: "Initial storage in GiB. It never shrinks.",
        validation: "a whole number, at least 5 (aws 20, gcp 10, azure 32, digitalocean by size)",
        ..S
    },
    Variable {
        name: "disk_size",
        ty: Type::Number,
        canonical: Some("allocated_storage"),
        clouds: GCP,
        default: "allocated_storage",
        meaning: "Initial storage in GiB, Cloud SQL's name for it.",
        ..S
    },
    Variable {
        name: "storage_mb",
        ty: Type::Number,
        canonical: Some("allocated_storage"),
        clouds: AZURE,
        default: "allocated_storage",
        meaning: "Initial storage in MiB, Azure's name for it; rounded up to whole GiB.",
        ..S
    },
    Variable {
        name: "max_allocated_storage",
        ty: Type::Number,
        default: "none, growth is off; 100 under the presets dev and prod",
        meaning: "Limit in GiB up to which storage grows by itself.",
        validation: "more than allocated_storage",
        ..S
    },
    Variable {
        name: "auto_grow_enabled",
        ty: Type::Bool,
        clouds: &[Cloud::Azure, Cloud::Gcp, Cloud::Local],
        default: "true on azure; elsewhere whether max_allocated_storage is written",
        meaning: "Whether storage grows by itself when it fills up.",
        ..S
    },
    Variable {
        name: "storage_type",
        default: "aws gp3, gcp PD_SSD, azure Premium_LRS, none elsewhere",
        meaning: "Kind of storage.",
        validation: "aws gp2, gp3, io1 or io2; gcp PD_SSD or PD_HDD; azure Premium_LRS or PremiumV2_LRS; local anything",
        ..S
    },
    Variable {
        name: "disk_type",
        canonical: Some("storage_type"),
        clouds: GCP,
        default: "storage_type",
        meaning: "Kind of storage, Cloud SQL's name for it.",
        ..S
    },
    Variable {
        name: "storage_throughput",
        ty: Type::Number,
        clouds: AWS,
        default: "what the storage type comes with",
        meaning: "Provisioned throughput of gp3 storage, MiB/s.",
        validation: "only with gp3, 500 to 4000, at most a quarter of storage_iops",
        ..S
    },
    Variable {
        name: "storage_iops",
        ty: Type::Number,
        clouds: &[Cloud::Aws, Cloud::Azure],
        default: "what the storage type comes with",
        meaning: "Provisioned I/O operations per second of gp3, io1, io2 or PremiumV2_LRS storage.",
        validation: "gp3: 12000 to 64000 and allocated_storage of at least 400",
        ..S
    },
];

const D: Variable = Variable { section: Section::Database, ..Variable::BASE };

pub(super) const DATABASE: &[Variable] = &[
    Variable {
        name: "database_name",
        forces_new: true,
        default: "name, with underscores for hyphens",
        meaning: "Database that is created with the instance.",
        validation: "letters, digits and underscores, first no digit, at most 63 characters; not postgres' own templates",
        ..D
    },
    Variable {
        name: "master_username",
        forces_new: true,
        default: "\"postgres\" (digitalocean: doadmin, beside which a written name becomes a further role)",
        meaning: "Administrator role, owner of the database.",
        validation: "letters, digits and underscores, first a letter, at most 63 characters; not pg_… nor a name the cloud keeps for itself",
        ..D
    },
    Variable {
        name: "master_password",
        sensitive: true,
        default: "generated: 32 characters, made once and kept in the target's secret store",
        meaning: "Password of the administrator role. It reaches neither plan nor state nor log.",
        validation: "8 to 128 printable ASCII characters, none of them / @ \" or space",
        ..D
    },
];
