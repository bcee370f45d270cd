//! What the agent takes while ten instances have nothing to do.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Measured;
use crate::machine::{Place, memory_mib, run, told};

const INSTANCES: usize = 10;
/// What is left to do after an `up` is done by then, a cluster made ahead of time included.
const CALM: Duration = Duration::from_secs(12);
const WATCHED: Duration = Duration::from_secs(20);

/// Brings ten up, then watches their agent.
pub fn watch() -> Result<Vec<Measured>, String> {
    let place = Place::new()?;
    place.describe(INSTANCES)?;
    run(&mut place.pgherd(&["up", "--yes"]))?;
    let agent = u32::try_from(place.agent()?).map_err(|error| error.to_string())?;
    sleep(CALM);
    let (start, before_s) = (Instant::now(), cpu_s(agent)?);
    sleep(WATCHED);
    let share = (cpu_s(agent)? - before_s) / start.elapsed().as_secs_f64() * 100.0;
    let rss_mib = memory_mib(agent, "VmRSS").ok_or("the agent ended")?;
    Ok(vec![
        Measured { what: "the agent of ten idle instances: of a core", figure: share, bar: 0.5, unit: "%" },
        Measured {
            what: "the agent of ten idle instances: of a core, for each",
            figure: share / 10.0,
            bar: 0.05,
            unit: "%",
        },
        Measured { what: "the agent of ten idle instances: memory", figure: rss_mib, bar: 30.0, unit: "MiB" },
    ])
}

/// CPU time of a process, threads that have ended included, in steps of 10 ms (`proc(5)`: `utime` and `stime`, in ticks that Linux
/// always counts as 100 a second for user space).
fn cpu_s(pid: u32) -> Result<f64, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(told("look at the agent"))?;
    // The program's name stands in brackets and may hold spaces; what follows it begins with the third field.
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |field: usize| after_name.split_whitespace().nth(field - 3).and_then(|ticks| ticks.parse::<f64>().ok());
    match (ticks(14), ticks(15)) {
        (Some(user), Some(system)) => Ok((user + system) / 100.0),
        _ => Err("the agent's CPU time cannot be read".to_owned()),
    }
}
