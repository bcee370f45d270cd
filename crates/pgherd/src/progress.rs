//! Shows events while work goes on: a line per resource on a terminal, a line per phase elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgherd_core::event::{Event, What};
use pgherd_core::resource::Id;
use pgherd_core::text;

use crate::printer::Printer;

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

/// A block and, when the event is about one, a resource.
type Key = (String, Option<Id>);

#[derive(Debug)]
struct Line {
    /// `create`, `update`, `delete`, or empty where no step was begun.
    action: String,
    /// `, usually 400 ms`, or empty.
    expected: String,
    spinner: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    /// Nothing shown yet.
    pub fn new(printer: &'a Printer) -> Self {
        let drawing =
            printer.can_draw().then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(20)));
        Self { printer, drawing, lines: BTreeMap::new() }
    }

    /// Shows one event.
    pub fn show(&mut self, event: &Event) {
        let key = (event.block.clone(), event.id.clone());
        let name = event.id.as_ref().map_or_else(|| event.block.clone(), Id::to_string);
        match &event.what {
            What::Started { action, expected_ms } => {
                let expected = expected_ms.map_or(String::new(), |ms| format!(", usually {}", text::duration(ms)));
                self.begin(key, &name, action, expected, doing(action));
            }
            What::Phase { phase } => self.phase(&key, &name, phase),
            What::Progress { done, total, unit } => self.phase(&key, &name, &amount(*done, *total, unit)),
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
        self.lines.insert(key, Line { action: action.to_owned(), expected, spinner });
    }

    fn phase(&mut self, key: &Key, name: &str, phase: &str) {
        match self.lines.get(key) {
            None => self.begin(key.clone(), name, "", String::new(), phase),
            Some(Line { spinner: Some(spinner), expected, .. }) => spinner.set_message(format!("{phase}{expected}")),
            Some(Line { spinner: None, .. }) => self.printer.say(&format!("{name}: {phase}")),
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
        match &self.drawing {
            Some(drawing) => drawing.suspend(|| self.printer.say(text)),
            None => self.printer.say(text),
        }
    }
}

/// Lines that still move are wiped, whatever the reason for the end.
impl Drop for Progress<'_> {
    fn drop(&mut self) {
        for spinner in self.lines.values().filter_map(|line| line.spinner.as_ref()) {
            spinner.finish_and_clear();
        }
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

fn amount(done: u64, total: Option<u64>, unit: &str) -> String {
    match (unit, total) {
        ("bytes", Some(total)) => format!("{} of {}", text::bytes(done), text::bytes(total)),
        ("bytes", None) => text::bytes(done),
        (_, Some(total)) => format!("{done} of {total} {unit}"),
        (_, None) => format!("{done} {unit}"),
    }
}
