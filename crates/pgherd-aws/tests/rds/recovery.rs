//! A second region: a replica there with everything it needs, and copies of the automated backups.

use std::collections::BTreeSet;

use pgherd_core::diagnostic::Severity;
use pgherd_core::lint::Intent;
use pgherd_core::report::Report;
use pgherd_core::spec::Spec;
use pgherd_emulate::rds::Region;
use pgherd_engine::provider::{Operation, Point};
use pgherd_engine::run;

use crate::cut::Doing;
use crate::world::{REGION, World, changes, events, spec, with};

const THERE: &str = "eu-west-1";

const BOTH: &str = r#"
    name                    = "orders"
    engine_version          = "16.13"
    instance_class          = "db.t3.micro"
    allocated_storage       = 20
    vpc_id                  = "vpc-default"
    subnet_ids              = ["subnet-a", "subnet-b", "subnet-c"]
    allowed_cidr_blocks     = ["10.0.0.0/16"]
    backup_retention_period = 7
    storage_encrypted       = true
    geo_redundant_backup    = true
    dr_region               = "eu-west-1"
    dr_read_replica         = true
    dr_vpc_id               = "vpc-default"
    dr_subnet_ids           = ["subnet-a", "subnet-b"]
    enable_logging          = true
    parameters              = [{ name = "work_mem", value = "8MB" }, { name = "max_connections", value = "200" }]
    tags                    = { Owner = "ann" }
"#;

/// A call takes long here, so that there are few of them.
const SECONDS: i64 = 600;

fn without() -> String {
    let taken_out = ["geo_redundant_backup", "dr_region", "dr_read_replica", "dr_vpc_id", "dr_subnet_ids"];
    with(BOTH, &taken_out.map(|name| (name, "")))
}

/// The same with no more than one thing of a kind, to be made in few calls.
fn short() -> String {
    with(BOTH, &[("enable_logging", ""), ("tags", "")])
}

fn short_without() -> String {
    with(&without(), &[("enable_logging", ""), ("tags", "")])
}

async fn recoverable() -> World {
    let world = World::whole(60).await;
    world.apply(BOTH).await;
    world
}

fn there<T>(world: &World, look: impl FnOnce(&mut Region) -> T) -> T {
    world.region_in(THERE, look)
}

/// Everything of the block there, by name.
fn things(world: &World) -> Vec<String> {
    there(world, |region| {
        let instances = region.instances.keys().map(|id| format!("instance {id}"));
        let subnets = region.subnet_groups.keys().map(|name| format!("subnet group {name}"));
        let settings = region.parameter_groups.keys().map(|name| format!("parameter group {name}"));
        let groups = region.around.security_groups.values().filter(|group| group.name.starts_with("orders"));
        let groups = groups.map(|group| format!("security group {}", group.name));
        let copied = region.copied.values().filter(|copies| copies.is_going_on).map(|_| "copies".to_owned());
        instances.chain(subnets).chain(settings).chain(groups).chain(copied).collect()
    })
}

const ALL: [&str; 5] = [
    "instance orders-dr",
    "subnet group orders-dr",
    "parameter group orders-dr-pg16",
    "security group orders-dr-db",
    "copies",
];

fn made(world: &World) -> Vec<String> {
    let asked = world.emulator.asked();
    let created = asked.iter().filter(|asked| asked.region == THERE);
    let created = created.filter(|asked| asked.action.starts_with("Create") || asked.action.starts_with("Start"));
    let created = created.filter(|asked| ["ok", "lost", "hang"].contains(&asked.outcome.as_str()));
    let mut created: Vec<String> = created.map(|asked| asked.action.clone()).collect();
    created.sort();
    created
}

const ONCE: [&str; 7] = [
    "CreateDBInstanceReadReplica",
    "CreateDBParameterGroup",
    "CreateDBSubnetGroup",
    "CreateLogGroup",
    "CreateLogGroup",
    "CreateSecurityGroup",
    "StartDBInstanceAutomatedBackupsReplication",
];

