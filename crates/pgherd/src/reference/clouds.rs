//! What becomes of every variable on every target: found out by writing it and looking at what is said and what is wanted then, so that
//! the page cannot drift from the program.

use jiff::civil::{Date, date};
use pgherd_core::checks;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::{At, Diagnostic, Severity};
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::resource::Resource;
use pgherd_core::spec::{Spec, resolve};
use pgherd_core::value::Value;
use pgherd_core::variables::{self, Section, Variable};

use super::cell;
use crate::targets::ignores;

/// The targets that this version reaches.
const TARGETS: [Cloud; 5] = [Cloud::Local, Cloud::Aws, Cloud::Gcp, Cloud::Azure, Cloud::DigitalOcean];

/// The day on which the checks are made: what they say of versions is by a dated catalogue.
const DAY: Date = date(2026, 11, 21);

/// A field that is told of each variable, and how many more there are.
const FIELDS: usize = 2;

/// What is written for a variable. What has to be written too for it to mean anything follows after a semicolon.
const SAMPLES: &[(&str, &str)] = &[
    ("name", "name = \"shop\""),
    ("environment", "environment = \"dev\""),
    ("preset", "preset = \"prod\""),
    ("cloud_provider", ""),
    ("tags", "tags = { Owner = \"ann\" }"),
    ("engine_version", "engine_version = \"16.9\""),
    ("instance_class", "instance_class = \"db.m5.large\""),
    ("allocated_storage", "allocated_storage = 100"),
    ("max_allocated_storage", "max_allocated_storage = 200"),
    ("auto_grow_enabled", "auto_grow_enabled = true"),
    ("storage_type", "storage_type = \"io1\"; storage_iops = 3000; allocated_storage = 100"),
    ("storage_iops", "storage_iops = 4000; storage_type = \"io1\"; allocated_storage = 100"),
    ("storage_throughput", "storage_throughput = 700; allocated_storage = 500; storage_iops = 12000"),
    ("database_name", "database_name = \"shop\""),
    ("master_username", "master_username = \"app\""),
    ("master_password", "master_password = \"correct-horse\""),
    ("vpc_id", "vpc_id = \"vpc-0a1b2c3d4e5f60718\""),
    ("subnet_ids", "subnet_ids = [\"subnet-0a1b2c3d4e5f60718\", \"subnet-1a1b2c3d4e5f60718\"]"),
    ("allowed_cidr_blocks", "allowed_cidr_blocks = [\"198.51.100.0/24\"]"),
    ("publicly_accessible", "publicly_accessible = true; allowed_cidr_blocks = [\"198.51.100.0/24\"]"),
    ("create_security_group", "create_security_group = false; security_group_ids = [\"sg-0a1b2c3d4e5f60718\"]"),
    (
        "security_group_rules",
        "security_group_rules = [{ type = \"ingress\", from_port = 5432, to_port = 5432, protocol = \"tcp\", cidr_blocks = [\"10.0.0.0/16\"] }]",
    ),
    ("security_group_ids", "security_group_ids = [\"sg-0a1b2c3d4e5f60718\"]"),
    ("allowed_security_group_ids", "allowed_security_group_ids = [\"sg-0a1b2c3d4e5f60718\"]"),
    ("port", "port = 5433"),
    ("availability_zone", "availability_zone = \"eu-west-1b\""),
    ("aws_region", "aws_region = \"eu-central-1\""),
    ("gcp_region", "gcp_region = \"europe-west3\""),
    ("location", "location = \"westeurope\""),
    ("do_region", "do_region = \"ams3\""),
    ("gcp_project", "gcp_project = \"shop\""),
    ("gcp_edition", "gcp_edition = \"ENTERPRISE\""),
    ("resource_group_name", "resource_group_name = \"shop\""),
    ("key_vault_name", "key_vault_name = \"shop-vault\""),
    (
        "key_identity_id",
        "key_identity_id = \"/subscriptions/s/identity\"; kms_key_id = \"arn:aws:kms:eu-west-1:123456789012:key/5a4981aa-9653-4bd1-bef5-d6bff52042e4\"",
    ),
    (
        "log_analytics_workspace_id",
        "log_analytics_workspace_id = \"/subscriptions/s/workspace\"; enable_logging = true",
    ),
    ("azure_subscription_id", "azure_subscription_id = \"5a4981aa-9653-4bd1-bef5-d6bff52042e4\""),
    ("multi_az", "multi_az = true; instance_class = \"db.m5.large\""),
    ("local_sync", "local_sync = \"required\"; multi_az = true; instance_class = \"db.m5.large\""),
    ("create_read_replica", "create_read_replica = true"),
    ("read_replica_count", "read_replica_count = 2; create_read_replica = true"),
    ("geo_redundant_backup", "geo_redundant_backup = true; dr_region = \"eu-central-1\""),
    ("dr_region", "dr_region = \"eu-central-1\"; dr_read_replica = true"),
    ("dr_read_replica", "dr_read_replica = true; dr_region = \"eu-central-1\""),
    ("dr_vpc_id", "dr_vpc_id = \"vpc-1a1b2c3d4e5f60718\"; dr_region = \"eu-central-1\"; dr_read_replica = true"),
    (
        "dr_subnet_ids",
        "dr_subnet_ids = [\"subnet-2a1b2c3d4e5f60718\"]; dr_region = \"eu-central-1\"; dr_read_replica = true",
    ),
    (
        "dr_security_group_ids",
        "dr_security_group_ids = [\"sg-1a1b2c3d4e5f60718\"]; dr_region = \"eu-central-1\"; dr_read_replica = true",
    ),
    (
        "dr_kms_key_id",
        "dr_kms_key_id = \"arn:aws:kms:eu-central-1:123456789012:key/5a4981aa-9653-4bd1-bef5-d6bff52042e4\"; dr_region = \"eu-central-1\"; dr_read_replica = true",
    ),
    ("backup_retention_period", "backup_retention_period = 14"),
    ("enable_backup", "enable_backup = false"),
    ("enable_binary_log_backup", "enable_binary_log_backup = true"),
    ("backup_window", "backup_window = \"05:00-06:00\""),
    ("enable_backup_encryption", "enable_backup_encryption = false"),
    ("copy_tags_to_snapshot", "copy_tags_to_snapshot = false"),
    ("skip_final_snapshot", "skip_final_snapshot = true"),
    ("final_snapshot_identifier", "final_snapshot_identifier = \"shop-final\""),
    ("maintenance_window", "maintenance_window = \"mon:05:00-mon:06:00\""),
    ("apply_immediately", "apply_immediately = true"),
    ("enable_deletion_protection", "enable_deletion_protection = true"),
    ("storage_encrypted", "storage_encrypted = false"),
    ("kms_key_id", "kms_key_id = \"arn:aws:kms:eu-west-1:123456789012:key/5a4981aa-9653-4bd1-bef5-d6bff52042e4\""),
    ("iam_database_authentication_enabled", "iam_database_authentication_enabled = true"),
    ("parameters", "parameters = [{ name = \"work_mem\", value = \"64MB\" }]"),
    ("parameter_group_name", "parameter_group_name = \"shop\""),
    ("parameter_group_family", "parameter_group_family = \"postgres16\""),
    ("option_group_name", "option_group_name = \"shop\""),
    ("enable_performance_insights", "enable_performance_insights = true"),
    (
        "performance_insights_retention_period",
        "performance_insights_retention_period = 31; enable_performance_insights = true",
    ),
    (
        "performance_insights_kms_key_id",
        "performance_insights_kms_key_id = \"arn:aws:kms:eu-west-1:123456789012:key/5a4981aa-9653-4bd1-bef5-d6bff52042e4\"; enable_performance_insights = true",
    ),
    ("enable_enhanced_monitoring", "enable_enhanced_monitoring = true"),
    ("monitoring_interval", "monitoring_interval = 30; enable_enhanced_monitoring = true"),
    (
        "monitoring_role_arn",
        "monitoring_role_arn = \"arn:aws:iam::123456789012:role/watch\"; enable_enhanced_monitoring = true",
    ),
    ("enable_logging", "enable_logging = true"),
    ("enabled_cloudwatch_logs_exports", "enabled_cloudwatch_logs_exports = [\"upgrade\"]"),
    ("alarms", "alarms = { cpu_percent = 70 }; alarm_targets = [\"ops@example.com\"]"),
    ("alarm_targets", "alarm_targets = [\"ops@example.com\"]"),
    ("create_dashboard", "create_dashboard = true"),
    ("enable_proxy", "enable_proxy = true"),
    ("proxy_config", "proxy_config = { default_pool_size = 10 }; enable_proxy = true"),
];

