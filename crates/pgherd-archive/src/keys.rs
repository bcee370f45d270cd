//! Keys: what is stored encrypted names the key it takes, and old keys stay readable.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{ArchiveError, ErrorKind, Result, no_chance};
use crate::files;

pub(crate) const KEY_BYTES: usize = 32;

const HEAD: &str = "# Keys of backups, one a line, each 32 random bytes in base64. The first one encrypts; all of them decrypt.\n\
                    # Whoever loses this file loses every encrypted backup: keep a copy of it elsewhere.\n";

/// One key. It cannot be printed, and is cleared when it goes.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// The keys that are at hand, of one or several key files.
///
/// A key file is text of mode 0600: a key a line, in base64 or hexadecimal digits; lines that begin with `#` are comments.
/// The first key encrypts, all decrypt. Exactly 32 bytes that are no text are one key as they are.
#[derive(Clone, Default)]
pub struct KeyRing {
    keys: Vec<Key>,
    /// Where they were looked for, to be said when one is missing.
    places: Vec<PathBuf>,
    /// The file of the first key is not there: what is encrypted with another one is read, and nothing is encrypted with that.
    first_lost: bool,
    /// Why other files could not be read, to be said when a key is missing that may be in one of them.
    unread: Vec<ArchiveError>,
}

impl KeyRing {
    /// No keys: nothing is encrypted, and nothing encrypted can be read.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a key file.
    pub fn read(path: &Path) -> Result<Self> {
        let what = format!("read the key file {}", path.display());
        let metadata = std::fs::metadata(path).map_err(|error| missing(path, &what, &error))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            let mode = metadata.permissions().mode() & 0o777;
            let message = format!("the key file {} is open to others: its mode is {mode:04o}", path.display());
            return Err(ArchiveError::new(ErrorKind::Denied, message).help(format!("chmod 600 {}", path.display())));
        }
        let content = Zeroizing::new(std::fs::read(path).map_err(|error| missing(path, &what, &error))?);
        let keys = parse(&content).ok_or_else(|| {
            let message = format!("{} is no key file", path.display());
            ArchiveError::new(ErrorKind::Invalid, message).help("a key is 32 bytes, in base64, one a line")
        })?;
        Ok(Self { keys, places: vec![path.to_owned()], first_lost: false, unread: Vec::new() })
    }

    /// The same where it is no trouble yet when the file is not there: what is not encrypted is read without, and what is tells
    /// of the file that was lost.
    pub fn read_if_there(path: &Path) -> Result<Self> {
        match Self::read(path) {
            Err(error) if error.kind == ErrorKind::KeyLost => {
                Ok(Self { places: vec![path.to_owned()], first_lost: true, ..Self::default() })
            }
            other => other,
        }
    }

    /// These keys first, and those of another file to read what they encrypted. One that cannot be read is told when a key is missing:
    /// what is encrypted with others is read without it.
    #[must_use]
    pub fn and_file(self, path: &Path) -> Self {
        let others = Self::read_if_there(path).unwrap_or_else(|error| Self {
            places: vec![path.to_owned()],
            first_lost: true,
            unread: vec![error],
            ..Self::default()
        });
        self.and(others)
    }

    /// Makes a key file with one new key, durably; one that is there stays as it is. `owner`: whose it is to be.
    pub fn create(path: &Path, owner: Option<(u32, u32)>) -> Result<Self> {
        if !path.exists() {
            let line = Zeroizing::new(format!("{HEAD}{}\n", new_key()?.as_str()));
            write_file(path, &line, owner, false)?;
        }
        Self::read(path)
    }

    /// Puts a new key first in a key file; the ones before it stay, to read what they encrypted.
    pub fn rotate(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| ArchiveError::io(&reading(path), &error))?;
        let mut all = Zeroizing::new(format!("{HEAD}{}\n", new_key()?.as_str()));
        for key in &Self::read(path)?.keys {
            let text = Zeroizing::new(STANDARD.encode(key.bytes.as_slice()));
            all.push_str(&text);
            all.push('\n');
        }
        write_file(path, &all, Some((metadata.uid(), metadata.gid())), true)?;
        Self::read(path)
    }

    /// These keys first, and the others to read what they encrypted: a customer's key file before our own.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        if self.keys.is_empty() && self.places.is_empty() {
            return others;
        }
        self.keys.extend(others.keys);
        self.places.extend(others.places);
        self.unread.extend(others.unread);
        self
    }

    /// Name of the key that encrypts; `None`: there is none.
    pub fn current(&self) -> Option<&str> {
        self.encrypting().map(|key| key.id.as_str())
    }

    /// Names of all keys. A name is made of the key by a one-way function, and tells nothing of it.
    pub fn names(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.id.as_str()).collect()
    }

    fn encrypting(&self) -> Option<&Key> {
        self.keys.first().filter(|_| !self.first_lost)
    }

    pub(crate) fn first(&self) -> Result<&Key> {
        self.encrypting().ok_or_else(|| {
            let message = "backups are to be encrypted, and there is no key";
            ArchiveError::new(ErrorKind::KeyLost, message).help(self.where_to_put_it())
        })
    }

    pub(crate) fn find(&self, id: &str, what: &str) -> Result<&Key> {
        self.keys.iter().find(|key| key.id == id).ok_or_else(|| {
            let message = format!("{what} is encrypted with the key {id}, which is not here");
            let error = ArchiveError::new(ErrorKind::KeyLost, message);
            match self.unread.first() {
                Some(unread) => {
                    let what_to_do = unread.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
                    error.help(format!("it may be in a file that could not be read: {unread}{what_to_do}"))
                }
                None => error.help(self.where_to_put_it()),
            }
        })
    }

    fn where_to_put_it(&self) -> String {
        match self.places.first() {
            Some(place) if self.first_lost => {
                format!("there is no key file {}: put back the copy of it that was kept elsewhere", place.display())
            }
            Some(place) => format!("add it to {} as a line of its own", place.display()),
            None => "give the key file that was used when it was stored".to_owned(),
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRing").field(&self.names()).finish()
    }
}

