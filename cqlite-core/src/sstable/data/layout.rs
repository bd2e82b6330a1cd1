//! What decoding a row needs to know: bases of the deltas, lengths of fixed values, and where each column's cells go.

use super::asked::{Asked, KeyRange};
use crate::model::StreamHeader;
use crate::schema::Column;
use crate::sstable::component::statistics::{EncodingStats, SerializationHeader};
use crate::sstable::version::Version;
use crate::types::CqlType;
use crate::{Error, Result};
use std::sync::Arc;

/// Where the cells of a column of the serialization header go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnTarget {
    /// Index of the column in the stream's header, `None` to pass the cells over.
    pub index: Option<u32>,
    /// Cells and complex deletions at or before this write timestamp (microseconds) are passed over: the column was
    /// dropped then.
    pub dropped_at: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) struct ColumnLayout {
    /// Index in the stream's header, or [`SKIP`].
    pub target: u32,
    /// Length of its values if they have no length of their own, else [`VARIABLE`].
    pub fixed: u32,
    /// Whether it has a cell per element.
    pub complex: bool,
    /// Cells at or before this are passed over.
    pub dropped_at: i64,
    /// Cells older than the row's own liveness are passed over.
    pub only_newer: bool,
    /// But for these elements.
    pub elements: Option<Arc<Elements>>,
}

/// Elements of a set or map.
#[derive(Debug)]
pub(super) struct Elements {
    key: CqlType,
    ranges: Vec<KeyRange>,
}

impl ColumnLayout {
    /// Whether the cell of this path is kept however old it is.
    pub fn has_element(&self, path: Option<&[u8]>) -> bool {
        let elements = self.elements.as_ref().zip(path);
        elements.is_some_and(|(elements, path)| {
            let mut ranges = elements.ranges.iter();
            ranges.any(|range| range.contains(&elements.key, path))
        })
    }
}

pub(super) const SKIP: u32 = u32::MAX;
pub(super) const VARIABLE: u32 = u32::MAX;

#[derive(Debug, Clone)]
pub(super) struct ColumnsLayout {
    pub columns: Vec<ColumnLayout>,
    /// The targets do not ascend: decoded cells must be sorted.
    pub unsorted: bool,
    /// Some column was dropped: timestamps must be compared.
    pub has_dropped: bool,
    /// Some column gives only cells that are as new as the row.
    pub has_only_newer: bool,
    /// Every cell is kept.
    pub plain: bool,
    /// Besides, there is one cell a column, in the order of the stream.
    pub simple: bool,
}

/// How the rows of one SSTable are decoded into one stream.
#[derive(Debug, Clone)]
pub struct Layout {
    stream: Arc<StreamHeader>,
    pub(super) min_timestamp: i64,
    pub(super) min_local_deletion_time: i64,
    pub(super) min_ttl: i64,
    pub(super) uint_deletion_time: bool,
    /// Rows and markers tell their size and that of what precedes them: they do in Data.db, not in mutations.
    pub(super) sized: bool,
    pub(super) clustering_fixed: Vec<Option<u32>>,
    pub(super) statics: ColumnsLayout,
    pub(super) regulars: ColumnsLayout,
}

impl Layout {
    /// The layout whose stream has just the columns of the serialization header.
    pub fn of_header(
        header: &SerializationHeader,
        version: Version,
        stream: Arc<StreamHeader>,
    ) -> Result<Self> {
        let targets = |n: usize| -> Vec<ColumnTarget> {
            (0..n as u32)
                .map(|i| ColumnTarget {
                    index: Some(i),
                    dropped_at: None,
                })
                .collect()
        };
        let (statics, regulars) = (
            targets(header.statics.len()),
            targets(header.regulars.len()),
        );
        Self::new(header, version, stream, &statics, &regulars)
    }

    /// A layout whose stream has other columns: each column of the serialization header names its target.
    ///
    /// # Errors
    /// `Corrupt` or `Unsupported` for types that cannot be parsed; `Internal` when targets are missing.
    pub fn new(
        header: &SerializationHeader,
        version: Version,
        stream: Arc<StreamHeader>,
        statics: &[ColumnTarget],
        regulars: &[ColumnTarget],
    ) -> Result<Self> {
        let clustering_fixed = header
            .clustering_types
            .iter()
            .map(|t| Ok(fixed_length(&CqlType::parse_marshal(t)?.0)))
            .collect::<Result<Vec<_>>>()?;
        let types = |columns: &[(Vec<u8>, String)]| -> Result<Vec<CqlType>> {
            let ty = |(_, ty): &(Vec<u8>, String)| Ok(CqlType::parse_marshal(ty)?.0);
            columns.iter().map(ty).collect()
        };
        Ok(Layout {
            min_timestamp: header.min_timestamp,
            min_local_deletion_time: header.min_local_deletion_time,
            min_ttl: header.min_ttl,
            uint_deletion_time: version.has_uint_deletion_time(),
            sized: true,
            clustering_fixed,
            statics: columns(types(&header.statics)?, statics, &stream.statics)?,
            regulars: columns(types(&header.regulars)?, regulars, &stream.regulars)?,
            stream,
        })
    }

