//! A file that names a repository: its place in one line, and lines `AWS_…=…` behind it where a bucket is not reached as the environment
//! says.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::access::Access;
use crate::error::{ArchiveError, ErrorKind, Result};
use crate::location::Location;

/// Where a repository is, and how it is reached.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where it is.
    pub location: Location,
    /// How it is reached.
    pub access: Access,
}

impl Place {
    /// Reads what a file says; `None`: nothing, or it is not there. One that holds credentials is nobody else's to read. Of the place
    /// itself nothing is asked.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        Self::read_by(path, |_| 0o077)
    }

    /// The same of one that the user PostgreSQL runs as has to read as well: what is root's may be read by its group.
    pub fn read_shared(path: &Path) -> Result<Option<Self>> {
        Self::read_by(path, |owner| if owner == 0 { 0o037 } else { 0o077 })
    }

    /// `closed`: the bits of the mode that are not to be set, by whose the file is.
    fn read_by(path: &Path, closed: impl Fn(u32) -> u32) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => {
                Zeroizing::new(other.map_err(|error| ArchiveError::io(&format!("read {}", path.display()), &error))?)
            }
        };
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let Some(line) = lines.next() else { return Ok(None) };
        let looked = std::fs::metadata(path)
            .map_err(|error| ArchiveError::io(&format!("look at {}", path.display()), &error))?;
        let mode = looked.permissions().mode();
        let is_secret = line.contains("AWS_") || lines.clone().next().is_some();
        if is_secret && mode & closed(looked.uid()) != 0 {
            let message =
                format!("{} holds credentials and is open to others: its mode is {:04o}", path.display(), mode & 0o777);
            return Err(ArchiveError::new(ErrorKind::Denied, message).help(format!("chmod 600 {}", path.display())));
        }
        Ok(Some(Self { location: line.parse()?, access: Access::parse(lines)? }))
    }
}
