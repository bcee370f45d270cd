//! Words and figures as people read them.
