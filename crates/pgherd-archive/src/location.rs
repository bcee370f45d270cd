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
    /// A bucket of an S3-compatible store, reached as the environment says.
    Bucket {
        /// Its name.
        name: String,
        /// What the names of all objects in it begin with; may be empty.
        prefix: String,
    },
}

impl FromStr for Location {
    type Err = ArchiveError;

    fn from_str(text: &str) -> Result<Self, ArchiveError> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_matches('/');
            let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
            let good =
                |part: &str| !part.is_empty() && part.chars().all(plain) && !part.chars().all(|letter| letter == '.');
            if good(name) && (prefix.is_empty() || prefix.split('/').all(good)) {
                return Ok(Self::Bucket { name: name.to_owned(), prefix: prefix.to_owned() });
            }
            let message = format!("{text:?} names no bucket");
            return Err(ArchiveError::new(ErrorKind::Invalid, message).help("write s3://BUCKET or s3://BUCKET/FOLDER"));
        }
        let path = PathBuf::from(text.strip_prefix("file://").unwrap_or(text));
        if path.is_absolute() {
            return Ok(Self::Folder(path));
        }
        // It may be a secret that was written in the wrong line: it is not repeated.
        Err(ArchiveError::new(ErrorKind::Invalid, "what is written is no place for a repository")
            .help("write the absolute path of a folder, or s3://BUCKET/FOLDER"))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket { name, prefix } if prefix.is_empty() => write!(f, "s3://{name}"),
            Self::Bucket { name, prefix } => write!(f, "s3://{name}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(text.parse::<Location>().ok().map(|location| location.to_string()).as_deref(), expected);
    }

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        check("/srv/backups", Some("/srv/backups"));
        check("file:///srv/backups", Some("/srv/backups"));
        check("s3://backups", Some("s3://backups"));
        check("s3://backups/of/shop/", Some("s3://backups/of/shop"));
        check("backups", None);
        check("s3://", None);
        check("s3://backups/../others", None);
        check("s3://backups/a//b", None);
        check("s3://user:secret@host/x", None);
    }

    #[test]
    fn what_is_no_place_is_not_repeated() {
        for text in ["AWS_SECRET_ACCESS_KEY=hidden", "hidden", "export AWS_SECRET_ACCESS_KEY='hidden'"] {
            let error = text.parse::<Location>().expect_err("refused");
            assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
        }
    }
}
