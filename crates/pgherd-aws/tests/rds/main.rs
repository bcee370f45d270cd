//! RDS lives: blocks against our own emulator of RDS, which shares no code with the client.
//!
//! Nothing here waits: the emulator's time goes by with every call, so that whoever looks again gets on.

mod adopted;
mod cut;
mod deleted;
mod guarded;
mod left;
mod made;
mod preflight;
mod promoted;
mod proxied;
mod recovery;
mod replaced;
mod restored;
mod verbs;
mod waiting;
mod whole;
mod world;
