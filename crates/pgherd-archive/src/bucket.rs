//! A bucket of an S3-compatible store as a store. Nothing of it, and no runtime, is there before one is asked for.
//!
//! Invariants: an answer that was lost is no answer: what is there is looked at before anything is called done or refused. A request
//! has a deadline, and moves no more than it can within that: what is large is read in pieces and sent in parts.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, GetOptions, GetRange, MultipartId, ObjectStore as _, ObjectStoreExt as _, PutMode,
    PutOptions, PutPayload, RetryConfig,
};
use tokio::runtime::Runtime;

use crate::access::Access;
use crate::error::{ArchiveError, ErrorKind, Result};
use crate::repository::random_name;
use crate::store::{Store, Stored, Upload};

/// What stored objects end with, as in a folder: one can be copied to the other by any program.
const SUFFIX: &str = ".pgherd";
/// What is longer than the first part goes in parts. A store takes 10,000 of them, so that they grow: [`part_bytes`].
const PART_BYTES: usize = 32 << 20;
const PARTS: usize = 10_000;
/// After so many parts they are twice as large.
const PARTS_OF_A_SIZE: usize = 2000;
/// What is read at a time: a piece that does not come is asked for again, and no other.
const PIECE_BYTES: u64 = 8 << 20;
/// For one request, of a part over a slow line.
const REQUEST_DEADLINE: Duration = Duration::from_secs(300);
/// How long a store that is busy, or does not answer, is asked again.
const RETRIED_FOR: Duration = Duration::from_secs(60);
/// How often something is put or read again of which it is not known whether it came through.
const ATTEMPTS: usize = 3;
/// How long a store may take to be told that parts are not needed.
const ABORTED_WITHIN: Duration = Duration::from_secs(10);

/// Of the process, and never dropped: a runtime must not be where other tasks of other runtimes run.
fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let made =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("bucket").enable_all().build()?;
    Ok(RUNTIME.get_or_init(|| made))
}

/// How large the part of this number is: 2000 of each of 32, 64, 128, 256 and 512 MiB, nearly 2 TiB together.
fn part_bytes(number: usize) -> usize {
    PART_BYTES << (number / PARTS_OF_A_SIZE).min(PARTS / PARTS_OF_A_SIZE - 1)
}

/// Folders that somebody in this process writes below. Of other processes a store knows nothing.
static CLAIMED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

#[derive(Clone)]
pub(crate) struct Bucket {
    client: Arc<AmazonS3>,
    runtime: &'static Runtime,
    /// How often something is asked again.
    attempts: usize,
    /// The bucket and what its objects begin with.
    name: String,
    prefix: String,
}

impl Bucket {
    /// A bucket, reached as `access` says, and the environment (`AWS_ACCESS_KEY_ID` and its like). Nothing is asked of it yet.
    pub(crate) fn new(name: &str, prefix: &str, access: &Access, patience: Option<Duration>) -> Result<Self> {
        let refuse = |error: Error| {
            let help =
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, and AWS_ENDPOINT_URL where it is not AWS's";
            ArchiveError::new(ErrorKind::Invalid, format!("s3://{name} cannot be used: {error}")).help(help)
        };
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(name);
        // Whoever writes `http://` means it.
        let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
        let mut endpoint = endpoint.into_iter().find_map(|name| std::env::var(name).ok());
        for (name, value) in access.variables() {
            if matches!(name, AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint) {
                endpoint = Some(value.to_owned());
            } else {
                builder = builder.with_config(name, value);
            }
        }
        let plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let options = ClientOptions::new().with_timeout(REQUEST_DEADLINE).with_allow_http(plain);
        let retry = RetryConfig { retry_timeout: patience.unwrap_or(RETRIED_FOR), ..RetryConfig::default() };
        let client = builder.with_client_options(options).with_retry(retry).build().map_err(refuse)?;
        let runtime = runtime().map_err(|error| ArchiveError::io("begin", &error))?;
        let attempts = if patience.is_some() { 1 } else { ATTEMPTS };
        let (name, prefix) = (name.to_owned(), prefix.to_owned());
        Ok(Self { client: Arc::new(client), runtime, attempts, name, prefix })
    }

    fn folder(&self, folder: &str) -> Path {
        Path::from([self.prefix.as_str(), folder].join("/"))
    }

    fn path(&self, key: &str) -> Path {
        Path::from(format!("{}/{key}{SUFFIX}", self.prefix))
    }

    fn refuse(&self, doing: &str, key: &str, error: &Error) -> ArchiveError {
        let kind = match error {
            Error::NotFound { .. } => ErrorKind::Absent,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => ErrorKind::Denied,
            _ => ErrorKind::Unavailable,
        };
        ArchiveError::new(kind, format!("cannot {doing} {}: {error}", self.describe(key)))
    }

