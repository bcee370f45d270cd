//! Where the instance is and who reaches it: network, place and account, availability.

use super::{AWS, AZURE, DIGITALOCEAN, GCP};
use crate::cloud::Cloud;
use crate::variables::{Attribute, Literal, Section, Type, Variable};

const N: Variable = Variable { section: Section::Network, ..Variable::BASE };
const STRINGS: Type = Type::List(&Type::String);
const AWS_AND_DIGITALOCEAN: &[Cloud] = &[Cloud::Aws, Cloud::DigitalOcean];
const CLOUDS: &[Cloud] = &[Cloud::Aws, Cloud::Gcp, Cloud::Azure, Cloud::DigitalOcean];

/// One firewall rule, as the security groups of AWS describe it.
const RULE: &[Attribute] = &[
    Attribute { name: "type", ty: Type::String, default: None, meaning: "ingress or egress" },
    Attribute { name: "from_port", ty: Type::Number, default: None, meaning: "first port" },
    Attribute { name: "to_port", ty: Type::Number, default: None, meaning: "last port" },
    Attribute { name: "protocol", ty: Type::String, default: None, meaning: "tcp, udp, icmp or -1 for all" },
    Attribute {
        name: "cidr_blocks",
        ty: Type::List(&Type::String),
        default: Some(Literal::EmptyList),
        meaning: "where it comes from, or goes to",
    },
    Attribute { name: "description", ty: Type::String, default: Some(Literal::Null), meaning: "what it is for" },
];

pub(super) const NETWORK: &[Variable] = &[
    Variable {
        name: "vpc_id",
        clouds: CLOUDS,
        default: "the target's default network",
        meaning: "Network to be in: VPC id (aws, digitalocean), network self link (gcp) or VNet id (azure).",
        ..N
    },
    Variable {
        name: "subnet_ids",
        ty: STRINGS,
        clouds: CLOUDS,
        default: "[], the subnets of the default network",
        meaning: "Subnets the instance may be placed in.",
        validation: "on aws with multi_az: subnets of at least two zones",
        ..N
    },
    Variable {
        name: "allowed_cidr_blocks",
        ty: STRINGS,
        default: "[], nobody from outside",
        meaning: "Address ranges that may reach the port (local: lines of pg_hba.conf).",
        validation: "each an IPv4 or IPv6 CIDR block",
        ..N
    },
    Variable {
        name: "publicly_accessible",
        ty: Type::Bool,
        default: "false",
        meaning: "Whether it has a public endpoint (local: listens beyond loopback).",
        ..N
    },
    Variable {
        name: "create_security_group",
        ty: Type::Bool,
        default: "true",
        meaning: "Whether pgherd makes and keeps the firewall object.",
        ..N
    },
    Variable {
        name: "security_group_rules",
        ty: Type::List(&Type::Object(RULE)),
        default: "[]",
        meaning: "Further firewall rules, beside those of allowed_cidr_blocks.",
        validation: "type ingress or egress, ports 0 to 65535, from_port not above to_port; needs create_security_group",
        ..N
    },
    Variable {
        name: "security_group_ids",
        ty: STRINGS,
        clouds: AWS,
        default: "[]",
        meaning: "Existing security groups the instance joins, beside the one pgherd makes.",
        ..N
    },
    Variable {
        name: "allowed_security_group_ids",
        ty: STRINGS,
        clouds: AWS,
        default: "[]",
        meaning: "Security groups whose members may reach the port, such as that of your containers; an address range lets in all of a network.",
        validation: "needs create_security_group",
        ..N
    },
    Variable {
        name: "port",
        ty: Type::Number,
        clouds: &[Cloud::Aws, Cloud::Local],
        default: "5432 (local: a free port, kept from then on)",
        meaning: "Port PostgreSQL listens on.",
        validation: "1150 to 65535",
        ..N
    },
    Variable {
        name: "availability_zone",
        forces_new: true,
        clouds: &[Cloud::Aws, Cloud::Gcp, Cloud::Azure],
        default: "chosen by the target",
        meaning: "Preferred zone of the primary.",
        validation: "a zone of the region; on aws not together with multi_az = true",
        ..N
    },
];

const P: Variable = Variable { section: Section::Place, forces_new: true, ..Variable::BASE };

