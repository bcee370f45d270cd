//! A stored object: a header that says what it is, chunks that are compressed and sealed one by one, a trailer with the
//! checksum of what was stored.
//!
//! ```text
//! "pgherd\0\1"  length of header  header (JSON)  { length of chunk | last?  chunk  tag of 16 bytes } ...
//! ```
//!
//! The last chunk is the trailer. With a key, each object is sealed by AES-256-GCM under a key of its own, derived from the key
//! and 32 random bytes, so that counting chunks is a nonce that never comes twice; without one, tags are SHA-256, cut. Both
//! cover the header, the chunk's number and whether it is the last: what is cut short, put in another order, changed, or
//! renamed is found before a byte of it is used.

use std::io::{self, Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{digest, hkdf};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{ArchiveError, ErrorKind, Result, no_chance};
use crate::keys::{Key, KeyRing};

const MAGIC: &[u8; 8] = b"pgherd\0\x01";
const VERSION: u32 = 1;
/// Of compressed content; memory stays a few times this, whatever the object's size.
const CHUNK_BYTES: usize = 256 << 10;
/// What a reader believes: a chunk, and the trailer.
const LONGEST_CHUNK_BYTES: usize = 4 << 20;
const LONGEST_HEADER_BYTES: usize = 64 << 10;
const TAG_BYTES: usize = 16;
const SALT_BYTES: usize = 32;
const LAST: u32 = 1 << 31;

/// What an object says of itself, in the clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Version of the format.
    pub(crate) pgherd: u32,
    /// Where it belongs within its generation.
    pub(crate) name: String,
    /// Identity of that generation.
    pub(crate) generation: String,
    /// `zstd`.
    pub(crate) compression: String,
    /// Name of the key it is sealed with.
    pub(crate) key: Option<String>,
    /// What its own key is derived with, in base64.
    salt: Option<String>,
    /// When it was stored.
    pub(crate) stored_at: Timestamp,
    /// When what was stored was last written to, where that is known.
    pub(crate) written_at: Option<Timestamp>,
}

/// What an object is to say of itself.
#[derive(Debug, Clone)]
pub(crate) struct Label<'a> {
    pub(crate) name: &'a str,
    pub(crate) generation: &'a str,
    pub(crate) written_at: Option<Timestamp>,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trailer {
    /// Bytes.
    pub(crate) length: u64,
    /// SHA-256, in hexadecimal digits.
    pub(crate) sha256: String,
}

/// Seals and opens the chunks of one object.
struct Seal {
    key: Option<LessSafeKey>,
    header: digest::Digest,
    next: u64,
}

impl Seal {
    fn new(head: &[u8], key: Option<(&Key, &[u8])>) -> Result<Self> {
        let key = key.map(|(key, salt)| derive(key, salt)).transpose()?;
        Ok(Self { key, header: digest::digest(&digest::SHA256, head), next: 0 })
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.next.to_be_bytes());
        self.next += 1;
        Nonce::assume_unique_for_key(nonce)
    }

    /// What every tag covers besides the chunk itself; its number is in the nonce.
    fn about(&self, last: bool) -> [u8; 33] {
        let mut about = [u8::from(last); 33];
        about[..32].copy_from_slice(self.header.as_ref());
        about
    }

    fn plain_tag(&mut self, chunk: &[u8], last: bool) -> [u8; TAG_BYTES] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.about(last));
        context.update(&self.next.to_be_bytes());
        context.update(chunk);
        self.next += 1;
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&context.finish().as_ref()[..TAG_BYTES]);
        tag
    }

    fn seal(&mut self, chunk: &mut [u8], last: bool) -> Result<[u8; TAG_BYTES]> {
        if self.key.is_none() {
            return Ok(self.plain_tag(chunk, last));
        }
        let (nonce, about) = (self.nonce(), self.about(last));
        let sealed = self.key.as_ref().map(|key| key.seal_in_place_separate_tag(nonce, Aad::from(about), chunk));
        let mut tag = [0; TAG_BYTES];
        match sealed {
            Some(Ok(sealed)) => tag.copy_from_slice(sealed.as_ref()),
            _ => return Err(ArchiveError::new(ErrorKind::Invalid, "a chunk is too long to be encrypted")),
        }
        Ok(tag)
    }

    /// Opens a chunk with its tag behind it, in place; `None`: it is not what was sealed.
    fn open<'a>(&mut self, chunk: &'a mut [u8], last: bool) -> Option<&'a [u8]> {
        let length = chunk.len().checked_sub(TAG_BYTES)?;
        if self.key.is_none() {
            let (content, tag) = chunk.split_at(length);
            return (self.plain_tag(content, last) == tag).then_some(content);
        }
        let (nonce, about) = (self.nonce(), self.about(last));
        self.key.as_ref()?.open_in_place(nonce, Aad::from(about), chunk).ok().map(|content| &*content)
    }
}

