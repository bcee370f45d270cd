//! How the instance is watched and reached by many: monitoring and pooling.

use super::{AWS, AWS_AZURE_LOCAL, AWS_LOCAL};
use crate::variables::{Attribute, Literal, Section, Type, Variable};

const M: Variable = Variable { section: Section::Monitoring, ..Variable::BASE };

/// The thresholds of the alarms.
const ALARMS: &[Attribute] = &[
    Attribute {
        name: "cpu_percent",
        ty: Type::Number,
        default: Some(Literal::Int(80)),
        meaning: "CPU above this, percent",
    },
    Attribute {
        name: "connections",
        ty: Type::Number,
        default: Some(Literal::Null),
        meaning: "connections above this; 80 percent of max_connections when not written",
    },
    Attribute {
        name: "free_storage_percent",
        ty: Type::Number,
        default: Some(Literal::Int(10)),
        meaning: "free storage below this, percent",
    },
    Attribute {
        name: "read_latency_seconds",
        ty: Type::Number,
        default: Some(Literal::Float(0.2)),
        meaning: "read latency above this, seconds",
    },
];

pub(super) const MONITORING: &[Variable] = &[
    Variable {
        name: "enable_performance_insights",
        ty: Type::Bool,
        default: "false; true under the presets staging and prod",
        meaning: "Whether queries are analysed (aws Database Insights, formerly Performance Insights, gcp Query Insights, azure Query Store, local pg_stat_statements).",
        ..M
    },
    Variable {
        name: "performance_insights_enabled",
        ty: Type::Bool,
        canonical: Some("enable_performance_insights"),
        default: "enable_performance_insights",
        meaning: "Whether queries are analysed, another spelling of enable_performance_insights.",
        ..M
    },
    Variable {
        name: "performance_insights_retention_period",
        ty: Type::Number,
        clouds: AWS_AZURE_LOCAL,
        default: "7",
        meaning: "Days the history of query analysis is kept.",
        validation: "aws 7, 731 or a multiple of 31; azure 1 to 30; local 1 to 731",
        ..M
    },
    Variable {
        name: "performance_insights_kms_key_id",
        clouds: AWS,
        default: "a key the target keeps",
        meaning: "Your own key for the data of query analysis.",
        validation: "needs enable_performance_insights",
        ..M
    },
    Variable {
        name: "enable_enhanced_monitoring",
        ty: Type::Bool,
        clouds: AWS_AZURE_LOCAL,
        default: "whether monitoring_interval is above 0",
        meaning: "Whether metrics of the operating system are sampled (azure: those of each database and of autovacuum too).",
        ..M
    },
    Variable {
        name: "monitoring_interval",
        ty: Type::Number,
        clouds: AWS_LOCAL,
        default: "60 when enable_enhanced_monitoring is true, else 0",
        meaning: "Seconds between two samples of the operating system; 0 turns them off.",
        validation: "0, 1, 5, 10, 15, 30 or 60",
        ..M
    },
    Variable {
        name: "monitoring_role_arn",
        clouds: AWS,
        default: "made when monitoring is on",
        meaning: "Existing role the samples are delivered with.",
        ..M
    },
    Variable {
        name: "enable_logging",
        ty: Type::Bool,
        default: "false; true under the presets staging and prod",
        meaning: "Whether the database's logs are exported and kept.",
        ..M
    },
    Variable {
        name: "enabled_cloudwatch_logs_exports",
        ty: Type::List(&Type::String),
        clouds: AWS,
        default: "[\"postgresql\", \"upgrade\"] when enable_logging is true",
        meaning: "Which logs are exported.",
        validation: "postgresql, upgrade and iam-db-auth-error",
        ..M
    },
    Variable {
        name: "alarms",
        ty: Type::Object(ALARMS),
        default: "CPU above 80 %, connections above 80 % of max_connections, free storage below 10 %, read latency above 0.2 s",
        meaning: "Thresholds of the alarms.",
        validation: "percentages above 0 and at most 100, the others above 0",
        ..M
    },
    Variable {
        name: "alarm_targets",
        ty: Type::List(&Type::String),
        default: "[]",
        meaning: "Where alarms go: SNS topics, notification channels, action groups, addresses or URLs.",
        ..M
    },
    Variable {
        name: "create_dashboard",
        ty: Type::Bool,
        default: "false",
        meaning: "Whether a dashboard of the instance is made.",
        ..M
    },
];

const P: Variable = Variable { section: Section::Pooling, ..Variable::BASE };

/// PgBouncer's settings.
const PROXY: &[Attribute] = &[
    Attribute {
        name: "pool_mode",
        ty: Type::String,
        default: Some(Literal::Text("transaction")),
        meaning: "session, transaction or statement",
    },
    Attribute {
        name: "default_pool_size",
        ty: Type::Number,
        default: Some(Literal::Int(20)),
        meaning: "server connections for each database and role",
    },
    Attribute {
        name: "max_client_conn",
        ty: Type::Number,
        default: Some(Literal::Int(100)),
        meaning: "client connections",
    },
];

pub(super) const POOLING: &[Variable] = &[
    Variable {
        name: "enable_proxy",
        ty: Type::Bool,
        default: "whether proxy_config is written",
        meaning: "Whether a connection pooler stands in front (PgBouncer, or the target's own).",
        ..P
    },
    Variable {
        name: "proxy_config",
        ty: Type::Object(PROXY),
        default: "transaction, 20, 100 when enable_proxy is true",
        meaning: "Settings of the connection pooler.",
        validation: "pool_mode session, transaction or statement; sizes at least 1",
        ..P
    },
];
