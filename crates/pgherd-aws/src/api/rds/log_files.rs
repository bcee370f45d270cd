//! The log files of an instance, piece by piece.

use super::told::text;
use super::{asked, listed, unless_missing};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::session::Session;

/// The most lines of one piece (botocore 1.43.11, DownloadDBLogFilePortion).
pub(crate) const MOST_LINES: usize = 10_000;

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) name: String,
    /// When it was last written, ms since 1970.
    pub(crate) written_ms: i64,
    pub(crate) bytes: usize,
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Portion {
    pub(crate) text: String,
    /// Where the next piece begins.
    pub(crate) marker: Option<String>,
    /// Whether there is more by now.
    pub(crate) has_more: bool,
}

/// The files of an instance whose names contain this.
pub(crate) async fn log_files(session: &Session, region: &str, id: &str, part: &str) -> Result<Vec<LogFile>, AwsError> {
    let form = Form::new("DescribeDBLogFiles").set("DBInstanceIdentifier", id).set("FilenameContains", part);
    let read = |told: &Element| LogFile {
        name: text(told, "LogFileName").unwrap_or_default(),
        written_ms: told.int("LastWritten").unwrap_or_default(),
        bytes: told.int("Size").and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default(),
    };
    listed(session, region, form, ("DescribeDBLogFiles", "DescribeDBLogFilesDetails"), read).await
}

/// A piece from a marker on (`0`: the beginning), or the last lines; `None` where there is no such file any more.
pub(crate) async fn log_portion(
    session: &Session,
    region: &str,
    (id, file): (&str, &str),
    marker: Option<&str>,
    lines: usize,
) -> Result<Option<Portion>, AwsError> {
    let form = Form::new("DownloadDBLogFilePortion")
        .set("DBInstanceIdentifier", id)
        .set("LogFileName", file)
        .set("Marker", marker.map(str::to_owned))
        .set("NumberOfLines", u32::try_from(lines.clamp(1, MOST_LINES)).unwrap_or_default());
    let answer = unless_missing(asked(session, region, form).await, "DBLogFileNotFoundFault")?;
    Ok(answer.map(|told| Portion {
        text: told.text("LogFileData").unwrap_or_default().to_owned(),
        marker: text(&told, "Marker"),
        has_more: told.bool("AdditionalDataPending").unwrap_or_default(),
    }))
}
