//! Why something could not be stored or read.

use std::io;

/// What a caller has to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The repository has no such thing. Only ever said by a repository that is there.
    Absent,
    /// What is stored is not what was stored: cut short, changed, or of somebody else.
    Damaged,
    /// There is something else of that name, which stays as it is.
    Conflict,
    /// It is encrypted with a key that is not here.
    KeyLost,
    /// The repository's storage is full.
    Full,
    /// The repository, or a key, may not be read or written by this user.
    Denied,
    /// The repository cannot be reached, or its storage fails.
    Unavailable,
    /// What is asked makes no sense: a name, an address, a file of settings.
    Invalid,
}

/// A refusal of the repository, in the user's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ArchiveError {
    /// What kind of trouble it is.
    pub kind: ErrorKind,
    /// What is true.
    pub message: String,
    /// What to do about it, where there is something.
    pub help: Option<String>,
}

/// Result of everything the repository does.
pub type Result<T, E = ArchiveError> = std::result::Result<T, E>;

impl ArchiveError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(crate) fn damaged(what: &str, how: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::Damaged, format!("{what} is damaged: {how}"))
    }

    /// What the operating system said about doing `what` ("write /srv/backups/x").
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        if let Some(ours) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return ours.clone();
        }
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::Absent,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
            _ => ErrorKind::Unavailable,
        };
        let refusal = Self::new(kind, format!("cannot {what}: {error}"));
        match kind {
            ErrorKind::Full => refusal.help("make room where the repository is; nothing that is stored was touched"),
            _ => refusal,
        }
    }
}

/// Chance is the kernel's: aws-lc would first time the CPU for a while, in every process that PostgreSQL starts for a segment.
pub(crate) fn no_chance() -> ArchiveError {
    ArchiveError::new(ErrorKind::Unavailable, "the system gives no random numbers")
}

impl From<ArchiveError> for io::Error {
    fn from(error: ArchiveError) -> Self {
        Self::other(error)
    }
}
