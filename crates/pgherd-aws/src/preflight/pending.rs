//! What can be told from the plan alone: what interrupts service although it does not look like it, and what is not taken back.

use pgherd_core::catalogue::versions;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::{Action, Change, Step, When};
use pgherd_core::resource::Status;
use pgherd_core::value::Value;
use pgherd_core::version::Version;

use super::About;
use crate::kinds::{backup_replication, instance, replica, security_group};
use crate::live::spelling::REPLICAS;
use crate::live::{modify, waiting};
use crate::names;

/// Days before the end of standard support from which it is told.
const NOTICE_DAYS: i32 = 180;

/// Pure altogether: nothing is asked.
pub(super) fn say(about: &About<'_>) -> Vec<Diagnostic> {
    let servers = || [instance::NAME, replica::NAME].into_iter().flat_map(|kind| about.steps(kind));
    let mut said: Vec<Diagnostic> = Vec::new();
    said.extend(about.steps(instance::NAME).filter_map(|step| major_upgrade(about, step)));
    said.extend(about.steps(instance::NAME).filter_map(|step| left_behind(about, step)));
    said.extend(about.steps(instance::NAME).filter_map(|step| taken_along(about, step)));
    said.extend(no_backups_yet(about));
    said.extend(nobody_comes_in(about));
    said.extend(another_zone(about));
    said.extend(servers().filter_map(|step| would_fire(about, step)));
    said.extend(port(about));
    said.extend(servers().filter_map(|step| stopped(about, step)));
    said.extend(extended_support(about));
    said
}

/// Another major takes as long as it takes, ends with planner statistics to be gathered anew, and is not taken back.
fn major_upgrade(about: &About<'_>, step: &Step) -> Option<Diagnostic> {
    let Change { from, to, when, .. } = step.action.changes().iter().find(|change| change.field == "EngineVersion")?;
    let (from, to) = (major(from)?, major(to)?);
    let message = format!("{} goes from PostgreSQL {from} to {to}, which RDS cannot take back", step.id.name);
    let help = match when {
        When::Now => "try it on a copy first; a snapshot is taken before it begins",
        // One of today would be out of date by then.
        When::Window { .. } | When::Restart => {
            "try it on a copy first; in the window RDS takes a snapshot before it begins where backups are kept, and `apply --now` \
             always takes one"
        }
    };
    (from != to).then(|| about.error("major-upgrade", "engine_version", message).help(help))
}

/// RDS takes the replicas of its own region along to another major, and refuses a group of the new family for one that stayed behind (Amazon
/// RDS User Guide, "Upgrades of the RDS for PostgreSQL DB engine").
fn left_behind(about: &About<'_>, step: &Step) -> Option<Diagnostic> {
    let change = step.action.changes().iter().find(|change| change.field == "EngineVersion")?;
    let (from, to) = (major(&change.from)?, major(&change.to)?);
    let region = about.observed.iter().filter(|seen| seen.id.kind == replica::NAME);
    let region =
        region.filter_map(|seen| names::place(replica::NAME, &seen.id.name).0).next().filter(|_| from != to)?;
    let message = format!("the replica of {} in {region} cannot go along to PostgreSQL {to}", step.id.name);
    let help = "apply it without dr_read_replica first, then with the new version, and then write dr_read_replica again: a new \
                replica is made there";
    Some(about.error("dr-major-upgrade", "dr_read_replica", message).help(help))
}

