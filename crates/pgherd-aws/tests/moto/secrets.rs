//! The secret: what stands in it, how it survives, and how a password is changed.

use pgherd_aws::{Form, Service};
use pgherd_core::resource::{Id, Status};
use pgherd_core::value::Value;
use serde_json::{Value as Json, json};

use crate::proxy::Asked;
use crate::world::World;

const NAME: &str = "pgherd/orders/master";
const BLOCK: &str = "database_name = \"shop\"\nmaster_username = \"app\"\ntags = { Owner = \"ann\" }\n";

async fn version(world: &World, stage: &str) -> Option<String> {
    let stages = world.json(Service::SecretsManager, "DescribeSecret", &json!({ "SecretId": NAME })).await;
    let has = |(_, stages): &(&String, &Json)| stages.as_array().expect("stages").contains(&json!(stage));
    stages["VersionIdsToStages"].as_object().expect("versions").iter().find(has).map(|(version, _)| version.clone())
}

async fn text(world: &World, stage: &str) -> Option<String> {
    version(world, stage).await?;
    let body = json!({ "SecretId": NAME, "VersionStage": stage });
    let value = world.json(Service::SecretsManager, "GetSecretValue", &body).await;
    Some(value["SecretString"].as_str().expect("a text").to_owned())
}

fn password_in(text: &str) -> String {
    let json: Json = serde_json::from_str(text).expect("JSON");
    json["password"].as_str().expect("a password").to_owned()
}

async fn password(world: &World, stage: &str) -> Option<String> {
    text(world, stage).await.map(|text| password_in(&text))
}

fn with_password(password: &str) -> String {
    format!("{BLOCK}master_password = \"{password}\"\n")
}

/// The passwords that RDS was given, the last one of which is in force.
fn given(asked: &[Asked]) -> Vec<String> {
    asked.iter().filter_map(|asked| asked.field("MasterUserPassword")).collect()
}