    /// What is asked for and not there is told by the one place that can mean it.
    fn fail(&self, doing: &str, key: &str, error: &Error) -> ArchiveError {
        let refusal = self.refuse(doing, key, error);
        if refusal.kind == ErrorKind::Absent {
            ArchiveError { kind: ErrorKind::Unavailable, ..refusal }
        } else {
            refusal
        }
    }

    /// Whether exactly this is there; `None`: nothing is.
    fn is_there(&self, key: &str, content: &[u8]) -> Result<Option<bool>> {
        let mut found = match self.open(key) {
            Err(error) if error.kind == ErrorKind::Absent => return Ok(None),
            other => other?,
        };
        let reading = |error: io::Error| ArchiveError::io(&format!("read {}", self.describe(key)), &error);
        let mut rest = content;
        let mut piece = vec![0; 256 << 10];
        loop {
            let count = found.read(&mut piece).map_err(reading)?;
            match rest.strip_prefix(&piece[..count]) {
                Some(behind) if count > 0 => rest = behind,
                Some(behind) => return Ok(Some(behind.is_empty())),
                None => return Ok(Some(false)),
            }
        }
    }

    /// A piece of an object, and how large all of it is; `None`: it begins at its end.
    fn piece(&self, key: &str, from: u64, of: Option<&str>) -> Result<Option<Piece>> {
        let path = self.path(key);
        let mut attempts = 1..self.attempts;
        loop {
            let range = Some(GetRange::Bounded(from..from + PIECE_BYTES));
            let options = GetOptions { range, if_match: of.map(str::to_owned), ..GetOptions::default() };
            let got: Result<Piece, Error> = self.runtime.block_on(async {
                let found = self.client.get_opts(&path, options).await?;
                let (bytes, version) = (found.meta.size, found.meta.e_tag.clone());
                Ok(Piece { content: found.bytes().await?, bytes, version })
            });
            let error = match got {
                Ok(piece) => return Ok(Some(piece)),
                Err(error) => error,
            };
            match &error {
                Error::NotFound { .. } | Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                    return Err(self.refuse("read", key, &error));
                }
                Error::Precondition { .. } => {
                    let message = format!("{} is another object than a moment ago", self.describe(key));
                    return Err(ArchiveError::new(ErrorKind::Unavailable, message));
                }
                // Some stores refuse a range of an object that holds nothing.
                _ if from == 0 => match self.runtime.block_on(self.client.head(&path)) {
                    Ok(found) if found.size == 0 => return Ok(None),
                    Err(error @ Error::NotFound { .. }) => return Err(self.refuse("read", key, &error)),
                    _ => {}
                },
                _ => {}
            }
            if attempts.next().is_none() {
                return Err(self.refuse("read", key, &error));
            }
        }
    }

    /// Puts something small where nothing is; `false`: something else is.
    fn put_new(&self, key: &str, content: &[u8]) -> Result<bool> {
        let path = self.path(key);
        let mut attempts = 0..self.attempts;
        loop {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let payload = PutPayload::from(content.to_vec());
            let put = self.runtime.block_on(self.client.put_opts(&path, payload, options));
            let Err(error) = put else { return Ok(true) };
            // It may be ours, of an attempt whose answer was lost: no two objects are alike, but of the same content at one time.
            match (self.is_there(key, content)?, attempts.next()) {
                (Some(same), _) => return Ok(same),
                (None, Some(_)) => {}
                (None, None) => return Err(self.fail("store", key, &error)),
            }
        }
    }
}

impl Store for Bucket {
    fn begin(&self, key: &str) -> Result<Box<dyn Upload>> {
        // A segment of the log is one conditional put, however long it is: parts are not put conditionally, and two may store it.
        let is_whole = key.split('/').nth(2) == Some("wal");
        let (bucket, key) = (self.clone(), key.to_owned());
        Ok(Box::new(Sending { bucket, key, is_whole, buffer: Vec::new(), parts: None, sent: 0 }))
    }

    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>> {
        let piece = self.piece(key, 0, None)?;
        let (piece, bytes, version) =
            piece.map_or_else(Default::default, |piece| (piece.content, piece.bytes, piece.version));
        let at = piece.len() as u64;
        Ok(Box::new(Reading { bucket: self.clone(), key: key.to_owned(), piece, at, bytes, version }))
    }

