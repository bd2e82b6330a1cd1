//! The bases of delta encoding, and the header of what several SSTables are merged into.
//!
//! Authority: `o.a.c.db.rows.EncodingStats`, `o.a.c.db.SerializationHeader.make`.

use super::{DELETION_TIME_EPOCH, SerializationHeader, Stats, TIMESTAMP_EPOCH};
use crate::Result;
use crate::bytes::{Cursor, DecodeError, Sink};
use crate::model::{DeletionTime, NO_DELETION_TIME, NO_TIMESTAMP, RowRef, StreamHeader};
use crate::schema::{Column, compare_raw_column_names, raw_column_name};
use crate::sstable::data::deletion::LEGACY_DELETION_TIME_MAX;
use crate::sstable::version::Version;
use crate::types::CqlType;
use std::collections::BTreeMap;

/// What timestamps, local deletion times and TTLs are stored relative to. Where nothing has one, the base is the epoch
/// that bases themselves are stored relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodingStats {
    /// Smallest write timestamp.
    pub min_timestamp: i64,
    /// Smallest local deletion time, in seconds since 1970.
    pub min_local_deletion_time: i64,
    /// Smallest TTL of what has one, in seconds; 0 if nothing has.
    pub min_ttl: i32,
}

impl Default for EncodingStats {
    fn default() -> Self {
        Self::NONE
    }
}

impl EncodingStats {
    /// Those of nothing.
    pub const NONE: EncodingStats = EncodingStats {
        min_timestamp: TIMESTAMP_EPOCH,
        min_local_deletion_time: DELETION_TIME_EPOCH as i64,
        min_ttl: 0,
    };

    /// Appends them as the headers of SSTables and of mutations begin (`EncodingStats.Serializer`).
    pub(crate) fn write(self, out: &mut impl Sink) {
        out.put_uvint(self.min_timestamp.wrapping_sub(TIMESTAMP_EPOCH) as u64);
        // In 32 bits: what does not fit wraps around, and back when it is read.
        let seconds = self.min_local_deletion_time as i32;
        out.put_uvint32(seconds.wrapping_sub(DELETION_TIME_EPOCH));
        out.put_uvint32(self.min_ttl);
    }

    /// Reads what [`write`](Self::write) writes.
    pub(crate) fn read(c: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(EncodingStats {
            min_timestamp: (c.uvint()? as i64).wrapping_add(TIMESTAMP_EPOCH),
            // Cassandra adds in 32 bits: a minimum after 2038 comes out negative, and the deltas bring it back.
            min_local_deletion_time: i64::from(c.uvint32()?.wrapping_add(DELETION_TIME_EPOCH)),
            min_ttl: c.uvint32()?,
        })
    }

    /// Bases that suit both. One that is the epoch counts as that of nothing.
    pub fn merge(self, other: EncodingStats) -> EncodingStats {
        fn least<T: Ord>(none: T, a: T, b: T) -> T {
            match (a == none, b == none) {
                (true, _) => b,
                (_, true) => a,
                _ => a.min(b),
            }
        }
        let none = Self::NONE;
        EncodingStats {
            min_timestamp: least(none.min_timestamp, self.min_timestamp, other.min_timestamp),
            min_local_deletion_time: least(
                none.min_local_deletion_time,
                self.min_local_deletion_time,
                other.min_local_deletion_time,
            ),
            min_ttl: least(none.min_ttl, self.min_ttl, other.min_ttl),
        }
    }
}

/// Collects the bases from rows and deletions (`EncodingStats.Collector`).
#[derive(Debug, Clone, Copy, Default)]
pub struct EncodingStatsCollector {
    min_timestamp: Option<i64>,
    min_local_deletion_time: Option<i64>,
    min_ttl: Option<i32>,
}

fn lower<T: Ord + Copy>(least: &mut Option<T>, value: T) {
    *least = Some(least.map_or(value, |l| l.min(value)));
}

impl EncodingStatsCollector {
    fn timestamp(&mut self, timestamp: i64) {
        lower(&mut self.min_timestamp, timestamp);
    }

    fn local_deletion_time(&mut self, seconds: i64) {
        lower(&mut self.min_local_deletion_time, seconds);
    }

    fn ttl(&mut self, ttl: i32) {
        lower(&mut self.min_ttl, ttl);
    }

    fn input(&mut self, stats: &Stats) {
        self.timestamp(stats.min_timestamp);
        self.local_deletion_time(stats.min_local_deletion_time);
        self.ttl(stats.min_ttl);
    }

    /// A deletion of a partition, a range, a row or a multi-cell column; live ones do not count.
    #[inline]
    pub fn deletion(&mut self, deletion: DeletionTime) {
        if !deletion.is_live() {
            self.timestamp(deletion.marked_for_delete_at);
            self.local_deletion_time(deletion.local_deletion_time);
        }
    }

