//! Command line of pgherd.

fn main() {}
