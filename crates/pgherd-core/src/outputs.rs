//! The outputs of a block, in the shapes the requirements give them.
