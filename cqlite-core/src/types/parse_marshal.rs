//! Types from the names of Cassandra's type classes, as Statistics.db and system_schema hold them.
//!
//! Authority: `o.a.c.db.marshal.TypeParser`, `getInstance` of the types.

use super::marshal::{PACKAGE, SIMPLE};
use super::{CqlType, UserType, hex};
use crate::limits::TYPE_DEPTH_MAX;
use crate::{Error, Result};
use std::sync::Arc;

impl CqlType {
    /// Parses a type as Cassandra's files name it, and whether it is reversed (`ReversedType(...)`, a descending
    /// clustering column). A class it does not know becomes [`CqlType::Custom`] with its parameters.
    ///
    /// # Errors
    /// `Corrupt`, with the byte offset in `name`: the text is not that of a type, or nests too deep.
    pub fn parse_marshal(name: &str) -> Result<(CqlType, bool)> {
        let mut parser = Parser { text: name, at: 0 };
        let mut ty = parser.parse(0)?;
        parser.skip_blank();
        if parser.at < name.len() {
            return Err(parser.error("text after the end of the type"));
        }
        let mut reversed = false;
        while let CqlType::Reversed(base) = &ty {
            reversed = !reversed;
            ty = CqlType::clone(base);
        }
        Ok((ty, reversed))
    }
}

