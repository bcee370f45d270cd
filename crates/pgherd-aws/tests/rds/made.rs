//! What is made is what is wanted, and then nothing is done any more.

use pgherd_core::resource::Status;
use pgherd_core::text;

use crate::world::{LARGE, SMALL, World, changes, spec, with};

/// Applies a block; then there is nothing to do, and doing that sends no write.
async fn check(block: &str) {
    let world = World::with(block).await;
    let plan = world.plan(block).await;
    assert_eq!((changes(&plan), plan.plan.diagnostics.as_slice()), (Vec::new(), [].as_slice()));
    world.forget_what_was_asked();
    world.apply(block).await;
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_small_one() {
    check(SMALL).await;
}

#[tokio::test]
async fn one_with_about_everything() {
    check(LARGE).await;
}

#[tokio::test]
async fn one_that_names_no_version() {
    check(&with(SMALL, &[("engine_version", "")])).await;
}

#[tokio::test]
async fn one_in_the_default_network() {
    check(&with(SMALL, &[("subnet_ids", ""), ("security_group_ids", "")])).await;
}

#[tokio::test]
async fn one_with_a_major_only() {
    check(&with(SMALL, &[("engine_version", "\"17\"")])).await;
}

#[tokio::test]
async fn one_whose_database_is_called_postgres() {
    check(&with(SMALL, &[("database_name", "\"postgres\"")])).await;
}

#[tokio::test]
async fn large_storage_that_asks_for_no_figures() {
    check(&with(SMALL, &[("allocated_storage", "400"), ("storage_type", "\"gp3\"")])).await;
}

#[tokio::test]
async fn other_kinds_of_storage() {
    check(&with(SMALL, &[("storage_type", "\"gp2\"")])).await;
    check(&with(SMALL, &[("storage_type", "\"io1\""), ("allocated_storage", "200"), ("storage_iops", "2000")])).await;
}

#[tokio::test]
async fn one_without_backups() {
    check(&with(SMALL, &[("backup_retention_period", "0")])).await;
}

#[tokio::test]
async fn one_with_settings_of_somebody_else() {
    let world = World::new().await;
    let (name, family) = (("DBParameterGroupName", "shared"), ("DBParameterGroupFamily", "postgres16"));
    world.tamper("CreateDBParameterGroup", &[name, family, ("Description", "of all")]);
    let block = with(SMALL, &[("parameter_group_name", "\"shared\"")]);
    world.apply(&block).await;
    assert_eq!(world.left(&block).await, [""; 0]);
    assert!(world.destroy(&block).await.is_success());
    assert!(world.region(|region| region.parameter_groups.contains_key("shared")));
}

/// Everything that RDS would decide by itself is said, and each thing is made once.
#[tokio::test]
async fn what_is_sent() {
    let world = World::with(LARGE).await;
    // The second replica is refused while the first one is begun; which one is first is chance.
    let mut writes: Vec<String> = world.writes().into_iter().filter(|call| !call.contains(':')).collect();
    let replicas = writes.iter().position(|call| call.contains("ReadReplica")).expect("there are some");
    writes[replicas..].sort();
    insta::assert_snapshot!(writes.join("\n"));
    let sent = |action: &str| {
        let asked = world.emulator.asked();
        let asked = asked.iter().find(|asked| asked.action == action).expect("it was asked");
        let fields = asked.parameters.iter().filter(|(name, _)| !name.starts_with("Tags."));
        fields.map(|(name, value)| format!("{name} = {value}\n")).collect::<String>()
    };
    insta::assert_snapshot!("create_instance", sent("CreateDBInstance"));
    insta::assert_snapshot!("create_replica", sent("CreateDBInstanceReadReplica"));
}

/// The words of RDS, as they come.
#[tokio::test]
async fn what_is_told_meanwhile() {
    let world = World::new().await;
    let (_, said) = world.carried_out(SMALL, false).await;
    insta::assert_snapshot!(said.join("\n"), @r"
    orders: creating
    orders: backing-up
    orders: available
    in each database whose statements are to be seen, unless shared_preload_libraries is without it: CREATE EXTENSION pg_stat_statements;
    ");
}

/// A new instance is `available` for a moment between one thing and the next.
#[tokio::test]
async fn what_flaps_is_waited_for_until_it_is_at_rest() {
    let world = World::going_by(10).await;
    let block = with(LARGE, &[("create_read_replica", "")]);
    let (_, said) = world.carried_out(&block, false).await;
    let flaps = said.iter().filter(|said| *said == "orders: available").count();
    assert!(flaps > 1, "{said:?}");
    assert!(world.region(|region| region.instances["orders"].phases.is_empty()), "{said:?}");
}

/// What RDS does not come round from ends the wait, in RDS's words.
#[tokio::test]
async fn what_is_broken_is_not_waited_for() {
    let world = World::with(SMALL).await;
    world.region(|region| {
        let orders = region.instances.get_mut("orders").expect("it was made");
        let day = jiff::SignedDuration::from_hours(24);
        orders.goes_through("incompatible-parameters", day, Vec::new(), orders.created);
    });
    let block = with(SMALL, &[("enable_deletion_protection", "true")]);
    let planned = world.plan(&block).await;
    assert_eq!(planned.plan.diagnostics.iter().map(|told| told.code).collect::<Vec<_>>(), ["broken"]);
    let (outcome, _) = world.walk(&block, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(_, error)| error.to_string()).collect();
    let told = "DB instance created; Finished DB Instance backup";
    assert_eq!(failed, [format!("orders is incompatible-parameters; what RDS told in the last hour: {told}")]);
}

#[tokio::test]
async fn replicas_are_in_other_zones() {
    let world = World::with(LARGE).await;
    let zones = world.region(|region| {
        let zones = region.instances.values().map(|one| format!("{} {}", one.id, one.set.zone));
        zones.collect::<Vec<_>>()
    });
    assert_eq!(
        zones,
        ["orders eu-central-1a", "orders-r1 eu-central-1c", "orders-r2 eu-central-1c"],
        "the standby is in the third"
    );
}

/// A source is at work while a replica of it is begun, so that of several at once all but one are refused, until it is each one's turn.
#[tokio::test]
async fn as_many_replicas_at_once_as_are_wanted() {
    let world = World::with(SMALL).await;
    let six = with(SMALL, &[("create_read_replica", "true"), ("read_replica_count", "6")]);
    world.forget_what_was_asked();
    world.apply(&six).await;
    assert_eq!(world.left(&six).await, [""; 0]);
    assert_eq!(world.instances().len(), 7);
    let asked = world.emulator.asked();
    let tries = asked.iter().filter(|asked| asked.action == "CreateDBInstanceReadReplica");
    let outcomes: Vec<&str> = tries.map(|asked| asked.outcome.as_str()).collect();
    assert!(outcomes.len() > 6, "some are refused at first: {outcomes:?}");
}

/// What RDS refuses for good is an error in a minute, and not waited out for as long as a change may take.
#[tokio::test]
async fn a_source_that_takes_no_replica_is_not_asked_for_ever() {
    let world = World::with(SMALL).await;
    let block = with(SMALL, &[("create_read_replica", "true")]);
    let planned = world.plan(&block).await;
    let fields = [("DBInstanceIdentifier", "orders"), ("BackupRetentionPeriod", "0"), ("ApplyImmediately", "true")];
    world.tamper("ModifyDBInstance", &fields);
    world.pass(3600);
    world.forget_what_was_asked();
    let (outcome, _) = world.walk(&block, &planned).await;
    let failed: Vec<String> = outcome.failed.iter().map(|(id, error)| format!("{id}: {}", error.message)).collect();
    assert!(failed.len() == 1 && failed[0].contains("Automated backups are not enabled"), "{failed:?}");
    let tries = world.emulator.asked();
    let tries = tries.iter().filter(|asked| asked.action == "CreateDBInstanceReadReplica").count();
    assert_eq!(tries, 3);
}

#[tokio::test]
async fn a_look_takes_as_few_calls_as_there_are_answers() {
    let world = World::with(LARGE).await;
    world.forget_what_was_asked();
    world.plan(LARGE).await;
    let mut asked: Vec<String> = world.emulator.asked().into_iter().map(|asked| asked.action).collect();
    asked.sort();
    assert_eq!(asked, ["DescribeAlarms", "DescribeDBInstances", "DescribeDBParameterGroups", "DescribeDBParameters"]);
}

#[tokio::test]
async fn a_key_that_is_written_by_its_id_or_an_alias_is_the_one_that_is_told() {
    let key = "\"of-alias-aws-rds\"";
    check(&with(SMALL, &[("kms_key_id", key)])).await;
    check(&with(SMALL, &[("kms_key_id", "\"alias/aws/rds\"")])).await;
}

#[tokio::test]
async fn outputs_are_what_aws_assigned() {
    let world = World::with(LARGE).await;
    let planned = world.plan(LARGE).await;
    let outputs = world.provider().outputs(&spec(LARGE), &planned.observed);
    let shown = outputs.iter().filter(|(name, _)| *name != "effective");
    let shown: String = shown.map(|(name, value)| format!("{name} = {}\n", text::hcl(value))).collect();
    insta::assert_snapshot!(shown);
    let before = world.provider().outputs(&spec(LARGE), &[]);
    assert!(before["db_instance_endpoint"].is_null() && before["db_instance_arn"].is_null());
}

#[tokio::test]
async fn what_is_somebody_elses_is_left_alone() {
    let world = World::new().await;
    let fields = [
        ("DBInstanceIdentifier", "orders"),
        ("Engine", "postgres"),
        ("EngineVersion", "16.13"),
        ("DBInstanceClass", "db.t3.micro"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "postgres"),
        ("MasterUserPassword", "correct-horse-battery"),
    ];
    world.tamper("CreateDBInstance", &fields);
    world.pass(3600);
    let planned = world.plan(SMALL).await;
    let instance = planned.observed.iter().find(|seen| seen.id.kind == "instance").expect("it is seen");
    assert_eq!(instance.status, Status::Foreign("it has no tag pgherd:block".to_owned()));
    assert_eq!(planned.plan.diagnostics.iter().map(|told| told.code).collect::<Vec<_>>(), ["not-ours"]);
    let destroyed = world.plan_destroy(SMALL).await;
    assert_eq!(changes(&destroyed), [""; 0]);
    assert_eq!(world.writes(), [""; 0]);
}

/// Between the plan and its step somebody else made an instance of that name.
#[tokio::test]
async fn what_somebody_else_made_meanwhile_is_not_taken() {
    let world = World::new().await;
    let planned = world.plan(SMALL).await;
    let fields = [
        ("DBInstanceIdentifier", "orders"),
        ("Engine", "postgres"),
        ("DBInstanceClass", "db.t3.micro"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "postgres"),
        ("MasterUserPassword", "correct-horse-battery"),
    ];
    world.tamper("CreateDBInstance", &fields);
    let (outcome, _) = world.walk(SMALL, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(id, error)| format!("{id}: {error}")).collect();
    assert_eq!(failed, ["instance orders: orders exists and is not pgherd's: it has no tag pgherd:block"]);
}
