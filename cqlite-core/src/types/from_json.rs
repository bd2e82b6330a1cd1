//! Values from JSON: a small parser that keeps numbers as they are written, and what JSON becomes as a value of a type.
//!
//! Authority: `fromJSONObject` of `o.a.c.db.marshal.*`, `o.a.c.utils.JsonUtils`, RFC 8259.

use super::from_text::write_sized;
use super::{CqlType, hex};
use crate::bytes::vint;
use crate::limits::CQL_DEPTH_MAX;
use crate::{Error, Result};

/// A text of JSON, parsed.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, as written.
    Number(String),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, its members in the order of the text.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses a text that holds one value.
    ///
    /// # Errors
    /// `InvalidInput`, naming the column of the text (from 1) where it goes wrong.
    pub fn parse(text: &str) -> Result<Json> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.skip_blanks();
        match parser.at == text.len() {
            true => Ok(value),
            false => Err(parser.unexpected("the end")),
        }
    }

    fn what(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Boolean(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
        self.at = self.text.len() - rest.trim_start_matches(blank).len();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    fn unexpected(&self, expected: &str) -> Error {
        let column = self.text[..self.at].chars().count() + 1;
        let found = match self.text[self.at..].chars().next() {
            Some(c) => format!("`{c}`"),
            None => "the end".to_owned(),
        };
        Error::invalid(format!(
            "JSON, column {column}: found {found}, expected {expected}"
        ))
    }

    fn accept(&mut self, symbol: u8) -> bool {
        self.skip_blanks();
        let found = self.peek() == Some(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: u8, name: &str) -> Result<()> {
        match self.accept(symbol) {
            true => Ok(()),
            false => Err(self.unexpected(name)),
        }
    }

    /// What stands between brackets, of which the first comes next, with commas between.
    fn sequence(
        &mut self,
        end: u8,
        expected: &str,
        mut one: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.at += 1;
        if self.accept(end) {
            return Ok(());
        }
        loop {
            one(self)?;
            if !self.accept(b',') {
                return self.expect(end, expected);
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json> {
        if depth > CQL_DEPTH_MAX {
            return Err(Error::invalid(format!(
                "JSON that is nested deeper than {CQL_DEPTH_MAX} levels"
            )));
        }
        self.skip_blanks();
        match self.peek() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'[') => {
                let mut elements = Vec::new();
                self.sequence(b']', "`,` or `]`", |parser| {
                    elements.push(parser.value(depth + 1)?);
                    Ok(())
                })?;
                Ok(Json::Array(elements))
            }
            Some(b'{') => {
                let mut members = Vec::new();
                self.sequence(b'}', "`,` or `}`", |parser| {
                    parser.skip_blanks();
                    if parser.peek() != Some(b'"') {
                        return Err(parser.unexpected("a name in double quotes"));
                    }
                    let name = parser.string()?;
                    parser.expect(b':', "`:`")?;
                    members.push((name, parser.value(depth + 1)?));
                    Ok(())
                })?;
                Ok(Json::Object(members))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let words = [
                    ("null", Json::Null),
                    ("true", Json::Boolean(true)),
                    ("false", Json::Boolean(false)),
                ];
                for (word, value) in words {
                    if self.text[self.at..].starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.unexpected("a value"))
            }
        }
    }

    fn digits(&mut self) -> Result<()> {
        let rest = &self.text[self.at..];
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        match count {
            0 => Err(self.unexpected("a digit")),
            _ => Ok(()),
        }
    }

    fn number(&mut self) -> Result<Json> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let whole = self.at;
        self.digits()?;
        if self.at > whole + 1 && self.text.as_bytes()[whole] == b'0' {
            self.at = whole + 1;
            return Err(self.unexpected("no digit behind a leading 0"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(Json::Number(self.text[start..self.at].to_owned()))
    }

    /// A string, whose opening quote stands at the cursor.
    fn string(&mut self) -> Result<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let end = rest
                .bytes()
                .position(|b| b == b'"' || b == b'\\' || b < b' ');
            let Some(end) = end else {
                self.at = self.text.len();
                return Err(self.unexpected("`\"`"));
            };
            out.push_str(&rest[..end]);
            self.at += end;
            match rest.as_bytes()[end] {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => {
                    self.at += 1;
                    out.push(self.escaped()?);
                }
                _ => return Err(self.unexpected("no control character in a string")),
            }
        }
    }

    fn escaped(&mut self) -> Result<char> {
        let Some(b) = self.peek() else {
            return Err(self.unexpected("a character"));
        };
        let c = match b {
            b'"' | b'\\' | b'/' => b as char,
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                self.at += 1;
                let high = self.unit()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high).ok_or_else(|| self.unexpected("a character"));
                }
                if !self.text[self.at..].starts_with("\\u") {
                    return Err(self.unexpected("the other half of a surrogate pair"));
                }
                self.at += 2;
                let low = self.unit()?;
                let pair = 0x10000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00) % 0x10000;
                let is_low = (0xdc00..0xe000).contains(&low);
                let c = char::from_u32(pair).filter(|_| is_low);
                return c.ok_or_else(|| self.unexpected("the other half of a surrogate pair"));
            }
            _ => return Err(self.unexpected("an escape sequence")),
        };
        self.at += 1;
        Ok(c)
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(unit) = digits.and_then(|d| u32::from_str_radix(d, 16).ok()) else {
            return Err(self.unexpected("four hexadecimal digits"));
        };
        self.at += 4;
        Ok(unit)
    }
}

