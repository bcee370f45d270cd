//! PostgreSQL versions: a major, and a minor where one was asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `16` or `16.4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Major version, 10 or later.
    pub major: u32,
    /// Minor version, where it matters.
    pub minor: Option<u32>,
}

impl Version {
    /// Reads `16` or `16.4`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = match text.split_once('.') {
            Some((major, minor)) => (major, Some(digits(minor)?)),
            None => (text, None),
        };
        Some(Self { major: digits(major)?, minor })
    }
}

fn digits(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            Some(minor) => write!(f, "{}.{minor}", self.major),
            None => write!(f, "{}", self.major),
        }
    }
}
