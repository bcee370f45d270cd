//! The table: every variable and output of the block, once.
