//! Words and figures as people read them: sizes, durations, counts, and values in HCL spelling.

mod explain;

use crate::value::Value;

pub use explain::{Explanation, Row, Rows, explain};

/// `20 GiB`, `1.5 GiB`, `512 MiB`.
pub fn mebibytes(mib: u64) -> String {
    if mib < 1024 { format!("{mib} MiB") } else { format!("{} GiB", one_decimal(mib, 1024)) }
}

/// `20 GiB`, `1.5 TiB`.
pub fn gibibytes(gib: u64) -> String {
    if gib < 1024 { format!("{gib} GiB") } else { format!("{} TiB", one_decimal(gib, 1024)) }
}

/// `740 B`, `12.3 MiB`.
pub fn bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut unit, mut divisor) = ("B", 1);
    for larger in units {
        if bytes / divisor < 1024 {
            break;
        }
        (unit, divisor) = (larger, divisor * 1024);
    }
    format!("{} {unit}", one_decimal(bytes, divisor))
}

/// A quotient with one decimal where it needs one, rounded half up.
fn one_decimal(amount: u64, divisor: u64) -> String {
    let tenths = (u128::from(amount) * 10 + u128::from(divisor) / 2) / u128::from(divisor);
    if tenths.is_multiple_of(10) { format!("{}", tenths / 10) } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

/// `850 ms`, `4 s`, `3 min`, `2 h 5 min`, `9 d 4 h`: the two largest units, the way one would say it.
pub fn duration(ms: u64) -> String {
    let s = ms / 1000;
    let (min, h, d) = (s / 60, s / 3600, s / 86400);
    match () {
        () if ms < 1000 => format!("{ms} ms"),
        () if min == 0 => format!("{s} s"),
        () if h == 0 => two(min, "min", s % 60, "s"),
        () if d == 0 => two(h, "h", min % 60, "min"),
        () => two(d, "d", h % 24, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{large} {large_unit}") } else { format!("{large} {large_unit} {small} {small_unit}") }
}

/// `1 change`, `3 changes`, `no changes`; `many` is the plural.
pub fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

/// A value in HCL spelling. Secrets are hidden, references stand as they were written.
pub fn hcl(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => float.to_string(),
        Value::Text(text) => quoted(text),
        Value::List(list) => format!("[{}]", list.iter().map(hcl).collect::<Vec<_>>().join(", ")),
        Value::Map(map) if map.is_empty() => "{}".to_owned(),
        Value::Map(map) => {
            let entry = |(key, value): (&String, &Value)| format!("{} = {}", key_in_hcl(key), hcl(value));
            format!("{{ {} }}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::Secret(_) => "(secret)".to_owned(),
        Value::Unknown(reference) => reference.clone(),
        Value::Output(id, field) => format!("{id}.{field}"),
    }
}

/// Text in quotes, with HCL's escapes.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for (index, character) in text.char_indices() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            '$' | '%' if text[index + 1..].starts_with('{') => quoted.extend([character, character]),
            control if control.is_control() => quoted += &format!("\\u{:04x}", u32::from(control)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The text of a string in HCL spelling; anything else as it is.
pub fn unquoted(hcl: &str) -> String {
    let Some(inner) = hcl.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return hcl.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('u') => {
                    let code: String = rest.by_ref().take(4).collect();
                    text.extend(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32));
                }
                escaped => text.extend(escaped),
            },
            '$' | '%' if rest.as_str().starts_with(&format!("{character}{{")) => text.extend(rest.next()),
            other => text.push(other),
        }
    }
    text
}

/// A key of a map, in quotes only where it must be.
fn key_in_hcl(key: &str) -> String {
    let bare = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_owned() } else { quoted(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let shown: Vec<_> = [512, 1024, 1536, 20480, 1_048_576].map(mebibytes).to_vec();
        assert_eq!(shown, ["512 MiB", "1 GiB", "1.5 GiB", "20 GiB", "1024 GiB"]);
        assert_eq!([gibibytes(20), gibibytes(1536)], ["20 GiB", "1.5 TiB"]);
        assert_eq!([bytes(0), bytes(1023), bytes(12_900_000)], ["0 B", "1023 B", "12.3 MiB"]);
        assert_eq!(bytes(u64::MAX), "16384 PiB");
    }

    #[test]
    fn durations() {
        let shown: Vec<_> =
            [0, 999, 1000, 59_999, 60_000, 200_000, 7_500_000, 86_400_000, 792_000_000].map(duration).to_vec();
        assert_eq!(shown, ["0 ms", "999 ms", "1 s", "59 s", "1 min", "3 min 20 s", "2 h 5 min", "1 d", "9 d 4 h"]);
    }

    #[test]
    fn counts() {
        let shown = [0, 1, 2].map(|number| count(number, "change", "changes"));
        assert_eq!(shown, ["no changes", "1 change", "2 changes"]);
    }

    #[test]
    fn values_in_hcl() {
        let map = Value::Map([("Cost Center".to_owned(), "a".into()), ("Tier".to_owned(), Value::Null)].into());
        assert_eq!(hcl(&Value::List(vec![map, 1.into()])), r#"[{ "Cost Center" = "a", Tier = null }, 1]"#);
    }

    #[test]
    fn quotes_and_back() {
        for (text, hcl) in [
            ("plain", r#""plain""#),
            ("a \"b\" \\ \n\t\u{7}", r#""a \"b\" \\ \n\t\u0007""#),
            ("${x} %{y} $5 $${", r#""$${x} %%{y} $5 $$${""#),
        ] {
            assert_eq!(quoted(text), hcl);
            assert_eq!(unquoted(hcl), text);
        }
        assert_eq!(unquoted("[\"a\"]"), "[\"a\"]");
    }
}
