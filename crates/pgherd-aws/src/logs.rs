//! The log of the server that is written to: RDS's own files, which are there whether they are exported to CloudWatch or not.
//!
//! RDS begins a file every hour and keeps them for three days unless `rds.log_retention_period` says otherwise (Amazon RDS User Guide,
//! "RDS for PostgreSQL database log files").

use std::collections::VecDeque;
use std::time::Duration;

use pgherd_core::report::LogAsked;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::time::sleep;

use crate::api::rds::{self, LogFile, MOST_LINES, Portion};
use crate::protocol::error::AwsError;
use crate::provider::Aws;

/// What the names of the server's log files have in common.
const NAMED: &str = "error/postgresql.log";
/// How often is looked for more at most: who follows reads along, and every look is a call of everybody's limit.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// The beginning of a file.
const BEGINNING: &str = "0";

/// Tells the last lines and, when following, what is written from then on.
pub(crate) async fn log(
    aws: &Aws,
    name: &str,
    asked: &LogAsked,
    on_line: &mut (dyn FnMut(String) + Send),
) -> Result<(), ProviderError> {
    let reader = Reader { aws, instance: name };
    let (last, mut at) = reader.last(asked.lines).await?;
    last.into_iter().for_each(&mut *on_line);
    if !asked.follow {
        return Ok(());
    }
    let mut lines = Lines::default();
    loop {
        sleep(aws.patience().between_looks.min(BETWEEN_LOOKS)).await;
        match reader.news(&mut at).await {
            Ok(texts) => texts.iter().for_each(|text| lines.add(text, on_line)),
            Err(error) if error.kind().is_transient() => {}
            Err(error) => return Err(explained(error)),
        }
    }
}

/// Where the next piece begins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: String,
    marker: String,
}

struct Reader<'a> {
    aws: &'a Aws,
    instance: &'a str,
}

impl Reader<'_> {
    /// The last lines, from as many files as it takes, and where to go on.
    async fn last(&self, lines: usize) -> Result<(VecDeque<String>, Option<Place>), ProviderError> {
        let files = self.files().await.map_err(explained)?;
        let (mut last, mut at) = (VecDeque::new(), None);
        for file in files.iter().rev() {
            let wanted = lines - last.len();
            let (text, marker) = self.end(file, wanted).await.map_err(explained)?;
            at.get_or_insert(Place { file: file.name.clone(), marker });
            for line in text.lines().rev().take(wanted) {
                last.push_front(line.to_owned());
            }
            if last.len() == lines {
                break;
            }
        }
        Ok((last, at))
    }

    /// What was written since, and where to go on then.
    async fn news(&self, at: &mut Option<Place>) -> Result<Vec<String>, AwsError> {
        let files = self.files().await?;
        // A file that has gone was older than all that are there.
        let known = at.as_ref().and_then(|at| files.iter().position(|file| file.name == at.file));
        let mut texts = Vec::new();
        for file in files.iter().skip(known.unwrap_or_default()) {
            let from = match at.take() {
                Some(place) if place.file == file.name => place.marker,
                _ => BEGINNING.to_owned(),
            };
            let (text, marker) = self.rest(&file.name, from).await?;
            *at = Some(Place { file: file.name.clone(), marker });
            texts.push(text);
        }
        Ok(texts)
    }

    /// The files of the log, oldest first. Those in CSV say the same again.
    async fn files(&self) -> Result<Vec<LogFile>, AwsError> {
        let mut files = rds::log_files(self.aws.session(), self.aws.region(), self.instance, NAMED).await?;
        files.retain(|file| !file.name.ends_with(".csv") && !file.name.ends_with(".json"));
        files.sort_by(|one, other| (one.written_ms, &one.name).cmp(&(other.written_ms, &other.name)));
        Ok(files)
    }

    /// At least the last lines of a file, and its end. One that is asked for no line still tells where it ends.
    async fn end(&self, file: &LogFile, lines: usize) -> Result<(String, String), AwsError> {
        if lines <= MOST_LINES {
            let Portion { text, marker, .. } = self.portion(&file.name, None, lines).await?;
            // A piece ends at 1 MB: without the rest of this file, the lines of the one before would follow a gap.
            if text.lines().count() >= lines || text.len() >= file.bytes {
                return Ok((text, marker.unwrap_or_else(|| BEGINNING.to_owned())));
            }
        }
        self.rest(&file.name, BEGINNING.to_owned()).await
    }

    /// A file from a marker on, and its end.
    async fn rest(&self, file: &str, mut marker: String) -> Result<(String, String), AwsError> {
        let mut all = String::new();
        loop {
            let Portion { text, marker: next, has_more } = self.portion(file, Some(&marker), MOST_LINES).await?;
            all.push_str(&text);
            match next {
                Some(next) if has_more && next != marker => marker = next,
                next => return Ok((all, next.unwrap_or(marker))),
            }
        }
    }

    /// A piece; an empty one of a file that has gone.
    async fn portion(&self, file: &str, marker: Option<&str>, lines: usize) -> Result<Portion, AwsError> {
        let of = (self.instance, file);
        let portion = rds::log_portion(self.aws.session(), self.aws.region(), of, marker, lines).await?;
        Ok(portion.unwrap_or_else(|| Portion { text: String::new(), marker: None, has_more: false }))
    }
}

/// Lines out of pieces, which may end in the middle of one.
#[derive(Debug, Default)]
struct Lines {
    begun: String,
}

impl Lines {
    fn add(&mut self, text: &str, on_line: &mut (dyn FnMut(String) + Send)) {
        self.begun.push_str(text);
        while let Some(end) = self.begun.find('\n') {
            let line: String = self.begun.drain(..=end).collect();
            on_line(line.trim_end_matches(['\n', '\r']).to_owned());
        }
    }
}

fn explained(error: AwsError) -> ProviderError {
    match error.kind() {
        ErrorKind::Denied => ProviderError::from(error)
            .help("the log takes the permissions rds:DescribeDBLogFiles and rds:DownloadDBLogFilePortion"),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_once_it_is_whole() {
        let (mut lines, mut told) = (Lines::default(), Vec::new());
        for piece in ["one\ntw", "", "o\r\nthree"] {
            lines.add(piece, &mut |line| told.push(line));
        }
        assert_eq!(told, ["one", "two"]);
        lines.add("\n\n", &mut |line| told.push(line));
        assert_eq!(told, ["one", "two", "three", ""]);
    }
}
