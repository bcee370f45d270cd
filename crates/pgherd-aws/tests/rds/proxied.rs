//! RDS Proxy in front of an instance: made, changed in place, taken away; whatever is cut short goes on.

use crate::cut::Doing;
use crate::world::{World, changes, with};

const PROXIED: &str = r#"
    name                = "orders"
    engine_version      = "16.13"
    instance_class      = "db.t3.micro"
    allocated_storage   = 20
    vpc_id              = "vpc-default"
    subnet_ids          = ["subnet-a", "subnet-b", "subnet-c"]
    allowed_cidr_blocks = ["10.0.0.0/16"]
    enable_proxy        = true
    parameters          = [{ name = "max_connections", value = "200" }]
"#;

fn without() -> String {
    with(PROXIED, &[("enable_proxy", "")])
}

/// A call takes long here, so that there are few of them.
const SECONDS: i64 = 300;

async fn proxied() -> World {
    let world = World::whole(20).await;
    world.apply(PROXIED).await;
    world
}

fn proxies(world: &World) -> Vec<String> {
    world.region(|region| region.proxies.keys().cloned().collect())
}

fn of_proxy(world: &World) -> Vec<String> {
    let asked = world.emulator.asked();
    let own = asked.iter().filter(|asked| asked.action.contains("Proxy") && !asked.action.starts_with("Describe"));
    own.map(|asked| asked.action.clone()).collect()
}

#[tokio::test]
async fn it_is_made_led_to_its_instance_and_then_left_alone() {
    let world = proxied().await;
    assert_eq!(of_proxy(&world), ["CreateDBProxy", "ModifyDBProxyTargetGroup", "RegisterDBProxyTargets"]);
    let plan = world.plan(PROXIED).await;
    assert_eq!((changes(&plan), plan.plan.diagnostics.as_slice()), (Vec::new(), [].as_slice()));
    world.forget_what_was_asked();
    world.apply(PROXIED).await;
    assert_eq!(world.writes_of_all(), [""; 0]);
}

#[tokio::test]
async fn a_block_without_one_asks_for_none() {
    let world = World::whole(20).await;
    world.apply(&without()).await;
    world.forget_what_was_asked();
    world.apply(&without()).await;
    let asked = world.emulator.asked();
    assert!(asked.iter().all(|asked| !asked.action.contains("Proxy") && asked.action != "GetRole"), "{asked:?}");
}

#[tokio::test]
async fn it_goes_when_nobody_wants_it_and_its_role_and_rule_with_it() {
    let world = proxied().await;
    world.apply(&without()).await;
    assert_eq!(world.left(&without()).await, [""; 0]);
    assert_eq!(proxies(&world), [""; 0]);
    // The mark is gone, too, so that nothing is looked for any more.
    world.forget_what_was_asked();
    world.apply(&without()).await;
    assert!(world.emulator.asked().iter().all(|asked| !asked.action.contains("Proxy") && asked.action != "GetRole"));
    assert_eq!(world.instances(), ["orders"]);
}

#[tokio::test]
async fn it_goes_before_its_instance_and_what_it_uses() {
    let world = proxied().await;
    world.forget_what_was_asked();
    let outcome = world.destroy(PROXIED).await;
    assert!(outcome.is_success(), "{outcome:?}");
    let asked: Vec<String> = world.emulator.asked().into_iter().map(|asked| asked.action).collect();
    let at = |action: &str| asked.iter().position(|asked| asked == action).unwrap_or_else(|| panic!("no {action}"));
    let gone = at("DeleteDBProxy");
    assert!(at("DeregisterDBProxyTargets") < gone);
    assert!(["DeleteDBInstance", "DeleteRole", "DeleteSecurityGroup", "DeleteSecret"].iter().all(|it| at(it) > gone));
    assert_eq!((proxies(&world), world.instances()), (Vec::new(), Vec::new()));
}

/// What somebody else does to it, and what a plan then wants.
async fn check_drift(action: &str, parameters: &[(&str, &str)], expected: &str) {
    let world = proxied().await;
    let named = [&[("DBProxyName", "orders-proxy")], parameters].concat();
    world.tamper(action, &named);
    assert_eq!(world.left(PROXIED).await, [expected]);
    world.apply(PROXIED).await;
    assert_eq!(world.left(PROXIED).await, [""; 0], "after {expected}");
}

#[tokio::test]
async fn whatever_somebody_changes_about_it_is_put_right() {
    let modify = "ModifyDBProxy";
    check_drift(modify, &[("RequireTLS", "false")], "update proxy orders-proxy: RequireTLS false -> true").await;
    check_drift(modify, &[("IdleClientTimeout", "60")], "update proxy orders-proxy: IdleClientTimeout 60 -> 1800")
        .await;
    check_drift(modify, &[("DebugLogging", "true")], "update proxy orders-proxy: DebugLogging true -> false").await;
    let pool = [("TargetGroupName", "default"), ("ConnectionPoolConfig.MaxConnectionsPercent", "50")];
    let both = "update proxy orders-proxy: MaxConnectionsPercent 50 -> 10\
                ;update proxy orders-proxy: MaxIdleConnectionsPercent 25 -> 5";
    let world = proxied().await;
    world.tamper("ModifyDBProxyTargetGroup", &[&[("DBProxyName", "orders-proxy")], &pool[..]].concat());
    assert_eq!(world.left(PROXIED).await.join(";"), both);
    world.apply(PROXIED).await;
    assert_eq!(world.left(PROXIED).await, [""; 0]);
    check_drift(
        "DeregisterDBProxyTargets",
        &[("DBInstanceIdentifiers.member.1", "orders")],
        "update proxy orders-proxy: Targets [] -> [orders]",
    )
    .await;
}

