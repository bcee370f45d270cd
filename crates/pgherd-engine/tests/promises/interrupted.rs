//! Whatever call a run is cut at, running again finishes it, and nothing is made twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use pgherd_core::plan::Timing;
use pgherd_core::resource::Id;
use pgherd_core::value::Props;
use proptest::prelude::*;

use crate::generate::{Wishes, wishes};
use crate::shared::{client, converge, in_paused_time, run, saturday, target};
use crate::target::{Fault, Target};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn cut_at_any_call_it_is_finished_by_running_again(wishes in wishes(), apply_now: bool) {
        in_paused_time(async move {
            let timing = Timing { apply_now, ..saturday() };
            let undisturbed = start(&wishes, &timing).await;
            let first = undisturbed.calls();
            let world = finish(&undisturbed, &wishes, &timing).await;
            for call in first..undisturbed.calls() {
                for fault in Fault::ALL {
                    let target = start(&wishes, &timing).await;
                    target.fail_call(call, fault);
                    // However this ends, the next run knows nothing of it.
                    drop(run(&client(&target, &wishes.after), &timing).await);
                    assert_eq!(finish(&target, &wishes, &timing).await, world, "call {call}: {fault:?}");
                    let twice = target.times_made().into_iter().find(|(_, times)| *times > 1);
                    assert_eq!(twice, None, "call {call}: {fault:?}");
                }
            }
        });
    }
}

/// A target on which the first wishes have come true.
async fn start(wishes: &Wishes, timing: &Timing) -> Arc<Target> {
    let target = target(wishes.kinds);
    converge(&client(&target, &wishes.before), timing).await;
    target
}

/// The world in which the second wishes have come true.
async fn finish(target: &Arc<Target>, wishes: &Wishes, timing: &Timing) -> BTreeMap<Id, Props> {
    converge(&client(target, &wishes.after), timing).await;
    target.world()
}
