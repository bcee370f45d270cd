//! A block applied whole, flipped, and destroyed.

use super::{World, applied, carried_out, changes, planned};
use crate::run;

/// Applies a block: afterwards there is nothing to do and nothing to say, and doing that sends no write.
///
/// # Panics
/// When it does not hold.
pub async fn kept<W: World>(block: &str) -> W {
    let world = W::new().await;
    applied(&world, block).await;
    let again = planned(&world, block).await;
    assert_eq!(changes(&again), [""; 0], "right after it was applied");
    assert_eq!(again.plan.diagnostics, [], "right after it was applied");
    world.forget_calls();
    applied(&world, block).await;
    assert_eq!(world.writes(), [""; 0], "by an empty plan");
    world
}

/// Applies a block and then another one: that changes what is expected, and nothing is left to do.
///
/// # Panics
/// When it does not hold.
pub async fn flipped<W: World>(before: &str, after: &str, expected: &[&str]) {
    let world = W::new().await;
    applied(&world, before).await;
    let planned_change = planned(&world, after).await;
    assert_eq!(changes(&planned_change), expected);
    let outcome = carried_out(&world, after, &planned_change).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(changes(&planned(&world, after).await), [""; 0], "after it was changed");
}

/// The same, where only the steps are expected, without their fields, in order of their names.
///
/// # Panics
/// When it does not hold.
pub async fn changes_of_kinds<W: World>(before: &str, after: &str, expected: &[&str]) {
    let world = W::new().await;
    applied(&world, before).await;
    let planned_change = planned(&world, after).await;
    let mut steps: Vec<String> =
        planned_change.plan.steps.iter().map(|step| format!("{} {}", step.action.verb(), step.id)).collect();
    steps.sort();
    assert_eq!(steps, expected);
    let outcome = carried_out(&world, after, &planned_change).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(changes(&planned(&world, after).await), [""; 0], "after it was changed");
}

/// Applies a block and destroys it: only what is expected is left, and destroying it again does nothing.
///
/// # Panics
/// When it does not hold.
pub async fn destroyed<W: World>(block: &str, left: &[&str]) {
    let world = W::new().await;
    applied(&world, block).await;
    let spec = W::spec(block);
    let plan = async || run::observe_and_plan_destroy(world.provider().as_ref(), &spec).await.expect("it is looked at");
    let outcome = carried_out(&world, block, &plan().await).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(world.things(), left, "after it was destroyed");
    assert_eq!(changes(&plan().await), [""; 0], "after it was destroyed");
}
