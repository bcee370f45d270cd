//! The outputs of a block: what other modules, applications and people read from it.

use super::types::Type;

/// One output of the block.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Its name.
    pub name: &'static str,
    /// Its type; `null` where the target has no such thing.
    pub ty: Type,
    /// Whether it is hidden unless asked for.
    pub sensitive: bool,
    /// What it is, one sentence.
    pub meaning: &'static str,
}

const STRING: Output = Output { name: "", ty: Type::String, sensitive: false, meaning: "" };
const STRINGS: Output = Output { ty: Type::List(&Type::String), ..STRING };

/// Every output, in the order of the reference. All of them are always present.
pub const OUTPUTS: &[Output] = &[
    Output { name: "db_instance_id", meaning: "Identifier of the instance in its target.", ..STRING },
    Output { name: "db_instance_arn", meaning: "Full resource name of the instance in its target.", ..STRING },
    Output {
        name: "db_instance_endpoint",
        meaning: "Host to connect to, without a port. It stays the same after a failover.",
        ..STRING
    },
    Output {
        name: "db_instance_port",
        ty: Type::Number,
        meaning: "Port to connect to: on local that of the pooler when there is one.",
        ..STRING
    },
    Output {
        name: "db_instance_host_port",
        meaning: "Host and port as `host:port`, for tools that want both in one.",
        ..STRING
    },
    Output {
        name: "proxy_endpoint",
        meaning: "Host of the pooler, to be used with db_instance_port: on aws that of RDS Proxy, which db_instance_endpoint goes past. Null without one.",
        ..STRING
    },
    Output { name: "db_instance_name", meaning: "Name of the initial database.", ..STRING },
    Output { name: "db_instance_username", meaning: "Name of the administrator role.", ..STRING },
    Output {
        name: "db_instance_resource_id",
        meaning: "Identifier that stays the same when the instance is renamed (local: the system identifier of the cluster).",
        ..STRING
    },
    Output {
        name: "read_replica_endpoints",
        meaning: "Hosts of the read replicas, or `host:port` where they share one host; empty without replicas.",
        ..STRINGS
    },
    Output {
        name: "read_replica_endpoint",
        meaning: "Where to connect for reading: on local one `host:port` for all replicas, elsewhere the first of read_replica_endpoints; null without replicas.",
        ..STRING
    },
    Output {
        name: "read_replica_ids",
        meaning: "Identifiers of the read replicas; empty without replicas.",
        ..STRINGS
    },
    Output {
        name: "read_replica_arns",
        meaning: "Full resource names of the read replicas; empty without replicas.",
        ..STRINGS
    },
    Output {
        name: "db_security_group_id",
        meaning: "Identifier of the firewall object (local: a fingerprint of pg_hba.conf).",
        ..STRING
    },
    Output { name: "db_security_group_arn", meaning: "Full resource name of the firewall object, or null.", ..STRING },
    Output { name: "db_subnet_group_id", meaning: "Identifier of the subnet group, or null.", ..STRING },
    Output { name: "db_subnet_group_arn", meaning: "Full resource name of the subnet group, or null.", ..STRING },
    Output {
        name: "db_parameter_group_id",
        meaning: "Identifier of the set of PostgreSQL settings in force (local: the generation of the configuration).",
        ..STRING
    },
    Output { name: "db_parameter_group_arn", meaning: "Full resource name of the parameter group, or null.", ..STRING },
    Output { name: "performance_insights_enabled", ty: Type::Bool, meaning: "Whether query analysis is on.", ..STRING },
    Output {
        name: "performance_insights_kms_key_id",
        meaning: "Key that encrypts the data of query analysis, or null.",
        ..STRING
    },
    Output {
        name: "enhanced_monitoring_arn",
        meaning: "Full resource name of the role or endpoint of OS-level monitoring, or null.",
        ..STRING
    },
    Output {
        name: "db_credentials_secret_arn",
        meaning: "Name of the secret that holds username, password, host, port and dbname as JSON.",
        ..STRING
    },
    Output {
        name: "flask_db_config",
        ty: Type::Map(&Type::String),
        sensitive: true,
        meaning: "Environment of an application: DB_SECRET_ARN, DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_SSLMODE.",
    },
    Output {
        name: "connection_string",
        sensitive: true,
        meaning: "Connection URL for libpq, complete without holding the password: it names the file that does.",
        ..STRING
    },
    Output {
        name: "effective",
        ty: Type::Map(&Type::String),
        meaning: "Every setting as resolved, by variable name; known when planning.",
        ..STRING
    },
];

/// The output of that name.
pub fn output(name: &str) -> Option<&'static Output> {
    OUTPUTS.iter().find(|output| output.name == name)
}
