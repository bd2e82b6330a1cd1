//! CQL's types. A value is raw bytes with a type until someone shows or compares it.
//!
//! Authority: `o.a.c.db.marshal.*`.

mod bound;
mod comparable;
mod compare;
pub mod counter;
mod decimal;
mod float;
mod from_json;
mod from_text;
pub(crate) mod hex;
mod inet;
mod json;
mod literal;
mod marshal;
mod parse_cql;
mod parse_marshal;
mod parts;
mod temporal;
mod text;
mod validate;

pub use comparable::write_comparable_clustering;
pub(crate) use comparable::write_escaped;
pub use decimal::write_i64;
pub use from_json::{Json, column_name as json_column_name};
pub use json::{write_json_name, write_json_string};
pub use literal::{Evaluate, Literal};
pub use marshal::write_identifier;
pub use parse_cql::ResolveUserType;
pub use temporal::civil_from_days;
pub(crate) use temporal::days_from_civil;

use std::sync::Arc;

/// A type of a value, a key or a clustering column. The descending order of a clustering column is not part of its
/// type: see [`crate::schema::ClusteringColumn`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CqlType {
    /// `ascii`: bytes below 0x80.
    Ascii,
    /// `bigint`: i64.
    BigInt,
    /// `blob`.
    Blob,
    /// `boolean`: one byte.
    Boolean,
    /// `counter`: a counter context, see `o.a.c.db.context.CounterContext`.
    Counter,
    /// `date`: u32 days, 2^31 is 1970-01-01.
    Date,
    /// `decimal`: i32 scale and a two's complement unscaled value.
    Decimal,
    /// `double`.
    Double,
    /// `duration`: signed vints of months, days and nanoseconds.
    Duration,
    /// `float`.
    Float,
    /// `inet`: 4 or 16 bytes.
    Inet,
    /// `int`: i32.
    Int,
    /// `smallint`: i16.
    SmallInt,
    /// `text`, also called `varchar`: UTF-8.
    Text,
    /// `time`: i64 nanoseconds of the day.
    Time,
    /// `timestamp`: i64 milliseconds since 1970.
    Timestamp,
    /// `timeuuid`: 16 bytes, version 1.
    TimeUuid,
    /// `tinyint`: i8.
    TinyInt,
    /// `uuid`: 16 bytes.
    Uuid,
    /// `varint`: two's complement of any length.
    Varint,
    /// `list<element>`; multi-cell unless frozen.
    List {
        /// Type of the elements.
        element: Arc<CqlType>,
        /// One value rather than a cell an element.
        frozen: bool,
    },
    /// `set<element>`; multi-cell unless frozen.
    Set {
        /// Type of the elements.
        element: Arc<CqlType>,
        /// One value rather than a cell an element.
        frozen: bool,
    },
    /// `map<key, value>`; multi-cell unless frozen.
    Map {
        /// Type of the keys.
        key: Arc<CqlType>,
        /// Type of the values.
        value: Arc<CqlType>,
        /// One value rather than a cell an entry.
        frozen: bool,
    },
    /// `tuple<...>`, always one value.
    Tuple(Arc<[CqlType]>),
    /// A user-defined type; multi-cell unless frozen.
    Udt {
        /// Its definition.
        definition: Arc<UserType>,
        /// One value rather than a cell a field.
        frozen: bool,
    },
    /// `vector<element, dimension>`, always one value.
    Vector {
        /// Type of the elements.
        element: Arc<CqlType>,
        /// Count of elements.
        dimension: u32,
    },
    /// `DateType` of Thrift's time: i64 milliseconds compared as unsigned bytes.
    LegacyDate,
    /// `LexicalUUIDType` of Thrift's time: 16 bytes compared as two signed longs.
    LexicalUuid,
    /// `EmptyType`: a value of no bytes, in compact tables.
    Empty,
    /// `CompositeType(...)`: a composite partition key, or a composite value of Thrift's time.
    Composite(Arc<[CqlType]>),
    /// `DynamicCompositeType(a=>T,...)`: aliases and their types; values name their own types.
    DynamicComposite(Arc<[(char, CqlType)]>),
    /// `PartitionerDefinedOrder`: a base table's raw partition key as clustering column of an index table, ordered by
    /// token. Holds the base table's partitioner class and, from 5.0, its partition key type.
    PartitionerDefinedOrder {
        /// Class name of the partitioner, as stored.
        partitioner: Arc<str>,
        /// Partition key type of the base table, when stored.
        base: Option<Arc<CqlType>>,
    },
    /// `ReversedType(T)` inside a composite, never at the top of a type: there it is `descending` of the column.
    Reversed(Arc<CqlType>),
    /// A class this library has no rules for; its values are shown as blobs and compared as unsigned bytes.
    Custom(Arc<str>),
}

/// A user-defined type. Authority: `o.a.c.db.marshal.UserType`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserType {
    /// Keyspace it belongs to.
    pub keyspace: String,
    /// Its name, without quotes.
    pub name: String,
    /// Names (without quotes) and types of its fields, in order; a value may hold only the first ones.
    pub fields: Vec<(String, CqlType)>,
}

