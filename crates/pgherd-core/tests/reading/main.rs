//! Reading, from text to what a block means.

mod examples;
mod requirements;
mod support;