/// RDS asks nobody whose the replicas are that it takes along.
fn taken_along(about: &About<'_>, step: &Step) -> Option<Diagnostic> {
    let change = step.action.changes().iter().find(|change| change.field == "EngineVersion")?;
    let (from, to) = (major(&change.from)?, major(&change.to)?);
    let ours: Vec<String> =
        names::instances(&step.id.name).into_iter().chain([names::recovery(&step.id.name)]).collect();
    let told = about.seen(&step.id)?.props.get(REPLICAS)?.as_list()?.iter().filter_map(Value::as_text);
    let name = |told: &str| told.rsplit(':').next().unwrap_or(told).to_owned();
    let strangers: Vec<String> = told.map(name).filter(|name| !ours.contains(name)).collect();
    if from == to || strangers.is_empty() {
        return None;
    }
    let message = format!(
        "read replicas of {} that are not this block's would go along to PostgreSQL {to}, or keep it from going: {}",
        step.id.name,
        strangers.join(", ")
    );
    Some(about.warning("major-upgrade-strangers", "engine_version", message).help("tell whoever runs them first"))
}

/// A security group of ours without a rule is a database that nobody reaches: here, or in a second region.
fn nobody_comes_in(about: &About<'_>) -> Vec<Diagnostic> {
    let groups = about.plan.steps.iter().filter(|step| step.id.kind == security_group::NAME);
    groups.filter_map(|step| lets_nobody_in(about, step)).collect()
}

fn lets_nobody_in(about: &About<'_>, step: &Step) -> Option<Diagnostic> {
    let group = match &step.action {
        Action::Create { resource } if about.seen(&step.id).is_none() => resource,
        Action::Update { resource, changes } if changes.iter().any(|change| change.field.starts_with("Rules.")) => {
            resource
        }
        Action::Create { .. } | Action::Update { .. } | Action::Delete { .. } => return None,
    };
    let rules = group.props.get("Rules").and_then(Value::as_map);
    let lets_in = rules.is_some_and(|rules| rules.keys().any(|rule| rule.starts_with("ingress ")));
    let (region, name) = names::place(&step.id.kind, &step.id.name);
    // Another group that it is in may let somebody in.
    let (others, variable) = match (&region, &about.spec.dr) {
        (Some(_), Some(there)) => (&there.security_group_ids, "dr_security_group_ids"),
        (Some(_), None) => return None,
        (None, _) => (&about.spec.network.security_group_ids, "allowed_security_group_ids"),
    };
    let server = match &region {
        Some(region) => format!("{} in {region}", names::recovery(&about.spec.name)),
        None => about.spec.name.clone(),
    };
    (!lets_in && others.is_empty()).then(|| {
        let message = format!("nobody can connect to {server}: {name} lets no address in");
        let help = format!("write allowed_cidr_blocks with the ranges of the applications, or {variable}");
        about.warning("nobody-can-connect", "allowed_cidr_blocks", message).help(help)
    })
}

/// RDS moves nothing to another zone.
fn another_zone(about: &About<'_>) -> Option<Diagnostic> {
    let zone = |value: Option<&Value>| value.and_then(Value::as_text).map(str::to_owned);
    let (live, wanted) = (zone(about.live("AvailabilityZone"))?, zone(about.wanted("AvailabilityZone"))?);
    (live != wanted && !about.spec.multi_az).then(|| {
        let message = format!("{} stays in {live}: RDS moves no instance to another zone", about.spec.name);
        about
            .warning("another-zone", "availability_zone", message)
            .help("multi_az = true and a failover take it to its standby's zone; a restore makes another one where it is said")
    })
}

/// Both are made of backups, which begin in the window unless the change is made now.
fn no_backups_yet(about: &About<'_>) -> Option<Diagnostic> {
    let has_none = about.live("BackupRetentionPeriod").and_then(Value::as_int) == Some(0);
    let is_begun = about.change("BackupRetentionPeriod").is_some_and(|change| change.when == When::Now);
    // Of the second region, too.
    let steps = || about.plan.steps.iter().filter(|step| matches!(step.action, Action::Create { .. }));
    let is_made = |kind: &str| steps().any(|step| step.id.kind == kind);
    let what = match (is_made(replica::NAME), is_made(backup_replication::NAME)) {
        (true, _) => "a read replica is",
        (false, true) => "copies of backups are",
        (false, false) => return None,
    };
    (has_none && !is_begun).then(|| {
        let message = format!("{what} made from backups, and {} keeps none before its window", about.spec.name);
        let help =
            format!("apply --now begins with them at once; or wait for the window, {}", about.spec.maintenance_window);
        about.error("backups-not-begun", "backup_retention_period", message).help(help)
    })
}

