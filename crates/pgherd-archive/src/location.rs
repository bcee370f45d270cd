//! Where a repository is, as it is written in a block.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::{ArchiveError, ErrorKind};

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder, by its absolute path.
    Folder(PathBuf),
}

impl FromStr for Location {
    type Err = ArchiveError;

    fn from_str(text: &str) -> Result<Self, ArchiveError> {
        let path = PathBuf::from(text.strip_prefix("file://").unwrap_or(text));
        if path.is_absolute() {
            return Ok(Self::Folder(path));
        }
        let message = format!("{text:?} is no place for a repository");
        Err(ArchiveError::new(ErrorKind::Invalid, message).help("write the absolute path of a folder"))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
        }
    }
}
