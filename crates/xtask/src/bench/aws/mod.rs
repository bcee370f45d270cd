//! A block on an emulated AWS, made, looked at and changed: by pgherd, by boto3 with the same calls, by AWS's command line, and by Ansible.
//!
//! The block is one that all can do: an instance whose groups are given, its secret and its alarms.

mod account;
mod clients;

use std::process::Command;

use super::Measured;
use crate::machine::{median, memory_mib, ms_since, run, told};
use crate::say;
use account::Account;
use clients::{CLIENTS, Client, Doing};

const OURS: &str = "pgherd";
/// How often what does nothing is done.
const NOOPS: usize = 10;

/// What doing something took.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    wall_s: f64,
    cpu_s: f64,
    peak_mib: f64,
    requests: f64,
}

/// Every client in an account of its own. One that is not installed is left out, and then nothing is held against it.
pub fn run_rounds() -> Result<Vec<Measured>, String> {
    let mut all = Vec::new();
    let mut costs: Vec<(&str, [Cost; 3])> = Vec::new();
    for client in CLIENTS.iter().filter(|client| client.is_there()) {
        say(&format!("{}: a creation takes minutes", client.name));
        match of_client(client) {
            Ok(cost) => {
                let rows = client.rows(&cost);
                rows.iter().for_each(|row| say(&format!("{}: {:.3} {}", row.what, row.figure, row.unit)));
                all.extend(rows);
                costs.push((client.name, cost));
            }
            Err(reason) if client.name == OURS => return Err(reason),
            // It took long to come here: what the others took is not thrown away.
            Err(reason) => say(&format!("{} is left out: {reason}", client.name)),
        }
    }
    let of = |name: &str| costs.iter().find(|(client, _)| *client == name).map(|(_, cost)| cost);
    let ours = of(OURS).ok_or("pgherd was not measured")?;
    all.push(Measured { what: "aws: no-op: requests", figure: ours[1].requests, bar: 3.0, unit: "" });
    if let Some(floor) = of("boto3") {
        all.extend([
            Measured {
                what: "aws: no-op: CPU against boto3's",
                figure: ours[1].cpu_s / floor[1].cpu_s,
                bar: 0.2,
                unit: "x",
            },
            Measured {
                what: "aws: create: wall time against boto3's",
                figure: ours[0].wall_s / floor[0].wall_s,
                bar: 1.0,
                unit: "x",
            },
        ]);
    }
    Ok(all)
}

/// What making, looking and changing took in an account of its own.
fn of_client(client: &Client) -> Result<[Cost; 3], String> {
    let account = Account::new()?;
    let create = measured(&account, client, Doing::Create)?;
    let noops = (0..NOOPS).map(|_| measured(&account, client, Doing::Noop)).collect::<Result<Vec<_>, _>>()?;
    let noop = Cost {
        wall_s: median(noops.iter().map(|cost| cost.wall_s).collect()),
        // Ticks of 10 ms are told, so only many together say something.
        cpu_s: mean(&noops, |cost| cost.cpu_s),
        peak_mib: noops.iter().map(|cost| cost.peak_mib).fold(0.0, f64::max),
        requests: mean(&noops, |cost| cost.requests),
    };
    Ok([create, noop, measured(&account, client, Doing::Modify)?])
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn mean(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    costs.iter().map(of).sum::<f64>() / costs.len().max(1) as f64
}

/// What something takes that a client does.
fn measured(account: &Account, client: &Client, doing: Doing) -> Result<Cost, String> {
    let mut cost = Cost::default();
    account.forget_requests();
    for command in client.commands(account, doing)? {
        let one = of_command(command)?;
        cost.wall_s += one.wall_s;
        cost.cpu_s += one.cpu_s;
        cost.peak_mib = cost.peak_mib.max(one.peak_mib);
    }
    cost.requests = account.requests();
    Ok(cost)
}

fn of_command(mut command: Command) -> Result<Cost, String> {
    let before = children_cpu_s()?;
    let start = std::time::Instant::now();
    let log = tempfile::NamedTempFile::new().map_err(told("make a file"))?;
    let to_log = || log.reopen().map_err(told("open a file"));
    let mut child = command.stdout(to_log()?).stderr(to_log()?).spawn().map_err(told("run a client"))?;
    let mut peak_mib = 0.0_f64;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(told("wait for a client"))? {
            break status;
        }
        peak_mib = peak_mib.max(memory_mib(child.id(), "VmHWM").unwrap_or(0.0));
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    if !status.success() {
        let said = std::fs::read_to_string(log.path()).unwrap_or_default();
        return Err(format!("{} failed: {said}", command.get_program().display()));
    }
    Ok(Cost { wall_s: ms_since(start) / 1000.0, cpu_s: children_cpu_s()? - before, peak_mib, requests: 0.0 })
}

/// CPU time of the children that have ended and were waited for: the 16th and 17th field of proc_pid_stat(5), in ticks.
fn children_cpu_s() -> Result<f64, String> {
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(told("read /proc"))?;
    // The name in brackets may hold blanks.
    let (_, rest) = stat.rsplit_once(')').ok_or("/proc/self/stat is short")?;
    let ticks: Vec<f64> = rest.split_whitespace().skip(13).take(2).filter_map(|tick| tick.parse().ok()).collect();
    #[expect(clippy::cast_precision_loss, reason = "it is 100")]
    let a_second = rustix::param::clock_ticks_per_second() as f64;
    Ok(ticks.iter().sum::<f64>() / a_second)
}

/// Whether a program runs and ends well.
fn answers(program: &str, arguments: &[&str]) -> bool {
    run(Command::new(program).args(arguments).env("AWS_EC2_METADATA_DISABLED", "true")).is_ok()
}
