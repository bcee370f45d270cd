//! Numbers with units, read exactly as the server reads them (PostgreSQL's `guc.c`: `parse_int`, `parse_real`,
//! `convert_to_base_unit`; C's hexadecimal fractions, `0x1.8`, excepted), and written for people.

/// A family of units: the units of one base unit, largest first, each as how many base units it holds.
struct Units {
    base: &'static str,
    units: &'static [(&'static str, f64)],
}

const KB: f64 = 1024.0;
const UNITS: &[Units] = &[
    Units {
        base: "B",
        units: &[("TB", KB * KB * KB * KB), ("GB", KB * KB * KB), ("MB", KB * KB), ("kB", KB), ("B", 1.0)],
    },
    Units { base: "kB", units: &[("TB", KB * KB * KB), ("GB", KB * KB), ("MB", KB), ("kB", 1.0), ("B", 1.0 / KB)] },
    Units { base: "MB", units: &[("TB", KB * KB), ("GB", KB), ("MB", 1.0), ("kB", 1.0 / KB), ("B", 1.0 / (KB * KB))] },
    Units {
        base: "8kB",
        units: &[
            ("TB", KB * KB * KB / 8.0),
            ("GB", KB * KB / 8.0),
            ("MB", KB / 8.0),
            ("kB", 1.0 / 8.0),
            ("B", 1.0 / (KB * 8.0)),
        ],
    },
    Units {
        base: "ms",
        units: &[("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1000.0), ("ms", 1.0), ("us", 0.001)],
    },
    Units {
        base: "s",
        units: &[("d", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 0.001), ("us", 0.000_001)],
    },
    Units {
        base: "min",
        units: &[
            ("d", 1440.0),
            ("h", 60.0),
            ("min", 1.0),
            ("s", 1.0 / 60.0),
            ("ms", 1.0 / 60_000.0),
            ("us", 1.0 / 60_000_000.0),
        ],
    },
];

/// Why a text is no such number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It is not a number at all.
    NotANumber,
    /// Its unit is not one of this parameter's.
    Unit(String),
}

/// A whole number in the base unit. The server takes hexadecimal, octal and fractions, and rounds half to even.
pub fn integer(text: &str, base_unit: Option<&str>) -> Result<f64, Trouble> {
    let text = text.trim_start_matches(is_space);
    let (value, rest) = match whole(text) {
        Some((value, rest)) if !rest.starts_with(['.', 'e', 'E']) => (value, rest),
        Some(_) | None => fraction(text).ok_or(Trouble::NotANumber)?,
    };
    Ok(with_unit(value, rest, base_unit)?.round_ties_even())
}

/// A number in the base unit.
pub fn real(text: &str, base_unit: Option<&str>) -> Result<f64, Trouble> {
    let text = text.trim_start_matches(is_space);
    let is_hexadecimal =
        text.trim_start_matches(['+', '-']).get(..2).is_some_and(|head| head.eq_ignore_ascii_case("0x"));
    let (value, rest) = if is_hexadecimal { whole(text) } else { fraction(text) }.ok_or(Trouble::NotANumber)?;
    with_unit(value, rest, base_unit)
}

/// The units a parameter of this base unit takes, largest first.
pub fn units_of(base_unit: Option<&str>) -> Vec<&'static str> {
    family(base_unit).map(|units| units.units.iter().map(|(name, _)| *name).collect()).unwrap_or_default()
}

/// A number of base units as people write it: `128kB`, `24.8d`; bare when it has no unit or means something of its own (0, -1).
pub fn human(value: f64, base_unit: Option<&str>) -> String {
    let Some(units) = family(base_unit).filter(|_| value > 0.0) else {
        return value.to_string();
    };
    let (name, size) = units
        .units
        .iter()
        .find(|(_, size)| value >= *size * 0.999)
        .or(units.units.last())
        .expect("every family has units");
    let shown = format!("{:.1}", value / size);
    format!("{}{name}", shown.strip_suffix(".0").unwrap_or(&shown))
}

/// The number and what follows it, as C's `strtol` with base 0 reads it.
fn whole(text: &str) -> Option<(f64, &str)> {
    let (sign, digits) = sign(text);
    let hexadecimal = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
        .filter(|digits| digits.starts_with(|digit: char| digit.is_ascii_hexdigit()));
    let (radix, digits) = match hexadecimal {
        Some(digits) => (16, digits),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let end = digits.find(|digit: char| !digit.is_digit(radix)).unwrap_or(digits.len());
    let value = i64::from_str_radix(&digits[..end], radix).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "what does not fit is far out of every parameter's range")]
    Some((sign * value as f64, &digits[end..]))
}

/// The number and what follows it, as C's `strtod` reads a decimal one.
fn fraction(text: &str) -> Option<(f64, &str)> {
    let (_, unsigned) = sign(text);
    let digits = |text: &str| text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len());
    let mut end = text.len() - unsigned.len();
    let before = digits(&text[end..]);
    end += before;
    let mut after = 0;
    if text[end..].starts_with('.') {
        after = digits(&text[end + 1..]);
        if before + after > 0 {
            end += 1 + after;
        }
    }
    if before + after == 0 {
        return None;
    }
    if text[end..].starts_with(['e', 'E']) {
        let (_, power) = sign(&text[end + 1..]);
        let length = digits(power);
        if length > 0 {
            end = text.len() - power.len() + length;
        }
    }
    let value: f64 = text[..end].parse().ok()?;
    value.is_finite().then_some((value, &text[end..]))
}

fn sign(text: &str) -> (f64, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// The value in base units; a fraction is first rounded to the next smaller unit, as the server does ("30.1GB" is whole MB).
fn with_unit(value: f64, rest: &str, base_unit: Option<&str>) -> Result<f64, Trouble> {
    let unit = rest.trim_matches(is_space);
    if unit.is_empty() {
        return Ok(value);
    }
    let units = family(base_unit).map_or(&[][..], |family| family.units);
    let place = units.iter().position(|(name, _)| *name == unit).ok_or_else(|| Trouble::Unit(unit.to_owned()))?;
    let converted = value * units[place].1;
    Ok(match units.get(place + 1) {
        Some((_, smaller)) => (converted / smaller).round_ties_even() * smaller,
        None => converted,
    })
}

fn family(base_unit: Option<&str>) -> Option<&'static Units> {
    UNITS.iter().find(|units| Some(units.base) == base_unit)
}

fn is_space(byte: char) -> bool {
    matches!(byte, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_for_people() {
        assert_eq!(human(16.0, Some("8kB")), "128kB");
        assert_eq!(human(1_073_741_823.0, Some("8kB")), "8TB");
        assert_eq!(human(2_147_483_647.0, Some("ms")), "24.9d");
        assert_eq!(human(-1.0, Some("ms")), "-1");
        assert_eq!(human(262_143.0, None), "262143");
        assert_eq!(human(1024.0, Some("kB")), "1MB");
    }
}
