//! Names of Cassandra's type classes, as Statistics.db and system_schema hold them, and the names of types in CQL.
//!
//! Authority: `o.a.c.db.marshal.TypeParser`, `toString` of the types, `o.a.c.cql3.CQL3Type`.

use super::{CqlType, UserType, hex};
use crate::cql::quote_name;
use crate::limits::TYPE_DEPTH_MAX;
use crate::{Error, Result};
use std::fmt::Write;
use std::sync::Arc;

/// The package that a name without dots is in.
pub(super) const PACKAGE: &str = "org.apache.cassandra.db.marshal.";

/// Types without parameters: class, CQL name if it has one, type.
const SIMPLE: [(&str, &str, CqlType); 23] = [
    ("UTF8Type", "text", CqlType::Text),
    ("Int32Type", "int", CqlType::Int),
    ("LongType", "bigint", CqlType::BigInt),
    ("AsciiType", "ascii", CqlType::Ascii),
    ("BytesType", "blob", CqlType::Blob),
    ("BooleanType", "boolean", CqlType::Boolean),
    ("CounterColumnType", "counter", CqlType::Counter),
    ("SimpleDateType", "date", CqlType::Date),
    ("DecimalType", "decimal", CqlType::Decimal),
    ("DoubleType", "double", CqlType::Double),
    ("DurationType", "duration", CqlType::Duration),
    ("FloatType", "float", CqlType::Float),
    ("InetAddressType", "inet", CqlType::Inet),
    ("ShortType", "smallint", CqlType::SmallInt),
    ("TimeType", "time", CqlType::Time),
    ("TimestampType", "timestamp", CqlType::Timestamp),
    ("TimeUUIDType", "timeuuid", CqlType::TimeUuid),
    ("ByteType", "tinyint", CqlType::TinyInt),
    ("UUIDType", "uuid", CqlType::Uuid),
    ("IntegerType", "varint", CqlType::Varint),
    ("DateType", "", CqlType::LegacyDate),
    ("LexicalUUIDType", "", CqlType::LexicalUuid),
    ("EmptyType", "empty", CqlType::Empty),
];

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

    /// The type without parameters that has this name in CQL, in lower case; `varchar` is `text`.
    pub(super) fn simple_of_cql(name: &str) -> Option<CqlType> {
        if name == "varchar" {
            return Some(CqlType::Text);
        }
        let found = SIMPLE.iter().find(|(_, cql, _)| *cql == name)?;
        (!name.is_empty()).then(|| found.2.clone())
    }

    /// The class name without package and parameters, `None` for a custom class.
    pub(super) fn class_name(&self) -> Option<&'static str> {
        Some(match self {
            CqlType::List { .. } => "ListType",
            CqlType::Set { .. } => "SetType",
            CqlType::Map { .. } => "MapType",
            CqlType::Tuple(_) => "TupleType",
            CqlType::Udt { .. } => "UserType",
            CqlType::Vector { .. } => "VectorType",
            CqlType::Composite(_) => "CompositeType",
            CqlType::DynamicComposite(_) => "DynamicCompositeType",
            CqlType::PartitionerDefinedOrder { .. } => "PartitionerDefinedOrder",
            CqlType::Reversed(_) => "ReversedType",
            CqlType::Custom(_) => return None,
            _ => SIMPLE.iter().find(|(_, _, ty)| ty == self)?.0,
        })
    }

    /// The name that Cassandra's files give the type. Put `ReversedType(...)` around it for a descending column.
    pub fn marshal_name(&self) -> String {
        let mut out = String::new();
        self.write_marshal(&mut out, false);
        out
    }

    /// `inside_frozen` is Cassandra's `ignoreFreezing`: no `FrozenType` is written inside another one.
    fn write_marshal(&self, out: &mut String, inside_frozen: bool) {
        let frozen = self.is_freezable() && !self.is_multi_cell();
        let wrapped = frozen && !inside_frozen;
        let inside = inside_frozen || frozen;
        if wrapped {
            out.push_str(PACKAGE);
            out.push_str("FrozenType(");
        }
        if let Some(class) = self.class_name() {
            out.push_str(PACKAGE);
            out.push_str(class);
        }
        match self {
            CqlType::List { element, .. } | CqlType::Set { element, .. } => {
                write_list(out, [&**element], inside);
            }
            CqlType::Map { key, value, .. } => write_list(out, [&**key, &**value], inside),
            // Parts of a tuple are written as inside a frozen type.
            CqlType::Tuple(types) => write_list(out, types.iter(), true),
            CqlType::Composite(types) => write_list(out, types.iter(), false),
            CqlType::Reversed(base) => write_list(out, [&**base], false),
            CqlType::Vector { element, dimension } => {
                out.push('(');
                element.write_marshal(out, inside_frozen);
                let _ = write!(out, " , {dimension})");
            }
            CqlType::Udt { definition, .. } => {
                out.push('(');
                out.push_str(&definition.keyspace);
                out.push(',');
                write_hex(out, definition.name.as_bytes());
                for (name, ty) in &definition.fields {
                    out.push(',');
                    write_hex(out, name.as_bytes());
                    out.push(':');
                    ty.write_marshal(out, inside);
                }
                out.push(')');
            }
            CqlType::DynamicComposite(aliases) => {
                out.push('(');
                for (i, (alias, ty)) in aliases.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    let _ = write!(out, "{alias}=>");
                    ty.write_marshal(out, false);
                }
                out.push(')');
            }
            CqlType::PartitionerDefinedOrder { partitioner, base } => {
                out.push('(');
                out.push_str(partitioner);
                if let Some(base) = base {
                    out.push(':');
                    base.write_marshal(out, false);
                }
                out.push(')');
            }
            CqlType::Custom(name) => out.push_str(name),
            _ => {}
        }
        if wrapped {
            out.push(')');
        }
    }

    /// Whether the type may be frozen or not.
    pub(super) fn is_freezable(&self) -> bool {
        matches!(
            self,
            CqlType::List { .. } | CqlType::Set { .. } | CqlType::Map { .. } | CqlType::Udt { .. }
        )
    }

    /// The type as CQL writes it, `map<int, frozen<list<text>>>`; a class that CQL has no name for in single quotes.
    pub fn cql_name(&self) -> String {
        let mut out = String::new();
        self.write_cql(&mut out);
        out
    }

    fn write_cql(&self, out: &mut String) {
        let frozen = self.is_freezable() && !self.is_multi_cell();
        if frozen {
            out.push_str("frozen<");
        }
        match self {
            CqlType::List { element, .. } => write_cql_list(out, "list", [&**element]),
            CqlType::Set { element, .. } => write_cql_list(out, "set", [&**element]),
            CqlType::Map { key, value, .. } => write_cql_list(out, "map", [&**key, &**value]),
            CqlType::Tuple(types) => {
                // Tuples are always frozen, and are said to be so.
                out.push_str("frozen<");
                write_cql_list(out, "tuple", types.iter());
                out.push('>');
            }
            CqlType::Udt { definition, .. } => write_identifier(out, &definition.name),
            CqlType::Vector { element, dimension } => {
                out.push_str("vector<");
                element.write_cql(out);
                let _ = write!(out, ", {dimension}>");
            }
            // Dates of Thrift's time are timestamps to CQL.
            CqlType::LegacyDate => out.push_str("timestamp"),
            CqlType::Reversed(base) => base.write_cql(out),
            _ => match SIMPLE.iter().find(|(_, _, ty)| ty == self) {
                Some((_, cql, _)) if !cql.is_empty() => out.push_str(cql),
                _ => {
                    out.push('\'');
                    self.write_marshal(out, false);
                    out.push('\'');
                }
            },
        }
        if frozen {
            out.push('>');
        }
    }
}

fn write_list<'a>(
    out: &mut String,
    types: impl IntoIterator<Item = &'a CqlType>,
    inside_frozen: bool,
) {
    out.push('(');
    for (i, ty) in types.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        ty.write_marshal(out, inside_frozen);
    }
    out.push(')');
}

fn write_cql_list<'a>(out: &mut String, name: &str, types: impl IntoIterator<Item = &'a CqlType>) {
    out.push_str(name);
    out.push('<');
    for (i, ty) in types.into_iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        ty.write_cql(out);
    }
    out.push('>');
}

fn write_hex(out: &mut String, bytes: &[u8]) {
    for b in bytes {
        let _ = write!(out, "{b:02x}");
    }
}

/// Appends a name as Cassandra writes identifiers: in double quotes where it would not read back as itself, but for
/// `true` and `false`.
///
/// Authority: `o.a.c.cql3.ColumnIdentifier.maybeQuote`.
pub fn write_identifier(out: &mut String, name: &str) {
    match name {
        "true" | "false" => out.push_str(name),
        _ => out.push_str(&quote_name(name)),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    #[cold]
    fn error(&self, what: impl Into<String>) -> Error {
        Error::corrupt(format!("{} in the type '{}'", what.into(), self.text)).at(self.at as u64)
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
