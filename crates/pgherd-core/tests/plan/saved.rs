//! A saved plan holds as long as nothing moved, and says what did.

use insta::assert_snapshot;
use pgherd_core::cloud::Cloud;
use pgherd_core::inputs::Inputs;
use pgherd_core::plan::Plan;
use pgherd_core::plan::fingerprint;
use pgherd_core::plan::saved::{Asked, SavedBlock, SavedPlan};
use pgherd_core::resource::{Observed, Pending, Status};
use pgherd_core::secret::Secret;
use pgherd_core::spec::resolve;
use pgherd_core::value::Value;

use super::{KINDS, list, live, planned, saturday, wanted};

/// A block of this meaning with this plan; the meaning stands for the hash of a spec.
fn block(meaning: &str, plan: &Plan) -> SavedBlock {
    SavedBlock::hashed(meaning.to_owned(), plan)
}

fn saved(blocks: Vec<SavedBlock>) -> SavedPlan {
    SavedPlan::new("0.1.0", saturday().now, Asked::default(), blocks)
}

fn resize(from: &str, to: &str) -> Plan {
    planned(&[wanted("database", [("class", to.into())])], &[live("database", [("class", from.into())])])
}

fn moved(then: SavedBlock, now: &[SavedBlock]) -> String {
    let diagnostics = saved(vec![then]).moved(now);
    diagnostics.into_iter().map(|diagnostic| diagnostic.message + "\n").collect()
}

#[test]
fn it_holds_when_nothing_moved() {
    let plan = resize("small", "large");
    assert_eq!(moved(block("a", &plan), &[block("a", &plan)]), "");
}

#[test]
fn it_is_read_as_it_was_written() {
    let plan = saved(vec![block("a", &resize("small", "large"))]);
    assert_eq!(SavedPlan::read(&plan.write()), Ok(plan));
}

#[test]
fn the_world_moved() {
    assert_snapshot!(moved(block("a", &resize("small", "large")), &[block("a", &resize("medium", "large"))]), @"the saved plan of database_dev no longer holds: what exists has changed; something else is to be done to database dev");
}

#[test]
fn somebody_else_did_it() {
    assert_snapshot!(moved(block("a", &resize("small", "large")), &[block("a", &resize("large", "large"))]), @"the saved plan of database_dev no longer holds: what exists has changed; nothing is to be done to database dev any more");
}

#[test]
fn the_block_moved() {
    assert_snapshot!(moved(block("a", &resize("small", "large")), &[block("b", &resize("small", "huge"))]), @"the saved plan of database_dev no longer holds: the block says something else; something else is to be done to database dev");
}

/// What is kept of a block with these arguments, planned on AWS.
fn kept<const N: usize>(arguments: [(&str, Value); N]) -> SavedBlock {
    let values = arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let inputs = Inputs { block: "database_dev".to_owned(), values };
    let spec = resolve(&inputs, Some(Cloud::Aws)).0.expect("the target is given");
    SavedBlock::new(&spec, &planned(&[], &[]))
}

/// A9: what holds is compared, under whatever name it was written.
#[test]
fn another_name_for_a_setting_is_no_other_block() {
    let before = kept([("storage_encrypted", false.into()), ("engine_version", "16".into())]);
    let renamed = kept([("enable_encryption", false.into()), ("database_version", "POSTGRES_16".into())]);
    assert_eq!(moved(before.clone(), &[renamed]), "");
    let with_default = kept([
        ("storage_encrypted", false.into()),
        ("engine_version", "16".into()),
        ("backup_retention_period", 7.into()),
    ]);
    assert_eq!(moved(before.clone(), &[with_default]), "");
    let another = kept([("enable_encryption", true.into()), ("database_version", "POSTGRES_16".into())]);
    assert_eq!(
        moved(before, &[another]),
        "the saved plan of database_dev no longer holds: the block says something else\n"
    );
}

#[test]
fn more_would_be_done() {
    let more = planned(&[wanted("network", [])], &[]);
    assert_snapshot!(moved(block("a", &planned(&[], &[])), &[block("b", &more)]), @"the saved plan of database_dev no longer holds: the block says something else; it would now also create network dev");
}

#[test]
fn the_block_is_gone_or_new() {
    assert_snapshot!(moved(block("a", &planned(&[], &[])), &[]), @"the saved plan of database_dev no longer holds: the block is gone");
    let diagnostics = saved(Vec::new()).moved(&[block("a", &planned(&[], &[]))]);
    assert_snapshot!(diagnostics[0].message, @"the saved plan of database_dev no longer holds: the saved plan does not know the block");
}

#[test]
fn what_is_no_saved_plan_is_told() {
    let why = |text: &str| SavedPlan::read(text).expect_err("no saved plan").message;
    assert_snapshot!(why("module"), @"this is not a saved plan: expected value at line 1 column 1");
    assert_snapshot!(why("{}"), @"this is not a saved plan: missing field `format` at line 1 column 2");
    assert_snapshot!(why(r#"{"format": 2}"#), @"this saved plan has format 2, and this version of pgherd reads format 1");
    assert_snapshot!(why(r#"{"format": 1}"#), @"this is not a saved plan: missing field `pgherd` at line 1 column 13");
}

#[test]
fn it_holds_no_secret() {
    let password = |text: &str| Value::Secret(Secret::new(text));
    let plan = planned(
        &[wanted("database", [("password", password("hunter2"))])],
        &[live("database", [("password", password("hunter3"))])],
    );
    let text = saved(vec![block("a", &plan)]).write();
    assert!(text.contains("(secret)") && !text.contains("hunter"), "{text}");
}

/// Whether a change to what is observed changes the fingerprint.
fn moves(change: impl FnOnce(&mut Observed)) -> bool {
    let before = [
        live("database", [("class", "small".into()), ("zone", "a".into())]),
        live("network", [("cidrs", list(["a", "b"]))]),
    ];
    let mut after = before.clone();
    change(&mut after[0]);
    after.reverse();
    after[0].props.insert("cidrs".to_owned(), list(["b", "a"]));
    fingerprint(&KINDS, &before) != fingerprint(&KINDS, &after)
}

#[test]
fn the_fingerprint_moves_with_all_that_can_decide_a_plan() {
    assert!(moves(|seen| drop(seen.props.insert("class".to_owned(), "large".into()))));
    assert!(moves(|seen| drop(seen.props.insert("address".to_owned(), Value::Null))));
    assert!(moves(|seen| seen.status = Status::Stopped));
    assert!(moves(|seen| seen.protected = true));
    assert!(moves(|seen| seen.pending.push(Pending { field: "port".to_owned(), waits_for: "restart".to_owned() })));
    assert!(moves(|seen| drop(seen.props.insert("tags".to_owned(), Value::Map([("a".to_owned(), 1.into())].into())))));
}

#[test]
fn the_fingerprint_stays_with_all_that_cannot() {
    assert!(!moves(|_| {}));
    assert!(!moves(|seen| drop(seen.props.insert("zone".to_owned(), "b".into()))));
    assert!(!moves(|seen| drop(seen.props.insert("connections".to_owned(), 17.into()))));
}
