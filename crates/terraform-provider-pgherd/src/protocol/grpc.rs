//! gRPC as far as a plugin needs it: one message in, one message out, over HTTP/2.

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, Response};
use std::convert::Infallible;

/// The largest message that is read. Terraform itself stops at 256 MiB; no configuration of ours comes near this.
const LARGEST: usize = 64 << 20;

/// Why a call is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    code: u8,
    message: String,
}

impl Refusal {
    /// The caller asks for what there is not.
    pub fn unimplemented(message: impl Into<String>) -> Self {
        Self { code: 12, message: message.into() }
    }

    /// The caller asks in a way that cannot be understood.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// We were wrong.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { code: 13, message: message.into() }
    }
}

/// An answer's body.
pub type Body = BoxBody<Bytes, Infallible>;

/// The one message of a request.
pub async fn message(request: Request<Incoming>) -> Result<Bytes, Refusal> {
    let body = Limited::new(request.into_body(), LARGEST).collect().await;
    let body = body.map_err(|error| Refusal::invalid(format!("the request did not come whole: {error}")))?.to_bytes();
    unframed(&body)
}

/// Without the five bytes before it: whether it is compressed, and its length.
fn unframed(body: &Bytes) -> Result<Bytes, Refusal> {
    let Some((head, _)) = body.split_first_chunk::<5>() else {
        return Err(Refusal::invalid("the request holds no message"));
    };
    let [compressed, length @ ..] = *head;
    if compressed != 0 {
        return Err(Refusal::unimplemented("compressed messages are not read"));
    }
    let message = body.slice(5..);
    let announced = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if message.len() == announced {
        Ok(message)
    } else {
        Err(Refusal::invalid(format!("the message should have {announced} bytes and has {}", message.len())))
    }
}

/// The response that says so.
pub fn response(answer: Result<Vec<u8>, Refusal>) -> Response<Body> {
    let (body, trailers) = match answer {
        Ok(message) => (Full::new(framed(&message)).boxed(), status(0, "")),
        Err(Refusal { code, message }) => (Empty::new().boxed(), status(code, &message)),
    };
    let body = body.with_trailers(std::future::ready(Some(Ok(trailers)))).boxed();
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// A message with the five bytes before it.
pub fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.extend_from_slice(&[0]);
    framed.extend_from_slice(&u32::try_from(message.len()).expect("no answer of ours has 4 GiB").to_be_bytes());
    framed.extend_from_slice(message);
    framed.freeze()
}

fn status(code: u8, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(u16::from(code)));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(message)) {
        trailers.insert("grpc-message", message);
    }
    trailers
}

/// Printable ASCII but for the percent sign stands as it is (the text `Percent-Encoded` of the description of gRPC over HTTP/2).
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::new();
    for byte in message.bytes() {
        match byte {
            b'%' => encoded.push_str("%25"),
            b' '..=b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &'static [u8], expected: Result<&'static [u8], &str>) {
        let read = unframed(&Bytes::from_static(body));
        assert_eq!(read.as_deref().map_err(|refusal| refusal.message.as_str()), expected);
    }

    #[test]
    fn one_whole_message_is_read() {
        check(&[0, 0, 0, 0, 2, 7, 8], Ok(&[7, 8]));
        check(&[0, 0, 0, 0, 0], Ok(&[]));
        check(&[0, 0], Err("the request holds no message"));
        check(&[1, 0, 0, 0, 1, 7], Err("compressed messages are not read"));
        check(&[0, 0, 0, 0, 9, 7], Err("the message should have 9 bytes and has 1"));
        check(&[0, 255, 255, 255, 255, 7], Err("the message should have 4294967295 bytes and has 1"));
    }

    #[test]
    fn a_message_is_framed_by_its_length() {
        assert_eq!(framed(&[7, 8]).as_ref(), [0, 0, 0, 0, 2, 7, 8]);
    }

    #[test]
    fn words_that_no_header_takes_are_encoded() {
        assert_eq!(percent_encoded("50 % é\n"), "50 %25 %C3%A9%0A");
    }
}
