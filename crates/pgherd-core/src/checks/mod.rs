//! Offline checks: each its own file with words, rule and tests.
