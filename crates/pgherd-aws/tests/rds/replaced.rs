//! Databases that are restored in their own place: the old one is put aside, and nothing is deleted.

use pgherd_engine::provider::{Operation, Point};

use crate::restored::SOURCE;
use crate::world::{World, changes, spec, with};

fn block() -> String {
    with(SOURCE, &[("create_read_replica", "true")])
}

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

#[tokio::test]
async fn killed_after_any_call_it_ends_well() {
    let undisturbed = world(300).await;
    undisturbed.operate(&replace(&block())).await.expect("it is restored");
    let numbers = undisturbed.numbers_of_writes();
    assert!(numbers.len() > 10, "only {numbers:?}");
    for nth in numbers {
        let world = world(300).await;
        let old = resource_id(&world, "orders");
        assert!(world.operation_killed_after(&replace(&block()), nth).await);
        if !world.was_the_last_call("pgherd:replaces") {
            let again = world.operate(&replace(&block())).await;
            again.unwrap_or_else(|error| panic!("killed after call {nth}: {error:?}"));
        }
        is_done(&world, &old);
        assert_eq!(world.left(&block()).await, [""; 0], "killed after call {nth}");
    }
}

/// Between the two names there is no instance of the block's, and an apply would make an empty one.
#[tokio::test]
async fn nobody_makes_a_database_anew_that_is_between_two_names() {
    let block = with(SOURCE, &[]);
    let world = World::whole(300).await;
    world.apply(&block).await;
    world.tamper("CreateDBSnapshot", &[("DBSnapshotIdentifier", "orders-1"), ("DBInstanceIdentifier", "orders")]);
    world.pass(3600);
    let mut nth = 1;
    while world.instances().contains(&"orders".to_owned()) {
        assert!(world.operation_killed_after(&replace(&block), nth).await);
        world.pass(300);
        nth += 1;
    }
    let planned = world.plan(&block).await;
    assert!(changes(&planned).contains(&"create instance orders".to_owned()));
    let (outcome, _) = world.walk(&block, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(failed, ["a restore of orders was cut short: what was restored is called orders-restored"]);
    world.operate(&replace(&block)).await.expect("the same command goes on");
    assert_eq!(world.left(&block).await, [""; 0]);
}
