//! Reading, from text to what a block means.

mod anything;
mod bad_input;
mod examples;
mod requirements;
mod support;
