//! Values as they travel: MessagePack, guided by the type on both sides (docs/plugin-protocol/object-wire-format.md of Terraform).
//!
//! Any extension type means "not known". Where the type is dynamic, a value is a pair of its type and itself.

use std::collections::BTreeMap;

use super::ty::Type;
use super::value::{Number, Value};

/// Deeper than any schema; nothing read from outside may exhaust the stack.
const DEEPEST: usize = 64;

/// Bytes that are no value of the type that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// They end in the middle.
    #[error("the value ends too early")]
    Short,
    /// They go on behind the value.
    #[error("something stands behind the value")]
    Long,
    /// They are nested too deeply.
    #[error("the value is nested too deeply")]
    Deep,
    /// Another type than was expected.
    #[error("the value is not of the type that was expected")]
    Mismatch,
}

/// The bytes of a value of a type.
pub fn pack(value: &Value, ty: &Type) -> Vec<u8> {
    let mut into = Vec::new();
    put(value, ty, &mut into);
    into
}

/// The value of a type in these bytes.
pub fn unpack(bytes: &[u8], ty: &Type) -> Result<Value, Unreadable> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(ty, 0)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(Unreadable::Long) }
}

fn put(value: &Value, ty: &Type, into: &mut Vec<u8>) {
    match (value, ty) {
        (Value::Null, _) => into.push(0xc0),
        // fixext 1 of type 0 with a zero byte.
        (Value::Unknown, _) => into.extend([0xd4, 0, 0]),
        (value, Type::Dynamic) => {
            let ty = Type::of(value);
            let text = ty.to_bytes();
            into.push(0x92);
            // Binary, not text: Terraform refuses a type in a string.
            put_length(text.len(), Lengths::BINARY, into);
            into.extend(text);
            put(value, &ty, into);
        }
        (Value::Bool(bool), _) => into.push(if *bool { 0xc3 } else { 0xc2 }),
        (Value::Number(number), _) => put_number(number, into),
        (Value::Text(text), _) => put_text(text, into),
        (Value::List(items), ty) => {
            put_length(items.len(), Lengths::ARRAY, into);
            for (index, item) in items.iter().enumerate() {
                put(item, element(ty, index), into);
            }
        }
        // Every attribute of an object is there, null where it is empty, and no other.
        (Value::Map(entries), Type::Object(attributes)) => {
            put_length(attributes.len(), Lengths::MAP, into);
            for (name, ty) in attributes {
                put_text(name, into);
                put(entries.get(name).unwrap_or(&Value::Null), ty, into);
            }
        }
        (Value::Map(entries), ty) => {
            put_length(entries.len(), Lengths::MAP, into);
            for (name, value) in entries {
                put_text(name, into);
                put(value, element(ty, 0), into);
            }
        }
    }
}

/// The type of what a collection holds.
fn element(ty: &Type, index: usize) -> &Type {
    match ty {
        Type::List(item) | Type::Set(item) | Type::Map(item) => item,
        Type::Tuple(items) => items.get(index).unwrap_or(&Type::Dynamic),
        Type::Dynamic | Type::Text | Type::Number | Type::Bool | Type::Object(_) => &Type::Dynamic,
    }
}

fn put_number(number: &Number, into: &mut Vec<u8>) {
    match number {
        Number::Int(int) => {
            into.push(0xd3);
            into.extend(int.to_be_bytes());
        }
        Number::Float(float) => {
            into.push(0xcb);
            into.extend(float.to_be_bytes());
        }
        Number::Digits(digits) => put_text(digits, into),
    }
}

fn put_text(text: &str, into: &mut Vec<u8>) {
    put_length(text.len(), Lengths::TEXT, into);
    into.extend(text.as_bytes());
}

/// How lengths of one sort of thing begin.
#[derive(Clone, Copy)]
struct Lengths {
    /// First byte of a short one and how many fit it; `None`: there is no short one.
    short: Option<(u8, usize)>,
    eight: Option<u8>,
    sixteen: u8,
    thirty_two: u8,
}

impl Lengths {
    const TEXT: Self = Self { short: Some((0xa0, 31)), eight: Some(0xd9), sixteen: 0xda, thirty_two: 0xdb };
    const BINARY: Self = Self { short: None, eight: Some(0xc4), sixteen: 0xc5, thirty_two: 0xc6 };
    const ARRAY: Self = Self { short: Some((0x90, 15)), eight: None, sixteen: 0xdc, thirty_two: 0xdd };
    const MAP: Self = Self { short: Some((0x80, 15)), eight: None, sixteen: 0xde, thirty_two: 0xdf };
}

