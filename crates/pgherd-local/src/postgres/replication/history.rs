//! Timeline history files: which timelines a server's log came along, and where each was left.

use std::path::{Path, PathBuf};

use pgherd_core::ha::Lsn;

/// A timeline and where its successor left it; `None` for the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) timeline: u32,
    pub(super) begin: Lsn,
    pub(super) end: Option<Lsn>,
}

/// The highest timeline a data directory has a history file of; 1 where it has none.
pub(super) fn newest(data: &Path) -> std::io::Result<u32> {
    let mut newest = 1;
    for entry in std::fs::read_dir(data.join("pg_wal"))? {
        let name = entry?.file_name();
        let timeline = name.to_str().and_then(|name| name.strip_suffix(".history")).filter(|hex| hex.len() == 8);
        newest = newest.max(timeline.and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(0));
    }
    Ok(newest)
}

/// Where the history of a timeline is kept.
pub(super) fn file(data: &Path, timeline: u32) -> PathBuf {
    data.join(format!("pg_wal/{timeline:08X}.history"))
}

/// The way to `timeline`, oldest stretch first; `None` when its file is absent or says nothing of it.
pub(super) fn way(data: &Path, timeline: u32) -> Option<Vec<Stretch>> {
    let text = match timeline {
        1 => String::new(),
        _ => std::fs::read_to_string(file(data, timeline)).ok()?,
    };
    parse(&text, timeline)
}

/// Reads a history file: a line for each timeline before, with its number and where it was left.
pub(super) fn parse(text: &str, timeline: u32) -> Option<Vec<Stretch>> {
    let mut way = Vec::new();
    let mut begin = Lsn(0);
    let lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let mut fields = line.split_whitespace();
        let end = |text| Lsn::parse(text);
        let stretch = Stretch { timeline: fields.next()?.parse().ok()?, begin, end: Some(end(fields.next()?)?) };
        begin = stretch.end?;
        way.push(stretch);
    }
    if timeline > 1 && way.is_empty() {
        return None;
    }
    way.push(Stretch { timeline, begin, end: None });
    Some(way)
}

/// What of `old` is not on the way of `new`: its stretches from where the two part, oldest first. `None` when the two have
/// nothing in common.
pub(super) fn behind_the_fork(old: &[Stretch], new: &[Stretch]) -> Option<Vec<Stretch>> {
    let mut common =
        old.iter().zip(new).take_while(|(old, new)| old.timeline == new.timeline && old.begin == new.begin);
    let (last_old, last_new) = common.by_ref().last()?;
    let fork = match (last_old.end, last_new.end) {
        (Some(old), Some(new)) => Some(old.min(new)),
        (old, new) => old.or(new),
    };
    // The same timeline, or one that goes on from where the other is: nothing parted.
    let Some(fork) = fork else { return Some(Vec::new()) };
    let rest = old.iter().skip_while(|stretch| stretch.timeline != last_old.timeline);
    let cut = rest.map(|stretch| Stretch { begin: stretch.begin.max(fork), ..*stretch });
    Some(cut.filter(|stretch| stretch.end.is_none_or(|end| end > stretch.begin)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIRD: &str = "1\t0/3000000\tno recovery target specified\n\n2\t0/5000000\tno recovery target specified\n";

    fn show(way: &[Stretch]) -> String {
        let end = |stretch: &Stretch| stretch.end.map_or_else(|| "on".to_owned(), |end| end.to_string());
        let texts = way.iter().map(|stretch| format!("{}: {} to {}", stretch.timeline, stretch.begin, end(stretch)));
        texts.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_history_is_a_way_of_stretches() {
        let way = parse(THIRD, 3).expect("a history");
        assert_eq!(show(&way), "1: 0/0 to 0/3000000, 2: 0/3000000 to 0/5000000, 3: 0/5000000 to on");
        assert_eq!(show(&parse("", 1).expect("the first")), "1: 0/0 to on");
    }

    #[test]
    fn a_number_that_was_given_away_tells_no_way() {
        assert_eq!(parse("# given to another server\n", 2), None);
        assert_eq!(parse("1 nowhere\n", 2), None);
    }

    #[track_caller]
    fn check(old: (&str, u32), new: (&str, u32), expected: &str) {
        let way = |(text, timeline)| parse(text, timeline).expect("a history");
        assert_eq!(show(&behind_the_fork(&way(old), &way(new)).expect("something in common")), expected);
    }

    #[test]
    fn what_is_behind_the_fork_is_the_rest_of_the_old_way() {
        check(("", 1), ("1 0/3000000 x\n", 2), "1: 0/3000000 to on");
        check(("1 0/3000000 x\n", 2), (THIRD, 3), "2: 0/5000000 to on");
    }

    #[test]
    fn one_that_was_promoted_unseen_has_parted_before() {
        check(("1 0/4000000 x\n", 2), ("1 0/3000000 x\n", 3), "1: 0/3000000 to 0/4000000, 2: 0/4000000 to on");
        check(("1 0/2000000 x\n", 2), ("1 0/3000000 x\n", 3), "2: 0/2000000 to on");
    }

    #[test]
    fn nothing_is_behind_where_nothing_parted() {
        check(("", 1), ("", 1), "");
        check(("1 0/3000000 x\n", 2), ("1 0/3000000 x\n", 2), "");
    }
}
