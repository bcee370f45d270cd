//! What clients notice when the primary of a pair goes: writers at work, the primary killed, frozen or exchanged again and again.

mod cases;
pub mod pair;

use self::cases::{Case, Ran};
use super::Measured;
use crate::herd::Herd;
use crate::machine::{Place, load, median};
use crate::say;
use crate::writers::Judgement;

/// How long a primary may leave a write unanswered (`hang_deadline_ms` of the failover brain), ms.
const HANG_DEADLINE_MS: f64 = 3000.0;

/// Runs every case on one pair.
pub fn run_cases() -> Result<Vec<Measured>, String> {
    let herd = Herd::new(Place::new()?)?;
    herd.apply(&[])?;
    let postmaster = run(&herd, &cases::POSTMASTER)?;
    let everything = run(&herd, &cases::EVERYTHING)?;
    let frozen = run(&herd, &cases::FROZEN)?;
    let agent_too = run(&herd, &cases::AGENT_TOO)?;
    let planned = run(&herd, &cases::PLANNED)?;
    herd.apply(&[("enable_proxy", "true")])?;
    let pooled = run(&herd, &cases::PLANNED)?;
    let whole_ms: Vec<f64> = [&postmaster, &everything].into_iter().flat_map(|ran| ran.whole_ms.clone()).collect();
    let mut rows = vec![
        ms("postmaster killed: no write acknowledged for, median", median(postmaster.gaps_ms.clone()), 300.0),
        ms("postmaster killed: longest", longest(&postmaster.gaps_ms), 1000.0),
        ms("all processes killed: median", median(everything.gaps_ms.clone()), 300.0),
        ms("all processes killed: longest", longest(&everything.gaps_ms), 1000.0),
        ms("frozen: longest", longest(&frozen.gaps_ms), HANG_DEADLINE_MS + 1000.0),
        ms("agent killed with the primary, and started anew after 1 s: longest", longest(&agent_too.gaps_ms), 5000.0),
        ms("switchover through the write port: longest", longest(&planned.gaps_ms), 500.0),
        ms("switchover through the pooler: longest", longest(&pooled.gaps_ms), 500.0),
        none("switchovers through the pooler: failed statements", pooled.judgement.failed),
        ms("whole again, after a kill: median", median(whole_ms.clone()), 5000.0),
        ms("whole again, after a kill: longest", longest(&whole_ms), 5000.0),
    ];
    let all = [postmaster, everything, frozen, agent_too, planned, pooled].map(|ran| ran.judgement);
    rows.extend(judged(&all.into_iter().fold(Judgement::default(), Judgement::and)));
    Ok(rows)
}

fn run(herd: &Herd, case: &Case) -> Result<Ran, String> {
    let ran = cases::run(herd, case)?;
    let shown = |figures: &[f64]| figures.iter().map(|ms| format!("{ms:.0}")).collect::<Vec<_>>().join(" ");
    let Ran { gaps_ms, whole_ms, judgement } = &ran;
    say(&format!(
        "{} (load {:.1}): ms without a write {}; ms until whole again {}; {judgement}",
        case.name,
        load(),
        shown(gaps_ms),
        shown(whole_ms)
    ));
    Ok(ran)
}

fn judged(judgement: &Judgement) -> Vec<Measured> {
    vec![
        none("acknowledged and lost, in all runs", judgement.lost.len()),
        none("duplicates, in all runs", judgement.duplicates.len()),
        none("acknowledged by a second writer, in all runs", judgement.two_writers.len()),
    ]
}

fn none(what: &'static str, count: usize) -> Measured {
    #[expect(clippy::cast_precision_loss, reason = "far fewer writes than a float holds exactly")]
    let figure = count as f64;
    Measured { what, figure, bar: 0.0, unit: "" }
}

fn ms(what: &'static str, figure: f64, bar: f64) -> Measured {
    Measured { what, figure, bar, unit: "ms" }
}

fn longest(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(0.0, f64::max)
}
