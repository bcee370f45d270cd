//! Databases that are restored in their own place: the old one is put aside, and nothing is deleted.

use pgherd_emulate::emulation::Asked;
use pgherd_engine::provider::{Operation, Point};

use crate::cut::Doing;
use crate::restored::SOURCE;
use crate::world::{World, changes, spec, with};

fn block() -> String {
    with(SOURCE, &[("create_read_replica", "true"), ("enable_proxy", "true"), ("parameters", PARAMETERS)])
}

const PARAMETERS: &str = r#"[{ name = "max_connections", value = "200" }]"#;

/// The latest moment is the harder one: nobody finds it under the old name once the old one is put aside.
fn replace(block: &str) -> Operation {
    Operation::Restore { name: "orders".to_owned(), to: Box::new(spec(block)), point: Point::Latest }
}

/// A world with the database and a backup of it, after which its password became another one.
async fn world(seconds: i64) -> World {
    let world = World::whole(seconds).await;
    world.apply(&block()).await;
    let snapshot = [("DBSnapshotIdentifier", "orders-1"), ("DBInstanceIdentifier", "orders")];
    world.tamper("CreateDBSnapshot", &snapshot);
    world.pass(3600);
    world.operate(&Operation::Rotate { name: "orders".to_owned() }).await.expect("another password");
    world.pass(3600);
    world.forget_what_was_asked();
    world
}

/// What tells one instance from another, whatever it is called.
fn resource_id(world: &World, name: &str) -> String {
    world.region(|region| region.instances[name].resource_id.clone())
}

fn is_done(world: &World, old: &str) {
    let all = world.instances();
    let aside =
        all.iter().find(|name| name.starts_with("orders-before-") && !name.ends_with("-r1")).expect("the old one");
    let mut expected = vec!["orders".to_owned(), aside.clone(), format!("{aside}-r1"), "orders-r1".to_owned()];
    expected.sort();
    assert_eq!(all, expected);
    assert_eq!(resource_id(world, aside), old, "the old one is there");
    assert_ne!(resource_id(world, "orders"), old, "and another one in its place");
    // Clients have one password, which opens either.
    assert!(world.secret_opens("orders", "orders") && world.secret_opens(aside, aside));
    let source = world.region(|region| region.instances[&format!("{aside}-r1")].source.clone());
    assert_eq!(source.as_deref(), Some(aside.as_str()), "its replica follows it still");
    let marks: Vec<_> = world.region(|region| {
        let worn = region.tags.values().flat_map(|tags| tags.keys().cloned());
        worn.filter(|key| ["pgherd:restoring", "pgherd:replaces"].contains(&key.as_str())).collect()
    });
    assert_eq!(marks, [""; 0]);
    let (proxied, led) = world.region(|region| {
        let wears = |name: &str| region.tags[&region.arn("db", name)].contains_key("pgherd:proxy");
        let led = region.proxies["orders-proxy"].targets.iter().map(|target| target.server.clone()).collect::<Vec<_>>();
        ((wears("orders"), wears(aside)), led)
    });
    assert_eq!((proxied, led), ((true, false), vec![resource_id(world, "orders")]), "the proxy is the new one's");
}

#[tokio::test]
async fn the_old_one_is_put_aside_with_its_replicas_and_nothing_is_deleted() {
    let world = world(20).await;
    let old = resource_id(&world, "orders");
    let point = Point::Backup("orders-1".to_owned());
    let restore = Operation::Restore { name: "orders".to_owned(), to: Box::new(spec(&block())), point };
    world.operate(&restore).await.expect("it is restored");
    is_done(&world, &old);
    assert_eq!(world.left(&block()).await, [""; 0]);
    let deletions: Vec<_> = world.writes_of_all().into_iter().filter(|call| call.starts_with("Delete")).collect();
    assert_eq!(deletions, [""; 0]);
}

/// Clients of the proxy would write into the old one otherwise, and whoever took the proxy out of the block would leave it there.
#[tokio::test]
async fn the_proxy_leads_to_the_new_one_and_never_to_the_one_that_was_put_aside() {
    let world = world(100).await;
    world.operate(&replace(&block())).await.expect("it is restored");
    let asked = world.emulator.asked();
    let at = |is_it: &dyn Fn(&Asked) -> bool| asked.iter().position(is_it).expect("it was asked for");
    let let_go = at(&|asked| asked.action == "DeregisterDBProxyTargets");
    let renamed = at(&|asked| asked.parameters.contains_key("NewDBInstanceIdentifier"));
    let led = at(&|asked| asked.action == "RegisterDBProxyTargets");
    assert!(let_go < renamed && renamed < led);
    let without = with(&block(), &[("enable_proxy", "")]);
    world.apply(&without).await;
    assert_eq!((world.left(&without).await, world.region(|region| region.proxies.len())), (Vec::new(), 0));
}

