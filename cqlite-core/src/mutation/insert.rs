//! Rows from the values of their columns: an `INSERT` that is prepared once.
//!
//! Authority: `o.a.c.cql3.statements.UpdateStatement`, `o.a.c.io.sstable.CQLSSTableWriter.rawAddRow`.

use super::draft::Draft;
use super::{TimeUuids, WriteTime, check_writable, key};
use crate::limits::VALUE_BYTES_MAX;
use crate::schema::{ColumnKind, TableSchema};
use crate::sstable::builder::ChangeSink;
use crate::types::CqlType;
use crate::{Error, Result};
use std::sync::Arc;

/// What a column is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Left as it is.
    Unset,
    /// Deleted.
    Null,
    /// Set to these bytes of its type; a collection is one value, also where it is stored as several.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The bytes, if it has some.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            Value::Unset | Value::Null => None,
        }
    }
}

/// Inserts or updates rows, given the values of the same columns each time.
#[derive(Debug)]
pub struct Insert {
    table: Arc<TableSchema>,
    /// Number among the values of each column of the partition key and of the clustering.
    partition_key: Vec<usize>,
    clustering: Vec<Option<usize>>,
    /// Number among the values, and number in the table, of the other columns.
    statics: Vec<(usize, usize)>,
    regulars: Vec<(usize, usize)>,
    /// Rows live by themselves, not only by their cells.
    has_liveness: bool,
    ids: TimeUuids,
    key: Vec<u8>,
    row: Draft,
    static_row: Draft,
}

impl Insert {
    /// Of rows that have values for `columns`, by their names without quotes.
    ///
    /// # Errors
    /// `NotFound` for a column that the table lacks; `InvalidInput` for one that is named twice or a key column that is
    /// missing; `Unsupported` for a counter table.
    pub fn new(table: Arc<TableSchema>, columns: &[&str], ids: TimeUuids) -> Result<Self> {
        check_writable(&table)?;
        let mut partition_key = vec![None; table.partition_key.len()];
        let mut clustering = vec![None; table.clustering.len()];
        let (mut statics, mut regulars) = (Vec::new(), Vec::new());
        for (i, name) in columns.iter().enumerate() {
            let column = visible_column(&table, name)?;
            if columns[..i].contains(name) {
                return Err(Error::invalid(format!(
                    "the column `{name}` is named twice"
                )));
            }
            match column.kind {
                ColumnKind::PartitionKey => partition_key[column.index] = Some(i),
                ColumnKind::Clustering => clustering[column.index] = Some(i),
                ColumnKind::Static => statics.push((i, column.index)),
                ColumnKind::Regular => regulars.push((i, column.index)),
            }
        }
        let missing = |name: &str| {
            Error::invalid(format!("the column `{name}` of the primary key is missing"))
        };
        let partition_key = partition_key
            .iter()
            .zip(&table.partition_key)
            .map(|(i, column)| i.ok_or_else(|| missing(&column.name)))
            .collect::<Result<_>>()?;
        let has_any = clustering.iter().any(Option::is_some);
        let static_only = !has_any && regulars.is_empty() && !statics.is_empty();
        if !static_only && table.is_static_compact() {
            return Err(Error::invalid(format!(
                "a row of {} is to have nothing but its key, and compact storage cannot keep that",
                table.full_name()
            ))
            .advise("give a value of one of its other columns"));
        }
        let mut key = clustering.iter().zip(&table.clustering);
        if !static_only && let Some((_, column)) = key.find(|(i, _)| i.is_none()) {
            return Err(missing(&column.name));
        }
        statics.sort_by_key(|(_, column)| *column);
        regulars.sort_by_key(|(_, column)| *column);
        Ok(Insert {
            partition_key,
            clustering,
            statics,
            regulars,
            // Rows of compact storage live by their cells alone.
            has_liveness: !table.is_compact,
            ids,
            key: Vec::new(),
            row: Draft::default(),
            static_row: Draft::default(),
            table,
        })
    }

    /// What an `UPDATE` of these columns writes: rows that are there as long as one of their cells is.
    pub(crate) fn without_liveness(self) -> Self {
        Insert {
            has_liveness: false,
            ..self
        }
    }

    /// Elements of lists that are added from here on are behind those of this time, in microseconds since 1970.
    pub(crate) fn advance_to(&mut self, micros: i64) {
        self.ids.advance_to(micros);
    }

    /// Gives the timeuuids back, from the next one on.
    pub(super) fn into_ids(self) -> TimeUuids {
        self.ids
    }

    /// The table.
    pub fn table(&self) -> &Arc<TableSchema> {
        &self.table
    }

