//! The text of the secret: one JSON document with everything a program needs to connect. Pure, but for the chance in a new password.

use std::fmt;

use pgherd_core::secret::Secret;
use pgherd_core::value::Value;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::api::rds::DbInstance;
use crate::api::secrets::NewVersion;
use crate::kinds::instance::ADDRESS;
use crate::kinds::security_group::DEFAULT_PORT;

/// Letters, digits and four marks, none of which means anything in a URL: programs put passwords into one as they are.
const ALPHABET: &[u8; 66] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
/// The first ones are letters, so that no password begins like an option of a command.
const LETTERS: usize = 52;
const LENGTH: usize = 32;

/// What stands in the secret.
#[derive(Clone, PartialEq)]
pub(crate) struct Document {
    pub(crate) username: String,
    pub(crate) password: Secret,
    /// Empty until there is an instance.
    pub(crate) host: String,
    pub(crate) port: i64,
    pub(crate) dbname: String,
}

impl Document {
    /// How an instance is connected to with a password.
    pub(crate) fn of(seen: &DbInstance, password: Secret) -> Self {
        let text = |field: &str| seen.props.get(field).and_then(Value::as_text).map(str::to_owned);
        Self {
            username: text("MasterUsername").unwrap_or_default(),
            password,
            host: text(ADDRESS).unwrap_or_default(),
            port: seen.props.get("Port").and_then(Value::as_int).unwrap_or_else(|| DEFAULT_PORT.into()),
            // RDS tells no name of a database that it made by itself.
            dbname: text("DBName").unwrap_or_else(|| "postgres".to_owned()),
        }
    }

    /// What stands in it beside the password.
    pub(crate) fn about(&self) -> About {
        let Self { username, host, port, dbname, password: _ } = self.clone();
        About { username, host, port, dbname }
    }

    /// It as a version of a secret, the id of which begins with chance: the same text may come again.
    pub(crate) fn version(&self) -> NewVersion {
        NewVersion { token: chance() + &self.about().mark(), text: self.text() }
    }

    /// The text, in this order of keys.
    ///
    /// # Panics
    /// With a verifier in place of the password: what is stored of a password is no password.
    pub(crate) fn text(&self) -> Secret {
        let quoted = |text: &str| Zeroizing::new(Json::from(text).to_string());
        let password = quoted(self.password.reveal().expect("only passwords that are known are written"));
        let (username, host, dbname) = (quoted(&self.username), quoted(&self.host), quoted(&self.dbname));
        let (password, port) = (password.as_str(), self.port);
        Secret::new(format!(
            r#"{{"username":{},"password":{password},"host":{},"port":{port},"dbname":{}}}"#,
            username.as_str(),
            host.as_str(),
            dbname.as_str()
        ))
    }
}

/// What stands in a secret beside the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) username: String,
    pub(crate) host: String,
    pub(crate) port: i64,
    pub(crate) dbname: String,
}

