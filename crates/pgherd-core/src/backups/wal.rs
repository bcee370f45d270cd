//! Names and places in PostgreSQL's log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place in the log: `0/3000060`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// A timeline: it begins with every promotion and every restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline(pub u32);

/// A segment by the three numbers in its name. How far apart two of them are depends on the segment size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SegmentName {
    /// Whose log it is.
    pub timeline: Timeline,
    /// The upper half of its place.
    pub log: u32,
    /// Which segment of that.
    pub segment: u32,
}

/// What PostgreSQL archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WalName {
    /// `00000002.history`: where a timeline comes from.
    History(Timeline),
    /// `000000010000000000000002`.
    Segment(SegmentName),
    /// `000000010000000000000002.00000028.backup`: a note that a backup was taken, and at which offset it begins.
    BackupNote(SegmentName, u32),
    /// `000000010000000000000002.partial`: the last, unfinished segment of a timeline that ended with a promotion.
    Partial(SegmentName),
}

/// Not a name that PostgreSQL archives anything under.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a file of PostgreSQL's log")]
pub struct NotAName(pub String);

/// A line of a history file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// The timeline that was left.
    pub from: Timeline,
    /// Where it was left.
    pub at: Lsn,
}

/// Where a timeline comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Whose history it is.
    pub timeline: Timeline,
    /// Its ancestors, the oldest first.
    pub switches: Vec<Switch>,
}

impl Lsn {
    /// The number of the segment a place is in.
    pub fn segment(self, segment_bytes: u64) -> u64 {
        self.0 / segment_bytes.max(1)
    }
}

impl SegmentName {
    /// The segment of that number.
    pub fn new(timeline: Timeline, number: u64, segment_bytes: u64) -> Self {
        let per_log = per_log(segment_bytes);
        let half = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self { timeline, log: half(number / per_log), segment: half(number % per_log) }
    }

    /// Counted from the log's beginning.
    pub fn number(self, segment_bytes: u64) -> u64 {
        u64::from(self.log) * per_log(segment_bytes) + u64::from(self.segment)
    }

    /// Where it begins.
    pub fn start(self, segment_bytes: u64) -> Lsn {
        Lsn(self.number(segment_bytes).saturating_mul(segment_bytes))
    }
}

/// Segments for each value of the middle number.
fn per_log(segment_bytes: u64) -> u64 {
    (0x1_0000_0000 / segment_bytes.max(1)).max(1)
}

impl WalName {
    /// Whose log it belongs to.
    pub fn timeline(self) -> Timeline {
        match self {
            Self::History(timeline) => timeline,
            Self::Segment(name) | Self::BackupNote(name, _) | Self::Partial(name) => name.timeline,
        }
    }

    /// The segment it is, or is about.
    pub fn segment(self) -> Option<SegmentName> {
        match self {
            Self::History(_) => None,
            Self::Segment(name) | Self::BackupNote(name, _) | Self::Partial(name) => Some(name),
        }
    }
}

impl History {
    /// Reads a history file: `parent<tab>switch point<tab>reason` a line, comments and empty lines in between.
    pub fn parse(timeline: Timeline, text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let switch = |line: &str| {
            let mut words = line.split_ascii_whitespace();
            let from = Timeline(words.next()?.parse().ok()?);
            Some(Switch { from, at: words.next()?.parse().ok()? })
        };
        let switches: Vec<_> = lines.map(switch).collect::<Option<_>>()?;
        // PostgreSQL insists on both as well (readTimeLineHistory).
        let ascending = switches.windows(2).all(|pair| pair[0].from < pair[1].from);
        let before = switches.last().is_none_or(|last| last.from < timeline);
        (ascending && before && !switches.is_empty()).then_some(Self { timeline, switches })
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for Lsn {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let half = |text: &str| {
            let plain = (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
        };
        let parts = text.split_once('/').and_then(|(upper, lower)| Some((half(upper)?, half(lower)?)));
        parts.map(|(upper, lower)| Self(upper << 32 | lower)).ok_or_else(|| NotAName(text.to_owned()))
    }
}

impl Serialize for Lsn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}{:08X}{:08X}", self.timeline.0, self.log, self.segment)
    }
}

