//! The rows of a table in the order of tokens, as a stream that can be written.
//!
//! Rows are either made as they are asked for, which takes time, or all at once before, which takes memory: times are
//! measured with the latter, memory with the former.

use crate::data::{CLUSTERING_STEP, KvRow, Rows, WideRow, kv_key};
use cqlite_core::Result;
use cqlite_core::model::{
    CellSpan, DeletionTime, LivenessInfo, NO_DELETION_TIME, PartitionHead, PartitionSource, RowBuf,
    RowRef, Span, StreamHeader, Unfiltered,
};
use cqlite_core::partitioner::{Partitioner, Token};
use cqlite_core::schema::{ClusteringColumn, Column};
use cqlite_core::sstable::component::statistics::SerializationHeader;
use cqlite_core::types::CqlType;
use std::ops::Range;

/// A stream of rows. It can be read again from the start.
pub struct Sorted {
    stream: StreamHeader,
    rows: Rows,
    /// Keys in the order of tokens, and their numbers.
    keys: Vec<([u8; 16], u64)>,
    /// Values of all rows in this order, and where each row's end; none if they are made one by one.
    prepared: Option<(Vec<u8>, Vec<usize>)>,
    /// The present partition and row, each counted from one, and rows of the partitions before.
    partition: usize,
    row_number: u64,
    rows_before: u64,
    /// Values of the present row, where they are not prepared.
    made: Vec<u8>,
    kv: KvRow,
    wide: WideRow,
    values: Range<usize>,
    row: RowBuf,
}

impl Sorted {
    /// The rows of a table. With `prepare` all of them are made now.
    pub fn new(rows: Rows, prepare: bool) -> Self {
        let column = |name: &str, ty| Column {
            name: name.into(),
            ty,
        };
        let stream = match rows {
            Rows::Kv { .. } => StreamHeader {
                key_type: CqlType::Text,
                clustering: Vec::new(),
                statics: Vec::new(),
                regulars: vec![column("n", CqlType::BigInt), column("v", CqlType::Text)],
            },
            Rows::Wide { .. } => StreamHeader {
                key_type: CqlType::Int,
                clustering: vec![ClusteringColumn {
                    name: "c".into(),
                    ty: CqlType::BigInt,
                    descending: false,
                }],
                statics: Vec::new(),
                regulars: vec![
                    column("a", CqlType::Int),
                    column("b", CqlType::Text),
                    column("d", CqlType::Double),
                ],
            },
        };
        let mut sorted = Sorted {
            stream,
            rows,
            keys: sorted_keys(rows),
            prepared: None,
            partition: 0,
            row_number: 0,
            rows_before: 0,
            made: Vec::new(),
            kv: KvRow::default(),
            wide: WideRow::default(),
            values: 0..0,
            row: RowBuf::default(),
        };
        if prepare {
            let (mut values, mut ends) = (Vec::new(), Vec::new());
            for partition in 0..sorted.keys.len() {
                for i in 0..sorted.rows_of_partition() {
                    sorted.make(partition, i);
                    values.extend_from_slice(&sorted.made);
                    ends.push(values.len());
                }
            }
            sorted.prepared = Some((values, ends));
        }
        sorted
    }

    /// Starts again.
    pub fn restart(&mut self) {
        (self.partition, self.row_number, self.rows_before) = (0, 0, 0);
    }

    /// Count of partitions.
    pub fn partitions(&self) -> u64 {
        self.keys.len() as u64
    }

    /// The serialization header of an SSTable of these rows.
    pub fn serialization_header(&self) -> SerializationHeader {
        let class = |name: &str| format!("org.apache.cassandra.db.marshal.{name}");
        let column = |name: &str, ty: &str| (name.as_bytes().to_vec(), class(ty));
        let (key_type, clustering_types, regulars) = match self.rows {
            Rows::Kv { .. } => (
                class("UTF8Type"),
                Vec::new(),
                vec![column("n", "LongType"), column("v", "UTF8Type")],
            ),
            Rows::Wide { .. } => (
                class("Int32Type"),
                vec![class("LongType")],
                vec![
                    column("a", "Int32Type"),
                    column("b", "UTF8Type"),
                    column("d", "DoubleType"),
                ],
            ),
        };
        SerializationHeader {
            min_timestamp: self.rows.min_timestamp(),
            // 2015-09-22, where nothing dies.
            min_local_deletion_time: 1_442_880_000,
            min_ttl: 0,
            key_type,
            clustering_types,
            statics: Vec::new(),
            regulars,
        }
    }

    fn rows_of_partition(&self) -> u64 {
        match self.rows {
            Rows::Kv { .. } => 1,
            Rows::Wide { rows, .. } => rows,
        }
    }

