//! One case after the other on the same pair: do something to its primary, see how long nobody's write is acknowledged, and wait
//! until it is whole again.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::herd::{Herd, Member, wake};
use crate::machine::{ms_since, wait};
use crate::writers::{Judgement, longest_gap};

const ROUNDS: usize = 10;
const WRITERS: i64 = 4;

/// Something that is done to a primary.
pub struct Case {
    /// In words.
    pub name: &'static str,
    /// Does it; which processes it stopped where they were.
    pub act: fn(&Herd, &Member) -> Result<BTreeSet<i32>, String>,
}

/// What came of it.
pub struct Ran {
    /// How long no write was acknowledged, each time.
    pub gaps_ms: Vec<f64>,
    /// How long it took until commits waited for a standby again.
    pub whole_ms: Vec<f64>,
    /// What became of the writes.
    pub judgement: Judgement,
}

pub const POSTMASTER: Case = Case {
    name: "postmaster killed",
    act: |_, primary| {
        primary.kill_postmaster();
        Ok(BTreeSet::new())
    },
};

pub const EVERYTHING: Case = Case {
    name: "all processes killed",
    act: |_, primary| {
        primary.kill_all();
        Ok(BTreeSet::new())
    },
};

pub const FROZEN: Case = Case { name: "frozen", act: |_, primary| Ok(primary.freeze()) };

pub const AGENT_TOO: Case = Case {
    name: "agent killed with the primary",
    act: |herd, primary| {
        herd.kill_agent()?;
        primary.kill_all();
        Ok(BTreeSet::new())
    },
};

pub const PLANNED: Case =
    Case { name: "switchover", act: |herd, _| herd.pgherd(&["switchover", "--yes"]).map(|_| BTreeSet::new()) };

/// Does it again and again, to whoever is the primary.
pub fn run(herd: &Herd, case: &Case) -> Result<Ran, String> {
    herd.becomes_whole()?;
    let writers = herd.writers(WRITERS)?;
    let (mut moments, mut whole_ms) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let primary = herd.in_role("primary")?;
        writers.go_on()?;
        let begun = Instant::now();
        let frozen = (case.act)(herd, &primary)?;
        // Whoever asks how it is disturbs, so the writers come first.
        wait("a write after it", || writers.write_after_trouble(begun) || ms_since(begun) > 1000.0)?;
        let before = Some(primary.postmaster.cast_unsigned());
        herd.becomes("another server is the primary", |status| {
            status.nodes.iter().any(|node| node.role == "primary" && node.pid.is_some() && node.pid != before)
        })?;
        // As soon as it may wake: it must not acknowledge anything now, and what it did acknowledge would be judged.
        wake(&frozen);
        herd.becomes_whole()?;
        whole_ms.push(ms_since(begun));
        writers.go_on()?;
        moments.push((begun, Instant::now()));
    }
    let (writes, judgement) = writers.end()?;
    let gap_ms = |(from, to): (Instant, Instant)| longest_gap(&writes, from, to).as_secs_f64() * 1000.0;
    Ok(Ran { gaps_ms: moments.into_iter().map(gap_ms).collect(), whole_ms, judgement })
}
