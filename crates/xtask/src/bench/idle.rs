//! What the agent takes while ten instances have nothing to do.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Measured;
use super::machine::{Place, memory_mib, run, told};

const INSTANCES: usize = 10;
/// What is left to do after an `up` is done by then.
const CALM: Duration = Duration::from_secs(5);
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
        Measured { what: "the agent of ten idle instances: memory", figure: rss_mib, bar: 30.0, unit: "MiB" },
    ])
}

/// CPU time of all threads of a process, to the nanosecond (the kernel's scheduler statistics: time on the CPU comes first).
fn cpu_s(pid: u32) -> Result<f64, String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(told("look at the agent"))?;
    let mut total_ns = 0.0;
    for task in tasks.flatten() {
        // A thread that has just ended has nothing to say.
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        total_ns += text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(total_ns / 1e9)
}