    /// Adds a row: `values` are those of the columns that it was made with. Without any clustering value only static
    /// columns are set.
    ///
    /// # Errors
    /// `InvalidInput` for a value that is none of its column's type and for a key that is incomplete or too long; those of
    /// the sink. Nothing was added then, unless it is the sink that failed.
    #[inline]
    pub fn add(
        &mut self,
        values: &[Value<'_>],
        when: &WriteTime,
        sink: &mut impl ChangeSink,
    ) -> Result<()> {
        let given = self.partition_key.len()
            + self.clustering.iter().flatten().count()
            + self.statics.len()
            + self.regulars.len();
        check_count(values, given)?;
        let table = &*self.table;
        let numbers = &self.partition_key;
        partition_key_of(table, |i| values[numbers[i]], &mut self.key)?;

        self.row.clear(false);
        for (i, number) in self.clustering.iter().enumerate() {
            if number.is_some_and(|number| values[number] == Value::Null) {
                key::clustering(table, i, None)?;
            }
        }
        let has_row = table.clustering.is_empty()
            || self
                .clustering
                .iter()
                .any(|i| i.is_some_and(|i| values[i].bytes().is_some()));
        if has_row {
            for (i, number) in self.clustering.iter().enumerate() {
                let column = &table.clustering[i];
                let value = number.map_or(Value::Unset, |n| values[n]);
                check(&column.name, &column.ty, value)?;
                let value = key::clustering(table, i, value.bytes())?;
                self.row.push_clustering(Some(value))?;
            }
            if self.has_liveness {
                self.row.set_liveness(when);
            }
        } else if self
            .regulars
            .iter()
            .any(|(i, _)| values[*i] != Value::Unset)
        {
            let columns = table.clustering.first().map_or("", |c| &c.name);
            return Err(Error::invalid(format!(
                "the clustering column `{columns}` has no value, and the row has some"
            )));
        }
        self.static_row.clear(true);
        for (row, given, columns) in [
            (&mut self.row, &self.regulars, &table.regulars),
            (&mut self.static_row, &self.statics, &table.statics),
        ] {
            for &(i, number) in given {
                let column = &columns[number];
                set(row, number, column, values[i], when, &mut self.ids)?;
            }
        }
        if has_row && table.is_compact && self.row.is_empty() {
            add_compact_value(table, &mut self.row, when)?;
        }
        let rows = [&mut self.static_row, &mut self.row];
        add_rows(table, &self.key, rows, sink)
    }
}

/// Hands on the static row and the row, those of them that are not empty.
#[inline]
pub(super) fn add_rows(
    table: &TableSchema,
    key: &[u8],
    [static_row, row]: [&mut Draft; 2],
    sink: &mut impl ChangeSink,
) -> Result<()> {
    if !table.dropped.is_empty() {
        static_row.forget(&table.statics, &table.dropped);
        row.forget(&table.regulars, &table.dropped);
    }
    if !static_row.is_empty() {
        sink.add_row(key, static_row.finish(&table.statics))?;
    }
    if !row.is_empty() {
        sink.add_row(key, row.finish(&table.regulars))?;
    }
    Ok(())
}

/// The cell of a row that has only its key, in a table of compact storage without other columns.
pub(super) fn add_compact_value(
    table: &TableSchema,
    row: &mut Draft,
    when: &WriteTime,
) -> Result<()> {
    match table.regulars.first() {
        Some(column) if column.ty == CqlType::Empty => row.add_cell(0, None, &[], when),
        Some(column) => Err(Error::invalid(format!(
            "the column `{}` has no value, and is mandatory in compact storage",
            column.name
        ))),
        None => Ok(()),
    }
}

/// The column of that name, if statements may name it.
pub(super) fn visible_column<'t>(
    table: &'t TableSchema,
    name: &str,
) -> Result<crate::schema::ColumnRef<'t>> {
    let column = table.column(name).filter(|c| !table.is_hidden(c));
    column.ok_or_else(|| {
        let names: Vec<&str> = table.select_order().iter().map(|c| &**c.name).collect();
        Error::not_found(format!(
            "the table {} has no column `{name}`",
            table.full_name()
        ))
        .advise(format!("it has {}", names.join(", ")))
    })
}

#[inline]
pub(super) fn check_count(values: &[Value<'_>], columns: usize) -> Result<()> {
    match values.len() == columns {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "{} values for {columns} columns",
            values.len()
        ))),
    }
}

/// Makes `out` the partition key of values that were not looked at yet.
#[inline]
pub(super) fn partition_key_of<'v>(
    table: &TableSchema,
    value: impl Fn(usize) -> Value<'v>,
    out: &mut Vec<u8>,
) -> Result<()> {
    for (i, column) in table.partition_key.iter().enumerate() {
        check(&column.name, &column.ty, value(i))?;
    }
    key::partition_key(table, |i| value(i).bytes(), out)
}

#[inline]
pub(super) fn check(name: &str, ty: &CqlType, value: Value<'_>) -> Result<()> {
    let Value::Bytes(bytes) = value else {
        return Ok(());
    };
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(Error::invalid(format!(
            "the column `{name}` has a value of {} bytes: the longest one is {VALUE_BYTES_MAX} bytes",
            bytes.len()
        )));
    }
    ty.validate(bytes).map_err(|e| wrong_value(name, &e))
}

#[cold]
fn wrong_value(name: &str, e: &Error) -> Error {
    Error::invalid(format!("the column `{name}`: {}", e.message()))
}

#[inline]
fn set(
    row: &mut Draft,
    number: usize,
    column: &crate::schema::Column,
    value: Value<'_>,
    when: &WriteTime,
    ids: &mut TimeUuids,
) -> Result<()> {
    let value = match value {
        Value::Unset => return Ok(()),
        Value::Null => None,
        Value::Bytes(bytes) => {
            check(&column.name, &column.ty, value)?;
            Some(column.ty.bound(bytes))
        }
    };
    row.set(number, &column.ty, value.as_deref(), when, ids)
}
