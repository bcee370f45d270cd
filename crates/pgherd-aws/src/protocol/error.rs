//! A refusal of AWS in our kinds, with its code, words and request id.

use std::fmt;

use crate::protocol::json;
use crate::protocol::xml::Element;
use crate::service::{Protocol, Service};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_http::{Response, Safety};

/// A call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct AwsError {
    /// The service that was asked.
    pub service: Service,
    /// For what.
    pub action: String,
    /// Who ended it.
    pub cause: Cause,
    /// AWS's code, as `DBInstanceNotFound`; empty unless AWS refused.
    pub code: String,
    /// What was said, without secrets.
    pub message: String,
    /// The id under which AWS knows the request; empty when it has none.
    pub request_id: String,
    /// The status of the answer; `None` without an answer.
    pub status: Option<u16>,
    /// Whether the request may have taken effect all the same. Whoever creates something looks before trying again.
    pub maybe_done: bool,
}

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// AWS, with a code.
    Refused,
    /// Nobody was reached, so nothing happened.
    NotSent,
    /// Nobody answered.
    NoAnswer,
    /// Somebody answered who is not AWS, or in a way nobody can read.
    Foreign,
    /// There were no credentials to sign with.
    Unsigned,
}

/// What an answer says about a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// The code, without namespace.
    pub code: String,
    /// The words.
    pub message: String,
    /// The id of the request, or empty.
    pub request_id: String,
}

/// Asked too often: the throttling codes of AWS's own clients. `LimitExceededException` is one of theirs and none of ours: our
/// services mean a quota by it, and a quota does not go away by waiting.
const THROTTLES: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];
/// The service failed, whatever the status says.
const FAILURES: &[&str] =
    &["RequestTimeout", "RequestTimeoutException", "InternalFailure", "InternalError", "InternalServiceError"];
/// Refused perhaps for the time of the signature. EC2 says no more than `AuthFailure`.
const TIMES: &[&str] = &[
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
];
/// Refused because temporary credentials are over. EC2 calls that `RequestExpired`, too.
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"];
/// Nobody AWS knows.
const STRANGERS: &[&str] = &["InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"];
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "NotAuthorized",
    "AuthorizationError",
    "AuthFailure",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "InvalidSecurity",
    "OptInRequired",
    "SubscriptionRequiredException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "KMSKeyNotAccessibleFault",
];
/// Parts of the codes that say "in this state, not now" or "it is there already".
const CONFLICTS: &[&str] = &[
    "AlreadyExists",
    "AlreadyPurchased",
    "ResourceExists",
    "Duplicate",
    "DependencyViolation",
    "DeleteConflict",
    "ConcurrentModification",
    "UnmodifiableEntity",
    "OperationAborted",
    "ResourceInUse",
];
const MISSING: &[&str] = &["NotFound", "NoSuchEntity", "NonExistent", "DoesNotExist"];

impl AwsError {
    /// Whether AWS refused with this code. With and without `Fault` at the end: the wire has many without that the documents have with,
    /// and the other way round.
    pub fn is(&self, code: &str) -> bool {
        let bare = |code: &str| code.strip_suffix("Fault").unwrap_or(code).to_owned();
        self.cause == Cause::Refused && bare(&self.code) == bare(code)
    }

    /// The permission that the call takes, as `rds:CreateDBInstance`.
    pub fn permission(&self) -> String {
        format!("{}:{}", self.service.permission_prefix(), self.action)
    }

    /// Our kind of refusal.
    pub fn kind(&self) -> ErrorKind {
        match self.cause {
            // A server that breaks down over one action, as moto does with those it lacks, will break down again.
            Cause::Foreign if self.status == Some(500) => ErrorKind::Unsupported,
            Cause::NotSent | Cause::NoAnswer | Cause::Foreign => ErrorKind::Unavailable,
            Cause::Unsigned => ErrorKind::Denied,
            Cause::Refused => kind(&self.code, &self.message, self.status.unwrap_or_default()),
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.permission())?;
        if !self.code.is_empty() {
            write!(f, "{}: ", self.code)?;
        }
        f.write_str(&self.message)?;
        if !self.request_id.is_empty() {
            write!(f, " (request {})", self.request_id)?;
        }
        Ok(())
    }
}

impl From<AwsError> for ProviderError {
    fn from(error: AwsError) -> Self {
        let kind = error.kind();
        Self::new(kind, error.to_string()).help(help(&error, kind))
    }
}

/// What the user can do, or nothing.
fn help(error: &AwsError, kind: ErrorKind) -> String {
    let code = error.code.as_str();
    match error.cause {
        Cause::Foreign => "a proxy may be in the way, or the endpoint is of something else".to_owned(),
        Cause::Unsigned => {
            "`aws sts get-caller-identity` with the same environment asks for the same credentials".to_owned()
        }
        Cause::NotSent => "look at the network, at HTTPS_PROXY and at the region".to_owned(),
        Cause::NoAnswer => String::new(),
        Cause::Refused if EXPIRED.contains(&code) => {
            "the credentials are over; get new ones, as with `aws sso login`".to_owned()
        }
        Cause::Refused if TIMES.contains(&code) => {
            "look at the secret access key and at this machine's clock".to_owned()
        }
        Cause::Refused if STRANGERS.contains(&code) => {
            "AWS does not know the access key; look at the credentials".to_owned()
        }
        Cause::Refused if kind == ErrorKind::Denied => {
            format!("the credentials need the permission {}", error.permission())
        }
        Cause::Refused => String::new(),
    }
}