/// How much of a name an error repeats.
const ERROR_CHARS_MAX: usize = 400;

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    #[cold]
    fn error(&self, what: impl Into<String>) -> Error {
        // A damaged name may be as long as its file: the beginning tells it well enough.
        let shown: String = self.text.chars().take(ERROR_CHARS_MAX).collect();
        let more = if shown.len() < self.text.len() {
            "..."
        } else {
            ""
        };
        Error::corrupt(format!("{} in the type '{shown}{more}'", what.into())).at(self.at as u64)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n')) {
            self.at += 1;
        }
    }

    /// Skips blanks, and a comma among them.
    fn skip_blank_and_comma(&mut self) {
        self.skip_blank();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.skip_blank();
        }
    }

    fn identifier(&mut self) -> &'a str {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'+' | b'.' | b'_' | b'&')
        ) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        self.skip_blank();
        if !self.text.as_bytes()[self.at..].starts_with(token.as_bytes()) {
            return Err(self.error(format!("'{token}' is missing")));
        }
        self.at += token.len();
        self.skip_blank();
        Ok(())
    }

    fn parse(&mut self, depth: usize) -> Result<CqlType> {
        if depth >= TYPE_DEPTH_MAX {
            return Err(self.error(format!("types nest deeper than {TYPE_DEPTH_MAX}")));
        }
        self.skip_blank();
        let start = self.at;
        let name = self.identifier();
        let short = name.strip_prefix(PACKAGE).unwrap_or(name);
        self.skip_blank();
        if let Some((_, _, ty)) = SIMPLE.iter().find(|(class, _, _)| *class == short) {
            return self.simple_parameters(ty.clone());
        }
        Ok(match short {
            // No name at all is a BytesType.
            "" => CqlType::Blob,
            "LegacyTimeUUIDType" => CqlType::TimeUuid,
            "FrozenType" => {
                let [inner] = self.exactly(depth)?;
                inner.freeze()
            }
            "ReversedType" => {
                let [inner] = self.exactly(depth)?;
                CqlType::Reversed(Arc::new(inner))
            }
            "ListType" => {
                let [element] = self.exactly(depth)?;
                CqlType::List {
                    element: Arc::new(element.freeze()),
                    frozen: false,
                }
            }
            "SetType" => {
                let [element] = self.exactly(depth)?;
                CqlType::Set {
                    element: Arc::new(element.freeze()),
                    frozen: false,
                }
            }
            "MapType" => {
                let [key, value] = self.exactly(depth)?;
                CqlType::Map {
                    key: Arc::new(key.freeze()),
                    value: Arc::new(value.freeze()),
                    frozen: false,
                }
            }
            "TupleType" => {
                let types = self.list(depth)?;
                CqlType::Tuple(types.iter().map(CqlType::freeze).collect())
            }
            "CompositeType" => CqlType::Composite(self.list(depth)?.into()),
            "UserType" => self.user_type(depth)?,
            "VectorType" => self.vector(depth)?,
            "DynamicCompositeType" => self.dynamic_composite(depth)?,
            "PartitionerDefinedOrder" => self.partitioner_defined_order(depth)?,
            _ => {
                self.skip_parameters()?;
                let text = self.text[start..self.at].trim_end();
                CqlType::Custom(if name.contains('.') {
                    text.into()
                } else {
                    format!("{PACKAGE}{text}").into()
                })
            }
        })
    }

    /// The parameters of a class that takes none but `(reversed=true)`.
    fn simple_parameters(&mut self, ty: CqlType) -> Result<CqlType> {
        if self.peek() != Some(b'(') {
            return Ok(ty);
        }
        self.at += 1;
        let mut reversed = false;
        loop {
            self.skip_blank_and_comma();
            if self.peek() == Some(b')') {
                self.at += 1;
                break;
            }
            let key = self.identifier();
            self.skip_blank();
            let value = if self.peek() == Some(b'=') {
                self.at += 1;
                self.skip_blank();
                self.identifier()
            } else {
                ""
            };
            if key.is_empty() {
                return Err(self.error("')' is missing"));
            }
            reversed |= key == "reversed" && matches!(value, "" | "true");
        }
        Ok(if reversed {
            CqlType::Reversed(Arc::new(ty))
        } else {
            ty
        })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<CqlType>> {
        self.expect("(")?;
        let mut types = Vec::new();
        loop {
            self.skip_blank_and_comma();
            match self.peek() {
                Some(b')') => {
                    self.at += 1;
                    return Ok(types);
                }
                Some(b',') => return Err(self.error("two commas")),
                None => return Err(self.error("')' is missing")),
                _ => {
                    let before = self.at;
                    types.push(self.parse(depth + 1)?);
                    if self.at == before {
                        return Err(self.error("a type is missing"));
                    }
                }
            }
        }
    }

    fn exactly<const N: usize>(&mut self, depth: usize) -> Result<[CqlType; N]> {
        let types = self.list(depth)?;
        let n = types.len();
        types
            .try_into()
            .map_err(|_| self.error(format!("{n} type parameters instead of {N}")))
    }

    fn hex_text(&mut self) -> Result<String> {
        let at = self.at;
        let hex = self.identifier();
        let bad = |p: &Self| {
            Parser { text: p.text, at }.error(format!("'{hex}' is not a name in hexadecimal"))
        };
        let bytes = hex::decode(hex).ok_or_else(|| bad(self))?;
        String::from_utf8(bytes).map_err(|_| bad(self))
    }

    fn user_type(&mut self, depth: usize) -> Result<CqlType> {
        self.expect("(")?;
        let keyspace = self.identifier().to_owned();
        self.skip_blank_and_comma();
        let name = self.hex_text()?;
        let mut fields = Vec::new();
        loop {
            self.skip_blank_and_comma();
            match self.peek() {
                Some(b')') => {
                    self.at += 1;
                    break;
                }
                None => return Err(self.error("')' is missing")),
                _ => {
                    let field = self.hex_text()?;
                    self.expect(":")?;
                    fields.push((field, self.parse(depth + 1)?));
                }
            }
        }
        Ok(CqlType::Udt {
            definition: Arc::new(UserType {
                keyspace,
                name,
                fields,
            }),
            frozen: false,
        })
    }

    fn vector(&mut self, depth: usize) -> Result<CqlType> {
        self.expect("(")?;
        let element = self.parse(depth + 1)?.freeze();
        self.skip_blank_and_comma();
        let dimension = self
            .identifier()
            .parse::<i32>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| self.error("a dimension that is no positive number"))?;
        self.expect(")")?;
        // Such a vector would have elements without bytes: nothing would bound their count.
        if element.fixed_length() == Some(0) {
            return Err(self.error("a vector of empty elements"));
        }
        Ok(CqlType::Vector {
            element: Arc::new(element),
            dimension: dimension as u32,
        })
    }

    fn dynamic_composite(&mut self, depth: usize) -> Result<CqlType> {
        self.expect("(")?;
        let mut aliases: Vec<(char, CqlType)> = Vec::new();
        loop {
            self.skip_blank_and_comma();
            match self.peek() {
                Some(b')') => {
                    self.at += 1;
                    return Ok(CqlType::DynamicComposite(aliases.into()));
                }
                None => return Err(self.error("')' is missing")),
                _ => {
                    let mut alias = self.identifier().chars();
                    let (Some(alias), None) = (alias.next(), alias.next()) else {
                        return Err(self.error("an alias that is no single character"));
                    };
                    self.expect("=>")?;
                    let ty = self.parse(depth + 1)?;
                    aliases.retain(|(a, _)| *a != alias);
                    aliases.push((alias, ty));
                }
            }
        }
    }

    fn partitioner_defined_order(&mut self, depth: usize) -> Result<CqlType> {
        self.expect("(")?;
        let partitioner = self.identifier().into();
        self.skip_blank();
        let base = if self.peek() == Some(b':') {
            self.at += 1;
            Some(Arc::new(self.parse(depth + 1)?))
        } else {
            None
        };
        self.expect(")")?;
        Ok(CqlType::PartitionerDefinedOrder { partitioner, base })
    }

    /// Goes behind the parenthesis that closes the one here, if one opens here.
    fn skip_parameters(&mut self) -> Result<()> {
        if self.peek() != Some(b'(') {
            return Ok(());
        }
        let mut open = 0usize;
        while let Some(b) = self.peek() {
            self.at += 1;
            match b {
                b'(' => open += 1,
                b')' => open -= 1,
                _ => {}
            }
            if open == 0 {
                return Ok(());
            }
        }
        Err(self.error("')' is missing"))
    }
}
