//! Spec to resources of this machine. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pgherd_core::ha::SyncMode;
use pgherd_core::resource::{Equality, Field, Id, Impact, ImpactRule, Kind, Owner, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::{Props, Value};
use serde::{Deserialize, Serialize};

/// Name of the one kind there is: a PostgreSQL instance with its role, database and secret.
pub const INSTANCE: &str = "instance";

/// What a restart of a local server costs: a fast shutdown and a start, rounded up generously.
const RESTART: Impact = Impact::Restart { about_s: 2 };

pub(crate) const MAJOR_MIGRATION: &str = "make a new database under a new name and move the data with pg_dump and pg_restore; \
                               pgherd does not change the major version of a running database for now";
const DATABASE_MIGRATION: &str = "create the other database with SQL, or make a new instance under a new name";
const USERNAME_MIGRATION: &str = "create the other role with SQL, or make a new instance under a new name";

/// Why a variable changes nothing on this machine, for those that do not; shown by `explain`.
pub const IGNORES: &[(&str, &str)] = &[
    ("alarm_targets", NO_MONITORING),
    ("alarms", NO_MONITORING),
    ("allowed_security_group_ids", "security groups are AWS's; write allowed_cidr_blocks"),
    ("apply_immediately", "it decides when changes happen, not what exists"),
    ("availability_zone", ONE_PLACE),
    ("aws_region", ONE_PLACE),
    ("azure_subscription_id", ONE_PLACE),
    ("cloud_provider", "it decides where the block runs; this is what it is here"),
    ("create_dashboard", NO_MONITORING),
    ("do_region", ONE_PLACE),
    ("dr_kms_key_id", ONE_PLACE),
    ("dr_read_replica", ONE_PLACE),
    ("dr_region", ONE_PLACE),
    ("dr_security_group_ids", ONE_PLACE),
    ("dr_subnet_ids", ONE_PLACE),
    ("dr_vpc_id", ONE_PLACE),
    ("enable_enhanced_monitoring", NO_MONITORING),
    ("enable_performance_insights", "statements are always analysed here: pg_stat_statements is on in every instance"),
    ("gcp_edition", ONE_PLACE),
    ("gcp_project", ONE_PLACE),
    ("gcp_region", ONE_PLACE),
    ("iam_database_authentication_enabled", "this machine knows no cloud identities"),
    ("key_identity_id", ONE_PLACE),
    ("key_vault_name", ONE_PLACE),
    ("location", ONE_PLACE),
    ("log_analytics_workspace_id", ONE_PLACE),
    ("monitoring_interval", NO_MONITORING),
    ("monitoring_role_arn", NO_MONITORING),
    ("option_group_name", "option groups are RDS's; PostgreSQL has none"),
    ("parameter_group_name", "parameter groups are RDS's; write the settings as parameters"),
    ("performance_insights_kms_key_id", "statistics of statements are kept inside the database"),
    ("performance_insights_retention_period", "statistics of statements are kept until they are reset"),
    ("resource_group_name", ONE_PLACE),
    ("security_group_ids", "security groups are AWS's; write allowed_cidr_blocks"),
    ("storage_iops", ONE_DISK),
    ("storage_throughput", ONE_DISK),
    ("storage_type", ONE_DISK),
    ("subnet_ids", NO_VPC),
    ("vpc_id", NO_VPC),
];

const NO_MONITORING: &str = "metrics and alarms are not available on this machine in this version";
const NO_VPC: &str = "this machine has one network";
const ONE_DISK: &str = "the disk is this machine's own";
const ONE_PLACE: &str = "this machine is one place";

/// The kinds of resource of this machine.
pub const KINDS: &[Kind] = &[Kind { name: INSTANCE, holds_data: true, outlives: false, fields: FIELDS }];

const FIELDS: &[Field] = &[
    fixed("engine_major", MAJOR_MIGRATION),
    Field {
        name: "engine_version",
        owner: Owner::Floor,
        equality: Equality::Version,
        impact: ImpactRule::Always(RESTART),
    },
    set("instance_class", Impact::None),
    set("vcpu", Impact::None),
    set("memory_mib", RESTART),
    Field { owner: Owner::Floor, ..set("allocated_storage_gib", Impact::None) },
    set("max_allocated_storage_gib", Impact::None),
    set("storage_auto_grow", Impact::None),
    theirs("storage_encrypted"),
    fixed("database_name", DATABASE_MIGRATION),
    fixed("master_username", USERNAME_MIGRATION),
    set("database_owner", Impact::None),
    set("master_password", Impact::NewConnections),
    Field { equality: Equality::Unordered, ..set("allowed_cidrs", Impact::NewConnections) },
    set("publicly_accessible", RESTART),
    set("port", RESTART),
    Field {
        name: "parameters.*",
        owner: Owner::Set,
        equality: Equality::Parameter,
        impact: ImpactRule::Parameter(RESTART),
    },
    set("tags.*", Impact::None),
    set("maintenance_window", Impact::None),
    set("deletion_protection", Impact::None),
    theirs("written.*"),
    set("skip_final_backup", Impact::None),
    set("final_backup_name", Impact::None),
    set("copy_tags_to_backup", Impact::None),
    set("backup_retention_days", Impact::None),
    set("point_in_time", Impact::None),
    set("backup_window", Impact::None),
    set("backup_encrypted", Impact::None),
    set("backup_key_file", Impact::None),
    set("geo_redundant_backup", Impact::None),
    set("logging", Impact::None),
    // The port its users connect to moves from the server to a forwarder, or back.
    set("multi_az", RESTART),
    set("local_sync", Impact::None),
    set("read_replicas", Impact::None),
    Field {
        // Applications go on at the server's port until they are given the pooler's; those at the pooler's are cut off.
        impact: ImpactRule::Switch { on: Impact::NewConnections, off: Impact::Reconnect },
        ..set("enable_proxy", Impact::None)
    },
    // A client that is in has a server connection to itself until its transaction ends, or no longer than that.
    set("proxy_config.pool_mode", Impact::NewConnections),
    set("proxy_config.*", Impact::None),
];

const fn set(name: &'static str, impact: Impact) -> Field {
    Field { name, owner: Owner::Set, equality: Equality::Exact, impact: ImpactRule::Always(impact) }
}

const fn fixed(name: &'static str, migration: &'static str) -> Field {
    Field { owner: Owner::Fixed { migration }, ..set(name, Impact::None) }
}

const fn theirs(name: &'static str) -> Field {
    Field { owner: Owner::Theirs, ..set(name, Impact::None) }
}

/// An instance as it should be: the props of [`INSTANCE`], typed. Travels to the agent and is kept in its ledger.
///
/// The password is not here: it travels beside this, and is kept in the secret file alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// Major version; `None`: the newest this machine offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_major: Option<u32>,
    /// Version as asked for: `16` or `16.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<String>,
    /// Name of the size, any cloud's.
    pub instance_class: String,
    /// Virtual CPUs of the size.
    pub vcpu: f64,
    /// Memory of the size, MiB.
    pub memory_mib: u64,
    /// Storage at creation, GiB.
    pub allocated_storage_gib: u64,
    /// Upper limit of growth, GiB.
    pub max_allocated_storage_gib: Option<u64>,
    /// Whether storage grows by itself.
    pub storage_auto_grow: bool,
    /// Whether the storage should be encrypted.
    pub storage_encrypted: bool,
    /// Initial database.
    pub database_name: String,
    /// Master role.
    pub master_username: String,
    /// Networks that may connect, besides this machine itself.
    pub allowed_cidrs: Vec<String>,
    /// Whether it listens beyond loopback.
    pub publicly_accessible: bool,
    /// Port asked for; `None`: a free one is chosen once and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// PostgreSQL settings the user wrote, in PostgreSQL units.
    pub parameters: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Weekly window for restarts.
    pub maintenance_window: String,
    /// Whether deleting is refused.
    pub deletion_protection: bool,
    /// Whether deleting takes no last backup.
    pub skip_final_backup: bool,
    /// Name of the last backup; `None`: `<name>-final-<utc>`.
    pub final_backup_name: Option<String>,
    /// Whether tags go onto backups.
    pub copy_tags_to_backup: bool,
    /// For how many days automatic backups are kept; 0: none are taken.
    #[serde(default)]
    pub backup_retention_days: u32,
    /// Whether the log is archived between two backups, so that every moment can be restored.
    #[serde(default)]
    pub point_in_time: bool,
    /// Daily window of the automatic backup.
    #[serde(default)]
    pub backup_window: String,
    /// Whether backups and archive are encrypted.
    #[serde(default)]
    pub backup_encrypted: bool,
    /// A key file of the user's own, whose first key encrypts them; `None`: that of this machine.
    #[serde(default)]
    pub backup_key_file: Option<PathBuf>,
    /// Whether what is stored is kept in the second repository of this machine as well.
    #[serde(default)]
    pub geo_redundant_backup: bool,
    /// Whether connections and disconnections are logged and logs are kept for longer.
    pub logging: bool,
    /// Whether a synchronous standby takes over by itself.
    pub multi_az: bool,
    /// What commits do while that standby is lost.
    #[serde(default)]
    pub local_sync: SyncMode,
    /// Read replicas.
    pub read_replicas: u32,
    /// Whether a pooler stands in front.
    #[serde(default)]
    pub enable_proxy: bool,
    /// Its settings; `None`: there is none.
    #[serde(default)]
    pub proxy_config: Option<Pool>,
    /// What else the block says, which nothing of an instance tells: kept for whoever reads a block off it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub written: BTreeMap<String, serde_json::Value>,
}