impl CqlType {
    /// Length in bytes that a non-empty value always has; such values are stored without their length in Data.db.
    ///
    /// Authority: `AbstractType.valueLengthIfFixed`. `tinyint`, `smallint`, `date` and `time` have none.
    pub fn fixed_length(&self) -> Option<usize> {
        match self {
            CqlType::Boolean => Some(1),
            CqlType::Int | CqlType::Float => Some(4),
            CqlType::BigInt | CqlType::Double | CqlType::Timestamp | CqlType::LegacyDate => Some(8),
            CqlType::TimeUuid | CqlType::Uuid | CqlType::LexicalUuid => Some(16),
            CqlType::Empty => Some(0),
            CqlType::Reversed(base) => base.fixed_length(),
            CqlType::Vector { element, dimension } => element
                .fixed_length()
                .and_then(|n| n.checked_mul(*dimension as usize)),
            _ => None,
        }
    }

    /// The types of the components of a partition key of this type: a composite's, else itself.
    pub fn components(&self) -> &[CqlType] {
        match self {
            CqlType::Composite(types) => types,
            _ => std::slice::from_ref(self),
        }
    }

    /// The same type as one value: a collection or user type frozen with all that is inside.
    pub fn freeze(&self) -> CqlType {
        let arc = |t: &Arc<CqlType>| match t.is_frozen() {
            true => t.clone(),
            false => Arc::new(t.freeze()),
        };
        match self {
            CqlType::List { element, .. } => CqlType::List {
                element: arc(element),
                frozen: true,
            },
            CqlType::Set { element, .. } => CqlType::Set {
                element: arc(element),
                frozen: true,
            },
            CqlType::Map { key, value, .. } => CqlType::Map {
                key: arc(key),
                value: arc(value),
                frozen: true,
            },
            CqlType::Udt { definition, .. } => CqlType::Udt {
                definition: match definition.fields.iter().all(|(_, t)| t.is_frozen()) {
                    true => definition.clone(),
                    false => Arc::new(UserType {
                        keyspace: definition.keyspace.clone(),
                        name: definition.name.clone(),
                        fields: definition
                            .fields
                            .iter()
                            .map(|(name, t)| (name.clone(), t.freeze()))
                            .collect(),
                    }),
                },
                frozen: true,
            },
            // Tuples and vectors were made of frozen types.
            _ => self.clone(),
        }
    }

    /// Whether [`CqlType::freeze`] would change nothing.
    fn is_frozen(&self) -> bool {
        match self {
            CqlType::List { element, frozen } | CqlType::Set { element, frozen } => {
                *frozen && element.is_frozen()
            }
            CqlType::Map { key, value, frozen } => *frozen && key.is_frozen() && value.is_frozen(),
            CqlType::Udt { definition, frozen } => {
                *frozen && definition.fields.iter().all(|(_, t)| t.is_frozen())
            }
            _ => true,
        }
    }

    /// Whether a value of no bytes says something, as that of a text does; in other types it is as good as null.
    ///
    /// Authority: `TypeSerializer.isNull`.
    pub(crate) fn has_empty_value(&self) -> bool {
        match self {
            CqlType::Reversed(base) => base.has_empty_value(),
            _ => matches!(
                self,
                CqlType::Text
                    | CqlType::Ascii
                    | CqlType::Blob
                    | CqlType::Composite(_)
                    | CqlType::DynamicComposite(_)
                    | CqlType::Tuple(_)
                    | CqlType::Udt { .. }
                    | CqlType::Vector { .. }
                    | CqlType::Custom(_)
            ),
        }
    }

    /// How deep types nest in it; 1 for a simple one.
    pub(crate) fn depth(&self) -> usize {
        let deepest = |types: &[CqlType]| types.iter().map(CqlType::depth).max().unwrap_or(0);
        1 + match self {
            CqlType::List { element, .. }
            | CqlType::Set { element, .. }
            | CqlType::Vector { element, .. }
            | CqlType::Reversed(element) => element.depth(),
            CqlType::Map { key, value, .. } => key.depth().max(value.depth()),
            CqlType::Tuple(types) | CqlType::Composite(types) => deepest(types),
            CqlType::Udt { definition, .. } => definition
                .fields
                .iter()
                .map(|(_, t)| t.depth())
                .max()
                .unwrap_or(0),
            CqlType::DynamicComposite(aliases) => {
                aliases.iter().map(|(_, t)| t.depth()).max().unwrap_or(0)
            }
            CqlType::PartitionerDefinedOrder { base, .. } => base.as_ref().map_or(0, |t| t.depth()),
            _ => 0,
        }
    }

    /// Whether a column of this type has a cell per element: a collection or user type that is not frozen.
    pub fn is_multi_cell(&self) -> bool {
        matches!(
            self,
            CqlType::List { frozen: false, .. }
                | CqlType::Set { frozen: false, .. }
                | CqlType::Map { frozen: false, .. }
                | CqlType::Udt { frozen: false, .. }
        )
    }
}

#[cfg(test)]
mod tests;