fn major(value: &Value) -> Option<u32> {
    Version::parse(value.as_text()?).map(|version| version.major)
}

/// `ApplyImmediately` is for everything that waits, not for what is sent with it (botocore 1.43.11, ModifyDBInstance).
fn would_fire(about: &About<'_>, step: &Step) -> Option<Diagnostic> {
    let changes = step.action.changes();
    let call = modify::calls(changes, false).into_iter().find(|call| call.immediately)?;
    let is_meant = |field: &str| changes.iter().any(|one| one.field == field && one.when == When::Now);
    let seen = about.seen(&step.id)?;
    let mut waits = seen.pending.iter().filter(|pending| pending.waits_for == "the maintenance window");
    // What is harmless only sometimes is looked at once more when it is done.
    let fired = waits.find(|pending| !waiting::may_be_harmless(&pending.field) && !is_meant(&pending.field))?;
    let fields: Vec<&str> = call.fields.iter().map(|(field, _)| field.as_str()).collect();
    let message = format!(
        "changing {} of {} now also applies {}, which restarts it",
        fields.join(", "),
        step.id.name,
        fired.field
    );
    let help = format!("apply --now does both; or wait for the window, {}", about.spec.maintenance_window);
    Some(about.error("pending-would-fire", "", message).help(help))
}

/// "The DB instance is rebooted regardless of the value of ApplyImmediately" (botocore 1.43.11, `DBPortNumber`).
fn port(about: &About<'_>) -> Option<Diagnostic> {
    let change = about.change("Port").filter(|_| !about.now)?;
    let message =
        format!("another port restarts {} at once: RDS does not wait for the window with that", about.spec.name);
    let help = format!("apply --now when that is all right, or leave the port at {}", change.from);
    Some(about.error("port-restarts-now", "port", message).help(help))
}

fn stopped(about: &About<'_>, step: &Step) -> Option<Diagnostic> {
    let is_changed = matches!(step.action, Action::Update { .. });
    let is_stopped = about.seen(&step.id).is_some_and(|seen| seen.status == Status::Stopped);
    (is_changed && is_stopped).then(|| {
        let message = format!("{} is stopped, and RDS changes nothing of it meanwhile", step.id.name);
        let help =
            "start it (`aws rds start-db-instance`), then run this again; RDS starts it by itself after seven days";
        about.error("stopped", "", message).help(help)
    })
}

/// Of an instance that is enrolled, which pgherd's own never are, extended support is billed by the hour.
fn extended_support(about: &About<'_>) -> Option<Diagnostic> {
    let is_enrolled = about.live("EngineLifecycleSupport")?.as_text() == Some("open-source-rds-extended-support");
    let known = versions::find(about.live("engine_version_actual").and_then(major)?)?;
    let until = known.rds_standard_until;
    let days = about.today.until(until).map_or(i32::MAX, |span| span.get_days());
    (is_enrolled && days <= NOTICE_DAYS).then(|| {
        let name = &about.spec.name;
        let message = if days < 0 {
            format!("extended support of PostgreSQL {} is billed for {name} since {until}", known.major)
        } else {
            format!("extended support of PostgreSQL {} is billed for {name} after {until}, in {days} days", known.major)
        };
        about.warning("extended-support-soon", "engine_version", message).help("upgrade to a newer major before")
    })
}

#[cfg(test)]
mod tests {
    use pgherd_core::resource::Pending;

    use super::*;
    use crate::preflight::case::Case;

    #[track_caller]
    fn check(case: &Case, expected: &[&str]) {
        case.check(say, expected);
    }

