//! What goes on until it is ended: `status --watch` and `logs --follow`, one document a line.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::live::{Live, block, live};

/// Only a hang takes this long.
const PATIENCE: Duration = Duration::from_secs(180);

/// A program that goes on, and the lines it prints.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(live: &Live, line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let mut child = live.0.command(&words).stdout(Stdio::piped()).spawn().expect("the program runs");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// The first document from now on of which this is so.
    #[track_caller]
    fn until(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            let document: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if is_so(&document["result"]) {
                return document;
            }
            seen.push(line);
        }
        panic!("it never came up:\n{}", seen.join("\n"));
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn whoever_watches_is_told_of_every_change() {
    let Some(live) = live("whoever_watches_is_told_of_every_change") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let watching = Following::start(&live, "status --watch --json");
    let first = watching.until(|shown| shown[0]["report"].is_null());
    assert_eq!((&first["verb"], &first["format"]), (&"status".into(), &1.into()));
    let _ = live.run("up").with_code(0);
    watching.until(|shown| shown[0]["report"]["status"] == "available");
    let _ = live.run("down").with_code(0);
    watching.until(|shown| shown[0]["report"]["status"] == "stopped");
    // The agent that ends takes nothing with it: the next one tells on.
    let agent = live.run("doctor --json").with_code(0).json();
    let words = agent["result"].as_array().expect("findings").iter().find(|one| one["subject"] == "agent");
    let pid = words.and_then(|one| one["found"].as_str()?.rsplit(' ').next()?.parse().ok()).expect("its process");
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("ours");
    let _ = live.run("up").with_code(0);
    watching.until(|shown| shown[0]["report"]["status"] == "available");
    let _ = live.run("destroy --confirm orders").with_code(0);
    watching.until(|shown| shown[0]["report"].is_null());
}

/// Puts itself in front of the agent's socket and takes out of its answers what an agent before it could tell of changes
/// did not say. Bytes for bytes, so that lengths stay true.
fn grow_old(live: &Live) {
    const NEW: &[u8] = b"\"tells_changes\":true";
    const OLD: &[u8] = b"\"tells_nothing\":true";
    let socket = live.0.paths().agent_socket();
    let behind = socket.with_extension("behind");
    std::fs::rename(&socket, &behind).expect("renamed");
    let listener = UnixListener::bind(&socket).expect("the place is free");
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(agent) = UnixStream::connect(&behind) else { break };
            let (mut asks, mut is_asked) = (client.try_clone().expect("a copy"), agent.try_clone().expect("a copy"));
            std::thread::spawn(move || std::io::copy(&mut asks, &mut is_asked));
            std::thread::spawn(move || answer(agent, client, NEW, OLD));
        }
    });
}

/// Hands an answer on with `new` written as `old`. The agent sends a short answer at once, which is never torn here.
fn answer(mut from: UnixStream, mut to: UnixStream, new: &[u8], old: &[u8]) -> std::io::Result<()> {
    let mut bytes = [0; 64 * 1024];
    loop {
        let length = from.read(&mut bytes)?;
        if length == 0 {
            return to.shutdown(Shutdown::Both);
        }
        let said = &mut bytes[..length];
        if let Some(at) = said.windows(new.len()).position(|window| window == new) {
            said[at..at + old.len()].copy_from_slice(old);
        }
        to.write_all(said)?;
    }
}

#[test]
fn an_older_agent_is_asked_each_second_and_whoever_watches_knows() {
    let Some(live) = live("an_older_agent_is_asked_each_second_and_whoever_watches_knows") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("up").with_code(0);
    grow_old(&live);
    let watching = Following::start(&live, "status --watch --json");
    let first = watching.until(|shown| shown[0]["report"]["status"] == "available");
    let told = &first["diagnostics"];
    assert_eq!((&told[0]["code"], told.as_array().map(Vec::len)), (&"older-agent".into(), Some(1)), "{first}");
    let words = told[0]["message"].as_str().expect("a message");
    assert!(words.contains("is older and cannot tell of changes"), "{words}");
    let _ = live.run("down").with_code(0);
    let second = watching.until(|shown| shown[0]["report"]["status"] == "stopped");
    assert_eq!(second["diagnostics"].as_array().map(Vec::len), Some(1), "said once: {second}");
}

#[test]
fn a_followed_log_goes_on_until_the_instance_ends() {
    let Some(live) = live("a_followed_log_goes_on_until_the_instance_ends") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("up").with_code(0);
    let mut following = Following::start(&live, "logs --follow --lines 0 --json");
    // It has begun when it shows something; what was before is not shown.
    while following.lines.recv_timeout(Duration::from_millis(100)).is_err() {
        let _ = live.run("connect -- -c before_or_after");
    }
    let _ = live.run("connect -- -c nonsense");
    following
        .until(|lines| lines[0].as_str().is_some_and(|line| line.contains("syntax error at or near \"nonsense\"")));
    let _ = live.run("destroy --confirm orders").with_code(0);
    assert!(following.child.wait().expect("it ends").success());
}

#[test]
fn events_are_followed_as_they_happen() {
    let Some(live) = live("events_are_followed_as_they_happen") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("up").with_code(0);
    let following = Following::start(&live, "events -f --json");
    let says = |event: &Value, text: &str| event["message"].as_str().is_some_and(|message| message.starts_with(text));
    let _ = following.until(|event| says(event, "asked for with "));
    let _ = live.run("rotate --yes").with_code(0);
    // Said once when it was made, and now.
    let _ = following.until(|event| says(event, "the password is in force"));
    let _ = following.until(|event| says(event, "the password is in force"));
    let _ = live.run("down").with_code(0);
    let _ = following.until(|event| says(event, "stopped on purpose"));
}
