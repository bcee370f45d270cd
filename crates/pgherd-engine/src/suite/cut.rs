//! Whatever cuts a run short, the next one does the rest, and nothing is made twice.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Fault, World, applied, carried_out, changes, planned};
use crate::run::{self, Planned};

/// Kills an apply after each of its calls in turn: the next apply finishes it, so that there is what there would be anyhow, made once.
/// That comes at once, while what was accepted is on its way, and in another world when nothing goes on any more; in turn where there are
/// many calls. With a block `before`, it is a change that is killed. A run of fewer calls than `at_least` would prove little, as would
/// one where what comes at once never meets anything that is being made, changed or deleted.
///
/// # Panics
/// When it does not hold.
pub async fn killed_anywhere<W: World>(before: Option<&str>, after: &str, at_least: usize) {
    let ready = Ready::<W>::with(before).await;
    let undisturbed = ready.undisturbed(after).await;
    let mut met = 0;
    for nth in 1.. {
        for &again in Again::after::<W>(nth, at_least) {
            let (world, plan) = ready.begun(after).await;
            world.disturb(nth, Fault::Hang);
            tokio::select! {
                outcome = carried_out(&world, after, &plan) => {
                    assert!(outcome.is_success(), "{outcome:?}");
                    assert!(nth > at_least, "only {nth} calls");
                    assert!(met > 0 || !W::TAKES_TIME, "nothing was met on its way");
                    return;
                }
                () = world.hung() => {}
            }
            let again = again.or_at_once(met, &world);
            met += usize::from(again.is_met(&world));
            applied(&world, after).await;
            let left = (changes(&planned(&world, after).await), world.things(), world.made());
            assert_eq!(left, undisturbed, "killed after call {nth}, and again {again:?}");
            world.rest();
            assert_eq!(
                changes(&planned(&world, after).await),
                [""; 0],
                "killed after call {nth}, and when all is over"
            );
        }
    }
}

/// So many calls are many.
const MANY: usize = 25;

/// When the same command comes again after it was killed.
#[derive(Debug, Clone, Copy)]
enum Again {
    /// While what was accepted is on its way.
    AtOnce,
    /// When nothing goes on any more.
    Later,
}

impl Again {
    /// When it comes again after a call. Where there are many calls, at once after one and later after the next: what is around a database
    /// is made in many alike. Where nothing takes time, both are the same.
    fn after<W: World>(nth: usize, at_least: usize) -> &'static [Self] {
        match (W::TAKES_TIME, at_least >= MANY, nth % 2) {
            (false, _, _) => &[Self::Later],
            (true, false, _) => &[Self::AtOnce, Self::Later],
            (true, true, 1) => &[Self::AtOnce],
            (true, true, _) => &[Self::Later],
        }
    }

    /// The first time that something is on its way it is met: which call that is, depends on which of those side by side came first.
    fn or_at_once<W: World>(self, met: usize, world: &W) -> Self {
        if met == 0 && world.is_at_work() { Self::AtOnce } else { self }
    }

    /// Lets time go by until then. Whether something is on its way even so.
    fn is_met<W: World>(self, world: &W) -> bool {
        match self {
            Self::AtOnce => world.slowly(),
            Self::Later => world.rest(),
        }
        world.is_at_work()
    }
}

/// Destroys a block and kills after each call in turn: the same again, at once or later, leaves no more than one that nothing disturbed.
///
/// # Panics
/// When it does not hold.
pub async fn destroy_killed_anywhere<W: World>(block: &str, at_least: usize) {
    let spec = W::spec(block);
    let ready = Ready::<W>::with(Some(block)).await;
    let plan = async |world: &W| {
        run::observe_and_plan_destroy(world.provider().as_ref(), &spec).await.expect("nothing is in the way of looking")
    };
    let undisturbed = ready.another().await;
    let outcome = carried_out(&undisturbed, block, &plan(&undisturbed).await).await;
    assert!(outcome.is_success(), "{outcome:?}");
    let mut met = 0;
    for nth in 1.. {
        for &again in Again::after::<W>(nth, at_least) {
            let world = ready.another().await;
            let planned = plan(&world).await;
            world.forget_calls();
            world.disturb(nth, Fault::Hang);
            tokio::select! {
                outcome = carried_out(&world, block, &planned) => {
                    assert!(outcome.is_success(), "{outcome:?}");
                    assert!(nth > at_least, "only {nth} calls");
                    assert!(met > 0 || !W::DELETION_TAKES_TIME, "nothing was met on its way");
                    return;
                }
                () = world.hung() => {}
            }
            let again = again.or_at_once(met, &world);
            met += usize::from(again.is_met(&world));
            let outcome = carried_out(&world, block, &plan(&world).await).await;
            assert!(outcome.is_success(), "{outcome:?}");
            assert_eq!(world.things(), undisturbed.things(), "killed after call {nth}, and again {again:?}");
        }
    }
}