/// The kind of a code of AWS.
fn kind(code: &str, message: &str, status: u16) -> ErrorKind {
    let has = |parts: &[&str]| parts.iter().any(|part| code.contains(part));
    if THROTTLES.contains(&code) || status == 429 {
        ErrorKind::Throttled
    } else if DENIED.contains(&code) {
        ErrorKind::Denied
    } else if status >= 500 || FAILURES.contains(&code) {
        ErrorKind::Unavailable
    } else if message.contains("disable deletion pro") {
        // "Cannot delete protected DB Instance, please disable deletion protection and try again."
        ErrorKind::Protected
    } else if has(CONFLICTS) || (code.starts_with("Invalid") && code.contains("State")) {
        ErrorKind::Conflict
    } else if has(MISSING) {
        ErrorKind::NotFound
    } else {
        ErrorKind::Invalid
    }
}

/// What a refusal means for another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It is the answer.
    Answer,
    /// Asked too often.
    Throttled,
    /// The service failed, perhaps half-way.
    Failed,
    /// Nothing was done, perhaps because the signature's time is wrong.
    Time,
    /// Nothing was done, because credentials are over.
    Expired,
    /// The same, or the time.
    TimeOrExpired,
}

impl Refusal {
    /// What it means for another attempt.
    pub fn meaning(&self, status: u16) -> Meaning {
        let code = self.code.as_str();
        match (TIMES.contains(&code), EXPIRED.contains(&code)) {
            _ if THROTTLES.contains(&code) || status == 429 => Meaning::Throttled,
            (true, true) => Meaning::TimeOrExpired,
            (true, false) => Meaning::Time,
            (false, true) => Meaning::Expired,
            (false, false) if status >= 500 || FAILURES.contains(&code) => Meaning::Failed,
            (false, false) => Meaning::Answer,
        }
    }

    /// The refusal in an answer whose status is none of success; `None` when it is not of AWS.
    pub fn read(protocol: Protocol, response: &Response) -> Option<Self> {
        let mut refusal = match protocol {
            Protocol::Query(_) | Protocol::Ec2(_) => Self::of_xml(&Element::parse(&response.body).ok()?)?,
            Protocol::Json(_) => Self::of_json(response)?,
        };
        if refusal.request_id.is_empty() {
            refusal.request_id = request_id(response);
        }
        Some(refusal)
    }

    fn of_xml(root: &Element) -> Option<Self> {
        let error = root.at("Error").or_else(|| root.at("Errors/Error"))?;
        let of = |element: &Element, name: &str| element.text(name).unwrap_or_default().trim().to_owned();
        let id = ["RequestId", "RequestID"].map(|name| of(root, name)).concat();
        Some(Self { code: of(error, "Code"), message: of(error, "Message"), request_id: id })
    }

    fn of_json(response: &Response) -> Option<Self> {
        let body = json::answer(&response.body).ok()?;
        let of = |names: &[&str]| names.iter().find_map(|name| body.get(name)?.as_str()).map(str::to_owned);
        let code =
            response.header("x-amzn-errortype").map(str::to_owned).or_else(|| of(&["__type", "code", "Code"]))?;
        let message = of(&["message", "Message", "errorMessage"]).unwrap_or_default();
        Some(Self { code: bare(&code).to_owned(), message, request_id: String::new() })
    }
}

/// The id AWS gave a request, or nothing. What does not look like one is none: whatever stands there is shown and logged.
pub fn request_id(response: &Response) -> String {
    let names = ["x-amzn-requestid", "x-amzn-request-id", "x-amz-request-id"];
    let id = names.iter().find_map(|name| response.header(name)).unwrap_or_default();
    let is_id = id.len() <= 64 && id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    if is_id { id.to_owned() } else { String::new() }
}

/// A code without its namespace before `#` and the URL that may follow after `:`.
fn bare(code: &str) -> &str {
    let after = code.rsplit_once('#').map_or(code, |(_, code)| code);
    after.split(':').next().unwrap_or(after).trim()
}