/// What is refused before anything was done, as whoever asked reads it.
async fn refused(world: &World, block: &str) -> String {
    world.forget_what_was_asked();
    let error = world.operate(&replace(block)).await.expect_err("something is in the way");
    assert_eq!(world.writes_of_all(), [""; 0]);
    format!("{}\n{}", error.message, error.help)
}

#[tokio::test]
async fn what_waits_at_the_old_one_or_at_its_replica_is_not_set_off() {
    for id in ["orders", "orders-r1"] {
        let world = world(100).await;
        world.tamper("ModifyDBInstance", &[("DBInstanceIdentifier", id), ("DBInstanceClass", "db.t3.small")]);
        let message = refused(&world, &block()).await;
        let expected = format!("giving {id} another name also does what waits for the window: DBInstanceClass\n");
        assert!(message.starts_with(&expected), "{message}");
    }
}

/// Somebody asks for something while the new one is made.
#[tokio::test]
async fn what_comes_to_wait_meanwhile_is_not_set_off_either() {
    let world = world(300).await;
    let operation = replace(&block());
    let mut nth = 1;
    while !world.instances().contains(&"orders-restored".to_owned()) {
        assert!(Doing::Verb(&operation).killed_after(&world, nth).await);
        nth += 1;
    }
    world.tamper("ModifyDBInstance", &[("DBInstanceIdentifier", "orders-r1"), ("DBInstanceClass", "db.t3.small")]);
    let error = world.operate(&operation).await.expect_err("a class waits");
    assert_eq!(error.message, "giving orders-r1 another name also does what waits for the window: DBInstanceClass");
    assert_eq!(world.region(|region| region.instances["orders-r1"].set.class.clone()), "db.t3.micro");
    assert_eq!(world.instances(), ["orders", "orders-r1", "orders-restored"]);
    // The window brings it, and then it is in nobody's way.
    world.pass(8 * 86_400);
    world.operate(&operation).await.expect("nothing waits any more");
    assert_eq!(world.left(&block()).await, [""; 0]);
}

/// It follows by the ARN, which has the name in it.
#[tokio::test]
async fn a_database_with_a_second_region_is_not_put_aside() {
    let more = [
        ("geo_redundant_backup", "true"),
        ("dr_region", "\"eu-west-1\""),
        ("dr_read_replica", "true"),
        ("dr_vpc_id", "\"vpc-default\""),
        ("dr_subnet_ids", "[\"subnet-a\", \"subnet-b\"]"),
    ];
    let block = with(SOURCE, &more);
    let world = World::whole(300).await;
    world.apply(&block).await;
    insta::assert_snapshot!(refused(&world, &block).await);
    // What nobody marked is in the way as well.
    let arn = world.region(|region| region.arn("db", "orders"));
    world.tamper("RemoveTagsFromResource", &[("ResourceName", &arn), ("TagKeys.member.1", "pgherd:region:eu-west-1")]);
    assert!(
        refused(&world, &block)
            .await
            .starts_with("orders cannot be given another name, by which it would lose copies of")
    );
}

/// Nobody but who made it knows where it is to lead.
#[tokio::test]
async fn somebody_elses_proxy_is_not_led_elsewhere_and_leads_to_no_old_one() {
    let block = with(SOURCE, &[("create_read_replica", "true")]);
    let world = World::whole(300).await;
    world.apply(&block).await;
    world.pass(3600);
    let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:theirs-AbCdEf";
    let theirs = [
        ("DBProxyName", "theirs"),
        ("EngineFamily", "POSTGRESQL"),
        ("Auth.member.1.SecretArn", secret),
        ("RoleArn", "arn:aws:iam::123456789012:role/theirs"),
        ("VpcSubnetIds.member.1", "subnet-a"),
        ("VpcSubnetIds.member.2", "subnet-b"),
    ];
    world.tamper("CreateDBProxy", &theirs);
    world.pass(3600);
    let led = [("DBProxyName", "theirs"), ("DBInstanceIdentifiers.member.1", "orders")];
    world.tamper("RegisterDBProxyTargets", &led);
    insta::assert_snapshot!(refused(&world, &block).await);
    world.tamper("DeregisterDBProxyTargets", &led);
    world.operate(&replace(&block)).await.expect("nobody leads to it");
}

#[tokio::test]
async fn somebody_elses_replica_keeps_its_name_and_its_tags() {
    let world = world(300).await;
    let theirs = [("DBInstanceIdentifier", "orders-r7"), ("SourceDBInstanceIdentifier", "orders")];
    world.tamper("CreateDBInstanceReadReplica", &theirs);
    world.pass(3600);
    world.operate(&replace(&block())).await.expect("it is restored");
    let (source, tags) = world.region(|region| {
        let tags = region.tags.get(&region.arn("db", "orders-r7")).cloned().unwrap_or_default();
        (region.instances["orders-r7"].source.clone().unwrap_or_default(), tags)
    });
    assert!(source.starts_with("orders-before-") && tags.is_empty(), "{source} {tags:?}");
    assert_eq!(world.left(&block()).await, [""; 0]);
}

