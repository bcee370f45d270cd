//! What is cut short: killed right after a call that changed something, or left without its answer. Each time in a world of its own that
//! is as the one before was; whoever is killed after a call that only looked is where the one before it left things.

use pgherd_engine::provider::Operation;
use pgherd_engine::run;
use pgherd_engine::stop::Stop;

use crate::world::{World, events, hangs, is_write, spec};

/// What is done.
#[derive(Clone, Copy)]
pub enum Doing<'a> {
    /// A block is planned and applied.
    Apply(&'a str),
    /// A verb.
    Verb(&'a Operation),
}

impl Doing<'_> {
    /// Does it, and all goes well.
    pub async fn done(self, world: &World) {
        match self {
            Self::Apply(block) => drop(world.apply(block).await),
            Self::Verb(operation) => drop(world.operate(operation).await.expect("all goes well")),
        }
    }

    /// Kills it once its nth call was done. `false`: it was over by then, and well.
    pub async fn killed_after(self, world: &World, nth: usize) -> bool {
        let (events, _heard) = events();
        let provider = world.provider();
        let fault = || {
            world.forget_what_was_asked();
            world.fault(&format!(r#"{{"nth":{nth},"fault":"hang"}}"#));
        };
        let is_killed = match self {
            Self::Apply(block) => {
                let planned = world.plan(block).await;
                fault();
                let (spec, now, stop) = (spec(block), world.now(), Stop::never());
                tokio::select! {
                    outcome = run::apply(provider.as_ref(), &spec, &planned, now, &events, &stop) => {
                        assert!(outcome.is_success(), "{outcome:?}");
                        false
                    }
                    () = hangs(world) => true,
                }
            }
            Self::Verb(operation) => {
                fault();
                tokio::select! {
                    ended = provider.operate(operation, &events) => {
                        ended.unwrap_or_else(|error| panic!("call {nth}: {error:?}"));
                        false
                    }
                    () = hangs(world) => true,
                }
            }
        };
        // It would meet whatever comes next.
        world.emulator.with(|emulation| emulation.faults.clear());
        is_killed
    }

    /// The numbers of the calls that change something in a world like this one.
    async fn writes(self, world: &World) -> Vec<usize> {
        let world = world.like().await;
        // What only plans asks nothing that counts here.
        if let Self::Apply(block) = self {
            let planned = world.plan(block).await;
            world.forget_what_was_asked();
            let (outcome, _) = world.walk(block, &planned).await;
            assert!(outcome.is_success(), "{outcome:?}");
        } else {
            self.done(&world).await;
        }
        let asked = world.emulator.asked();
        (1..).zip(&asked).filter(|(_, asked)| is_write(asked)).map(|(number, _)| number).collect()
    }

    /// Kills it right after each call that changes something, and hands over what there is then. There are at least so many.
    pub async fn killed_anywhere(self, before: &World, at_least: usize, mut then: impl AsyncFnMut(World, usize)) {
        let mut kills = 0;
        for nth in self.writes(before).await {
            let world = before.like().await;
            kills += usize::from(self.killed_after(&world, nth).await);
            then(world, nth).await;
        }
        assert!(kills >= at_least, "only {kills} kills");
    }

    /// Does it while the answer of a call that changes something is lost, each of them in turn.
    pub async fn answers_lost(self, before: &World, at_least: usize, mut then: impl AsyncFnMut(World, usize)) {
        let mut lost = 0;
        for nth in self.writes(before).await {
            let world = before.like().await;
            match self {
                Self::Apply(block) => {
                    let planned = world.plan(block).await;
                    world.forget_what_was_asked();
                    world.fault(&format!(r#"{{"nth":{nth},"fault":"lost"}}"#));
                    let (outcome, _) = world.walk(block, &planned).await;
                    assert!(outcome.is_success(), "call {nth}: {outcome:?}");
                }
                Self::Verb(operation) => {
                    world.fault(&format!(r#"{{"nth":{nth},"fault":"lost"}}"#));
                    world.operate(operation).await.unwrap_or_else(|error| panic!("call {nth}: {error:?}"));
                }
            }
            lost += usize::from(world.emulator.asked().iter().any(|asked| asked.outcome == "lost"));
            then(world, nth).await;
        }
        assert!(lost >= at_least, "only {lost} answers were lost");
    }
}
