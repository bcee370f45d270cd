//! The password: made once, changed under open connections, found nowhere else.

use std::os::unix::fs::PermissionsExt as _;

use pgherd_core::secret::Secret;
use pgherd_core::value::Value;
use pgherd_engine::provider::Operation;

use crate::world::{NAME, World};

const WRITTEN: &str = "Corr3ct-horse-battery";

#[tokio::test]
async fn a_rotation_keeps_open_connections() {
    let world = World::new();
    world.apply(&[]).await;
    let old = password(&world).await;
    let session = world.log_in(&old).await.expect("logged in");
    world.operate(Operation::Rotate { name: NAME.to_owned() }).await;
    session.simple_query("SELECT 1").await.expect("the open connection was kept");
    let new = password(&world).await;
    assert_ne!(new, old);
    world.log_in(&new).await.expect("the new one works");
    world.log_in(&old).await.expect_err("the old one does not");
    assert_eq!(world.differences(&[]).await, [""; 0]);
}

#[tokio::test]
async fn a_written_password_is_compared_with_what_the_server_stores() {
    let world = World::new();
    let written = [("master_password", Value::Secret(Secret::new(WRITTEN)))];
    world.apply(&written).await;
    assert_eq!(world.differences(&written).await, [""; 0]);
    world.log_in(WRITTEN).await.expect("logged in");
    let other = [("master_password", Value::Secret(Secret::new("An0ther-password")))];
    assert_eq!(world.differences(&other).await, ["master_password"]);
    world.apply(&other).await;
    assert_eq!(password(&world).await, "An0ther-password");
    world.log_in("An0ther-password").await.expect("logged in");
}

#[tokio::test]
async fn a_rotation_cut_short_is_finished_by_the_next_agent() {
    let world = World::new();
    world.apply(&[]).await;
    let old = password(&world).await;
    world.kill_agent().await;
    // As if it had been killed between the pending secret and ALTER ROLE: the next one sets what was proposed.
    let layout = world.layout();
    let text =
        std::fs::read_to_string(layout.root.join("secret.json")).expect("text").replace(&old, "proposed-proposed");
    std::fs::write(layout.root.join("secret.pending.json"), text).expect("written");
    world.log_in(&old).await.expect("the old one works until then");
    world.operate(Operation::Rotate { name: NAME.to_owned() }).await;
    assert_eq!(password(&world).await, "proposed-proposed");
    world.log_in("proposed-proposed").await.expect("the proposed one is in force");
}

#[tokio::test]
async fn the_password_is_in_its_files_and_nowhere_else() {
    let world = World::new();
    let written = [
        ("master_password", Value::Secret(Secret::new(WRITTEN))),
        ("parameters", crate::life::parameters(&[("log_statement", "all"), ("log_min_duration_statement", "0")])),
    ];
    world.apply(&written).await;
    world.log_in("a-wrong-password").await.expect_err("refused");
    let generated = {
        world.operate(Operation::Rotate { name: NAME.to_owned() }).await;
        password(&world).await
    };
    // A refusal on the way to the server quotes nothing either.
    let bad = [written[0].clone(), ("parameters", crate::life::parameters(&[("work_mem", "lots")]))];
    let error = world.try_apply(&bad, true).await.expect_err("refused");
    let agent = world.agent().await;
    let said = format!(
        "{error:?} {:?} {:?} {:?}",
        agent.status(NAME).await,
        agent.instance(NAME).await,
        agent.events(NAME).await
    );
    let endpoint = world.status().await.endpoint;
    let holders = [endpoint.secret_file.clone(), endpoint.passfile.clone()];
    for secret in [WRITTEN.to_owned(), generated] {
        assert!(!said.contains(&secret));
        for (path, text) in world.texts() {
            let found = text.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found || holders.contains(&path), "{} holds the password", path.display());
        }
    }
    for holder in holders {
        assert_eq!(std::fs::metadata(&holder).expect("it is there").permissions().mode() & 0o777, 0o600);
    }
}

async fn password(world: &World) -> String {
    world.secret().await["password"].as_str().expect("text").to_owned()
}
