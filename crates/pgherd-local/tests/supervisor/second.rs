//! The second repository: kept in step, told of, and read when the first one is gone.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use pgherd_archive::{KeyRing, Location, Options, Repository};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Operation, Point};
use pgherd_local::postgres::runas::RunAs;
use pgherd_local::supervisor::messages::{CopyReport, StatusReport};

use crate::backups::restore;
use crate::world::{Arguments, DEADLINE, NAME, World};

const COPY: &str = "db-copy";
const ELSEWHERE: Arguments<'static> = &[("geo_redundant_backup", Value::Bool(true))];

impl World {
    /// Returns when all that is stored by now is there, too.
    pub async fn is_in_step(&self) {
        let now = jiff::Timestamp::now();
        self.becomes(|status| status.second_copy.as_ref().is_some_and(|copy| copy.in_step_at > Some(now))).await;
    }
}

#[tokio::test]
async fn what_is_stored_is_elsewhere_too_and_comes_back_from_there() {
    let world = World::new();
    let second = world.paths.state.with_extension("second");
    std::fs::create_dir_all(&world.paths.state).expect("made");
    std::fs::write(world.paths.second_repository(), format!("# another disk\n{}\n", second.display()))
        .expect("written");
    world.apply(ELSEWHERE).await;
    assert_eq!(world.differences(ELSEWHERE).await, [""; 0]);
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1); SELECT pg_switch_wal()").await;
    world.is_in_step().await;
    assert!(world.status().await.second_copy.expect("told").place.ends_with("second"));
    // Nobody but the agent reads it: it may hold more than one user's.
    let mode = std::fs::metadata(second.join("db")).expect("made").permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");

    // What is deleted here stays there, until that is said again.
    world.back_up("extra").await;
    let extra = second.join("db/0001/backups/extra/manifest.pgherd");
    world.is_in_step().await;
    let agent = world.agent().await;
    agent.delete_backup(NAME, "extra", |_| {}).await.expect("deleted");
    let only_there = |names: &'static [&str]| {
        move |status: &StatusReport| status.second_copy.as_ref().is_some_and(|copy| copy.only_there == names)
    };
    world.becomes(only_there(&["extra"])).await;
    assert!(extra.exists());
    agent.delete_backup(NAME, "extra", |_| {}).await.expect("deleted there");
    world.becomes(only_there(&[])).await;
    assert!(!second.join("db/0001/backups/extra").exists());

    // Its disk is away: told, and no other is begun on the mount point.
    let aside = second.with_extension("aside");
    std::fs::rename(&second, &aside).expect("renamed");
    std::fs::create_dir(&second).expect("made");
    world.sql("INSERT INTO t VALUES (2); SELECT pg_switch_wal()").await;
    let is_away =
        |copy: &CopyReport| copy.failure.as_ref().is_some_and(|why| why.contains("there is no repository at"));
    world.becomes(|status| status.second_copy.as_ref().is_some_and(is_away)).await;
    world.told("its copy in the second repository is not kept in step").await;
    assert_eq!(std::fs::read_dir(&second).expect("a folder").count(), 0);
    let refused = world.delete(Some("db-final")).await.expect_err("what is promised cannot be kept");
    assert_eq!(refused.kind, ErrorKind::Unavailable, "{refused}");
    std::fs::remove_dir(&second).expect("removed");
    std::fs::rename(&aside, &second).expect("renamed");
    // That is known before anybody is kept out, or anything is taken.
    let secret = world.secret().await;
    world.log_in(secret["password"].as_str().expect("text")).await.expect("logged in");
    assert!(world.backups(NAME).await.kept.iter().all(|kept| kept.name != "db-final"));
    world.sql("INSERT INTO t VALUES (3)").await;
    // What is damaged here holds nobody up, and is no backup there.
    world.back_up("lost").await;
    world.is_in_step().await;
    let lost = world.paths.repository().join("db/0001/backups/lost");
    for entry in std::fs::read_dir(&lost).expect("a folder").flatten().filter(|entry| entry.path().is_dir()) {
        std::fs::remove_dir_all(entry.path()).expect("lost");
    }
    std::fs::remove_dir_all(second.join("db/0001/backups/lost")).expect("lost");
    world.delete(Some("db-final")).await.expect("deleted");
    assert!(second.join("db/0001/backups/db-final/manifest.pgherd").exists());
    assert!(!second.join("db/0001/backups/lost/manifest.pgherd").exists());
    world.told("other things stored of it are not").await;

    // The first one is gone with all that is in it.
    std::fs::rename(world.paths.repository(), world.paths.state.join("lost")).expect("lost");
    let kept = world.backups(NAME).await.kept;
    assert!(kept.iter().any(|kept| kept.name == "db-final"), "{kept:?}");
    let refused = world.refused(restore(&world, COPY, Point::Backup("none".to_owned()))).await;
    assert_eq!(refused.kind, ErrorKind::NotFound, "{refused}");
    world.operate(restore(&world, COPY, Point::Backup("db-final".to_owned()))).await;
    assert_eq!(world.rows(COPY).await, "3");
    world.operate(restore(&world, "db-latest", Point::Backup("first".to_owned()))).await;
    assert_eq!(world.rows("db-latest").await, "no table");

    // A new database of the name gets a number that the old one has not.
    world.apply(ELSEWHERE).await;
    world.back_up("anew").await;
    world.is_in_step().await;
    let mut generations: Vec<_> =
        std::fs::read_dir(second.join(NAME)).expect("kept").flatten().map(|entry| entry.file_name()).collect();
    generations.sort();
    assert_eq!(generations, ["0001", "0002"]);
    assert!(second.join("db/0001/backups/db-final").exists() && second.join("db/0002/backups/anew").exists());
}