fn reading(path: &Path) -> String {
    format!("read the key file {}", path.display())
}

/// A key file that is gone is a lost key, not a thing that the repository does not have.
fn missing(path: &Path, what: &str, error: &std::io::Error) -> ArchiveError {
    if error.kind() != std::io::ErrorKind::NotFound {
        return ArchiveError::io(what, error);
    }
    let message = format!("there is no key file {}", path.display());
    ArchiveError::new(ErrorKind::KeyLost, message).help("put back the copy of it that was kept elsewhere")
}

fn parse(content: &[u8]) -> Option<Vec<Key>> {
    let text = std::str::from_utf8(content).ok();
    let keys: Option<Vec<Key>> = text.and_then(|text| {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| decode(line).map(key)).collect()
    });
    match (keys, <[u8; KEY_BYTES]>::try_from(content)) {
        (Some(keys), _) if !keys.is_empty() => Some(keys),
        (_, Ok(raw)) => Some(vec![key(Zeroizing::new(raw))]),
        _ => None,
    }
}

fn decode(line: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    if line.len() == 2 * KEY_BYTES && line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&line[2 * index..2 * index + 2], 16).ok()?;
        }
        return Some(bytes);
    }
    let mut decoded = STANDARD.decode(line).ok()?;
    let fits = decoded.len() == KEY_BYTES;
    if fits {
        bytes.copy_from_slice(&decoded);
    }
    decoded.zeroize();
    fits.then_some(bytes)
}

fn key(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Key {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"the name of a key of pgherd's backups");
    context.update(bytes.as_slice());
    let id = context.finish().as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Key { id, bytes }
}

fn new_key() -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| no_chance())?;
    Ok(Zeroizing::new(STANDARD.encode(bytes.as_slice())))
}

fn write_file(path: &Path, content: &str, owner: Option<(u32, u32)>, replace: bool) -> Result<()> {
    let refuse = |error: std::io::Error| ArchiveError::io(&format!("write the key file {}", path.display()), &error);
    let unfinished = path.with_extension("unfinished");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(refuse(error)),
        _ => {}
    }
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(refuse)?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::fchown(&file, Some(user), Some(group)).map_err(refuse)?;
    }
    file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).map_err(refuse)?;
    if replace {
        std::fs::rename(&unfinished, path).map_err(refuse)?;
    } else if !files::rename_new(&unfinished, path).map_err(refuse)? {
        // Somebody else made one at the same time; theirs counts.
        std::fs::remove_file(&unfinished).map_err(refuse)?;
    }
    files::sync_parent(path).map_err(refuse)
}