    /// A row, the static one included.
    pub fn row(&mut self, row: RowRef<'_>) {
        let row = row.buf();
        if !row.liveness.is_empty() {
            self.timestamp(row.liveness.timestamp);
            if row.liveness.is_expiring() {
                self.ttl(row.liveness.ttl);
                self.local_deletion_time(row.liveness.local_expiration_time);
            }
        }
        self.deletion(row.deletion.time);
        for complex in &row.complex_deletions {
            self.deletion(complex.time);
        }
        for cell in &row.cells {
            self.timestamp(cell.timestamp);
            if cell.ttl != 0 {
                self.ttl(cell.ttl);
            }
            if cell.local_deletion_time != NO_DELETION_TIME {
                self.local_deletion_time(cell.local_deletion_time);
            }
        }
    }

    /// The bases of all that was seen.
    pub fn stats(&self) -> EncodingStats {
        let none = EncodingStats::NONE;
        let timestamp = self.min_timestamp.filter(|t| *t != NO_TIMESTAMP);
        let seconds = self.min_local_deletion_time;
        let seconds = seconds.filter(|s| *s != NO_DELETION_TIME);
        EncodingStats {
            min_timestamp: timestamp.unwrap_or(none.min_timestamp),
            min_local_deletion_time: seconds.unwrap_or(none.min_local_deletion_time),
            min_ttl: self.min_ttl.unwrap_or(none.min_ttl),
        }
    }
}

impl SerializationHeader {
    /// Its bases.
    pub fn encoding_stats(&self) -> EncodingStats {
        EncodingStats {
            min_timestamp: self.min_timestamp,
            min_local_deletion_time: self.min_local_deletion_time,
            min_ttl: self.min_ttl.try_into().unwrap_or(i32::MAX),
        }
    }

    /// The header as a version can use it. A base after 2038 comes out negative where times may be later still, and what
    /// older versions cap is not found from there.
    pub fn for_version(&self, version: Version) -> Self {
        let mut header = self.clone();
        let base = &mut header.min_local_deletion_time;
        if !version.has_uint_deletion_time() && !(0..LEGACY_DELETION_TIME_MAX).contains(base) {
            *base = LEGACY_DELETION_TIME_MAX;
        }
        header
    }

    /// The same columns with other bases.
    pub fn with_encoding_stats(self, stats: EncodingStats) -> Self {
        SerializationHeader {
            min_timestamp: stats.min_timestamp,
            min_local_deletion_time: stats.min_local_deletion_time,
            min_ttl: stats.min_ttl.into(),
            ..self
        }
    }

    /// The header of an SSTable of these types, with columns in the order that they are stored in.
    pub fn of_stream(stream: &StreamHeader, stats: EncodingStats) -> Self {
        let columns = |columns: &[Column]| {
            let mut columns: Vec<_> = columns
                .iter()
                .map(|c| (raw_column_name(&c.name).into_owned(), &c.ty))
                .collect();
            columns.sort_by(|a, b| {
                let by_kind = a.1.is_multi_cell().cmp(&b.1.is_multi_cell());
                by_kind.then_with(|| compare_raw_column_names(&a.0, &b.0))
            });
            let named = columns.into_iter().map(|(n, ty)| (n, ty.marshal_name()));
            named.collect()
        };
        let clustering = stream.clustering.iter().map(|c| match c.descending {
            true => CqlType::Reversed(c.ty.clone().into()).marshal_name(),
            false => c.ty.marshal_name(),
        });
        SerializationHeader {
            min_timestamp: stats.min_timestamp,
            min_local_deletion_time: stats.min_local_deletion_time,
            min_ttl: stats.min_ttl.into(),
            key_type: stream.key_type.marshal_name(),
            clustering_types: clustering.collect(),
            statics: columns(&stream.statics),
            regulars: columns(&stream.regulars),
        }
    }

    /// The header of what several SSTables, of which `newest` has the highest generation and `older` follow it in
    /// descending order, are merged into: all their columns, each with the newest type, and bases from what their
    /// statistics say they hold, which is exact, while the bases of their headers need not be. Only where there are no
    /// statistics those of the header count.
    ///
    /// # Errors
    /// `Corrupt` for a type's name that cannot be parsed.
    pub fn of_inputs<'a>(
        newest: (&'a SerializationHeader, Option<&'a Stats>),
        older: impl IntoIterator<Item = (&'a SerializationHeader, Option<&'a Stats>)>,
    ) -> Result<Self> {
        let (mut statics, mut regulars) = (BTreeMap::new(), BTreeMap::new());
        let mut bases = EncodingStatsCollector::default();
        for (header, stats) in std::iter::once(newest).chain(older) {
            match stats {
                Some(stats) => bases.input(stats),
                None => {
                    bases.timestamp(header.min_timestamp);
                    bases.local_deletion_time(header.min_local_deletion_time);
                    bases.ttl(header.encoding_stats().min_ttl);
                }
            }
            add_columns(&mut statics, &header.statics);
            add_columns(&mut regulars, &header.regulars);
        }
        let merged = SerializationHeader {
            statics: in_storage_order(statics)?,
            regulars: in_storage_order(regulars)?,
            ..newest.0.clone()
        };
        Ok(merged.with_encoding_stats(bases.stats()))
    }
}