#[tokio::test]
async fn everything_there_is_made_once_and_then_nothing_is_done() {
    let world = recoverable().await;
    assert_eq!((things(&world), made(&world)), (ALL.map(str::to_owned).to_vec(), ONCE.map(str::to_owned).to_vec()));
    let plan = world.plan(BOTH).await;
    assert_eq!((changes(&plan), plan.plan.diagnostics.as_slice()), (Vec::new(), [].as_slice()));
    world.forget_what_was_asked();
    world.apply(BOTH).await;
    assert_eq!(world.writes_of_all(), [""; 0]);
}

#[tokio::test]
async fn a_replica_there_is_encrypted_reachable_and_set_as_its_source() {
    let world = recoverable().await;
    there(&world, |region| {
        let replica = &region.instances["orders-dr"];
        let group = region.around.security_groups.iter().find(|(_, group)| group.name == "orders-dr-db");
        assert!(replica.set.kms_key.as_ref().is_some_and(|key| key.starts_with("arn:aws:kms:eu-west-1:")));
        assert_eq!(replica.set.security_groups, [group.expect("a group").0.clone()]);
        assert_eq!((replica.set.subnet_group.as_str(), replica.set.retention_days), ("orders-dr", 7));
        assert_eq!(
            (replica.set.parameter_group.as_str(), replica.booted.group.as_str()),
            ("orders-dr-pg16", "orders-dr-pg16")
        );
        assert_eq!(region.copied.values().map(|copies| copies.retention_days).collect::<Vec<_>>(), [7]);
    });
    let asked = world.emulator.asked();
    let made = asked.iter().find(|asked| asked.action == "CreateDBInstanceReadReplica").expect("it was made");
    assert!(made.parameters.contains_key("PreSignedUrl"));
}

