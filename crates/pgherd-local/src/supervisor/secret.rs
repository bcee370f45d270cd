//! The password of an instance: made once, kept in one file, changed without a moment in which nobody knows it.
//!
//! A change goes: pending file, `ALTER ROLE`, pending file becomes the file. Whoever finds a pending file does the rest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::files;
use super::ledger::Record;
use super::site::HOST;

/// 64 characters that need no escaping in URLs, shells and passfiles: six bits of chance choose one without bias.
/// The file that holds the password that is in force.
pub const FILE: &str = "secret.json";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LENGTH: usize = 32;

/// Content of the secret file. Not `Debug`: it must not be printed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Credentials {
    /// Master role.
    pub username: String,
    /// Its password.
    pub password: Zeroizing<String>,
    /// Host to connect to.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
    /// Initial database.
    pub dbname: String,
}

/// Where an instance's password is.
#[derive(Debug, Clone)]
pub struct SecretFiles {
    /// `{username,password,host,port,dbname}`.
    pub secret: PathBuf,
    /// libpq's passfile.
    pub passfile: PathBuf,
    pending: PathBuf,
}

impl SecretFiles {
    /// In an instance's folder.
    pub fn of(folder: &Path) -> Self {
        Self {
            secret: folder.join(FILE),
            passfile: folder.join("passfile"),
            pending: folder.join("secret.pending.json"),
        }
    }

    /// The password in force.
    pub fn current(&self) -> Result<Option<Credentials>, ProviderError> {
        self.load(&self.secret)
    }

    /// A password that is to come into force: to be set in the server, then [`SecretFiles::promote`]d.
    pub fn pending(&self) -> Result<Option<Credentials>, ProviderError> {
        self.load(&self.pending)
    }

    /// Writes down a password that is to come into force.
    pub fn propose(&self, credentials: &Credentials) -> Result<(), ProviderError> {
        self.store(&self.pending, &json(credentials))
    }

    /// The pending password is in force now, at these ports.
    pub fn promote(&self, credentials: &Credentials, ports: &BTreeSet<u16>) -> Result<(), ProviderError> {
        self.keep_passfile(credentials, ports)?;
        self.store(&self.secret, &json(credentials))?;
        files::remove(&self.pending).map_err(|error| self.trouble(&self.pending, &error))
    }

    /// Has the passfile say what it should, for all of these ports.
    pub fn keep_passfile(&self, credentials: &Credentials, ports: &BTreeSet<u16>) -> Result<(), ProviderError> {
        let text = passfile(credentials, ports);
        let now =
            files::read(&self.passfile).map_err(|error| self.trouble(&self.passfile, &error))?.map(Zeroizing::new);
        if now.is_some_and(|now| *now == text.as_bytes()) {
            return Ok(());
        }
        self.store(&self.passfile, text.as_bytes())
    }

    /// Deletes them all.
    pub fn remove(&self) -> std::io::Result<()> {
        [&self.secret, &self.passfile, &self.pending].into_iter().try_for_each(|file| files::remove(file))
    }

    fn load(&self, path: &Path) -> Result<Option<Credentials>, ProviderError> {
        let Some(text) = files::read(path).map_err(|error| self.trouble(path, &error))? else {
            return Ok(None);
        };
        let text = Zeroizing::new(text);
        // The parser's own words could quote the password.
        serde_json::from_slice(&text).map(Some).map_err(|_| {
            let message = format!("the secret {} is not the JSON that pgherd wrote", path.display());
            ProviderError::new(ErrorKind::Invalid, message).help("move it away and run pgherd rotate for a new one")
        })
    }

    fn store(&self, path: &Path, content: &[u8]) -> Result<(), ProviderError> {
        files::replace(path, content, 0o600).map_err(|error| self.trouble(path, &error))
    }

    fn trouble(&self, path: &Path, error: &std::io::Error) -> ProviderError {
        ProviderError::new(ErrorKind::Unavailable, format!("the secret {} cannot be kept: {error}", path.display()))
    }
}

/// What the secret file of an instance is to say with this password.
pub fn credentials(record: &Record, password: Zeroizing<String>) -> Credentials {
    Credentials {
        username: record.wanted.master_username.clone(),
        password,
        host: HOST.to_owned(),
        port: record.applications_port().unwrap_or_default(),
        dbname: record.wanted.database_name.clone(),
    }
}

/// A new password.
pub fn generate() -> Result<Zeroizing<String>, ProviderError> {
    let bytes: Zeroizing<[u8; LENGTH]> = Zeroizing::new(random()?);
    Ok(Zeroizing::new(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()))
}

/// What the server stores for a password, with fresh salt.
pub fn verifier(password: &str) -> Result<String, ProviderError> {
    Ok(Secret::scram_verifier(password, &random()?))
}

fn random<const N: usize>() -> Result<[u8; N], ProviderError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        ProviderError::new(ErrorKind::Unavailable, format!("the system gives no random bytes: {error}"))
    })?;
    Ok(bytes)
}

fn json(credentials: &Credentials) -> Zeroizing<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(credentials).expect("plain data serialises");
    text.push(b'\n');
    Zeroizing::new(text)
}

/// One line a name and port the instance is reached by; any database, so that `psql` to `postgres` works as well.
fn passfile(credentials: &Credentials, ports: &BTreeSet<u16>) -> Zeroizing<String> {
    let field = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
    let mut hosts = vec![credentials.host.as_str()];
    hosts.extend(["localhost", "127.0.0.1", "::1"].into_iter().filter(|host| *host != credentials.host));
    let mut text = Zeroizing::new(String::new());
    for (port, host) in ports.iter().flat_map(|port| hosts.iter().map(move |host| (port, host))) {
        let (user, password) = (field(&credentials.username), Zeroizing::new(field(&credentials.password)));
        text.push_str(&Zeroizing::new(format!("{}:{port}:*:{user}:{}\n", field(host), *password)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(password: &str) -> Credentials {
        Credentials {
            username: "app".to_owned(),
            password: Zeroizing::new(password.to_owned()),
            host: "localhost".to_owned(),
            port: 5432,
            dbname: "shop".to_owned(),
        }
    }

    fn ports() -> BTreeSet<u16> {
        BTreeSet::from([5432])
    }

    #[test]
    fn a_generated_password_is_32_url_safe_characters_and_never_the_same() {
        let (one, other) = (generate().expect("chance"), generate().expect("chance"));
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(one, other);
    }

    #[test]
    fn a_passfile_escapes_what_libpq_would_split_at() {
        let lines = passfile(&credentials(r"a:b\c"), &BTreeSet::from([5432, 6432]));
        assert_eq!(lines.lines().next(), Some(r"localhost:5432:*:app:a\:b\\c"));
        assert_eq!(lines.lines().count(), 6, "three names, two ports");
    }

    #[test]
    fn a_proposed_password_waits_until_it_is_promoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = SecretFiles::of(folder.path());
        let (old, new) = (credentials("old"), credentials("new"));
        files.propose(&old).and_then(|()| files.promote(&old, &ports())).expect("the first");
        files.propose(&new).expect("the second");
        assert!(files.current().expect("readable") == Some(old));
        assert!(files.pending().expect("readable") == Some(new.clone()));
        files.promote(&new, &ports()).expect("promoted");
        assert!(files.current().expect("readable") == Some(new));
        assert!(files.pending().expect("readable").is_none());
    }

    #[test]
    fn a_broken_secret_file_is_not_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = SecretFiles::of(folder.path());
        std::fs::write(&files.secret, r#"{"password":"hunter2"#).expect("written");
        let error = files.current().err().expect("refused");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
