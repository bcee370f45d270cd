//! `pg_control`: what a stopped data directory says of itself, and giving it an identity of its own.

use std::path::Path;

use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::runas::RunAs;
use super::server::Server;
use super::{Result, io_error};

/// What `pg_controldata` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Identity of the cluster; a standby has its primary's.
    pub system_identifier: u64,
    /// `shut down`, `in production` (running or crashed), `shut down in recovery`, …
    pub state: String,
    /// Timeline of the last checkpoint.
    pub timeline: u32,
    /// Where the last checkpoint is, `0/1528D50`.
    pub checkpoint: String,
    /// Whether pages carry checksums.
    pub checksums: bool,
}

/// Asks `pg_controldata`. Blocking.
pub fn read(server: &Server, run_as: &RunAs, data: &Path) -> Result<Control> {
    let output = run_as.command(server, "pg_controldata").arg("-D").arg(data).output();
    let output = output.map_err(|error| io_error("run", &server.program("pg_controldata"), &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        ProviderError::new(ErrorKind::Invalid, format!("{} cannot be read: {}", data.display(), said.trim()))
    })
}

/// `DB_SHUTDOWNED_IN_RECOVERY` of `DBState`, the field behind identifier and two versions.
const STANDBY_SHUT_DOWN: u32 = 2;
const STATE: std::ops::Range<usize> = 16..20;

/// The same file with another system identifier, and as a standby's that was shut down or as it is; `None` when it is not a
/// control file (its checksum is nowhere to be found).
///
/// The identifier is the first field. The structure grows from version to version, so the checksum's place is found by
/// computing it over ever longer beginnings until the next four bytes are it.
pub fn with_identifier(control: &[u8], identifier: u64, of_standby: bool) -> Option<Vec<u8>> {
    let end = protected(control)?;
    let mut changed = control.to_owned();
    changed[..8].copy_from_slice(&identifier.to_le_bytes());
    if of_standby {
        changed[STATE].copy_from_slice(&STANDBY_SHUT_DOWN.to_le_bytes());
    }
    let mut crc = Crc32c::new();
    crc.update(&changed[..end]);
    changed[end..end + 4].copy_from_slice(&crc.value().to_le_bytes());
    Some(changed)
}

/// How many bytes from the beginning are protected by the checksum that follows them; `None`: it does not match anywhere.
pub(crate) fn protected(control: &[u8]) -> Option<usize> {
    let mut crc = Crc32c::new();
    (4..control.len().min(1024)).step_by(4).find(|&end| {
        crc.update(&control[end - 4..end]);
        end >= 64 && control.get(end..end + 4) == Some(&crc.value().to_le_bytes())
    })
}

/// An identifier as `BootStrapXLOG` makes them: seconds, then something that differs between clusters of one second.
pub fn new_identifier(seconds: u64, chance: u32) -> u64 {
    seconds << 32 | u64::from(chance)
}

fn parse(text: &str) -> Option<Control> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    Some(Control {
        system_identifier: field("Database system identifier")?.parse().ok()?,
        state: field("Database cluster state")?.to_owned(),
        timeline: field("Latest checkpoint's TimeLineID")?.parse().ok()?,
        checkpoint: field("Latest checkpoint location")?.to_owned(),
        checksums: field("Data page checksum version")? != "0",
    })
}

/// CRC-32C (Castagnoli), as PostgreSQL protects its control file with.
struct Crc32c(u32);

impl Crc32c {
    fn new() -> Self {
        Self(u32::MAX)
    }

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u32::from(*byte);
            for _ in 0..8 {
                self.0 = (self.0 >> 1) ^ (0x82f6_3b78 & (self.0 & 1).wrapping_neg());
            }
        }
    }

    fn value(&self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the Rocksoft catalogue of CRCs.
    #[test]
    fn the_checksum_is_crc_32c() {
        let mut crc = Crc32c::new();
        crc.update(b"123456789");
        assert_eq!(crc.value(), 0xe306_9283);
    }

    fn control(identifier: u64, length: usize) -> Vec<u8> {
        let mut file: Vec<u8> = identifier.to_le_bytes().into_iter().chain((8..length).map(|n| n as u8)).collect();
        let mut crc = Crc32c::new();
        crc.update(&file);
        file.extend(crc.value().to_le_bytes());
        file.resize(8192, 0);
        file
    }

    #[test]
    fn the_identifier_and_the_checksum_change_and_nothing_else() {
        for length in [288, 296, 304] {
            assert_eq!(with_identifier(&control(7, length), 8, false), Some(control(8, length)));
        }
    }

    #[test]
    fn a_damaged_file_is_left_alone() {
        let mut damaged = control(7, 288);
        damaged[100] ^= 1;
        assert_eq!(with_identifier(&damaged, 8, false), None);
    }
}