/// The key file that is written as `kms_key_id`; a key of a cloud is none.
pub(crate) fn key_file(spec: &Spec) -> Option<&str> {
    spec.encryption.kms_key_id.known().map(String::as_str).filter(|key| key.starts_with('/'))
}

/// Settings of a pooler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// `session`, `transaction` or `statement`.
    pub pool_mode: String,
    /// Server connections for each database and user.
    pub default_pool_size: u32,
    /// Client connections.
    pub max_client_conn: u32,
}

impl Wanted {
    /// The instance a spec asks for.
    pub fn from_spec(spec: &Spec) -> Self {
        Self {
            engine_major: spec.engine_version.map(|version| version.major),
            engine_version: spec.engine_version.map(|version| version.to_string()),
            instance_class: spec.size.name.clone(),
            vcpu: spec.size.vcpu,
            memory_mib: spec.size.memory_mib,
            allocated_storage_gib: spec.storage.allocated_gib,
            max_allocated_storage_gib: spec.storage.max_gib,
            storage_auto_grow: spec.storage.auto_grow,
            storage_encrypted: spec.encryption.storage,
            database_name: spec.database_name.clone(),
            master_username: spec.master_username.clone(),
            allowed_cidrs: allowed_cidrs(spec),
            publicly_accessible: spec.network.publicly_accessible,
            port: spec.network.port,
            parameters: parameters(spec),
            tags: known_tags(spec),
            maintenance_window: spec.maintenance_window.to_string(),
            deletion_protection: spec.deletion_protection,
            skip_final_backup: spec.backup.skip_final,
            final_backup_name: spec.backup.final_name.clone(),
            copy_tags_to_backup: spec.backup.copy_tags,
            backup_retention_days: spec.backup.retention_days,
            point_in_time: spec.backup.point_in_time,
            backup_window: spec.backup.window.to_string(),
            backup_encrypted: spec.backup.encrypted,
            backup_key_file: key_file(spec).filter(|_| spec.backup.encrypted).map(PathBuf::from),
            geo_redundant_backup: spec.backup.geo_redundant,
            logging: spec.monitoring.logging,
            multi_az: spec.multi_az,
            local_sync: spec.local_sync,
            read_replicas: spec.replicas,
            enable_proxy: spec.proxy.is_some(),
            proxy_config: spec.proxy.as_ref().map(|proxy| Pool {
                pool_mode: proxy.pool_mode.clone(),
                default_pool_size: proxy.default_pool_size,
                max_client_conn: proxy.max_client_conn,
            }),
            written: untold(spec),
        }
    }

