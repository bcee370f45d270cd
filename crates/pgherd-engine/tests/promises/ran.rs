//! From a block to a world and back: what the front ends call.

use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::inputs::Inputs;
use pgherd_core::lint::{self, Intent};
use pgherd_core::plan::saved::{Asked, SavedBlock, SavedPlan};
use pgherd_core::report::LogAsked;
use pgherd_core::resource::Kind;
use pgherd_core::spec::{Spec, resolve};
use pgherd_core::value::Value;
use pgherd_engine::provider::{Deletion, ErrorKind, Goal, Provider as _};
use pgherd_engine::run;
use pgherd_engine::stop::Stop;

use crate::provider::{Client, Look};
use crate::shared::{client, events, saturday, target};
use crate::walked::{KINDS, wants};

/// A block with these arguments besides its name.
pub fn spec<const N: usize>(arguments: [(&str, Value); N]) -> Spec {
    let mut inputs = Inputs { block: "database_dev".to_owned(), ..Inputs::default() };
    inputs.values.insert("name".to_owned(), "dev".into());
    inputs.values.extend(arguments.map(|(name, value)| (name.to_owned(), value)));
    resolve(&inputs, Some(Cloud::Aws)).0.expect("the target is given")
}

async fn apply(client: &Client, spec: &Spec) -> run::Planned {
    let timing = run::timing(spec, saturday().now);
    let planned = run::observe_and_plan(client, spec, &timing, Intent::default()).await.expect("no fault is planned");
    if !planned.plan.is_refused() {
        let outcome = run::apply(client, spec, &planned, saturday().now, &events().0, &Stop::never()).await;
        assert!(outcome.is_success(), "{outcome:?}");
    }
    planned
}

