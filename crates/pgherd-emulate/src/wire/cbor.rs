//! CBOR as Smithy's rpc-v2-cbor uses it (RFC 8949): what newer clients speak with CloudWatch.

use serde_json::{Map, Number, Value};

use super::Refusal;

/// Fields whose numbers are times, which CBOR marks with a tag.
const TIMES: [&str; 4] =
    ["AlarmConfigurationUpdatedTimestamp", "LastModified", "StateTransitionedTimestamp", "StateUpdatedTimestamp"];

/// Whether a field is a time.
pub fn is_time(name: &str) -> bool {
    TIMES.contains(&name)
}

/// How deep a request may be nested.
const DEEPEST: usize = 32;

/// The value in a body; an empty body is a structure without fields.
pub fn read(body: &[u8]) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let mut reader = Reader { left: body };
    let value = reader.value(0)?;
    reader.left.is_empty().then_some(value).ok_or_else(|| malformed("there is more behind the value"))
}

/// A value as bytes. Numbers of fields that are times get their tag.
pub fn written(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, value);
    out
}

struct Reader<'a> {
    left: &'a [u8],
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Refusal> {
        if depth > DEEPEST {
            return Err(malformed("it is nested too deep"));
        }
        let first = self.byte()?;
        let (major, info) = (first >> 5, first & 0x1f);
        match major {
            0 => Ok(Value::from(self.length(info)?)),
            1 => {
                let number = i64::try_from(self.length(info)?).map_err(|_| malformed("a number is too small"))?;
                Ok(Value::from(-1 - number))
            }
            2 | 3 => self.text(major, info).map(Value::String),
            4 => self.list(info, depth),
            5 => self.map(info, depth),
            // A tag: what it marks is told by the field.
            6 => {
                self.length(info)?;
                self.value(depth + 1)
            }
            _ => self.simple(info),
        }
    }

    fn text(&mut self, major: u8, info: u8) -> Result<String, Refusal> {
        let mut bytes = Vec::new();
        if info == 31 {
            while self.left.first() != Some(&0xff) {
                let first = self.byte()?;
                if first >> 5 != major {
                    return Err(malformed("a piece of a text is none"));
                }
                let length = self.length(first & 0x1f)?;
                bytes.extend_from_slice(self.bytes(length)?);
            }
            self.byte()?;
        } else {
            let length = self.length(info)?;
            bytes.extend_from_slice(self.bytes(length)?);
        }
        String::from_utf8(bytes).map_err(|_| malformed("a text is not UTF-8"))
    }

    fn list(&mut self, info: u8, depth: usize) -> Result<Value, Refusal> {
        let mut list = Vec::new();
        let mut ends = self.ends(info)?;
        while !ends.reached(self)? {
            list.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(list))
    }

    fn map(&mut self, info: u8, depth: usize) -> Result<Value, Refusal> {
        let mut map = Map::new();
        let mut ends = self.ends(info)?;
        while !ends.reached(self)? {
            let Value::String(name) = self.value(depth + 1)? else { return Err(malformed("a name is no text")) };
            map.insert(name, self.value(depth + 1)?);
        }
        Ok(Value::Object(map))
    }

    fn simple(&mut self, info: u8) -> Result<Value, Refusal> {
        let number = match info {
            20 => return Ok(Value::Bool(false)),
            21 => return Ok(Value::Bool(true)),
            22 | 23 => return Ok(Value::Null),
            25 => half(u16::from_be_bytes(self.array()?)),
            26 => f64::from(f32::from_be_bytes(self.array()?)),
            27 => f64::from_be_bytes(self.array()?),
            _ => return Err(malformed("a simple value is unknown")),
        };
        Number::from_f64(number).map(Value::Number).ok_or_else(|| malformed("a number is not finite"))
    }

    fn ends(&mut self, info: u8) -> Result<Ends, Refusal> {
        Ok(if info == 31 { Ends::AtBreak } else { Ends::After(self.length(info)?) })
    }

    fn length(&mut self, info: u8) -> Result<u64, Refusal> {
        match info {
            0..24 => Ok(u64::from(info)),
            24 => Ok(u64::from(self.byte()?)),
            25 => Ok(u64::from(u16::from_be_bytes(self.array()?))),
            26 => Ok(u64::from(u32::from_be_bytes(self.array()?))),
            27 => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(malformed("a length is unknown")),
        }
    }

    fn byte(&mut self) -> Result<u8, Refusal> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (array, left) = self.left.split_first_chunk().ok_or_else(|| malformed("it ends too early"))?;
        self.left = left;
        Ok(*array)
    }

    fn bytes(&mut self, length: u64) -> Result<&[u8], Refusal> {
        let length = usize::try_from(length).ok().filter(|length| *length <= self.left.len());
        let (bytes, left) = self.left.split_at(length.ok_or_else(|| malformed("it ends too early"))?);
        self.left = left;
        Ok(bytes)
    }
}