/// The page.
pub fn clouds() -> String {
    let mut page = String::from(
        "# Variables by target\n\nWhat becomes of every variable on the targets that this version reaches. The page is made by writing each \
         one (the example in the first column) and looking at what is said and what is wanted then.\n\n\
         * **honoured**: the target gets it as it is written; **transformed**: in the target's own words; with the kind and the field that \
         shows it.\n* **noted**: it acts, or not, and something is said about it. **refused**: an error. **no effect**: nothing is \
         done about it, and why.\n",
    );
    for section in Section::ALL {
        page.push_str(&format!(
            "\n## {section}\n\n| variable | local | aws | gcp | azure | digitalocean |\n|---|---|---|---|---|---|\n"
        ));
        for variable in variables::all().filter(|one| one.section == *section && one.canonical.is_none()) {
            page.push_str(&row(variable));
        }
    }
    page
}

fn row(variable: &Variable) -> String {
    let sample = SAMPLES.iter().find(|(name, _)| *name == variable.name).map_or("", |(_, sample)| *sample);
    let written = sample.split("; ").next().unwrap_or_default();
    let example = if written.is_empty() { format!("`{}`", variable.name) } else { format!("`{}`", cell(written)) };
    let cells: Vec<String> = TARGETS.iter().map(|target| cell(&fate(variable, sample, *target))).collect();
    format!("| {example} | {} |\n", cells.join(" | "))
}

