//! The promises that hold for every target and every wish.

use std::collections::BTreeSet;

use pgherd_core::lint::{self, Intent};
use pgherd_core::plan::document::document;
use pgherd_core::plan::saved::{Asked, SavedBlock, SavedPlan};
use pgherd_core::plan::{self, Action, Plan, Timing, When};
use pgherd_core::resource::{Id, Impact, ImpactRule, Owner};
use pgherd_core::value::Value;
use pgherd_engine::provider::Provider as _;
use pgherd_engine::stop::Stop;
use pgherd_engine::walk::{Options, walk};
use proptest::prelude::*;

use crate::generate::{Wishes, wishes};
use crate::shared::{client, converge, events, in_paused_time, is_quiet, planned, saturday, target};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_apply_the_plan_is_empty_and_an_empty_plan_calls_nothing(wishes in wishes(), apply_now: bool) {
        in_paused_time(async move {
            let timing = Timing { apply_now, ..saturday() };
            let target = target(wishes.kinds);
            for wants in [&wishes.before, &wishes.after] {
                let client = client(&target, wants);
                converge(&client, &timing).await;
                assert!(is_quiet(&client).await);
                let plan = planned(&client, &timing).await.expect("no fault is planned");
                let (calls, (events, mut heard)) = (target.calls(), events());
                let outcome = walk(&client, &plan, &Options::default(), &events, &Stop::never()).await;
                assert_eq!((target.calls(), outcome.done.len()), (calls, 0));
                assert!(heard.try_recv().is_err(), "an empty plan has no events");
            }
        });
    }

    #[test]
    fn one_apply_that_nothing_disturbs_is_enough(wishes in wishes(), apply_now: bool) {
        in_paused_time(async move {
            let timing = Timing { apply_now, ..saturday() };
            let target = target(wishes.kinds);
            for wants in [&wishes.before, &wishes.after] {
                let client = client(&target, wants);
                let plan = planned(&client, &timing).await.expect("no fault is planned");
                let outcome = walk(&client, &plan, &Options::default(), &events().0, &Stop::never()).await;
                assert!(outcome.is_success(), "{outcome:?}");
                assert_eq!(planned(&client, &timing).await.expect("no fault is planned").steps, []);
            }
        });
    }

    #[test]
    fn a_plan_never_writes(wishes in wishes()) {
        in_paused_time(async move {
            let target = target(wishes.kinds);
            converge(&client(&target, &wishes.before), &saturday()).await;
            let writes = target.writes();
            planned(&client(&target, &wishes.after), &saturday()).await.expect("no fault is planned");
            assert_eq!(target.writes(), writes);
        });
    }

    #[test]
    fn nothing_that_stays_wanted_is_ever_replaced(wishes in wishes(), apply_now: bool) {
        in_paused_time(async move {
            let timing = Timing { apply_now, ..saturday() };
            let target = target(wishes.kinds);
            converge(&client(&target, &wishes.before), &timing).await;
            let plan = planned(&client(&target, &wishes.after), &timing).await.expect("no fault is planned");
            check_no_replacement(&plan, &wishes);
            converge(&client(&target, &wishes.after), &timing).await;
            assert!(target.times_made().values().all(|times| *times == 1), "{:?}", target.times_made());
        });
    }

    #[test]
    fn every_change_has_its_impact_and_its_time(wishes in wishes(), apply_now: bool) {
        in_paused_time(async move {
            let timing = Timing { apply_now, ..saturday() };
            let target = target(wishes.kinds);
            converge(&client(&target, &wishes.before), &timing).await;
            let plan = planned(&client(&target, &wishes.after), &timing).await.expect("no fault is planned");
            plan.steps.iter().for_each(|step| check_columns(&wishes, &step.id, &step.action, apply_now));
        });
    }

    #[test]
    fn every_orphan_is_shown_and_what_holds_data_stops_the_plan(wishes in wishes()) {
        in_paused_time(async move {
            let target = target(wishes.kinds);
            converge(&client(&target, &wishes.before), &saturday()).await;
            let plan = planned(&client(&target, &wishes.after), &saturday()).await.expect("no fault is planned");
            let deleted: BTreeSet<&Id> = plan
                .steps
                .iter()
                .filter(|step| matches!(step.action, Action::Delete { .. }))
                .map(|step| &step.id)
                .collect();
            let outlives = |id: &Id| wishes.kinds.iter().any(|kind| kind.name == id.kind && kind.outlives);
            let wanted: BTreeSet<&Id> = wishes.after.iter().map(|resource| &resource.id).collect();
            let orphans = wishes.before.iter().map(|resource| &resource.id).filter(|id| !wanted.contains(id) && !outlives(id));
            assert_eq!(deleted, orphans.collect());
            let holds_data =
                |id: &&&Id| wishes.kinds.iter().any(|kind| kind.name == id.kind && kind.holds_data);
            let refusals = lint::lint(&plan, Intent::default());
            assert_eq!(refusals.len(), deleted.iter().filter(holds_data).count());
            assert!(refusals.iter().all(lint::is_refusal));
            assert!(lint::lint(&plan, Intent { allow_data_loss: true }).is_empty());
        });
    }

    #[test]
    fn whatever_moves_makes_a_saved_plan_stale(wishes in wishes(), which in any::<prop::sample::Index>()) {
        in_paused_time(async move {
            let target = target(wishes.kinds);
            converge(&client(&target, &wishes.before), &saturday()).await;
            let client = client(&target, &wishes.after);
            let saved = saved(&planned(&client, &saturday()).await.expect("no fault is planned"));
            let again = block(&planned(&client, &saturday()).await.expect("no fault is planned"));
            assert_eq!(saved.moved(&[again]), []);
            let live = client.observe(&client.wants).await.expect("no fault is planned");
            let fields: Vec<(&Id, &str)> = live
                .iter()
                .flat_map(|seen| {
                    let kind = wishes.kinds.iter().find(|kind| kind.name == seen.id.kind).expect("a kind");
                    let ours = kind.fields.iter().filter(|field| field.owner != Owner::Theirs);
                    ours.map(|field| (&seen.id, field.name.trim_end_matches(".*")))
                })
                .collect();
            if !fields.is_empty() {
                let (id, field) = *which.get(&fields);
                target.tamper(id, |thing| drop(thing.props.insert(field.to_owned(), "changed by hand".into())));
                let moved = saved.moved(&[block(&planned(&client, &saturday()).await.expect("no fault is planned"))]);
                assert_eq!(moved.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>(), ["stale-plan"]);
            }
        });
    }

    #[test]
    fn a_failure_skips_only_what_needs_it(wishes in wishes(), which in any::<prop::sample::Index>()) {
        if wishes.after.is_empty() {
            return Ok(());
        }
        in_paused_time(async move {
            let target = target(wishes.kinds);
            let client = client(&target, &wishes.after);
            let failed = which.get(&wishes.after).id.clone();
            target.refuse(&failed);
            let plan = planned(&client, &saturday()).await.expect("no fault is planned");
            let outcome = walk(&client, &plan, &Options::default(), &events().0, &Stop::never()).await;
            let lost = all_that_need(&wishes, &failed);
            assert_eq!(outcome.failed.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&failed]);
            assert_eq!(outcome.skipped.iter().map(|(id, _)| id).collect::<BTreeSet<_>>(), lost);
            let others = wishes.after.iter().map(|resource| &resource.id).filter(|id| **id != failed && !lost.contains(id));
            assert_eq!(outcome.done.iter().collect::<BTreeSet<_>>(), others.collect());
            assert!(!outcome.stopped && !outcome.is_success());
        });
    }

    #[test]
    fn everything_can_be_destroyed_but_what_outlives_it(wishes in wishes()) {
        in_paused_time(async move {
            let target = target(wishes.kinds);
            let client = client(&target, &wishes.before);
            converge(&client, &saturday()).await;
            let observed = client.observe(&client.wants).await.expect("no fault is planned");
            let plan = plan::plan_destroy(client.kinds(), "database_dev", &observed);
            let outcome = walk(&client, &plan, &Options::default(), &events().0, &Stop::never()).await;
            assert!(outcome.is_success(), "{outcome:?}");
            let remaining = plan::remaining(client.kinds(), &[], &observed);
            assert_eq!(target.world().into_keys().collect::<Vec<_>>(), remaining);
            assert!(remaining.iter().all(|id| wishes.kinds.iter().any(|kind| kind.name == id.kind && kind.outlives)));
        });
    }

    #[test]
    fn no_secret_is_shown_anywhere(wishes in wishes()) {
        in_paused_time(async move {
            let target = target(wishes.kinds);
            for wants in [&wishes.before, &wishes.after] {
                let client = client(&target, wants);
                if let Some(first) = wants.first() {
                    target.refuse(&first.id);
                }
                let plan = planned(&client, &saturday()).await.expect("no fault is planned");
                let (events, mut heard) = events();
                let outcome = walk(&client, &plan, &Options::default(), &events, &Stop::never()).await;
                let mut shown = vec![
                    format!("{plan:?} {outcome:?}"),
                    serde_json::to_string(&plan).expect("serialises"),
                    serde_json::to_string(&document("0.1.0", std::slice::from_ref(&plan))).expect("serialises"),
                    saved(&plan).write(),
                ];
                shown.extend(plan::text::lines(&plan, true).into_iter().map(|line| line.text));
                while let Ok(event) = heard.try_recv() {
                    shown.push(serde_json::to_string(&event).expect("serialises"));
                }
                assert!(shown.iter().all(|text| !text.contains("hunter")), "{shown:#?}");
            }
        });
    }
}

