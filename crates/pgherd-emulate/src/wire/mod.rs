//! The wire as RDS speaks it: forms in, XML out, refusals with AWS's codes. Written from the protocol pages, not from our client.

pub mod errors;
pub mod form;
pub mod scope;
pub mod xml;

pub use errors::Refusal;
pub use form::Form;
pub use scope::Scope;
pub use xml::Element;

/// The namespace of every answer of RDS.
const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

/// What was done, in the envelope of a query answer.
pub fn done(action: &str, result: Element, request_id: &str) -> String {
    Element::new(format!("{action}Response"))
        .with(result.named(format!("{action}Result")))
        .with(Element::new("ResponseMetadata").put("RequestId", request_id))
        .document(NAMESPACE)
}

/// A refusal, in the envelope of a query answer.
pub fn refused(refusal: &Refusal, request_id: &str) -> String {
    Element::new("ErrorResponse")
        .with(
            Element::new("Error")
                .put("Type", if refusal.status < 500 { "Sender" } else { "Receiver" })
                .put("Code", refusal.code)
                .put("Message", &refusal.message),
        )
        .put("RequestId", request_id)
        .document(NAMESPACE)
}
