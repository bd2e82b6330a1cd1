//! Deletions of rows, or of partitions, by their keys: a `DELETE` that is prepared once.
//!
//! Authority: `o.a.c.cql3.statements.DeleteStatement.addUpdateForKey`.

use super::draft::{Draft, deletion};
use super::insert::{Value, check, check_count, partition_key_of};
use super::{WriteTime, key};
use crate::schema::TableSchema;
use crate::sstable::builder::ChangeSink;
use crate::{Error, Result};
use std::sync::Arc;

/// Deletes what has these values of the primary key, given them each time.
#[derive(Debug)]
pub struct Delete {
    table: Arc<TableSchema>,
    /// Whether all clustering columns have values, and not just the partition key.
    of_row: bool,
    key: Vec<u8>,
    row: Draft,
}

impl Delete {
    /// Of rows, or of whole partitions.
    ///
    /// # Errors
    /// `Unsupported` for a table of compact storage, whose rows are deleted otherwise.
    pub fn new(table: Arc<TableSchema>, of_row: bool) -> Result<Self> {
        if table.is_compact {
            return Err(Error::unsupported(format!(
                "{} has compact storage: its rows are deleted by statements",
                table.full_name()
            )));
        }
        Ok(Delete {
            of_row: of_row && !table.clustering.is_empty(),
            table,
            key: Vec::new(),
            row: Draft::default(),
        })
    }

    /// Deletes a row or partition: `values` are those of the partition key and, of a row, of the clustering columns.
    ///
    /// # Errors
    /// `InvalidInput` for a value that is none of its column's type and for a key that is incomplete or too long; those of
    /// the sink. Nothing was added then, unless it is the sink that failed.
    pub fn add(
        &mut self,
        values: &[Value<'_>],
        when: &WriteTime,
        sink: &mut impl ChangeSink,
    ) -> Result<()> {
        let table = &*self.table;
        let (in_key, in_row) = (table.partition_key.len(), table.clustering.len());
        let wanted = in_key + if self.of_row { in_row } else { 0 };
        check_count(values, wanted)?;
        let (of_key, of_row) = values.split_at(in_key);
        partition_key_of(table, |i| of_key[i], &mut self.key)?;
        if !self.of_row {
            // Without clustering columns the partition is the row.
            return sink.delete_partition(&self.key, deletion(when));
        }
        self.row.clear(false);
        for (i, (column, value)) in table.clustering.iter().zip(of_row).enumerate() {
            check(&column.name, &column.ty, *value)?;
            let value = key::clustering(table, i, value.bytes())?;
            self.row.push_clustering(Some(value))?;
        }
        self.row.delete_row(when);
        sink.add_row(&self.key, self.row.finish(&table.regulars))
    }
}