fn add_columns(to: &mut BTreeMap<Vec<u8>, String>, from: &[(Vec<u8>, String)]) {
    for (name, ty) in from {
        if !to.contains_key(name) {
            to.insert(name.clone(), ty.clone());
        }
    }
}

/// Simple columns before multi-cell ones, each by their names.
fn in_storage_order(columns: BTreeMap<Vec<u8>, String>) -> Result<Vec<(Vec<u8>, String)>> {
    let mut columns = columns
        .into_iter()
        .map(|(name, ty)| Ok((CqlType::parse_marshal(&ty)?.0.is_multi_cell(), name, ty)))
        .collect::<Result<Vec<_>>>()?;
    columns.sort_by(|a, b| {
        let by_kind = a.0.cmp(&b.0);
        by_kind.then_with(|| compare_raw_column_names(&a.1, &b.1))
    });
    Ok(columns
        .into_iter()
        .map(|(_, name, ty)| (name, ty))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CellSpan, LivenessInfo, RowBuf, Span};

    const TEXT: &str = "org.apache.cassandra.db.marshal.UTF8Type";
    const LIST: &str =
        "org.apache.cassandra.db.marshal.ListType(org.apache.cassandra.db.marshal.UTF8Type)";

    fn bases(timestamp: i64, seconds: i64, ttl: i32) -> EncodingStats {
        EncodingStats {
            min_timestamp: timestamp,
            min_local_deletion_time: seconds,
            min_ttl: ttl,
        }
    }

    fn header(regulars: &[(&str, &str)]) -> SerializationHeader {
        SerializationHeader {
            min_timestamp: 7,
            min_local_deletion_time: 8,
            min_ttl: 9,
            key_type: TEXT.into(),
            clustering_types: Vec::new(),
            statics: Vec::new(),
            regulars: regulars
                .iter()
                .map(|(name, ty)| (name.as_bytes().to_vec(), (*ty).to_owned()))
                .collect(),
        }
    }

    /// `EncodingStats.mergeWith`: a base that is the epoch is that of nothing.
    #[test]
    fn bases_of_two_updates() {
        let none = EncodingStats::NONE;
        let (a, b) = (bases(5, 50, 3), bases(6, 40, 2));
        assert_eq!(a.merge(b), bases(5, 40, 2));
        assert_eq!(a.merge(none), a);
        assert_eq!(none.merge(b), b);
        assert_eq!(none.merge(none), none);
    }

    #[test]
    fn bases_of_rows() {
        let mut collector = EncodingStatsCollector::default();
        assert_eq!(collector.stats(), EncodingStats::NONE);
        collector.deletion(DeletionTime::LIVE);
        assert_eq!(collector.stats(), EncodingStats::NONE);
        let mut row = RowBuf {
            liveness: LivenessInfo {
                timestamp: 100,
                ttl: 60,
                local_expiration_time: 1060,
            },
            ..RowBuf::default()
        };
        let cell = |timestamp, ttl, local_deletion_time| CellSpan {
            column: 0,
            ttl,
            timestamp,
            local_deletion_time,
            path: Span::NULL,
            value: Span::EMPTY,
        };
        row.cells = vec![cell(101, 0, NO_DELETION_TIME), cell(102, 0, 1000)];
        collector.row(RowRef::new(&[], &row));
        assert_eq!(collector.stats(), bases(100, 1000, 60));
        collector.deletion(DeletionTime {
            marked_for_delete_at: -1,
            local_deletion_time: 999,
        });
        assert_eq!(collector.stats(), bases(-1, 999, 60));
        // The largest TTL is one like others, the largest timestamp too.
        let mut collector = EncodingStatsCollector::default();
        row.liveness.ttl = i32::MAX;
        row.liveness.timestamp = i64::MAX;
        row.cells.clear();
        collector.row(RowRef::new(&[], &row));
        assert_eq!(collector.stats(), bases(i64::MAX, 1060, i32::MAX));
    }

    #[test]
    fn columns_of_all_inputs_in_storage_order() {
        let newest = header(&[("b", LIST), ("c", LIST)]);
        let older = header(&[("d", TEXT), ("\u{e9}", TEXT), ("a", LIST), ("c", TEXT)]);
        let merged = SerializationHeader::of_inputs((&newest, None), [(&older, None)]).unwrap();
        let names: Vec<_> = merged
            .regulars
            .iter()
            .map(|(name, ty)| (std::str::from_utf8(name).unwrap(), &**ty))
            .collect();
        let expected = [
            ("\u{e9}", TEXT),
            ("d", TEXT),
            ("a", LIST),
            ("b", LIST),
            ("c", LIST),
        ];
        assert_eq!(names, expected);
        assert_eq!(merged.encoding_stats(), bases(7, 8, 9));
    }
}
