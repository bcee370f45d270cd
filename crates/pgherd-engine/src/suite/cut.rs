//! Whatever cuts a run short, the next one does the rest, and nothing is made twice.

use super::{Fault, World, applied, carried_out, changes, planned};
use crate::run;

/// Kills an apply after each of its calls in turn: the next apply finishes it, so that there is what there would be anyhow, made once.
/// With a block `before`, it is a change that is killed. A run of fewer calls than `at_least` would prove little.
///
/// # Panics
/// When it does not hold.
pub async fn killed_anywhere<W: World>(before: Option<&str>, after: &str, at_least: usize) {
    let undisturbed = undisturbed::<W>(before, after).await;
    for nth in 1.. {
        let (world, plan) = begun::<W>(before, after).await;
        world.disturb(nth, Fault::Hang);
        tokio::select! {
            outcome = carried_out(&world, after, &plan) => {
                assert!(outcome.is_success(), "{outcome:?}");
                assert!(nth > at_least, "only {nth} calls");
                return;
            }
            () = world.hung() => {}
        }
        // What was accepted is on its way, and takes nothing more before it is there.
        world.rest();
        applied(&world, after).await;
        let left = (changes(&planned(&world, after).await), world.things(), world.made());
        assert_eq!(left, undisturbed, "killed after call {nth}");
    }
}

/// Destroys a block and kills after each call in turn: the same again leaves no more than one that nothing disturbed.
///
/// # Panics
/// When it does not hold.
pub async fn destroy_killed_anywhere<W: World>(block: &str, at_least: usize) {
    let spec = W::spec(block);
    let begun = async || {
        let world = W::new().await;
        applied(&world, block).await;
        world.rest();
        world
    };
    let plan = async |world: &W| {
        run::observe_and_plan_destroy(world.provider().as_ref(), &spec).await.expect("nothing is in the way of looking")
    };
    let undisturbed = begun().await;
    let outcome = carried_out(&undisturbed, block, &plan(&undisturbed).await).await;
    assert!(outcome.is_success(), "{outcome:?}");
    for nth in 1.. {
        let world = begun().await;
        let planned = plan(&world).await;
        world.disturb(nth, Fault::Hang);
        tokio::select! {
            outcome = carried_out(&world, block, &planned) => {
                assert!(outcome.is_success(), "{outcome:?}");
                assert!(nth > at_least, "only {nth} calls");
                return;
            }
            () = world.hung() => {}
        }
        world.rest();
        let outcome = carried_out(&world, block, &plan(&world).await).await;
        assert!(outcome.is_success(), "{outcome:?}");
        assert_eq!(world.things(), undisturbed.things(), "killed after call {nth}");
    }
}

/// Loses the answer of each call in turn: one apply is enough all the same.
///
/// # Panics
/// When it does not hold.
pub async fn answers_lost<W: World>(before: Option<&str>, after: &str, at_least: usize) {
    let undisturbed = undisturbed::<W>(before, after).await;
    for nth in 1.. {
        let (world, plan) = begun::<W>(before, after).await;
        world.disturb(nth, Fault::Lost);
        let outcome = carried_out(&world, after, &plan).await;
        assert!(outcome.is_success(), "the answer of call {nth}: {outcome:?}");
        let was_disturbed = world.was_disturbed();
        let left = (changes(&planned(&world, after).await), world.things(), world.made());
        assert_eq!(left, undisturbed, "without the answer of call {nth}");
        if !was_disturbed {
            assert!(nth > at_least, "only {nth} calls");
            return;
        }
    }
}

/// Refuses calls in a row, because there are too many of them: it takes longer, and no more.
///
/// # Panics
/// When it does not hold.
pub async fn throttled<W: World>(block: &str, from: usize, calls: usize) {
    let (world, plan) = begun::<W>(None, block).await;
    world.disturb(from, Fault::Throttled(calls));
    let outcome = carried_out(&world, block, &plan).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert!(world.was_disturbed(), "nobody was throttled");
    assert_eq!(changes(&planned(&world, block).await), [""; 0]);
}

/// What is left to do, what there is and what was made, when nothing is cut short.
async fn undisturbed<W: World>(before: Option<&str>, after: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let (world, plan) = begun::<W>(before, after).await;
    let outcome = carried_out(&world, after, &plan).await;
    assert!(outcome.is_success(), "{outcome:?}");
    let left = (changes(&planned(&world, after).await), world.things(), world.made());
    assert_eq!(left.0, [""; 0]);
    left
}

/// A world right before the run that is looked at, whose calls are counted from here.
async fn begun<W: World>(before: Option<&str>, after: &str) -> (W, crate::run::Planned) {
    let world = W::new().await;
    if let Some(before) = before {
        applied(&world, before).await;
        world.rest();
    }
    let plan = planned(&world, after).await;
    world.forget_calls();
    (world, plan)
}
