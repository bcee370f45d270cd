//! Clients of other machines: a network namespace stands for one.

use std::net::IpAddr;
use std::process::Command;

use pgherd_local::endpoint::{Listen, Set};

use crate::world::{World, port, set, until};

/// The namespace, its end of the cable and ours; removed at the end.
struct Elsewhere {
    name: String,
    cable: String,
    here: IpAddr,
}

impl Elsewhere {
    /// `None`: this may not be done here, which was said.
    fn new() -> Option<Self> {
        let pid = std::process::id();
        let (name, cable) = (format!("pgherd{pid}"), format!("ph{pid}"));
        // TEST-NET-2 (RFC 5737): nobody's.
        let elsewhere = Self { name, cable, here: IpAddr::from([198, 51, 100, 1]) };
        let Self { name, cable, .. } = &elsewhere;
        let steps = [
            format!("netns add {name}"),
            format!("link add {cable} type veth peer name {cable}x netns {name}"),
            format!("addr add 198.51.100.1/30 dev {cable}"),
            format!("link set {cable} up"),
            format!("-n {name} addr add 198.51.100.2/30 dev {cable}x"),
            format!("-n {name} link set {cable}x up"),
        ];
        let done = steps
            .iter()
            .all(|step| Command::new("ip").args(step.split(' ')).output().is_ok_and(|output| output.status.success()));
        if !done {
            eprintln!("SKIPPED clients of another machine: a network namespace cannot be made here");
            return None;
        }
        Some(elsewhere)
    }

    /// What a client there gets that sends an SSLRequest, and whether it was let in.
    async fn knock(&self, port: u16) -> String {
        let script = format!(
            "import socket; s = socket.create_connection(('{}', {port}), 60); \
             s.sendall(bytes([0,0,0,8,4,210,22,47])); print(s.recv(1).decode())",
            self.here
        );
        let mut command = tokio::process::Command::new("ip");
        command.args(["netns", "exec", &self.name, "python3", "-c", &script]);
        let output = command.output().await.expect("it runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        for step in [format!("link del {}", self.cable), format!("netns del {}", self.name)] {
            // What was not made cannot be removed.
            drop(Command::new("ip").args(step.split(' ')).output());
        }
    }
}

#[tokio::test]
async fn clients_of_other_networks_are_refused_unless_theirs_is_named() {
    let Some(elsewhere) = Elsewhere::new() else { return };
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let forwarder = world.forwarder().await;
    let front = port();
    let everywhere = Listen { addresses: vec![IpAddr::from([0, 0, 0, 0])], port: front };
    let closed = Set { write: everywhere, ..set(front, Some(database.port)) };
    forwarder.set(&closed).await.expect("told");
    assert_eq!(elsewhere.knock(front).await, "", "closed without a word");
    until(async || forwarder.state().await.expect("answers").write.refused, |refused| *refused == 1).await;
    let network = "198.51.100.0/30".parse().expect("a network");
    forwarder.set(&Set { allowed: vec![network], ..closed }).await.expect("told");
    assert_eq!(elsewhere.knock(front).await, "S", "the server's yes to TLS");
}
