//! The one HTTP client of every cloud: deadline, retry, pace, request ids, and nothing secret in an error.
//!
//! It knows no cloud: what an answer means (throttled, refused, done) is said by the caller, and [`Attempts`] says what follows.

pub mod attempts;
pub mod client;
pub mod pace;
pub mod redact;
pub mod retry;
pub mod skew;

pub use attempts::{Attempts, Endurance, HeldUp};
pub use client::{Client, Options, Refused, Request, Response};
pub use pace::Pace;
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use reqwest::{Method, StatusCode, Url};
pub use retry::{Next, Outcome, Policy, Safety, Tried};
pub use skew::Skew;
