//! The command line as users meet it: whole outputs of the real program in a sealed environment.

mod aws;
mod aws_restore;
mod azure;
mod backed;
mod care;
mod digitalocean;
mod doctor;
mod documents;
mod emulate;
mod ending;
mod errors;
mod files;
mod flask;
mod following;
mod google_cloud;
mod help;
mod live;
mod pair;
mod plans;
mod pooled;
mod power;
mod sandbox;
mod terminal;
mod terraform;
mod user;
mod writing;