impl fmt::Display for WalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History(timeline) => write!(f, "{:08X}.history", timeline.0),
            Self::Segment(name) => name.fmt(f),
            Self::BackupNote(name, offset) => write!(f, "{name}.{offset:08X}.backup"),
            Self::Partial(name) => write!(f, "{name}.partial"),
        }
    }
}

impl FromStr for WalName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        read(text).ok_or_else(|| NotAName(text.to_owned()))
    }
}

impl From<SegmentName> for String {
    fn from(name: SegmentName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for SegmentName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        match text.parse()? {
            WalName::Segment(name) => Ok(name),
            WalName::History(_) | WalName::BackupNote(..) | WalName::Partial(_) => Err(NotAName(text)),
        }
    }
}

impl From<WalName> for String {
    fn from(name: WalName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for WalName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

fn read(text: &str) -> Option<WalName> {
    if let Some(timeline) = text.strip_suffix(".history") {
        return eight(timeline).map(|number| WalName::History(Timeline(number)));
    }
    let segment = |text: &str| {
        (text.len() == 24 && text.is_ascii()).then_some(())?;
        Some(SegmentName {
            timeline: Timeline(eight(&text[..8])?),
            log: eight(&text[8..16])?,
            segment: eight(&text[16..])?,
        })
    };
    let mut parts = text.split('.');
    let name = segment(parts.next()?)?;
    match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => Some(WalName::Segment(name)),
        (Some("partial"), None, _) => Some(WalName::Partial(name)),
        (Some(offset), Some("backup"), None) => Some(WalName::BackupNote(name, eight(offset)?)),
        _ => None,
    }
}

/// Eight digits as PostgreSQL writes them: in upper case.
fn eight(text: &str) -> Option<u32> {
    let plain = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    plain.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[track_caller]
    fn check(name: &str, good: bool) {
        let read = name.parse::<WalName>();
        assert_eq!(read.clone().map(|name| name.to_string()).ok(), good.then(|| name.to_owned()), "{read:?}");
    }

    #[test]
    fn what_postgresql_archives_has_a_name() {
        check("00000001000000A900000065", true);
        check("00000001000000A900000065.00000028.backup", true);
        check("00000001000000A900000065.partial", true);
        check("0000000A.history", true);
    }

    #[test]
    fn nothing_else_has() {
        for name in ["", "..", "00000001000000a900000065", "00000001000000A90000006", "0000000A.History", "A.history"] {
            check(name, false);
        }
        for name in ["00000001000000A900000065.backup", "00000001000000A900000065.partial.x", "../0000000A.history"] {
            check(name, false);
        }
        check("00000001000000A900000065.00000028.backup.gz", false);
    }

    #[test]
    fn a_place_is_in_the_segment_that_the_server_says() {
        // As pg_walfile_name says for segments of 16 and 64 MiB.
        let lsn: Lsn = "A9/65000028".parse().expect("a place");
        let name = |size: u64| SegmentName::new(Timeline(1), lsn.segment(size), size).to_string();
        assert_eq!(name(16 * MIB), "00000001000000A900000065");
        assert_eq!(name(64 * MIB), "00000001000000A900000019");
        assert_eq!(lsn.to_string(), "A9/65000028");
    }

    #[test]
    fn numbers_go_on_from_log_to_log() {
        let last: WalName = "0000000100000001000000FF".parse().expect("a name");
        let number = last.segment().expect("a segment").number(16 * MIB);
        assert_eq!(SegmentName::new(Timeline(1), number + 1, 16 * MIB).to_string(), "000000010000000200000000");
        assert_eq!(SegmentName::new(Timeline(1), number, 16 * MIB).start(16 * MIB).to_string(), "1/FF000000");
    }

    #[test]
    fn a_history_names_ancestors_in_order() {
        let text = "1\t0/3000148\tno recovery target specified\n\n# a comment\n2\t0/5000000\tbefore 2026-01-01\n";
        let history = History::parse(Timeline(3), text).expect("a history");
        let switches: Vec<_> = history.switches.iter().map(|switch| (switch.from.0, switch.at.to_string())).collect();
        assert_eq!(switches, [(1, "0/3000148".to_owned()), (2, "0/5000000".to_owned())]);
        for wrong in ["", "2\t0/1\n1\t0/2\n", "3\t0/1\n", "one\t0/1\n", "1\n"] {
            assert_eq!(History::parse(Timeline(3), wrong), None, "{wrong:?}");
        }
    }
}
