//! From nothing to the first query: `pgherd up`, against what must be done in any case, and against PostgreSQL's own tools.
//!
//! The three take turns, so that other work on the machine bears on each alike. The template of pgherd is there already, as
//! on every `up` but the first of a server.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use pgherd_local::postgres::{runas::RunAs, server::Server};

use super::Measured;
use super::machine::{Place, end, median, ms_since, remove, run, server, told, wait};

const ROUNDS: usize = 9;

/// Measures all three.
pub fn run_rounds() -> Result<Vec<Measured>, String> {
    let place = Place::new()?;
    let (server, run_as) = server()?;
    place.describe(1)?;
    run_as.make_dir(&place.at("servers"), 0o700).map_err(|error| error.message)?;
    initdb(&server, &run_as, &place.at("servers/template"))?;
    up(&place, &server)?;
    let (mut ups, mut floors, mut peers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(floor(&place, &server, &run_as)?);
        ups.push(up(&place, &server)?);
        peers.push(peer(&place, &server, &run_as)?);
    }
    let (up, floor, peer) = (median(ups), median(floors), median(peers));
    Ok(vec![
        Measured { what: "up: against 1.5 x (copy, start, first query)", figure: up, bar: 1.5 * floor, unit: "ms" },
        Measured { what: "up: against initdb, pg_ctl start, first query", figure: up, bar: peer, unit: "ms" },
    ])
}

/// `pgherd up` and a query over TLS, to the address it prints.
fn up(place: &Place, server: &Server) -> Result<f64, String> {
    let start = Instant::now();
    let output = run(&mut place.pgherd(&["up", "--yes"]))?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let address = said.split_whitespace().find(|word| word.starts_with("postgresql://"));
    query(server, address.ok_or_else(|| format!("up named no address: {said}"))?)?;
    let took = ms_since(start);
    place.clear()?;
    Ok(took)
}

/// The least there is to do: the files, the server, a query over its socket.
fn floor(place: &Place, server: &Server, run_as: &RunAs) -> Result<f64, String> {
    let data = place.at("servers/floor");
    let start = Instant::now();
    run(Command::new("cp").arg("-a").arg(place.at("servers/template")).arg(&data))?;
    let mut command = run_as.command(server, "postgres");
    command.arg("-D").arg(&data).args(["-c", "listen_addresses=", "-k"]).arg(&data);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(told("start a server"))?;
    let ready = || std::fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|file| file.contains("ready"));
    wait("a server", ready)?;
    query(server, &over_socket(&data))?;
    let took = ms_since(start);
    end(&data)?;
    child.wait().map_err(told("wait for a server"))?;
    remove(&data)?;
    Ok(took)
}

/// PostgreSQL's own tools, as its manual has it.
fn peer(place: &Place, server: &Server, run_as: &RunAs) -> Result<f64, String> {
    let data = place.at("servers/peer");
    let start = Instant::now();
    initdb(server, run_as, &data)?;
    let mut command = run_as.command(server, "pg_ctl");
    command.arg("start").arg("--wait").arg("--silent").arg("--pgdata").arg(&data).arg("--log").arg(data.join("log"));
    command.arg("--options").arg(format!("-c listen_addresses= -k {}", data.display()));
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(told("run pg_ctl"))?;
    if !status.success() {
        return Err("pg_ctl failed".to_owned());
    }
    query(server, &over_socket(&data))?;
    let took = ms_since(start);
    end(&data)?;
    remove(&data)?;
    Ok(took)
}

fn initdb(server: &Server, run_as: &RunAs, data: &Path) -> Result<(), String> {
    let mut command = run_as.command(server, "initdb");
    command.args(["--username", "bench", "--auth", "trust", "--data-checksums", "--pgdata"]).arg(data);
    run(&mut command).map(drop)
}

fn over_socket(data: &Path) -> String {
    format!("host={} user=bench dbname=postgres", data.display())
}

fn query(server: &Server, address: &str) -> Result<(), String> {
    let mut command = Command::new(server.program("psql"));
    if let Some(lib) = &server.lib {
        command.env("LD_LIBRARY_PATH", lib);
    }
    run(command.args(["-X", "-A", "-t", "-w", "-c", "SELECT 1", address])).map(drop)
}