    /// Whether the log is archived.
    pub fn is_archived(&self) -> bool {
        self.backup_retention_days > 0 && self.point_in_time
    }

    /// The pooler that is wanted.
    pub fn pool(&self) -> Option<&Pool> {
        self.proxy_config.as_ref().filter(|_| self.enable_proxy)
    }

    /// As props. Never fails: every field of ours is plain data.
    pub fn to_props(&self) -> Props {
        let json = serde_json::to_value(self).expect("plain data serialises");
        match value_of(&json) {
            Value::Map(props) => props,
            other => unreachable!("a struct serialises as a map, not as {other}"),
        }
    }

    /// Back from props; the password travels beside this.
    pub fn from_props(props: &Props) -> Result<Self, String> {
        let json = serde_json::Value::Object(
            props
                .iter()
                .filter(|(field, _)| !matches!(field.as_str(), "master_password" | "database_owner"))
                .map(|(field, value)| (field.clone(), json_of(value)))
                .collect(),
        );
        serde_json::from_value(json).map_err(|error| error.to_string())
    }
}

/// What the block says and nothing that exists tells, a key that encrypts nothing among it.
fn untold(spec: &Spec) -> BTreeMap<String, serde_json::Value> {
    let key = spec.encryption.kms_key_id.known();
    let key = key.filter(|_| key_file(spec).is_none() || !spec.backup.encrypted).map(Value::text);
    let untold = spec.untold(IGNORES);
    let all = untold.into_iter().chain(key.map(|key| ("kms_key_id".to_owned(), key)));
    all.map(|(name, value)| (name, json_of(&value))).collect()
}

