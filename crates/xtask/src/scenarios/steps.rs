//! What a step may say, and what is done then. `{}` stands for a word.

use super::script::{Kind, Step};
use super::world::{Outcome, World};

/// With it every scenario ends.
pub const JUDGEMENT: &str = "nothing is lost, nothing is there twice, no two servers wrote";

/// Every step.
const STEPS: &[(&str, Act)] = &[
    ("a pair", |world, _| world.make(&[])),
    ("a pair with a read replica", |world, _| world.make(&[("create_read_replica", "true")])),
    ("a pair with a pooler", |world, _| world.make_pooled()),
    ("a disk of its own for the primary", |world, _| world.give_primary_a_disk()),
    ("{} writers", |world, count| world.begin_writing(count)),
    ("the postmaster of the {} is killed", |world, role| world.member(role).map(|it| it.kill_postmaster())),
    ("every process of the {} is killed", |world, role| world.member(role).map(|it| it.kill_all())),
    ("every process of the {} is frozen", |world, role| world.freeze(role)),
    ("the WAL receiver of the {} is frozen", |world, role| world.freeze_receiver(role)),
    ("what was frozen wakes", |world, _| world.wake_frozen()),
    ("the agent and every process of the primary are killed", |world, _| world.kill_agent_and_primary()),
    ("everything is killed", |world, _| world.kill_everything()),
    ("a statement of 10 s is under way", |world, _| world.begin_long_statement()),
    ("the disk of the primary is full", |world, _| world.fill_disk()),
    ("a client writes more than there is room for", |world, _| world.write_too_much()),
    ("there is room on the disk again", |world, _| world.make_room()),
    ("a switchover is asked for", |world, _| world.pgherd(&["switchover", "--yes"])),
    ("the replica is promoted", |world, _| world.promote_replica()),
    ("max_connections is changed at once", |world, _| {
        world.make(&[("parameters", r#"[{ name = "max_connections", value = "150" }]"#)])
    }),
    ("the class is changed at once", |world, _| world.make(&[("instance_class", "\"db.t3.small\"")])),
    ("the standby takes over", |world, _| world.has_another_primary()),
    ("the same server is the primary again", |world, _| world.has_the_same_primary()),
    ("there was one exchange of roles", |world, _| world.exchanged_once()),
    ("commits are on the primary alone", |world, _| world.is_degraded()),
    ("writes go on", |world, _| world.writes_go_on()),
    ("the statement failed and left nothing", |world, _| world.long_statement_failed()),
    ("the promoted one has what was there at one moment, and keeps to itself", |world, _| {
        world.promoted_is_independent()
    }),
    ("nobody of what was frozen is left", |world, _| world.nobody_frozen_is_left()),
    ("everything is whole again", |world, _| world.is_whole()),
    ("no statement failed", |world, _| world.no_statement_failed()),
    (JUDGEMENT, |world, _| world.judge()),
];

/// What is done, with the word that a `{}` stood for.
type Act = fn(&mut World, &str) -> Outcome;

/// Takes a step.
pub fn take(world: &mut World, step: &Step) -> Outcome {
    let (act, word) = find(&step.words).ok_or_else(|| format!("no step says: {}", step.words))?;
    if step.kind == Kind::When {
        world.look()?;
    }
    act(world, word)
}

/// Whether there is such a step.
#[cfg(test)]
pub fn is_known(words: &str) -> bool {
    find(words).is_some()
}

fn find(words: &str) -> Option<(Act, &str)> {
    STEPS.iter().find_map(|(pattern, act)| Some((*act, word(pattern, words)?)))
}

/// The word in the place of `{}`, when they agree otherwise.
fn word<'a>(pattern: &str, words: &'a str) -> Option<&'a str> {
    let Some((before, after)) = pattern.split_once("{}") else { return (pattern == words).then_some("") };
    words.strip_prefix(before)?.strip_suffix(after).filter(|word| !word.is_empty() && !word.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, words: &str, expected: Option<&str>) {
        assert_eq!(word(pattern, words), expected);
    }

    #[test]
    fn a_word_stands_in_its_place() {
        check("{} writers", "4 writers", Some("4"));
        check("the {} is killed", "the primary is killed", Some("primary"));
        check("the {} is killed", "the old primary is killed", None);
        check("a pair", "a pair", Some(""));
        check("a pair", "a pair of shoes", None);
    }
}