#[tokio::test]
async fn alarms_watch_the_replica_there_and_tell_topics_of_that_region() {
    let (here, there) = ("arn:aws:sns:eu-central-1:123456789012:ops", "arn:aws:sns:eu-west-1:123456789012:ops");
    let block = with(BOTH, &[("alarm_targets", &format!("[{here:?}, {there:?}]"))]);
    let world = World::whole(60).await;
    world.apply(&block).await;
    assert_eq!(world.left(&block).await, [""; 0]);
    let told = |region: &str| {
        let asked = world.emulator.asked();
        let put = asked.into_iter().filter(|asked| asked.action == "PutMetricAlarm" && asked.region == region);
        let told = put.map(|asked| {
            let field = |name: &str| asked.parameters.get(name).cloned().unwrap_or_default();
            (field("AlarmName"), field("AlarmActions.member.1"), field("AlarmActions.member.2"))
        });
        told.collect::<Vec<_>>()
    };
    let lag = ("orders-dr-replica-lag".to_owned(), there.to_owned(), String::new());
    assert!(told(THERE).contains(&lag), "{:?}", told(THERE));
    assert!(told("eu-central-1").contains(&("orders-cpu".to_owned(), here.to_owned(), String::new())));
    let without = with(&without(), &[("alarm_targets", &format!("[{here:?}]"))]);
    world.forget_what_was_asked();
    world.apply(&without).await;
    let asked = world.emulator.asked();
    assert!(asked.iter().any(|asked| asked.action == "DeleteAlarms" && asked.region == THERE));
    assert_eq!((things(&world), world.left(&without).await), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn what_somebody_changes_there_is_put_right() {
    let world = recoverable().await;
    world.tamper_in(
        THERE,
        "ModifyDBInstance",
        &[("DBInstanceIdentifier", "orders-dr"), ("CopyTagsToSnapshot", "false")],
    );
    world.pass(600);
    assert_eq!(world.left(BOTH).await, ["update replica eu-west-1/orders-dr: CopyTagsToSnapshot false -> true"]);
    world.apply(BOTH).await;
    assert_eq!(world.left(BOTH).await, [""; 0]);
    let stop = ("SourceDBInstanceArn", "arn:aws:rds:eu-central-1:123456789012:db:orders");
    world.tamper_in(THERE, "StopDBInstanceAutomatedBackupsReplication", &[stop]);
    assert_eq!(world.left(BOTH).await, ["create backup_replication eu-west-1/orders"]);
    world.apply(BOTH).await;
    assert_eq!(world.left(BOTH).await, [""; 0]);
}

#[tokio::test]
async fn copies_that_are_kept_for_another_time_are_told_of_and_left() {
    let world = recoverable().await;
    let block = with(BOTH, &[("backup_retention_period", "14")]);
    world.apply(&block).await;
    let planned = world.plan(&block).await;
    let said: Vec<_> = planned.plan.diagnostics.iter().map(|said| format!("{}: {}", said.code, said.message)).collect();
    assert_eq!(changes(&planned), [""; 0]);
    let words = "copies of backups in eu-west-1 are kept for 7 days, backups here for 14";
    assert_eq!(said, [format!("copies-retention: {words}")]);
}

#[tokio::test]
async fn all_of_it_goes_when_nobody_wants_it_and_the_database_stays() {
    let world = recoverable().await;
    world.apply(&without()).await;
    assert_eq!((things(&world), world.left(&without()).await), (Vec::new(), Vec::new()));
    assert_eq!(world.instances(), ["orders"]);
    // Nothing is looked for there any more.
    world.forget_what_was_asked();
    world.apply(&without()).await;
    assert!(world.emulator.asked().iter().all(|asked| asked.region != THERE));
}

#[tokio::test]
async fn a_minor_upgrade_begins_with_the_replica_there() {
    let world = recoverable().await;
    let newer = with(BOTH, &[("engine_version", "\"16.14\"")]);
    world.forget_what_was_asked();
    world.apply_now(&newer).await;
    let of_there = there(&world, |region| region.instances["orders-dr"].set.version.clone());
    assert_eq!((of_there.as_str(), changes(&world.plan(&newer).await)), ("16.14", Vec::new()));
    let asked = world.emulator.asked();
    let upgraded = asked.iter().filter(|asked| asked.parameters.contains_key("EngineVersion"));
    let regions: Vec<_> =
        upgraded.filter(|asked| asked.action == "ModifyDBInstance").map(|asked| asked.region.as_str()).collect();
    assert_eq!(regions, [THERE, "eu-central-1"]);
}

#[tokio::test]
async fn another_major_leaves_no_replica_behind_there() {
    let mut world = recoverable().await;
    world.accepted.insert("major-upgrade".to_owned());
    let newer = with(BOTH, &[("engine_version", "\"17.7\"")]);
    let planned = world.planned(&newer, true).await.expect("AWS answers");
    let errors = planned.plan.diagnostics.iter().filter(|told| told.severity == Severity::Error);
    assert_eq!(errors.map(|told| told.code).collect::<Vec<_>>(), ["dr-major-upgrade"]);
}

#[tokio::test]
async fn a_destroy_ends_what_is_there_first_and_promotes_nothing() {
    let world = recoverable().await;
    world.forget_what_was_asked();
    let outcome = world.destroy(BOTH).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!((things(&world), world.instances()), (Vec::new(), Vec::new()));
    let asked = world.emulator.asked();
    let at = |region: &str, action: &str| {
        let place = asked.iter().position(|asked| asked.region == region && asked.action == action);
        place.unwrap_or_else(|| panic!("no {action} in {region}"))
    };
    let primary = at("eu-central-1", "DeleteDBInstance");
    let before = ["DeleteDBInstance", "StopDBInstanceAutomatedBackupsReplication", "DeleteSecurityGroup"];
    assert!(before.iter().all(|action| at(THERE, action) < primary));
    assert!(asked.iter().all(|asked| asked.action != "PromoteReadReplica"));
}

async fn applied(block: &str) -> World {
    let world = World::whole(SECONDS).await;
    world.apply(block).await;
    world
}

#[tokio::test]
async fn killed_after_any_write_of_a_creation_it_ends_well_and_nothing_is_made_twice() {
    let block = short();
    let then = async |world: World, nth| {
        let done = made(&world);
        world.forget_what_was_asked();
        world.apply(&block).await;
        let mut all = [done, made(&world)].concat();
        all.sort();
        all.retain(|action| action != "CreateLogGroup");
        let once: Vec<_> = ONCE.into_iter().filter(|action| *action != "CreateLogGroup").collect();
        assert_eq!(all, once, "killed after call {nth}");
        assert_eq!(things(&world), ALL, "killed after call {nth}");
        assert_eq!(world.left(&block).await, [""; 0], "killed after call {nth}");
    };
    Doing::Apply(&block).killed_anywhere(&applied(&short_without()).await, 16, then).await;
}

/// It was taken out of the block meanwhile, so only the mark on the instance tells of what is left.
#[tokio::test]
async fn killed_after_any_write_and_given_up_nothing_is_left_there() {
    let after = short_without();
    let then = async |world: World, nth| {
        world.pass(3600);
        world.apply(&after).await;
        assert_eq!((things(&world), world.left(&after).await), (Vec::new(), Vec::new()), "killed after call {nth}");
    };
    Doing::Apply(&short()).killed_anywhere(&applied(&after).await, 16, then).await;
}

#[tokio::test]
async fn killed_after_any_write_of_its_end_nothing_is_left_there() {
    let after = short_without();
    let then = async |world: World, nth| {
        world.pass(3600);
        world.apply(&after).await;
        assert_eq!((things(&world), world.left(&after).await), (Vec::new(), Vec::new()), "killed after call {nth}");
        assert_eq!(world.instances(), ["orders"], "killed after call {nth}");
    };
    Doing::Apply(&after).killed_anywhere(&applied(&short()).await, 9, then).await;
}

#[tokio::test]
async fn somebody_elses_instance_there_is_left_alone() {
    let world = World::whole(60).await;
    world.apply(&without()).await;
    let theirs = [
        ("DBInstanceIdentifier", "orders-dr"),
        ("SourceDBInstanceIdentifier", "arn:aws:rds:eu-central-1:123456789012:db:orders"),
        ("KmsKeyId", "alias/aws/rds"),
    ];
    world.tamper_in(THERE, "CreateDBInstanceReadReplica", &theirs);
    world.pass(3600);
    let planned = world.plan(BOTH).await;
    assert!(planned.plan.is_refused() && planned.plan.diagnostics.iter().any(|said| said.code == "not-ours"));
    assert_eq!(world.left(&without()).await, [""; 0]);
}

/// `orders-dr-db` is of `orders` there, and of a block that is called `orders-dr`, whose instance would be in the way all the same.
#[tokio::test]
async fn the_group_of_a_block_that_is_called_like_a_second_region_is_not_taken_for_its_own() {
    let world = World::whole(60).await;
    world.apply(&without()).await;
    there(&world, |region| {
        let mut group = region.around.security_groups.values().next().expect("the default one").clone();
        group.name = "orders-dr-db".to_owned();
        group.tags = [("pgherd:block".to_owned(), "orders-dr".to_owned())].into();
        region.around.security_groups.insert("sg-theirs".to_owned(), group);
    });
    let planned = world.plan(BOTH).await;
    let said: Vec<_> = planned.plan.diagnostics.iter().filter(|said| said.code == "not-ours").collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].message.contains("security_group eu-west-1/orders-dr-db"), "{said:?}");
}