#[tokio::test]
async fn another_size_of_the_pool_is_changed_in_place() {
    let world = proxied().await;
    let block = with(PROXIED, &[("proxy_config", "{ default_pool_size = 50 }")]);
    world.forget_what_was_asked();
    world.apply(&block).await;
    assert_eq!(of_proxy(&world), ["ModifyDBProxyTargetGroup"]);
    assert_eq!(world.left(&block).await, [""; 0]);
}

#[tokio::test]
async fn somebody_elses_proxy_is_left_alone() {
    let world = World::whole(20).await;
    world.apply(&without()).await;
    let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:theirs-AbCdEf";
    let theirs = [
        ("DBProxyName", "orders-proxy"),
        ("EngineFamily", "POSTGRESQL"),
        ("Auth.member.1.SecretArn", secret),
        ("RoleArn", "arn:aws:iam::123456789012:role/theirs"),
        ("VpcSubnetIds.member.1", "subnet-a"),
        ("VpcSubnetIds.member.2", "subnet-b"),
    ];
    world.tamper("CreateDBProxy", &theirs);
    let planned = world.plan(PROXIED).await;
    let codes: Vec<_> = planned.plan.diagnostics.iter().map(|said| said.code).collect();
    assert!(codes.contains(&"not-ours") && planned.plan.is_refused(), "{codes:?}");
    let outcome = world.destroy(PROXIED).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(proxies(&world), ["orders-proxy"]);
}

#[tokio::test]
async fn one_that_does_not_reach_its_instance_says_why() {
    let world = proxied().await;
    let trouble = |word: Option<&'static str>| {
        world.region(|region| {
            let targets = region.proxies.values_mut().flat_map(|proxy| &mut proxy.targets);
            targets.for_each(|target| target.trouble = word);
        });
    };
    trouble(Some("AUTH_FAILURE"));
    let planned = world.plan(PROXIED).await;
    let said: Vec<_> = planned.plan.diagnostics.iter().map(|said| format!("{}: {}", said.code, said.message)).collect();
    let words = "orders does not let it in: the secret holds another password, or the role may not read it";
    assert_eq!(said, [format!("proxy-target: the proxy orders-proxy leads nowhere: {words}")]);
    // A change of it is not done until it works.
    let block = with(PROXIED, &[("proxy_config", "{ default_pool_size = 50 }")]);
    let planned = world.plan(&block).await;
    let (outcome, _) = world.walk(&block, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(id, error)| format!("{id}: {}", error.message)).collect();
    let expected = format!("proxy orders-proxy: the proxy orders-proxy is there and does not work: {words}");
    assert_eq!(failed, [expected]);
    trouble(None);
    assert_eq!(world.left(&block).await, [""; 0]);
}

/// Every thing of a proxy, and how often it was made.
fn made(world: &World) -> Vec<String> {
    let asked = world.emulator.asked();
    let names = ["CreateDBProxy", "CreateDBInstance", "CreateRole", "RegisterDBProxyTargets"];
    let created = asked.iter().filter(|asked| names.contains(&asked.action.as_str()));
    let created = created.filter(|asked| ["ok", "lost", "hang"].contains(&asked.outcome.as_str()));
    created.map(|asked| asked.action.clone()).collect()
}

/// A world without the proxy, or with it.
async fn applied(block: &str) -> World {
    let world = World::whole(SECONDS).await;
    world.apply(block).await;
    world
}

#[tokio::test]
async fn killed_after_any_call_of_a_creation_it_ends_well_and_nothing_is_made_twice() {
    let then = async |world: World, nth| {
        let mut all = made(&world);
        world.forget_what_was_asked();
        world.apply(PROXIED).await;
        all.extend(made(&world));
        all.sort();
        assert_eq!(all, ["CreateDBProxy", "CreateRole", "RegisterDBProxyTargets"], "killed after call {nth}");
        assert_eq!(world.left(PROXIED).await, [""; 0], "killed after call {nth}");
    };
    Doing::Apply(PROXIED).killed_anywhere(&applied(&without()).await, 7, then).await;
}

#[tokio::test]
async fn whichever_answer_is_lost_one_apply_is_enough() {
    let then = async |world: World, nth| {
        assert_eq!(proxies(&world), ["orders-proxy"], "call {nth}");
        assert_eq!(world.left(PROXIED).await, [""; 0], "call {nth}");
    };
    Doing::Apply(PROXIED).answers_lost(&applied(&without()).await, 7, then).await;
}

/// It was taken out of the block meanwhile, so only the mark on the instance tells of what is left.
#[tokio::test]
async fn killed_after_any_call_of_its_end_nothing_is_left_over() {
    let after = without();
    let then = async |world: World, nth| {
        world.pass(3600);
        world.apply(&after).await;
        assert_eq!(world.left(&after).await, [""; 0], "killed after call {nth}");
        assert_eq!(proxies(&world), [""; 0], "killed after call {nth}");
    };
    Doing::Apply(&after).killed_anywhere(&applied(PROXIED).await, 5, then).await;
}

/// Taken out of the block before it was ever done: what was made of it is found.
#[tokio::test]
async fn one_that_was_cut_short_and_given_up_leaves_nothing() {
    let then = async |world: World, nth| {
        world.pass(3600);
        world.apply(&without()).await;
        let left = (proxies(&world), world.left(&without()).await);
        assert_eq!(left, (Vec::new(), Vec::new()), "killed after call {nth}");
    };
    Doing::Apply(PROXIED).killed_anywhere(&applied(&without()).await, 7, then).await;
}