fn derive(key: &Key, salt: &[u8]) -> Result<LessSafeKey> {
    let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key.bytes.as_slice());
    let derived = derived.expand(&[b"an object of pgherd's backups"], &AES_256_GCM).map(UnboundKey::from);
    derived.map(LessSafeKey::new).map_err(|_| ArchiveError::new(ErrorKind::Invalid, "no key can be derived"))
}

/// Writes one object.
pub(crate) struct ObjectWriter<W: Write> {
    encoder: zstd::Encoder<'static, Chunks<W>>,
    checksum: digest::Context,
    length: u64,
}

/// Cuts what the compressor gives into chunks, and seals them. By itself: writes an object of what was compressed by somebody else.
pub(crate) struct Chunks<W: Write> {
    to: W,
    chunk: Vec<u8>,
    seal: Seal,
    written: u64,
}

impl<W: Write> ObjectWriter<W> {
    /// Begins an object; encrypted with the first of these keys, if there are any given.
    pub(crate) fn new(to: W, label: &Label<'_>, keys: Option<&KeyRing>) -> Result<Self> {
        let chunks = Chunks::new(to, label, keys)?;
        let refuse = |error: io::Error| ArchiveError::io(&format!("store {}", label.name), &error);
        let encoder = zstd::Encoder::new(chunks, 1).map_err(refuse)?;
        Ok(Self { encoder, checksum: digest::Context::new(&digest::SHA256), length: 0 })
    }

    /// Bytes of the object so far.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.encoder.get_ref().written
    }

    /// Writes the trailer, and gives back what was written to, and how much that was.
    pub(crate) fn finish(self) -> io::Result<(W, Trailer, u64)> {
        let sha256 = hex(self.checksum.finish().as_ref());
        let trailer = Trailer { length: self.length, sha256 };
        let (to, bytes) = self.encoder.finish()?.finish(&trailer)?;
        Ok((to, trailer, bytes))
    }
}

impl<W: Write> Write for ObjectWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.encoder.write(bytes)?;
        self.checksum.update(&bytes[..count]);
        self.length += count as u64;
        Ok(count)
    }

    /// Chunks are written when they are full; nothing here is durable before the object is whole.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Chunks<W> {
    /// Begins an object; encrypted with the first of these keys, if there are any given.
    pub(crate) fn new(mut to: W, label: &Label<'_>, keys: Option<&KeyRing>) -> Result<Self> {
        let mut salt = [0; SALT_BYTES];
        let key = keys.map(KeyRing::first).transpose()?;
        if key.is_some() {
            getrandom::fill(&mut salt).map_err(|_| no_chance())?;
        }
        let header = Header {
            pgherd: VERSION,
            name: label.name.to_owned(),
            generation: label.generation.to_owned(),
            compression: "zstd".to_owned(),
            key: key.map(|key| key.id.clone()),
            salt: key.map(|_| STANDARD.encode(salt)),
            stored_at: Timestamp::now(),
            written_at: label.written_at,
        };
        let json =
            serde_json::to_vec(&header).map_err(|error| ArchiveError::new(ErrorKind::Invalid, error.to_string()))?;
        let mut head = MAGIC.to_vec();
        head.extend(u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
        head.extend(json);
        to.write_all(&head).map_err(|error| ArchiveError::io(&format!("store {}", label.name), &error))?;
        let seal = Seal::new(&head, key.map(|key| (key, salt.as_slice())))?;
        let chunk = Vec::with_capacity(CHUNK_BYTES + TAG_BYTES);
        Ok(Self { to, chunk, seal, written: head.len() as u64 })
    }

    /// Writes the rest, and what the content is; gives back what was written to, and how much that was.
    pub(crate) fn finish(mut self, trailer: &Trailer) -> io::Result<(W, u64)> {
        if !self.chunk.is_empty() {
            self.put(false)?;
        }
        self.chunk = serde_json::to_vec(trailer)?;
        self.put(true)?;
        Ok((self.to, self.written))
    }

    fn put(&mut self, last: bool) -> io::Result<()> {
        let length = u32::try_from(self.chunk.len()).map_err(io::Error::other)? | if last { LAST } else { 0 };
        let tag = self.seal.seal(&mut self.chunk, last)?;
        self.chunk.extend(tag);
        self.to.write_all(&length.to_le_bytes())?;
        self.to.write_all(&self.chunk)?;
        self.written += 4 + self.chunk.len() as u64;
        self.chunk.clear();
        Ok(())
    }
}

