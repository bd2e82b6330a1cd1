//! Whether a schema is that of an SSTable, and which of its columns are which of the SSTable's.
//!
//! Authority: `o.a.c.db.SerializationHeader.Component.toHeader`, `o.a.c.schema.TableMetadata.getDroppedColumn`,
//! `isCompatibleWith`, `isValueCompatibleWith` and `isSerializationCompatibleWith` of `o.a.c.db.marshal.AbstractType`
//! and its subclasses.

use super::header::{HeaderTypes, key_text};
use super::{Column, ColumnKind, TableSchema};
use crate::error::{Error, Result};
use crate::types::CqlType;
use std::collections::HashMap;
use std::sync::Arc;

/// What the columns of an SSTable's header are in the schema, in the order of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderMapping {
    /// The header's static columns.
    pub statics: Vec<MappedColumn>,
    /// The header's regular columns.
    pub regulars: Vec<MappedColumn>,
}

/// What a column of an SSTable's header is in the schema. Its bytes are of the header's type whatever the schema says,
/// except that a user type is frozen if the schema says so: the headers of 3.0 leave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappedColumn {
    /// Index in [`TableSchema::statics`] or [`TableSchema::regulars`], whichever the header's list corresponds to.
    /// `None`: the column was dropped, and all of its cells are to be ignored.
    pub column: Option<usize>,
    /// Cells and deletions of the column at or before this time are to be ignored: it was dropped then, and added again
    /// later. In microseconds since 1970.
    pub dropped_at_micros: Option<i64>,
}

const SCHEMA_ADVICE: &str =
    "give the schema of the time when the SSTable was written, or a later one";

impl TableSchema {
    /// Maps the columns of an SSTable to those of this schema.
    ///
    /// Errors: `InvalidInput`, saying that the schema is wrong, if types of the key, or of a column, cannot be those of the
    /// schema, or if there is a column that the schema neither has nor had.
    pub fn map_header(&self, header: &HeaderTypes) -> Result<HeaderMapping> {
        self.check_key(header)?;
        Ok(HeaderMapping {
            statics: self.map_columns(&header.statics, ColumnKind::Static, &self.statics)?,
            regulars: self.map_columns(&header.regulars, ColumnKind::Regular, &self.regulars)?,
        })
    }

    fn wrong(&self, what: String) -> Error {
        Error::invalid(format!("wrong schema of {}: {what}", self.full_name()))
    }

    fn wrong_schema(&self, what: String) -> Error {
        self.wrong(what).advise(SCHEMA_ADVICE)
    }

    fn check_key(&self, header: &HeaderTypes) -> Result<()> {
        // Keys are whole values, although the header of an index on a collection names the collection's own type.
        let header_key = header.key.freeze();
        let components = header_key.components();
        // A key of a single column may be a composite itself.
        let key = match &*self.partition_key {
            [column] => is_value_compatible(&column.ty.freeze(), &header_key),
            columns => {
                let mut pairs = columns.iter().zip(components);
                columns.len() == components.len()
                    && pairs.all(|(column, ty)| is_value_compatible(&column.ty, ty))
            }
        };
        let mut pairs = self.clustering.iter().zip(&header.clustering);
        let clustering = self.clustering.len() == header.clustering.len()
            && (self.is_static_compact()
                || pairs.all(|(column, (ty, descending))| {
                    column.descending == *descending && is_compatible(&column.ty, ty)
                }));
        if key && clustering {
            return Ok(());
        }
        // The hidden clustering column of a static compact table is nothing that a schema could be given.
        let is_hidden = self.is_static_compact();
        if key && is_hidden && header.clustering.is_empty() {
            let error = "the SSTable is of a table without compact storage".to_owned();
            return Err(self
                .wrong(error)
                .advise("leave COMPACT STORAGE out of the table's options"));
        }
        let own = HeaderTypes {
            key: match &*self.partition_key {
                [column] => column.ty.clone(),
                columns => CqlType::Composite(columns.iter().map(|c| c.ty.clone()).collect()),
            },
            clustering: match is_hidden {
                true => Vec::new(),
                false => self
                    .clustering
                    .iter()
                    .map(|c| (c.ty.clone(), c.descending))
                    .collect(),
            },
            statics: Vec::new(),
            regulars: Vec::new(),
        };
        let mut theirs = header.clone();
        if is_hidden && theirs.clustering.len() == 1 {
            theirs.clustering.clear();
        }
        let error = self.wrong(format!(
            "its primary key is of types ({}), that of the SSTable ({})",
            key_text(&own),
            key_text(&theirs)
        ));
        // So are the files of static compact tables; of their regular columns, none is visible.
        let may_be_hidden = self.clustering.is_empty()
            && matches!(&*header.clustering, [(_, false)])
            && header
                .regulars
                .iter()
                .all(|c| self.column(&c.name).is_none());
        Err(match key && may_be_hidden {
            true => error.advise(
                "if the table was created WITH COMPACT STORAGE, its CREATE TABLE has to say so; \
                 else give the table its clustering column",
            ),
            false => error.advise(SCHEMA_ADVICE),
        })
    }