#[tokio::test]
async fn the_secret_is_this_byte_for_byte_and_was_there_before_the_instance() {
    let Some(world) = World::new("eu-south-1").await else { return };
    world.apply(BLOCK).await;
    let asked = world.asked();
    let place = |action: &str| asked.iter().position(|asked| asked.action == action).expect("it was asked");
    assert!(place("CreateSecret") < place("CreateDBInstance") && place("CreateDBInstance") < place("PutSecretValue"));
    let host = world.seen(BLOCK, "instance").await.expect("an instance").props["Endpoint.Address"].to_string();
    let password = given(&asked).pop().expect("a password");
    let expected =
        format!(r#"{{"username":"app","password":"{password}","host":"{host}","port":5432,"dbname":"shop"}}"#);
    assert_eq!(text(&world, "AWSCURRENT").await, Some(expected));
    assert_eq!(world.left(BLOCK).await, "");
    assert_eq!(password.len(), 32);
}

#[tokio::test]
async fn what_others_write_into_the_secret_is_put_right() {
    let Some(world) = World::new("eu-south-2").await else { return };
    world.apply(BLOCK).await;
    let mine = password(&world, "AWSCURRENT").await.expect("a password");
    let other = json!({ "username": "eve", "password": mine, "host": "elsewhere", "port": "5432", "dbname": "x" });
    let put = json!({ "SecretId": NAME, "SecretString": other.to_string() });
    world.json(Service::SecretsManager, "PutSecretValue", &put).await;
    let tag = json!({ "SecretId": NAME, "Tags": [{ "Key": "Owner", "Value": "eve" }] });
    world.json(Service::SecretsManager, "TagResource", &tag).await;
    assert_eq!(world.left(BLOCK).await, format!("update secret {NAME}: Tags.Owner, dbname, host, port, username"));
    world.asked();
    world.apply(BLOCK).await;
    assert_eq!(world.left(BLOCK).await, "");
    // The password is the one in force, so nobody needs a new one.
    assert_eq!(password(&world, "AWSCURRENT").await, Some(mine));
    assert!(given(&world.asked()).is_empty());
}

#[tokio::test]
async fn a_password_that_is_written_is_rotated_in() {
    let Some(world) = World::new("ap-south-2").await else { return };
    world.apply(&with_password("the-first-one")).await;
    assert_eq!(given(&world.asked()), ["the-first-one"]);
    assert_eq!(world.left(&with_password("the-first-one")).await, "");
    assert_eq!(world.left(BLOCK).await, "");
    assert_eq!(world.left(&with_password("the-second-one")).await, format!("update secret {NAME}: password"));
    world.asked();
    world.apply(&with_password("the-second-one")).await;
    let asked = world.asked();
    assert_eq!(given(&asked), ["the-second-one"]);
    let modify = asked.iter().find(|asked| asked.action == "ModifyDBInstance").expect("it was modified");
    assert_eq!(modify.field("ApplyImmediately").as_deref(), Some("false"));
    assert_eq!(password(&world, "AWSCURRENT").await.as_deref(), Some("the-second-one"));
    assert_eq!(password(&world, "AWSPREVIOUS").await.as_deref(), Some("the-first-one"));
    assert_eq!(version(&world, "AWSPENDING").await, None);
    assert_eq!(world.left(&with_password("the-second-one")).await, "");
}

#[tokio::test]
async fn a_new_password_is_in_force_and_in_the_secret() {
    let Some(world) = World::new("ap-southeast-7").await else { return };
    assert_eq!(world.rotate().await.expect_err("nothing is there").message, format!("secret {NAME} is not there"));
    world.apply(BLOCK).await;
    let before = text(&world, "AWSCURRENT").await.expect("a text");
    world.asked();
    world.rotate().await.expect("rotated");
    let after = text(&world, "AWSCURRENT").await.expect("a text");
    assert_eq!(given(&world.asked()), [password_in(&after)]);
    assert_eq!(after.replace(&password_in(&after), "*"), before.replace(&password_in(&before), "*"));
    assert_ne!(after, before);
    assert_eq!(world.left(BLOCK).await, "");
}

#[tokio::test]
async fn a_rotation_that_is_cut_short_anywhere_ends_well() {
    let Some(world) = World::new("ap-southeast-1").await else { return };
    world.apply(&with_password("password-0")).await;
    let mut in_force = given(&world.asked()).pop().expect("a password");
    let mut cuts = 0;
    for number in 0.. {
        let wanted = format!("password-{}", number + 1);
        let is_cut = world.apply_cut(&with_password(&wanted), number).await;
        in_force = given(&world.asked()).pop().unwrap_or(in_force);
        let (current, pending) = (password(&world, "AWSCURRENT").await, password(&world, "AWSPENDING").await);
        assert!(
            [current.as_deref(), pending.as_deref()].contains(&Some(in_force.as_str())),
            "cut after request {number} nobody knows {in_force}: {current:?}, {pending:?}"
        );
        world.apply(&with_password(&wanted)).await;
        in_force = given(&world.asked()).pop().unwrap_or(in_force);
        assert_eq!(world.left(&with_password(&wanted)).await, "", "cut after request {number}");
        assert_eq!((password(&world, "AWSCURRENT").await.as_ref(), &in_force), (Some(&wanted), &wanted));
        assert_eq!(version(&world, "AWSPENDING").await, None);
        if !is_cut {
            break;
        }
        cuts += 1;
    }
    // Four requests that change something, and looks between them.
    assert!(cuts > 4, "{cuts}");
}

#[tokio::test]
async fn a_rotation_that_was_cut_short_is_told() {
    let Some(world) = World::new("ap-southeast-2").await else { return };
    world.apply(BLOCK).await;
    let document = text(&world, "AWSCURRENT").await.expect("a text");
    let body = json!({ "SecretId": NAME, "SecretString": document, "VersionStages": ["AWSPENDING"] });
    world.json(Service::SecretsManager, "PutSecretValue", &body).await;
    let expected = format!("half-made: secret {NAME} is half-made: a rotation was cut short\ncreate secret {NAME}");
    assert_eq!(world.left(BLOCK).await, expected);
    world.apply(BLOCK).await;
    assert_eq!(world.left(BLOCK).await, "");
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_and_is() {
    let Some(world) = World::new("ap-southeast-3").await else { return };
    world.apply(BLOCK).await;
    let before = text(&world, "AWSCURRENT").await;
    world.json(Service::SecretsManager, "DeleteSecret", &json!({ "SecretId": NAME, "RecoveryWindowInDays": 7 })).await;
    assert_eq!(world.left(BLOCK).await, format!("create secret {NAME}"));
    world.asked();
    world.apply(BLOCK).await;
    assert_eq!(text(&world, "AWSCURRENT").await, before);
    assert_eq!(world.actions(&["RestoreSecret", "CreateSecret", "ModifyDBInstance"]), ["RestoreSecret"]);
    // Away with all of it, and a database of the same name again.
    world.destroy(BLOCK).await;
    let asked = world.asked();
    let delete = asked.iter().find(|asked| asked.action == "DeleteSecret").expect("it was deleted");
    assert!(delete.body().contains("\"RecoveryWindowInDays\":30"), "{}", delete.body());
    assert!(world.told().contains(&"can be restored for 30 days".to_owned()));
    let there = world.observe(BLOCK).await;
    assert_eq!(there.iter().map(|seen| seen.id.to_string()).collect::<Vec<_>>(), [""; 0]);
    world.apply(BLOCK).await;
    assert_eq!(world.left(BLOCK).await, "");
    let asked = world.asked();
    assert_eq!(given(&asked).pop(), password(&world, "AWSCURRENT").await);
}

#[tokio::test]
async fn a_secret_that_is_gone_for_good_is_made_anew_with_a_new_password() {
    let Some(world) = World::new("ap-northeast-1").await else { return };
    world.apply(BLOCK).await;
    let before = password(&world, "AWSCURRENT").await;
    let gone = json!({ "SecretId": NAME, "ForceDeleteWithoutRecovery": true });
    world.json(Service::SecretsManager, "DeleteSecret", &gone).await;
    world.asked();
    // Cut short everywhere, too.
    let mut number = 0;
    while world.apply_cut(BLOCK, number).await {
        number += 1;
    }
    let now = password(&world, "AWSCURRENT").await;
    assert!(now.is_some() && now != before);
    assert_eq!(given(&world.asked()).pop(), now);
    assert_eq!(world.left(BLOCK).await, "");
}

#[tokio::test]
async fn a_secret_without_a_password_is_broken_until_it_is_rotated() {
    let Some(world) = World::new("ap-northeast-2").await else { return };
    world.apply(BLOCK).await;
    let put = json!({ "SecretId": NAME, "SecretString": "just a word" });
    world.json(Service::SecretsManager, "PutSecretValue", &put).await;
    assert!(
        world.left(BLOCK).await.starts_with(&format!("broken: secret {NAME} is broken: there is no password in it"))
    );
    world.asked();
    let error = world.try_apply(BLOCK).await.expect_err("nobody knows the password");
    assert!(error.help.contains("rotate"), "{error:?}");
    assert!(given(&world.asked()).is_empty());
    world.rotate().await.expect("a new one");
    assert_eq!(given(&world.asked()).pop(), password(&world, "AWSCURRENT").await);
    assert_eq!(world.left(BLOCK).await, "");
}

#[tokio::test]
async fn a_secret_of_somebody_else_is_left_alone() {
    let Some(world) = World::new("ap-northeast-3").await else { return };
    let theirs = json!({ "Name": NAME, "SecretString": "{\"password\":\"theirs-alone\"}" });
    world.json(Service::SecretsManager, "CreateSecret", &theirs).await;
    let left = world.left(BLOCK).await;
    assert!(left.starts_with(&format!("not-ours: secret {NAME} exists and is not pgherd's")), "{left}");
    world.create(&world.resource(BLOCK, "security_group")).await.expect("made");
    let instance = world.resource(BLOCK, "instance");
    world.asked();
    let error = world.create(&instance).await.expect_err("no password is known");
    assert!(error.message.contains("is not pgherd's") && !error.message.contains("theirs-alone"), "{error}");
    assert!(world.delete(&Id::new("secret", NAME)).await.is_err());
    assert_eq!(world.actions(&["CreateDBInstance", "PutSecretValue", "DeleteSecret", "RestoreSecret"]), [""; 0]);
}

#[tokio::test]
async fn no_password_is_ever_shown() {
    let Some(world) = World::new("il-central-1").await else { return };
    let block = with_password("hunter2-of-mine");
    world.apply(&block).await;
    let shown = format!("{:?} {:?} {:?}", world.resources(&block), world.observe(&block).await, world.told());
    assert!(!shown.contains("hunter2-of-mine"));
    let seen = world.seen(&block, "secret").await.expect("a secret");
    assert_eq!(seen.status, Status::Available);
    assert!(matches!(seen.props["password"], Value::Secret(_)));
    // A rotation that RDS refuses quotes nothing of it.
    world
        .query(
            Service::Rds,
            Form::new("DeleteDBInstance").set("DBInstanceIdentifier", "orders").set("SkipFinalSnapshot", true),
        )
        .await;
    let update = world.resource(&with_password("hunter3-of-mine"), "secret");
    let error = world.create(&update).await.expect_err("there is no instance");
    assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
}
