//! Who asks, and which service and region it is for: as AWS does, by the scope of its signature. The signature itself is not checked.

use super::Refusal;

/// The scope of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The id of the access key that signed: `AKIDEXAMPLE`.
    pub key: String,
    /// `us-east-1`.
    pub region: String,
    /// `rds`.
    pub service: String,
}

impl Scope {
    /// The scope in an `Authorization` header: `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
    pub fn of(authorization: Option<&str>) -> Result<Self, Refusal> {
        let Some(authorization) = authorization else {
            return Err(Refusal {
                status: 403,
                ..Refusal::of("MissingAuthenticationToken", "Request is missing Authentication Token")
            });
        };
        let credential = authorization.split_once("Credential=").map(|(_, rest)| rest);
        let credential = credential.and_then(|rest| rest.split([',', ' ']).next()).unwrap_or_default();
        match credential.split('/').collect::<Vec<_>>()[..] {
            // An access key may hold no slash, so there are exactly five.
            [key, _, region, service, "aws4_request"] if !region.is_empty() && !service.is_empty() => {
                Ok(Self { key: key.to_owned(), region: region.to_owned(), service: service.to_owned() })
            }
            _ => Err(Refusal {
                status: 403,
                ..Refusal::of("IncompleteSignature", "Credential must have exactly 5 slash-delimited elements")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: Option<&str>, expected: &str) {
        let found = Scope::of(header)
            .map_or_else(|refusal| refusal.code.to_owned(), |it| format!("{} {} {}", it.key, it.service, it.region));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_scope_says_who_and_where() {
        check(
            Some("AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/rds/aws4_request, SignedHeaders=host, Signature=0"),
            "AK rds eu-west-1",
        );
    }

    #[test]
    fn nobody_is_let_in_unsigned() {
        check(None, "MissingAuthenticationToken");
    }

    #[test]
    fn half_a_scope_is_refused() {
        check(Some("AWS4-HMAC-SHA256 Credential=AK/20260101/rds/aws4_request"), "IncompleteSignature");
    }
}