    fn map_columns(
        &self,
        columns: &[Column],
        kind: ColumnKind,
        own: &[Column],
    ) -> Result<Vec<MappedColumn>> {
        let own = (0..).zip(own).map(|(n, c)| (self.stored_name(&c.name), n));
        let own: HashMap<Arc<str>, usize> = own.collect();
        let of_kind = match kind {
            ColumnKind::Static => &self.statics,
            _ => &self.regulars,
        };
        let dropped = self.dropped.iter().map(|d| (&*d.column.name, d));
        let dropped: HashMap<&str, _> = dropped.collect();
        let map = |column: &Column| {
            let index = own.get(&column.name).copied();
            let dropped = dropped.get(&*column.name).copied();
            let ignored = MappedColumn {
                column: None,
                dropped_at_micros: dropped.map(|d| d.dropped_at_micros),
            };
            match (index, dropped) {
                (Some(n), _) if is_readable(&of_kind[n].ty, &column.ty) => Ok(MappedColumn {
                    column: Some(n),
                    ..ignored
                }),
                // Of before the drop, as the column that came after is of another type or kind.
                (_, Some(_)) => Ok(ignored),
                (Some(n), None) => Err(self.wrong_schema(format!(
                    "column `{}` is of type {}, that of the SSTable of type {}",
                    column.name,
                    of_kind[n].ty.cql_name(),
                    column.ty.cql_name()
                ))),
                (None, None) => Err(self.unknown_column(column, kind)),
            }
        };
        columns.iter().map(map).collect()
    }

    fn unknown_column(&self, column: &Column, kind: ColumnKind) -> Error {
        let name = &column.name;
        let word = match kind {
            ColumnKind::Static => "static",
            _ => "regular",
        };
        self.wrong_schema(match self.column(name) {
            Some(_) => format!("column `{name}` is {word} in the SSTable"),
            None => format!(
                "the SSTable has a {word} column `{name}` of type {}, which the schema neither has nor names as dropped",
                column.ty.cql_name()
            ),
        })
    }
}

/// Whether cells of a column of type `old` can be read as ones of type `new`.
fn is_readable(new: &CqlType, old: &CqlType) -> bool {
    // 3.0 did not write that a user type is frozen.
    let unsaid = matches!(
        (new, old),
        (CqlType::Udt { .. }, CqlType::Udt { frozen: false, .. })
    );
    (new.is_multi_cell() == old.is_multi_cell() || unsaid) && is_value_compatible(new, old)
}

