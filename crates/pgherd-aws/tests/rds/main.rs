//! RDS lives: blocks against our own emulator of RDS, which shares no code with the client.
//!
//! Nothing here waits: the emulator's time goes by with every call, so that whoever looks again gets on.

mod adopted;
mod deleted;
mod flipped;
mod interrupted;
mod made;
mod promoted;
mod replaced;
mod restored;
mod waiting;
mod whole;
mod world;
