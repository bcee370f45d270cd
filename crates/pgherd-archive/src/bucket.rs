//! A bucket of an S3-compatible store as a store. Nothing of it, and no runtime, is there before one is asked for.
//!
//! Invariant: an answer that was lost is no answer: what is there is looked at before anything is called done or refused.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, MultipartId, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};
use tokio::runtime::Runtime;

use crate::error::{ArchiveError, ErrorKind, Result};
use crate::store::{Store, Stored, Upload};

/// What stored objects end with, as in a folder: one can be copied to the other by any program.
const SUFFIX: &str = ".pgherd";
/// What is longer goes in parts of this size; a store takes 10,000 of them.
const PART_BYTES: usize = 32 << 20;
/// For one request, of a part over a slow line.
const REQUEST_DEADLINE: Duration = Duration::from_secs(300);
/// How often something is put again of which it is not known whether it came through.
const ATTEMPTS: usize = 3;

#[derive(Clone)]
pub(crate) struct Bucket {
    client: Arc<AmazonS3>,
    runtime: Arc<Runtime>,
    /// The bucket and what its objects begin with.
    name: String,
    prefix: String,
    /// Folders that somebody in this process writes below. Of other processes a store knows nothing.
    claimed: Arc<Mutex<BTreeSet<String>>>,
}

impl Bucket {
    /// A bucket, reached as the environment says (`AWS_ACCESS_KEY_ID` and its like). Nothing is asked of it yet.
    pub(crate) fn new(name: &str, prefix: &str) -> Result<Self> {
        let refuse = |error: Error| {
            let help =
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, and AWS_ENDPOINT_URL where it is not AWS's";
            ArchiveError::new(ErrorKind::Invalid, format!("s3://{name} cannot be used: {error}")).help(help)
        };
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(name);
        // Whoever writes `http://` means it.
        let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
        let endpoint = endpoint.into_iter().find_map(|name| std::env::var(name).ok());
        let plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let options = ClientOptions::new().with_timeout(REQUEST_DEADLINE).with_allow_http(plain);
        let client = builder.with_client_options(options).build().map_err(refuse)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| ArchiveError::io("begin", &error))?;
        Ok(Self {
            client: Arc::new(client),
            runtime: Arc::new(runtime),
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            claimed: Arc::default(),
        })
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
    fn is_there(&self, path: &Path, content: &[u8]) -> Result<Option<bool>, Error> {
        self.runtime.block_on(async {
            match self.client.get(path).await {
                Ok(found) => Ok(Some(found.bytes().await? == content)),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// Puts something small where nothing is; `false`: something else is.
    fn put_new(&self, key: &str, content: &[u8]) -> Result<bool> {
        let path = self.path(key);
        let mut attempts = 0..ATTEMPTS;
        loop {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let payload = PutPayload::from(content.to_vec());
            let put = self.runtime.block_on(self.client.put_opts(&path, payload, options));
            let Err(error) = put else { return Ok(true) };
            // It may be ours, of an attempt whose answer was lost: no two objects are alike, but of the same content at one time.
            let there = self.is_there(&path, content);
            match (there.map_err(|error| self.refuse("store", key, &error))?, attempts.next()) {
                (Some(same), _) => return Ok(same),
                (None, Some(_)) => {}
                (None, None) => return Err(self.fail("store", key, &error)),
            }
        }
    }
}

impl Store for Bucket {
    fn begin(&self, key: &str) -> Result<Box<dyn Upload>> {
        let upload = Sending { bucket: self.clone(), key: key.to_owned(), buffer: Vec::new(), parts: None, sent: 0 };
        Ok(Box::new(upload))
    }

    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>> {
        let found = self.runtime.block_on(self.client.get(&self.path(key)));
        let stream = found.map_err(|error| self.refuse("read", key, &error))?.into_stream();
        Ok(Box::new(Reading { bucket: self.clone(), key: key.to_owned(), stream, piece: bytes::Bytes::new() }))
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
        let listed = self.runtime.block_on(self.client.list(Some(&below)).try_collect::<Vec<_>>());
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
        let listed = self.runtime.block_on(self.client.list_with_delimiter(Some(&self.folder(folder))));
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
        let content = self.runtime.block_on(async { self.client.get(&self.path(from)).await?.bytes().await });
        let content = content.map_err(|error| self.fail("read", from, &error))?;
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
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if !claimed.insert(folder.to_owned()) {
            let message = format!("somebody else is writing to s3://{}/{}", self.name, self.folder(folder));
            return Err(ArchiveError::new(ErrorKind::Conflict, message));
        }
        Ok(Box::new(Claim { claimed: self.claimed.clone(), folder: folder.to_owned() }))
    }

    fn knows_times(&self) -> bool {
        false
    }

    fn describe(&self, key: &str) -> String {
        format!("s3://{}/{}", self.name, self.path(key))
    }
}

struct Claim {
    claimed: Arc<Mutex<BTreeSet<String>>>,
    folder: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.folder);
    }
}

struct Reading {
    bucket: Bucket,
    key: String,
    stream: BoxStream<'static, object_store::Result<bytes::Bytes>>,
    piece: bytes::Bytes,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let Some(piece) = self.bucket.runtime.block_on(self.stream.next()) else { return Ok(0) };
            self.piece = piece.map_err(|error| self.bucket.fail("read", &self.key, &error))?;
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
    buffer: Vec<u8>,
    parts: Option<(MultipartId, Vec<PartId>)>,
    /// In parts.
    sent: u64,
}

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PART_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == PART_BYTES {
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
        if let Some((upload, _)) = self.parts.take() {
            let path = self.bucket.path(&self.key);
            let _ = self.bucket.runtime.block_on(self.bucket.client.abort_multipart(&path, &upload));
        }
    }
}
