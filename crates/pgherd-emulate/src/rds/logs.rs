//! The server's log: `DescribeDBLogFiles` and `DownloadDBLogFilePortion`.
//!
//! Without a PostgreSQL behind it, the log of an instance is a line for each thing that happened to it.

use super::state::Region;
use super::{Listing, paged};
use crate::wire::{Element, Form, Refusal};

/// The one file.
const FILE: &str = "error/postgresql.log";

/// At most so many lines in one answer.
const MOST: usize = 10_000;

/// `DescribeDBLogFiles`.
pub fn describe(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let id = existing(region, form)?;
    let lines = lines(region, &id);
    let last = region.events.iter().rev().find(|event| event.source == id).map(|event| event.at);
    let is_asked = form.text("FilenameContains").is_none_or(|part| FILE.contains(part));
    let file = last.filter(|_| is_asked).map(|at| {
        Element::new("DescribeDBLogFilesDetails")
            .put("LogFileName", FILE)
            .put("LastWritten", at.as_millisecond())
            .put("Size", lines.iter().map(String::len).sum::<usize>())
    });
    paged(form, Listing { name: "DescribeDBLogFiles", items: file.into_iter().collect() })
}

/// `DownloadDBLogFilePortion`: from `Marker` on (`0`: the beginning), else the last lines.
pub fn download(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let id = existing(region, form)?;
    let name = form.required("LogFileName")?;
    if name != FILE {
        return Err(Refusal::missing(
            "DBLogFileNotFoundFault",
            format!("DBLog File: {name}, is not found on the DB instance"),
        ));
    }
    let most = form.int("NumberOfLines")?.map_or(Some(MOST), |lines| usize::try_from(lines).ok());
    let most = most.filter(|most| (1..=MOST).contains(most));
    let most = most.ok_or_else(|| Refusal::value("NumberOfLines must be between 1 and 10000."))?;
    let lines = lines(region, &id);
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

fn lines(region: &Region, id: &str) -> Vec<String> {
    let own = region.events.iter().filter(|event| event.source == id);
    own.map(|event| format!("{}:LOG:  {}\n", event.at.strftime("%Y-%m-%d %H:%M:%S UTC"), event.message)).collect()
}
