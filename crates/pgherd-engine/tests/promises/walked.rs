//! One walk: what is told, what runs side by side, and what a stop leaves.

use std::time::Duration;

use insta::assert_snapshot;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::event::{Event, What};
use pgherd_core::plan::{Change, Plan, Timing};
use pgherd_core::resource::{Equality, Field, Id, Impact, ImpactRule, Kind, Owner, Resource};
use pgherd_core::value::Value;
use pgherd_engine::stop::{self, Stop};
use pgherd_engine::walk::{Options, Outcome, walk};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::shared::{client, converge, events, planned, saturday, target};
use crate::target::Target;

pub static KINDS: [Kind; 2] = [
    Kind { name: "network", holds_data: false, outlives: false, fields: &[field("cidrs", Impact::None)] },
    Kind {
        name: "database",
        holds_data: true,
        outlives: false,
        fields: &[
            field("class", Impact::Failover { about_s: 60 }),
            field("tags.*", Impact::None),
            Field { impact: ImpactRule::UntilRestart(Impact::Restart { about_s: 20 }), ..field("group", Impact::None) },
            field("address", Impact::None),
        ],
    },
];

const fn field(name: &'static str, impact: Impact) -> Field {
    Field { name, owner: Owner::Set, equality: Equality::Exact, impact: ImpactRule::Always(impact) }
}

/// A network and a database in it, of this class.
pub fn wants(class: &str) -> Vec<Resource> {
    let network = resource("network", "n", &[]);
    let mut database = resource("database", "d", &[&network.id]);
    database.props.insert("class".to_owned(), class.into());
    vec![network, database]
}

fn resource(kind: &str, name: &str, needs: &[&Id]) -> Resource {
    let needs = needs.iter().map(|id| (*id).clone()).collect();
    Resource { id: Id::new(kind, name), props: [].into(), needs }
}

/// Networks that have nothing to do with each other.
fn independent(count: usize) -> Vec<Resource> {
    (1..=count).map(|number| resource("network", &format!("n{number}"), &[])).collect()
}

/// What was told, without times: those are whatever they are.
fn told(mut heard: UnboundedReceiver<Event>) -> Vec<String> {
    std::iter::from_fn(|| heard.try_recv().ok())
        .map(|event| {
            let what = match event.what {
                What::Started { action, .. } => format!("started to {action}"),
                What::Phase { phase } => phase,
                What::Finished { .. } => "finished".to_owned(),
                What::Failed { message } => format!("failed: {message}"),
                What::Skipped { because } => format!("skipped: {because}"),
                What::Progress { .. } | What::Said { .. } => "unexpected".to_owned(),
            };
            format!("{} {}: {what}", event.block, event.id.map_or_else(String::new, |id| id.to_string()))
        })
        .collect()
}