    #[test]
    fn another_major_is_asked_for_by_name() {
        check(
            &Case::changed("engine_version = \"16.13\"", "engine_version = \"17.9\""),
            &[
                "error engine_version: orders goes from PostgreSQL 16 to 17, which RDS cannot take back [try it on a copy first; in the window RDS takes a snapshot before it begins where backups are kept, and `apply --now` always takes one]",
            ],
        );
        check(&Case::changed("engine_version = \"16.13\"", "engine_version = \"16.14\""), &[]);
    }

    #[test]
    fn a_replica_of_another_region_is_not_taken_along() {
        let there = "dr_region = \"eu-west-1\"\ndr_read_replica = true\ndr_vpc_id = \"v\"\ndr_subnet_ids = [\"s-c\", \"s-d\"]\nbackup_retention_period = 7";
        let of = |version: &str| format!("engine_version = \"{version}\"\n{there}");
        let case = Case::changed(&of("16.13"), &of("17.9"));
        case.check(
            |about| about.steps(instance::NAME).filter_map(|step| left_behind(about, step)).collect(),
            &[
                "error dr_read_replica: the replica of orders in eu-west-1 cannot go along to PostgreSQL 17 [apply it without dr_read_replica first, then with the new version, and then write dr_read_replica again: a new replica is made there]",
            ],
        );
        let minor = Case::changed(&of("16.13"), &of("16.14"));
        minor.check(|about| about.steps(instance::NAME).filter_map(|step| left_behind(about, step)).collect(), &[]);
    }

    #[test]
    fn replicas_of_others_are_named_before_they_are_taken_along() {
        let arn = "arn:aws:rds:eu-west-1:123456789012:db:reports";
        let replicas: Vec<Value> = ["orders-r1", "theirs", arn].map(Value::text).into();
        let of = |to: &str| {
            let case = Case::changed("engine_version = \"16.13\"", &format!("engine_version = \"{to}\""));
            case.seen(|seen| drop(seen.props.insert(REPLICAS.to_owned(), Value::List(replicas.clone()))))
        };
        let say = |about: &About<'_>| about.steps(instance::NAME).filter_map(|step| taken_along(about, step)).collect();
        of("17.9").check(
            say,
            &[
                "warning engine_version: read replicas of orders that are not this block's would go along to PostgreSQL 17, or keep it from going: theirs, reports [tell whoever runs them first]",
            ],
        );
        of("16.14").check(say, &[]);
    }

    #[test]
    fn a_group_that_lets_nobody_in_is_told_of() {
        let said = "warning allowed_cidr_blocks: nobody can connect to orders: orders-db lets no address in [write allowed_cidr_blocks with the ranges of the applications, or allowed_security_group_ids]";
        let say = |about: &About<'_>| nobody_comes_in(about);
        let own = "create_security_group = true\nsecurity_group_ids = null\nvpc_id = \"vpc-1\"";
        Case::made(own).check(say, &[said]);
        Case::made(&format!("{own}\nallowed_security_group_ids = [\"sg-1\"]")).check(say, &[]);
        Case::made("create_security_group = false\nsecurity_group_ids = [\"sg-1\"]").check(say, &[]);
        // A group here is nobody in another region.
        let there = "allowed_security_group_ids = [\"sg-1\"]\nbackup_retention_period = 7\ndr_region = \"eu-west-1\"\ndr_read_replica = true";
        let said = "warning allowed_cidr_blocks: nobody can connect to orders-dr in eu-west-1: orders-dr-db lets no address in [write allowed_cidr_blocks with the ranges of the applications, or dr_security_group_ids]";
        Case::made(&format!("{own}\n{there}")).check(say, &[said]);
        Case::made(&format!("{own}\n{there}\ndr_security_group_ids = [\"sg-2\"]")).check(say, &[]);
        let open = "allowed_cidr_blocks = [\"10.0.0.0/16\"]";
        Case::made(&format!("{own}\n{there}\n{open}")).check(say, &[]);
    }