    /// The layout of an update in a mutation, whose columns have these types and targets. Its bases are those of nothing,
    /// until [`set_bases`](Self::set_bases) says others.
    ///
    /// # Errors
    /// `Internal` when targets are missing.
    pub(crate) fn of_update(
        stream: Arc<StreamHeader>,
        uint_deletion_time: bool,
        statics: (Vec<CqlType>, &[ColumnTarget]),
        regulars: (Vec<CqlType>, &[ColumnTarget]),
    ) -> Result<Self> {
        let types = stream.clustering.iter().map(|column| &column.ty);
        let none = EncodingStats::NONE;
        let mut layout = Layout {
            min_timestamp: none.min_timestamp,
            min_local_deletion_time: none.min_local_deletion_time,
            min_ttl: none.min_ttl.into(),
            uint_deletion_time,
            sized: false,
            clustering_fixed: types.map(fixed_length).collect(),
            statics: columns(statics.0, statics.1, &stream.statics)?,
            regulars: columns(regulars.0, regulars.1, &stream.regulars)?,
            stream,
        };
        // The short way through rows knows only those with a size.
        layout.regulars.simple = false;
        Ok(layout)
    }

    /// Sets what timestamps (microseconds), local deletion times (seconds) and TTLs (seconds) are relative to.
    pub(crate) fn set_bases(&mut self, timestamp: i64, local_deletion_time: i64, ttl: i32) {
        self.min_timestamp = timestamp;
        self.min_local_deletion_time = local_deletion_time;
        self.min_ttl = ttl.into();
    }

    /// The layout for a query that asks for these parts of the stream's regular columns. Of the rest cells are kept, for a
    /// row to be seen, but not those that are older than the row's own liveness. Multi-cell columns that are not asked for
    /// at all are kept whole, unless rows are `filtered` once they are read.
    ///
    /// Authority: `DeserializationHelper.includes(Cell, LivenessInfo)`, `ComplexColumnData.filter`.
    pub fn for_query(&self, asked: &[Asked], filtered: bool) -> Self {
        let mut layout = self.clone();
        let regulars = &mut layout.regulars;
        for column in &mut regulars.columns {
            // What is skipped has no target.
            let Some(asked) = asked.get(column.target as usize) else {
                continue;
            };
            column.only_newer = match asked {
                Asked::Nothing => !column.complex || filtered,
                Asked::Elements(_) => column.complex,
                Asked::Everything => false,
            };
            if let Asked::Elements(ranges) = asked
                && let CqlType::Set { element: key, .. } | CqlType::Map { key, .. } =
                    &self.stream.regulars[column.target as usize].ty
            {
                column.elements = Some(Arc::new(Elements {
                    key: (**key).clone(),
                    ranges: ranges.clone(),
                }));
            }
        }
        regulars.has_only_newer = regulars.columns.iter().any(|c| c.only_newer);
        regulars.plain &= !regulars.has_only_newer;
        regulars.simple &= regulars.plain;
        layout
    }

    /// The columns that decoded cells name.
    pub fn stream(&self) -> &Arc<StreamHeader> {
        &self.stream
    }

    /// Whether partitions have a static row.
    pub fn has_statics(&self) -> bool {
        !self.statics.columns.is_empty()
    }

    /// Lengths of the clustering values, `None` where they carry their own.
    pub fn clustering_fixed(&self) -> &[Option<u32>] {
        &self.clustering_fixed
    }

    /// Whether deletion times are stored as unsigned numbers.
    pub fn uint_deletion_time(&self) -> bool {
        self.uint_deletion_time
    }
}

fn columns(
    types: Vec<CqlType>,
    targets: &[ColumnTarget],
    stream: &[Column],
) -> Result<ColumnsLayout> {
    if types.len() != targets.len() {
        return Err(Error::new(
            crate::ErrorKind::Internal,
            "a column of the header has no target",
        ));
    }
    let columns: Vec<_> = types
        .into_iter()
        .zip(targets)
        .map(|(ty, target)| {
            // Cassandra 3.0 left `FrozenType` out around user types: the schema knows better.
            let known = target.index.and_then(|i| stream.get(i as usize));
            let complex = known.map_or(&ty, |column| &column.ty).is_multi_cell();
            let fixed = if complex { None } else { fixed_length(&ty) };
            ColumnLayout {
                target: target.index.unwrap_or(SKIP),
                fixed: fixed.unwrap_or(VARIABLE),
                complex,
                dropped_at: target.dropped_at.unwrap_or(i64::MIN),
                only_newer: false,
                elements: None,
            }
        })
        .collect();
    let kept = || columns.iter().map(|c| c.target).filter(|&t| t != SKIP);
    let unsorted = !kept().zip(kept().skip(1)).all(|(a, b)| a < b);
    let plain = targets
        .iter()
        .all(|t| t.index.is_some() && t.dropped_at.is_none());
    Ok(ColumnsLayout {
        unsorted,
        has_only_newer: false,
        has_dropped: targets.iter().any(|t| t.dropped_at.is_some()),
        plain,
        simple: plain && !unsorted && columns.iter().all(|c| !c.complex),
        columns,
    })
}

/// A fixed length of over 4 GiB does not fit any file: such values would carry their length for all that matters.
fn fixed_length(ty: &CqlType) -> Option<u32> {
    ty.fixed_length().and_then(|n| u32::try_from(n).ok())
}
