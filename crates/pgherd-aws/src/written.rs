//! What a block would write to have what there is: the way from a spec to AWS, backwards. Pure.
//!
//! What nothing that exists tells (how things are done, and what has no effect on AWS) stands in a tag of the instance, see
//! [`tags::WRITTEN`].

use std::collections::BTreeMap;

use pgherd_core::resource::{Id, Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};

use crate::alarms;
use crate::kinds::security_group::{self, Peer, Rule};
use crate::kinds::{
    alarm, backup_replication, dashboard, instance, parameter_group, proxy, recovery, replica, tags, topic,
};
use crate::{names, parameters};

/// Where the subnets of an instance stand beside its own fields.
pub(crate) const SUBNETS: &str = "SubnetIds";
/// Where its network does.
pub(crate) const NETWORK: &str = "VpcId";

/// Variables with the fields of an instance that they become as they are.
const FIELDS: &[(&str, &str)] = &[
    ("instance_class", "DBInstanceClass"),
    ("allocated_storage", "AllocatedStorage"),
    ("max_allocated_storage", "MaxAllocatedStorage"),
    ("storage_type", "StorageType"),
    ("storage_iops", "Iops"),
    ("storage_throughput", "StorageThroughput"),
    ("database_name", "DBName"),
    ("master_username", "MasterUsername"),
    ("vpc_id", NETWORK),
    ("publicly_accessible", "PubliclyAccessible"),
    ("port", "Port"),
    ("multi_az", "MultiAZ"),
    ("backup_retention_period", "BackupRetentionPeriod"),
    ("backup_window", "PreferredBackupWindow"),
    ("copy_tags_to_snapshot", "CopyTagsToSnapshot"),
    ("maintenance_window", "PreferredMaintenanceWindow"),
    ("enable_deletion_protection", "DeletionProtection"),
    ("storage_encrypted", "StorageEncrypted"),
    ("kms_key_id", "KmsKeyId"),
    ("iam_database_authentication_enabled", "EnableIAMDatabaseAuthentication"),
    ("enable_performance_insights", "EnablePerformanceInsights"),
    ("performance_insights_retention_period", "PerformanceInsightsRetentionPeriod"),
    ("performance_insights_kms_key_id", "PerformanceInsightsKMSKeyId"),
    ("monitoring_interval", "MonitoringInterval"),
    ("enabled_cloudwatch_logs_exports", "EnableCloudwatchLogsExports"),
];

/// By variable. `spec` is what is known of the block so far: its name at least.
pub(crate) fn inputs(spec: &Spec, region: &str, observed: &[Observed]) -> Props {
    let seen = Seen { spec, region, observed };
    let Some(instance) = seen.of(instance::NAME).find(|one| one.id == instance::id(spec)) else {
        return Props::new();
    };
    let field = |name: &str| instance.props.get(name).cloned();
    let text = |name: &str| instance.props.get(name).and_then(Value::as_text);
    let mut inputs = text(tags::WRITTEN).map(tags::said).unwrap_or_default();
    let mut set = |name: &str, value: Value| drop(inputs.insert(name.to_owned(), value));
    for (variable, name) in FIELDS {
        field(name).into_iter().for_each(|value| set(variable, value));
    }
    // Of a pair RDS chooses the zones.
    if field("MultiAZ") == Some(false.into()) {
        field("AvailabilityZone").into_iter().for_each(|zone| set("availability_zone", zone));
    }
    let group = text("DBParameterGroupName").unwrap_or_default();
    let is_own = names::owner_of_parameter_group(group) == Some(&spec.name);
    if !is_own {
        set("parameter_group_name", group.into());
    }
    // The group of a block that names no version is of none.
    if group != names::parameter_group(&spec.name, None) {
        field("EngineVersion").into_iter().for_each(|version| set("engine_version", version));
    }
    if let Some(options) = text("OptionGroupName").filter(|options| !options.starts_with("default:")) {
        set("option_group_name", options.into());
    }
    if text("DBSubnetGroupName").is_some_and(|group| group != "default") {
        field(SUBNETS).into_iter().for_each(|subnets| set("subnet_ids", subnets));
    }
    let role = text("MonitoringRoleArn")
        .filter(|role| role.rsplit('/').next() != Some(names::monitoring_role(&spec.name, region).as_str()));
    role.into_iter().for_each(|role| set("monitoring_role_arn", role.into()));
    set(
        "enable_logging",
        instance
            .props
            .get("EnableCloudwatchLogsExports")
            .and_then(Value::as_list)
            .is_some_and(|logs| !logs.is_empty())
            .into(),
    );
    let worn = instance.props.get("Tags").and_then(Value::as_map).cloned().unwrap_or_default();
    let worn: Props = worn.into_iter().filter(|(key, _)| !key.starts_with("pgherd:")).collect();
    worn.get("Environment").cloned().into_iter().for_each(|environment| set("environment", environment));
    set("tags", Value::Map(worn));
    let parts =
        [seen.firewall(instance), seen.settings(), seen.watched(), seen.pooler(), seen.replicas(), seen.recovery()];
    parts.into_iter().flatten().for_each(|(name, value)| set(name, value));
    inputs.retain(|_, value| !value.is_null());
    inputs
}

