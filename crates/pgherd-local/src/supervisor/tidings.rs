//! What changed among the servers of an instance, in words for its history. Pure.

use pgherd_core::ha::{Failover, Memory};

/// What an instance's history should tell of a decision.
pub fn tidings(before: &Memory, after: &Memory) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(failover) = &after.failover {
        let known = before.failover.as_ref().filter(|known| known.at == failover.at);
        if known.is_none() {
            told.push(changed(failover));
        }
        if failover.served_at.is_some() && known.is_none_or(|known| known.served_at.is_none()) {
            told.push(format!("{} takes writes", failover.to));
        }
        if failover.examined.is_some() && known.is_none_or(|known| known.examined.is_none()) {
            told.push(lost(failover));
        }
    }
    match (before.promotable, after.promotable) {
        (Some(standby), None) if before.primary == after.primary => {
            told.push(format!("{standby} may lack commits from now on and does not take over by itself"));
        }
        (before, Some(standby)) if before != Some(standby) => {
            told.push(format!("{standby} holds every acknowledged commit and takes over by itself"));
        }
        _ => {}
    }
    told
}

fn changed(failover: &Failover) -> String {
    let Failover { from, to, why, planned, whole, .. } = failover;
    let kind = if *planned { "switchover" } else { "failover" };
    let holds =
        if *whole { "holds every acknowledged commit" } else { "is not known to hold every acknowledged commit" };
    format!("{kind} from {from} to {to}, which {holds}: {why}")
}

fn lost(failover: &Failover) -> String {
    let Failover { from, fork, examined, whole, .. } = failover;
    let end = examined.as_ref().map_or_else(String::new, |examined| format!(" and ended at {}", examined.end));
    let fork = fork.map_or_else(String::new, |fork| format!(", whose log parted at {fork}{end}"));
    let lost = match (examined.as_ref().and_then(|examined| examined.lost_commits), whole) {
        (Some(0), _) => "no commit was lost".to_owned(),
        (Some(lost), true) => format!("{lost} commits that had not been acknowledged did not survive"),
        (Some(lost), false) => format!("{lost} commits did not survive"),
        (None, true) => "no acknowledged commit was lost".to_owned(),
        (None, false) => "what was lost cannot be told".to_owned(),
    };
    format!("{lost} with {from}{fork}")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use pgherd_core::ha::{Examined, Lsn, NodeId};

    use super::*;

    fn failover() -> Failover {
        Failover {
            at: Timestamp::UNIX_EPOCH,
            from: NodeId(1),
            to: NodeId(2),
            why: "it ended by itself".to_owned(),
            planned: false,
            whole: true,
            fork: Some(Lsn(0x300_0060)),
            served_at: None,
            examinations: 0,
            examined: None,
        }
    }

    fn memory(promotable: Option<NodeId>, failover: Option<Failover>) -> Memory {
        Memory { primary: Some(NodeId(1)), promotable, failover, ..Memory::default() }
    }

    #[track_caller]
    fn check(before: &Memory, after: &Memory, expected: &[&str]) {
        assert_eq!(tidings(before, after), expected);
    }

    #[test]
    fn what_stays_is_not_told_again() {
        let same = memory(Some(NodeId(2)), Some(failover()));
        check(&same, &same, &[]);
    }

    #[test]
    fn a_standby_that_is_lost_and_back_is_told() {
        let (with, without) = (memory(Some(NodeId(2)), None), memory(None, None));
        check(&with, &without, &["n2 may lack commits from now on and does not take over by itself"]);
        check(&without, &with, &["n2 holds every acknowledged commit and takes over by itself"]);
    }

    #[test]
    fn a_failover_is_told_with_its_reason() {
        let expected = ["failover from n1 to n2, which holds every acknowledged commit: it ended by itself"];
        check(&memory(None, None), &memory(None, Some(failover())), &expected);
    }

    #[test]
    fn what_was_lost_is_told_once_it_is_known() {
        let found = |lost_commits, whole| {
            let examined = Some(Examined { end: Lsn(0x300_0100), lost_commits });
            memory(None, Some(Failover { examined, whole, ..failover() }))
        };
        let before = memory(None, Some(failover()));
        let nothing = "no commit was lost with n1, whose log parted at 0/3000060 and ended at 0/3000100";
        check(&before, &found(Some(0), true), &[nothing]);
        let some = "2 commits did not survive with n1, whose log parted at 0/3000060 and ended at 0/3000100";
        check(&before, &found(Some(2), false), &[some]);
    }
}
