//! What is written in streams, and read from them piece by piece.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Event, Logs, Stream, invalid};
use crate::around::most;
use crate::wire::{Fields, Refusal};

/// The most lines in one answer.
const MOST: usize = 10_000;

/// `PutLogEvents`.
pub fn put(logs: &mut Logs, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let events = sent.structures("logEvents")?;
    let read = events.iter().map(|event| {
        let at = event.int("timestamp")?.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let at = at.ok_or_else(|| invalid("Each event has a timestamp."))?;
        let message = event.required("message", "InvalidParameterException")?.to_owned();
        Ok(Event { at, taken: now, message })
    });
    let read = read.collect::<Result<Vec<_>, Refusal>>()?;
    if read.is_empty() || !read.is_sorted_by_key(|event| event.at) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    stream(logs, sent)?.events.extend(read);
    Ok(json!({ "nextSequenceToken": "0" }))
}

/// `GetLogEvents`: from the end, or from the beginning when that is said; tokens lead on in both directions and never end.
pub fn get(logs: &mut Logs, sent: &Fields) -> Result<Value, Refusal> {
    let most = most(sent.int("limit")?, MOST, MOST, "InvalidParameterException")?;
    let from_head = sent.bool("startFromHead")?.unwrap_or(false);
    let token = sent.text("nextToken")?.map(str::to_owned);
    let (since, until) = range(sent)?;
    let stream = stream(logs, sent)?;
    let events: Vec<_> = stream.events.iter().filter(|event| event.at >= since && event.at < until).collect();
    let (begin, end) = match &token {
        None if from_head => (0, most),
        None => (events.len().saturating_sub(most), events.len()),
        Some(token) => {
            let (direction, at) = token.split_at_checked(2).unwrap_or_default();
            let at: usize = at.parse().map_err(|_| invalid("The specified nextToken is invalid."))?;
            match direction {
                "f/" => (at, at.saturating_add(most)),
                "b/" => (at.saturating_sub(most), at),
                _ => return Err(invalid("The specified nextToken is invalid.")),
            }
        }
    };
    let (begin, end) = (begin.min(events.len()), end.min(events.len()));
    let shown = events[begin..end].iter().map(|event| {
        json!({
            "timestamp": event.at.as_millisecond(),
            "message": event.message,
            "ingestionTime": event.taken.as_millisecond(),
        })
    });
    Ok(json!({
        "events": shown.collect::<Vec<_>>(),
        "nextForwardToken": format!("f/{end}"),
        "nextBackwardToken": format!("b/{begin}"),
    }))
}

/// `FilterLogEvents`: of all streams of a group, in order of time. A pattern is words that must all stand in a line.
pub fn filter(logs: &mut Logs, sent: &Fields) -> Result<Value, Refusal> {
    let most = most(sent.int("limit")?, MOST, MOST, "InvalidParameterException")?;
    let (since, until) = range(sent)?;
    let pattern = sent.text("filterPattern")?.unwrap_or_default().to_owned();
    if pattern.starts_with(['{', '[', '%']) || pattern.contains(['?', '-']) && !pattern.starts_with('"') {
        return Err(invalid("The emulator understands filter patterns of plain words and of one quoted phrase only."));
    }
    let words: Vec<&str> = match pattern.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(phrase) => vec![phrase],
        None => pattern.split_whitespace().collect(),
    };
    let streams = sent.texts("logStreamNames")?;
    let prefix = sent.text("logStreamNamePrefix")?.unwrap_or_default().to_owned();
    let token = sent.text("nextToken")?.map(str::to_owned);
    let group = logs.group(sent)?;
    let is_asked =
        |name: &String| streams.as_ref().is_none_or(|asked| asked.contains(name)) && name.starts_with(&prefix);
    let all = group.streams.iter().filter(|(name, _)| is_asked(name));
    let all = all.flat_map(|(name, stream)| stream.events.iter().enumerate().map(move |(n, event)| (name, n, event)));
    let mut found: Vec<_> = all
        .filter(|(_, _, event)| event.at >= since && event.at < until)
        .filter(|(_, _, event)| words.iter().all(|word| event.message.contains(word)))
        .collect();
    found.sort_by_key(|(_, _, event)| event.at);
    let (page, next) = crate::around::page(found, most, token.as_deref(), "InvalidParameterException")?;
    let shown = page.into_iter().map(|(name, n, event)| {
        json!({
            "logStreamName": name,
            "timestamp": event.at.as_millisecond(),
            "message": event.message,
            "ingestionTime": event.taken.as_millisecond(),
            "eventId": format!("{}-{n:012}", event.at.as_millisecond()),
        })
    });
    let mut answer = json!({ "events": shown.collect::<Vec<_>>(), "searchedLogStreams": [] });
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

fn stream<'a>(logs: &'a mut Logs, sent: &Fields) -> Result<&'a mut Stream, Refusal> {
    let name = sent.required("logStreamName", "InvalidParameterException")?;
    let group = logs.group(sent)?;
    group
        .streams
        .get_mut(name)
        .ok_or_else(|| Refusal::of("ResourceNotFoundException", "The specified log stream does not exist."))
}

fn range(sent: &Fields) -> Result<(Timestamp, Timestamp), Refusal> {
    let of = |name: &str, default: Timestamp| {
        let ms = sent.int(name)?;
        let at = ms.map(|ms| Timestamp::from_millisecond(ms).map_err(|_| invalid(format!("{name} is not a time."))));
        Ok::<_, Refusal>(at.transpose()?.unwrap_or(default))
    };
    Ok((of("startTime", Timestamp::MIN)?, of("endTime", Timestamp::MAX)?))
}