/// What was stored before stays readable, and what comes after takes the new key.
#[tokio::test]
async fn a_new_key_encrypts_what_comes_and_the_old_one_reads_what_was() {
    let world = World::new();
    let encrypted: Arguments<'_> = &[("enable_backup_encryption", Value::Bool(true))];
    world.apply(encrypted).await;
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.agent().await.operate(NAME, "rotate-backup-key", |_| {}).await.expect("rotated");
    world.sql("INSERT INTO t VALUES (2)").await;
    world.back_up("second").await;
    let keys = KeyRing::read(&world.paths.state.join("backup.keys")).expect("keys");
    assert_eq!(keys.names().len(), 2);
    let (new, old) = (keys.names()[0].to_owned(), keys.names()[1].to_owned());
    let location = Location::Folder(world.paths.repository());
    let options = Options { keys, encrypt: true, owner: None, ..Options::default() };
    let backups = Repository::open(&location, options)
        .and_then(|repository| repository.generation(NAME, 1))
        .and_then(|generation| generation.backups())
        .expect("listed");
    let used = |name: &str| backups.iter().find(|backup| backup.name == name).expect("listed").key.clone();
    assert_eq!((used("first"), used("second")), (Some(old), Some(new)));
    // Across both: a backup by the one, and log by both.
    world.sql("INSERT INTO t VALUES (3)").await;
    let (_, lsn) = world.here().await;
    for (to, point, rows) in [
        ("db-first", Point::Backup("first".to_owned()), "no table"),
        ("db-second", Point::Backup("second".to_owned()), "2"),
        ("db-lsn", Point::Lsn(lsn), "3"),
    ] {
        world.operate(restore(&world, to, point)).await;
        assert_eq!(world.rows(to).await, rows, "{to}");
    }
}

/// A key file of the user's own encrypts in the place of the machine's, and reads what it encrypted when no block names it any more.
#[tokio::test]
async fn a_key_file_of_ones_own_encrypts() {
    let world = World::new();
    std::fs::create_dir_all(&world.paths.state).expect("made");
    let path = world.paths.state.join("customer.key");
    let run_as = RunAs::settle(None).expect("a user");
    let key = KeyRing::create(&path, Some((run_as.uid, run_as.gid))).expect("made").names()[0].to_owned();
    let own: Arguments<'_> = &[("kms_key_id", path.display().to_string().as_str().into())];
    world.apply(own).await;
    assert_eq!(world.differences(own).await, [""; 0]);
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    assert_eq!(world.key_of("first"), Some(key.clone()));
    let refused = world.agent().await.operate(NAME, "rotate-backup-key", |_| {}).await.expect_err("it is not ours");
    assert!(refused.help.contains("customer.key"));
    // Without it nothing is stored with another key.
    std::fs::rename(&path, path.with_extension("away")).expect("renamed");
    let refused = world.refused(Operation::Backup { name: NAME.to_owned(), label: Some("keyless".to_owned()) }).await;
    assert!(refused.message.contains("customer.key"), "{refused}");
    std::fs::rename(path.with_extension("away"), &path).expect("renamed");
    world.apply(&[]).await;
    world.back_up("second").await;
    assert!(world.key_of("second").is_some_and(|used| used != key));
    world.operate(restore(&world, "db-first", Point::Latest)).await;
    assert_eq!(world.rows("db-first").await, "1");
    world.operate(restore(&world, "db-second", Point::Backup("first".to_owned()))).await;
    assert_eq!(world.rows("db-second").await, "no table");
}

