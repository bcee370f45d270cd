//! Backups: when they are due, what can be restored, what is deleted.

mod clock;
mod due;
mod expire;
mod gone;
mod herd;
mod increment;
mod practice;
mod reach;
