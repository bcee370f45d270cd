//! Waits until something is ready or stuck, with a deadline.
