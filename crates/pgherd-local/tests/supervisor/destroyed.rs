//! The end of a database, cut short or refused half-way: nothing that was committed is missing, and who may come in does.

use std::path::PathBuf;

use pgherd_engine::provider::{Operation, Point, Provider as _};
use pgherd_local::postgres::processes::Watch;
use rustix::process::Signal;

use crate::backups::restore;
use crate::world::{DEADLINE, LOOK_AGAIN, NAME, World, events};

/// A client whose session does not end when it is told to: whoever shuts clients out waits for it.
struct Stuck(Watch);

impl Stuck {
    async fn of(world: &World) -> (Self, tokio_postgres::Client) {
        let secret = world.secret().await;
        let client = world.log_in(secret["password"].as_str().expect("text")).await.expect("logged in");
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.expect("told").get(0);
        let watch = Watch::open(pid).expect("processes can be watched").expect("there");
        watch.signal(Signal::STOP).expect("ours");
        (Self(watch), client)
    }

    fn goes_on(self) {
        self.0.signal(Signal::CONT).expect("ours");
    }
}

impl World {
    fn hba(&self) -> PathBuf {
        self.layout().hba_conf()
    }

    /// Returns when nobody is let in any more.
    async fn is_shut(&self) {
        let end = tokio::time::Instant::now() + DEADLINE;
        while !std::fs::read_to_string(self.hba()).is_ok_and(|text| text.contains("the last backup is being taken")) {
            assert!(tokio::time::Instant::now() < end, "it is never shut");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn destroy(
        &self,
        last: &'static str,
    ) -> tokio::task::JoinHandle<Result<(), pgherd_engine::provider::ProviderError>> {
        let local = self.local.clone();
        tokio::spawn(async move {
            let id = pgherd_core::resource::Id::new("instance", NAME);
            let how = pgherd_engine::provider::Deletion { final_backup: Some(last.to_owned()) };
            local.delete(&id, &how, &events()).await
        })
    }
}

/// The last backup fails, and so does the way back: clients come in again all the same, when it is tried the next time.
#[tokio::test]
async fn clients_come_in_again_where_the_way_back_failed_as_well() {
    let world = World::new();
    world.apply(&[]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    // Somebody's own backup has the name.
    world.back_up("last").await;
    let (stuck, client) = Stuck::of(&world).await;
    let destroyed = world.destroy("last");
    world.is_shut().await;
    // Where the file is written first, there is a folder.
    std::fs::create_dir(world.hba().with_extension("next")).expect("made");
    stuck.goes_on();
    let refused = destroyed.await.expect("ended").expect_err("there is a backup of that name");
    assert!(refused.message.contains("there is a backup named last already"), "{refused}");
    drop(client);
    world.told("clients cannot come into n1 again: ").await;
    // It is tried again by itself within a minute, and at once when somebody asks for anything.
    world.operate(Operation::Start { name: NAME.to_owned() }).await;
    let (secret, end) = (world.secret().await, tokio::time::Instant::now() + DEADLINE);
    let password = secret["password"].as_str().expect("text");
    let client = loop {
        match world.log_in(password).await {
            Ok(client) => break client,
            Err(error) => assert!(tokio::time::Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    client.batch_execute("CREATE TABLE again (id int)").await.expect("it is a database again");
}

/// SIGKILL between shutting clients out and the last backup: the next agent lets nobody in either, and takes it.
#[tokio::test]
async fn a_destroy_that_was_killed_before_its_last_backup_takes_it() {
    let world = World::new();
    world.apply(&[]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.took_its_first().await;
    let password = world.secret().await["password"].as_str().expect("text").to_owned();
    let endpoint = world.status().await.endpoint;
    let (stuck, client) = Stuck::of(&world).await;
    let destroyed = world.destroy("last");
    world.is_shut().await;
    world.kill_agent().await;
    destroyed.await.expect("ended").expect_err("nobody answers any more");
    stuck.goes_on();
    drop(client);
    world.agent().await;
    let mut config = tokio_postgres::Config::new();
    config.host_path(&endpoint.socket_dir).port(endpoint.port).user(&endpoint.username).password(&password);
    assert!(config.dbname(&endpoint.database).connect(tokio_postgres::NoTls).await.is_err(), "nobody comes in");
    world.delete(Some("last")).await.expect("destroyed");
    assert!(!world.data().exists());
    let kept = world.backups(NAME).await.kept;
    assert!(kept.iter().any(|kept| kept.name == "last" && kept.last == Some(true)), "{kept:?}");
    world.operate(restore(&world, "db-last", Point::Backup("last".to_owned()))).await;
    assert_eq!(world.rows("db-last").await, "1");
    world.operate(Operation::Stop { name: "db-last".to_owned() }).await;
}

/// Whoever forgets a database leaves it with everything: server, log and backups go on, nothing of it is changed or deleted by a plan.
#[tokio::test]
async fn what_is_forgotten_goes_on_with_everything_and_is_taken_back() {
    let world = World::new();
    world.apply(&[]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("first").await;
    let (spec, postmaster) = (Box::new(world.spec(&[])), world.postmaster_pid());
    world.operate(Operation::Forget { spec: spec.clone() }).await;
    world.operate(Operation::Forget { spec: spec.clone() }).await;
    let plan = world.plan(&spec, false).await;
    assert!(plan.steps.is_empty() && plan.diagnostics.iter().any(|said| said.code == "not-ours"), "{plan:?}");
    for refused in [
        world.delete(None).await.expect_err("refused"),
        world.refused(Operation::Stop { name: NAME.to_owned() }).await,
        world
            .local
            .create(&world.local.desired(&spec)[0], pgherd_engine::provider::ApplyNow(true), &events())
            .await
            .expect_err("refused"),
    ] {
        assert_eq!(refused.message, "pgherd was told to leave db alone");
    }
    // It is looked after as ever, by the next agent as well.
    world.kill_agent().await;
    world.agent().await;
    world.sql("INSERT INTO t VALUES (2); SELECT pg_switch_wal()").await;
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    world.back_up("second").await;
    assert_eq!(
        (world.asked_for(NAME).await, world.postmaster_pid()),
        (vec!["first".to_owned(), "second".to_owned()], postmaster)
    );
    let other = Box::new(world.spec(&[("backup_retention_period", 9.into())]));
    let refused = world.refused(Operation::Adopt { spec: other }).await;
    assert!(refused.message.starts_with("db is not as its block says: "), "{refused}");
    world.operate(Operation::Adopt { spec }).await;
    assert_eq!(world.differences(&[]).await, [""; 0]);
}