async fn walk_all(wants: &[Resource], refused: Option<&Id>, side_by_side: usize) -> (Outcome, Vec<String>, Duration) {
    let target = target(&KINDS);
    refused.into_iter().for_each(|id| target.refuse(id));
    let client = client(&target, wants);
    let plan = planned(&client, &saturday()).await.expect("no fault is planned");
    let (events, heard) = events();
    let began = Instant::now();
    let options = Options { side_by_side, ..Options::default() };
    let outcome = walk(&client, &plan, &options, &events, &Stop::never()).await;
    drop(events);
    (outcome, told(heard), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn every_step_is_told_from_start_to_end() {
    assert_snapshot!(walk_all(&wants("small"), None, 8).await.1.join("\n"), @r"
    database_dev network n: started to create
    database_dev network n: not seen yet
    database_dev network n: creating
    database_dev network n: modifying
    database_dev network n: finished
    database_dev database d: started to create
    database_dev database d: not seen yet
    database_dev database d: creating
    database_dev database d: modifying
    database_dev database d: finished
    ");
}

#[tokio::test(start_paused = true)]
async fn a_failure_and_what_it_costs_is_told() {
    let wants = wants("small");
    assert_snapshot!(walk_all(&wants, Some(&wants[0].id), 8).await.1.join("\n"), @r"
    database_dev network n: started to create
    database_dev network n: failed: network n is not offered here
    database_dev database d: skipped: it needs network n, which was not done
    ");
}

#[tokio::test(start_paused = true)]
async fn independent_steps_take_as_long_as_one() {
    let (_, _, one) = walk_all(&independent(1), None, 8).await;
    let (_, _, four) = walk_all(&independent(4), None, 8).await;
    let (_, _, one_by_one) = walk_all(&independent(4), None, 1).await;
    assert_eq!((four, one_by_one), (one, one * 4));
}

#[tokio::test(start_paused = true)]
async fn no_more_run_side_by_side_than_allowed() {
    let told = walk_all(&independent(5), None, 2).await.1;
    let running = told.iter().scan(0_i32, |running, line| {
        *running += i32::from(line.contains("started")) - i32::from(line.ends_with("finished"));
        Some(*running)
    });
    assert_eq!(running.max(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_runs_and_begins_nothing() {
    let target = target(&KINDS);
    let client = client(&target, &independent(3));
    let plan = planned(&client, &saturday()).await.expect("no fault is planned");
    let ((events, mut heard), (stopper, stop)) = (events(), stop::stop());
    let options = Options { side_by_side: 2, ..Options::default() };
    let stop_at_once = async {
        heard.recv().await;
        stopper.stop();
    };
    let (outcome, ()) = tokio::join!(walk(&client, &plan, &options, &events, &stop), stop_at_once);
    let names = |ids: Vec<&Id>| ids.iter().map(|id| id.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(outcome.done.iter().collect()), ["n1", "n2"]);
    assert_eq!(names(outcome.skipped.iter().map(|(id, _)| id).collect()), ["n3"]);
    assert!(outcome.stopped && outcome.failed.is_empty() && !outcome.is_success());
    converge(&client, &saturday()).await;
    assert_eq!(target.world().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn changes_that_wait_for_the_window_are_counted() {
    let target = target(&KINDS);
    converge(&client(&target, &wants("small")), &saturday()).await;
    let mut wants = wants("large");
    wants[1].props.insert("tags".to_owned(), Value::Map([("Owner".to_owned(), "ops".into())].into()));
    let client = client(&target, &wants);
    let plan = planned(&client, &saturday()).await.expect("no fault is planned");
    let outcome = walk(&client, &plan, &Options::default(), &events().0, &Stop::never()).await;
    let changes: Vec<&Change> = plan.steps.iter().flat_map(|step| step.action.changes()).collect();
    assert_eq!((changes.len(), outcome.waiting, outcome.is_success()), (2, 1, true));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_window_is_not_set_off_by_what_does_not() {
    let target = target(&KINDS);
    let waiting = |target: &Target| target.waiting(&Id::new("database", "d"));
    converge(&client(&target, &wants("small")), &saturday()).await;
    converge(&client(&target, &wants("large")), &saturday()).await;
    assert_eq!(waiting(&target), ["class"]);
    let mut tagged = wants("large");
    tagged[1].props.insert("tags".to_owned(), Value::Map([("Owner".to_owned(), "ops".into())].into()));
    converge(&client(&target, &tagged), &saturday()).await;
    assert_eq!(waiting(&target), ["class"]);
    converge(&client(&target, &tagged), &Timing { apply_now: true, ..saturday() }).await;
    assert_eq!(waiting(&target), [""; 0]);
}

/// Not even in an open window.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_restart_is_done_only_when_one_is_asked_for() {
    let target = target(&KINDS);
    let grouped = |group: &str| {
        let mut wants = wants("small");
        wants[1].props.insert("group".to_owned(), group.into());
        wants
    };
    converge(&client(&target, &grouped("old")), &saturday()).await;
    let client = client(&target, &grouped("new"));
    let in_the_window = Timing { now: "2026-11-22T04:00:00Z".parse().expect("a time"), ..saturday() };
    let plan = planned(&client, &in_the_window).await.expect("no fault is planned");
    let outcome = walk(&client, &plan, &Options::default(), &events().0, &Stop::never()).await;
    let waiting = || target.waiting(&Id::new("database", "d"));
    assert_eq!((outcome.waiting, waiting()), (1, vec!["group".to_owned()]));
    converge(&client, &Timing { apply_now: true, ..saturday() }).await;
    assert_eq!(waiting(), [""; 0]);
}

/// One apply is enough: the new network's address goes to a database that was there before it.
#[tokio::test(start_paused = true)]
async fn what_exists_gets_a_value_of_what_is_made_in_the_same_run() {
    let (target, wants) = (target(&KINDS), wants("small"));
    let (network, database) = (wants[0].clone(), wants[1].id.clone());
    converge(&client(&target, &[Resource { needs: Vec::new(), ..wants[1].clone() }]), &saturday()).await;
    let mut addressed = resource("database", "d", &[]);
    addressed.props.insert("address".to_owned(), Value::output(network.id.clone(), "arn".to_owned()));
    let client = client(&target, &[network, addressed]);
    let plan = planned(&client, &saturday()).await.expect("no fault is planned");
    let outcome = walk(&client, &plan, &Options::default(), &events().0, &Stop::never()).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(target.world()[&database]["address"], "arn:network n".into());
    assert!(planned(&client, &saturday()).await.expect("no fault is planned").steps.is_empty());
}

#[tokio::test]
#[should_panic(expected = "a plan with errors is refused, not walked")]
async fn a_plan_with_errors_is_not_walked() {
    let plan = Plan {
        block: "database_dev".to_owned(),
        steps: Vec::new(),
        diagnostics: vec![Diagnostic::error("fixed-field", "it is fixed")],
        fingerprint: String::new(),
        derived: Default::default(),
    };
    walk(&client(&target(&KINDS), &[]), &plan, &Options::default(), &events().0, &Stop::never()).await;
}
