//! The document with the password, and the certificate that verifies the server, in files of this machine that nobody else reads.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

/// What a program needs to connect.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) username: String,
    pub(crate) password: Secret,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) dbname: String,
}

/// The folder of a database.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn of(all: &Path, database: &str) -> Self {
        Self(all.join(database))
    }

    /// The document.
    pub(crate) fn secret(&self) -> PathBuf {
        self.0.join("secret.json")
    }

    /// The same for libpq.
    pub(crate) fn passfile(&self) -> PathBuf {
        self.0.join("pgpass")
    }

    /// The certificate of the authority that signs for the server.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.0.join("ca.crt")
    }

    /// The document, if there is a whole one.
    pub(crate) fn read(&self) -> Option<Document> {
        let text = Zeroizing::new(fs::read_to_string(self.secret()).ok()?);
        let told: Json = serde_json::from_str(&text).ok()?;
        let text = |name: &str| told[name].as_str().map(str::to_owned);
        Some(Document {
            username: text("username")?,
            password: Secret::new(text("password")?),
            host: text("host")?,
            port: u16::try_from(told["port"].as_u64()?).ok()?,
            dbname: text("dbname")?,
        })
    }

    /// Writes document and passfile, each whole or not at all.
    pub(crate) fn write(&self, document: &Document) -> Result<(), ProviderError> {
        let Document { username, password, host, port, dbname } = document;
        let password = password.reveal().unwrap_or_default();
        let json = json!({ "username": username, "password": password, "host": host, "port": port, "dbname": dbname });
        let json = Zeroizing::new(format!("{json:#}\n"));
        let field = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
        let line = Zeroizing::new(format!("{}:{port}:*:{}:{}\n", field(host), field(username), field(password)));
        self.put(&self.secret(), json.as_bytes())
            .and_then(|()| self.put(&self.passfile(), line.as_bytes()))
            .map_err(|error| self.trouble("written", &error))
    }

    /// Writes the certificate.
    pub(crate) fn write_certificate(&self, pem: &[u8]) -> Result<(), ProviderError> {
        self.put(&self.certificate(), pem).map_err(|error| self.trouble("written", &error))
    }

    /// Writes down that the database is about to be made from here, and its document with it.
    pub(crate) fn intend(&self, at: Timestamp) -> Result<(), ProviderError> {
        let json = format!("{:#}\n", json!({ "asked_at": at.to_string() }));
        self.put(&self.intent(), json.as_bytes()).map_err(|error| self.trouble("written", &error))
    }

    /// Writes down that the document is to be written here.
    pub(crate) fn want_document(&self) -> Result<(), ProviderError> {
        if self.intent().exists() {
            return Ok(());
        }
        self.put(&self.intent(), b"{}\n").map_err(|error| self.trouble("written", &error))
    }

    /// When the database was asked for from here, by a run of which nobody knows how it ended.
    pub(crate) fn intended(&self) -> Option<Timestamp> {
        let told: Json = serde_json::from_str(&fs::read_to_string(self.intent()).ok()?).ok()?;
        told["asked_at"].as_str()?.parse().ok()
    }

    /// Whether a document is still to be written here.
    pub(crate) fn lacks_document(&self) -> bool {
        self.intent().exists() && self.read().is_none()
    }

    /// Whether something of a database is here that nobody is about to make.
    pub(crate) fn holds_credentials(&self) -> bool {
        !self.intent().exists() && [self.secret(), self.passfile(), self.certificate()].iter().any(|path| path.exists())
    }

    /// What was intended is done, or came to nothing.
    pub(crate) fn done(&self) -> Result<(), ProviderError> {
        match fs::remove_file(self.intent()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.trouble("removed", &error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn intent(&self) -> PathBuf {
        self.0.join("intent.json")
    }

    /// Removes everything.
    pub(crate) fn remove(&self) -> Result<(), ProviderError> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.trouble("removed", &error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// A file that is there whole, or as it was before.
    fn put(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let beside = path.with_extension("new");
        // What a killed run left may have another mode.
        let _ = fs::remove_file(&beside);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    }

    fn trouble(&self, what: &str, error: &io::Error) -> ProviderError {
        let words = format!("the credentials in {} cannot be {what}: {error}", self.0.display());
        ProviderError::new(ErrorKind::Unavailable, words).help("DigitalOcean keeps them too: `pgherd output --reveal`")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn nobody_else_reads_what_is_written_and_it_is_read_back() {
        let all = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(&all.path().join("digitalocean"), "orders");
        assert!(folder.read().is_none());
        let document = Document {
            username: "app".to_owned(),
            password: Secret::new("a:b\\c"),
            host: "orders.test".to_owned(),
            port: 25060,
            dbname: "app".to_owned(),
        };
        folder.write(&document).expect("written");
        folder.write(&document).expect("written again");
        let read = folder.read().expect("a document");
        assert_eq!((read.username, read.password, read.port), ("app".to_owned(), document.password, 25060));
        assert_eq!(fs::read_to_string(folder.passfile()).expect("a passfile"), "orders.test:25060:*:app:a\\:b\\\\c\n");
        for path in [folder.secret(), folder.passfile()] {
            assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600, "{path:?}");
        }
        folder.remove().expect("removed");
        folder.remove().expect("removed twice");
        assert!(!folder.secret().exists());
    }
}