impl CqlType {
    /// The value that a JSON value stands for, the inverse of [`CqlType::write_json`]; `None` for null. `now` is the
    /// present time in milliseconds since 1970, for the timestamp `"now"`.
    ///
    /// # Errors
    /// `InvalidInput`, naming the type.
    pub fn from_json(&self, json: &Json, now: i64) -> Result<Option<Vec<u8>>> {
        match json {
            Json::Null => Ok(None),
            _ => self.json_value(json, now).map(Some),
        }
    }

    fn json_value(&self, json: &Json, now: i64) -> Result<Vec<u8>> {
        // Keys of maps, and what someone quoted: the text of a value stands for it.
        if let (
            CqlType::List { .. }
            | CqlType::Set { .. }
            | CqlType::Map { .. }
            | CqlType::Tuple(_)
            | CqlType::Udt { .. }
            | CqlType::Vector { .. },
            Json::String(text),
        ) = (self, json)
        {
            let inner = Json::parse(text)?;
            return match inner {
                Json::String(_) => Err(self.unfit(&inner)),
                _ => self.json_value(&inner, now),
            };
        }
        let element = |json: &Json, ty: &CqlType| -> Result<Vec<u8>> {
            ty.from_json(json, now)?
                .ok_or_else(|| Error::invalid("null is not supported inside collections"))
        };
        match (self, json) {
            (CqlType::Reversed(base), _) => base.json_value(json, now),
            (CqlType::List { element: ty, .. }, Json::Array(elements)) => {
                let mut out = count(elements.len())?;
                for e in elements {
                    write_sized(Some(&element(e, ty)?), &mut out)?;
                }
                Ok(out)
            }
            (CqlType::Set { element: ty, .. }, Json::Array(elements)) => {
                let values = elements.iter().map(|e| element(e, ty));
                let mut values = values.collect::<Result<Vec<_>>>()?;
                values.sort_by(|a, b| ty.compare(a, b));
                values.dedup_by(|a, b| ty.compare(a, b).is_eq());
                let mut out = count(values.len())?;
                for value in &values {
                    write_sized(Some(value), &mut out)?;
                }
                Ok(out)
            }
            (CqlType::Map { key, value, .. }, Json::Object(members)) => {
                let entry = |(name, member): &(String, Json)| {
                    let key = key.json_key(name, now)?;
                    Ok((key, element(member, value)?))
                };
                let mut entries = members.iter().map(entry).collect::<Result<Vec<_>>>()?;
                entries.sort_by(|(a, _), (b, _)| key.compare(a, b));
                entries.dedup_by(|later, kept| {
                    let same = key.compare(&later.0, &kept.0).is_eq();
                    if same {
                        std::mem::swap(&mut later.1, &mut kept.1);
                    }
                    same
                });
                let mut out = count(entries.len())?;
                for (key, value) in &entries {
                    write_sized(Some(key), &mut out)?;
                    write_sized(Some(value), &mut out)?;
                }
                Ok(out)
            }
            (CqlType::Tuple(types), Json::Array(elements)) => {
                if elements.len() > types.len() {
                    return Err(Error::invalid(format!(
                        "{} elements for a value of type {}",
                        elements.len(),
                        self.cql_name()
                    )));
                }
                let mut out = Vec::new();
                for (e, ty) in elements.iter().zip(types.iter()) {
                    write_sized(ty.from_json(e, now)?.as_deref(), &mut out)?;
                }
                Ok(out)
            }
            (CqlType::Udt { definition, .. }, Json::Object(members)) => {
                let of_field = |name: &str| {
                    let mut found = None;
                    for (written, member) in members {
                        if column_name(written) == name {
                            found = Some(member);
                        }
                    }
                    found
                };
                let fields = &definition.fields;
                let unknown = members.iter().find(|(written, _)| {
                    let name = column_name(written);
                    !fields.iter().any(|(field, _)| *field == name)
                });
                if let Some((name, _)) = unknown {
                    return Err(Error::invalid(format!(
                        "a value of type {} has no field {name}",
                        self.cql_name()
                    )));
                }
                let mut out = Vec::new();
                for (name, ty) in fields {
                    let value = match of_field(name) {
                        Some(member) => ty.from_json(member, now)?,
                        None => None,
                    };
                    write_sized(value.as_deref(), &mut out)?;
                }
                Ok(out)
            }
            (
                CqlType::Vector {
                    element: ty,
                    dimension,
                },
                Json::Array(elements),
            ) => {
                if elements.len() != *dimension as usize {
                    return Err(Error::invalid(format!(
                        "{} elements for a value of type {}",
                        elements.len(),
                        self.cql_name()
                    )));
                }
                let mut out = Vec::new();
                for e in elements {
                    let value = element(e, ty)?;
                    if ty.fixed_length().is_none() {
                        vint::write_unsigned(&mut out, value.len() as u64);
                    }
                    out.extend(value);
                }
                Ok(out)
            }
            (CqlType::Blob | CqlType::Custom(_), Json::String(text)) => {
                let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
                let bytes = digits.and_then(hex::decode);
                bytes.ok_or_else(|| {
                    Error::invalid(format!("'{text}' is no blob: it begins with 0x"))
                })
            }
            // They are written so where a text of theirs could not be read.
            (
                CqlType::Composite(_)
                | CqlType::DynamicComposite(_)
                | CqlType::LexicalUuid
                | CqlType::LegacyDate,
                Json::String(text),
            ) if text.starts_with("0x") => {
                let bytes = hex::decode(&text[2..]);
                bytes.ok_or_else(|| Error::invalid(format!("'{text}' is no blob")))
            }
            (CqlType::Boolean, Json::Boolean(value)) => Ok(vec![u8::from(*value)]),
            (
                CqlType::TinyInt
                | CqlType::SmallInt
                | CqlType::Int
                | CqlType::BigInt
                | CqlType::Varint
                | CqlType::Decimal
                | CqlType::Float
                | CqlType::Double
                | CqlType::Timestamp,
                Json::Number(text),
            ) => self.parse_text(text, Some(now)),
            (
                CqlType::List { .. }
                | CqlType::Set { .. }
                | CqlType::Map { .. }
                | CqlType::Tuple(_)
                | CqlType::Udt { .. }
                | CqlType::Vector { .. },
                _,
            ) => Err(self.unfit(json)),
            (CqlType::Time, Json::String(text)) if text == "null" => Ok(Vec::new()),
            (_, Json::String(text)) => self.parse_text(text, Some(now)),
            _ => Err(self.unfit(json)),
        }
    }

    /// A key of a map, whose text is in a string whatever it is.
    fn json_key(&self, text: &str, now: i64) -> Result<Vec<u8>> {
        self.json_value(&Json::String(text.to_owned()), now)
    }

    #[cold]
    fn unfit(&self, json: &Json) -> Error {
        Error::invalid(format!(
            "found {}, expected a value of type {}",
            json.what(),
            self.cql_name()
        ))
    }
}

/// The name of a column or field that a name in JSON stands for: in double quotes as it is, else in lower case.
pub fn column_name(written: &str) -> String {
    match written.strip_prefix('"').and_then(|n| n.strip_suffix('"')) {
        Some(inside) => inside.to_owned(),
        None => written.to_lowercase(),
    }
}

fn count(count: usize) -> Result<Vec<u8>> {
    let count = i32::try_from(count).map_err(|_| Error::invalid("too many elements"))?;
    Ok(count.to_be_bytes().to_vec())
}
