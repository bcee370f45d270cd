//! The wire as AWS speaks it: requests in, answers out, refusals with AWS's codes. Written from the protocol pages, not from our client.

pub mod cbor;
pub mod errors;
pub mod fields;
pub mod form;
pub mod request;
pub mod scope;
pub mod xml;

use serde_json::{Value, json};

pub use errors::Refusal;
pub use fields::Fields;
pub use form::Form;
pub use request::{Body, Protocol, Request, Sent};
pub use scope::Scope;
pub use xml::Element;

/// What a service says when it did what it was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// In XML.
    Xml(Element),
    /// In JSON or CBOR, or in XML where the request was a form.
    Fields(Value),
}

/// An answer as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// `text/xml`.
    pub content_type: &'static str,
    /// What is said.
    pub body: Vec<u8>,
}

/// What was done, in the envelope of its protocol.
pub fn done(service: &str, protocol: Protocol, action: &str, said: Said, request_id: &str) -> Written {
    match (protocol, said) {
        (Protocol::Ec2, Said::Xml(result)) => {
            let answer = Element::new(format!("{action}Response")).put("requestId", request_id);
            xml(service, &result.into_inside().into_iter().fold(answer, Element::with))
        }
        (Protocol::Json, Said::Fields(value)) => json(&value),
        (Protocol::Cbor, Said::Fields(value)) => {
            Written { content_type: "application/cbor", body: cbor::written(&value) }
        }
        (_, said) => {
            let result = match said {
                Said::Xml(result) => result,
                Said::Fields(value) => element(String::new(), &value),
            };
            let answer = Element::new(format!("{action}Response")).with(result.named(format!("{action}Result")));
            xml(service, &answer.with(Element::new("ResponseMetadata").put("RequestId", request_id)))
        }
    }
}

/// A refusal, in the envelope of its protocol.
pub fn refused(service: &str, protocol: Protocol, refusal: &Refusal, request_id: &str) -> Written {
    let Refusal { code, message, status } = refusal;
    let named = json!({ "__type": code, "message": message });
    let error = || Element::new("Error").put("Code", code).put("Message", message);
    match protocol {
        Protocol::Json => json(&named),
        Protocol::Cbor => Written { content_type: "application/cbor", body: cbor::written(&named) },
        Protocol::Ec2 => {
            let errors = Element::new("Errors").with(error());
            let answer = Element::new("Response").with(errors).put("RequestID", request_id);
            Written { content_type: "text/xml", body: answer.document("").into_bytes() }
        }
        Protocol::Query => {
            let whose = if *status < 500 { "Sender" } else { "Receiver" };
            let error = Element::new("Error").put("Type", whose).put("Code", code).put("Message", message);
            xml(service, &Element::new("ErrorResponse").with(error).put("RequestId", request_id))
        }
    }
}

fn json(value: &Value) -> Written {
    Written { content_type: "application/x-amz-json-1.1", body: value.to_string().into_bytes() }
}

fn xml(service: &str, answer: &Element) -> Written {
    Written { content_type: "text/xml", body: answer.document(namespace(service)).into_bytes() }
}

/// The namespace of a service's answers.
fn namespace(service: &str) -> &'static str {
    match service {
        "ec2" => "http://ec2.amazonaws.com/doc/2016-11-15/",
        "iam" => "https://iam.amazonaws.com/doc/2010-05-08/",
        "monitoring" => "http://monitoring.amazonaws.com/doc/2010-08-01/",
        "sns" => "http://sns.amazonaws.com/doc/2010-03-31/",
        "sts" => "https://sts.amazonaws.com/doc/2011-06-15/",
        _ => "http://rds.amazonaws.com/doc/2014-10-31/",
    }
}

/// A value as an element: lists have members, times are spelt out.
fn element(name: String, value: &Value) -> Element {
    match value {
        Value::Object(map) => {
            let inside = map.iter().filter(|(_, value)| !value.is_null());
            inside.fold(Element::new(name), |whole, (name, value)| whole.with(element(name.clone(), value)))
        }
        Value::Array(list) => {
            list.iter().fold(Element::new(name), |whole, value| whole.with(element("member".to_owned(), value)))
        }
        Value::String(text) => Element::text(name, text),
        Value::Number(seconds) if cbor::is_time(&name) => {
            let at = seconds.as_f64().and_then(|s| jiff::SignedDuration::try_from_secs_f64(s).ok());
            let at = at.and_then(|since| jiff::Timestamp::from_duration(since).ok()).unwrap_or_default();
            Element::text(name, at)
        }
        other => Element::text(name, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(protocol: Protocol, expected: &str) {
        let said = Said::Fields(json!({ "Names": ["a"], "LastModified": 1_767_225_600.0, "Size": 3 }));
        let written = done("monitoring", protocol, "ListDashboards", said, "1");
        assert_eq!(String::from_utf8_lossy(&written.body).lines().last(), Some(expected));
    }

    #[test]
    fn the_same_is_said_in_json_and_in_xml() {
        check(Protocol::Json, r#"{"LastModified":1767225600.0,"Names":["a"],"Size":3}"#);
        check(
            Protocol::Query,
            "<ListDashboardsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><ListDashboardsResult><LastModified>2026-01-01T00:00:00Z</LastModified><Names><member>a</member></Names><Size>3</Size></ListDashboardsResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></ListDashboardsResponse>",
        );
    }

    #[test]
    fn ec2_has_an_envelope_of_its_own() {
        let said = Said::Xml(Element::new("").put("return", true));
        let written = done("ec2", Protocol::Ec2, "DeleteSecurityGroup", said, "1");
        assert_eq!(
            String::from_utf8_lossy(&written.body).lines().last(),
            Some(
                "<DeleteSecurityGroupResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>1</requestId><return>true</return></DeleteSecurityGroupResponse>"
            )
        );
        let refusal = refused("ec2", Protocol::Ec2, &Refusal::of("DependencyViolation", "in use"), "1");
        assert_eq!(
            String::from_utf8_lossy(&refusal.body).lines().last(),
            Some(
                "<Response><Errors><Error><Code>DependencyViolation</Code><Message>in use</Message></Error></Errors><RequestID>1</RequestID></Response>"
            )
        );
    }
}
