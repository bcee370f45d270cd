//! `DescribeEvents`.

use jiff::{SignedDuration, Timestamp};

use super::state::{Event, Region};
use super::{Listing, paged};
use crate::wire::{Element, Form, Refusal};

/// `DescribeEvents`: of the last hour, if nothing else is asked for.
pub fn describe(region: &Region, form: &Form, now: Timestamp) -> Result<Element, Refusal> {
    let minutes = form.int("Duration")?.unwrap_or(60);
    let time = |name: &str| {
        let parsed = form.text(name).map(str::parse::<Timestamp>).transpose();
        parsed.map_err(|_| Refusal::value(format!("{name} is not a time.")))
    };
    let since = now.checked_sub(SignedDuration::from_mins(minutes)).unwrap_or(Timestamp::MIN);
    let since = time("StartTime")?.unwrap_or(since);
    let until = time("EndTime")?.unwrap_or(now);
    let source = form.text("SourceIdentifier");
    match form.text("SourceType") {
        None if source.is_some() => {
            return Err(Refusal::combination("SourceType must also be provided with SourceIdentifier."));
        }
        // Nothing happens to anything else here.
        None | Some("db-instance") => {}
        Some(_) => return paged(form, Listing { name: "Events", items: Vec::new() }),
    }
    let found = region
        .events
        .iter()
        .filter(|event| event.at >= since && event.at <= until && source.is_none_or(|source| event.source == source));
    paged(form, Listing { name: "Events", items: found.map(|event| shown(region, event)).collect() })
}

fn shown(region: &Region, event: &Event) -> Element {
    Element::new("Event")
        .put("SourceIdentifier", &event.source)
        .put("SourceType", "db-instance")
        .put("Message", &event.message)
        .texts("EventCategories", "EventCategory", [event.category])
        .time("Date", event.at)
        .put("SourceArn", region.arn("db", &event.source))
}
