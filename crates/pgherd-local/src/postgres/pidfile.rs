//! `postmaster.pid`: what a running server says of itself. Pure.

/// The lines of `postmaster.pid` that matter here (`src/include/utils/pidfile.h`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PidFile {
    /// Process id of the postmaster.
    pub pid: i32,
    /// Its port.
    pub port: Option<u16>,
    /// How far it is; `None` while the line is not written yet.
    pub status: Option<Status>,
}

/// How far a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Starting or recovering: no connections yet.
    Starting,
    /// Shutting down.
    Stopping,
    /// A standby that refuses connections (`hot_standby` off) or has not reached consistency.
    Standby,
    /// Accepts connections.
    Ready,
}

impl PidFile {
    /// Reads the file's text, which may be half written.
    pub fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let line = |number: usize| lines.get(number - 1).map(|line| line.trim());
        let pid = line(1)?.parse().ok().filter(|pid| *pid > 1)?;
        let status = match line(8) {
            Some("starting") => Some(Status::Starting),
            Some("stopping") => Some(Status::Stopping),
            Some("standby") => Some(Status::Standby),
            Some("ready") => Some(Status::Ready),
            Some(_) | None => None,
        };
        Some(Self { pid, port: line(4).and_then(|port| port.parse().ok()), status })
    }
}

/// The segment of System V shared memory that a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its key, which PostgreSQL makes of the data directory's inode.
    pub key: i32,
    /// Its number, which the kernel gave it.
    pub id: i32,
}

impl Segment {
    /// Reads it from the file's text; `None` while the line is not written yet.
    pub fn parse(text: &str) -> Option<Self> {
        // Both are written with `%9lu`: a negative key is a number beyond `i32` there.
        let mut numbers = text.lines().nth(6)?.split_whitespace().map(|number| number.parse::<u64>().ok());
        let mut next = || Some(i32::from_ne_bytes(u32::try_from(numbers.next()?? & 0xffff_ffff).ok()?.to_ne_bytes()));
        Some(Self { key: next()?, id: next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As PostgreSQL 15.18 writes it.
    const READY: &str = "4242\n/d/data\n1700000000\n5432\n/run/x\n*\n  123456   7\nready   \n";

    #[test]
    fn a_running_server_is_read_whole() {
        let expected = PidFile { pid: 4242, port: Some(5432), status: Some(Status::Ready) };
        assert_eq!(PidFile::parse(READY), Some(expected));
    }

    #[test]
    fn a_half_written_file_has_no_status_yet() {
        let half = READY.split_inclusive('\n').take(3).collect::<String>();
        assert_eq!(PidFile::parse(&half), Some(PidFile { pid: 4242, port: None, status: None }));
    }

    #[test]
    fn a_servers_segment_is_on_the_seventh_line() {
        assert_eq!(Segment::parse(READY), Some(Segment { key: 123_456, id: 7 }));
        let half = READY.split_inclusive('\n').take(6).collect::<String>();
        assert_eq!(Segment::parse(&half), None);
    }

    #[test]
    fn a_negative_key_is_written_as_a_large_number() {
        let negative = READY.replace("123456 ", "18446744073698975656 ");
        assert_eq!(Segment::parse(&negative), Some(Segment { key: -10_575_960, id: 7 }));
    }

    #[test]
    fn an_empty_file_is_nobody() {
        assert_eq!(PidFile::parse(""), None);
        assert_eq!(PidFile::parse("-42\n"), None);
    }
}