fn put_length(length: usize, lengths: Lengths, into: &mut Vec<u8>) {
    let Lengths { short, eight, sixteen, thirty_two } = lengths;
    match (short, eight, u8::try_from(length), u16::try_from(length)) {
        (Some((first, most)), _, Ok(length), _) if usize::from(length) <= most => into.push(first | length),
        (_, Some(first), Ok(length), _) => into.extend([first, length]),
        (.., Ok(length)) => {
            into.push(sixteen);
            into.extend(length.to_be_bytes());
        }
        (.., Err(_)) => {
            into.push(thirty_two);
            into.extend(u32::try_from(length).expect("no value of a plan has 4 GiB").to_be_bytes());
        }
    }
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Unreadable::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        self.take(N)?.try_into().map_err(|_| Unreadable::Short)
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    /// A length of 1, 2 or 4 bytes.
    fn length(&mut self, width: u8) -> Result<usize, Unreadable> {
        let length = match width {
            0 => u32::from(self.byte()?),
            1 => u32::from(u16::from_be_bytes(self.bytes()?)),
            _ => u32::from_be_bytes(self.bytes()?),
        };
        usize::try_from(length).map_err(|_| Unreadable::Long)
    }

    fn text(&mut self, length: usize) -> Result<String, Unreadable> {
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| Unreadable::Mismatch)
    }

    fn value(&mut self, ty: &Type, depth: usize) -> Result<Value, Unreadable> {
        if depth > DEEPEST {
            return Err(Unreadable::Deep);
        }
        let first = self.byte()?;
        match first {
            0xc0 => Ok(Value::Null),
            // fixext 1, 2, 4, 8, 16: their type and so many bytes.
            0xd4..=0xd8 => self.take(1 + (1 << (first - 0xd4))).map(|_| Value::Unknown),
            0xc7..=0xc9 => {
                let length = self.length(first - 0xc7)?;
                self.take(1 + length).map(|_| Value::Unknown)
            }
            _ if *ty == Type::Dynamic => self.pair(first, depth),
            0xc2 | 0xc3 => Ok(Value::Bool(first == 0xc3)),
            0x00..=0x7f => Ok(Value::int(i64::from(first))),
            0xe0..=0xff => Ok(Value::int(i64::from(i8::from_be_bytes([first])))),
            0xcc => Ok(Value::int(i64::from(self.byte()?))),
            0xcd => Ok(Value::int(i64::from(u16::from_be_bytes(self.bytes()?)))),
            0xce => Ok(Value::int(i64::from(u32::from_be_bytes(self.bytes()?)))),
            0xcf => {
                let number = u64::from_be_bytes(self.bytes()?);
                Ok(Value::Number(
                    i64::try_from(number).map_or_else(|_| Number::Digits(number.to_string()), Number::Int),
                ))
            }
            0xd0 => Ok(Value::int(i64::from(i8::from_be_bytes(self.bytes()?)))),
            0xd1 => Ok(Value::int(i64::from(i16::from_be_bytes(self.bytes()?)))),
            0xd2 => Ok(Value::int(i64::from(i32::from_be_bytes(self.bytes()?)))),
            0xd3 => Ok(Value::int(i64::from_be_bytes(self.bytes()?))),
            0xca => Ok(Value::Number(Number::Float(f64::from(f32::from_be_bytes(self.bytes()?))))),
            0xcb => Ok(Value::Number(Number::Float(f64::from_be_bytes(self.bytes()?)))),
            0xa0..=0xbf => self.written(usize::from(first & 0x1f), ty),
            0xd9..=0xdb => {
                let length = self.length(first - 0xd9)?;
                self.written(length, ty)
            }
            0x90..=0x9f => self.items(usize::from(first & 0x0f), ty, depth),
            0xdc | 0xdd => {
                let length = self.length(first - 0xdb)?;
                self.items(length, ty, depth)
            }
            0x80..=0x8f => self.entries(usize::from(first & 0x0f), ty, depth),
            0xde | 0xdf => {
                let length = self.length(first - 0xdd)?;
                self.entries(length, ty, depth)
            }
            0xc1 | 0xc4..=0xc6 => Err(Unreadable::Mismatch),
        }
    }

    /// Text, or a number that fits no machine's.
    fn written(&mut self, length: usize, ty: &Type) -> Result<Value, Unreadable> {
        let text = self.text(length)?;
        match ty {
            Type::Number => Ok(Value::Number(Number::Digits(text))),
            Type::Text => Ok(Value::Text(text)),
            _ => Err(Unreadable::Mismatch),
        }
    }

    fn items(&mut self, length: usize, ty: &Type, depth: usize) -> Result<Value, Unreadable> {
        if !matches!(ty, Type::List(_) | Type::Set(_) | Type::Tuple(_)) {
            return Err(Unreadable::Mismatch);
        }
        // What a length promises is believed byte by byte only.
        let mut items = Vec::new();
        for index in 0..length {
            items.push(self.value(element(ty, index), depth + 1)?);
        }
        Ok(Value::List(items))
    }

    fn entries(&mut self, length: usize, ty: &Type, depth: usize) -> Result<Value, Unreadable> {
        let mut entries = BTreeMap::new();
        for _ in 0..length {
            let first = self.byte()?;
            let length = match first {
                0xa0..=0xbf => usize::from(first & 0x1f),
                0xd9..=0xdb => self.length(first - 0xd9)?,
                _ => return Err(Unreadable::Mismatch),
            };
            let name = self.text(length)?;
            let ty = match ty {
                Type::Object(attributes) => attributes.get(&name).ok_or(Unreadable::Mismatch)?,
                Type::Map(item) => item,
                _ => return Err(Unreadable::Mismatch),
            };
            let value = self.value(ty, depth + 1)?;
            entries.insert(name, value);
        }
        Ok(Value::Map(entries))
    }

    /// A value with its type before it.
    fn pair(&mut self, first: u8, depth: usize) -> Result<Value, Unreadable> {
        if first != 0x92 {
            return Err(Unreadable::Mismatch);
        }
        let first = self.byte()?;
        let length = match first {
            0xc4..=0xc6 => self.length(first - 0xc4)?,
            0xa0..=0xbf => usize::from(first & 0x1f),
            0xd9..=0xdb => self.length(first - 0xd9)?,
            _ => return Err(Unreadable::Mismatch),
        };
        let ty = Type::from_bytes(self.take(length)?).ok_or(Unreadable::Mismatch)?;
        self.value(&ty, depth + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object() -> Type {
        Type::Object([("name".to_owned(), Type::Text), ("port".to_owned(), Type::Number)].into())
    }

    #[track_caller]
    fn check(value: &Value, ty: &Type, bytes: &[u8]) {
        assert_eq!(pack(value, ty), bytes);
        assert!(unpack(bytes, ty) == Ok(value.clone()));
    }

    #[track_caller]
    fn check_read(bytes: &[u8], ty: &Type, expected: &Result<Value, Unreadable>) {
        assert!(unpack(bytes, ty) == *expected, "{:?}", unpack(bytes, ty));
    }

    #[test]
    fn what_is_empty_and_what_is_not_known() {
        check(&Value::Null, &Type::Text, &[0xc0]);
        check(&Value::Unknown, &Type::Text, &[0xd4, 0, 0]);
        check(&Value::Unknown, &Type::Dynamic, &[0xd4, 0, 0]);
        // What is known of something unknown (that it is not null, a prefix) travels as an extension with a length.
        check_read(&[0xc7, 3, 12, 0x81, 1, 0xc2], &Type::Text, &Ok(Value::Unknown));
    }

    #[test]
    fn an_object_has_every_attribute_and_no_other() {
        let written = Value::object([("name", Value::text("a")), ("stranger", Value::text("b"))]);
        let complete = Value::object([("name", Value::text("a")), ("port", Value::Null)]);
        assert_eq!(pack(&written, &object()), pack(&complete, &object()));
        check(&complete, &object(), b"\x82\xa4name\xa1a\xa4port\xc0");
        check_read(b"\x81\xa5other\xc0", &object(), &Err(Unreadable::Mismatch));
    }

    #[test]
    fn a_number_that_fits_no_machine_stays_as_it_is() {
        let digits = "123456789012345678901234567890";
        check_read(
            &pack(&Value::text(digits), &Type::Text),
            &Type::Number,
            &Ok(Value::Number(Number::Digits(digits.to_owned()))),
        );
        check_read(
            &[0xcf, 255, 255, 255, 255, 255, 255, 255, 255],
            &Type::Number,
            &Ok(Value::Number(Number::Digits(u64::MAX.to_string()))),
        );
        check_read(&[0xff], &Type::Number, &Ok(Value::int(-1)));
        check_read(&[0xcd, 1, 0], &Type::Number, &Ok(Value::int(256)));
    }

    #[test]
    fn what_has_no_type_brings_its_own_in_binary() {
        let value = Value::List(vec![Value::text("a"), Value::Bool(true)]);
        let bytes = pack(&value, &Type::Dynamic);
        assert!(bytes.starts_with(b"\x92\xc4\x1b[\"tuple\",[\"string\",\"bool\"]]\x92\xa1a\xc3"), "{bytes:?}");
        check_read(&bytes, &Type::Dynamic, &Ok(value));
    }

    #[test]
    fn what_is_torn_or_too_long_or_of_another_type_is_refused() {
        let bytes = pack(&Value::object([("name", Value::text("a"))]), &object());
        for cut in 0..bytes.len() {
            check_read(&bytes[..cut], &object(), &Err(Unreadable::Short));
        }
        check_read(&[bytes.as_slice(), &[0]].concat(), &object(), &Err(Unreadable::Long));
        check_read(&[0xa1, b'a'], &Type::list(Type::Text), &Err(Unreadable::Mismatch));
        check_read(&[0x91, 0xc0], &Type::Text, &Err(Unreadable::Mismatch));
        let deep = [0x92, 0xa9, b'"', b'd', b'y', b'n', b'a', b'm', b'i', b'c', b'"'].repeat(200);
        check_read(&deep, &Type::Dynamic, &Err(Unreadable::Deep));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            Just(Value::Unknown),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::int),
            (-1.0e9..1.0e9f64).prop_map(|float| Value::Number(Number::Float(float))),
            ".{0,300}".prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 64, 20, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::List),
                proptest::collection::btree_map("[a-z]{1,40}", inner, 0..20).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_packed_is_read_again(value in values()) {
            prop_assert!(unpack(&pack(&value, &Type::Dynamic), &Type::Dynamic) == Ok(value));
        }

        #[test]
        fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes, &Type::Dynamic);
            let _ = unpack(&bytes, &object());
        }
    }
}
