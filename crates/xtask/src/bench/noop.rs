//! A plan that finds nothing to do: what it takes beyond the agent's own answer, and how much memory.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use pgherd_local::paths::{Paths, Surroundings};

use super::Measured;
use crate::machine::{Place, median, memory_mib, ms_since, run, told};

const ROUNDS: usize = 21;

/// Plans and asks by turns.
pub fn run_rounds() -> Result<Vec<Measured>, String> {
    let place = Place::new()?;
    place.describe(1)?;
    run(&mut place.pgherd(&["up", "--yes"]))?;
    let around = Surroundings {
        uid: rustix::process::geteuid().as_raw(),
        state_dir: Some(place.at("state")),
        ..Surroundings::read(0, |name| std::env::var_os(name))
    };
    let socket = Paths::choose(&around).agent_socket();
    let (mut answers, mut plans, mut peak_mib) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..ROUNDS {
        answers.push(answer(&socket)?);
        plans.push(plan(&place)?);
        peak_mib = peak_mib.max(peak(&place)?);
    }
    Ok(vec![
        Measured {
            what: "no-op plan of one database: beyond the agent's answer",
            figure: median(plans) - median(answers),
            bar: 30.0,
            unit: "ms",
        },
        Measured { what: "no-op plan of one database: memory", figure: peak_mib, bar: 20.0, unit: "MiB" },
    ])
}

/// The question a plan asks, bare.
fn answer(socket: &Path) -> Result<f64, String> {
    let start = Instant::now();
    let mut stream = UnixStream::connect(socket).map_err(told("reach the agent"))?;
    let question = b"GET /v1/instances/bench-0 HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n";
    stream.write_all(question).map_err(told("ask the agent"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(told("read the agent's answer"))?;
    let took = ms_since(start);
    if answer.starts_with("HTTP/1.1 200") { Ok(took) } else { Err(format!("the agent said {answer}")) }
}

fn plan(place: &Place) -> Result<f64, String> {
    let start = Instant::now();
    run(&mut place.pgherd(&["plan"]))?;
    Ok(ms_since(start))
}

/// The most memory seen, looking as often as it goes while the plan runs.
fn peak(place: &Place) -> Result<f64, String> {
    let mut command = place.pgherd(&["plan"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(told("run pgherd"))?;
    let mut peak_mib = 0.0_f64;
    while child.try_wait().map_err(told("wait for pgherd"))?.is_none() {
        peak_mib = peak_mib.max(memory_mib(child.id(), "VmHWM").unwrap_or(0.0));
    }
    Ok(peak_mib)
}
