//! Backups: when they are due, what can be restored, what is deleted.

mod clock;
mod due;
mod expire;
mod herd;
mod reach;
