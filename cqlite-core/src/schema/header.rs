//! Schemas out of what SSTables say about themselves: their serialization headers, which hold types and the names of all
//! columns but those of the key.
//!
//! Authority: `o.a.c.db.SerializationHeader.Component`, `o.a.c.tools.Util.metadataFromSSTable`.

use super::check::{is_compatible, is_value_compatible};
use super::{
    ClusteringColumn, Column, DroppedColumn, TableKind, TableOptions, TableSchema, UntypedView,
};
use crate::error::{Error, Result};
use crate::types::{CqlType, hex};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The types and columns of an SSTable.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderTypes {
    /// Type of the partition key; a [`CqlType::Composite`] if it has several columns.
    pub key: CqlType,
    /// Types of the clustering columns, and whether they descend.
    pub clustering: Vec<(CqlType, bool)>,
    /// Static columns, in the order of the file.
    pub statics: Vec<Column>,
    /// Regular columns, in the order of the file.
    pub regulars: Vec<Column>,
}

impl HeaderTypes {
    /// Parses the names of the classes that a header holds. A column name that is not UTF-8, which only Thrift could
    /// make, becomes `0x` and hexadecimal digits; and so does one that looks like such digits.
    ///
    /// Errors: `Corrupt`, naming the column.
    pub fn parse(
        key: &str,
        clustering: &[String],
        statics: &[(Vec<u8>, String)],
        regulars: &[(Vec<u8>, String)],
    ) -> Result<Self> {
        let of = |what: &str, text: &str| {
            CqlType::parse_marshal(text)
                .map_err(|e| Error::corrupt(format!("type of {what}: {}", e.message())))
        };
        let columns = |columns: &[(Vec<u8>, String)]| -> Result<Vec<Column>> {
            let column = |(name, ty): &(Vec<u8>, String)| {
                let name = column_name(name);
                let (ty, _) = of(&format!("column `{name}`"), ty)?;
                Ok(Column { name, ty })
            };
            columns.iter().map(column).collect()
        };
        Ok(HeaderTypes {
            key: of("the partition key", key)?.0,
            clustering: clustering
                .iter()
                .map(|text| of("a clustering column", text))
                .collect::<Result<_>>()?,
            statics: columns(statics)?,
            regulars: columns(regulars)?,
        })
    }
}

/// The text of a column's name in a header: itself, or `0x` and hexadecimal digits if it is not UTF-8 or a text that would
/// be taken for such digits.
pub(super) fn column_name(bytes: &[u8]) -> Arc<str> {
    match std::str::from_utf8(bytes) {
        Ok(name) if digits_of_name(name).is_none() => name.into(),
        _ => {
            let mut digits = b"0x".to_vec();
            hex::encode(bytes, &mut digits);
            String::from_utf8_lossy(&digits).into()
        }
    }
}

/// The bytes of a column's name in a header, of which this is the text.
pub(crate) fn raw_column_name(name: &str) -> Cow<'_, [u8]> {
    match digits_of_name(name) {
        Some(bytes) => Cow::Owned(bytes),
        None => Cow::Borrowed(name.as_bytes()),
    }
}

/// The bytes whose digits a name is.
fn digits_of_name(name: &str) -> Option<Vec<u8>> {
    let bytes = hex::decode(name.strip_prefix("0x")?)?;
    let is_name = match std::str::from_utf8(&bytes) {
        Ok(text) => digits_of_name(text).is_some(),
        Err(_) => true,
    };
    is_name.then_some(bytes)
}

/// Names of the key columns, which no header holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyNames {
    /// Names of the partition key's columns.
    pub partition_key: Vec<String>,
    /// Names of the clustering columns.
    pub clustering: Vec<String>,
}

impl UntypedView {
    /// The view with the types of its SSTables; `headers` are as for [`TableSchema::from_headers`], and so are the
    /// errors.
    pub fn with_types(&self, headers: &[HeaderTypes]) -> Result<TableSchema> {
        let mut view =
            TableSchema::from_headers(&self.keyspace, &self.name, headers, Some(&self.key))?;
        view.id = self.id;
        view.kind = TableKind::View;
        view.options = self.options.clone();
        Ok(view)
    }
}