/// The rest of the block stands by the time RDS would refuse them.
#[tokio::test]
async fn subnets_that_the_second_region_has_not_are_found_before_anything_is_made() {
    let world = World::whole(60).await;
    let planned = world.plan(&with(BOTH, &[("dr_subnet_ids", "[\"subnet-a\", \"subnet-elsewhere\"]")])).await;
    let said = planned.plan.diagnostics.iter().filter(|said| said.code == "subnets-missing");
    let said: Vec<_> = said.map(|said| format!("{}\n{}", said.message, said.help)).collect();
    insta::assert_snapshot!(said.join("\n"));
    assert!(planned.plan.is_refused());
}

/// The block as it is written once the first region is lost.
fn in_second_region() -> String {
    with(
        &without(),
        &[
            ("aws_region", "\"eu-west-1\""),
            ("subnet_ids", "[\"subnet-a\", \"subnet-b\"]"),
            ("kms_key_id", "\"alias/aws/rds\""),
            ("database_name", "\"orders\""),
        ],
    )
}

/// Makes a database in the second region, without a word to the first one, and plans it.
async fn made_without_the_first_region(world: &World, operation: impl Fn(Box<Spec>) -> Operation) -> Vec<String> {
    world.forget_what_was_asked();
    let block = with(&in_second_region(), &[("name", "\"orders-eu\"")]);
    let (provider, to) = (world.provider_in(THERE), spec(&block));
    let (events, _heard) = events();
    provider.operate(&operation(Box::new(to.clone())), &events).await.expect("made");
    let timing = run::timing(&to, world.now());
    let planned = run::observe_and_plan(provider.as_ref(), &to, &timing, Intent::default()).await.expect("planned");
    let left = changes(&planned);
    let regions: BTreeSet<String> = world.emulator.asked().into_iter().map(|asked| asked.region).collect();
    assert!(!regions.contains(REGION), "{regions:?}");
    left
}

