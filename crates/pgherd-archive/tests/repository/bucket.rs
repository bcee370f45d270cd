//! A bucket as a repository, on a real S3 server (moto): what a folder keeps, and what a network does to it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pgherd_archive::{
    Copies, Depth, ErrorKind, Generation, Location, Options, Packing, Pushed, Repository, copy, fetch,
};
use pgherd_core::backups::chains;

use crate::backups::{end, start, take};
use crate::proxy::{Way, proxy};
use crate::world::{CLUSTER, World, noise, now, segment, wal};

const ACT: &str = "PGHERD_BUCKET_ACT";

struct Moto {
    child: Child,
    port: u16,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    #[expect(clippy::print_stderr, reason = "whoever runs the tests must see what was not tested")]
    fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port").port();
        let mut command = Command::new("moto_server");
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            assert!(std::env::var_os("PGHERD_REQUIRE_MOTO").is_none(), "moto is required here and absent");
            eprintln!("SKIPPED buckets: there is no moto_server (pip install 'moto[server]')");
            return None;
        };
        let moto = Self { child, port };
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "moto does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(moto)
    }

    fn make_bucket(&self, name: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("there");
        write!(
            stream,
            "PUT /{name} HTTP/1.1\r\nhost: s3.amazonaws.com\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// Does something in a process of its own: where a bucket is reached is in the environment.
fn act(moto: &Moto, what: &str, way: Way) -> usize {
    moto.make_bucket(&format!("pgherd-{what}"));
    let (port, faults) = match way {
        Way::Clear => (moto.port, Arc::default()),
        Way::Throttled | Way::Forgetful | Way::Torn | Way::Careless => proxy(moto.port, way),
    };
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["bucket::child", "--exact", "--ignored", "--quiet"]).env(ACT, what);
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "someone").env("AWS_SECRET_ACCESS_KEY", "something");
    let output = command.output().expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
    faults.load(Ordering::Relaxed)
}

#[test]
fn a_bucket_keeps_what_a_folder_keeps_whatever_the_network_does() {
    let Some(moto) = Moto::start() else { return };
    let moto = &moto;
    let faults = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let ways =
            [("clear", Way::Clear), ("throttled", Way::Throttled), ("forgetful", Way::Forgetful), ("torn", Way::Torn)];
        for (what, way) in ways {
            let faults = &faults;
            scope.spawn(move || {
                let count = act(moto, what, way);
                assert!(way == Way::Clear || count > 5, "{what}: it was in the way {count} times only");
                faults.lock().expect("held by nobody").push(count);
            });
        }
    });
    assert_eq!(faults.into_inner().expect("held by nobody").len(), 4);
}

#[test]
fn a_store_that_writes_over_what_is_there_is_refused() {
    let Some(moto) = Moto::start() else { return };
    assert_eq!(act(&moto, "careless", Way::Careless), 2, "both conditions were left out");
}

#[test]
fn a_bucket_that_is_not_there_is_told() {
    let Some(moto) = Moto::start() else { return };
    act(&moto, "none", Way::Clear);
}

