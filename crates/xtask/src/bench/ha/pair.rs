//! `pgherd up` of a pair from nothing, against what must be done in any case: copy a template, start two servers, have one follow
//! the other. By turns, so that other work on the machine bears on both alike.

use std::fs;
use std::process::Command;
use std::time::Instant;

use pgherd_local::postgres::{runas::RunAs, server::Server};

use super::super::Measured;
use super::ms;
use crate::machine::{Place, begin, end, initdb, median, ms_since, over_socket, psql, remove, run, server, told, wait};
use crate::say;

const ROUNDS: usize = 5;
/// Whom commits wait for.
const STANDBY: &str = "second";

/// Measures both.
pub fn up() -> Result<Measured, String> {
    let place = Place::new()?;
    let (server, run_as) = server()?;
    run_as.make_dir(&place.at("servers"), 0o700).map_err(|error| error.message)?;
    initdb(&server, &run_as, &place.at("servers/template"))?;
    place.describe_pair(&[])?;
    // The template of pgherd is there from then on, as on every `up` but the first of a server.
    up_once(&place)?;
    let (mut ups, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(floor(&place, &server, &run_as)?);
        ups.push(up_once(&place)?);
    }
    let (up, floor) = (median(ups), median(floors));
    say(&format!("up of a pair: {up:.0} ms; copy, two starts, sync: {floor:.0} ms"));
    Ok(ms("up of a pair from nothing: against 1.5 x (copy, two starts, sync)", up, 1.5 * floor))
}

/// No agent, no folder, no prepared cluster; when it is done, commits wait for the standby.
fn up_once(place: &Place) -> Result<f64, String> {
    let start = Instant::now();
    run(&mut place.pgherd(&["up", "--yes"]))?;
    let took = ms_since(start);
    place.clear()?;
    Ok(took)
}

/// The directory of the standby is there already: one copy is what the bar allows for.
fn floor(place: &Place, server: &Server, run_as: &RunAs) -> Result<f64, String> {
    let [template, first, second] = ["template", "first", "second"].map(|name| place.at(&format!("servers/{name}")));
    let copy = |to| run(Command::new("cp").arg("-a").arg(&template).arg(to)).map(drop);
    copy(&second)?;
    fs::write(second.join("standby.signal"), "").map_err(told("write standby.signal"))?;
    let upstream = format!("primary_conninfo=host={} user=bench application_name={STANDBY}", first.display());
    let start = Instant::now();
    copy(&first)?;
    let mut primary = begin(server, run_as, &first, &[format!("synchronous_standby_names={STANDBY}")])?;
    let mut standby = begin(server, run_as, &second, &[upstream])?;
    let asked = || psql(server, &over_socket(&first), "SELECT sync_state FROM pg_stat_replication");
    wait("the standby", || asked().is_ok_and(|state| state == "sync"))?;
    let took = ms_since(start);
    for (child, data) in [(&mut standby, &second), (&mut primary, &first)] {
        end(data)?;
        child.wait().map_err(told("wait for a server"))?;
        remove(data)?;
    }
    Ok(took)
}