/// Destroys a block, kills after each call in turn and applies the block at once: what is on its way out is waited for, and then there is
/// what there was.
///
/// # Panics
/// When it does not hold.
pub async fn destroy_killed_and_wanted_again<W: World>(block: &str, at_least: usize) {
    let spec = W::spec(block);
    let ready = Ready::<W>::with(Some(block)).await;
    let mut met = 0;
    for nth in 1.. {
        let world = ready.another().await;
        let before = running(&world.things());
        let plan = run::observe_and_plan_destroy(world.provider().as_ref(), &spec).await.expect("it is looked at");
        world.forget_calls();
        world.disturb(nth, Fault::Hang);
        tokio::select! {
            outcome = carried_out(&world, block, &plan) => {
                assert!(outcome.is_success(), "{outcome:?}");
                assert!(nth > at_least, "only {nth} calls");
                assert!(met > 0 || !W::DELETION_TAKES_TIME, "nothing was met on its way");
                return;
            }
            () = world.hung() => {}
        }
        met += usize::from(Again::AtOnce.is_met(&world));
        applied(&world, block).await;
        assert_eq!(changes(&planned(&world, block).await), [""; 0], "killed after call {nth}, and wanted again");
        assert_eq!(running(&world.things()), before, "killed after call {nth}, and wanted again");
    }
}

/// What there is but for backups: a destroy may have taken one.
fn running(things: &[String]) -> Vec<String> {
    let is_kept = |thing: &&String| thing.starts_with("snapshot of ") || thing.starts_with("last backup of ");
    things.iter().filter(|thing| !is_kept(thing)).cloned().collect()
}

/// Loses the answer of each call in turn: one apply is enough all the same.
///
/// # Panics
/// When it does not hold.
pub async fn answers_lost<W: World>(before: Option<&str>, after: &str, at_least: usize) {
    let ready = Ready::<W>::with(before).await;
    let undisturbed = ready.undisturbed(after).await;
    for nth in 1.. {
        let (world, plan) = ready.begun(after).await;
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

/// Destroys a block while the answer of each call in turn is lost: one destroy is enough all the same, and keeps no more than one that
/// nothing disturbed.
///
/// # Panics
/// When it does not hold.
pub async fn answers_of_a_destroy_lost<W: World>(block: &str, at_least: usize) {
    let ready = Ready::<W>::with(Some(block)).await;
    let mut undisturbed = None;
    // The first one is not disturbed.
    for nth in 0.. {
        let world = ready.another().await;
        let plan = run::observe_and_plan_destroy(world.provider().as_ref(), &W::spec(block)).await;
        let plan = plan.expect("nothing is in the way of looking");
        world.forget_calls();
        if nth > 0 {
            world.disturb(nth, Fault::Lost);
        }
        let outcome = carried_out(&world, block, &plan).await;
        assert!(outcome.is_success(), "the answer of call {nth}: {outcome:?}");
        assert_eq!(
            &world.things(),
            undisturbed.get_or_insert_with(|| world.things()),
            "without the answer of call {nth}"
        );
        if nth > 0 && !world.was_disturbed() {
            assert!(nth > at_least, "only {nth} calls");
            return;
        }
    }
}

/// Refuses all calls for some time, because there are too many of them: it takes longer, and no more.
///
/// # Panics
/// When it does not hold.
pub async fn throttled<W: World>(block: &str, from: usize, lasting: Duration) {
    let (world, plan) = Ready::<W>::with(None).await.begun(block).await;
    world.disturb(from, Fault::Throttled);
    let storm = async {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !world.was_disturbed() {
            assert!(Instant::now() < deadline, "nobody was throttled");
            sleep(Duration::from_millis(1)).await;
        }
        sleep(lasting).await;
        world.calm();
    };
    let (outcome, ()) = tokio::join!(carried_out(&world, block, &plan), storm);
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(changes(&planned(&world, block).await), [""; 0]);
}

/// A world right before the run that is looked at, and as many more like it as are needed.
struct Ready<'a, W> {
    block: Option<&'a str>,
    first: W,
}

impl<'a, W: World> Ready<'a, W> {
    /// One with a block in it, or with nothing.
    async fn with(block: Option<&'a str>) -> Self {
        Self { block, first: made(block).await }
    }

    async fn another(&self) -> W {
        match self.first.like().await {
            Some(world) => world,
            None => made(self.block).await,
        }
    }

    /// Another one with a plan, whose calls are counted from here.
    async fn begun(&self, after: &str) -> (W, Planned) {
        let world = self.another().await;
        let plan = planned(&world, after).await;
        world.forget_calls();
        (world, plan)
    }

    /// What is left to do, what there is and what was made, when nothing is cut short.
    async fn undisturbed(&self, after: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
        let (world, plan) = self.begun(after).await;
        let outcome = carried_out(&world, after, &plan).await;
        assert!(outcome.is_success(), "{outcome:?}");
        let left = (changes(&planned(&world, after).await), world.things(), world.made());
        assert_eq!(left.0, [""; 0]);
        left
    }
}

async fn made<W: World>(block: Option<&str>) -> W {
    let world = W::new().await;
    if let Some(block) = block {
        applied(&world, block).await;
        world.rest();
    }
    world
}
