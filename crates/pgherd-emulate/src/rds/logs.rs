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
            .put("Size", file.lines.iter().map(String::len).sum::<usize>())
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
        None => lines.len().saturating_sub(most),
    };
    let portion: Vec<_> = lines.iter().skip(from).take(most).map(String::as_str).collect();
    let next = from + portion.len();
    Ok(Element::new("")
        .put("LogFileData", portion.concat())
        .put("Marker", next)
        .put("AdditionalDataPending", next < lines.len()))
}

fn existing(region: &Region, form: &Form) -> Result<String, Refusal> {
    let id = form.required("DBInstanceIdentifier")?.to_lowercase();
    region.instances.contains_key(&id).then(|| id.clone()).ok_or_else(|| Refusal::no_instance(&id))
}

/// A file of the log.
struct File {
    lines: Vec<String>,
    written: Timestamp,
}

/// The files of an instance by name: RDS begins one every hour.
fn files(region: &Region, id: &str) -> BTreeMap<String, File> {
    let mut files = BTreeMap::new();
    for (at, line) in region.instances.get(id).into_iter().flat_map(|instance| lines(region, instance)) {
        let name = format!("error/postgresql.log.{}", at.strftime("%Y-%m-%d-%H"));
        let file = files.entry(name).or_insert_with(|| File { lines: Vec::new(), written: at });
        file.lines.push(line);
        file.written = at;
    }
    files
}

/// The whole log of an instance: when a line came, and the line.
pub fn lines(region: &Region, instance: &Instance) -> Vec<(Timestamp, String)> {
    if instance.backed.is_some() {
        return region.said.get(&instance.resource_id).cloned().unwrap_or_default();
    }
    let own = region.events.iter().filter(|event| event.source == instance.id);
    let line = |Event { at, message, .. }: &Event| {
        (*at, format!("{}:LOG:  {message}\n", at.strftime("%Y-%m-%d %H:%M:%S UTC")))
    };
    own.map(line).collect()
}

impl Region {
    /// The PostgreSQL behind an instance has written lines. Of very many the oldest are forgotten.
    pub fn said(&mut self, server: &str, lines: Vec<String>, now: Timestamp) {
        if !self.instances.values().any(|instance| instance.resource_id == server) {
            return;
        }
        let said = self.said.entry(server.to_owned()).or_default();
        said.extend(lines.into_iter().map(|line| (now, line)));
        if said.len() > REMEMBERED {
            said.drain(..REMEMBERED / 2);
        }
    }
}