/// What becomes of a variable on a target.
fn fate(variable: &Variable, sample: &str, target: Cloud) -> String {
    let mut parts = sample.split("; ");
    let written = on(target, parts.next().unwrap_or_default());
    let beside: Vec<String> = parts.map(|part| on(target, part)).collect();
    let (before, _) = meaning(&beside, target);
    let (after, said) = meaning(&[beside, vec![written.clone()]].concat(), target);
    let about = |severity| {
        let mut about = said.iter().filter(|one| one.severity == severity && is_at(one, variable.name));
        about.next().map(|one| one.message.clone())
    };
    if let Some(message) = about(Severity::Error) {
        return format!("**refused**: {message}");
    }
    let ignored = ignores(target).iter().find(|(name, _)| *name == variable.name).map(|(_, reason)| *reason);
    let noted = about(Severity::Warning).or_else(|| about(Severity::Note));
    match (noted, ignored) {
        // That it has no effect is said of it; why is worth more.
        (Some(message), Some(reason)) if message.contains(" no effect on ") => {
            return format!("no effect: {reason}");
        }
        (Some(message), _) => return format!("**noted**: {message}"),
        (None, Some(reason)) => return format!("no effect: {reason}"),
        (None, None) if !variable.acts_on(target) => return "no effect: it is another target's".to_owned(),
        (None, None) if variable.name == "name" => return "honoured: everything is called by it".to_owned(),
        (None, None) => {}
    }
    let changed = changed(&wanted(&before), &wanted(&after));
    let value = plain(written.split_once(" = ").map_or("", |(_, value)| value));
    let is_same = |(_, now): &(String, Option<Value>)| now.as_ref().is_some_and(|now| plain(&spelled(now)) == value);
    let is_switch = value == "true" && changed.iter().all(|(_, now)| now.is_none());
    let is_honoured = is_switch || variable.sensitive || changed.iter().any(is_same);
    let word = if is_honoured { "honoured" } else { "transformed" };
    let told: Vec<String> = changed.iter().take(FIELDS).map(shown).collect();
    match changed.len() {
        0 => "honoured".to_owned(),
        many if many > FIELDS => format!("{word}: {}, and {} more", told.join(", "), many - FIELDS),
        _ => format!("{word}: {}", told.join(", ")),
    }
}

