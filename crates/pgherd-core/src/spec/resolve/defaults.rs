//! What fills a setting nobody wrote: the preset, then the target's own default, then the general one (rule A8).

use crate::catalogue::sizes;
use crate::cloud::Cloud;
use crate::diagnostic::Severity;
use crate::ha::SyncMode;
use crate::spec::{Origin, Preset, Size};
use crate::value::{Props, Value};
use crate::variables::{self, Type, Variable, convert, variable};
use crate::version::Version;

use super::draft::{Draft, Settled};

/// Settles every setting by itself. `own_target` is the target the block names.
pub(super) fn fill(draft: &mut Draft, own_target: Option<Cloud>) {
    draft.preset = draft.written("preset").and_then(Value::as_text).and_then(Preset::from_name);
    for variable in variables::all().filter(|variable| variable.canonical.is_none()) {
        let settled = choose(draft, variable);
        draft.settled.insert(variable.name, settled);
        note_no_effect(draft, variable);
    }
    let origin = match own_target {
        Some(own) if own == draft.target => Origin::Written,
        None if draft.target == Cloud::Aws => Origin::Default,
        Some(_) | None => Origin::CommandLine,
    };
    draft.settle("cloud_provider", draft.target.name(), origin);
}

fn choose(draft: &Draft, variable: &Variable) -> Settled {
    let name = variable.name;
    let written = draft.written.get(name);
    if !variable.acts_on(draft.target) {
        let value = written.map_or(Value::Null, |written| written.value.clone());
        return Settled { value, origin: Origin::NoEffect };
    }
    if let Some(written) = written {
        let origin = if written.name == name { Origin::Written } else { Origin::Alias(written.name) };
        return Settled { value: written.value.clone(), origin };
    }
    if let Some(preset) = draft.preset
        && let Some(value) = of_preset(preset, draft.target, name)
    {
        return Settled { value, origin: Origin::Preset(preset) };
    }
    if let Some(value) = of_target(draft.target, name) {
        return Settled { value, origin: Origin::CloudDefault(draft.target) };
    }
    match general(name) {
        Some(value) => Settled { value, origin: Origin::Default },
        None => Settled { value: Value::Null, origin: Origin::Target },
    }
}

/// The presets of variables.md 3.6: S1's two environments and S2's staging example.
fn of_preset(preset: Preset, target: Cloud, name: &str) -> Option<Value> {
    let by_preset = |dev: Value, staging: Value, prod: Value| match preset {
        Preset::Dev => Some(dev),
        Preset::Staging => Some(staging),
        Preset::Prod => Some(prod),
    };
    let switch = |dev: bool, staging: bool, prod: bool| by_preset(dev.into(), staging.into(), prod.into());
    match name {
        "instance_class" => {
            let class = match (preset, target) {
                (Preset::Dev, _) => "db.t3.micro",
                // Azure keeps no standby for a burstable size, and these presets have one.
                (Preset::Staging | Preset::Prod, Cloud::Azure) => "GP_Standard_D2ds_v5",
                (Preset::Staging | Preset::Prod, _) => "db.t3.small",
            };
            sizes::find(class).and_then(|size| sizes::map_to(&size, target, None)).map(|size| size.name.into())
        }
        "allocated_storage" => {
            let gib = if preset == Preset::Staging { 100 } else { 20 };
            Some(Value::Int(gib.max(least_storage_gib(target))))
        }
        "max_allocated_storage" if preset != Preset::Staging => Some(Value::Int(100)),
        "multi_az" => switch(false, true, true),
        "create_read_replica" => switch(false, false, true),
        "backup_retention_period" => {
            // Both keep backups for no less than a week.
            let week_at_least = matches!(target, Cloud::Azure | Cloud::DigitalOcean);
            Some(Value::Int(if preset == Preset::Dev && !week_at_least { 1 } else { 7 }))
        }
        "monitoring_interval" => by_preset(Value::Int(0), Value::Int(0), Value::Int(60)),
        "enable_performance_insights" | "enable_logging" => switch(false, true, true),
        "enable_deletion_protection" => switch(false, false, true),
        "skip_final_snapshot" => switch(true, false, false),
        _ => None,
    }
}

/// The smallest storage each target sells; `local` and DigitalOcean (which goes by the size) have no minimum above the block's.
fn least_storage_gib(target: Cloud) -> i64 {
    match target {
        Cloud::Azure => 32,
        Cloud::Aws | Cloud::Gcp | Cloud::DigitalOcean | Cloud::Local => 20,
    }
}

