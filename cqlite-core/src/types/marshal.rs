//! Names of Cassandra's type classes, as Statistics.db and system_schema hold them, and the names of types in CQL.
//!
//! Authority: `toString` of `o.a.c.db.marshal.*`, `o.a.c.cql3.CQL3Type`.

use super::CqlType;
use crate::cql::quote_name;
use std::fmt::Write;

/// The package that a name without dots is in.
pub(super) const PACKAGE: &str = "org.apache.cassandra.db.marshal.";

/// Types without parameters: class, CQL name if it has one, type.
pub(super) const SIMPLE: [(&str, &str, CqlType); 23] = [
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
