//! The server's log: `DescribeDBLogFiles` and `DownloadDBLogFilePortion`.
//!
//! The log of an instance is what the PostgreSQL behind it writes; without one a line for each thing that happened to it. There is a
//! file for each hour in which there was something to say.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::instance::Instance;
use super::state::{Event, Region};
use super::{Listing, paged};
use crate::wire::{Element, Form, Refusal};

/// At most so many lines in one answer.
const MOST: usize = 10_000;

/// So many lines of an instance are remembered.
const REMEMBERED: usize = 100_000;

/// `DescribeDBLogFiles`.
pub fn describe(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let id = existing(region, form)?;
    let is_asked = |name: &str| form.text("FilenameContains").is_none_or(|part| name.contains(part));
    let files = files(region, &id).into_iter().filter(|(name, _)| is_asked(name)).map(|(name, file)| {
        Element::new("DescribeDBLogFilesDetails")
            .put("LogFileName", name)
            .put("LastWritten", file.written.as_millisecond())
            .put("Size", file.lines.iter().map(|line| line.text.len()).sum::<usize>())
    });
    paged(form, Listing { name: "DescribeDBLogFiles", items: files.collect() })
}

/// `DownloadDBLogFilePortion`: from `Marker` on (`0`: the beginning), else the last lines.
pub fn download(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let id = existing(region, form)?;
    let name = form.required("LogFileName")?;
    let lines = files(region, &id).remove(name).map(|file| file.lines).ok_or_else(|| {
        Refusal::missing("DBLogFileNotFoundFault", format!("DBLog File: {name}, is not found on the DB instance"))
    })?;
    let most = form.int("NumberOfLines")?.map_or(Some(MOST), |lines| usize::try_from(lines).ok());
    let most = most.filter(|most| (1..=MOST).contains(most));
    let most = most.ok_or_else(|| Refusal::value("NumberOfLines must be between 1 and 10000."))?;
    let from = match form.text("Marker") {
        Some(marker) => marker.parse().map_err(|_| Refusal::value(format!("Invalid Marker: {marker}")))?,
        None => lines.len().checked_sub(most).map_or(0, |first| lines[first].number),
    };
    let mut rest = lines.iter().filter(|line| line.number >= from);
    let portion: Vec<_> = rest.by_ref().take(most).collect();
    let next = portion.last().map_or(from, |line| line.number + 1);
    Ok(Element::new("")
        .put("LogFileData", portion.iter().map(|line| line.text.as_str()).collect::<String>())
        .put("Marker", next)
        .put("AdditionalDataPending", rest.next().is_some()))
}

fn existing(region: &Region, form: &Form) -> Result<String, Refusal> {
    let id = form.required("DBInstanceIdentifier")?.to_lowercase();
    region.instances.contains_key(&id).then(|| id.clone()).ok_or_else(|| Refusal::no_instance(&id))
}

/// A line of a log.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number, which it keeps when lines before it are forgotten; markers are such numbers.
    pub number: usize,
    /// When it came.
    pub at: Timestamp,
    /// The line, with its end.
    pub text: String,
}

/// A file of the log.
struct File {
    lines: Vec<Line>,
    written: Timestamp,
}

/// The files of an instance by name: RDS begins one every hour.
fn files(region: &Region, id: &str) -> BTreeMap<String, File> {
    let mut files = BTreeMap::new();
    for line in region.instances.get(id).into_iter().flat_map(|instance| since(region, instance, 0)) {
        let name = format!("error/postgresql.log.{}", line.at.strftime("%Y-%m-%d-%H"));
        let file = files.entry(name).or_insert_with(|| File { lines: Vec::new(), written: line.at });
        file.written = line.at;
        file.lines.push(line);
    }
    files
}

/// The log of an instance from the line of a number on.
pub fn since(region: &Region, instance: &Instance, first: usize) -> Vec<Line> {
    if instance.backed.is_some() {
        let Some(said) = region.said.get(&instance.resource_id) else { return Vec::new() };
        return said.range(said.partition_point(|line| line.number < first)..).cloned().collect();
    }
    let own = region.events.iter().filter(|event| event.source == instance.id).enumerate();
    let line = |(number, Event { at, message, .. }): (usize, &Event)| {
        let text = format!("{}:LOG:  {message}\n", at.strftime("%Y-%m-%d %H:%M:%S UTC"));
        Line { number, at: *at, text }
    };
    own.skip(first).map(line).collect()
}

impl Region {
    /// The PostgreSQL behind an instance has written lines. Of very many the oldest are forgotten.
    pub fn said(&mut self, server: &str, lines: Vec<String>, now: Timestamp) {
        if !self.instances.values().any(|instance| instance.resource_id == server) {
            return;
        }
        let said = self.said.entry(server.to_owned()).or_default();
        for text in lines {
            said.push_back(Line { number: self.lines, at: now, text });
            self.lines += 1;
        }
        if said.len() > REMEMBERED {
            said.drain(..REMEMBERED / 2);
        }
    }
}
