//! What was read: our blocks, the blocks of others, and where everything stands.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::diagnostic::{At, Diagnostic};
use crate::inputs::Inputs;

/// A configuration, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// Our blocks, in the order of the files. Each label once.
    pub blocks: Vec<Inputs>,
    /// Blocks that are not pgherd's.
    pub foreign: Vec<Foreign>,
    /// Everything to tell about the text, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Every file's text as it may be shown beside a diagnostic: `*` in the place of every secret, byte for byte.
    pub shown: Vec<String>,
    pub(crate) spans: Spans,
}

/// A block that is not pgherd's, such as `resource "aws_db_snapshot" "manual_snapshot"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its header as written: `resource "aws_db_snapshot" "manual_snapshot"`.
    pub header: String,
    /// Index of the file.
    pub file: usize,
    /// Where the header stands.
    pub span: Range<usize>,
}

/// Where blocks, arguments, elements and attributes are written, by label and path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spans {
    by_block: BTreeMap<String, BTreeMap<String, (usize, Range<usize>)>>,
}

impl Document {
    /// Where a diagnostic points: file index and byte range.
    ///
    /// A path that is not written is answered by what encloses it: element, argument, block header.
    pub fn span(&self, at: &At) -> Option<(usize, Range<usize>)> {
        match at {
            At::Nowhere => None,
            At::Source { file, span } => Some((*file, span.clone())),
            At::Variable { block, path } => self.spans.find(block, path),
        }
    }
}

impl Spans {
    pub(crate) fn insert(&mut self, block: &str, path: &str, file: usize, span: Range<usize>) {
        self.by_block.entry(block.to_owned()).or_default().insert(path.to_owned(), (file, span));
    }

    fn find(&self, block: &str, path: &str) -> Option<(usize, Range<usize>)> {
        let paths = self.by_block.get(block)?;
        let mut path = path;
        loop {
            if let Some(found) = paths.get(path) {
                return Some(found.clone());
            }
            path = enclosing(path)?;
        }
    }
}

/// `parameters[2].value` -> `parameters[2]` -> `parameters` -> `` -> nothing.
fn enclosing(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    Some(path.rfind(['.', '[']).map_or("", |cut| &path[..cut]))
}