/// That there is no such verb is checked by the compiler: this match would need another arm.
fn check_no_replacement(plan: &Plan, wishes: &Wishes) {
    let wanted: BTreeSet<&Id> = wishes.after.iter().map(|resource| &resource.id).collect();
    let mut seen = BTreeSet::new();
    for step in &plan.steps {
        assert!(seen.insert(&step.id), "{} has two steps", step.id);
        match &step.action {
            Action::Create { .. } => {
                assert!(!wishes.before.iter().any(|before| before.id == step.id), "{} is made again", step.id);
            }
            Action::Update { .. } => assert!(wanted.contains(&step.id)),
            Action::Delete { .. } => assert!(!wanted.contains(&step.id), "{} is deleted though wanted", step.id),
        }
    }
}

fn check_columns(wishes: &Wishes, id: &Id, action: &Action, apply_now: bool) {
    let kind = wishes.kinds.iter().find(|kind| kind.name == id.kind).expect("a kind");
    for change in action.changes() {
        let field = kind.field(&change.field).expect("a declared field");
        let window = When::Window { opens: "2026-11-22T04:00:00Z".parse().expect("a time") };
        let (impact, waits_for) = match field.impact {
            ImpactRule::Always(impact) => (impact, window),
            ImpactRule::UntilRestart(impact) => (impact, When::Restart),
            other => panic!("no such rule is made: {other:?}"),
        };
        let at_once = apply_now || matches!(change.impact, Impact::None | Impact::NewConnections);
        assert_eq!((change.impact, &change.when), (impact, if at_once { &When::Now } else { &waits_for }));
        assert_ne!(change.to, Value::Unknown("module.network.vpc_id".to_owned()));
    }
}

fn all_that_need<'a>(wishes: &'a Wishes, failed: &Id) -> BTreeSet<&'a Id> {
    let mut lost: BTreeSet<&Id> = BTreeSet::new();
    // Needs are always earlier, so one pass finds them all.
    for resource in &wishes.after {
        if resource.needs.iter().any(|need| need == failed || lost.contains(need)) {
            lost.insert(&resource.id);
        }
    }
    lost
}

fn block(plan: &Plan) -> SavedBlock {
    SavedBlock::hashed("the same spec".to_owned(), plan)
}

fn saved(plan: &Plan) -> SavedPlan {
    SavedPlan::new("0.1.0", saturday().now, Asked::default(), vec![block(plan)])
}
