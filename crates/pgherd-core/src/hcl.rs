//! Text to inputs, remembering where each value was written.
