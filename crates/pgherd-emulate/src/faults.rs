//! What goes wrong on purpose: the nth call of an action, counted from when it was asked for.

use serde::{Deserialize, Serialize};

use crate::wire::{Protocol, Refusal};

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// `Throttling`, and nothing is done.
    Throttle,
    /// An error of the service, and nothing is done.
    Error {
        /// 500, 502, 503 or 504.
        status: u16,
    },
    /// A page for people instead of an answer, as proxies and moto send.
    Html,
    /// The same page with 404, as an endpoint that is another's sends.
    NoSuchPage,
    /// 200 and an empty object, and nothing is done.
    Hollow,
    /// A list without its last, though it says how many there are.
    Short,
    /// The connection ends before anything is done.
    Dropped,
    /// It is done, and the connection ends without an answer.
    Lost,
    /// It is done, and there is never an answer; the connection stays.
    Hang,
    /// `AccessDenied`.
    Denied,
    /// `ExpiredToken`.
    ExpiredToken,
    /// The server's clock differs from the client's: refused, with the server's time in `Date`.
    ClockOff {
        /// How many seconds the server is ahead.
        seconds: i64,
    },
    /// It is done, and what it begins takes so many times longer.
    Slow {
        /// How many times; `times` is taken by [`Planned`].
        factor: f64,
    },
}

/// A fault and when it comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The action, or `*` for any.
    #[serde(default = "any")]
    pub action: String,
    /// The region it is asked of; any where none is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Which of its calls from now: 1 is the next.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many in a row.
    #[serde(default = "one")]
    pub times: u64,
    /// What happens.
    #[serde(flatten)]
    pub fault: Fault,
}

fn any() -> String {
    "*".to_owned()
}

fn one() -> u64 {
    1
}

/// What a call meets, and what is still to come. All that count the call count on; the first that is due is met.
pub fn next(planned: Vec<Planned>, region: &str, action: &str) -> (Option<Fault>, Vec<Planned>) {
    let mut met = None;
    let left = planned.into_iter().filter_map(|planned| {
        if planned.times == 0 {
            return None;
        }
        let is_there = planned.region.as_ref().is_none_or(|of| of == region);
        if !is_there || planned.action != "*" && planned.action != action {
            return Some(planned);
        }
        if planned.nth > 1 {
            return Some(Planned { nth: planned.nth - 1, ..planned });
        }
        if met.is_some() {
            return Some(planned);
        }
        met = Some(planned.fault.clone());
        (planned.times > 1).then(|| Planned { times: planned.times - 1, ..planned })
    });
    let left = left.collect();
    (met, left)
}

/// The refusal a fault is, if it is one, in the words of the protocol.
pub fn refusal(fault: &Fault, protocol: Protocol, service: &str, action: &str) -> Option<Refusal> {
    let code = |query, ec2, json| match protocol {
        Protocol::Query => query,
        Protocol::Ec2 => ec2,
        Protocol::Json | Protocol::Cbor => json,
    };
    let of = |code, status, message: String| Some(Refusal { code, status, message });
    match fault {
        Fault::Throttle => of(
            code("Throttling", "RequestLimitExceeded", "ThrottlingException"),
            if protocol == Protocol::Ec2 { 503 } else { 400 },
            "Rate exceeded".to_owned(),
        ),
        Fault::Error { status } => of(
            match status {
                503 => code("ServiceUnavailable", "Unavailable", "ServiceUnavailableException"),
                _ => code("InternalFailure", "InternalError", "InternalServiceError"),
            },
            *status,
            "An internal error has occurred. Please try your query again at a later time.".to_owned(),
        ),
        Fault::Denied => of(
            code("AccessDenied", "UnauthorizedOperation", "AccessDeniedException"),
            if matches!(protocol, Protocol::Json | Protocol::Cbor) { 400 } else { 403 },
            format!("User: arn:aws:iam::123456789012:user/emulated is not authorized to perform: {service}:{action}"),
        ),
        Fault::ExpiredToken => of(
            code("ExpiredToken", "RequestExpired", "ExpiredTokenException"),
            if protocol == Protocol::Query { 403 } else { 400 },
            "The security token included in the request is expired".to_owned(),
        ),
        Fault::ClockOff { .. } => of(
            code("SignatureDoesNotMatch", "AuthFailure", "InvalidSignatureException"),
            if matches!(protocol, Protocol::Json | Protocol::Cbor) { 400 } else { 403 },
            "Signature expired: the request is too old or too new for the server's clock".to_owned(),
        ),
        Fault::Html
        | Fault::NoSuchPage
        | Fault::Hollow
        | Fault::Short
        | Fault::Dropped
        | Fault::Lost
        | Fault::Hang
        | Fault::Slow { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(planned: &[Planned], actions: &[&str]) -> Vec<String> {
        let mut planned = planned.to_vec();
        let meet = |action: &&str| {
            let (fault, left) = next(std::mem::take(&mut planned), "us-east-1", action);
            planned = left;
            fault.map_or("-".to_owned(), |fault| format!("{fault:?}"))
        };
        actions.iter().map(meet).collect()
    }

    fn planned(text: &str) -> Planned {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_second_call_of_an_action() {
        let faults = [planned(r#"{"action":"A","nth":2,"fault":"lost"}"#)];
        assert_eq!(met(&faults, &["A", "B", "A", "A"]), ["-", "-", "Lost", "-"]);
    }

    #[test]
    fn three_in_a_row_of_anything() {
        let faults = [planned(r#"{"times":3,"fault":"throttle"}"#)];
        assert_eq!(met(&faults, &["A", "B", "A", "A"]), ["Throttle", "Throttle", "Throttle", "-"]);
    }

    #[test]
    fn a_fault_of_another_region() {
        let faults = [planned(r#"{"region":"eu-west-1","fault":"lost"}"#)];
        assert_eq!(met(&faults, &["A"]), ["-"]);
        let faults = [planned(r#"{"region":"us-east-1","fault":"lost"}"#)];
        assert_eq!(met(&faults, &["A", "A"]), ["Lost", "-"]);
    }

    #[test]
    fn two_faults_come_one_after_the_other() {
        let faults = [planned(r#"{"fault":"error","status":503}"#), planned(r#"{"fault":"html"}"#)];
        assert_eq!(met(&faults, &["A", "A", "A"]), ["Error { status: 503 }", "Html", "-"]);
    }
}
