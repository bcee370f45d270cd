//! A look over a text before it is parsed: everything opened is closed, and nothing is so deep or so long that parsing,
//! evaluating or dropping it could exhaust the stack.
//!
//! The parser recurses and names a place far from an unclosed string or bracket; this look does neither: it walks the
//! bytes once, with its own stack, and knows just enough of HCL (strings, templates, heredocs, comments).

use std::ops::Range;

use crate::diagnostic::Diagnostic;

/// Brackets, templates and blocks inside each other. The parser itself stops at 64.
const MAX_DEPTH: usize = 48;
/// Operators in one expression between two commas or line ends. The parser itself stops at 128.
const MAX_OPERATORS: usize = 100;
/// Steps of one reference such as `a.b.c`; real ones have fewer than ten.
const MAX_STEPS: usize = 200;
/// Names given a value inside of one pair of braces. The parser compares each with all before it: 50,000 take minutes.
const MAX_NAMES: usize = 4000;

/// The first thing that makes a text unreadable, if any.
pub(super) fn check(file: usize, text: &str) -> Result<(), Diagnostic> {
    let mut walk = Walk { text: text.as_bytes(), at: 0, open: Vec::new(), counts: vec![Counts::default()] };
    walk.run().map_err(|trouble| trouble.diagnostic(text, file))
}

/// What is open at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Open {
    /// `(`, `[` or `{`.
    Bracket(u8),
    /// `${` or `%{` inside a string or heredoc.
    Template,
    /// `"`.
    Quote,
    /// `<<NAME`; the range is the name.
    Heredoc(Range<usize>),
}

/// Operators and steps since the last comma or line end at one depth, and names since it was opened.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    operators: usize,
    steps: usize,
    names: usize,
}

