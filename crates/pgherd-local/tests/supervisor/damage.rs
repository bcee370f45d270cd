//! What happens to the state folder behind our back: data is never lost by it, and what can be healed is.

use pgherd_core::resource::Status;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{Operation, Provider as _};
use pgherd_local::postgres::processes;
use pgherd_local::postgres::runas::RunAs;
use pgherd_local::tls::{Authority, names};

use crate::change::{elsewhen, shown};
use crate::life::parameters;
use crate::majors::server;
use crate::world::{DEADLINE, NAME, World, kill};

#[tokio::test]
async fn a_copy_of_an_instances_folder_is_no_second_instance() {
    let world = World::new();
    world.apply(&[]).await;
    world.kill_agent().await;
    let root = world.layout().root;
    let copied = std::process::Command::new("cp").arg("-a").arg(&root).arg(root.with_extension("bak")).status();
    assert!(copied.expect("cp runs").success());
    let postmaster = world.postmaster_pid();
    world.agent().await;
    kill(postmaster).await;
    world.serves_without(postmaster).await;
    let history = world.agent().await.events(NAME).await.expect("a history");
    assert_eq!(history.iter().filter(|event| event.message.contains("took over")).count(), 1, "one keeper");
}

#[tokio::test]
async fn an_instance_whose_ledger_is_broken_is_neither_absent_nor_touched() {
    let world = World::new();
    world.apply(&[]).await;
    world.kill_agent().await;
    let ledger = world.layout().root.join("instance.json");
    let good = std::fs::read(&ledger).expect("a ledger");
    std::fs::write(&ledger, &good[..good.len() / 2]).expect("written");
    let wanted = world.local.desired(&world.spec(&[]));
    let error = world.local.observe(&wanted).await.expect_err("unreadable");
    assert!(error.message.starts_with("the ledger "), "{error}");
    assert!(world.delete(None).await.is_err());
    assert!(world.data().join("PG_VERSION").exists());
    let postmaster = world.postmaster_pid();
    // Put back, it is as it was; nothing was restarted.
    std::fs::write(&ledger, &good).expect("written");
    world.kill_agent().await;
    assert_eq!(world.differences(&[]).await, [""; 0]);
    assert_eq!(world.postmaster_pid(), postmaster);
}

#[tokio::test]
async fn data_without_a_ledger_is_not_taken_for_a_new_database() {
    let world = World::new();
    world.apply(&[]).await;
    world.kill_agent().await;
    processes::kill(&world.data()).await.expect("ended");
    std::fs::remove_file(world.layout().root.join("instance.json")).expect("lost");
    // Even half of it is somebody's.
    std::fs::remove_file(world.data().join("PG_VERSION")).expect("lost");
    let error = world.try_apply(&[], true).await.expect_err("refused");
    assert!(error.message.contains("the ledger knows no instance db"), "{error}");
    assert!(world.data().join("base").exists());
}

