//! A backup's manifest, as the server writes it: which files there are, how long, with which checksums, and what log they need.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::postgres::Result;

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// By path: bytes and checksum (CRC-32C).
    pub files: BTreeMap<PathBuf, (u64, u32)>,
    /// The log that makes them consistent, the newest timeline first.
    pub log: Vec<Span>,
}

/// A range of the log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Span {
    /// Its timeline.
    #[serde(rename = "Timeline")]
    pub timeline: u32,
    /// Where it begins.
    #[serde(rename = "Start-LSN")]
    pub start: String,
    /// Where it ends.
    #[serde(rename = "End-LSN")]
    pub end: String,
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "Files")]
    files: Vec<File>,
    #[serde(rename = "WAL-Ranges")]
    log: Vec<Span>,
    #[serde(rename = "Manifest-Checksum")]
    checksum: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "Path")]
    path: Option<String>,
    /// In hexadecimal digits, where it is no text.
    #[serde(rename = "Encoded-Path")]
    encoded: Option<String>,
    #[serde(rename = "Size")]
    bytes: u64,
    #[serde(rename = "Checksum-Algorithm")]
    algorithm: Option<String>,
    #[serde(rename = "Checksum")]
    checksum: Option<String>,
}

impl Manifest {
    /// Reads one, and checks it against its own checksum.
    pub fn read(text: &[u8]) -> Result<Self> {
        let wrong = |how: &str| ProviderError::new(ErrorKind::Invalid, format!("the backup's manifest {how}"));
        let written: Written =
            serde_json::from_slice(text).map_err(|error| wrong(&format!("makes no sense: {error}")))?;
        // Over everything before the line that it is in, which is the last one.
        let without_last = text.strip_suffix(b"\n").unwrap_or(text);
        let covered = without_last.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let sum: String = Sha256::digest(&text[..covered]).iter().map(|byte| format!("{byte:02x}")).collect();
        if sum != written.checksum {
            return Err(wrong("is not what the server wrote"));
        }
        if written.log.is_empty() {
            return Err(wrong("names no range of the log"));
        }
        let file = |file: &File| {
            let path = match (&file.path, &file.encoded) {
                (Some(path), _) => PathBuf::from(path),
                (None, Some(encoded)) => {
                    use std::os::unix::ffi::OsStringExt as _;
                    PathBuf::from(std::ffi::OsString::from_vec(bytes(encoded)?))
                }
                (None, None) => return None,
            };
            let is_ours = file.algorithm.as_deref() == Some("CRC32C");
            // As the server has it in memory.
            let sum = bytes(file.checksum.as_deref().filter(|_| is_ours)?)?;
            Some((path, (file.bytes, u32::from_ne_bytes(sum.try_into().ok()?))))
        };
        let files: Option<BTreeMap<_, _>> = written.files.iter().map(file).collect();
        Ok(Self { files: files.ok_or_else(|| wrong("has a file without a checksum"))?, log: written.log })
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair.filter(|pair| pair.len() == 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As PostgreSQL 15 wrote it, but for the files left out.
    const BODY: &str = "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n\
        { \"Path\": \"PG_VERSION\", \"Size\": 3, \"Last-Modified\": \"2026-11-23 04:00:00 GMT\", \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"64440205\" },\n\
        { \"Encoded-Path\": \"62617365\", \"Size\": 0, \"Last-Modified\": \"2026-11-23 04:00:00 GMT\", \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"00000000\" }\n],\n\
        \"WAL-Ranges\": [\n{ \"Timeline\": 1, \"Start-LSN\": \"0/2000028\", \"End-LSN\": \"0/2000100\" }\n],\n";

    fn signed(body: &str) -> String {
        let sum: String = Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{body}\"Manifest-Checksum\": \"{sum}\"}}\n")
    }

    #[test]
    fn it_says_which_files_there_are_and_what_log_they_need() {
        let manifest = Manifest::read(signed(BODY).as_bytes()).expect("good");
        let sum = u32::from_ne_bytes([0x64, 0x44, 0x02, 0x05]);
        assert_eq!(manifest.files[&PathBuf::from("PG_VERSION")], (3, sum));
        assert_eq!(manifest.files[&PathBuf::from("base")], (0, 0));
        assert_eq!(manifest.log[0].end, "0/2000100");
    }

    #[test]
    fn one_that_was_changed_or_lacks_a_checksum_is_refused() {
        let changed = signed(BODY).replace("\"Size\": 3", "\"Size\": 4");
        let refused = |text: &str| Manifest::read(text.as_bytes()).expect_err("refused").message;
        assert_eq!(refused(&changed), "the backup's manifest is not what the server wrote");
        let other = signed(&BODY.replace("CRC32C", "SHA224"));
        assert_eq!(refused(&other), "the backup's manifest has a file without a checksum");
        let none =
            signed(&BODY.replace("{ \"Timeline\": 1, \"Start-LSN\": \"0/2000028\", \"End-LSN\": \"0/2000100\" }", ""));
        assert_eq!(refused(&none), "the backup's manifest names no range of the log");
    }
}
