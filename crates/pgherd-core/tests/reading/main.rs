//! Reading, from text to what a block means.

mod bad_input;
mod examples;
mod requirements;
mod support;