type Told = Vec<(&'static str, Value)>;

struct Seen<'a> {
    spec: &'a Spec,
    region: &'a str,
    observed: &'a [Observed],
}

impl<'a> Seen<'a> {
    /// What is the block's of a kind.
    fn of(&self, kind: &'a str) -> impl Iterator<Item = &'a Observed> {
        let is_ours = |seen: &&Observed| !matches!(seen.status, Status::Foreign(_));
        self.observed.iter().filter(is_ours).filter(move |seen| seen.id.kind == kind)
    }

    fn one(&self, kind: &'a str, name: &str) -> Option<&'a Observed> {
        self.of(kind).find(|seen| seen.id == Id::new(kind, name))
    }

    fn firewall(&self, instance: &Observed) -> Told {
        let own = self.one(security_group::NAME, &names::security_group(&self.spec.name));
        let others = others(instance, own);
        let nothing = Props::new();
        let rules = own.and_then(|own| own.props.get("Rules")?.as_map()).unwrap_or(&nothing);
        let port = instance.props.get("Port").and_then(Value::as_int).and_then(|port| u16::try_from(port).ok());
        let (mut addresses, mut groups, mut further) = (Vec::new(), Vec::new(), Vec::new());
        for (key, description) in rules {
            let Some(rule) = Rule::parse(key) else { continue };
            let description = description.as_text().unwrap_or_default();
            let is_plain = rule.ingress && rule.protocol == "tcp" && Some(rule.ports) == port.map(|port| (port, port));
            match &rule.peer {
                Peer::Itself => {}
                Peer::Group(id) => groups.push(Value::text(id)),
                Peer::Cidr(address) if is_plain && description.is_empty() => addresses.push(Value::text(address)),
                Peer::Cidr(address) => further.push(written(&rule, address, description)),
            }
        }
        vec![
            ("create_security_group", own.is_some().into()),
            ("security_group_ids", others),
            ("allowed_cidr_blocks", Value::List(addresses)),
            ("allowed_security_group_ids", Value::List(groups)),
            ("security_group_rules", Value::List(further)),
        ]
    }

    /// What is in the group beside what pgherd has in every one.
    fn settings(&self) -> Told {
        let bare = Spec { parameters: BTreeMap::new(), ..self.spec.clone() };
        let always = parameters::of(&bare);
        let group = self.one(parameter_group::NAME, &parameter_group::own(self.spec, &self.spec.name));
        let Some(settings) = group.and_then(|group| group.props.get("Parameters")?.as_map()) else { return Vec::new() };
        let own = settings.iter().filter(|(name, value)| always.get(*name).map(String::as_str) != value.as_text());
        let pair =
            |(name, value): (&String, &Value)| object(&[("name", name.as_str().into()), ("value", value.clone())]);
        vec![("parameters", Value::List(own.map(pair).collect()))]
    }

    fn watched(&self) -> Told {
        let spec = self.spec;
        let threshold = |about: &str| {
            let value = self.one(alarm::NAME, &names::alarm(&spec.name, about))?.props.get("Threshold")?;
            if let Value::Float(figure) = value { Some(*figure) } else { None }
        };
        let mut unwritten = spec.clone();
        unwritten.monitoring.alarm_connections = None;
        let figures = [
            ("cpu_percent", threshold("cpu")),
            ("connections", threshold("connections").filter(|most| alarms::connections(&unwritten) != Some(*most))),
            ("free_storage_percent", threshold("storage").and_then(|bytes| alarms::free_percent(spec, bytes))),
            ("read_latency_seconds", threshold("read-latency")),
        ];
        let figures: Vec<(&str, Value)> =
            figures.into_iter().filter_map(|(name, figure)| Some((name, number(figure?)))).collect();
        let topic = self.one(topic::NAME, &names::topic(&spec.name));
        let is_own =
            |arn: &Value| arn.as_text().and_then(|arn| arn.rsplit(':').next()) == Some(&names::topic(&spec.name));
        let listed = |seen: Option<&'a Observed>, field: &str| -> Vec<Value> {
            seen.and_then(|seen| seen.props.get(field)?.as_list()).unwrap_or_default().to_vec()
        };
        let told = listed(self.one(alarm::NAME, &names::alarm(&spec.name, "cpu")), "AlarmActions");
        let told = told.into_iter().filter(|arn| arn.is_known() && !is_own(arn));
        let dashboard = self.one(dashboard::NAME, &names::dashboard(&spec.name, self.region));
        vec![
            ("alarms", object(&figures)),
            ("alarm_targets", Value::List(told.chain(listed(topic, "Endpoints")).collect())),
            ("create_dashboard", dashboard.is_some().into()),
        ]
    }

    fn pooler(&self) -> Told {
        let Some(proxy) = self.one(proxy::NAME, &names::proxy(&self.spec.name)) else {
            return vec![("enable_proxy", false.into())];
        };
        let percent = proxy.props.get("MaxConnectionsPercent").and_then(Value::as_int);
        let most = alarms::expected_connections(self.spec);
        let size = percent.zip(most).map(|(percent, most)| percent * i64::from(most) / 100);
        // As long as that is what there is, it is as it was written.
        let pool = self.spec.proxy.as_ref().map(|pool| pool.default_pool_size);
        let is_same = pool.is_some_and(|size| proxy::percent(size, self.spec) == percent);
        let size = if is_same { pool.map(i64::from) } else { size };
        let config: Vec<(&str, Value)> = size.map(|size| ("default_pool_size", Value::Int(size))).into_iter().collect();
        vec![("enable_proxy", true.into()), ("proxy_config", object(&config))]
    }

    fn replicas(&self) -> Told {
        let count =
            self.of(replica::NAME).filter(|seen| names::place(replica::NAME, &seen.id.name).0.is_none()).count();
        match i64::try_from(count) {
            Ok(count @ 1..) => vec![("create_read_replica", true.into()), ("read_replica_count", Value::Int(count))],
            _ => vec![("create_read_replica", false.into())],
        }
    }

    /// What is in a second region.
    fn recovery(&self) -> Told {
        let there = |kind: &'a str| self.of(kind).find_map(|seen| Some((names::place(kind, &seen.id.name).0?, seen)));
        let mut told = Vec::new();
        if let Some((region, copies)) = there(backup_replication::NAME) {
            told.extend([("dr_region", Value::Text(region)), ("geo_redundant_backup", true.into())]);
            told.extend(copies.props.get("KmsKeyId").map(|key| ("dr_kms_key_id", key.clone())));
        }
        if let Some((region, server)) = there(replica::NAME) {
            let own = there(security_group::NAME).map(|(_, group)| group);
            told.extend([
                ("dr_region", Value::Text(region)),
                ("dr_read_replica", true.into()),
                ("dr_security_group_ids", others(server, own)),
            ]);
            let is_default = server.props.get("DBSubnetGroupName").and_then(Value::as_text) == Some("default");
            let fields = [("dr_vpc_id", NETWORK), ("dr_kms_key_id", "KmsKeyId"), ("dr_subnet_ids", SUBNETS)];
            let fields = fields.into_iter().filter(|(name, _)| *name != "dr_subnet_ids" || !is_default);
            told.extend(fields.filter_map(|(name, field)| Some((name, server.props.get(field)?.clone()))));
        }
        // RDS's own key is told as such where it is wanted, so it has to be known first that something is.
        let is_known = self.spec.dr.is_some();
        let is_own = |key: &Value| key.as_text() == Some(recovery::OWN_KEY);
        told.retain(|(name, value)| *name != "dr_kms_key_id" || is_known && !is_own(value));
        told
    }
}

/// The groups a server is in beside the one that is pgherd's.
fn others(server: &Observed, own: Option<&Observed>) -> Value {
    let own = own.and_then(|own| own.props.get(security_group::GROUP_ID));
    let groups = server.props.get("VpcSecurityGroupIds").and_then(Value::as_list).unwrap_or_default();
    Value::List(groups.iter().filter(|group| group.is_known() && Some(*group) != own).cloned().collect())
}

fn written(rule: &Rule, address: &str, description: &str) -> Value {
    let direction = if rule.ingress { "ingress" } else { "egress" };
    let (from, to) = rule.ports;
    let mut fields = vec![
        ("type", direction.into()),
        ("from_port", Value::Int(from.into())),
        ("to_port", Value::Int(to.into())),
        ("protocol", rule.protocol.as_str().into()),
        ("cidr_blocks", Value::List(vec![address.into()])),
    ];
    if !description.is_empty() {
        fields.push(("description", description.into()));
    }
    object(&fields)
}

fn object(fields: &[(&str, Value)]) -> Value {
    Value::Map(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// A whole number where it is one.
fn number(figure: f64) -> Value {
    let float = Value::Float(figure);
    float.as_int().map_or(float, Value::Int)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use pgherd_core::cloud::Cloud;
    use pgherd_core::hcl::{Given, Sources, read};
    use pgherd_core::inputs::Inputs;
    use pgherd_core::plan::{Timing, plan};
    use pgherd_core::resource::Resource;
    use pgherd_core::spec::resolve;

    use super::*;
    use crate::desired;
    use crate::kinds::{KINDS, role, subnet_group};

    const REGION: &str = "eu-central-1";

    fn meant(inputs: &Inputs) -> Spec {
        resolve(inputs, Some(Cloud::Aws)).0.expect("the target is given")
    }

    /// What is there once a spec has what it wants.
    fn made(spec: &Spec) -> Vec<Observed> {
        let wanted = desired(spec, REGION);
        let field = |kind: &str, name: &str| {
            wanted.iter().find(|one| one.id.kind == kind).and_then(|one| one.props.get(name)).cloned()
        };
        let (subnets, network) = (field(subnet_group::NAME, SUBNETS), field(security_group::NAME, NETWORK));
        let there = |resource: &Resource| {
            let Resource { id, props, .. } = resource.clone();
            let mut props: Props = props.into_iter().map(|(name, value)| (name, assigned(value))).collect();
            if id.kind == security_group::NAME {
                props.insert(security_group::GROUP_ID.to_owned(), given(&id));
            }
            if id.kind == instance::NAME {
                let tags = props.get("Tags").and_then(Value::as_map).cloned().unwrap_or_default();
                let said = tags.get(tags::WRITTEN).map(|said| (tags::WRITTEN, said.clone()));
                let told = [(SUBNETS, subnets.clone()), (NETWORK, network.clone())];
                let told = told.into_iter().filter_map(|(name, value)| Some((name, value?)));
                props.extend(told.chain(said).map(|(name, value)| (name.to_owned(), value)));
            }
            Observed { id, props, status: Status::Available, pending: Vec::new(), needs: Vec::new(), protected: false }
        };
        wanted.iter().map(there).collect()
    }

    fn given(id: &Id) -> Value {
        let before = if id.kind == role::NAME { "arn:role/" } else { "arn:" };
        Value::Text(format!("{before}{}", id.name))
    }

    fn assigned(value: Value) -> Value {
        match value {
            Value::Output(_, field) if &*field == "Port" => Value::Int(5432),
            Value::Output(id, _) => given(&id),
            Value::List(items) => Value::List(items.into_iter().map(assigned).collect()),
            other => other,
        }
    }

    /// Whoever wants what is written has nothing to do where what was read back is wanted.
    #[track_caller]
    fn check(arguments: &str) {
        let text = format!("module \"database\" {{\n  name = \"orders\"\n{arguments}\n}}\n");
        let document = read(&Sources::from_bytes("db.hcl", text.into_bytes()), &Given::default());
        let written = meant(document.blocks.first().expect("a block"));
        let observed = made(&written);
        let of = |values: Props| meant(&Inputs { block: "database".to_owned(), values });
        let mut spec = of(Props::from([("name".to_owned(), "orders".into())]));
        for _ in 0..3 {
            spec = of(inputs(&spec, REGION, &observed)
                .into_iter()
                .chain([("name".to_owned(), "orders".into())])
                .collect());
        }
        let timing = Timing { now: Timestamp::UNIX_EPOCH, window: written.maintenance_window, apply_now: false };
        for (wanted, there) in [(&written, &spec), (&spec, &written)] {
            let plan = plan(KINDS, "database", &desired(wanted, REGION), &made(there), &timing);
            assert_eq!((plan.steps, plan.diagnostics), (Vec::new(), Vec::new()));
        }
        assert_eq!(spec.untold(crate::IGNORES), written.untold(crate::IGNORES));
    }

    #[test]
    fn what_was_written_is_read_back() {
        check("");
        check("preset = \"prod\"\n  alarm_targets = [\"ann@example.org\", \"arn:aws:sns:eu-central-1:1:them\"]");
        check("create_security_group = false\n  security_group_ids = [\"sg-1\"]\n  parameter_group_name = \"theirs\"");
        check(
            r#"
            engine_version = "16.4"
            instance_class = "db.m5.large"
            allocated_storage = 400
            max_allocated_storage = 1000
            storage_type = "gp3"
            storage_iops = 12000
            vpc_id = "vpc-1"
            subnet_ids = ["subnet-1", "subnet-2"]
            allowed_cidr_blocks = ["10.0.0.0/8"]
            allowed_security_group_ids = ["sg-2"]
            security_group_rules = [
              { type = "ingress", from_port = 5432, to_port = 5433, protocol = "tcp", cidr_blocks = ["192.0.2.0/24"], description = "ops" },
              { type = "egress", from_port = 0, to_port = 0, protocol = "-1", cidr_blocks = ["10.0.0.0/8"] },
            ]
            parameters = [{ name = "work_mem", value = "8MB" }, { name = "log_min_duration_statement", value = "5s" }]
            environment = "prod"
            tags = { Team = "shop" }
            alarms = { cpu_percent = 75, free_storage_percent = 12.5, connections = 50 }
            create_dashboard = true
            monitoring_interval = 30
            enable_logging = true
            enable_proxy = true
            proxy_config = { default_pool_size = 30 }
            create_read_replica = true
            read_replica_count = 2
            dr_region = "eu-west-1"
            dr_read_replica = true
            geo_redundant_backup = true
            backup_retention_period = 14
            skip_final_snapshot = true
            apply_immediately = true
            gcp_project = "a-project"
            location = "East US"
            "#,
        );
    }
}