enum Ends {
    After(u64),
    AtBreak,
}

impl Ends {
    fn reached(&mut self, reader: &mut Reader<'_>) -> Result<bool, Refusal> {
        match self {
            Self::After(0) => Ok(true),
            Self::After(left) => {
                *left -= 1;
                Ok(false)
            }
            Self::AtBreak if reader.left.first() == Some(&0xff) => {
                reader.byte()?;
                Ok(true)
            }
            Self::AtBreak => Ok(false),
        }
    }
}

fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    match exponent {
        0 => sign * mantissa * 2f64.powi(-24),
        31 => f64::NAN,
        _ => sign * (1.0 + mantissa / 1024.0) * 2f64.powi(exponent - 15),
    }
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(is_so) => out.push(if *is_so { 0xf5 } else { 0xf4 }),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => {
            head(out, 3, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(list) => {
            head(out, 4, list.len() as u64);
            list.iter().for_each(|value| write(out, value));
        }
        Value::Object(map) => {
            head(out, 5, map.len() as u64);
            for (name, value) in map {
                head(out, 3, name.len() as u64);
                out.extend_from_slice(name.as_bytes());
                if is_time(name) {
                    out.push(0xc1);
                }
                write(out, value);
            }
        }
    }
}

fn write_number(out: &mut Vec<u8>, number: &Number) {
    match (number.as_u64(), number.as_i64()) {
        (Some(number), _) => head(out, 0, number),
        (None, Some(number)) => head(out, 1, number.unsigned_abs() - 1),
        (None, None) => {
            out.push(0xfb);
            out.extend_from_slice(&number.as_f64().unwrap_or_default().to_be_bytes());
        }
    }
}

fn head(out: &mut Vec<u8>, major: u8, length: u64) {
    let major = major << 5;
    if let Ok(length) = u8::try_from(length) {
        if length < 24 { out.push(major | length) } else { out.extend_from_slice(&[major | 24, length]) }
    } else if let Ok(length) = u16::try_from(length) {
        out.push(major | 25);
        out.extend_from_slice(&length.to_be_bytes());
    } else if let Ok(length) = u32::try_from(length) {
        out.push(major | 26);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend_from_slice(&length.to_be_bytes());
    }
}

fn malformed(why: &str) -> Refusal {
    Refusal::of("SerializationException", why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Examples of RFC 8949, appendix A.
    #[test]
    fn values_of_the_standard_are_read() {
        let read = |bytes: &[u8]| read(bytes).unwrap();
        assert_eq!(read(&[0x19, 0x03, 0xe8]), json!(1000));
        assert_eq!(read(&[0x38, 0x63]), json!(-100));
        assert_eq!(read(&[0xf9, 0x3e, 0x00]), json!(1.5));
        assert_eq!(read(&[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]), json!(1.1));
        assert_eq!(read(&[0xc1, 0x1a, 0x51, 0x4b, 0x67, 0xb0]), json!(1_363_896_240));
        assert_eq!(
            read(&[0x7f, 0x65, b's', b't', b'r', b'e', b'a', 0x64, b'm', b'i', b'n', b'g', 0xff]),
            json!("streaming")
        );
        assert_eq!(
            read(&[0xbf, 0x61, b'a', 0x01, 0x61, b'b', 0x9f, 0x02, 0x03, 0xff, 0xff]),
            json!({"a": 1, "b": [2, 3]})
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let value =
            json!({"a": [1, -1, 24, 300, 70_000, 5_000_000_000_u64, 0.2], "b": {"c": null, "d": true}, "e": "é"});
        assert_eq!(read(&written(&value)).unwrap(), value);
    }

    #[test]
    fn a_time_has_its_tag() {
        assert_eq!(written(&json!({"LastModified": 1}))[14..], [0xc1, 0x01]);
    }

    #[test]
    fn what_ends_too_early_is_refused() {
        assert!(read(&[0x65, b'a']).is_err());
        assert!(read(&[0x9f, 0x01]).is_err());
        assert!(read(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