impl<W: Write> Write for Chunks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // None after a chunk that could not be written: whoever writes on, as a tar archive does when it is dropped, is refused.
        let count = bytes.len().min(CHUNK_BYTES.saturating_sub(self.chunk.len()));
        self.chunk.extend_from_slice(&bytes[..count]);
        if self.chunk.len() == CHUNK_BYTES {
            self.put(false)?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads one object. What it gives was verified; it ends only where the object does, and with an error of ours where that is
/// damaged.
pub(crate) struct ObjectReader<R: Read> {
    decoder: zstd::Decoder<'static, io::BufReader<Opened<R>>>,
    checksum: digest::Context,
    length: u64,
    header: Header,
    what: String,
    ended: bool,
}

/// Opens chunks, and gives what is in them up to the trailer.
struct Opened<R: Read> {
    from: R,
    seal: Seal,
    chunk: Vec<u8>,
    given: usize,
    trailer: Option<Trailer>,
    what: String,
}

impl<R: Read> ObjectReader<R> {
    /// Begins to read what `what` tells a user of.
    pub(crate) fn new(mut from: R, keys: &KeyRing, what: &str) -> Result<Self> {
        let (header, head) = read_header(&mut from, what)?;
        let salt = header.salt.as_deref().map(|salt| STANDARD.decode(salt)).transpose();
        let salt = salt.map_err(|_| ArchiveError::damaged(what, "its header makes no sense"))?.unwrap_or_default();
        let key = header.key.as_deref().map(|id| keys.find(id, what)).transpose()?;
        let seal = Seal::new(&head, key.map(|key| (key, salt.as_slice())))?;
        let opened = Opened { from, seal, chunk: Vec::new(), given: 0, trailer: None, what: what.to_owned() };
        let decoder = zstd::Decoder::new(opened).map_err(|error| ArchiveError::io(&format!("read {what}"), &error))?;
        let checksum = digest::Context::new(&digest::SHA256);
        Ok(Self { decoder, checksum, length: 0, header, what: what.to_owned(), ended: false })
    }

    /// The same, when it is the object that belongs there: not one of another name or another generation.
    pub(crate) fn belonging(self, name: &str, generation: &str) -> Result<Self> {
        if self.header.name == name && self.header.generation == generation {
            return Ok(self);
        }
        let how = format!("it is {} of generation {}", self.header.name, self.header.generation);
        Err(ArchiveError::damaged(&self.what, how).help("somebody copied or renamed it: it does not belong there"))
    }

    /// Reads what is stored through without expanding it: every chunk is what was sealed, and all are there. Before anything else was read.
    pub(crate) fn verify_sealed(mut self, mut progress: impl FnMut(u64)) -> Result<Trailer> {
        let reading = |error: io::Error| ArchiveError::io(&format!("read {}", self.what), &error);
        let opened = self.decoder.get_mut().get_mut();
        while opened.next().map_err(reading)? {
            progress(opened.chunk.len() as u64);
        }
        opened.trailer.take().ok_or_else(|| ArchiveError::damaged(&self.what, "it was cut short"))
    }

    fn verify_end(&mut self) -> Result<()> {
        let sha256 = hex(self.checksum.clone().finish().as_ref());
        let length = self.length;
        let opened = self.decoder.get_mut().get_mut();
        // The compressor's own end need not be the end of the chunks.
        let rest = opened.next().map_err(|error| ArchiveError::io(&format!("read {}", self.what), &error))?;
        match &opened.trailer {
            Some(trailer) if !rest && *trailer == (Trailer { length, sha256 }) => Ok(()),
            _ => Err(ArchiveError::damaged(&self.what, "its content is not what was stored")),
        }
    }
}

impl<R: Read> Read for ObjectReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.ended {
            return Ok(0);
        }
        let count = match self.decoder.read(buffer) {
            Ok(count) => count,
            // Chunks were verified, so what the compressor cannot read was never written by one.
            Err(error) if error.get_ref().is_some_and(|inner| inner.is::<ArchiveError>()) => return Err(error),
            Err(error) if is_ours(&error) => return Err(ArchiveError::damaged(&self.what, error).into()),
            Err(error) => return Err(error),
        };
        self.checksum.update(&buffer[..count]);
        self.length += count as u64;
        if count == 0 {
            self.verify_end()?;
            self.ended = true;
        }
        Ok(count)
    }
}