#[test]
#[ignore = "the process that a test starts"]
fn child() {
    let what = std::env::var(ACT).expect("what to do");
    if what == "none" {
        let location: Location = "s3://nobody-made-this/x".parse().expect("a place");
        let error = Repository::create(&location, Options::default()).map(|_| ()).expect_err("there is none");
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        let location: Location = "s3://pgherd-none/x".parse().expect("a place");
        let error = Repository::open(&location, Options::default()).map(|_| ()).expect_err("nothing is in it");
        assert!(error.message.contains("there is no repository at s3://pgherd-none/x"), "{error}");
        return;
    }
    let location: Location = format!("s3://pgherd-{what}/of/shop").parse().expect("a place");
    if what == "careless" {
        let error = Repository::create(&location, Options::default()).map(|_| ()).expect_err("refused");
        assert!(error.message.contains("would write over what is stored"), "{error}");
        assert!(error.help.is_some_and(|help| help.contains("If-None-Match")));
        let error = Repository::open(&location, Options::default()).map(|_| ()).expect_err("none was made");
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        return;
    }
    let world = World::encrypted();
    let options = || Options { keys: world.keys.clone(), encrypt: true, owner: None, ..Options::default() };
    let repository = Repository::create(&location, options()).expect("made");
    Repository::create(&location, options()).expect("it is there");
    let generation = repository.begin_generation("orders", CLUSTER, None, now()).expect("begun");
    assert_eq!(generation.info().number, 1, "begun once, whatever was lost");
    // The same content again is a success; other content is refused and put aside.
    let name = "000000010000000000000001";
    let file = world.file(name, &segment(CLUSTER, 1 << 24, &noise(1, 100_000)));
    for expected in [None, Some(Pushed::AlreadyThere), Some(Pushed::AlreadyThere)] {
        let pushed = generation.push_wal(wal(name), &file).expect("stored");
        assert!(expected.map_or(matches!(pushed, Pushed::Stored { .. }), |expected| pushed == expected), "{pushed:?}");
    }
    let other = world.file(name, &segment(CLUSTER, 1 << 24, &noise(2, 100_000)));
    assert_eq!(generation.push_wal(wal(name), &other).expect_err("other content").kind, ErrorKind::Conflict);
    std::fs::write(&file, segment(CLUSTER, 1 << 24, &noise(1, 100_000))).expect("written");
    assert_eq!(generation.read_wal(wal(name)).expect("good"), std::fs::read(&file).expect("read"));
    assert_eq!(generation.read_wal(wal("000000010000000000000002")).expect_err("none").kind, ErrorKind::Absent);
    // In one part and in several, small and large.
    let taken = take(&generation, "small", &[("data.tar", &noise(1, 1000))]);
    assert_eq!(generation.backups(), Ok(vec![taken.clone()]));
    let large = noise(3, 40 << 20);
    let writer = generation.begin_backup(start("large")).expect("begun");
    assert_eq!(generation.begin_backup(start("large")).map(|_| ()).expect_err("at work").kind, ErrorKind::Conflict);
    writer.store("data.tar", large.as_slice(), Packing::None, |_| Ok(())).expect("stored");
    writer.finish(end()).expect("a backup");
    let mut back = Vec::new();
    let reader = generation.open_backup("large").expect("there");
    reader.open("data.tar").expect("there").read_to_end(&mut back).expect("good");
    assert!(back == large);
    // What was not finished is not there.
    let writer = generation.begin_backup(start("broken")).expect("begun");
    let mut file = writer.file("data.tar").expect("begun");
    file.write_all(&large).expect("written");
    drop(file);
    drop(writer);
    assert_eq!(generation.backup_names(), Ok(vec!["large".to_owned(), "small".to_owned()]));
    generation.set_verified("small", now()).expect("noted");
    generation.set_verified("small", now()).expect("noted again");
    assert_eq!(generation.backups().expect("listed").iter().filter(|backup| backup.verified_at.is_some()).count(), 1);
    generation.delete_backup("large").expect("deleted");
    generation.delete_backup("large").expect("it is gone");
    let findings = generation.check(Depth::Read, |_| {}).expect("looked at");
    assert_eq!(findings.iter().map(|finding| finding.at.split('/').next()).collect::<Vec<_>>(), [Some("apart")]);
    // As a second repository, and back.
    let (first, mut copies) = (world.generation(), Copies::default());
    let second: Location = format!("s3://pgherd-{what}/second").parse().expect("a place");
    let second = Repository::create(&second, options()).expect("made");
    world.push("000000010000000000000002", &segment(CLUSTER, 2 << 24, &noise(2, 1000))).expect("stored");
    let backup = take(&first, "daily", &[("data.tar", &noise(9, 1 << 20))]);
    assert_eq!(copy(&first, &second, &mut copies, |_| {}), Ok(4));
    assert_eq!(copy(&first, &second, &mut Copies::default(), |_| {}), Ok(0));
    // Up to when it reaches stands in what is stored, whatever times the store has.
    let stored = second.generation("orders", 1).and_then(|there| there.wal()).expect("listed");
    assert!(stored.iter().all(|file| file.written_at.is_none() && file.stored_at.is_some()), "{stored:?}");
    let until = |generation: &Generation| chains(&generation.holdings().expect("listed"))[0].until;
    let there = second.generation("orders", 1).expect("there");
    assert!(until(&first).is_some() && until(&there) == until(&first), "{:?}", until(&there));
    let back = Repository::create(&Location::Folder(world.path("back")), options()).expect("made");
    let fetched =
        fetch(&second.generation("orders", 1).expect("there"), &backup, None, &back, |_| {}).expect("fetched");
    assert_eq!(fetched.check(Depth::Read, |_| {}), Ok(vec![]));
    assert_eq!(fetched.holdings().map(|holdings| holdings.backups), first.holdings().map(|holdings| holdings.backups));
}
