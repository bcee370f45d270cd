//! Decides every stream: results on stdout, talk on stderr, colours only where they are wanted.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use pgherd_core::diagnostic::Severity;
use pgherd_core::event::{Event, What};
use pgherd_targets::Told;
use serde::Serialize;

use crate::args::{Color, Global};
use crate::error::CommandError;
use crate::json::{self, Located};
use crate::progress;

/// An error's first word.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// A warning's first word.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Advice.
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// The one way to the terminal.
#[derive(Debug)]
pub struct Printer {
    verb: &'static str,
    out_color: ColorChoice,
    err_color: ColorChoice,
    json: bool,
    quiet: bool,
    verbose: bool,
    /// Diagnostics told so far; `--json` puts them into the one document it prints.
    told: RefCell<Vec<Located>>,
}

impl Printer {
    /// For a verb, as the flags and the terminal say.
    pub fn new(verb: &'static str, global: &Global) -> Self {
        Self {
            verb,
            out_color: choice(global.color, &io::stdout()),
            err_color: choice(global.color, &io::stderr()),
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            told: RefCell::default(),
        }
    }

    /// Whether the result is to be one JSON document.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether notes and every field are wanted.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Whether stderr is a terminal that can be drawn on.
    pub fn can_draw(&self) -> bool {
        io::stderr().is_terminal() && !self.quiet && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// Whether stderr may be coloured.
    pub fn err_is_colored(&self) -> bool {
        self.err_color != ColorChoice::Never
    }

    /// The result, or a part of it, as it stands (escape sequences are taken out where colours are not wanted).
    pub fn result(&self, text: &str) -> Result<(), CommandError> {
        let mut stdout = AutoStream::new(io::stdout().lock(), self.out_color);
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|cause| CommandError::io("the result cannot be written", &cause))
    }

    /// A result that is text for another program, such as a shell's script; with `--json` the document has it as `text`.
    pub fn text(&self, text: &str) -> Result<(), CommandError> {
        if self.json { self.json(&serde_json::json!({ "text": text })) } else { self.result(text) }
    }

    /// One of several results that follow each other without end, as a document of one line.
    pub fn json_line(&self, result: &impl Serialize) -> Result<(), CommandError> {
        self.result(&json::line(self.verb, result, &self.told.borrow()))
    }

    /// The result as the one JSON document of the verb.
    pub fn json(&self, result: &impl Serialize) -> Result<(), CommandError> {
        self.result(&json::document(self.verb, result, &self.told.borrow()))
    }

    /// Diagnostics: drawn on stderr, or kept for the JSON document. Notes only when they are wanted.
    pub fn diagnostics(&self, located: Vec<Located>) {
        if !self.json {
            for one in located.iter().filter(|one| self.wants(one)) {
                self.write_err(&one.draw(self.err_is_colored()));
            }
        }
        self.told.borrow_mut().extend(located);
    }

    /// How many diagnostics of a severity were told.
    pub fn told(&self, severity: Severity) -> usize {
        self.told.borrow().iter().filter(|one| one.severity == severity).count()
    }

    fn wants(&self, located: &Located) -> bool {
        match located.severity {
            Severity::Error => true,
            Severity::Warning => !self.quiet,
            Severity::Note => self.verbose,
        }
    }

    /// Talk: what is being done, in a line.
    pub fn say(&self, line: &str) {
        if !self.quiet && !self.json {
            self.write_err(&format!("{line}\n"));
        }
    }

    /// Tells, in the middle of whatever is waited for, what holds it up: as talk, or as an event.
    pub fn teller(&self) -> Told {
        let Self { verb, err_color, json, quiet, .. } = *self;
        Told::by(move |words| {
            if quiet {
                return;
            }
            let text = if json {
                let what = What::Said { message: words.to_owned() };
                json::event(verb, &Event { at: Timestamp::now(), block: String::new(), id: None, what })
            } else {
                format!("{words}\n")
            };
            progress::above(|| write_err(err_color, &text));
        })
    }

    /// What is going on, for a program: with `--json` each event is a line of JSON among the talk.
    pub fn event(&self, event: &Event) {
        if self.json && !self.quiet {
            self.write_err(&json::event(self.verb, event));
        }
    }

    /// Something that should be known although nothing is wrong. The JSON document has it, too.
    pub fn warn(&self, code: &'static str, message: &str, help: &str) {
        if !self.quiet {
            let help = if help.is_empty() { String::new() } else { format!("{HINT}hint{HINT:#}: {help}\n") };
            self.write_err(&format!("{WARNING}warning{WARNING:#}: {message}\n{help}"));
        }
        self.told.borrow_mut().push(Located::nowhere(Severity::Warning, code, message, help));
    }

    /// What to do next. Never with `--json`, whose reader is a program.
    pub fn next(&self, step: &str) {
        self.say(&format!("{HINT}next{HINT:#}: {step}"));
    }

    /// A question, without a line end. The answer is typed behind it.
    pub fn ask(&self, question: &str) {
        self.write_err(question);
    }

    /// An error, its causes and its hints on stderr; with `--json` also as the document on stdout.
    pub fn error(&self, error: &CommandError) {
        if error.kind == crate::error::Kind::ClosedPipe {
            return;
        }
        let mut text = format!("{ERROR}error{ERROR:#}: {}\n", error.message);
        for cause in &error.chain {
            text.push_str(&format!("  because {cause}\n"));
        }
        for hint in &error.hints {
            text.push_str(&format!("{HINT}hint{HINT:#}: {hint}\n"));
        }
        self.write_err(&text);
        if self.json {
            // The exit code already tells of the error; a closed stdout adds nothing to it.
            drop(self.result(&json::failure(self.verb, error, &self.told.borrow())));
        }
    }

    fn write_err(&self, text: &str) {
        write_err(self.err_color, text);
    }
}

fn write_err(color: ColorChoice, text: &str) {
    let mut stderr = AutoStream::new(io::stderr().lock(), color);
    // Talk that nobody can hear is no reason to stop.
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}

fn choice<S: anstream::stream::RawStream>(wanted: Color, stream: &S) -> ColorChoice {
    match wanted {
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
        Color::Auto => AutoStream::choice(stream),
    }
}
