//! The daemon that keeps PostgreSQL as it was asked for.