/// A value without what only HCL needs.
fn plain(value: &str) -> String {
    value.replace(['"', ' '], "")
}

/// A sample as somebody would write it for a target.
fn on(target: Cloud, sample: &str) -> String {
    match (target, sample.split(" = ").next()) {
        (Cloud::DigitalOcean, Some("vpc_id")) => "vpc_id = \"5a4981aa-9653-4bd1-bef5-d6bff52042e4\"".to_owned(),
        // A key of a cloud is none of this machine.
        (Cloud::Local, Some("kms_key_id")) => "kms_key_id = \"/etc/pgherd/own.key\"".to_owned(),
        (Cloud::Gcp, Some("vpc_id")) => "vpc_id = \"projects/my-project/global/networks/default\"".to_owned(),
        (Cloud::Gcp, Some("availability_zone")) => "availability_zone = \"us-central1-b\"".to_owned(),
        (Cloud::Gcp, Some("dr_region")) => "dr_region = \"us-east4\"".to_owned(),
        (Cloud::Gcp, Some("kms_key_id")) => {
            "kms_key_id = \"projects/my-project/locations/us-central1/keyRings/r/cryptoKeys/k\"".to_owned()
        }
        (Cloud::Azure, Some("vpc_id")) => {
            "vpc_id = \"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n\"".to_owned()
        }
        (Cloud::Azure, Some("subnet_ids")) => {
            "subnet_ids = [\"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/db\"]"
                .to_owned()
        }
        // Private ones never come over the internet, and only that is asked about there.
        (Cloud::Azure, Some("security_group_rules")) => sample.replace("10.0.0.0/16", "198.51.100.0/24"),
        (Cloud::Azure, Some("instance_class")) if sample.contains("m5.large") => {
            "instance_class = \"GP_Standard_D4ds_v5\"".to_owned()
        }
        (Cloud::Azure, Some("availability_zone")) => "availability_zone = \"2\"".to_owned(),
        (Cloud::Azure, Some("dr_region")) => "dr_region = \"westeurope\"".to_owned(),
        (Cloud::Azure, Some("kms_key_id")) => "kms_key_id = \"https://shop-vault.vault.azure.net/keys/k\"".to_owned(),
        (Cloud::Azure, Some("storage_type")) => "storage_type = \"PremiumV2_LRS\"".to_owned(),
        (Cloud::Azure, Some("performance_insights_retention_period")) => {
            "performance_insights_retention_period = 30".to_owned()
        }
        (Cloud::DigitalOcean, Some("dr_region")) => "dr_region = \"ams3\"".to_owned(),
        _ => sample.to_owned(),
    }
}

/// What lines mean on a target, and what is said of them.
fn meaning(lines: &[String], target: Cloud) -> (Spec, Vec<Diagnostic>) {
    let has = |name: &str| lines.iter().any(|line| line.split(" = ").next() == Some(name));
    let needed = [
        ("aws_region", "eu-west-1"),
        ("gcp_region", "us-central1"),
        ("gcp_project", "my-project"),
        ("do_region", "fra1"),
        ("location", "westeurope"),
        ("resource_group_name", "databases"),
        ("name", "orders"),
    ];
    let needed = needed.iter().filter(|(name, _)| !has(name)).map(|(name, value)| format!("{name} = \"{value}\""));
    // A server there has a way in that never changes, and of the least ones Azure makes little more.
    let on_azure = [
        (!has("subnet_ids") && !has("publicly_accessible"), "publicly_accessible = true"),
        (!has("instance_class") && !has("preset"), "instance_class = \"GP_Standard_D2ds_v5\""),
    ];
    let on_azure = on_azure.into_iter().filter(|(is_needed, _)| *is_needed && target == Cloud::Azure);
    let on_azure = on_azure.map(|(_, line)| line.to_owned());
    let lines: Vec<String> = needed.chain(on_azure).chain(lines.iter().cloned()).collect();
    let text = format!("module \"database\" {{\nsource = \"./modules/database_postgres\"\n{}\n}}\n", lines.join("\n"));
    let document = read(&Sources::from_bytes("database.hcl", text.into_bytes()), &Given::default());
    let inputs = document.blocks.first().expect("a block of our own");
    let (spec, mut said) = resolve(inputs, Some(target));
    let spec = spec.expect("the target is given");
    said.extend(checks::check(inputs, &spec, DAY));
    (spec, said)
}