    fn exists(&self, key: &str) -> Result<bool> {
        match self.runtime.block_on(self.client.head(&self.path(key))) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.refuse("look at", key, &error)),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<Stored>> {
        let below = self.folder(folder);
        let listed = again(|| self.runtime.block_on(self.client.list(Some(&below)).try_collect::<Vec<_>>()));
        let root = self.folder("");
        let mut found = Vec::new();
        for object in listed.map_err(|error| self.fail("list", folder, &error))? {
            let Some(parts) = object.location.prefix_match(&root) else { continue };
            let key = parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
            let Some(key) = key.strip_suffix(SUFFIX) else { continue };
            let modified_at = Timestamp::from_millisecond(object.last_modified.timestamp_millis());
            let modified_at = modified_at.unwrap_or(Timestamp::UNIX_EPOCH);
            found.push(Stored { key: key.to_owned(), bytes: object.size, modified_at });
        }
        found.sort();
        Ok(found)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>> {
        let below = self.folder(folder);
        let listed = again(|| self.runtime.block_on(self.client.list_with_delimiter(Some(&below))));
        let listed = listed.map_err(|error| self.fail("list", folder, &error))?;
        let objects = listed.objects.iter().map(|object| &object.location);
        let names = objects.chain(&listed.common_prefixes).filter_map(|path| path.filename().map(str::to_owned));
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        Ok(names)
    }

    fn delete(&self, key: &str) -> Result<()> {
        match self.runtime.block_on(self.client.delete(&self.path(key))) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.refuse("delete", key, &error)),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut content = Vec::new();
        let reading = |error: io::Error| ArchiveError::io(&format!("read {}", self.describe(from)), &error);
        self.open(from)?.read_to_end(&mut content).map_err(reading)?;
        if !self.put_new(to, &content)? {
            return Err(ArchiveError::new(ErrorKind::Conflict, format!("there is a {} already", self.describe(to))));
        }
        self.delete(from)
    }

    /// What was begun and not finished is nowhere: parts of uploads are cleared by the store itself, by a rule of its owner's.
    fn clear(&self, _folder: &str) -> Result<usize> {
        Ok(0)
    }

    fn claim(&self, folder: &str) -> Result<Box<dyn Send>> {
        let place = format!("s3://{}/{}", self.name, self.folder(folder));
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        if !claimed.insert(place.clone()) {
            return Err(ArchiveError::new(ErrorKind::Conflict, format!("somebody else is writing to {place}")));
        }
        Ok(Box::new(Claim { place }))
    }

    /// Puts two things in one place: a store that takes both would write over backups.
    fn prove(&self) -> Result<()> {
        let key = format!(".proof-{}", random_name()?);
        let path = self.path(&key);
        let mut attempts = 1..ATTEMPTS;
        let mut put = |content: &'static str| {
            loop {
                let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
                match self.runtime.block_on(self.client.put_opts(
                    &path,
                    PutPayload::from_static(content.as_bytes()),
                    options,
                )) {
                    Ok(_) => return Ok(true),
                    // Of the first one: its answer was lost.
                    Err(Error::AlreadyExists { .. }) => return Ok(false),
                    Err(error @ (Error::NotImplemented { .. } | Error::NotSupported { .. })) => {
                        return Err(self.writes_over(&format!("it answers: {error}")));
                    }
                    Err(error) if attempts.next().is_none() => return Err(self.fail("write to", &key, &error)),
                    Err(_) => {}
                }
            }
        };
        let proven = put("the first").and_then(|_| match put("the second")? {
            false => Ok(()),
            true => Err(self.writes_over("it took a second object in the place of a first one")),
        });
        let deleted = self.delete(&key);
        proven.and(deleted)
    }

    fn knows_times(&self) -> bool {
        false
    }

    fn describe(&self, key: &str) -> String {
        format!("s3://{}/{}", self.name, self.path(key))
    }
}

impl Bucket {
    fn writes_over(&self, how: &str) -> ArchiveError {
        let message = format!("s3://{} would write over what is stored: {how}", self.name);
        let help = "use a store that honours If-None-Match when something is put, as AWS's does";
        ArchiveError::new(ErrorKind::Invalid, message).help(help)
    }
}

/// Asks again for what changes nothing: an answer that breaks off in its middle is not asked for again by the client.
fn again<T>(ask: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    let mut attempts = 1..ATTEMPTS;
    loop {
        match ask() {
            Err(Error::Generic { .. }) if attempts.next().is_some() => {}
            other => return other,
        }
    }
}

