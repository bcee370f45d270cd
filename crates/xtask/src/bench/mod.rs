//! What pgherd costs, measured against the bars it has to stay under. A bench is one file and one line of [`BENCHES`].

mod archive;
mod aws;
mod ha;
mod idle;
mod model;
mod noop;
mod size;
mod terraform;
mod thousand;
mod up;

use std::process::Command;

use crate::machine;

/// Every bench.
const BENCHES: [Bench; 10] = [
    Bench { name: "up", run: up::run_rounds },
    Bench { name: "noop", run: noop::run_rounds },
    Bench { name: "thousand", run: thousand::run },
    Bench { name: "size", run: size::look },
    Bench { name: "idle", run: idle::watch },
    Bench { name: "pair", run: ha::pair::run_rounds },
    Bench { name: "ha", run: ha::run_cases },
    Bench { name: "archive", run: archive::run_rounds },
    Bench { name: "aws", run: aws::run_rounds },
    Bench { name: "terraform", run: terraform::run_sizes },
];

/// One thing that is measured.
struct Bench {
    name: &'static str,
    /// Measures in a release build.
    run: fn() -> Result<Vec<Measured>, String>,
}

/// One figure.
#[derive(Debug, Clone, Copy)]
struct Measured {
    what: &'static str,
    figure: f64,
    /// The highest figure that is good enough; infinite where it is only told.
    bar: f64,
    unit: &'static str,
}

/// Runs these benches, all when none is named, and gives the table of what they measured. An error above any bar.
pub fn run(names: &[&str]) -> Result<String, String> {
    if let Some(unknown) = names.iter().find(|name| !BENCHES.iter().any(|bench| bench.name == **name)) {
        let known: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        return Err(format!("there is no bench {unknown}; there is {}", known.join(", ")));
    }
    if cfg!(debug_assertions) {
        return in_release(names);
    }
    let (mut all, load) = (Vec::new(), machine::load());
    for bench in BENCHES.iter().filter(|bench| names.is_empty() || names.contains(&bench.name)) {
        all.extend((bench.run)()?);
    }
    let table = table(&all) + &format!("load average {load:.1} before, {:.1} after\n", machine::load());
    if all.iter().all(|measured| measured.figure <= measured.bar) { Ok(table) } else { Err(table) }
}

/// The half of a bench that runs in a process of its own, so that its memory is its own.
pub fn child(arguments: &[&str]) -> Result<String, String> {
    match arguments {
        ["thousand", cloud, folder] => thousand::child(cloud, folder.as_ref()),
        ["provider", program, figures] => terraform::watched(program.as_ref(), figures.as_ref()),
        _ => Err("this is for benches alone".to_owned()),
    }
}

/// Figures of a debug build say nothing, so the same is done by a release build.
fn in_release(names: &[&str]) -> Result<String, String> {
    let status = Command::new(env!("CARGO"))
        .args(["run", "--release", "--quiet", "--package", "xtask", "--", "bench"])
        .args(names)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() { Ok(String::new()) } else { Err("a release build says why".to_owned()) }
}

fn table(all: &[Measured]) -> String {
    let width = all.iter().map(|measured| measured.what.chars().count()).max().unwrap_or(0);
    let mut table = format!("{:<width$}  {:>12}  {:>12}  {:>6}\n", "", "measured", "bar", "ratio");
    for Measured { what, figure, bar, unit } in all {
        let figure_text = format!("{figure:.3} {unit}");
        // What is only told, to be compared with, has no bar; where nothing at all is allowed there is no ratio.
        let bar_text = if bar.is_finite() { format!("{bar:.2} {unit}") } else { "-".to_owned() };
        let ratio = if *bar > 0.0 && bar.is_finite() { format!("{:.2}", figure / bar) } else { "-".to_owned() };
        let verdict = if figure <= bar { "" } else { "  missed" };
        table += &format!("{what:<width$}  {figure_text:>12}  {bar_text:>12}  {ratio:>6}{verdict}\n");
    }
    table
}
