//! A repository on a folder: what is stored, what is read back, and what is said of damage.

mod backups;
mod damage;
mod helper;
mod keys;
mod wal;
mod world;
