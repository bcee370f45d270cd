//! `pgherd up` of a pair from nothing, against what must be done in any case (see [`Model`]): copy a cluster, start two servers, have
//! one follow the other. The bar is on the sum of these; with both servers started at once it takes less, which is shown beside it. By turns, so that other work on the machine bears on both alike. As in [`super::super::up`], each begins with a disk
//! that owes nothing, and no file is removed before the end.

use std::time::Instant;

use pgherd_local::postgres::server::Server;

use super::super::Measured;
use super::super::model::{Model, Run};
use super::ms;
use crate::herd::NAME;
use crate::machine::{Place, median, ms_since, psql, run, server};
use crate::say;

const ROUNDS: usize = 5;

/// Measures both.
pub fn run_rounds() -> Result<Vec<Measured>, String> {
    let place = Place::new()?;
    let (server, run_as) = server()?;
    run_as.make_dir(&place.at("servers"), 0o700).map_err(|error| error.message)?;
    place.describe_pair(&[])?;
    // The template of pgherd is there from then on, as on every `up` but the first of a server.
    let (_, address) = up_once(&place, &server)?;
    let model = Model::of(&place, &address, &["n1", "n2"])?;
    let (mut ups, mut floors, mut side_by_side) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        floors.push(model.floor(&place, &server, &run_as, Run { round, together: false })?);
        side_by_side.push(model.floor(&place, &server, &run_as, Run { round, together: true })?);
        ups.push(up_once(&place, &server)?.0);
        place.put_away(&format!("after-{round}"))?;
    }
    let (up, floor, side_by_side) = (median(ups), median(floors), median(side_by_side));
    say(&format!(
        "up of a pair: {up:.0} ms; copy, two starts, sync: {floor:.0} ms, with both at once {side_by_side:.0} ms"
    ));
    Ok(vec![ms("up of a pair from nothing: against 1.5 x (copy, two starts, sync)", up, 1.5 * floor)])
}

/// No agent, no folder, no prepared cluster; when it is done, commits wait for the standby. How long that and a first query took, and
/// the address it prints.
fn up_once(place: &Place, server: &Server) -> Result<(f64, String), String> {
    rustix::fs::sync();
    let start = Instant::now();
    let output = run(&mut place.pgherd(&["up", "--yes"]))?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let address = said.lines().find_map(|line| line.strip_prefix(&format!("{NAME} is up: ")));
    let address = address.ok_or_else(|| format!("up named no address: {said}"))?;
    psql(server, address, "SELECT 1")?;
    Ok((ms_since(start), address.to_owned()))
}
