//! The one HTTP client of every cloud: deadline, retry, pace, request ids, and nothing secret in an error.
