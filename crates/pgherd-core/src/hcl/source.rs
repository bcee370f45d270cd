//! The texts a configuration is read from, made safe to read.

use crate::diagnostic::Diagnostic;

/// The largest file pgherd reads. A configuration of a thousand databases is about 1 MiB.
pub const MAX_SOURCE_BYTES: usize = 4 * 1024 * 1024;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Name as shown to the user, such as `db.hcl`.
    pub name: String,
    /// Its text, without a byte order mark. Where the bytes are not UTF-8, replacement characters stand for them.
    pub text: String,
    pub(super) problem: Option<Problem>,
}

/// Why a file's bytes cannot be read as a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    TooLarge { bytes: usize },
    NotUtf8 { offset: usize, byte: u8 },
}

impl Source {
    /// A file from its bytes. Never fails: what is wrong with them is told by [`crate::hcl::read`].
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        let name = name.into();
        if bytes.len() > MAX_SOURCE_BYTES {
            let problem = Some(Problem::TooLarge { bytes: bytes.len() });
            return Self { name, text: String::new(), problem };
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self { name, text: without_mark(text), problem: None },
            Err(error) => {
                let text = without_mark(String::from_utf8_lossy(error.as_bytes()).into_owned());
                let mark =
                    if error.as_bytes().starts_with(BYTE_ORDER_MARK.as_bytes()) { BYTE_ORDER_MARK.len() } else { 0 };
                let valid = error.utf8_error().valid_up_to();
                let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
                Self { name, text, problem: Some(Problem::NotUtf8 { offset: valid - mark, byte }) }
            }
        }
    }

    fn diagnostic(&self, file: usize) -> Option<Diagnostic> {
        Some(match self.problem.as_ref()? {
            Problem::TooLarge { bytes } => {
                let mib = MAX_SOURCE_BYTES / 1024 / 1024;
                Diagnostic::error("file-too-large", format!("`{}` has {bytes} bytes; at most {mib} MiB are read", self.name))
                    .at_source(file, 0..0)
                    .help("split the configuration into several files in the same folder, or check that this is the right file")
            }
            Problem::NotUtf8 { offset, byte } => {
                let replaced = *offset..(offset + char::REPLACEMENT_CHARACTER.len_utf8()).min(self.text.len());
                Diagnostic::error(
                    "not-utf-8",
                    format!("`{}` is not UTF-8 text: byte 0x{byte:02x} at offset {offset}", self.name),
                )
                .at_source(file, replaced)
                .help("save the file as UTF-8 (for Latin-1: `iconv -f latin1 -t utf-8`)")
            }
        })
    }
}

/// All files of a configuration. [`crate::diagnostic::At::Source`] indexes `files`.
///
/// Files whose names end in `.tfvars` or `.tfvars.json` hold values of variables, all others are configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The files, in the order they are read.
    pub files: Vec<Source>,
}

impl Sources {
    /// One file.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { files: vec![Source::from_bytes(name, bytes)] }
    }

    /// One more file; returns its index.
    pub fn add(&mut self, name: impl Into<String>, bytes: Vec<u8>) -> usize {
        self.files.push(Source::from_bytes(name, bytes));
        self.files.len() - 1
    }

    pub(crate) fn problems(&self) -> Vec<Diagnostic> {
        self.files.iter().enumerate().filter_map(|(file, source)| source.diagnostic(file)).collect()
    }
}

fn without_mark(mut text: String) -> String {
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    text
}
