//! A repository on a folder: what is stored, what is read back, and what is said of damage.

mod backups;
mod bucket;
mod damage;
mod helper;
mod keys;
mod mirror;
mod proxy;
mod wal;
mod world;
