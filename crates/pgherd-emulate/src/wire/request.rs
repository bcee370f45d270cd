//! A request in whichever protocol it is spoken: by its target or path it is JSON or CBOR, else a form.

use super::{Fields, Form, Refusal, Scope, cbor};

/// What came over the wire.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent<'a> {
    /// The path of its address.
    pub path: &'a str,
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// The header `X-Amz-Target`.
    pub target: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
}

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A form in, XML with an envelope out: RDS, IAM, STS, SNS, CloudWatch.
    Query,
    /// A form in, XML with EC2's envelope out.
    Ec2,
    /// JSON both ways, the action in a header: Secrets Manager, KMS, Logs, CloudWatch.
    Json,
    /// CBOR both ways, the action in the path: what newer clients speak with CloudWatch.
    Cbor,
}

/// A request taken apart.
#[derive(Debug, Clone)]
pub struct Request {
    /// For which service and region.
    pub scope: Scope,
    /// How it is spoken, and so how it is answered.
    pub protocol: Protocol,
    /// `CreateDBInstance`.
    pub action: String,
    /// What was sent.
    pub body: Body,
}

/// What a request holds.
#[derive(Debug, Clone)]
pub enum Body {
    /// A form.
    Form(Form),
    /// JSON or CBOR.
    Fields(Fields),
}

impl Request {
    /// Takes a request apart; what cannot be is refused in the protocol that is named with it.
    pub fn read(sent: Sent<'_>) -> Result<Self, (Protocol, Refusal)> {
        let protocol = protocol(&sent);
        Self::of(sent, protocol).map_err(|refusal| (protocol, refusal))
    }

    fn of(sent: Sent<'_>, protocol: Protocol) -> Result<Self, Refusal> {
        let scope = Scope::of(sent.authorization)?;
        let (action, body) = match protocol {
            Protocol::Query | Protocol::Ec2 => {
                let form = Form::parse(sent.body)?;
                (form.text("Action").unwrap_or_default().to_owned(), Body::Form(form))
            }
            Protocol::Json => {
                let action = sent.target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
                (action.to_owned(), Body::Fields(Fields::json(sent.body)?))
            }
            Protocol::Cbor => {
                let action = sent.path.rsplit('/').next().unwrap_or_default();
                (action.to_owned(), Body::Fields(Fields::of(cbor::read(sent.body)?)?))
            }
        };
        Ok(Self { scope, protocol, action, body })
    }

    /// What was sent, as text, for people who read what was asked. Nothing secret is in it.
    pub fn shown(&self) -> Vec<(String, String)> {
        let all: Vec<(String, String)> = match &self.body {
            Body::Form(form) => form.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            Body::Fields(fields) => fields.shown(),
        };
        let is_secret =
            |name: &str| name.ends_with("Password") || matches!(name, "SecretString" | "SecretBinary" | "PreSignedUrl");
        let hidden = |(name, value): (String, String)| match is_secret(&name) {
            true => (name, "****".to_owned()),
            false => (name, value),
        };
        all.into_iter().map(hidden).collect()
    }
}

fn protocol(sent: &Sent<'_>) -> Protocol {
    let is_ec2 = Scope::of(sent.authorization).is_ok_and(|scope| scope.service == "ec2");
    match sent.target {
        Some(_) => Protocol::Json,
        None if sent.path.starts_with("/service/") => Protocol::Cbor,
        None if is_ec2 => Protocol::Ec2,
        None => Protocol::Query,
    }
}
