//! The local provider: real PostgreSQL on one machine, kept by a supervisor daemon.
