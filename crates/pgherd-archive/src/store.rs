//! Where objects are: a folder, or a bucket.
//!
//! Invariant of every store: an object is there whole and durable, or not at all; none is written over unless that is asked.

use std::io::{Read, Write};

use jiff::Timestamp;

use crate::error::Result;

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stored {
    /// Its place: names with `/` in between.
    pub(crate) key: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// When what is in it was last written to, where the store knows; else when it was stored.
    pub(crate) modified_at: Timestamp,
}

/// A place for objects.
pub(crate) trait Store: Send + Sync {
    /// Begins an object that will be at `key`; nothing is there before it is committed.
    fn begin(&self, key: &str) -> Result<Box<dyn Upload>>;
    /// Reads an object; [`crate::ErrorKind::Absent`] when there is none.
    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>>;
    /// Whether there is an object.
    fn exists(&self, key: &str) -> Result<bool>;
    /// All objects below a folder, in order of their keys. One that is not there holds none.
    fn list(&self, folder: &str) -> Result<Vec<Stored>>;
    /// The names directly below a folder.
    fn names(&self, folder: &str) -> Result<Vec<String>>;
    /// Deletes an object, durably; one that is not there is fine.
    fn delete(&self, key: &str) -> Result<()>;
    /// Gives an object another key that nothing has.
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Removes what was begun below a folder by somebody who is dead; says how much that was.
    fn clear(&self, folder: &str) -> Result<usize>;
    /// Claims a folder until the claim is dropped; a conflict when somebody who lives has it.
    fn claim(&self, folder: &str) -> Result<Box<dyn Send>>;
    /// Proves that it refuses to write over what is there; for a store that somebody else runs, before anything is kept in it.
    fn prove(&self) -> Result<()>;
    /// Whether times of [`Stored`] are those of the content.
    fn knows_times(&self) -> bool;
    /// What to call a place in it.
    fn describe(&self, key: &str) -> String;
}

/// An object that is being written. Dropped without a commit, it was never there.
pub(crate) trait Upload: Write + Send {
    /// Makes it durable and has it appear at `key`; `false`: there is something already, which stays, and it can be
    /// committed somewhere else.
    fn commit(&mut self, key: &str, modified_at: Option<Timestamp>) -> Result<bool>;
    /// The same, over whatever is there.
    fn commit_over(&mut self, key: &str) -> Result<()>;
}
