//! What a command may end with: an exit code, or an error with its causes and hints.
//!
//! Conversions from the libraries' errors stand here and nowhere else; this is where advice is attached.

use std::io;
use std::process::ExitCode;

use pgherd_engine::provider::{ErrorKind, ProviderError};

/// How a command may end. The numbers are a promise (`pgherd reference exit-codes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// An error.
    Failed,
    /// The plan has changes; only with `--detailed-exitcode`.
    Changes,
    /// Accepted, and takes effect later.
    Pending,
    /// Refused for safety.
    Refused,
    /// What was named does not exist.
    NotFound,
    /// Given up waiting; it is still going on.
    TimedOut,
}

impl Exit {
    /// Every ending, in the order of its number.
    pub const ALL: &'static [Self] =
        &[Self::Done, Self::Failed, Self::Changes, Self::Pending, Self::Refused, Self::NotFound, Self::TimedOut];

    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Pending => 3,
            Self::Refused => 4,
            Self::NotFound => 5,
            Self::TimedOut => 6,
        }
    }

    /// What it means, for the reference.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Failed => "an error; bad usage included",
            Self::Changes => "the plan has changes (only with `plan --detailed-exitcode`)",
            Self::Pending => "accepted, and takes effect later: in the maintenance window or at a restart",
            Self::Refused => "refused for safety: deletion protection, a confirmation that was not given, a stale plan",
            Self::NotFound => "what was named does not exist",
            Self::TimedOut => "stopped waiting; the work itself goes on",
        }
    }

    /// For the operating system.
    pub fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }
}

/// Sorts of error, one exit code each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything without a kind of its own.
    Failed,
    /// Refused for safety.
    Refused,
    /// What was named does not exist.
    NotFound,
    /// Given up waiting, or told to stop watching.
    TimedOut,
    /// Whoever read our output has seen enough. Not an error to anybody.
    ClosedPipe,
}

impl Kind {
    /// Its name in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::NotFound => "not_found",
            Self::TimedOut => "timed_out",
            Self::ClosedPipe => "closed_pipe",
        }
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Failed => Self::Failed,
            Kind::Refused => Self::Refused,
            Kind::NotFound => Self::NotFound,
            Kind::TimedOut => Self::TimedOut,
            Kind::ClosedPipe => Self::Done,
        }
    }
}

/// Why a command stopped: what is true, what caused it, what the user can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// What sort of error.
    pub kind: Kind,
    /// What is true, lower case, no full stop.
    pub message: String,
    /// What caused it, nearest first.
    pub chain: Vec<String>,
    /// What to do, one line each.
    pub hints: Vec<String>,
}

impl CommandError {
    /// An error of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), chain: Vec::new(), hints: Vec::new() }
    }

    /// An error without a kind of its own.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// A refusal for safety.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// Something named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// With a cause.
    #[must_use]
    pub fn because(mut self, cause: &dyn std::error::Error) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            self.chain.push(cause.to_string());
            next = cause.source();
        }
        self
    }

    /// With advice; empty advice is none.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !hint.is_empty() {
            self.hints.push(hint);
        }
        self
    }

    /// Something could not be read or written.
    pub fn io(doing: impl Into<String>, cause: &io::Error) -> Self {
        let kind = if cause.kind() == io::ErrorKind::BrokenPipe { Kind::ClosedPipe } else { Kind::Failed };
        Self::new(kind, doing).because(cause)
    }
}

impl From<ProviderError> for CommandError {
    fn from(error: ProviderError) -> Self {
        let kind = match error.kind {
            ErrorKind::Protected => Kind::Refused,
            ErrorKind::NotFound => Kind::NotFound,
            ErrorKind::TimedOut | ErrorKind::Interrupted => Kind::TimedOut,
            ErrorKind::Throttled
            | ErrorKind::Unavailable
            | ErrorKind::Denied
            | ErrorKind::Conflict
            | ErrorKind::Invalid
            | ErrorKind::Unsupported => Kind::Failed,
        };
        Self::new(kind, error.message).hint(error.help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_of_a_target_has_its_exit_code() {
        let code = |kind: ErrorKind| Exit::from(CommandError::from(ProviderError::new(kind, "x")).kind).number();
        assert_eq!([ErrorKind::Protected, ErrorKind::NotFound].map(code), [4, 5]);
        assert_eq!([ErrorKind::TimedOut, ErrorKind::Interrupted].map(code), [6, 6]);
        let failures = [
            ErrorKind::Throttled,
            ErrorKind::Unavailable,
            ErrorKind::Denied,
            ErrorKind::Conflict,
            ErrorKind::Invalid,
            ErrorKind::Unsupported,
        ];
        assert_eq!(failures.map(code), [1; 6]);
    }

    /// `pgherd plan | head` is no failure.
    #[test]
    fn a_reader_that_left_is_no_error() {
        let code = |kind: io::ErrorKind| Exit::from(CommandError::io("x", &io::Error::from(kind)).kind).number();
        assert_eq!([io::ErrorKind::BrokenPipe, io::ErrorKind::NotFound].map(code), [0, 1]);
    }

    #[test]
    fn causes_are_kept_nearest_first_and_empty_advice_is_none() {
        let error =
            CommandError::failed("x").because(&io::Error::from(io::ErrorKind::NotFound)).hint("").hint("a").hint("b");
        assert_eq!((error.chain.len(), error.hints), (1, vec!["a".to_owned(), "b".to_owned()]));
    }
}