pub fn codes(diagnostics: &[Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[tokio::test(start_paused = true)]
async fn a_block_comes_true_and_is_left_alone() {
    let client = client(&target(&KINDS), &wants("small"));
    let spec = spec([]);
    assert_eq!(apply(&client, &spec).await.summary.created, 2);
    assert!(apply(&client, &spec).await.summary.is_empty());
    let outputs = run::outputs(&client, &spec).await.expect("no fault is planned");
    assert_eq!(outputs.keys().collect::<Vec<_>>(), ["database d", "network n"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_target_cannot_promise_stops_the_plan() {
    let target = target(&KINDS);
    let mut client = client(&target, &wants("small"));
    client.says = vec![Diagnostic::error("no-encryption", "this target cannot encrypt")];
    assert_eq!(codes(&apply(&client, &spec([])).await.plan.diagnostics), ["no-encryption"]);
    assert_eq!(target.writes(), 0);
}

/// So that a target asks for what is about to be made, and for nothing where there is nothing to do.
#[tokio::test(start_paused = true)]
async fn what_the_target_has_to_say_is_asked_once_it_is_known_what_will_be_done() {
    let client = client(&target(&KINDS), &wants("small"));
    let looks = |goal, steps| [Look::Observe, Look::Preflight { goal, steps }];
    apply(&client, &spec([])).await;
    assert_eq!(client.take_looks(), looks(Goal::Apply { now: false }, 2));
    apply(&client, &spec([("apply_immediately", true.into())])).await;
    assert_eq!(client.take_looks(), looks(Goal::Apply { now: true }, 0));
    run::observe_and_plan_destroy(&client, &spec([])).await.expect("no fault is planned");
    assert_eq!(client.take_looks(), looks(Goal::Destroy, 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_target_has_to_say_about_a_destroy_stops_it() {
    let target = target(&KINDS);
    let mut client = client(&target, &wants("small"));
    apply(&client, &spec([])).await;
    client.says = vec![Diagnostic::error("a-copy-remains", "a copy remains elsewhere")];
    let planned = run::observe_and_plan_destroy(&client, &spec([])).await.expect("no fault is planned");
    assert_eq!(codes(&planned.plan.diagnostics), ["a-copy-remains"]);
}

#[tokio::test(start_paused = true)]
async fn a_database_exists_as_soon_as_something_holds_its_data() {
    let target = target(&KINDS);
    let exists = async |wants| client(&target, wants).exists(&spec([])).await.expect("no fault is planned");
    let wants = wants("small");
    assert!(!exists(&wants).await);
    apply(&client(&target, &wants[..1]), &spec([])).await;
    assert!(!exists(&wants).await, "a network is no database");
    apply(&client(&target, &wants), &spec([])).await;
    assert!(exists(&wants).await);
    target.tamper(&wants[1].id, |thing| thing.foreign = true);
    assert!(!exists(&wants).await, "it is somebody else's");
}

#[tokio::test]
async fn what_a_target_does_not_offer_is_refused_by_name() {
    let (client, spec) = (client(&target(&KINDS), &[]), spec([]));
    let asked = LogAsked { lines: 10, follow: false };
    let refused = [
        client.report(&spec).await.expect_err("not offered"),
        client.backups(&spec).await.expect_err("not offered"),
        client.log(&spec, &asked, &mut |_| {}).await.expect_err("not offered"),
        client.parameters(&spec).await.expect_err("not offered"),
        client.password(&spec).await.expect_err("not offered"),
    ];
    assert!(refused.iter().all(|error| error.kind == ErrorKind::Unsupported));
    insta::assert_snapshot!(refused.map(|error| error.message).join("\n"), @r"
    this version of pgherd cannot show the status of a database on aws
    this version of pgherd cannot list the backups of a database on aws
    this version of pgherd cannot read the log of a database on aws
    this version of pgherd cannot show the settings of a database on aws
    this version of pgherd cannot read the password of a database on aws
    ");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_made_under_our_name_is_never_touched() {
    let target = target(&KINDS);
    let client = client(&target, &wants("large"));
    apply(&client, &spec([])).await;
    let network = client.wants[0].id.clone();
    target.tamper(&network, |thing| thing.foreign = true);
    let writes = target.writes();
    assert_eq!(codes(&apply(&client, &spec([])).await.plan.diagnostics), ["not-ours"]);
    assert_eq!(target.writes(), writes);

    let planned = run::observe_and_plan_destroy(&client, &spec([])).await.expect("no fault is planned");
    assert_eq!(codes(&planned.plan.diagnostics), ["left-alone"]);
    let outcome = run::apply(&client, &spec([]), &planned, saturday().now, &events().0, &Stop::never()).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(target.world().into_keys().collect::<Vec<_>>(), [network]);
}

static LOGGED: [Kind; 2] = [Kind { outlives: true, ..KINDS[0] }, KINDS[1]];

#[tokio::test(start_paused = true)]
async fn what_outlives_a_database_stays_and_is_told() {
    let target = target(&LOGGED);
    let client = client(&target, &wants("small"));
    assert_eq!(apply(&client, &spec([])).await.remains, []);
    let planned = run::observe_and_plan_destroy(&client, &spec([])).await.expect("no fault is planned");
    run::apply(&client, &spec([]), &planned, saturday().now, &events().0, &Stop::never()).await;
    assert_eq!(planned.remains, [client.wants[0].id.clone()]);
    assert_eq!(target.world().into_keys().collect::<Vec<_>>(), planned.remains);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_no_longer_wanted_is_kept() {
    let target = target(&KINDS);
    apply(&client(&target, &wants("small")), &spec([])).await;
    let planned = apply(&client(&target, &[]), &spec([])).await;
    assert_eq!(codes(&planned.plan.diagnostics), [lint::DATA_LOSS]);
    assert_eq!(target.world().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn destroying_is_refused_as_long_as_the_block_or_the_target_protects() {
    let target = target(&KINDS);
    let client = client(&target, &wants("small"));
    apply(&client, &spec([])).await;
    let protecting = spec([("enable_deletion_protection", true.into())]);
    let planned = run::observe_and_plan_destroy(&client, &protecting).await.expect("no fault is planned");
    assert_eq!(codes(&planned.plan.diagnostics), [lint::PROTECTED]);

    target.tamper(&client.wants[1].id, |thing| thing.protected = true);
    for spec in [&protecting, &spec([])] {
        let planned = run::observe_and_plan_destroy(&client, spec).await.expect("no fault is planned");
        assert_eq!(codes(&planned.plan.diagnostics), [lint::PROTECTED]);
    }

    target.tamper(&client.wants[1].id, |thing| thing.protected = false);
    let planned = run::observe_and_plan_destroy(&client, &spec([])).await.expect("no fault is planned");
    let outcome = run::apply(&client, &spec([]), &planned, saturday().now, &events().0, &Stop::never()).await;
    assert!(outcome.is_success() && target.world().is_empty(), "{outcome:?}");
    let again = run::observe_and_plan_destroy(&client, &protecting).await.expect("no fault is planned");
    assert!(again.summary.is_empty() && !again.plan.is_refused(), "nothing is left to protect");
}

#[tokio::test(start_paused = true)]
async fn a_saved_plan_of_another_block_is_stale() {
    let client = client(&target(&KINDS), &wants("small"));
    let timing = run::timing(&spec([]), saturday().now);
    let planned =
        run::observe_and_plan(&client, &spec([]), &timing, Intent::default()).await.expect("no fault is planned");
    let block = |spec: &Spec| SavedBlock::new(spec, &planned.plan);
    let saved = SavedPlan::new("0.1.0", saturday().now, Asked::default(), vec![block(&spec([]))]);
    assert_eq!(saved.moved(&[block(&spec([]))]), []);
    let moved = saved.moved(&[block(&spec([("backup_retention_period", 3.into())]))]);
    insta::assert_snapshot!(moved[0].message, @"the saved plan of database_dev no longer holds: the block says something else");
}

#[test]
fn the_last_backup_has_the_written_name_or_a_unique_one_or_is_skipped() {
    #[track_caller]
    fn check<const N: usize>(arguments: [(&str, Value); N], expected: Option<&str>) {
        let expected = Deletion { final_backup: expected.map(str::to_owned) };
        assert_eq!(run::deletion(&spec(arguments), saturday().now), expected);
    }
    check([], Some("dev-final-20261121t220000z"));
    check([("final_snapshot_identifier", "farewell".into())], Some("farewell"));
    check([("skip_final_snapshot", true.into())], None);
}

#[test]
fn restarts_wait_unless_the_block_says_at_once() {
    assert!(!run::timing(&spec([]), saturday().now).apply_now);
    assert!(run::timing(&spec([("apply_immediately", true.into())]), saturday().now).apply_now);
}