/// Defaults that differ by target.
fn of_target(target: Cloud, name: &str) -> Option<Value> {
    match name {
        "instance_class" => Some(Value::from(match target {
            Cloud::Aws | Cloud::Local => "db.t3.micro",
            Cloud::Gcp => "db-f1-micro",
            Cloud::Azure => "B_Standard_B1ms",
            Cloud::DigitalOcean => "db-s-1vcpu-1gb",
        })),
        "allocated_storage" if target == Cloud::Azure => Some(Value::Int(least_storage_gib(target))),
        "storage_type" => Some(Value::from(match target {
            Cloud::Aws => "gp3",
            Cloud::Gcp => "PD_SSD",
            Cloud::Azure => "Premium_LRS",
            Cloud::DigitalOcean | Cloud::Local => return None,
        })),
        "master_username" if target == Cloud::DigitalOcean => Some("doadmin".into()),
        "auto_grow_enabled" if target == Cloud::Azure => Some(true.into()),
        _ => None,
    }
}

/// Defaults that hold everywhere. `None` where the target chooses, or where there is nothing unless written.
fn general(name: &str) -> Option<Value> {
    let value = match name {
        "name" => "database".into(),
        "master_username" => "postgres".into(),
        "allocated_storage" => Value::Int(20),
        "backup_retention_period" | "performance_insights_retention_period" => Value::Int(7),
        "backup_window" => "03:00-04:00".into(),
        "maintenance_window" => "sun:04:00-sun:05:00".into(),
        "monitoring_interval" => Value::Int(0),
        "local_sync" => SyncMode::Preferred.name().into(),
        "multi_az"
        | "publicly_accessible"
        | "create_read_replica"
        | "geo_redundant_backup"
        | "dr_read_replica"
        | "skip_final_snapshot"
        | "enable_deletion_protection"
        | "iam_database_authentication_enabled"
        | "enable_performance_insights"
        | "enable_enhanced_monitoring"
        | "enable_logging"
        | "enable_proxy"
        | "create_dashboard" => false.into(),
        "create_security_group" | "copy_tags_to_snapshot" | "storage_encrypted" => true.into(),
        "tags" => Value::Map(Props::new()),
        "subnet_ids"
        | "allowed_cidr_blocks"
        | "security_group_rules"
        | "security_group_ids"
        | "allowed_security_group_ids"
        | "dr_subnet_ids"
        | "dr_security_group_ids"
        | "parameters"
        | "enabled_cloudwatch_logs_exports"
        | "alarm_targets" => Value::List(Vec::new()),
        "alarms" => complete("alarms"),
        "environment"
        | "apply_immediately"
        | "preset"
        | "storage_type"
        | "max_allocated_storage"
        | "parameter_group_name"
        | "option_group_name"
        | "dr_region"
        | "proxy_config" => Value::Null,
        _ => return None,
    };
    Some(value)
}

/// An object variable with every attribute at its default.
pub(super) fn complete(name: &str) -> Value {
    let ty = variable(name).map_or(Type::String, |variable| variable.ty);
    convert(Value::Map(Props::new()), &ty).unwrap_or(Value::Null)
}

/// Defaults that follow from the size.
pub(super) fn fill_by_size(draft: &mut Draft, size: &Size) {
    if draft.target == Cloud::Gcp
        && draft.written("gcp_edition").is_none()
        && let Some(edition) = sizes::find(&size.name).and_then(|size| size.edition)
    {
        draft.settle("gcp_edition", edition, Origin::CloudDefault(Cloud::Gcp));
    }
}

/// A name or variable of another cloud is accepted and said in `explain` (A6).
fn note_no_effect(draft: &mut Draft, variable: &'static Variable) {
    let Some(written) = draft.written.get(variable.name) else { return };
    let name = written.name;
    if name == "parameter_group_family" && draft.written("engine_version").is_none() {
        return; // It decides the version, wherever that is.
    }
    if !variable.acts_on(draft.target) {
        let message = format!("`{name}` has no effect on {}", draft.target);
        draft.say(Severity::Note, "no-effect", variable.name, message, "");
        return;
    }
    if let Some(alias) = variables::variable(name).filter(|alias| !alias.acts_on(draft.target)) {
        let home: Vec<_> = alias.clouds.iter().map(|cloud| cloud.name()).collect();
        let message = format!("`{name}` is the word of {} for `{}`, and taken as that", home.join(", "), variable.name);
        draft.say(Severity::Note, "foreign-name", variable.name, message, "");
    }
}

/// The major a parameter group family is for.
pub(super) fn major_of_family(family: &str) -> Option<u32> {
    Version::parse(family.strip_prefix("postgres")?).map(|version| version.major)
}
