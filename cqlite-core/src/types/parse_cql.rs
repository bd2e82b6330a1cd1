//! Types as CQL writes them: `map<text, frozen<list<int>>>`.
//!
//! Authority: rule `comparatorType` of `Parser.g` of `o.a.c.cql3`, `o.a.c.cql3.CQL3Type.Raw`.

use super::{CqlType, UserType};
use crate::limits::TYPE_DEPTH_MAX;
use crate::{Error, ErrorKind, Result};
use std::sync::Arc;

/// Finds a user type by its keyspace, if one was written, and its name, both without quotes.
pub type ResolveUserType<'a> = dyn Fn(Option<&str>, &str) -> Option<Arc<UserType>> + 'a;

impl CqlType {
    /// Parses the text of a type in CQL. `resolve` finds user types by keyspace, if one was written, and name.
    ///
    /// # Errors
    /// `InvalidInput`, with the byte offset in `text`: the text is not that of a type, names an unknown one, nests too
    /// deep, or nests types in a way that Cassandra refuses.
    pub fn parse_cql(text: &str, resolve: &ResolveUserType<'_>) -> Result<CqlType> {
        let mut parser = Parser {
            text,
            at: 0,
            resolve,
        };
        let ty = parser.parse(false, 0)?;
        match parser.peek() {
            None => Ok(ty),
            Some(_) => Err(parser.error(parser.at, "text after the end of the type")),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    resolve: &'a ResolveUserType<'a>,
}

/// A name, and whether it was quoted.
struct Name {
    text: String,
    quoted: bool,
}

impl Parser<'_> {
    #[cold]
    fn error(&self, at: usize, what: impl AsRef<str>) -> Error {
        Error::invalid(format!("{} in the type {}", what.as_ref(), self.text)).at(at as u64)
    }

    /// The next character that is not blank; the cursor stands on it.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn accept(&mut self, symbol: char) -> bool {
        let found = self.peek() == Some(symbol);
        if found {
            self.at += symbol.len_utf8();
        }
        found
    }

    fn expect(&mut self, symbol: char) -> Result<()> {
        match self.accept(symbol) {
            true => Ok(()),
            false => Err(self.error(self.at, format!("'{symbol}' is missing"))),
        }
    }

