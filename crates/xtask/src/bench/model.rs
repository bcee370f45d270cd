//! What must be done in any case for a database: the same once more, from its files.
//!
//! That is to copy the files, to start its servers as pgherd starts them, with the same configuration, to put the files on disk,
//! since from then on an acknowledged commit must last, and to ask it something over TLS with the password. Nothing is chosen, made or
//! checked for that.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use pgherd_local::postgres::{runas::RunAs, server::Server};

use crate::machine::{Place, end, ms_since, psql, run, told, wait, wait_until_ready};

/// The database, while it is put away.
const KEPT: &str = "model";

/// A database that `pgherd up` made, stopped in good order.
pub struct Model {
    /// Its primary, then who follows it.
    nodes: Vec<Node>,
    /// Where its primary answers.
    address: String,
}

/// One measurement.
#[derive(Clone, Copy)]
pub struct Run {
    /// Which.
    pub round: usize,
    /// Whether servers are started side by side.
    pub together: bool,
}

/// One of its servers.
struct Node {
    name: &'static str,
    /// How it was started.
    command_line: Vec<String>,
}

impl Model {
    /// Of the database that was just brought up at this address, which is put away.
    pub fn of(place: &Place, address: &str, names: &[&'static str]) -> Result<Self, String> {
        let mut nodes = Vec::new();
        for name in names {
            let pid = line_of_pid_file(place, name, 0)?;
            let line = fs::read(format!("/proc/{pid}/cmdline")).map_err(told("read a command line"))?;
            let words = String::from_utf8_lossy(&line).into_owned();
            let command_line = words.trim_end_matches('\0').split('\0').map(str::to_owned).collect();
            nodes.push(Node { name, command_line });
        }
        let address = with_port(address, &line_of_pid_file(place, names.first().ok_or("no server")?, 3)?)?;
        run(&mut place.pgherd(&["down", "--yes"]))?;
        place.put_away(KEPT)?;
        for node in &nodes {
            let from = place.at(KEPT).join(data(node.name));
            fs::rename(from, node.files(place)).map_err(told("rename a cluster"))?;
        }
        Ok(Self { nodes, address })
    }

    /// How long it takes at least, with one server after the other or all together. The files of those who follow are there already.
    pub fn floor(&self, place: &Place, server: &Server, run_as: &RunAs, run: Run) -> Result<f64, String> {
        // The configuration names its files by where they were.
        fs::rename(place.at(KEPT), place.at("state")).map_err(told("rename a folder"))?;
        let [primary, followers @ ..] = self.nodes.as_slice() else { return Err("no server".to_owned()) };
        followers.iter().try_for_each(|node| node.copy(place))?;
        rustix::fs::sync();
        let start = Instant::now();
        primary.copy(place)?;
        let mut children = Vec::new();
        for node in &self.nodes {
            children.push(node.begin(server, run_as)?);
            if !run.together {
                wait_until_ready(&node.data(place))?;
            }
        }
        self.nodes.iter().try_for_each(|node| wait_until_ready(&node.data(place)))?;
        if !followers.is_empty() {
            let asked = || psql(server, &self.address, "SELECT sync_state FROM pg_stat_replication");
            wait("the standby", || asked().is_ok_and(|state| state == "sync"))?;
        }
        let folder = fs::File::open(primary.data(place)).map_err(told("open a folder"))?;
        rustix::fs::syncfs(&folder).map_err(|error| told("put a folder on disk")(error.into()))?;
        psql(server, &self.address, "SELECT 1")?;
        let took = ms_since(start);
        for (node, mut child) in self.nodes.iter().zip(children).rev() {
            end(&node.data(place))?;
            child.wait().map_err(told("wait for a server"))?;
            let kept = place.at(&format!("servers/floor-{}-{}-{}", run.round, run.together, node.name));
            fs::rename(node.data(place), kept).map_err(told("rename a cluster"))?;
        }
        fs::rename(place.at("state"), place.at(KEPT)).map_err(told("rename a folder"))?;
        Ok(took)
    }
}

impl Node {
    fn data(&self, place: &Place) -> PathBuf {
        place.at("state").join(data(self.name))
    }

    /// Its files as they are copied.
    fn files(&self, place: &Place) -> PathBuf {
        place.at(&format!("servers/{}", self.name))
    }

    fn copy(&self, place: &Place) -> Result<(), String> {
        run(Command::new("cp").arg("-a").arg(self.files(place)).arg(self.data(place))).map(drop)
    }

    fn begin(&self, server: &Server, run_as: &RunAs) -> Result<Child, String> {
        let mut command = run_as.command(server, "postgres");
        command.args(self.command_line.iter().skip(1)).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(told("start a server"))
    }
}

fn data(name: &str) -> String {
    format!("instances/bench-0/{name}/data")
}

fn line_of_pid_file(place: &Place, name: &str, number: usize) -> Result<String, String> {
    let path = place.at("state").join(data(name)).join("postmaster.pid");
    let text = fs::read_to_string(path).map_err(told("read postmaster.pid"))?;
    text.lines().nth(number).map(|line| line.trim().to_owned()).ok_or_else(|| "postmaster.pid is short".to_owned())
}

/// The same address at another port.
fn with_port(address: &str, port: &str) -> Result<String, String> {
    let (host, rest) = address.rsplit_once("@localhost:").ok_or_else(|| format!("{address} names no port"))?;
    let (_, path) = rest.split_once('/').ok_or_else(|| format!("{address} names no database"))?;
    Ok(format!("{host}@localhost:{port}/{path}"))
}
