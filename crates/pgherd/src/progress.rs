//! Shows events while work goes on: a line per resource on a terminal, a line per phase elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use pgherd_core::event::{Event, What};
use pgherd_core::resource::Id;
use pgherd_core::text;

use crate::printer::Printer;

/// How often a line is said about the same where nothing can be drawn.
const SAY_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// So long is counted before a rate is told.
const RATE_AFTER: SignedDuration = SignedDuration::from_millis(500);
/// Letters of a bar.
const BAR: u64 = 20;
/// How often a line on a terminal is drawn again.
const REDRAW: Duration = Duration::from_millis(100);

/// What is shown of a run.
#[derive(Debug)]
pub struct Progress<'a> {
    printer: &'a Printer,
    /// `None` when stderr is no terminal.
    drawing: Option<MultiProgress>,
    lines: BTreeMap<Key, Line>,
}

/// What is drawn now, so that whoever writes in between does not write into it.
static DRAWN: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Writes a line that stays, above those that move.
pub fn above(write: impl FnOnce()) {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match drawn {
        Some(drawing) => drawing.suspend(write),
        None => write(),
    }
}

/// A block and, when the event is about one, a resource.
type Key = (String, Option<Id>);

#[derive(Debug)]
struct Line {
    /// `create`, `update`, `delete`, or empty where no step was begun.
    action: String,
    /// `, usually 400 ms`, or empty.
    expected: String,
    /// What it is doing.
    phase: String,
    /// How far that was when it was first counted.
    counted: Option<Counted>,
    spinner: Option<ProgressBar>,
}

/// Since when something is counted.
#[derive(Debug)]
struct Counted {
    since: Timestamp,
    from: u64,
    said_at: Timestamp,
}

impl<'a> Progress<'a> {
    /// Nothing shown yet.
    pub fn new(printer: &'a Printer) -> Self {
        let drawing =
            printer.can_draw().then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(20)));
        DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&drawing);
        Self { printer, drawing, lines: BTreeMap::new() }
    }

    /// Shows one event.
    pub fn show(&mut self, event: &Event) {
        if self.printer.is_json() {
            return self.printer.event(event);
        }
        let key = (event.block.clone(), event.id.clone());
        let name = event.id.as_ref().map_or_else(|| event.block.clone(), Id::to_string);
        match &event.what {
            What::Started { action, expected_ms } => {
                let expected = expected_ms.map_or(String::new(), |ms| format!(", usually {}", text::duration(ms)));
                self.begin(key, &name, action, expected, doing(action));
            }
            What::Phase { phase } => self.phase(&key, &name, phase),
            What::Progress { done, total, unit } => self.count(&key, &name, (*done, *total, unit), event.at),
            What::Finished { took_ms } => {
                let action = self.lines.get(&key).map_or("", |line| line.action.as_str());
                let text = format!("{name}: {} in {}", done(action), text::duration(*took_ms));
                self.end(&key, &text);
            }
            What::Failed { message } => self.end(&key, &format!("{name}: failed: {message}")),
            What::Skipped { because } => self.end(&key, &format!("{name}: skipped: {because}")),
            What::Said { message } => self.line(&format!("{name}: {message}")),
        }
    }

    fn begin(&mut self, key: Key, name: &str, action: &str, expected: String, first: &str) {
        let spinner = self.drawing.as_ref().map(|drawing| {
            let spinner = drawing.add(ProgressBar::new_spinner()).with_style(style()).with_prefix(name.to_owned());
            // Before the first tick draws it.
            spinner.set_message(format!("{first}{expected}"));
            spinner.enable_steady_tick(REDRAW);
            spinner
        });
        if spinner.is_none() {
            self.printer.say(&format!("{name}: {first}{expected}"));
        }
        let (action, phase) = (action.to_owned(), first.to_owned());
        self.lines.insert(key, Line { action, expected, phase, counted: None, spinner });
    }

    fn phase(&mut self, key: &Key, name: &str, phase: &str) {
        let Some(line) = self.lines.get_mut(key) else {
            return self.begin(key.clone(), name, "", String::new(), phase);
        };
        (line.phase, line.counted) = (phase.to_owned(), None);
        match &line.spinner {
            Some(spinner) => spinner.set_message(format!("{phase}{}", line.expected)),
            None => self.printer.say(&format!("{name}: {phase}")),
        }
    }

    /// How far it is: on a terminal with a bar, elsewhere now and then.
    fn count(&mut self, key: &Key, name: &str, (done, total, unit): (u64, Option<u64>, &str), now: Timestamp) {
        let Some(line) = self.lines.get_mut(key) else { return };
        let counted = line.counted.get_or_insert(Counted { since: now, from: done, said_at: now });
        let words = [amount(done, total, unit), speed(counted, done, total, unit, now)].concat();
        match &line.spinner {
            Some(spinner) => {
                let bar = total.map_or(String::new(), |total| bar(done, total));
                spinner.set_message(format!("{}{bar} {words}", line.phase));
            }
            None if now.duration_since(counted.said_at) >= SAY_EVERY => {
                counted.said_at = now;
                self.printer.say(&format!("{name}: {}: {words}", line.phase));
            }
            None => {}
        }
    }

    fn end(&mut self, key: &Key, text: &str) {
        if let Some(Line { spinner: Some(spinner), .. }) = self.lines.remove(key) {
            spinner.finish_and_clear();
        }
        self.line(text);
    }

    /// A line that stays, above those that move.
    fn line(&self, text: &str) {
        above(|| self.printer.say(text));
    }
}

