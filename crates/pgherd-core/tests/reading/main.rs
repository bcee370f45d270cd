//! Reading, from text to what a block means.

mod anything;
mod bad_input;
mod examples;
mod places;
mod requirements;
mod secrets;
mod support;
mod variables;
