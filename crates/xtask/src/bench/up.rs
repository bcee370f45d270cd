//! From nothing to the first query: `pgherd up`, against what must be done in any case, and against PostgreSQL's own tools. See [`Model`] for what must be done.
//!
//! All take turns, so that other work on the machine bears on each alike. The template of pgherd is there already, as on every
//! `up` but the first of a server. Otherwise the first `up` of a round finds nothing: no agent, no folder, no prepared
//! cluster. The second adds a database right behind it, and the third one when the agent has prepared a cluster meanwhile.
//!
//! Each begins with a disk that owes nothing, and no file is removed before the end: ext4 passes over every inode that was
//! freed in the last minutes when it looks for one (`recently_deleted` in the kernel's `fs/ext4/ialloc.c`), so that whoever
//! makes a thousand files right after a thousand were removed waits half a second for the one who removed them.

use std::process::Stdio;
use std::time::Instant;

use pgherd_local::postgres::{runas::RunAs, server::Server};

use super::Measured;
use super::model::{Model, Run};
use crate::machine::{Place, end, initdb, median, ms_since, over_socket, psql, run, server, told, wait};

const ROUNDS: usize = 9;

/// Measures all.
pub fn run_rounds() -> Result<Vec<Measured>, String> {
    let place = Place::new()?;
    let (server, run_as) = server()?;
    run_as.make_dir(&place.at("servers"), 0o700).map_err(|error| error.message)?;
    let (_, address) = up(&place, &server, 0)?;
    let model = Model::of(&place, &address, &["n1"])?;
    let (mut firsts, mut nexts, mut prepared) = (Vec::new(), Vec::new(), Vec::new());
    let (mut floors, mut peers) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        floors.push(model.floor(&place, &server, &run_as, Run { round, together: true })?);
        firsts.push(up(&place, &server, 0)?.0);
        nexts.push(up(&place, &server, 1)?.0);
        wait("a prepared cluster", || is_prepared(&place))?;
        prepared.push(up(&place, &server, 2)?.0);
        place.put_away(&format!("after-{round}"))?;
        peers.push(peer(&place, &server, &run_as, round)?);
    }
    let (first, floor, peer) = (median(firsts), median(floors), median(peers));
    let (next, prepared) = (median(nexts), median(prepared));
    let bar = 1.5 * floor;
    Ok(vec![
        Measured { what: "up from nothing: against 1.5 x (copy, start, first query)", figure: first, bar, unit: "ms" },
        Measured { what: "up with a running agent: against the same", figure: next, bar, unit: "ms" },
        Measured { what: "up with a prepared cluster: against the same", figure: prepared, bar, unit: "ms" },
        Measured {
            what: "up from nothing: against initdb, pg_ctl start, first query",
            figure: first,
            bar: peer,
            unit: "ms",
        },
    ])
}

/// `pgherd up` of one more database than before, and a query over TLS, to the address it prints.
fn up(place: &Place, server: &Server, number: usize) -> Result<(f64, String), String> {
    place.describe(number + 1)?;
    rustix::fs::sync();
    let start = Instant::now();
    let output = run(&mut place.pgherd(&["up", "--yes"]))?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let told = format!("bench-{number} is up: ");
    let address = said.lines().find_map(|line| line.strip_prefix(&told));
    let address = address.ok_or_else(|| format!("up named no address: {said}"))?;
    query(server, address)?;
    Ok((ms_since(start), address.to_owned()))
}

/// What is being prepared has an ending.
fn is_prepared(place: &Place) -> bool {
    let entries = std::fs::read_dir(place.at("state/prepared")).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().extension().is_none())
}

/// PostgreSQL's own tools, as its manual has it.
fn peer(place: &Place, server: &Server, run_as: &RunAs, round: usize) -> Result<f64, String> {
    let data = place.at(&format!("servers/peer-{round}"));
    rustix::fs::sync();
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
    Ok(took)
}

fn query(server: &Server, address: &str) -> Result<(), String> {
    psql(server, address, "SELECT 1").map(drop)
}