/// `isValueCompatibleWith`: whether values of type `old` make sense as values of type `new`.
pub(crate) fn is_value_compatible(new: &CqlType, old: &CqlType) -> bool {
    use CqlType::*;
    let all = |new: &[CqlType], old: &[CqlType]| {
        new.len() >= old.len() && new.iter().zip(old).all(|(n, o)| is_value_compatible(n, o))
    };
    match (new, old) {
        (Reversed(new), Reversed(old)) => is_value_compatible(new, old),
        (Reversed(new), old) => is_value_compatible(new, old),
        (new, Reversed(old)) => is_value_compatible(new, old),
        (new, old) if new == old => true,
        // Any bytes are a blob, but a collection in cells has none.
        (Blob, old) => !old.is_multi_cell(),
        (BigInt, Timestamp | LegacyDate) => true,
        (Timestamp | LegacyDate, BigInt | Timestamp | LegacyDate) => true,
        (Varint, Int | BigInt | Timestamp | LegacyDate) => true,
        (Date, Int) => true,
        (Time, BigInt) => true,
        (Uuid, TimeUuid) => true,
        (
            List {
                element: new,
                frozen: true,
            },
            List {
                element: old,
                frozen: true,
            },
        ) => is_value_compatible(new, old),
        (
            Map {
                key: new_key,
                value: new,
                frozen: true,
            },
            Map {
                key: old_key,
                value: old,
                frozen: true,
            },
        ) => is_compatible(new_key, old_key) && is_value_compatible(new, old),
        (Tuple(new), Tuple(old)) | (Composite(new), Composite(old)) => all(new, old),
        // When a column is dropped, the types in its type's name become tuples.
        (
            Tuple(new),
            Udt {
                definition,
                frozen: true,
            },
        ) => {
            let fields = definition.fields.iter();
            new.len() >= definition.fields.len()
                && new
                    .iter()
                    .zip(fields)
                    .all(|(n, (_, o))| is_value_compatible(n, o))
        }
        (new, old) => is_compatible(new, old),
    }
}

/// `isCompatibleWith`: whether values of type `old` also sort as values of type `new` do.
pub(super) fn is_compatible(new: &CqlType, old: &CqlType) -> bool {
    use CqlType::*;
    let all = |new: &[CqlType], old: &[CqlType]| {
        new.len() >= old.len() && new.iter().zip(old).all(|(n, o)| is_compatible(n, o))
    };
    match (new, old) {
        (Reversed(new), Reversed(old)) => is_compatible(new, old),
        (new, old) if new == old => true,
        (Blob, Ascii | Text) | (Text, Ascii) => true,
        (Timestamp, LegacyDate) | (LegacyDate, Timestamp) => true,
        (
            List {
                element: new,
                frozen,
            },
            List {
                element: old,
                frozen: old_frozen,
            },
        ) => {
            frozen == old_frozen
                && match frozen {
                    true => is_compatible(new, old),
                    false => is_serialization_compatible(new, old),
                }
        }
        (
            Set {
                element: new,
                frozen,
            },
            Set {
                element: old,
                frozen: old_frozen,
            },
        ) => frozen == old_frozen && is_compatible(new, old),
        (
            Map {
                key: new_key,
                value: new,
                frozen,
            },
            Map {
                key: old_key,
                value: old,
                frozen: old_frozen,
            },
        ) => {
            frozen == old_frozen
                && is_compatible(new_key, old_key)
                && match frozen {
                    true => is_compatible(new, old),
                    false => is_serialization_compatible(new, old),
                }
        }
        (Tuple(new), Tuple(old)) | (Composite(new), Composite(old)) => all(new, old),
        // 3.0 did not write that one is frozen. The keyspace may be another one: SSTables can be moved.
        (
            Udt {
                definition: new, ..
            },
            Udt {
                definition: old, ..
            },
        ) => {
            let mut pairs = new.fields.iter().zip(&old.fields);
            new.fields.len() >= old.fields.len()
                && pairs.all(|((_, n), (_, o))| is_compatible(n, o))
        }
        (
            Vector {
                element: new,
                dimension,
            },
            Vector {
                element: old,
                dimension: old_dimension,
            },
        ) => dimension == old_dimension && is_compatible(new, old),
        (DynamicComposite(new), DynamicComposite(old)) => {
            old.iter().all(|alias| new.contains(alias))
        }
        _ => false,
    }
}

/// `isSerializationCompatibleWith`: value compatible, and cells are laid out the same.
fn is_serialization_compatible(new: &CqlType, old: &CqlType) -> bool {
    is_value_compatible(new, old)
        && new.fixed_length() == old.fixed_length()
        && new.is_multi_cell() == old.is_multi_cell()
}
