//! Functions of text. Characters are Unicode scalar values.

use super::arguments::{count, int, list, text, texts};
use super::{Fault, Function, at_least, exactly};
use crate::eval::fuel::BYTES_PER_STEP;
use crate::value::Value;

pub(super) const TABLE: &[Function] = &[
    Function::pure("chomp", "chomp(string)", exactly(1), "A text without the line ends at its end.", |a, _| {
        Ok(text(a, 0)?.trim_end_matches(['\r', '\n']).into())
    }),
    Function::pure("endswith", "endswith(string, suffix)", exactly(2), "Whether a text ends with another.", |a, _| {
        Ok(text(a, 0)?.ends_with(&text(a, 1)?).into())
    }),
    Function::pure(
        "indent",
        "indent(spaces, string)",
        exactly(2),
        "A text with every line but the first moved right.",
        indent,
    ),
    Function::pure("join", "join(separator, list)", at_least(2), "The elements of lists as one text.", join),
    Function::pure("lower", "lower(string)", exactly(1), "A text in lower case.", |a, _| {
        Ok(text(a, 0)?.to_lowercase().into())
    }),
    Function::pure(
        "replace",
        "replace(string, part, replacement)",
        exactly(3),
        "A text with every part replaced.",
        replace,
    ),
    Function::pure("split", "split(separator, string)", exactly(2), "The pieces of a text between separators.", split),
    Function::pure(
        "startswith",
        "startswith(string, prefix)",
        exactly(2),
        "Whether a text starts with another.",
        |a, _| Ok(text(a, 0)?.starts_with(&text(a, 1)?).into()),
    ),
    Function::pure("strrev", "strrev(string)", exactly(1), "A text backwards.", |a, _| {
        Ok(text(a, 0)?.chars().rev().collect::<String>().into())
    }),
    Function::pure(
        "substr",
        "substr(string, offset, length)",
        exactly(3),
        "A part of a text; length -1 takes the rest.",
        substr,
    ),
    Function::pure("title", "title(string)", exactly(1), "A text with every word capitalised.", title),
    Function::pure(
        "trim",
        "trim(string, characters)",
        exactly(2),
        "A text without these characters at its ends.",
        |a, _| {
            let characters: Vec<char> = text(a, 1)?.chars().collect();
            Ok(text(a, 0)?.trim_matches(characters.as_slice()).into())
        },
    ),
    Function::pure("trimprefix", "trimprefix(string, prefix)", exactly(2), "A text without this beginning.", |a, _| {
        let (whole, prefix) = (text(a, 0)?, text(a, 1)?);
        Ok(whole.strip_prefix(&prefix).unwrap_or(&whole).into())
    }),
    Function::pure("trimspace", "trimspace(string)", exactly(1), "A text without white space at its ends.", |a, _| {
        Ok(text(a, 0)?.trim().into())
    }),
    Function::pure("trimsuffix", "trimsuffix(string, suffix)", exactly(2), "A text without this end.", |a, _| {
        let (whole, suffix) = (text(a, 0)?, text(a, 1)?);
        Ok(whole.strip_suffix(&suffix).unwrap_or(&whole).into())
    }),
    Function::pure("upper", "upper(string)", exactly(1), "A text in upper case.", |a, _| {
        Ok(text(a, 0)?.to_uppercase().into())
    }),
];

/// A text of this many bytes is still affordable.
pub(super) fn affordable(bytes: Option<usize>, room: usize) -> Result<(), Fault> {
    match bytes {
        Some(bytes) if bytes / BYTES_PER_STEP <= room => Ok(()),
        Some(_) | None => {
            Err(Fault::at(0, "the result is larger than pgherd allows").help("make the text or the count smaller"))
        }
    }
}

fn indent(a: &[Value], room: usize) -> Result<Value, Fault> {
    let (spaces, text) = (count(a, 0)?, text(a, 1)?);
    let lines = text.matches('\n').count();
    affordable(spaces.checked_mul(lines).and_then(|added| added.checked_add(text.len())), room)?;
    Ok(if lines == 0 { text.into() } else { text.replace('\n', &format!("\n{}", " ".repeat(spaces))).into() })
}

fn join(a: &[Value], room: usize) -> Result<Value, Fault> {
    let separator = text(a, 0)?;
    let mut pieces = Vec::new();
    for index in 1..a.len() {
        pieces.extend(texts(a, index)?);
    }
    let pieces_bytes: usize = pieces.iter().map(String::len).sum();
    affordable(separator.len().checked_mul(pieces.len()).and_then(|bytes| bytes.checked_add(pieces_bytes)), room)?;
    Ok(pieces.join(&separator).into())
}

fn replace(a: &[Value], room: usize) -> Result<Value, Fault> {
    let (whole, part, replacement) = (text(a, 0)?, text(a, 1)?, text(a, 2)?);
    if part.len() > 1 && part.starts_with('/') && part.ends_with('/') {
        return Err(Fault::at(1, "pgherd replaces plain text, not regular expressions")
            .help("write the text to replace, without slashes around it"));
    }
    let times = if part.is_empty() { whole.chars().count() + 1 } else { whole.matches(part.as_str()).count() };
    affordable(replacement.len().checked_mul(times).and_then(|bytes| bytes.checked_add(whole.len())), room)?;
    Ok(whole.replace(&part, &replacement).into())
}

fn split(a: &[Value], _: usize) -> Result<Value, Fault> {
    let (separator, whole) = (text(a, 0)?, text(a, 1)?);
    let pieces: Vec<Value> = if separator.is_empty() {
        whole.chars().map(|c| c.to_string().into()).collect()
    } else if whole.is_empty() {
        Vec::new()
    } else {
        whole.split(&separator).map(Value::text).collect()
    };
    Ok(Value::List(pieces))
}

fn substr(a: &[Value], _: usize) -> Result<Value, Fault> {
    let (characters, offset, length) = (text(a, 0)?.chars().collect::<Vec<_>>(), int(a, 1)?, int(a, 2)?);
    let total = i64::try_from(characters.len()).unwrap_or(i64::MAX);
    let start = if offset < 0 { (total + offset.max(-total)).max(0) } else { offset.min(total) };
    let end = if length < 0 { total } else { start.saturating_add(length).min(total) };
    let index = |position: i64| usize::try_from(position).unwrap_or(0);
    Ok(characters[index(start)..index(end)].iter().collect::<String>().into())
}

fn title(a: &[Value], _: usize) -> Result<Value, Fault> {
    let mut out = String::new();
    let mut inside = false;
    for c in text(a, 0)?.chars() {
        if inside {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || c == '_' || c == '\'';
    }
    Ok(out.into())
}

/// For [`super::format`]: how long the lists among the arguments are.
pub(super) fn list_length(a: &[Value], index: usize) -> Option<usize> {
    list(a, index).ok().map(<[Value]>::len)
}