pub(super) const PLACE: &[Variable] = &[
    Variable {
        name: "aws_region",
        clouds: AWS,
        default: "the region of your AWS configuration",
        meaning: "AWS region, such as eu-central-1.",
        ..P
    },
    Variable {
        name: "gcp_region",
        clouds: GCP,
        default: "none: written on gcp",
        meaning: "Google Cloud region, such as europe-west3.",
        ..P
    },
    Variable {
        name: "location",
        clouds: AZURE,
        default: "the location of the resource group",
        meaning: "Azure location; \"East US\" and eastus are the same.",
        ..P
    },
    Variable {
        name: "do_region",
        clouds: DIGITALOCEAN,
        default: "none: written on digitalocean",
        meaning: "DigitalOcean region slug, such as fra1.",
        ..P
    },
    Variable {
        name: "gcp_project",
        clouds: GCP,
        default: "the project of your gcloud configuration",
        meaning: "Google Cloud project id.",
        ..P
    },
    Variable {
        name: "gcp_edition",
        forces_new: false,
        clouds: GCP,
        default: "what the size belongs to: ENTERPRISE, or ENTERPRISE_PLUS for db-perf-optimized and db-c4a sizes",
        meaning: "Cloud SQL edition.",
        validation: "ENTERPRISE or ENTERPRISE_PLUS",
        ..P
    },
    Variable {
        name: "resource_group_name",
        clouds: AZURE,
        default: "none: written on azure",
        meaning: "Azure resource group, which must exist.",
        ..P
    },
    Variable {
        name: "azure_subscription_id",
        clouds: AZURE,
        default: "the subscription of your Azure configuration",
        meaning: "Azure subscription the resource group is in.",
        ..P
    },
    Variable {
        name: "key_vault_name",
        forces_new: false,
        clouds: AZURE,
        default: "the vault that PGHERD_AZURE_KEY_VAULT names",
        meaning: "Key vault that keeps the credentials, which must exist.",
        ..P
    },
    Variable {
        name: "key_identity_id",
        forces_new: false,
        clouds: AZURE,
        default: "the identity that PGHERD_AZURE_KEY_IDENTITY names",
        meaning: "Id of the managed identity by which the server uses kms_key_id, which must exist.",
        ..P
    },
    Variable {
        name: "log_analytics_workspace_id",
        forces_new: false,
        clouds: AZURE,
        default: "the workspace that PGHERD_AZURE_LOG_WORKSPACE names",
        meaning: "Id of the Log Analytics workspace that enable_logging sends the log to.",
        ..P
    },
];

const A: Variable = Variable { section: Section::Availability, ..Variable::BASE };

pub(super) const AVAILABILITY: &[Variable] = &[
    Variable {
        name: "multi_az",
        ty: Type::Bool,
        default: "false; true under the presets staging and prod",
        meaning: "Whether a synchronous standby in another zone takes over by itself (local: a second PostgreSQL process).",
        validation: "not on sizes the target cannot make highly available",
        ..A
    },
    Variable {
        name: "local_sync",
        clouds: &[Cloud::Local],
        default: "preferred",
        meaning: "What commits do while the standby is lost: go on without it (preferred, as on RDS), or wait until it is back (required).",
        validation: "preferred or required",
        ..A
    },
    Variable {
        name: "create_read_replica",
        ty: Type::Bool,
        default: "false; true under the preset prod",
        meaning: "Whether there are read replicas.",
        ..A
    },
    Variable {
        name: "read_replica_count",
        ty: Type::Number,
        default: "1 when create_read_replica is true",
        meaning: "How many read replicas, when create_read_replica is true.",
        validation: "a whole number, at most aws 15, gcp 10, azure 5, local 5, digitalocean 2",
        ..A
    },
    Variable {
        name: "geo_redundant_backup",
        ty: Type::Bool,
        forces_new: true,
        clouds: &[Cloud::Azure, Cloud::Aws, Cloud::Gcp, Cloud::Local],
        default: "false",
        meaning: "Whether backups are also kept in a second region; on local in the second repository of the machine.",
        validation: "on aws that region is dr_region",
        ..A
    },
    Variable {
        name: "dr_region",
        clouds: AWS_AND_DIGITALOCEAN,
        default: "none: everything is in one region",
        meaning: "Second region, for when the first one is lost: dr_read_replica is kept there, and on aws geo_redundant_backup.",
        ..A
    },
    Variable {
        name: "dr_read_replica",
        ty: Type::Bool,
        clouds: AWS_AND_DIGITALOCEAN,
        default: "false",
        meaning: "Whether a read replica is kept in dr_region, beside those of read_replica_count.",
        validation: "needs dr_region",
        ..A
    },
    Variable {
        name: "dr_vpc_id",
        clouds: AWS_AND_DIGITALOCEAN,
        default: "the default network of dr_region",
        meaning: "Network of the replica in dr_region: a VPC id of that region.",
        ..A
    },
    Variable {
        name: "dr_subnet_ids",
        ty: STRINGS,
        clouds: AWS,
        default: "[], the subnets of the default network",
        meaning: "Subnets of dr_vpc_id the replica may be placed in.",
        validation: "subnets of at least two zones",
        ..A
    },
    Variable {
        name: "dr_security_group_ids",
        ty: STRINGS,
        clouds: AWS,
        default: "[]",
        meaning: "Existing security groups of dr_region the replica joins, beside the one pgherd makes there.",
        ..A
    },
    Variable {
        name: "dr_kms_key_id",
        clouds: AWS,
        default: "the key AWS keeps for RDS in dr_region",
        meaning: "Your own key of dr_region for what is kept there; keys do not leave their region.",
        validation: "needs storage_encrypted",
        ..A
    },
];