impl TableSchema {
    /// A schema out of the headers of all SSTables of a table, the newest first. Columns are those of all of them; where
    /// they do not agree the newest counts, and what does not fit it is as dropped.
    ///
    /// Without `names`, key columns are called `key`, `key2`..., clustering columns `clustering`, `clustering2`..., each
    /// with as many `_` behind as make it differ from all other columns. An index of the old kind (`table.index`) is told
    /// by its name.
    ///
    /// Errors: `InvalidInput` if there is no header, if the key's types are not those of the same table, or if `names`
    /// does not have as many as there are types.
    pub fn from_headers(
        keyspace: &str,
        table: &str,
        headers: &[HeaderTypes],
        names: Option<&KeyNames>,
    ) -> Result<TableSchema> {
        let Some(newest) = headers.first() else {
            return Err(Error::invalid(format!(
                "{keyspace}.{table} has no SSTable that could say its schema"
            )));
        };
        for older in &headers[1..] {
            if !same_key(newest, older) {
                return Err(Error::invalid(format!(
                    "the SSTables of {keyspace}.{table} are not of one table: their primary keys are ({}) and ({})",
                    key_text(newest),
                    key_text(older)
                ))
                .advise("give a schema file, or one SSTable alone"));
            }
        }
        let (columns, dropped) = merged_columns(headers);
        let taken = |name: &str| columns.contains_key(name);
        let key_types = newest.key.components();
        let partition_key = key_names(
            "key",
            key_types.len(),
            names.map(|n| &n.partition_key),
            taken,
        );
        let partition_key = partition_key
            .ok_or_else(|| wrong_count(keyspace, table, "partition key", key_types.len()))?;
        let partition_key: Vec<Column> = partition_key
            .into_iter()
            .zip(key_types)
            .map(|(name, ty)| Column {
                name,
                // 3.0 did not write that a user type is frozen, which in a key it always is.
                ty: ty.freeze(),
            })
            .collect();
        let count = newest.clustering.len();
        let clustering = key_names("clustering", count, names.map(|n| &n.clustering), taken);
        let clustering =
            clustering.ok_or_else(|| wrong_count(keyspace, table, "clustering", count))?;
        let clustering: Vec<ClusteringColumn> = clustering
            .into_iter()
            .zip(&newest.clustering)
            .map(|(name, (ty, descending))| ClusteringColumn {
                name,
                ty: ty.freeze(),
                descending: *descending,
            })
            .collect();
        let (mut statics, mut regulars) = (Vec::new(), Vec::new());
        for (name, (ty, is_static)) in columns {
            let column = Column { name, ty };
            match is_static {
                true => statics.push(column),
                false => regulars.push(column),
            }
        }
        TableSchema::into_storage_order(&mut statics);
        TableSchema::into_storage_order(&mut regulars);
        // Only a dense table without a value has a column of this type.
        let is_dense = matches!(&*regulars, [value] if value.ty == CqlType::Empty);
        Ok(TableSchema {
            keyspace: keyspace.to_owned(),
            name: table.to_owned(),
            id: None,
            kind: match table.contains('.') {
                true => TableKind::Index,
                false => TableKind::Regular,
            },
            partition_key,
            clustering,
            statics,
            regulars,
            dropped,
            is_dense,
            is_compact: is_dense,
            strict_liveness: false,
            stored_names: BTreeMap::new(),
            options: TableOptions::default(),
        })
    }
}

fn wrong_count(keyspace: &str, table: &str, what: &str, count: usize) -> Error {
    Error::invalid(format!(
        "wrong schema: the files of {keyspace}.{table} have {count} {what} columns"
    ))
}

/// Names as given, if there are as many, or made up.
fn key_names(
    base: &str,
    count: usize,
    given: Option<&Vec<String>>,
    taken: impl Fn(&str) -> bool,
) -> Option<Vec<Arc<str>>> {
    if let Some(given) = given {
        let fits = given.len() == count;
        return fits.then(|| given.iter().map(|name| name.as_str().into()).collect());
    }
    let made_up = (1..=count).map(|n| {
        let mut name = match n {
            1 => base.to_owned(),
            n => format!("{base}{n}"),
        };
        while taken(&name) {
            name.push('_');
        }
        name.into()
    });
    Some(made_up.collect())
}

fn same_key(newest: &HeaderTypes, older: &HeaderTypes) -> bool {
    let (new_key, old_key) = (newest.key.components(), older.key.components());
    let mut keys = new_key.iter().zip(old_key);
    let mut clusterings = newest.clustering.iter().zip(&older.clustering);
    new_key.len() == old_key.len()
        && newest.clustering.len() == older.clustering.len()
        && keys.all(|(new, old)| is_value_compatible(new, old))
        && clusterings.all(|(new, old)| new.1 == old.1 && is_compatible(&new.0, &old.0))
}

pub(super) fn key_text(header: &HeaderTypes) -> String {
    let key = header.key.components().iter().map(CqlType::cql_name);
    let clustering = header.clustering.iter().map(|(ty, descending)| {
        format!(
            "{}{}",
            ty.cql_name(),
            if *descending { " DESC" } else { "" }
        )
    });
    let key: Vec<String> = key.collect();
    let mut parts = vec![match &*key {
        [one] => one.clone(),
        _ => format!("({})", key.join(", ")),
    }];
    parts.extend(clustering);
    parts.join(", ")
}

type Columns = BTreeMap<Arc<str>, (CqlType, bool)>;

/// Names, types and whether static, of the columns; and those that do not fit them, as dropped before any time.
fn merged_columns(headers: &[HeaderTypes]) -> (Columns, Vec<DroppedColumn>) {
    let mut columns = Columns::new();
    let mut dropped = BTreeMap::new();
    for header in headers {
        for (list, is_static) in [(&header.statics, true), (&header.regulars, false)] {
            for column in list {
                let Some((ty, kind)) = columns.get(&column.name) else {
                    let definition = (column.ty.clone(), is_static);
                    columns.insert(column.name.clone(), definition);
                    continue;
                };
                if *kind != is_static || !is_value_compatible(ty, &column.ty) {
                    dropped
                        .entry(column.name.clone())
                        .or_insert_with(|| DroppedColumn {
                            column: column.clone(),
                            is_static,
                            dropped_at_micros: i64::MIN,
                        });
                }
            }
        }
    }
    (columns, dropped.into_values().collect())
}