impl About {
    /// What the id of a version ends with that was written by pgherd and says this: who may not read the secret, or need not, knows what
    /// stands in it by its id. Nothing of a password is in it, because ids are shown in CloudTrail.
    pub(crate) fn mark(&self) -> String {
        let Self { username, host, port, dbname } = self;
        // No name of these has a NUL.
        let digest = Sha256::digest(format!("{username}\0{host}\0{port}\0{dbname}"));
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a version of this id says this. Somebody else's says nothing of what is in it.
    pub(crate) fn is_marked(&self, version: &str) -> bool {
        version.len() == 64 && version.ends_with(&self.mark())
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What can be read of a text that anybody may have written.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) host: Option<String>,
    /// Only as a number: programs take `"5432"` for a text.
    pub(crate) port: Option<i64>,
    pub(crate) dbname: Option<String>,
}

impl From<About> for Read {
    fn from(about: About) -> Self {
        let About { username, host, port, dbname } = about;
        Self { username: Some(username), password: None, host: Some(host), port: Some(port), dbname: Some(dbname) }
    }
}

impl Read {
    /// Reads a text; nothing of one that is no JSON object.
    pub(crate) fn of(text: &Secret) -> Self {
        let mut json: Json = text.reveal().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let Some(members) = json.as_object_mut() else { return Self::default() };
        let port = members.get("port").and_then(Json::as_i64);
        let mut take = |name: &str| match members.remove(name) {
            Some(Json::String(text)) => Some(text),
            Some(_) | None => None,
        };
        Self {
            username: take("username"),
            password: take("password").filter(|text| !text.is_empty()).map(Secret::new),
            host: take("host"),
            port,
            dbname: take("dbname"),
        }
    }
}

/// 32 characters of chance.
///
/// # Panics
/// When the kernel has no random numbers.
pub(crate) fn chance() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A new password: 190 bits of chance.
///
/// # Panics
/// When the kernel has no random numbers: a password without chance is none.
pub(crate) fn password() -> Secret {
    let mut text = Zeroizing::new(String::with_capacity(LENGTH));
    while text.len() < LENGTH {
        let choices = if text.is_empty() { &ALPHABET[..LETTERS] } else { &ALPHABET[..] };
        text.push(char::from(choices[below(choices.len())]));
    }
    Secret::new(text.as_str())
}

/// A number below one of at most 256, each as likely: what would favour the first ones is drawn again.
fn below(end: usize) -> usize {
    loop {
        let mut byte = [0_u8];
        getrandom::fill(&mut byte).expect("the kernel has random numbers");
        let drawn = usize::from(byte[0]);
        if drawn < 256 / end * end {
            return drawn % end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn document(password: &str) -> Document {
        Document {
            username: "app".to_owned(),
            password: Secret::new(password),
            host: "orders.example.com".to_owned(),
            port: 5432,
            dbname: "orders".to_owned(),
        }
    }

    #[test]
    fn the_text_is_this_byte_for_byte() {
        let text = document("p\"w\\ä").text();
        let expected =
            r#"{"username":"app","password":"p\"w\\ä","host":"orders.example.com","port":5432,"dbname":"orders"}"#;
        assert_eq!(text.reveal(), Some(expected));
    }

    #[test]
    fn the_id_of_a_version_says_all_but_the_password() {
        let version = document("one").version();
        assert!(document("another").about().is_marked(&version.token));
        let others: [fn(&mut Document); 4] =
            [|one| one.username.push('x'), |one| one.host.push('x'), |one| one.port += 1, |one| one.dbname.push('x')];
        for changed in others {
            let mut other = document("one");
            changed(&mut other);
            assert!(!other.about().is_marked(&version.token));
        }
        assert_ne!(document("one").version().token, version.token);
    }

    #[test]
    fn what_was_written_is_read_back() {
        let read = Read::of(&document("p\"w").text());
        assert_eq!(read.password, Some(Secret::new("p\"w")));
        assert_eq!((read.username.as_deref(), read.host.as_deref()), (Some("app"), Some("orders.example.com")));
        assert_eq!((read.port, read.dbname.as_deref()), (Some(5432), Some("orders")));
    }

    #[test]
    fn what_others_wrote_is_read_as_far_as_it_goes() {
        let read = Read::of(&Secret::new(r#"{"password":"","port":"5432","host":1,"username":"app"}"#));
        assert!(read.password.is_none() && read.port.is_none() && read.host.is_none());
        assert_eq!(read.username.as_deref(), Some("app"));
        assert!(Read::of(&Secret::new("just a word")).password.is_none());
        assert!(Read::of(&Secret::new("[1]")).password.is_none());
    }

    #[test]
    fn a_password_is_of_32_characters_that_need_no_encoding_and_begins_with_a_letter() {
        let drawn: Vec<Secret> = (0..200).map(|_| password()).collect();
        let texts: Vec<&str> = drawn.iter().filter_map(Secret::reveal).collect();
        assert!(texts.iter().all(|text| text.len() == LENGTH && text.starts_with(|c: char| c.is_ascii_alphabetic())));
        let used: BTreeSet<u8> = texts.iter().flat_map(|text| text.bytes()).collect();
        // 6400 draws of 66 miss one of them once in 10^40 times.
        assert_eq!(used, ALPHABET.iter().copied().collect());
        assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len());
    }

    #[test]
    fn a_document_is_never_shown() {
        assert_eq!(format!("{:?}", document("hunter2")), "(secret)");
    }
}