/// Whether an error is the decompressor's, and not the store's.
fn is_ours(error: &io::Error) -> bool {
    error.raw_os_error().is_none() && matches!(error.kind(), io::ErrorKind::Other | io::ErrorKind::UnexpectedEof)
}

impl<R: Read> Opened<R> {
    /// Opens the next chunk; `false`: that was the trailer.
    fn next(&mut self) -> io::Result<bool> {
        if self.trailer.is_some() {
            return Ok(false);
        }
        let cut = |error: io::Error, what: &str| match error.kind() {
            io::ErrorKind::UnexpectedEof => ArchiveError::damaged(what, "it was cut short").into(),
            _ => error,
        };
        let mut length = [0; 4];
        self.from.read_exact(&mut length).map_err(|error| cut(error, &self.what))?;
        let length = u32::from_le_bytes(length);
        let (last, length) = (length & LAST != 0, (length & !LAST) as usize);
        let changed = || ArchiveError::damaged(&self.what, "its content is not what was stored");
        if length > LONGEST_CHUNK_BYTES {
            return Err(changed().into());
        }
        self.chunk.resize(length + TAG_BYTES, 0);
        self.from.read_exact(&mut self.chunk).map_err(|error| cut(error, &self.what))?;
        let content = self.seal.open(&mut self.chunk, last).ok_or_else(changed)?;
        let length = content.len();
        self.given = 0;
        if last {
            self.trailer = Some(serde_json::from_slice(content).map_err(|_| changed())?);
            self.chunk.clear();
            if self.from.read(&mut [0])? != 0 {
                return Err(ArchiveError::damaged(&self.what, "there is more behind its end").into());
            }
            return Ok(false);
        }
        self.chunk.truncate(length);
        Ok(true)
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.chunk.len() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.chunk.len() - self.given);
        buffer[..count].copy_from_slice(&self.chunk[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// When the content of an object was written, by what it says of itself.
pub(crate) fn written_at(from: &mut impl Read, what: &str) -> Result<Option<Timestamp>> {
    read_header(from, what).map(|(header, _)| header.written_at)
}

/// The name of the key that an object takes, by what it says of itself; `None`: it takes none.
pub(crate) fn key_of(from: &mut impl Read, what: &str) -> Result<Option<String>> {
    read_header(from, what).map(|(header, _)| header.key)
}

fn read_header(from: &mut impl Read, what: &str) -> Result<(Header, Vec<u8>)> {
    let read = |from: &mut dyn Read, buffer: &mut [u8]| {
        from.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ArchiveError::damaged(what, "it was cut short"),
            _ => ArchiveError::io(&format!("read {what}"), &error),
        })
    };
    let mut head = vec![0; MAGIC.len() + 4];
    read(from, &mut head)?;
    let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
    if head[..7] != MAGIC[..7] || length > LONGEST_HEADER_BYTES {
        return Err(ArchiveError::damaged(what, "it is nothing that was stored by pgherd"));
    }
    if head[7] != MAGIC[7] {
        let message = format!("{what} is of version {} of the format, which this pgherd cannot read", head[7]);
        return Err(
            ArchiveError::new(ErrorKind::Invalid, message).help("use the pgherd that stored it, or a later one")
        );
    }
    head.resize(MAGIC.len() + 4 + length, 0);
    read(from, &mut head[MAGIC.len() + 4..])?;
    let header = serde_json::from_slice(&head[MAGIC.len() + 4..]);
    header.map(|header| (header, head)).map_err(|_| ArchiveError::damaged(what, "its header makes no sense"))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