#[tokio::test]
async fn killed_after_any_call_it_ends_well() {
    let before = world(300).await;
    let old = resource_id(&before, "orders");
    let then = async |world: World, nth| {
        if !world.was_the_last_call("pgherd:replaces") {
            let again = world.operate(&replace(&block())).await;
            again.unwrap_or_else(|error| panic!("killed after call {nth}: {error:?}"));
        }
        is_done(&world, &old);
        assert_eq!(world.left(&block()).await, [""; 0], "killed after call {nth}");
    };
    Doing::Verb(&replace(&block())).killed_anywhere(&before, 15, then).await;
}

#[tokio::test]
async fn whichever_answer_is_lost_it_ends_well() {
    let before = world(300).await;
    let old = resource_id(&before, "orders");
    let then = async |world: World, nth| {
        is_done(&world, &old);
        assert_eq!(world.left(&block()).await, [""; 0], "call {nth}");
    };
    Doing::Verb(&replace(&block())).answers_lost(&before, 15, then).await;
}

/// Whoever does not know whether the last call was done repeats the command, and restores nothing once more.
#[tokio::test]
async fn a_restore_that_was_done_is_not_done_again() {
    let world = world(300).await;
    world.operate(&replace(&block())).await.expect("it is restored");
    insta::assert_snapshot!(refused(&world, &block()).await, @r#"
    orders was put back from that already: orders latest
    to do it once more, take the tag pgherd:restored off the instance first
    "#);
    let arn = world.region(|region| region.arn("db", "orders"));
    world.tamper("RemoveTagsFromResource", &[("ResourceName", &arn), ("TagKeys.member.1", "pgherd:restored")]);
    let mut nth = 1;
    while !world.instances().contains(&"orders-restored".to_owned()) {
        assert!(Doing::Verb(&replace(&block())).killed_after(&world, nth).await, "somebody means it");
        nth += 1;
    }
}

/// The old one is in the groups of the new one, and AWS deletes no group that is used.
#[tokio::test]
async fn a_destroy_of_the_new_one_leaves_the_groups_that_the_old_one_is_in() {
    let world = world(300).await;
    world.operate(&replace(&block())).await.expect("it is restored");
    let free = with(&block(), &[("enable_deletion_protection", "false")]);
    world.apply(&free).await;
    let planned = world.plan_destroy(&free).await;
    let said: Vec<_> = planned.plan.diagnostics.iter().filter(|said| said.code == "groups-in-use").collect();
    let aside = world.instances().into_iter().find(|name| name.starts_with("orders-before-")).expect("the old one");
    let message = format!(
        "{aside} stays, and so does what it is in: parameter_group orders-pg16, subnet_group orders, security_group orders-db"
    );
    assert_eq!(said.iter().map(|said| said.message.clone()).collect::<Vec<_>>(), [message]);
    world.forget_what_was_asked();
    let (outcome, _) = world.walk(&free, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(_, error)| error.message.clone()).collect();
    let stays = |group: &str| format!("{group} stays, because {aside} is in it");
    assert!(
        failed.contains(&stays("security_group orders-db")) && failed.contains(&stays("subnet_group orders")),
        "{failed:?}"
    );
    // The end of the instance asks once whether its own may go, and nobody waits for that.
    let asked = |action: &str| world.writes_of_all().iter().filter(|call| call.starts_with(action)).count();
    let asked = ["DeleteDBSubnetGroup", "DeleteDBParameterGroup", "DeleteSecurityGroup"].map(asked);
    assert_eq!(asked, [1, 1, 0]);
    assert!(!world.instances().contains(&"orders".to_owned()));
}

/// Between the two names there is no instance of the block's, and an apply would make an empty one.
#[tokio::test]
async fn nobody_makes_a_database_anew_that_is_between_two_names() {
    let block = with(SOURCE, &[]);
    let begun = World::whole(300).await;
    begun.apply(&block).await;
    begun.pass(3600);
    let mut nth = 1;
    let world = loop {
        let world = begun.like().await;
        assert!(Doing::Verb(&replace(&block)).killed_after(&world, nth).await);
        world.pass(300);
        if !world.instances().contains(&"orders".to_owned()) {
            break world;
        }
        nth += 1;
    };
    let planned = world.plan(&block).await;
    assert!(changes(&planned).contains(&"create instance orders".to_owned()));
    let (outcome, _) = world.walk(&block, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(failed, ["a restore of orders was cut short: what was restored is called orders-restored"]);
    world.operate(&replace(&block)).await.expect("the same command goes on");
    assert_eq!(world.left(&block).await, [""; 0]);
}
