//! One PostgreSQL instance: binaries, template, configuration, process, session.