/// Lines that still move are wiped, whatever the reason for the end.
impl Drop for Progress<'_> {
    fn drop(&mut self) {
        for spinner in self.lines.values().filter_map(|line| line.spinner.as_ref()) {
            spinner.finish_and_clear();
        }
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix}: {msg}, {elapsed}").expect("the template is well-formed")
}

fn doing(action: &str) -> &str {
    match action {
        "create" => "creating",
        "update" => "changing",
        "delete" => "deleting",
        other => other,
    }
}

fn done(action: &str) -> &str {
    match action {
        "create" => "created",
        "update" => "changed",
        "delete" => "deleted",
        _ => "done",
    }
}

/// `, 95 MiB/s, 7 s left`, once that can be told.
fn speed(counted: &Counted, done: u64, total: Option<u64>, unit: &str, now: Timestamp) -> String {
    let elapsed = now.duration_since(counted.since);
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(0);
    let since = done.saturating_sub(counted.from);
    if unit != "bytes" || elapsed < RATE_AFTER || since == 0 {
        return String::new();
    }
    let rate = since.saturating_mul(1000) / ms;
    let left = total.map(|total| total.saturating_sub(done).saturating_mul(ms) / since);
    let left = left.map_or(String::new(), |ms| format!(", {} left", text::duration((ms / 1000).max(1) * 1000)));
    format!(", {}/s{left}", text::bytes(rate))
}

/// ` [######--------------]`
fn bar(done: u64, total: u64) -> String {
    let full = usize::try_from(done.min(total) * BAR / total.max(1)).unwrap_or(0);
    format!(" [{}{}]", "#".repeat(full), "-".repeat(usize::try_from(BAR).unwrap_or(0) - full))
}

fn amount(done: u64, total: Option<u64>, unit: &str) -> String {
    match (unit, total) {
        ("bytes", Some(total)) => format!("{} of {}", text::bytes(done), text::bytes(total)),
        ("bytes", None) => text::bytes(done),
        (_, Some(total)) => format!("{done} of {total} {unit}"),
        (_, None) => format!("{done} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ms: i64, done: u64, expected: &str) {
        let since = Timestamp::UNIX_EPOCH;
        let counted = Counted { since, from: 0, said_at: since };
        let now = since + SignedDuration::from_millis(ms);
        assert_eq!(speed(&counted, done, Some(100 << 20), "bytes", now), expected);
    }

    #[test]
    fn rate_and_time_left_are_told_once_they_can_be() {
        check(100, 1 << 20, "");
        check(2_000, 0, "");
        check(2_000, 20 << 20, ", 10 MiB/s, 8 s left");
        check(10_000, 100 << 20, ", 10 MiB/s, 1 s left");
    }

    #[test]
    fn a_bar_is_as_full_as_the_work() {
        assert_eq!(bar(0, 10), " [--------------------]");
        assert_eq!(bar(5, 10), " [##########----------]");
        assert_eq!(bar(99, 10), " [####################]");
        assert_eq!(bar(0, 0), " [--------------------]");
    }
}