    /// Puts the values of row `i` of a partition into `made`, behind one another.
    fn make(&mut self, partition: usize, i: u64) {
        let number = self.keys[partition].1;
        self.made.clear();
        match self.rows {
            Rows::Kv { version, .. } => {
                self.kv.set(version, number);
                self.made.extend(self.kv.n.to_be_bytes());
                self.made.extend_from_slice(&self.kv.v);
            }
            Rows::Wide { rows, .. } => {
                self.wide.set(number * rows + i);
                self.made.extend((i as i64 * CLUSTERING_STEP).to_be_bytes());
                self.made.extend(self.wide.a.to_be_bytes());
                self.made.extend_from_slice(&self.wide.b);
                self.made.extend(self.wide.d.to_be_bytes());
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        let all = match &self.prepared {
            Some((values, _)) => values,
            None => &self.made,
        };
        &all[self.values.clone()]
    }
}

/// Keys and numbers of all partitions, in the order of tokens. Keys of `wide` are the first four bytes.
pub(crate) fn sorted_keys(rows: Rows) -> Vec<([u8; 16], u64)> {
    let (numbers, length) = match rows {
        Rows::Kv { first, count, .. } => (first..first + count, 16),
        Rows::Wide { partitions, .. } => (0..partitions, 4),
    };
    let key = |i: u64| match rows {
        Rows::Kv { .. } => kv_key(b"user", i),
        Rows::Wide { .. } => {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&(i as i32).to_be_bytes());
            key
        }
    };
    let token = |key: &[u8; 16]| match Partitioner::Murmur3.token(&key[..length]) {
        Token::Long(token) => token,
        _ => unreachable!("tokens of Murmur3Partitioner are longs"),
    };
    let mut keys: Vec<_> = numbers.map(|i| (key(i), i)).collect();
    keys.sort_by_cached_key(|(key, _)| (token(key), *key));
    keys
}

impl PartitionSource for Sorted {
    fn header(&self) -> &StreamHeader {
        &self.stream
    }

    fn next_partition(&mut self) -> Result<bool> {
        if self.partition > 0 {
            self.rows_before += self.rows_of_partition();
        }
        self.partition += 1;
        self.row_number = 0;
        Ok(self.partition <= self.keys.len())
    }

    fn partition(&self) -> PartitionHead<'_> {
        let length = match self.rows {
            Rows::Kv { .. } => 16,
            Rows::Wide { .. } => 4,
        };
        PartitionHead {
            key: &self.keys[self.partition - 1].0[..length],
            deletion: DeletionTime::LIVE,
            static_row: None,
            position: 0,
            body_position: 0,
        }
    }

    fn next_unfiltered(&mut self) -> Result<bool> {
        let i = self.row_number;
        if i == self.rows_of_partition() {
            return Ok(false);
        }
        self.row_number += 1;
        match &self.prepared {
            Some((_, ends)) => {
                let row = (self.rows_before + i) as usize;
                let start = row.checked_sub(1).map_or(0, |before| ends[before]);
                self.values = start..ends[row];
            }
            None => {
                self.make(self.partition - 1, i);
                self.values = 0..self.made.len();
            }
        }
        let number = self.keys[self.partition - 1].1;
        let timestamp = self.rows.min_timestamp()
            + match self.rows {
                Rows::Kv { first, .. } => (number - first) as i64,
                Rows::Wide { rows, .. } => (number * rows + i) as i64,
            };
        let length = self.values.len() as u32;
        let (clustering, lengths) = match self.rows {
            Rows::Kv { .. } => (0, [8, length - 8, 0]),
            Rows::Wide { .. } => (8, [4, length - 20, 8]),
        };
        let row = &mut self.row;
        row.clear();
        if clustering > 0 {
            row.clustering.push(Span {
                start: 0,
                len: clustering,
            });
        }
        row.liveness = LivenessInfo {
            timestamp,
            ..LivenessInfo::EMPTY
        };
        let mut start = clustering;
        for (column, len) in lengths.into_iter().enumerate().filter(|(_, len)| *len > 0) {
            row.cells.push(CellSpan {
                column: column as u32,
                ttl: 0,
                timestamp,
                local_deletion_time: NO_DELETION_TIME,
                path: Span::NULL,
                value: Span { start, len },
            });
            start += len;
        }
        Ok(true)
    }

    fn unfiltered(&self) -> Unfiltered<'_> {
        Unfiltered::Row(RowRef::new(self.bytes(), &self.row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Format;
    use crate::table::Table;
    use crate::work::{Touched, scan};

    #[test]
    fn prepared_rows_are_those_that_are_written() {
        for rows in [
            Rows::Kv {
                first: 5,
                count: 100,
                version: 2,
            },
            Rows::Wide {
                partitions: 3,
                rows: 40,
            },
        ] {
            let dir = tempfile::tempdir().unwrap();
            let directory = crate::table::ensure(dir.path(), Format::Oa, rows).unwrap();
            let expected = scan(&Table::open(&directory, rows, 0).unwrap()).unwrap();
            for prepare in [false, true] {
                let mut sorted = Sorted::new(rows, prepare);
                for _ in 0..2 {
                    let mut touched = Touched::default();
                    touched.all(&mut sorted).unwrap();
                    assert_eq!(touched, expected);
                    sorted.restart();
                }
            }
        }
    }
}
