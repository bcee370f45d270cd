//! RDS for PostgreSQL as a provider.