/// What should exist on this machine for a spec.
pub fn desired(spec: &Spec) -> Vec<Resource> {
    let mut props = Wanted::from_spec(spec).to_props();
    // Not a wish of its own, but what shows that somebody dropped the database or gave it away.
    props.insert("database_owner".to_owned(), Value::text(&spec.master_username));
    if let Setting::Known(password) = &spec.master_password {
        props.insert("master_password".to_owned(), Value::Secret(password.clone()));
    }
    vec![Resource { id: Id::new(INSTANCE, &spec.name), props, needs: Vec::new() }]
}

/// Networks that may connect: `allowed_cidr_blocks` and the ingress rules for TCP. The port of a rule is not looked at: a
/// local instance has one port, which is often chosen by pgherd, and rules are written for 5432.
fn allowed_cidrs(spec: &Spec) -> Vec<String> {
    if !spec.network.create_security_group {
        return Vec::new();
    }
    let rules = spec.network.rules.iter().filter(|rule| rule.ingress && matches!(rule.protocol.as_str(), "tcp" | "-1"));
    let known: BTreeSet<_> = spec
        .network
        .allowed_cidr_blocks
        .iter()
        .chain(rules.flat_map(|rule| &rule.cidr_blocks))
        .filter_map(Setting::known)
        .map(|text| network(text))
        // Always let in, and not listed as anybody else.
        .filter(|network| !matches!(network.as_str(), "127.0.0.0/8" | "::1/128"))
        .collect();
    known.into_iter().collect()
}

/// As the server tells it: 10.0.3.7/16 means, and is, 10.0.0.0/16.
fn network(text: &str) -> String {
    text.parse::<ipnet::IpNet>().map_or_else(|_| text.to_owned(), |network| network.trunc().to_string())
}

/// The user's settings without `ssl`, which is always on here (variables.md 3.7; the checks refuse `off`).
fn parameters(spec: &Spec) -> BTreeMap<String, String> {
    spec.parameters
        .iter()
        .filter(|(name, _)| *name != "ssl")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn known_tags(spec: &Spec) -> BTreeMap<String, String> {
    spec.tags.iter().filter_map(|(key, tag)| Some((key.clone(), tag.known()?.clone()))).collect()
}

/// A JSON value as a prop.
pub fn value_of(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::text(text),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value_of).collect()),
        serde_json::Value::Object(fields) => {
            Value::Map(fields.iter().map(|(name, value)| (name.clone(), value_of(value))).collect())
        }
    }
}

fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(bool) => (*bool).into(),
        Value::Int(int) => (*int).into(),
        Value::Float(float) => (*float).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Map(props) => {
            serde_json::Value::Object(props.iter().map(|(name, value)| (name.clone(), json_of(value))).collect())
        }
        // Nothing of the kind is made by `desired`; a daemon that misses a field says which one.
        Value::Null | Value::Secret(_) | Value::Unknown(_) | Value::Output(..) => serde_json::Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use pgherd_core::cloud::Cloud;
    use pgherd_core::inputs::Inputs;
    use pgherd_core::spec::resolve;
    use pgherd_core::variables::{self, Literal, Type, Variable};

    use super::*;

    fn resources(values: &[(&str, Value)]) -> Vec<Resource> {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let (spec, _) = resolve(&Inputs { block: "db".to_owned(), values }, Some(Cloud::Local));
        let mut resources = desired(&spec.expect("the target is given"));
        // What is only remembered changes nothing.
        resources.iter_mut().for_each(|resource| drop(resource.props.remove("written")));
        resources
    }

    /// Written with another value than its default, a variable changes what should exist here, or says why not.
    #[test]
    fn every_variable_matters_or_says_why_not() {
        assert!(IGNORES.is_sorted_by_key(|(name, _)| name));
        let beside = |variable: &Variable| match variable.name {
            // None of no replicas.
            "read_replica_count" => ("create_read_replica", true.into()),
            // Without a network to let in there is no firewall to be made or not.
            _ => ("allowed_cidr_blocks", Value::List(vec!["198.51.100.0/24".into()])),
        };
        let wrong = |variable: &&Variable| {
            let written = [beside(variable), (variable.name, another(variable))];
            let changes = resources(&written[..1]) != resources(&written);
            changes == IGNORES.iter().any(|(name, _)| *name == variable.name)
        };
        let canonical = variables::all().filter(|variable| variable.canonical.is_none());
        let wrong: Vec<_> = canonical.filter(wrong).map(|variable| variable.name).collect();
        assert_eq!(wrong, [""; 0], "these change nothing and are not ignored, or are ignored and change something");
    }

    #[test]
    fn what_is_ignored_is_a_variable() {
        for (name, _) in IGNORES {
            assert!(variables::variable(name).is_some_and(|variable| variable.canonical.is_none()), "{name}");
        }
    }

    /// The plan panics on a field that the table lacks.
    #[test]
    fn every_field_stands_in_the_table() {
        let all = [
            ("master_password", Value::Secret(pgherd_core::secret::Secret::new("x"))),
            ("port", Value::Int(5555)),
            ("engine_version", "16.4".into()),
        ];
        for resource in resources(&all) {
            for (name, value) in &resource.props {
                let found = KINDS[0].field(name).or_else(|| KINDS[0].field(&format!("{name}.key")));
                assert!(found.is_some(), "{name}");
                if let Value::Map(entries) = value {
                    assert!(entries.keys().all(|key| KINDS[0].field(&format!("{name}.{key}")).is_some()), "{name}");
                }
            }
        }
    }

    #[test]
    fn props_and_back_are_the_same_wish() {
        let wanted = Wanted::from_props(&resources(&[])[0].props).expect("a wish");
        assert_eq!(wanted.to_props(), Wanted::from_props(&wanted.to_props()).expect("a wish").to_props());
        assert_eq!(wanted.database_name, "database");
    }

    fn another(variable: &Variable) -> Value {
        let text = match variable.name {
            "preset" => "prod",
            "engine_version" => "15",
            // The family of a parameter group decides the version where none is written.
            "parameter_group_family" => "postgres15",
            "instance_class" => "db.m5.large",
            "maintenance_window" => "mon:05:00-mon:06:00",
            "backup_window" => "05:00-06:00",
            "local_sync" => "required",
            "cloud_provider" => "aws",
            "kms_key_id" => "/etc/pgherd/db.key",
            _ => "something",
        };
        match variable.name {
            "security_group_rules" => rule(),
            "allowed_cidr_blocks" => Value::List(vec!["192.0.2.0/24".into()]),
            "create_security_group" => false.into(),
            _ => of_type(variable.ty, text, !default_is_on(variable.name)),
        }
    }

    fn rule() -> Value {
        let fields: [(&str, Value); 5] = [
            ("type", "ingress".into()),
            ("from_port", Value::Int(5432)),
            ("to_port", Value::Int(5432)),
            ("protocol", "tcp".into()),
            ("cidr_blocks", Value::List(vec!["192.0.2.0/24".into()])),
        ];
        Value::List(vec![Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())])
    }

    fn default_is_on(name: &str) -> bool {
        matches!(
            name,
            "copy_tags_to_snapshot"
                | "storage_encrypted"
                | "enable_backup_encryption"
                | "enable_backup"
                | "enable_binary_log_backup"
        )
    }

    fn of_type(ty: Type, text: &str, switch: bool) -> Value {
        match ty {
            Type::String => text.into(),
            Type::Number => Value::Int(120),
            Type::Bool => switch.into(),
            Type::List(item) => Value::List(vec![of_type(*item, text, switch)]),
            Type::Map(item) => Value::Map([("Owner".to_owned(), of_type(*item, text, switch))].into()),
            Type::Object(attributes) => {
                let written = attributes.iter().filter(|attribute| !matches!(attribute.default, Some(Literal::Null)));
                let value =
                    |attribute: &variables::Attribute| (attribute.name.to_owned(), of_type(attribute.ty, text, switch));
                Value::Map(written.map(value).collect())
            }
        }
    }
}
