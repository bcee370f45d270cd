//! `pg_control`: what a stopped data directory says of itself, and giving it an identity of its own.

use std::ops::Range;
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

/// `DB_SHUTDOWNED_IN_RECOVERY` of `DBState`.
const STANDBY_SHUT_DOWN: u32 = 2;
/// Fields of `ControlFileData` that lie the same from 14 to 18: `state`, where the last checkpoint is and on which timeline, and up
/// to where a standby has to replay (`minRecoveryPoint` and its timeline).
const STATE: usize = 16;
const CHECKPOINT: Range<usize> = 32..40;
const TIMELINE: Range<usize> = 48..52;
const MINIMUM_RECOVERY: usize = 136;
/// 32 bytes, and 3 of padding from 18 on.
const BIRTHMARK: usize = 36;

/// The same file with another system identifier; `None` when it is not a control file (its checksum is nowhere to be found).
///
/// The identifier is the first field. The structure grows from version to version, so the checksum's place is found by
/// computing it over ever longer beginnings until the next four bytes are it.
pub fn with_identifier(control: &[u8], identifier: u64) -> Option<Vec<u8>> {
    changed(control, |fields| fields[..8].copy_from_slice(&identifier.to_le_bytes()))
}

/// The file of a cluster that was shut down, as that of a standby which was shut down there; `None` as above. Without a place to
/// replay to PostgreSQL would first take it for a primary that crashed (`InitWalRecovery`).
pub(crate) fn as_standby(control: &[u8]) -> Option<Vec<u8>> {
    changed(control, |fields| {
        fields[STATE..STATE + 4].copy_from_slice(&STANDBY_SHUT_DOWN.to_le_bytes());
        fields.copy_within(CHECKPOINT, MINIMUM_RECOVERY);
        fields.copy_within(TIMELINE, MINIMUM_RECOVERY + 8);
    })
}

fn changed(control: &[u8], change: impl FnOnce(&mut [u8])) -> Option<Vec<u8>> {
    let end = protected(control)?;
    let mut changed = control.to_owned();
    change(&mut changed[..end]);
    let mut crc = Crc32c::new();
    crc.update(&changed[..end]);
    changed[end..end + 4].copy_from_slice(&crc.value().to_le_bytes());
    Some(changed)
}

/// The system identifier; `None`: not a control file.
pub(crate) fn identifier(control: &[u8]) -> Option<u64> {
    protected(control)?;
    Some(u64::from_le_bytes(control[..8].try_into().ok()?))
}

/// How many bytes from the beginning are protected by the checksum that follows them; `None`: it does not match anywhere.
pub(crate) fn protected(control: &[u8]) -> Option<usize> {
    let mut crc = Crc32c::new();
    (4..control.len().min(1024)).step_by(4).find(|&end| {
        crc.update(&control[end - 4..end]);
        end >= 64 && control.get(end..end + 4) == Some(&crc.value().to_le_bytes())
    })
}

/// What `initdb` rolled for a cluster and nothing changes afterwards (`mock_authentication_nonce`, the last field but the checksum,
/// with what stands before it up to its alignment): two that agree in it are of one `initdb`. `None`: not a control file.
pub(crate) fn birthmark(control: &[u8]) -> Option<&[u8]> {
    let end = protected(control)?;
    control.get(end.checked_sub(BIRTHMARK)?..end)
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
            assert_eq!(with_identifier(&control(7, length), 8), Some(control(8, length)));
        }
    }

    #[test]
    fn a_standby_has_to_replay_up_to_the_checkpoint_and_nothing_else_changes() {
        let primary = control(7, 288);
        let standby = as_standby(&primary).expect("a control file");
        assert_eq!(standby[16..20], [2, 0, 0, 0]);
        assert_eq!((&standby[136..144], &standby[144..148]), (&primary[32..40], &primary[48..52]));
        let differ = (0..288).filter(|at| standby[*at] != primary[*at]);
        assert!(
            differ.clone().all(|at| (16..20).contains(&at) || (136..148).contains(&at)),
            "{:?}",
            differ.collect::<Vec<_>>()
        );
        assert_eq!(identifier(&standby), Some(7));
    }

    #[test]
    fn a_damaged_file_is_left_alone() {
        let mut damaged = control(7, 288);
        damaged[100] ^= 1;
        assert_eq!(with_identifier(&damaged, 8), None);
    }
}