    /// Takes a text in quotes, of which two stand for one.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let start = self.at;
        let mut content = String::new();
        let mut rest = &self.text[start + 1..];
        loop {
            let Some(end) = rest.find(quote) else {
                return Err(self.error(start, "a quote that is not closed"));
            };
            content.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix(quote) {
                Some(after) => {
                    content.push(quote);
                    rest = after;
                }
                None => break,
            }
        }
        self.at = self.text.len() - rest.len();
        Ok(content)
    }

    fn name(&mut self) -> Result<Name> {
        match self.peek() {
            Some('"') => Ok(Name {
                text: self.quoted('"')?,
                quoted: true,
            }),
            Some(c) if c.is_ascii_alphabetic() => {
                let rest = &self.text[self.at..];
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                self.at += end;
                Ok(Name {
                    text: rest[..end].to_ascii_lowercase(),
                    quoted: false,
                })
            }
            _ => Err(self.error(self.at, "a type is missing")),
        }
    }

    /// Parses a type; `frozen` if it stands in one that is.
    fn parse(&mut self, frozen: bool, depth: usize) -> Result<CqlType> {
        let start = {
            self.peek();
            self.at
        };
        if depth >= TYPE_DEPTH_MAX {
            return Err(self.error(start, format!("more than {TYPE_DEPTH_MAX} nested types")));
        }
        if self.peek() == Some('\'') {
            return self.custom(depth);
        }
        let name = self.name()?;
        if !name.quoted && self.peek() == Some('<') {
            self.at += 1;
            let ty = self.parameterized(&name.text, start, frozen, depth)?;
            self.expect('>')?;
            return Ok(ty);
        }
        if !name.quoted
            && let Some(ty) = CqlType::simple_of_cql(&name.text)
            // A column of a compact table may have this type, but it has no name in the grammar.
            && (depth == 0 || ty != CqlType::Empty)
        {
            return Ok(ty);
        }
        let (keyspace, name) = match self.accept('.') {
            true => (Some(name.text), self.name()?.text),
            false => (None, name.text),
        };
        let Some(definition) = (self.resolve)(keyspace.as_deref(), &name) else {
            let name = &self.text[start..self.at];
            return Err(self
                .error(start, format!("the unknown type {name}"))
                .advise("define it with CREATE TYPE before its use"));
        };
        let ty = CqlType::Udt {
            definition,
            frozen: false,
        };
        if depth + ty.depth() > TYPE_DEPTH_MAX {
            return Err(self.error(start, format!("more than {TYPE_DEPTH_MAX} nested types")));
        }
        Ok(if frozen { ty.freeze() } else { ty })
    }

    /// The type between `name<` and `>`.
    fn parameterized(
        &mut self,
        name: &str,
        start: usize,
        frozen: bool,
        depth: usize,
    ) -> Result<CqlType> {
        let depth = depth + 1;
        match name {
            "frozen" => {
                let ty = self.parse(true, depth)?;
                let freezes =
                    ty.is_freezable() || matches!(ty, CqlType::Tuple(_) | CqlType::Vector { .. });
                match freezes {
                    true => Ok(ty.freeze()),
                    false => Err(self.error(
                        start,
                        format!(
                            "frozen<> is only allowed on collections, tuples, and user-defined types (got {})",
                            ty.cql_name()
                        ),
                    )),
                }
            }
            "list" => {
                let element = Arc::new(self.member(frozen, depth)?);
                Ok(CqlType::List { element, frozen })
            }
            "set" => {
                let element = Arc::new(self.member(frozen, depth)?);
                if *element == CqlType::Duration {
                    return Err(self.error(start, "Durations are not allowed inside sets"));
                }
                Ok(CqlType::Set { element, frozen })
            }
            "map" => {
                let key = Arc::new(self.member(frozen, depth)?);
                if *key == CqlType::Duration {
                    return Err(self.error(start, "Durations are not allowed as map keys"));
                }
                self.expect(',')?;
                // Super column families with counters are maps of them.
                let value = Arc::new(self.member_or_counter(frozen, depth)?);
                Ok(CqlType::Map { key, value, frozen })
            }
            "tuple" => {
                let mut types = Vec::new();
                loop {
                    let at = self.at;
                    types.push(self.parse(true, depth)?);
                    if types.last() == Some(&CqlType::Counter) {
                        return Err(self.error(at, "Counters are not allowed inside tuples"));
                    }
                    if !self.accept(',') {
                        break;
                    }
                }
                Ok(CqlType::Tuple(types.into()))
            }
            "vector" => {
                // What is not frozen in it is taken for frozen, also inside frozen<>.
                let at = self.at;
                let element = self.parse(false, depth)?.freeze();
                if element.fixed_length() == Some(0) {
                    return Err(self.error(at, "elements without a value"));
                }
                self.expect(',')?;
                let dimension = self.dimension()?;
                Ok(CqlType::Vector {
                    element: Arc::new(element),
                    dimension,
                })
            }
            _ => Err(self.error(start, format!("the unknown type {name}<>"))),
        }
    }

    /// An element of a collection.
    fn member(&mut self, frozen: bool, depth: usize) -> Result<CqlType> {
        let at = self.at;
        match self.member_or_counter(frozen, depth)? {
            CqlType::Counter => Err(self.error(at, "Counters are not allowed inside collections")),
            ty => Ok(ty),
        }
    }

    fn member_or_counter(&mut self, frozen: bool, depth: usize) -> Result<CqlType> {
        let at = self.at;
        let ty = self.parse(frozen, depth)?;
        if ty.is_multi_cell() {
            let what = match ty {
                CqlType::Udt { .. } => "UDTs",
                _ => "collections",
            };
            return Err(self
                .error(
                    at,
                    format!("Non-frozen {what} are not allowed inside collections"),
                )
                .advise("write frozen<...> around it"));
        }
        Ok(ty)
    }

    fn dimension(&mut self) -> Result<u32> {
        self.peek();
        let rest = &self.text[self.at..];
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '-')
            .unwrap_or(rest.len());
        let dimension = rest[..digits].parse::<i32>().ok().filter(|n| *n > 0);
        let Some(dimension) = dimension else {
            return Err(self.error(self.at, "a dimension that is no positive integer"));
        };
        self.at += digits;
        Ok(dimension as u32)
    }

    /// The name of a class in single quotes.
    fn custom(&mut self, depth: usize) -> Result<CqlType> {
        let start = self.at;
        let class = self.quoted('\'')?;
        let (ty, reversed) = CqlType::parse_marshal(&class).map_err(|e| {
            let offset = e.location().offset.unwrap_or(0);
            Error::new(ErrorKind::InvalidInput, e.message()).at(start as u64 + 1 + offset)
        })?;
        if depth + ty.depth() > TYPE_DEPTH_MAX {
            return Err(self.error(start, format!("more than {TYPE_DEPTH_MAX} nested types")));
        }
        Ok(match reversed {
            true => CqlType::Reversed(Arc::new(ty)),
            false => ty,
        })
    }
}