    #[test]
    fn another_zone_is_told_of_and_changes_nothing() {
        let of = |zone: &str, more: &str| {
            format!("aws_region = \"eu-central-1\"\navailability_zone = \"eu-central-1{zone}\"\n{more}")
        };
        let say = |about: &About<'_>| another_zone(about).into_iter().collect();
        let said = "warning availability_zone: orders stays in eu-central-1a: RDS moves no instance to another zone [multi_az = true and a failover take it to its standby's zone; a restore makes another one where it is said]";
        Case::changed(&of("a", ""), &of("b", "")).check(say, &[said]);
        Case::changed(&of("a", ""), &of("a", "instance_class = \"db.t4g.small\"")).check(say, &[]);
    }

    #[test]
    fn what_is_made_from_backups_waits_until_there_are_any() {
        let (none, some) = ("backup_retention_period = 0", "backup_retention_period = 7");
        let replicas = format!("{some}\ncreate_read_replica = true\nread_replica_count = 1");
        let said = &[
            "error backup_retention_period: a read replica is made from backups, and orders keeps none before its window [apply --now begins with them at once; or wait for the window, sun:04:00-sun:05:00]",
        ];
        check(&Case::changed(none, &replicas), said);
        check(&Case::changed(none, &replicas).now(), &[]);
        check(&Case::changed(some, &replicas), &[]);
        check(&Case::made(&replicas), &[]);
    }

    fn waiting(case: Case) -> Case {
        let waits_for = "the maintenance window".to_owned();
        case.seen(move |seen| {
            seen.pending = vec![Pending { field: "DBInstanceClass".to_owned(), waits_for: waits_for.clone() }];
        })
    }

    #[test]
    fn what_waits_would_be_fired() {
        check(
            &waiting(Case::changed("allocated_storage = 100", "allocated_storage = 200")),
            &[
                "error -: changing AllocatedStorage of orders now also applies DBInstanceClass, which restarts it [apply --now does both; or wait for the window, sun:04:00-sun:05:00]",
            ],
        );
        check(&Case::changed("allocated_storage = 100", "allocated_storage = 200"), &[]);
        // Rides without the flag, so fires nothing.
        check(&waiting(Case::changed("backup_retention_period = 7", "backup_retention_period = 8")), &[]);
    }

    #[test]
    fn another_port_restarts_at_once() {
        check(
            &Case::changed("port = 5432", "port = 5433"),
            &[
                "error port: another port restarts orders at once: RDS does not wait for the window with that [apply --now when that is all right, or leave the port at 5432]",
            ],
        );
        check(&Case::changed("port = 5432", "port = 5433").now(), &[]);
    }

    #[test]
    fn a_stopped_instance_takes_no_change() {
        let case = Case::changed("backup_retention_period = 7", "backup_retention_period = 8");
        check(
            &case.seen(|seen| seen.status = Status::Stopped),
            &[
                "error -: orders is stopped, and RDS changes nothing of it meanwhile [start it (`aws rds start-db-instance`), then run this again; RDS starts it by itself after seven days]",
            ],
        );
        check(&Case::changed("", "").seen(|seen| seen.status = Status::Stopped), &[]);
    }

    #[test]
    fn extended_support_that_is_about_to_be_billed() {
        let enrolled = |version: &str| {
            let version = version.to_owned();
            Case::changed("", "").seen(move |seen| {
                let of = |name: &str, value: &str| (name.to_owned(), Value::text(value));
                let lifecycle = of("EngineLifecycleSupport", "open-source-rds-extended-support");
                seen.props.extend([lifecycle, of("engine_version_actual", &version)]);
            })
        };
        check(
            &enrolled("14.20"),
            &[
                "warning engine_version: extended support of PostgreSQL 14 is billed for orders after 2027-02-28, in 98 days [upgrade to a newer major before]",
            ],
        );
        check(
            &enrolled("13.20"),
            &[
                "warning engine_version: extended support of PostgreSQL 13 is billed for orders since 2026-02-28 [upgrade to a newer major before]",
            ],
        );
        check(&enrolled("16.13"), &[]);
    }
}
