//! What is refused, with the code and the status that go over the wire.
//!
//! Codes and statuses are those of AWS's own models of its APIs: some of RDS's end in `Fault`, most do not. The words after
//! them are written to resemble AWS's and are no promise; only what clients look for in them is kept as it is there.

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `InvalidParameterValue`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The sentence.
    pub message: String,
}

impl Refusal {
    /// A refusal of a caller's mistake.
    pub fn of(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, status: 400, message: message.into() }
    }

    /// One value is not possible.
    pub fn value(message: impl Into<String>) -> Self {
        Self::of("InvalidParameterValue", message)
    }

    /// Values that do not go together.
    pub fn combination(message: impl Into<String>) -> Self {
        Self::of("InvalidParameterCombination", message)
    }

    /// The instance is in no state for this.
    pub fn state(message: impl Into<String>) -> Self {
        Self::of("InvalidDBInstanceState", message)
    }

    /// Something named does not exist.
    pub fn missing(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, status: 404, message: message.into() }
    }

    /// No instance of that name.
    pub fn no_instance(id: &str) -> Self {
        Self::missing("DBInstanceNotFound", format!("DBInstance {id} not found."))
    }
}
