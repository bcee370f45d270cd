//! Dated facts: versions, sizes, parameters, with source and as-of date.
