//! Reads the `system_schema` tables out of their SSTables.
//!
//! Authority: `o.a.c.schema.SchemaKeyspace.fetchNonSystemKeyspaces`.

use super::{SystemRow, SystemTables, system_key_names};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{PartitionSource, Unfiltered};
use crate::partitioner::TokenRange;
use crate::read::TableReader;
use crate::schema::{HeaderTypes, Schema, TableSchema};
use crate::sstable::directory::{self, TableDirectory};
use crate::sstable::{OpenOptions, SSTable};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// How often the SSTables of a schema in use are listed again because one of them is gone.
const ATTEMPTS: usize = 20;

/// A live row that owns its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow(HashMap<Arc<str>, Vec<u8>>);

impl SystemRow for StoredRow {
    fn get(&self, column: &str) -> Option<&[u8]> {
        self.0.get(column).map(Vec::as_slice)
    }
}

impl StoredRow {
    /// The rows of the `system_schema` table `table` that live at `now`, in seconds since 1970. `source` is the merged
    /// stream of all its SSTables, in which nothing is left that a deletion in it deletes.
    ///
    /// Errors: `InvalidInput` for a table that [`system_key_names`] does not know, or whose clustering columns are not
    /// those of it; the errors of the source.
    pub fn read_all(
        source: &mut dyn PartitionSource,
        table: &str,
        now: i64,
    ) -> Result<Vec<StoredRow>> {
        let names = system_key_names(table)
            .filter(|names| names.clustering.len() == source.header().clustering.len());
        let Some(names) = names else {
            return Err(Error::invalid(format!(
                "system_schema.{table} is not a table of a schema, or of other columns than Cassandra's"
            )));
        };
        let clustering: Vec<Arc<str>> =
            names.clustering.iter().map(|n| n.as_str().into()).collect();
        let key_name: Arc<str> = "keyspace_name".into();
        let regulars: Vec<Arc<str>> = source
            .header()
            .regulars
            .iter()
            .map(|c| c.name.clone())
            .collect();
        let mut rows = Vec::new();
        while source.next_partition()? {
            let key = source.partition().key.to_vec();
            while source.next_unfiltered()? {
                let Unfiltered::Row(row) = source.unfiltered() else {
                    continue;
                };
                // No column of these tables is multi-cell.
                let live = row.cells().filter(|c| c.path.is_none() && c.is_live(now));
                let mut values: HashMap<Arc<str>, Vec<u8>> = live
                    .filter_map(|c| Some((regulars.get(c.column)?.clone(), c.value.to_vec())))
                    .collect();
                if values.is_empty() && !row.liveness().is_live(now) {
                    continue;
                }
                values.insert(key_name.clone(), key.clone());
                for (name, value) in clustering.iter().zip(row.clustering().iter()) {
                    values.insert(name.clone(), value.unwrap_or_default().to_vec());
                }
                rows.push(StoredRow(values));
            }
        }
        Ok(rows)
    }
}

impl Schema {
    /// The schema of a data directory, out of the SSTables in its directory `system_schema`, whose path this is. `now`
    /// is in seconds since 1970.
    ///
    /// Errors: `NotFound` if there is no such directory or nothing in it; those of its SSTables, and of
    /// [`Schema::from_system_tables`].
    pub fn load(system_schema: &Path, now: i64) -> Result<Schema> {
        // A node, or a database, may replace some of the SSTables between the moments when they are listed and opened.
        let mut attempts = 0..ATTEMPTS;
        loop {
            let found = directory::resolve(system_schema)?;
            match Self::load_of(&found, now) {
                Err(e) if e.kind() == ErrorKind::NotFound && attempts.next().is_some() => {}
                loaded => return loaded,
            }
        }
    }

    fn load_of(found: &[TableDirectory], now: i64) -> Result<Schema> {
        let read = |table: &str| -> Result<Vec<StoredRow>> {
            let mut sstables = Vec::new();
            for directory in found {
                let name = directory.name.as_ref();
                if name.is_some_and(|n| n.table == table) {
                    for descriptor in directory.readable()? {
                        let options = OpenOptions::default();
                        sstables.push(SSTable::open_descriptor(descriptor.clone(), &options)?);
                    }
                }
            }
            read_table(table, sstables, now)
        };
        Schema::from_system_tables(&SystemTables {
            keyspaces: read("keyspaces")?,
            tables: read("tables")?,
            columns: read("columns")?,
            dropped_columns: read("dropped_columns")?,
            types: read("types")?,
            views: read("views")?,
            indexes: read("indexes")?,
        })
    }
}

fn read_table(table: &str, sstables: Vec<Arc<SSTable>>, now: i64) -> Result<Vec<StoredRow>> {
    if sstables.is_empty() {
        return Ok(Vec::new());
    }
    // The newest header counts, and SSTables come by generation.
    let headers = sstables.iter().rev().map(|s| s.statistics().header.types());
    let headers = headers.collect::<Result<Vec<HeaderTypes>>>()?;
    let names = system_key_names(table);
    let schema = TableSchema::from_headers("system_schema", table, &headers, names.as_ref())?;
    let reader = TableReader::open(schema, sstables)?;
    StoredRow::read_all(&mut reader.scan(&TokenRange::ALL)?, table, now)
}
