//! `pgherd emulate`: what it tells programs, how it ends, and that nothing is left even when it was killed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::live::live;
use crate::sandbox::Sandbox;

/// An emulator that listens.
pub struct Emulating {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Its first line.
    told: String,
}

impl Emulating {
    pub fn start(sandbox: &Sandbox, line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let mut child = sandbox.command(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut told = String::new();
        stdout.read_line(&mut told).expect("it says where it listens");
        Self { child, stdout, told }
    }

    /// What it tells a program that reads JSON.
    pub fn json(&self) -> Value {
        let document: Value = serde_json::from_str(&self.told).expect("a document");
        document["result"].clone()
    }

    fn address(&self) -> String {
        self.json()["endpoint_url"].as_str().expect("an address").trim_start_matches("http://").to_owned()
    }

    fn post(&self, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).expect("it listens");
        let scope =
            "AWS4-HMAC-SHA256 Credential=emulated/20260101/eu-west-1/rds/aws4_request, SignedHeaders=host, Signature=0";
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: e\r\nauthorization: {scope}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }

    /// A signal, and the code it ends with.
    pub fn ends(mut self, signal: Signal) -> (Option<i32>, String) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a number")).expect("a process");
        kill_process(pid, signal).expect("ours");
        let mut rest = self.told.clone();
        self.stdout.read_to_string(&mut rest).expect("text");
        (self.child.wait().expect("it ends").code(), rest)
    }
}

impl Drop for Emulating {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_tells_a_shell_what_programs_need_and_ends_when_asked() {
    let sandbox = Sandbox::new();
    let emulating = Emulating::start(&sandbox, "emulate aws --listen 127.0.0.1:0 --no-postgres");
    let (code, said) = emulating.ends(Signal::INT);
    assert_eq!(code, Some(0));
    let port = said.lines().next().and_then(|line| line.rsplit(':').next()).expect("a port").to_owned();
    insta::assert_snapshot!(said.replace(&port, "[PORT]"), @"
    export AWS_ENDPOINT_URL=http://127.0.0.1:[PORT]
    export AWS_ACCESS_KEY_ID=emulated
    export AWS_SECRET_ACCESS_KEY=emulated
    export AWS_REGION=eu-west-1
    export AWS_DEFAULT_REGION=eu-west-1
    ");
}

#[test]
fn an_address_without_a_port_is_told_what_to_write() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["emulate", "aws", "--listen", "127.0.0.1"]).with_code(1);
    assert!(
        ran.stderr.contains("write an address of this machine and a port, such as 127.0.0.1:4590"),
        "{}",
        ran.stderr
    );
}

#[test]
fn it_listens_to_this_machine_only() {
    let ran = Sandbox::new().run(&["emulate", "aws", "--listen", "0.0.0.0:4590"]).with_code(4);
    insta::assert_snapshot!(ran.stderr, @"
    error: 0.0.0.0 is no address of this machine's own
    hint: whoever reached it could do anything to its databases; write 127.0.0.1:4590
    ");
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("some port");
    let address = taken.local_addr().expect("bound").to_string();
    let ran = Sandbox::new().run(&["emulate", "aws", "--no-postgres", "--listen", &address]).with_code(1);
    insta::assert_snapshot!(ran.stderr.replace(&address, "[ADDRESS]"), @"
    error: the emulator cannot be started on [ADDRESS]
      because Address already in use (os error 98)
    hint: --listen 127.0.0.1:0 takes a free port
    ");
}

const CREATE: &str = "Action=CreateDBInstance&DBInstanceIdentifier=orders&Engine=postgres&EngineVersion=VERSION&DBInstanceClass=db.t3.micro&AllocatedStorage=20&MasterUsername=orders&MasterUserPassword=correct-horse&Port=";

/// The data directories of all servers, and the processes that work in one.
fn servers(sandbox: &Sandbox) -> (Vec<PathBuf>, usize) {
    let entries = |path: &Path| {
        std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let runs = entries(&sandbox.state().join("emulate"));
    let data: Vec<_> = runs.iter().flat_map(|run| entries(&run.join("servers"))).map(|one| one.join("data")).collect();
    let working = data.iter().map(|data| pgherd_local::postgres::processes::of(data).len()).sum();
    (data, working)
}

#[test]
fn what_a_killed_one_left_behind_is_cleared_by_the_next() {
    let Some(live) = live("what_a_killed_one_left_behind_is_cleared_by_the_next") else { return };
    let found = pgherd_local::postgres::find::servers(&[], Some("/usr/bin:/bin".as_ref()), &live.0.paths().servers());
    let Some(server) = found.servers.iter().find(|server| (14..=18).contains(&server.major())) else { return };
    let line = "emulate aws --listen 127.0.0.1:0 --speed 100000 --json";
    let first = Emulating::start(&live.0, line);
    let port = crate::live::free_port();
    first.post("/", &(CREATE.replace("VERSION", &server.major().to_string()) + &port.to_string()));
    first.post("/_emulate/settle", "");
    let shown = first.post("/", "Action=DescribeDBInstances");
    assert!(shown.contains(&format!("<Port>{port}</Port>")) && shown.contains("<Address>127.54."), "{shown}");
    let (left, working) = {
        let _ = first.ends(Signal::KILL);
        servers(&live.0)
    };
    assert!(working > 0 && left.len() == 1, "{left:?}");
    let second = Emulating::start(&live.0, line);
    let working: usize = left.iter().map(|data| pgherd_local::postgres::processes::of(data).len()).sum();
    assert_eq!((working, servers(&live.0).0), (0, Vec::new()));
    assert_eq!(second.ends(Signal::TERM).0, Some(0));
    assert_eq!(std::fs::read_dir(live.0.state().join("emulate")).expect("it was there").count(), 0);
}
