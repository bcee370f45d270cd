//! Names of nodes and positions in the log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One PostgreSQL server of an instance, shown as `n1`. Numbers are given once and never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u16);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// A position in the write-ahead log, shown as PostgreSQL does: `0/1528D50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Reads `0/1528D50`.
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let half = |text: &str| u32::from_str_radix(text, 16).ok();
        Some(Self(u64::from(half(high)?) << 32 | u64::from(half(low)?)))
    }

    /// Bytes from `earlier` to here; 0 when this is the earlier one.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_shown_as_it_is_read() {
        for text in ["0/0", "0/1528D50", "1A/F0000000"] {
            assert_eq!(Lsn::parse(text).expect("a position").to_string(), text);
        }
        assert_eq!(Lsn::parse("0/1528D50"), Some(Lsn(0x152_8D50)));
        assert_eq!(Lsn::parse("15"), None);
    }
}