#[tokio::test]
async fn data_that_is_not_there_is_not_forgotten_without_its_last_backup() {
    let world = World::new();
    world.apply(&[]).await;
    world.operate(Operation::Stop { name: NAME.to_owned() }).await;
    let elsewhere = world.data().with_extension("elsewhere");
    std::fs::rename(world.data(), &elsewhere).expect("moved");
    let error = world.delete(Some("last")).await.expect_err("refused");
    assert!(error.message.contains("no last backup can be taken"), "{error}");
    std::fs::rename(&elsewhere, world.data()).expect("moved back");
    world.operate(Operation::Start { name: NAME.to_owned() }).await;
    assert_eq!(world.differences(&[]).await, [""; 0]);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_keeps_no_server_down() {
    let world = World::new();
    world.apply(&[]).await;
    let postmaster = world.postmaster_pid();
    // As on a full disk, which root would not notice: where the new ledger is written first, there is a folder.
    std::fs::create_dir(world.layout().root.join("instance.new")).expect("made");
    kill(postmaster).await;
    world.serves_without(postmaster).await;
}

#[tokio::test]
async fn a_state_folder_that_was_moved_serves_where_it_is_now() {
    let mut world = World::new();
    world.apply(&[]).await;
    world.kill_agent().await;
    processes::kill(&world.data()).await.expect("ended");
    world.move_state("moved");
    world.serves_without(0).await;
    assert_eq!(world.differences(&[]).await, [""; 0]);
    assert_eq!(shown(&world, "data_directory").await, world.data().display().to_string());
}

#[tokio::test]
async fn deleted_configuration_and_certificate_are_made_anew() {
    let world = World::new();
    world.apply(&[]).await;
    let (layout, postmaster) = (world.layout(), world.postmaster_pid());
    std::fs::remove_dir_all(&layout.conf).expect("removed");
    std::fs::remove_file(layout.certificate()).expect("removed");
    kill(postmaster).await;
    world.serves_without(postmaster).await;
    assert_eq!(world.differences(&[]).await, [""; 0]);
    assert!(layout.certificate().exists());
}

/// After a reboot numbers begin anew, and soon belong to other processes of the same user.
#[tokio::test]
async fn after_a_reboot_what_ran_runs_and_what_was_stopped_is_stopped() {
    let world = World::new();
    world.apply(&[]).await;
    let other = [("name", "other".into())];
    world.apply(&other).await;
    world.operate(Operation::Stop { name: "other".to_owned() }).await;
    let (layout, port, postmaster) = (world.layout(), world.observed_port().await, world.postmaster_pid());
    let pid_file = std::fs::read_to_string(layout.postmaster_pid()).expect("a pid file");
    world.kill_agent().await;
    processes::kill(&layout.data).await.expect("ended");
    let mut innocent = somebody();
    let stale = pid_file.replacen(&postmaster.to_string(), &innocent.id().to_string(), 1);
    std::fs::write(layout.postmaster_pid(), &stale).expect("written");
    std::fs::write(layout.socket.join(format!(".s.PGSQL.{port}.lock")), &stale).expect("written");
    world.serves_without(postmaster).await;
    assert!(innocent.try_wait().expect("asked").is_none(), "the other process was left alone");
    innocent.kill().and_then(|()| innocent.wait()).expect("ended");
    let agent = world.agent().await;
    assert_eq!(agent.status("other").await.expect("a status").status, Status::Stopped);
    assert_eq!(world.differences(&[]).await, [""; 0]);
}

/// A process of the servers' user that has nothing to do with any.
fn somebody() -> std::process::Child {
    use std::os::unix::process::CommandExt as _;
    let run_as = RunAs::settle(None).expect("a user");
    let mut command = std::process::Command::new("sleep");
    command.arg("600");
    if run_as.drops {
        command.uid(run_as.uid).gid(run_as.gid);
    }
    command.spawn().expect("sleep runs")
}

/// Longer than any start is waited for at once; the recovery goes on until the test lets it end.
#[tokio::test]
async fn a_recovery_that_takes_long_is_waited_for() {
    let world = World::new();
    world.apply(&[]).await;
    let (data, old) = (world.data(), world.postmaster_pid());
    world.kill_agent().await;
    processes::kill(&data).await.expect("ended");
    let go = world.paths.runtime.join("pg/go");
    let wait = format!("restore_command = 'while [ ! -e {} ]; do sleep 0.1; done; false'\n", go.display());
    let run_as = RunAs::settle(None).expect("a user");
    for (name, text) in [("postgresql.auto.conf", wait.as_str()), ("recovery.signal", "")] {
        std::fs::write(data.join(name), text).expect("written");
        run_as.own(&data.join(name)).expect("owned");
    }
    world.becomes(|status| status.status == Status::Busy("recovering".to_owned())).await;
    let postmaster = world.postmaster_pid();
    assert_ne!(postmaster, old);
    std::fs::write(&go, "").expect("written");
    world.becomes(|status| status.status == Status::Available).await;
    assert_eq!(world.postmaster_pid(), postmaster);
    let history = world.agent().await.events(NAME).await.expect("a history");
    assert!(history.iter().any(|event| event.message == "n1 takes connections"));
    world.try_apply(&[], true).await.expect("the trick is taken back");
    assert_eq!(world.differences(&[]).await, [""; 0]);
}

/// A rehearsal takes no huge pages from the machine, so that only the start itself finds out that there are none.
#[tokio::test]
async fn the_last_configuration_that_started_is_gone_back_to() {
    let free = std::fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap_or_default();
    if free.trim() != "0" {
        eprintln!("SKIPPED: this machine has huge pages, and a server that wants them starts");
        return;
    }
    let world = World::new();
    let good = [("parameters", parameters(&[("work_mem", "8MB")]))];
    world.apply(&good).await;
    let bad = [("parameters", parameters(&[("work_mem", "9MB"), ("huge_pages", "on")]))];
    let error = world.try_apply(&bad, true).await.expect_err("it does not start");
    assert!(error.message.contains("shared memory"), "{error}");
    let history = world.agent().await.events(NAME).await.expect("a history");
    assert_eq!(world.status().await.status, Status::Available, "{history:#?}");
    assert_eq!(shown(&world, "work_mem").await, "8MB");
    let mut differences = world.differences(&bad).await;
    differences.sort();
    assert_eq!(differences, ["parameters.huge_pages", "parameters.work_mem"]);
    assert_eq!(world.differences(&good).await, [""; 0]);
}

#[tokio::test]
async fn a_refused_change_of_port_leaves_the_port_usable() {
    let world = World::new();
    world.apply(&[]).await;
    let port = world.observed_port().await;
    // Below what outgoing connections take; another run of the tests begins elsewhere.
    let first = 27_500 + u16::try_from(std::process::id() % 48 * 50).expect("small");
    let (another, claim) =
        pgherd_local::ports::allocate(None, first..=29_999, &std::collections::BTreeSet::new()).expect("a port");
    drop(claim);
    let another = ("port", pgherd_core::value::Value::Int(i64::from(another)));
    let bad = [another.clone(), ("parameters", parameters(&[("work_mem", "lots")]))];
    world.try_apply(&bad, true).await.expect_err("refused");
    world
        .try_apply(&[("parameters", parameters(&[("work_mem", "9MB")]))], true)
        .await
        .expect("the old port is its own");
    // Changed its mind before the restart: the server still holds the old one.
    world.try_apply(&[another, ("maintenance_window", elsewhen())], false).await.expect("accepted");
    let back = [("port", pgherd_core::value::Value::Int(i64::from(port)))];
    world.try_apply(&back, true).await.expect("back");
    assert_eq!(world.observed_port().await, port);
}

#[tokio::test]
async fn networks_are_compared_by_what_they_mean() {
    let world = World::new();
    let networks = ["10.0.3.7/16", "FD00:0::/8", "127.0.0.0/8", "::1/128", "10.0.0.0/16"].map(Into::into).into();
    let arguments = [("allowed_cidr_blocks", pgherd_core::value::Value::List(networks))];
    world.apply(&arguments).await;
    assert_eq!(world.differences(&arguments).await, [""; 0]);
}

#[tokio::test]
async fn the_agent_inherits_no_secret_from_who_starts_it() {
    let world = World::new();
    world.agent().await;
    let environment = std::fs::read(format!("/proc/{}/environ", world.agent_pid())).expect("ours");
    let environment = String::from_utf8_lossy(&environment);
    // Cargo gives these to a test.
    assert!(std::env::var_os("CARGO_PKG_NAME").is_some() && !environment.contains("CARGO_"), "{environment}");
    assert!(environment.contains("PATH="));
}

#[tokio::test]
async fn a_certificate_that_is_due_is_renewed_while_the_server_serves() {
    let world = World::new();
    let secret = "Corr3ct-horse-battery";
    world.apply(&[("master_password", pgherd_core::value::Value::Secret(Secret::new(secret)))]).await;
    let (layout, endpoint) = (world.layout(), world.status().await.endpoint);
    // Of another authority, so that one can tell from outside which one is served.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(300 * 24);
    let other = Authority::ensure(elsewhere.path(), then).expect("an authority");
    std::fs::remove_file(layout.certificate()).expect("removed");
    let run_as = RunAs::settle(None).expect("a user");
    other.ensure_server(&layout.certificate(), &names(None, &[]), &run_as, then).expect("made");
    let session = world.session().await;
    session.run("SELECT pg_reload_conf()").await.expect("reloaded");
    let Some(psql) = server(15) else { return };
    let trusted = || {
        let dsn = format!(
            "host=localhost hostaddr=127.0.0.1 port={} dbname={} user={} sslmode=verify-full sslrootcert={}",
            endpoint.port,
            endpoint.database,
            endpoint.username,
            endpoint.ca_file.display()
        );
        let mut command = std::process::Command::new(psql.program("psql"));
        if let Some(lib) = &psql.lib {
            command.env("LD_LIBRARY_PATH", lib);
        }
        command.env("PGPASSWORD", secret).args(["-X", "-c", "SELECT 1", &dsn]).output().expect("runs").status.success()
    };
    let until = |wanted: bool| async move {
        while trusted() != wanted {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, until(false)).await.expect("the due one is served");
    let postmaster = world.postmaster_pid();
    world.kill_agent().await;
    world.agent().await;
    tokio::time::timeout(DEADLINE, until(true)).await.expect("the new one is served");
    assert_eq!(world.postmaster_pid(), postmaster);
    session.one("SELECT 1", &[]).await.expect("the open connection was kept");
}

/// A disk too small for the cluster, then large enough.
#[tokio::test]
async fn a_full_disk_is_said_and_what_was_begun_is_finished_when_there_is_room() {
    // Let go of last, after the world's agent and server, which are on it.
    let disk;
    let world = World::new();
    std::fs::create_dir(&world.paths.state).expect("made");
    disk = Disk::mount(&world.paths.state, "25m");
    if disk.is_none() {
        return;
    }
    let error = world.try_apply(&[], true).await.expect_err("no room");
    assert!(error.message.contains("No space left"), "{error}");
    assert!(matches!(world.observed().await.status, Status::Incomplete(_)));
    Disk::resize(&world.paths.state, "200m");
    world.apply(&[]).await;
    assert_eq!(world.differences(&[]).await, [""; 0]);
}

/// A disk of its own for a folder.
pub struct Disk(std::path::PathBuf);

impl Disk {
    pub fn mount(folder: &std::path::Path, size: &str) -> Option<Self> {
        let options = format!("size={size},mode=755");
        let mounted =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(folder).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder.to_owned()));
        }
        eprintln!("SKIPPED: a small disk cannot be mounted here");
        None
    }

    pub fn resize(folder: &std::path::Path, size: &str) {
        Self::remount(folder, &format!("size={size}"));
    }

    pub fn remount(folder: &std::path::Path, how: &str) {
        let options = format!("remount,{how}");
        let mounted = std::process::Command::new("mount").args(["-o", &options]).arg(folder).status();
        assert!(mounted.expect("mount runs").success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whatever still holds it lets go of it later.
        drop(std::process::Command::new("umount").arg("-l").arg(&self.0).status());
    }
}