#[derive(Debug)]
enum Trouble {
    TooDeep(usize),
    TooManyOperators(usize),
    TooManySteps(usize),
    TooManyNames(usize),
    Unclosed { what: Open, at: usize },
    Stray(usize),
    UnclosedComment(usize),
}

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    open: Vec<(Open, usize)>,
    /// One for every depth at which expressions stand, the file itself first.
    counts: Vec<Counts>,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Trouble> {
        while self.at < self.text.len() {
            match self.open.last() {
                Some((Open::Quote, at)) => self.in_quote(*at)?,
                Some((Open::Heredoc(name), _)) => self.in_heredoc(name.clone())?,
                Some((Open::Bracket(_) | Open::Template, _)) | None => self.in_expression()?,
            }
        }
        match self.open.pop() {
            Some((what, at)) => Err(Trouble::Unclosed { what, at }),
            None => Ok(()),
        }
    }

    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    fn push(&mut self, what: Open, width: usize) -> Result<(), Trouble> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Trouble::TooDeep(self.at));
        }
        self.open.push((what, self.at));
        self.counts.push(Counts::default());
        self.at += width;
        Ok(())
    }

    fn pop(&mut self, width: usize) {
        self.open.pop();
        self.counts.pop();
        self.at += width;
    }

    /// A template marker, escaped or not, at this place of a string or heredoc.
    fn template(&mut self) -> Result<bool, Trouble> {
        let rest = self.rest();
        if rest.starts_with(b"$${") || rest.starts_with(b"%%{") {
            self.at += 3;
        } else if rest.starts_with(b"${") || rest.starts_with(b"%{") {
            self.push(Open::Template, 2)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn in_quote(&mut self, opened: usize) -> Result<(), Trouble> {
        if self.template()? {
            return Ok(());
        }
        match self.text[self.at] {
            b'"' => self.pop(1),
            b'\\' => self.at += 2,
            b'\n' => return Err(Trouble::Unclosed { what: Open::Quote, at: opened }),
            _ => self.at += 1,
        }
        Ok(())
    }

    fn in_heredoc(&mut self, name: Range<usize>) -> Result<(), Trouble> {
        if self.at > 0 && self.text[self.at - 1] == b'\n' {
            let line_end = self.rest().iter().position(|byte| *byte == b'\n').unwrap_or(self.rest().len());
            let line = self.rest()[..line_end].trim_ascii_start();
            let closes =
                line.strip_prefix(&self.text[name]).is_some_and(|after| !after.first().is_some_and(|b| is_word(*b)));
            if closes {
                let end = self.at + line_end;
                self.pop(0);
                self.at = end;
                return Ok(());
            }
        }
        if !self.template()? {
            self.at += 1;
        }
        Ok(())
    }

    fn in_expression(&mut self) -> Result<(), Trouble> {
        let rest = self.rest();
        let byte = rest[0];
        if rest.starts_with(b"/*") {
            return self.comment();
        }
        match byte {
            b'"' => self.push(Open::Quote, 1),
            b'#' => self.line_comment(),
            b'/' if rest.starts_with(b"//") => self.line_comment(),
            b'<' if self.heredoc_name().is_some() => self.heredoc(),
            b'(' | b'[' | b'{' => self.push(Open::Bracket(byte), 1),
            b')' | b']' | b'}' => self.close(byte),
            b'\n' | b',' => {
                self.reset(1);
                Ok(())
            }
            b':' => self.name_with_colon(),
            b'=' if !matches!(rest.get(1), Some(b'=' | b'>')) => self.name(),
            b'!' | b'-' | b'+' | b'*' | b'/' | b'%' | b'<' | b'>' | b'=' | b'&' | b'|' | b'?' => self.operator(),
            b'.' => self.step(),
            _ if is_word(byte) => {
                self.at += rest.iter().take_while(|byte| is_word(**byte) || **byte == b'-').count();
                Ok(())
            }
            _ => {
                self.at += 1;
                Ok(())
            }
        }
    }

    fn reset(&mut self, width: usize) {
        if let Some(counts) = self.counts.last_mut() {
            *counts = Counts { names: counts.names, ..Counts::default() };
        }
        self.at += width;
    }

    /// The `=` or `:` behind a name.
    fn name(&mut self) -> Result<(), Trouble> {
        let at = self.at;
        self.reset(1);
        let Some(counts) = self.counts.last_mut() else { return Ok(()) };
        counts.names += 1;
        if counts.names > MAX_NAMES { Err(Trouble::TooManyNames(at)) } else { Ok(()) }
    }

    /// A `:` is a conditional's, too, whose operators go on being counted.
    fn name_with_colon(&mut self) -> Result<(), Trouble> {
        let before = self.counts.last().copied().unwrap_or_default();
        self.name()?;
        if let Some(counts) = self.counts.last_mut() {
            *counts = Counts { names: counts.names, ..before };
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), Trouble> {
        let end = self.rest().windows(2).skip(2).position(|pair| pair == b"*/");
        let Some(end) = end else { return Err(Trouble::UnclosedComment(self.at)) };
        self.at += end + 4;
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "one arm of a match whose other arms can fail")]
    fn line_comment(&mut self) -> Result<(), Trouble> {
        self.at += self.rest().iter().take_while(|byte| **byte != b'\n').count();
        Ok(())
    }

    /// The name of a heredoc that starts here: `<<NAME` or `<<-NAME`, and nothing else on the line.
    fn heredoc_name(&self) -> Option<Range<usize>> {
        let after = self.rest().strip_prefix(b"<<")?;
        let dash = usize::from(after.first() == Some(&b'-'));
        let length = after[dash..].iter().take_while(|byte| is_word(**byte) || **byte == b'-').count();
        let start = self.at + 2 + dash;
        (length > 0).then_some(start..start + length)
    }

    fn heredoc(&mut self) -> Result<(), Trouble> {
        let name = self.heredoc_name().unwrap_or_default();
        let line = self.rest().iter().take_while(|byte| **byte != b'\n').count();
        self.push(Open::Heredoc(name), line + 1)
    }

    fn close(&mut self, byte: u8) -> Result<(), Trouble> {
        match self.open.last() {
            Some((Open::Bracket(open), _)) if closer(*open) == byte => self.pop(1),
            Some((Open::Template, _)) if byte == b'}' => self.pop(1),
            Some((inner, at)) if self.closes_something(byte) => {
                return Err(Trouble::Unclosed { what: inner.clone(), at: *at });
            }
            Some(_) | None => return Err(Trouble::Stray(self.at)),
        }
        Ok(())
    }

    /// Whether something further out waits for this closing bracket: then what is inside was forgotten.
    fn closes_something(&self, byte: u8) -> bool {
        self.open.iter().any(|(open, _)| match open {
            Open::Bracket(open) => closer(*open) == byte,
            Open::Template => byte == b'}',
            Open::Quote | Open::Heredoc(_) => false,
        })
    }

    fn operator(&mut self) -> Result<(), Trouble> {
        let double = matches!(self.rest(), [b'=', b'=' | b'>', ..] | [b'!' | b'<' | b'>', b'=', ..])
            || matches!(self.rest(), [b'&', b'&', ..] | [b'|', b'|', ..]);
        let at = self.at;
        self.at += 1 + usize::from(double);
        let Some(counts) = self.counts.last_mut() else { return Ok(()) };
        counts.operators += 1;
        if counts.operators > MAX_OPERATORS { Err(Trouble::TooManyOperators(at)) } else { Ok(()) }
    }

    fn step(&mut self) -> Result<(), Trouble> {
        let at = self.at;
        self.at += 1;
        let Some(counts) = self.counts.last_mut() else { return Ok(()) };
        counts.steps += 1;
        if counts.steps > MAX_STEPS { Err(Trouble::TooManySteps(at)) } else { Ok(()) }
    }
}

fn closer(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl Trouble {
    fn diagnostic(self, text: &str, file: usize) -> Diagnostic {
        let too_complex = |at, message: String, help: &str| {
            Diagnostic::error("too-complex", message).at_source(file, one(text, at)).help(help)
        };
        match self {
            Self::TooDeep(at) => too_complex(
                at,
                format!("more than {MAX_DEPTH} brackets, templates or blocks are open here"),
                "give inner parts names in a `locals` block",
            ),
            Self::TooManyOperators(at) => too_complex(
                at,
                format!("this expression has more than {MAX_OPERATORS} operators"),
                "give parts of it names in a `locals` block, or use sum([…]), join(\"\", […]) or a for expression",
            ),
            Self::TooManySteps(at) => too_complex(
                at,
                format!("this reference has more than {MAX_STEPS} steps"),
                "check the file: this looks generated",
            ),
            Self::TooManyNames(at) => too_complex(
                at,
                format!("more than {MAX_NAMES} names are given a value inside of one pair of braces"),
                "check the file: this looks generated",
            ),
            Self::Unclosed { what, at } => unclosed(&what, text, file, at),
            Self::Stray(at) => Diagnostic::error(
                "unopened",
                format!("nothing is open that this `{}` could close", &text[one(text, at)]),
            )
            .at_source(file, one(text, at))
            .help("remove it, or look for a closing bracket too many above"),
            Self::UnclosedComment(at) => Diagnostic::error("unclosed", "this comment is never closed")
                .at_source(file, at..at + 2)
                .help("close it with `*/`, or start each line with `#`"),
        }
    }
}

fn unclosed(what: &Open, text: &str, file: usize, at: usize) -> Diagnostic {
    let (message, help, width) = match what {
        Open::Bracket(open) => {
            let (open, close) = (char::from(*open), char::from(closer(*open)));
            (format!("this `{open}` is never closed"), format!("add the missing `{close}`"), 1)
        }
        Open::Template => (
            "this template is never closed".to_owned(),
            "add the missing `}`, or write `$${` for a literal `${`".to_owned(),
            2,
        ),
        Open::Quote => (
            "this string is not closed on its line".to_owned(),
            "add the missing `\"`; for text of several lines write <<-EOT … EOT".to_owned(),
            1,
        ),
        Open::Heredoc(name) => {
            let name = &text[name.clone()];
            (
                format!("this text never ends: no line is just `{name}`"),
                format!("write `{name}` alone on the line after the text"),
                2,
            )
        }
    };
    Diagnostic::error("unclosed", message).at_source(file, at..at + width).help(help)
}

/// The one character at a place.
fn one(text: &str, at: usize) -> Range<usize> {
    at..at + text[at..].chars().next().map_or(0, char::len_utf8)
}
