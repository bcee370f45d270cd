//! A stateful RDS on loopback, which shares no code with the client that is tested on it.
