//! Our own CA and server certificates.