struct Claim {
    place: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

/// What came of an object.
struct Piece {
    content: bytes::Bytes,
    /// Of the whole object.
    bytes: u64,
    /// Which object it was.
    version: Option<String>,
}

/// An object that is read piece by piece.
struct Reading {
    bucket: Bucket,
    key: String,
    piece: bytes::Bytes,
    /// Where the next piece begins.
    at: u64,
    bytes: u64,
    version: Option<String>,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && self.at < self.bytes {
            let next = self.bucket.piece(&self.key, self.at, self.version.as_deref());
            // What was there a moment ago and is not any more is not an object that was never there.
            let next = next.map_err(|error| match error.kind {
                ErrorKind::Absent => ArchiveError { kind: ErrorKind::Unavailable, ..error },
                _ => error,
            })?;
            self.piece = next.map(|piece| piece.content).unwrap_or_default();
            if self.piece.is_empty() {
                let message = format!("{} ended before its end", self.bucket.describe(&self.key));
                return Err(ArchiveError::new(ErrorKind::Unavailable, message).into());
            }
            self.at += self.piece.len() as u64;
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

/// What is gathered until it is a part, or all.
struct Sending {
    bucket: Bucket,
    key: String,
    /// Whether it never goes in parts.
    is_whole: bool,
    buffer: Vec<u8>,
    parts: Option<(MultipartId, Vec<PartId>)>,
    /// In parts.
    sent: u64,
}

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_whole {
            self.buffer.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let size = part_bytes(self.parts.as_ref().map_or(0, |(_, parts)| parts.len()));
        let count = bytes.len().min(size - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == size {
            self.put_part()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sending {
    fn put_part(&mut self) -> Result<()> {
        let (bucket, path) = (&self.bucket, self.bucket.path(&self.key));
        let refuse = |error: Error| bucket.fail("store", &self.key, &error);
        let (upload, parts) = match &mut self.parts {
            Some(begun) => begun,
            None => {
                let upload = bucket.runtime.block_on(bucket.client.create_multipart(&path)).map_err(refuse)?;
                self.parts.insert((upload, Vec::new()))
            }
        };
        if parts.len() == PARTS {
            let message = format!("{} is larger than what a store takes in {PARTS} parts", bucket.describe(&self.key));
            return Err(ArchiveError::new(ErrorKind::Invalid, message).help("keep it in a folder"));
        }
        let content = std::mem::take(&mut self.buffer);
        self.sent += content.len() as u64;
        let put = bucket.client.put_part(&path, upload, parts.len(), PutPayload::from(content));
        parts.push(bucket.runtime.block_on(put).map_err(refuse)?);
        Ok(())
    }

    /// Makes one of the parts.
    fn complete(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.put_part()?;
        }
        let Some((upload, parts)) = self.parts.take() else { return Ok(()) };
        let (bucket, path) = (&self.bucket, self.bucket.path(&self.key));
        let done = bucket.runtime.block_on(bucket.client.complete_multipart(&path, &upload, parts));
        let Err(error) = done else { return Ok(()) };
        // Its answer may be what was lost.
        match bucket.runtime.block_on(bucket.client.head(&path)) {
            Ok(found) if found.size == self.sent => Ok(()),
            _ => Err(bucket.fail("store", &self.key, &error)),
        }
    }

    fn is_in_parts(&self, key: &str) -> Result<bool> {
        if self.parts.is_some() && key != self.key {
            let message = format!("{} is too large to be put aside", self.bucket.describe(&self.key));
            return Err(ArchiveError::new(ErrorKind::Unavailable, message));
        }
        Ok(self.parts.is_some())
    }
}

impl Upload for Sending {
    fn commit(&mut self, key: &str, _modified_at: Option<Timestamp>) -> Result<bool> {
        if !self.is_in_parts(key)? {
            return self.bucket.put_new(key, &self.buffer);
        }
        // What is as large has a folder of its own: nobody else writes there.
        if self.bucket.exists(key)? {
            return Ok(false);
        }
        self.complete().map(|()| true)
    }

    fn commit_over(&mut self, key: &str) -> Result<()> {
        if self.is_in_parts(key)? {
            return self.complete();
        }
        let (path, payload) = (self.bucket.path(key), PutPayload::from(self.buffer.clone()));
        let put = self.bucket.runtime.block_on(self.bucket.client.put(&path, payload));
        put.map(drop).map_err(|error| self.bucket.fail("store", key, &error))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let Some((upload, _)) = self.parts.take() else { return };
        let (client, path) = (self.bucket.client.clone(), self.bucket.path(&self.key));
        let (done, wait) = mpsc::channel();
        // Beside whoever drops it, who may be a task.
        self.bucket.runtime.spawn(async move {
            let _ = client.abort_multipart(&path, &upload).await;
            let _ = done.send(());
        });
        let _ = wait.recv_timeout(ABORTED_WITHIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_so_that_ten_thousand_of_them_are_enough() {
        assert_eq!((part_bytes(0), part_bytes(1999), part_bytes(2000)), (32 << 20, 32 << 20, 64 << 20));
        assert_eq!(part_bytes(9999), 512 << 20, "a store takes parts of up to 5 GiB");
        let all: u64 = (0..PARTS).map(|number| part_bytes(number) as u64).sum();
        assert!(all > 1 << 40, "{all}");
    }

    /// As the agent does, whose tasks hold repositories.
    #[test]
    fn a_bucket_is_dropped_where_tasks_run() {
        let access = Access::parse(["AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_REGION=c"]).expect("good");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async { drop(Bucket::new("backups", "", &access, None).expect("nothing is asked")) });
    }
}
