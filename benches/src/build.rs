//! Rows as the values of their columns, which a builder makes SSTables of.

use crate::data::{
    CLUSTERING_STEP, Format, KV_SCHEMA, KvRow, Rows, WIDE_SCHEMA, WideRow, kv_key, query,
};
use crate::sorted::sorted_keys;
use cqlite_core::model::StreamHeader;
use cqlite_core::mutation::{Insert, TimeUuids, Value, WriteTime};
use cqlite_core::schema::{TableSchema, parse_schema};
use cqlite_core::sstable::builder::{BuilderOptions, ChangeSink, SortedBuilder, UnsortedBuilder};
use cqlite_core::sstable::{Version, WriteOptions, Written};
use cqlite_core::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// Bytes that an unsorted builder sorts in.
const MEMORY_BYTES: usize = 64 << 20;

/// All rows of a table, as values.
pub struct Values {
    rows: Rows,
    unsorted: bool,
    bytes: Vec<u8>,
    /// Where each row's bytes end, and its write timestamp.
    ends: Vec<(usize, i64)>,
}

impl Values {
    /// The rows in the order of tokens, or partitions in none.
    pub fn new(rows: Rows, unsorted: bool) -> Self {
        let mut partitions: Vec<u64> = sorted_keys(rows).into_iter().map(|(_, i)| i).collect();
        if unsorted {
            for i in (1..partitions.len()).rev() {
                partitions.swap(i, query(i as u64, i as u64 + 1) as usize);
            }
        }
        let of_partition = match rows {
            Rows::Kv { .. } => 1,
            Rows::Wide { rows, .. } => rows,
        };
        let order = partitions
            .into_iter()
            .flat_map(|number| number * of_partition..(number + 1) * of_partition);
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let (mut kv, mut wide) = (KvRow::default(), WideRow::default());
        for i in order {
            match rows {
                Rows::Kv { version, .. } => {
                    kv.set(version, i);
                    bytes.extend(kv_key(b"user", i));
                    bytes.extend(kv.n.to_be_bytes());
                    bytes.extend_from_slice(&kv.v);
                    ends.push((bytes.len(), kv.timestamp));
                }
                Rows::Wide { rows, .. } => {
                    wide.set(i);
                    bytes.extend(((i / rows) as i32).to_be_bytes());
                    bytes.extend(((i % rows) as i64 * CLUSTERING_STEP).to_be_bytes());
                    bytes.extend(wide.a.to_be_bytes());
                    bytes.extend(wide.d.to_be_bytes());
                    bytes.extend_from_slice(&wide.b);
                    ends.push((bytes.len(), wide.timestamp));
                }
            }
        }
        Values {
            rows,
            unsorted,
            bytes,
            ends,
        }
    }

    /// Makes one SSTable of all of them in an empty directory.
    ///
    /// # Errors
    /// Those of the builder.
    pub fn build(&self, directory: &Path, format: Format) -> Result<Vec<Written>> {
        let schema = match self.rows {
            Rows::Kv { .. } => KV_SCHEMA,
            Rows::Wide { .. } => WIDE_SCHEMA,
        };
        let tables = parse_schema(schema, None)?.tables;
        let table = tables.into_iter().next().map(Arc::new);
        let table = table.ok_or_else(|| Error::invalid("a schema without a table"))?;
        let (version, name) = format.parts();
        let mut write = WriteOptions::of_table(&table)?;
        write.estimated_keys = match self.rows {
            Rows::Kv { count, .. } => count,
            Rows::Wide { partitions, .. } => partitions,
        };
        let mut options = BuilderOptions::new(Version::parse(version, name)?, write);
        options.memory = MEMORY_BYTES;
        let header = Arc::new(StreamHeader::of_table(&table));
        match self.unsorted {
            true => {
                let mut builder = UnsortedBuilder::create(directory, header, options)?;
                self.insert(table, &mut builder)?;
                builder.finish()
            }
            false => {
                let mut builder = SortedBuilder::create(directory, header, options)?;
                self.insert(table, &mut builder)?;
                builder.finish()
            }
        }
    }

    fn columns(&self) -> &'static [&'static str] {
        match self.rows {
            Rows::Kv { .. } => &["k", "n", "v"],
            Rows::Wide { .. } => &["p", "c", "a", "d", "b"],
        }
    }

    /// Gives the write timestamp and the values of each row.
    fn each(&self, mut take: impl FnMut(i64, &[Value<'_>]) -> Result<()>) -> Result<()> {
        // The lengths of all columns but the last.
        let lengths: &[usize] = match self.rows {
            Rows::Kv { .. } => &[16, 8],
            Rows::Wide { .. } => &[4, 8, 4, 8],
        };
        let mut start = 0;
        for (end, timestamp) in &self.ends {
            let mut rest = &self.bytes[start..*end];
            start = *end;
            let mut values = [Value::Unset; 5];
            for (value, length) in values.iter_mut().zip(lengths) {
                let (bytes, behind) = rest.split_at(*length);
                (*value, rest) = (Value::Bytes(bytes), behind);
            }
            values[lengths.len()] = Value::Bytes(rest);
            take(*timestamp, &values[..=lengths.len()])?;
        }
        Ok(())
    }

    fn insert(&self, table: Arc<TableSchema>, sink: &mut impl ChangeSink) -> Result<()> {
        let mut insert = Insert::new(table, self.columns(), TimeUuids::new(0, 0))?;
        self.each(|timestamp, values| {
            let when = WriteTime {
                timestamp,
                ttl: 0,
                now: 0,
            };
            insert.add(values, &when, sink)
        })
    }

    /// Writes the rows for the peer: each as its timestamp in 64 bits, and behind it each value behind its length in 32.
    ///
    /// # Errors
    /// `Io`.
    pub fn write_to(&self, path: &Path) -> Result<()> {
        let io = |e| Error::io(path, e);
        let mut out = BufWriter::new(File::create(path).map_err(io)?);
        self.each(|timestamp, values| {
            out.write_all(&timestamp.to_be_bytes()).map_err(io)?;
            for value in values.iter().filter_map(|value| value.bytes()) {
                let length = value.len() as u32;
                out.write_all(&length.to_be_bytes()).map_err(io)?;
                out.write_all(value).map_err(io)?;
            }
            Ok(())
        })?;
        out.flush().map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Table, ensure};
    use crate::work::scan;

    #[test]
    fn builders_make_the_same_table_as_the_writer() {
        for rows in [
            Rows::Kv {
                first: 0,
                count: 500,
                version: 0,
            },
            Rows::Wide {
                partitions: 3,
                rows: 40,
            },
        ] {
            let written = tempfile::tempdir().unwrap();
            let written = ensure(written.path(), Format::Da, rows).unwrap();
            let expected = scan(&Table::open(&written, rows, 0).unwrap()).unwrap();
            for unsorted in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let values = Values::new(rows, unsorted);
                assert_eq!(values.build(dir.path(), Format::Da).unwrap().len(), 1);
                let built = Table::open(dir.path(), rows, 0).unwrap();
                assert_eq!(scan(&built).unwrap(), expected);
            }
        }
    }
}
