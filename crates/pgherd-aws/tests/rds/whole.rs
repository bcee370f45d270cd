//! A whole block: an instance, its replica, and everything that stands around them, on one emulated AWS.

use crate::world::{SMALL, WHOLE, World, changes, with};

/// Tags are compared on the servers and carried to the rest.
#[tokio::test]
async fn a_tag_that_changes_is_carried_to_everything_around() {
    let world = World::whole(20).await;
    world.apply(WHOLE).await;
    let block = with(WHOLE, &[("tags", "{ Owner = \"bob\" }")]);
    world.apply(&block).await;
    assert_eq!(world.left(&block).await, [""; 0]);
    let of_rds = world.region(|region| {
        let owners = region.tags.iter().map(|(arn, tags)| (arn.clone(), tags.get("Owner").cloned()));
        owners.filter(|(_, owner)| owner.as_deref() != Some("bob")).map(|(arn, _)| arn).collect::<Vec<_>>()
    });
    assert_eq!(of_rds, [""; 0]);
}

/// The bar is three: the server, its alarms, and its secret, which is read only where its version's id does not say what is in it.
#[tokio::test]
async fn a_look_at_a_database_in_groups_that_are_there_takes_three_requests() {
    let world = World::whole(20).await;
    let family = [("DBParameterGroupName", "shared"), ("DBParameterGroupFamily", "postgres16"), ("Description", "all")];
    world.tamper("CreateDBParameterGroup", &family);
    let block = with(SMALL, &[("parameter_group_name", "\"shared\""), ("subnet_ids", "")]);
    world.apply(&block).await;
    let asked = || {
        let mut asked: Vec<String> = world.emulator.asked().iter().map(|asked| asked.action.clone()).collect();
        asked.sort_unstable();
        asked
    };
    world.forget_what_was_asked();
    assert_eq!(world.left(&block).await, [""; 0]);
    assert_eq!(asked(), ["DescribeAlarms", "DescribeDBInstances", "DescribeSecret"]);
    // Whoever else writes it leaves no such id, and so it is read.
    world.keep_in_secret(
        "orders",
        r#"{"username":"postgres","password":"x","host":"elsewhere","port":5432,"dbname":"app"}"#,
    );
    world.forget_what_was_asked();
    let left = world.left(&block).await;
    assert!(left.iter().any(|line| line.contains("host elsewhere -> ")), "{left:?}");
    // And where there is something to do, it is looked whose the key of the storage is.
    assert_eq!(asked(), ["DescribeAlarms", "DescribeDBInstances", "DescribeKey", "DescribeSecret", "GetSecretValue"]);
}

/// A secret is encrypted with the key of its database, however the key is called.
#[tokio::test]
async fn the_secret_of_a_database_with_a_key_has_that_key() {
    let world = World::whole(20).await;
    let without = with(SMALL, &[("name", "\"others\"")]);
    world.apply(&without).await;
    assert_eq!(world.secret_key("others"), None);
    let own = world.customer_key();
    // That of RDS is for RDS alone, however it is called.
    let all = [("first", "alias/aws/rds", None), ("second", "of-alias-aws-rds", None), ("third", &own, Some(&own))];
    for (name, key, expected) in all {
        let block = with(SMALL, &[("name", &format!("\"{name}\"")), ("kms_key_id", &format!("\"{key}\""))]);
        world.apply(&block).await;
        assert_eq!(world.secret_key(name).as_ref(), expected, "{key}");
        assert_eq!(world.left(&block).await, [""; 0]);
    }
}

/// What somebody else encrypted otherwise gets the key that is written, unless that cannot be used.
#[tokio::test]
async fn a_secret_gets_another_key() {
    let world = World::whole(20).await;
    let (own, other) = (world.customer_key(), world.customer_key());
    let block = with(SMALL, &[("kms_key_id", &format!("\"{own}\""))]);
    world.apply(&block).await;
    world.encrypt_secret("orders", &other);
    world.forget_what_was_asked();
    let change = format!("update secret pgherd/orders/master: KmsKeyId {other} -> {own}");
    assert_eq!(changes(&world.apply(&block).await), [change.as_str()]);
    assert_eq!(world.writes_of_all(), ["UpdateSecret pgherd/orders/master"]);
    assert_eq!(world.secret_key("orders"), Some(own.clone()));
    assert_eq!(world.left(&block).await, [""; 0]);

    world.encrypt_secret("orders", &other);
    world.disable_key(&own);
    world.forget_what_was_asked();
    let planned = world.plan(&block).await;
    assert_eq!(changes(&planned), [change.as_str()]);
    assert_eq!(planned.plan.diagnostics.iter().map(|told| told.code).collect::<Vec<_>>(), ["kms-key"]);
    // Whoever may not look at keys learns it of Secrets Manager.
    world.fault(r#"{"action": "DescribeKey", "fault": "denied", "times": 2}"#);
    let planned = world.plan(&block).await;
    assert_eq!(planned.plan.diagnostics.iter().map(|told| told.code).collect::<Vec<_>>(), ["could-not-check"]);
    let (outcome, _) = world.walk(&block, &planned).await;
    assert!(!outcome.is_success() && format!("{outcome:?}").contains("EncryptionFailure"), "{outcome:?}");
    assert_eq!(world.secret_key("orders"), Some(other));
}
