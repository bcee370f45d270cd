//! Text that must never be shown, and the SCRAM verifier that stands for it.
//!
//! Invariant: no `Debug`, `Display` or `Serialize` of a [`Secret`] reveals it; only [`Secret::reveal`] does.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// PostgreSQL's own default (`scram_iterations`), so that our verifiers look like the server's.
const SCRAM_ITERATIONS: u32 = 4096;
/// The most that are computed to compare a password with a stored verifier, a fraction of a second: a database may store any
/// number up to 4 billion, and must not keep whoever looks at it busy for an hour.
const MOST_ITERATIONS: u32 = 1_000_000;

/// A secret text, or the SCRAM verifier of one (what a server can tell about a password it holds).
#[derive(Clone)]
pub enum Secret {
    /// The text itself.
    Text(Zeroizing<String>),
    /// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`, as in `pg_authid.rolpassword`.
    Verifier(String),
}

impl Secret {
    /// A secret holding this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    /// The text, for the one place that must hand it on.
    pub fn reveal(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Verifier(_) => None,
        }
    }

    /// The SCRAM-SHA-256 verifier PostgreSQL stores for `password` (RFC 5803 as in `src/common/scram-common.c`).
    ///
    /// `password` is taken as it is: our own are ASCII, where SASLprep changes nothing.
    pub fn scram_verifier(password: &str, salt: &[u8; 16]) -> String {
        verifier(password, salt, SCRAM_ITERATIONS)
    }

    fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Verifier(a), Self::Verifier(b)) => a == b,
            (Self::Text(text), Self::Verifier(stored)) | (Self::Verifier(stored), Self::Text(text)) => {
                let Some((iterations, salt)) = parameters(stored) else {
                    return false;
                };
                verifier(text, &salt, iterations) == *stored
            }
        }
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

fn parameters(stored: &str) -> Option<(u32, Vec<u8>)> {
    let (iterations, salt) = stored.strip_prefix("SCRAM-SHA-256$")?.split('$').next()?.split_once(':')?;
    let iterations = iterations.parse().ok().filter(|iterations| (1..=MOST_ITERATIONS).contains(iterations))?;
    Some((iterations, BASE64.decode(salt).ok()?))
}

fn verifier(password: &str, salt: &[u8], iterations: u32) -> String {
    let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, iterations);
    let stored_key = Sha256::digest(hmac(&salted, b"Client Key"));
    let server_key = hmac(&salted, b"Server Key");
    format!(
        "SCRAM-SHA-256${iterations}:{}${}:{}",
        BASE64.encode(salt),
        BASE64.encode(stored_key),
        BASE64.encode(server_key)
    )
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by PostgreSQL 15.18: `CREATE ROLE x PASSWORD 'pencil'`, read back from `pg_authid`.
    const OF_POSTGRESQL: &str = "SCRAM-SHA-256$4096:O2NKVNuL6QgkwNtY65WUvg==$KMsm5GVGtOFZxGeOhJFYRPCNm1f4pqJ3uF1WTZCbyXE=:DfG7lKGZd61QwBiTbe4th4obtWEyqEzERVfJ0GIGFtU=";

    #[test]
    fn a_verifier_of_postgresql_matches_only_its_own_password() {
        let stored = Secret::Verifier(OF_POSTGRESQL.to_owned());
        assert_eq!(Secret::new("pencil"), stored);
        assert_ne!(Secret::new("pencils"), stored);
    }

    #[test]
    fn a_verifier_of_ours_is_the_one_postgresql_makes_of_the_same_salt() {
        let salt = BASE64.decode("O2NKVNuL6QgkwNtY65WUvg==").expect("base64").try_into().expect("16 bytes");
        assert_eq!(Secret::scram_verifier("pencil", &salt), OF_POSTGRESQL);
    }

    /// 4 billion of them take an hour.
    #[test]
    fn a_verifier_of_too_many_iterations_matches_nothing() {
        let of = |iterations| parameters(&format!("SCRAM-SHA-256${iterations}:AAAA$k:k")).is_some();
        assert_eq!(
            [0, 1, 4096, MOST_ITERATIONS, MOST_ITERATIONS + 1, u32::MAX].map(of),
            [false, true, true, true, false, false]
        );
    }

    #[test]
    fn is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "(secret)");
        assert_eq!(serde_json::to_string(&secret).expect("serialises"), "\"(secret)\"");
    }

    #[test]
    fn a_verifier_matches_only_its_own_password() {
        let stored = Secret::Verifier(Secret::scram_verifier("pencil", b"0123456789abcdef"));
        assert_eq!(Secret::new("pencil"), stored);
        assert_ne!(Secret::new("pencils"), stored);
        assert_ne!(Secret::new("pencil"), Secret::Verifier("md5deadbeef".to_owned()));
    }
}