fn is_at(said: &Diagnostic, variable: &str) -> bool {
    let At::Variable { path, .. } = &said.at else { return false };
    path.strip_prefix(variable).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn wanted(spec: &Spec) -> Vec<Resource> {
    match spec.target {
        Cloud::Local => pgherd_local::desired::desired(spec),
        Cloud::Aws => pgherd_aws::desired(spec, spec.place.region.known().map_or("eu-west-1", String::as_str)),
        Cloud::DigitalOcean => pgherd_digitalocean::desired(spec),
        Cloud::Gcp => pgherd_gcp::desired(spec, "my-project"),
        Cloud::Azure => pgherd_azure::desired(spec, &pgherd_azure::Around::default()),
    }
}

/// The fields that become others, each with what it is then; what is made or is wanted no more, without one.
fn changed(before: &[Resource], after: &[Resource]) -> Vec<(String, Option<Value>)> {
    let mut all: Vec<(String, Option<Value>)> = Vec::new();
    for one in after {
        let kind = &one.id.kind;
        match before.iter().find(|other| other.id == one.id) {
            None => all.push((format!("adds `{kind}`"), None)),
            Some(other) => {
                let differs = one.props.iter().filter(|(field, value)| other.props.get(*field) != Some(value));
                all.extend(differs.map(|(field, value)| (format!("{kind} `{field}`"), Some(value.clone()))));
            }
        }
    }
    let ends = before.iter().filter(|one| !after.iter().any(|other| other.id == one.id));
    all.extend(ends.map(|one| (format!("drops `{}`", one.id.kind), None)));
    let mut once: Vec<(String, Option<Value>)> = Vec::new();
    for one in all {
        if !once.iter().any(|(other, _)| *other == one.0) {
            once.push(one);
        }
    }
    once
}

fn shown((what, value): &(String, Option<Value>)) -> String {
    const LONGEST: usize = 40;
    match value.as_ref().map(spelled) {
        Some(text) if text.len() <= LONGEST && !text.is_empty() => format!("{what} = {text}"),
        Some(_) | None => what.clone(),
    }
}

fn spelled(value: &Value) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_has_an_example() {
        let canonical = variables::all().filter(|variable| variable.canonical.is_none());
        let missing: Vec<_> =
            canonical.map(|one| one.name).filter(|name| !SAMPLES.iter().any(|(known, _)| known == name)).collect();
        assert_eq!(missing, [""; 0]);
        for (name, sample) in SAMPLES {
            assert!(sample.is_empty() || sample.starts_with(&format!("{name} = ")), "{name}");
        }
    }

    /// The words are those that the program says and does.
    #[test]
    fn what_becomes_of_a_variable() {
        let fate = |name: &str, target| {
            let (_, sample) = SAMPLES.iter().find(|(known, _)| *known == name).expect("an example");
            fate(variables::variable(name).expect("a variable"), sample, target)
        };
        assert_eq!(
            fate("vpc_id", Cloud::DigitalOcean),
            "honoured: cluster `private_network_uuid` = 5a4981aa-9653-4bd1-bef5-d6bff52042e4"
        );
        assert_eq!(
            fate("maintenance_window", Cloud::DigitalOcean),
            "transformed: cluster `maintenance_window` = monday 05:00"
        );
        assert!(fate("kms_key_id", Cloud::DigitalOcean).starts_with("**refused**: "));
        assert!(
            fate("option_group_name", Cloud::Local).starts_with("no effect: "),
            "{}",
            fate("option_group_name", Cloud::Local)
        );
        assert!(fate("master_username", Cloud::DigitalOcean).starts_with("**noted**: "));
    }
}
