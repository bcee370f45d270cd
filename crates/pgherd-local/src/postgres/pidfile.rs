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
    fn an_empty_file_is_nobody() {
        assert_eq!(PidFile::parse(""), None);
        assert_eq!(PidFile::parse("-42\n"), None);
    }
}
