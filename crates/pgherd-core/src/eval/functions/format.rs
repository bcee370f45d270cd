//! `format` and `formatlist`: text after a pattern.

use super::arguments::{text, value};
use super::strings::{affordable, list_length};
use super::{Fault, Function, at_least};
use crate::eval::{coerce, what_it_is};
use crate::value::Value;

pub(super) const TABLE: &[Function] = &[
    Function::pure(
        "format",
        "format(pattern, value, …)",
        at_least(1),
        "A text after a pattern: %s, %d, %5.2f, %q, %v, %t, %x.",
        |a, room| format(&text(a, 0)?, &a[1..], room).map(Value::Text),
    ),
    Function::pure(
        "formatlist",
        "formatlist(pattern, list, …)",
        at_least(1),
        "A list of texts after a pattern, one for each element.",
        formatlist,
    ),
];

fn formatlist(a: &[Value], room: usize) -> Result<Value, Fault> {
    let pattern = text(a, 0)?;
    let mut length = None;
    for index in 1..a.len() {
        let Some(this) = list_length(a, index) else { continue };
        if length.is_some_and(|length| length != this) {
            return Err(Fault::at(index, "the lists have different lengths"));
        }
        length = Some(this);
    }
    let pick = |argument: &Value, turn: usize| {
        argument.as_list().map_or_else(|| argument.clone(), |list| value(list, turn).clone())
    };
    let turns = length.unwrap_or(1);
    let line = |turn: usize| {
        let arguments: Vec<Value> = a[1..].iter().map(|argument| pick(argument, turn)).collect();
        format(&pattern, &arguments, room / turns.max(1)).map(Value::Text)
    };
    (0..turns).map(line).collect::<Result<_, _>>().map(Value::List)
}

/// One `%…` of a pattern.
#[derive(Debug, Default)]
struct Verb {
    left: bool,
    zeros: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
    argument: Option<usize>,
    letter: char,
}

fn format(pattern: &str, arguments: &[Value], room: usize) -> Result<String, Fault> {
    let mut out = String::new();
    let mut next = 0;
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let (verb, after) = verb(after)
            .ok_or_else(|| Fault::at(0, "the pattern ends within a `%`").help("write %% for a percent sign"))?;
        rest = after;
        if verb.letter == '%' {
            out.push('%');
            continue;
        }
        let index = verb.argument.unwrap_or(next);
        next = index + 1;
        let argument = arguments.get(index).ok_or_else(|| {
            Fault::at(0, format!("the pattern asks for value {}, and there are {}", index + 1, arguments.len()))
        })?;
        affordable(out.len().checked_add(verb.width.max(verb.precision.unwrap_or(0))), room)?;
        out.push_str(&verb.apply(argument, index + 1)?);
    }
    out.push_str(rest);
    Ok(out)
}

/// What stands after a `%`, and what follows it.
fn verb(text: &str) -> Option<(Verb, &str)> {
    let mut verb = Verb::default();
    let mut rest = text;
    loop {
        let letter = rest.chars().next()?;
        match letter {
            '-' => verb.left = true,
            '0' => verb.zeros = true,
            '+' => verb.plus = true,
            ' ' | '#' => {}
            _ => break,
        }
        rest = &rest[1..];
    }
    (verb.width, rest) = digits(rest);
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = digits(after);
        (verb.precision, rest) = (Some(precision), after);
    }
    if let Some(after) = rest.strip_prefix('[') {
        let (number, after) = digits(after);
        verb.argument = Some(number.checked_sub(1)?);
        rest = after.strip_prefix(']')?;
    }
    verb.letter = rest.chars().next()?;
    let after = &rest[verb.letter.len_utf8()..];
    Some((verb, after))
}

fn digits(text: &str) -> (usize, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    (text[..end].parse().unwrap_or(if end == 0 { 0 } else { usize::MAX }), &text[end..])
}

impl Verb {
    fn apply(&self, argument: &Value, index: usize) -> Result<String, Fault> {
        let wrong =
            |what: &str| Fault::at(index, format!("%{} wants {what}, not {}", self.letter, what_it_is(argument)));
        let text = || coerce::text(argument).ok_or_else(|| wrong("a string"));
        let int = || coerce::int(argument).ok_or_else(|| wrong("a whole number"));
        let float = || coerce::float(argument).ok_or_else(|| wrong("a number"));
        let json = || serde_json::to_string(&text()?).map_err(|_| wrong("a string"));
        // Fractions of more digits than any number has would only be zeros.
        let precision = self.precision.unwrap_or(6).min(400);
        let piece = match self.letter {
            's' | 'v' => match self.precision {
                Some(length) if self.letter == 's' => text()?.chars().take(length).collect(),
                _ => text()?,
            },
            'q' => json()?,
            'd' => int()?.to_string(),
            't' => coerce::truth(argument).ok_or_else(|| wrong("true or false"))?.to_string(),
            'b' => format!("{:b}", int()?),
            'o' => format!("{:o}", int()?),
            'x' => format!("{:x}", int()?),
            'X' => format!("{:X}", int()?),
            'f' => format!("{:.precision$}", float()?),
            'e' => format!("{:.precision$e}", float()?),
            'g' => text()?,
            letter => {
                return Err(Fault::at(0, format!("`%{letter}` is not a verb"))
                    .help("use %s, %d, %f, %q, %t, %x or %v; %% is a percent sign"));
            }
        };
        Ok(self.pad(piece))
    }

    fn pad(&self, piece: String) -> String {
        let numeric = "dfegboxX".contains(self.letter);
        let piece = if self.plus && numeric && !piece.starts_with('-') { format!("+{piece}") } else { piece };
        let missing = self.width.saturating_sub(piece.chars().count());
        if missing == 0 {
            piece
        } else if self.left {
            piece + &" ".repeat(missing)
        } else if self.zeros && numeric {
            let sign = usize::from(piece.starts_with(['-', '+']));
            format!("{}{}{}", &piece[..sign], "0".repeat(missing), &piece[sign..])
        } else {
            " ".repeat(missing) + &piece
        }
    }
}
