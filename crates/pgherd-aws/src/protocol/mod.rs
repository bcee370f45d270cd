//! How AWS's services write requests and answers.

pub mod error;
pub mod form;
pub mod json;
pub mod xml;
