//! Where state, runtime files and caches live.