/// Whether a request that ended so may have taken effect.
pub(crate) fn maybe_done(cause: Cause, meaning: Meaning, safety: Safety) -> bool {
    match cause {
        Cause::NotSent | Cause::Unsigned => false,
        Cause::NoAnswer | Cause::Foreign => true,
        // An earlier attempt of a request that is repeatable may have come through, too; that is no harm by definition.
        Cause::Refused => meaning == Meaning::Failed && safety == Safety::LookFirst,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str, message: &str) -> AwsError {
        AwsError {
            service: Service::Rds,
            action: "ModifyDBInstance".to_owned(),
            cause: Cause::Refused,
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: String::new(),
            status: Some(status),
            maybe_done: false,
        }
    }

    #[test]
    fn codes_are_of_our_kinds() {
        for (status, code, expected) in [
            (400, "Throttling", ErrorKind::Throttled),
            (503, "RequestLimitExceeded", ErrorKind::Throttled),
            (503, "SlowDown", ErrorKind::Throttled),
            (500, "InternalFailure", ErrorKind::Unavailable),
            (503, "ServiceUnavailable", ErrorKind::Unavailable),
            (400, "RequestTimeout", ErrorKind::Unavailable),
            (403, "AccessDenied", ErrorKind::Denied),
            (400, "AccessDeniedException", ErrorKind::Denied),
            (403, "UnauthorizedOperation", ErrorKind::Denied),
            (403, "InvalidClientTokenId", ErrorKind::Denied),
            (400, "KMSKeyNotAccessibleFault", ErrorKind::Denied),
            (404, "DBInstanceNotFound", ErrorKind::NotFound),
            (404, "DBSubnetGroupNotFoundFault", ErrorKind::NotFound),
            (404, "NoSuchEntity", ErrorKind::NotFound),
            (400, "InvalidGroup.NotFound", ErrorKind::NotFound),
            (400, "ResourceNotFoundException", ErrorKind::NotFound),
            (400, "DBInstanceAlreadyExists", ErrorKind::Conflict),
            (409, "EntityAlreadyExists", ErrorKind::Conflict),
            (400, "ResourceExistsException", ErrorKind::Conflict),
            (400, "InvalidGroup.Duplicate", ErrorKind::Conflict),
            (400, "InvalidPermission.Duplicate", ErrorKind::Conflict),
            (400, "InvalidDBInstanceState", ErrorKind::Conflict),
            (400, "InvalidDBSubnetGroupStateFault", ErrorKind::Conflict),
            (400, "InvalidDBParameterGroupState", ErrorKind::Conflict),
            (400, "DependencyViolation", ErrorKind::Conflict),
            (409, "DeleteConflict", ErrorKind::Conflict),
            (400, "InvalidParameterValue", ErrorKind::Invalid),
            (400, "InvalidParameterCombination", ErrorKind::Invalid),
            (400, "InstanceQuotaExceeded", ErrorKind::Invalid),
            (400, "LimitExceededException", ErrorKind::Invalid),
            (400, "StorageTypeNotSupported", ErrorKind::Invalid),
        ] {
            assert_eq!(refused(status, code, "").kind(), expected, "{code}");
        }
    }

    #[test]
    fn protection_is_known_by_its_words() {
        let words = "Cannot delete protected DB Instance, please disable deletion protection and try again.";
        assert_eq!(refused(400, "InvalidParameterCombination", words).kind(), ErrorKind::Protected);
    }

    #[test]
    fn what_another_attempt_may_change_is_known_by_the_code() {
        let of = |status, code: &str| Refusal { code: code.to_owned(), ..Refusal::default() }.meaning(status);
        for (status, code, expected) in [
            (400, "DBInstanceNotFound", Meaning::Answer),
            (400, "Throttling", Meaning::Throttled),
            (500, "PriorRequestNotComplete", Meaning::Throttled),
            (429, "Whatever", Meaning::Throttled),
            (400, "LimitExceededException", Meaning::Answer),
            (500, "Whatever", Meaning::Failed),
            (400, "RequestTimeout", Meaning::Failed),
            (403, "SignatureDoesNotMatch", Meaning::Time),
            (400, "InvalidSignatureException", Meaning::Time),
            (401, "AuthFailure", Meaning::Time),
            (403, "ExpiredToken", Meaning::Expired),
            (400, "ExpiredTokenException", Meaning::Expired),
            (400, "RequestExpired", Meaning::TimeOrExpired),
        ] {
            assert_eq!(of(status, code), expected, "{code}");
        }
    }

    #[test]
    fn a_code_is_known_with_and_without_fault() {
        let error = refused(404, "DBInstanceNotFound", "");
        assert!(error.is("DBInstanceNotFound") && error.is("DBInstanceNotFoundFault"));
        let error = refused(404, "DBSubnetGroupNotFoundFault", "");
        assert!(error.is("DBSubnetGroupNotFound") && !error.is("DBInstanceNotFound"));
        assert!(!AwsError { cause: Cause::NoAnswer, code: String::new(), ..error }.is(""));
    }

    #[test]
    fn the_user_is_told_what_to_do() {
        let of = |code: &str| ProviderError::from(refused(403, code, "no")).help;
        insta::assert_snapshot!(
            ["AccessDenied", "InvalidClientTokenId", "ExpiredToken", "SignatureDoesNotMatch", "DBInstanceNotFound"].map(of).join("\n"),
            @r"
        the credentials need the permission rds:ModifyDBInstance
        AWS does not know the access key; look at the credentials
        the credentials are over; get new ones, as with `aws sso login`
        look at the secret access key and at this machine's clock
        "
        );
    }
}