impl World {
    /// The key that a backup is encrypted with.
    fn key_of(&self, label: &str) -> Option<String> {
        let repository =
            Repository::open(&Location::Folder(self.paths.repository()), Options::default()).expect("it is there");
        let backups = repository.generation(NAME, 1).and_then(|generation| generation.backups()).expect("listed");
        backups.into_iter().find(|backup| backup.name == label).expect("listed").key
    }
}

/// A real S3 server, ended with this.
pub struct Moto {
    child: Child,
    pub port: u16,
}

impl Moto {
    /// What a file says that names a folder of its bucket.
    pub fn place(&self, folder: &str) -> String {
        format!(
            "s3://backups/{folder}\nAWS_ACCESS_KEY_ID=someone\nAWS_SECRET_ACCESS_KEY=something\nAWS_REGION=us-east-1\n\
             AWS_ENDPOINT_URL=http://127.0.0.1:{}\n",
            self.port
        )
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn moto() -> Option<Moto> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port").port();
    let mut command = Command::new("moto_server");
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(child) = command.spawn() else {
        assert!(std::env::var_os("PGHERD_REQUIRE_MOTO").is_none(), "moto is required here and absent");
        eprintln!("SKIPPED a repository in a bucket: there is no moto_server (pip install 'moto[server]')");
        return None;
    };
    let moto = Moto { child, port };
    let until = std::time::Instant::now() + DEADLINE;
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(_) => assert!(std::time::Instant::now() < until, "moto does not come up"),
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    write!(stream, "PUT /backups HTTP/1.1\r\nhost: s3.amazonaws.com\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Some(moto)
}

/// An agent that a command started has no credentials in its environment: they stand in the file.
#[tokio::test]
async fn a_bucket_is_a_second_repository_too() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    std::fs::create_dir_all(&world.paths.state).expect("made");
    let file = world.paths.second_repository();
    std::fs::write(&file, moto.place("of/shop")).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("ours");
    let encrypted: Arguments<'_> = &[("geo_redundant_backup", true.into()), ("storage_encrypted", true.into())];
    world.apply(encrypted).await;
    world.becomes(|status| status.warnings.iter().any(|one| one.contains("is open to others"))).await;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("ours");
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1); SELECT pg_switch_wal()").await;
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    world.is_in_step().await;
    // The first backup by schedule may come just now.
    let is_all =
        |copy: &CopyReport| copy.place == "s3://backups/of/shop" && copy.segments == 0 && copy.failure.is_none();
    world.becomes(|status| status.second_copy.as_ref().is_some_and(is_all)).await;

    // The machine is lost, but for the block, the file and the keys.
    let there = World::new();
    std::fs::create_dir_all(&there.paths.state).expect("made");
    for name in ["second-repository", "backup.keys"] {
        std::fs::copy(world.paths.state.join(name), there.paths.state.join(name)).expect("copied");
    }
    let run_as = RunAs::settle(None).expect("a user");
    run_as.own(&there.paths.state.join("backup.keys")).expect("owned");
    there.operate(restore(&there, NAME, Point::Latest)).await;
    assert_eq!(there.rows(NAME).await, "1");
    // What it stores from now on has a place of its own.
    there.apply(encrypted).await;
    there.back_up("anew").await;
    there.is_in_step().await;
    assert!(there.paths.repository().join("db/0002/backups/anew").exists());
}
