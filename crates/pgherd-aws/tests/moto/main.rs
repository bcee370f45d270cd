//! What stands around an instance, on moto, which was written for other clients: made, found again, changed, put right, taken away.

mod alarms;
mod gaps;
mod groups;
mod proxy;
mod rds_proxy;
mod roles;
mod secrets;
mod server;
mod suite;
mod whole;
mod world;