#[tokio::test]
async fn the_replica_there_becomes_the_database_when_the_first_region_is_lost() {
    let world = recoverable().await;
    let promote = |to| Operation::Promote { name: "orders".to_owned(), replica: None, to };
    assert_eq!(made_without_the_first_region(&world, promote).await, [""; 0]);
    let source = there(&world, |region| region.instances["orders-eu"].source.clone());
    assert_eq!(source, None);
    // The first region came back: what is left there goes with the block as it was, and nothing of the new database.
    assert!(world.destroy(BOTH).await.is_success());
    assert_eq!(world.instances(), [""; 0]);
    assert!(there(&world, |region| region.instances.contains_key("orders-eu")));
}

#[tokio::test]
async fn copies_of_backups_become_the_database_when_the_first_region_is_lost() {
    let world = recoverable().await;
    let restore = |to| Operation::Restore { name: "orders".to_owned(), to, point: Point::Latest };
    assert_eq!(made_without_the_first_region(&world, restore).await, [""; 0]);
    // The replica goes on following what it followed.
    let source = there(&world, |region| region.instances["orders-dr"].source.clone());
    assert!(source.is_some());
}

#[tokio::test]
async fn the_second_region_is_told_of_and_may_be_down() {
    let world = recoverable().await;
    let provider = world.provider();
    let report = provider.report(&spec(BOTH)).await.expect("it is told");
    let shown = |report: &Report| -> Vec<String> {
        let servers = report.servers.iter();
        servers.map(|one| format!("{} {}", one.role, one.name.as_deref().unwrap_or("-"))).collect()
    };
    assert_eq!(shown(&report)[..2], ["primary orders", "replica orders-dr"]);
    assert!(shown(&report)[2].starts_with("copies ab-"), "{report:?}");
    assert!(report.servers[1].place.as_deref().is_some_and(|place| place.starts_with(THERE)), "{report:?}");
    assert!(report.servers[2].state.starts_with("replicating, up to "), "{report:?}");
    assert_eq!(report.warnings, [""; 0]);
    assert!(report.alarms.iter().any(|alarm| alarm.name == "orders-dr-cpu"), "{report:?}");
    assert!(report.happened.iter().any(|one| one.to == "orders-dr"), "{report:?}");
    let history = provider.history(&spec(BOTH)).await.expect("it is told");
    assert!(history.iter().any(|one| one.to == "orders-dr") && history.is_sorted_by_key(|one| one.at));

    world.fault(&format!(r#"{{"region": "{THERE}", "fault": "error", "status": 503, "times": 10000}}"#));
    let report = provider.report(&spec(BOTH)).await.expect("the first region is told");
    assert_eq!(shown(&report), ["primary orders"]);
    let said = "eu-west-1 does not tell the replica, the copies of backups, alarms, events: ";
    assert!(report.warnings.len() == 1 && report.warnings[0].starts_with(said), "{:?}", report.warnings);
    // Nothing that happened: `events -f` goes on from the last line.
    let here = history.into_iter().filter(|one| one.to != "orders-dr").collect::<Vec<_>>();
    assert!(!here.is_empty());
    assert_eq!(provider.history(&spec(BOTH)).await.expect("the first region is told"), here);
}
