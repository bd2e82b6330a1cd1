//! Rows and range tombstone markers: a reusable buffer of decoded positions, and views of it over the bytes.
//!
//! A source decodes each row into one [`RowBuf`] that it keeps, so that no row or cell allocates. Values are [`Span`]s
//! of the source's bytes; a [`RowRef`] puts the two together.

use super::clustering::{BoundKind, ClusteringRef};
use super::deletion::{DeletionTime, LivenessInfo, NO_DELETION_TIME, RowDeletion};

/// A range of the bytes behind a row, or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Count of bytes.
    pub len: u32,
}

impl Span {
    /// No value at all, which differs from a value of no bytes.
    pub const NULL: Span = Span {
        start: u32::MAX,
        len: 0,
    };

    /// A value of no bytes.
    pub const EMPTY: Span = Span { start: 0, len: 0 };

    /// Appends a value to `bytes`, of which there are less than 4 GiB: its span.
    #[inline(always)]
    pub fn append(bytes: &mut Vec<u8>, value: Option<&[u8]>) -> Span {
        let Some(value) = value else {
            return Span::NULL;
        };
        let start = bytes.len() as u32;
        bytes.extend_from_slice(value);
        Span {
            start,
            len: value.len() as u32,
        }
    }

    /// The bytes of `bytes`, or `None` if null.
    #[inline(always)]
    pub fn of<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if self.start == u32::MAX {
            return None;
        }
        let start = self.start as usize;
        Some(&bytes[start..start + self.len as usize])
    }
}

/// A cell whose path and value are spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellSpan {
    /// Index of the column in the stream header's static or regular columns.
    pub column: u32,
    /// Time to live in seconds, 0 if none.
    pub ttl: i32,
    /// Write timestamp.
    pub timestamp: i64,
    /// Tombstone: when it was made; expiring: when it expires; else [`NO_DELETION_TIME`]. Seconds since 1970.
    pub local_deletion_time: i64,
    /// Path in a multi-cell column, else null.
    pub path: Span,
    /// The value; of no bytes for a tombstone.
    pub value: Span,
}

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell<'a> {
    /// Index of the column in the stream header's static or regular columns.
    pub column: usize,
    /// Write timestamp.
    pub timestamp: i64,
    /// Time to live in seconds, 0 if none.
    pub ttl: i32,
    /// Tombstone: when it was made; expiring: when it expires; else [`NO_DELETION_TIME`]. Seconds since 1970.
    pub local_deletion_time: i64,
    /// List: timeuuid; set: element; map: key; user type: i16 field index. `None` in a simple column.
    pub path: Option<&'a [u8]>,
    /// The value; of no bytes for a tombstone, which other cells may have too.
    pub value: &'a [u8],
}

impl Cell<'_> {
    /// Whether it is a tombstone.
    #[inline]
    pub fn is_tombstone(&self) -> bool {
        self.local_deletion_time != NO_DELETION_TIME && self.ttl == 0
    }

    /// Whether it has a TTL.
    #[inline]
    pub fn is_expiring(&self) -> bool {
        self.ttl != 0
    }

    /// Whether it has a value at `now` (seconds since 1970).
    #[inline]
    pub fn is_live(&self, now: i64) -> bool {
        self.local_deletion_time == NO_DELETION_TIME
            || (self.ttl != 0 && now < self.local_deletion_time)
    }
}

/// The deletion of a multi-cell column's older content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComplexDeletion {
    /// Index of the column in the stream header's static or regular columns.
    pub column: u32,
    /// What it deletes; never live.
    pub time: DeletionTime,
}

/// A decoded row whose values are spans of bytes kept elsewhere. Meant to be reused.
#[derive(Debug, Clone)]
pub struct RowBuf {
    /// The static row, which has no clustering.
    pub is_static: bool,
    /// Offset of the row in the source's uncompressed Data.db; 0 where there is none.
    pub position: u64,
    /// Bytes of what precedes it in its partition, as stored there, or `u32::MAX` if there are more; 0 where there is
    /// none.
    pub previous_size: u32,
    /// One span a clustering column; null values only in compact and index tables.
    pub clustering: Vec<Span>,
    /// Liveness of the primary key.
    pub liveness: LivenessInfo,
    /// Deletion of the row.
    pub deletion: RowDeletion,
    /// Deletions of multi-cell columns, by ascending column.
    pub complex_deletions: Vec<ComplexDeletion>,
    /// Cells by ascending column, in a multi-cell column by path.
    pub cells: Vec<CellSpan>,
}

impl Default for RowBuf {
    fn default() -> Self {
        RowBuf {
            is_static: false,
            position: 0,
            previous_size: 0,
            clustering: Vec::new(),
            liveness: LivenessInfo::EMPTY,
            deletion: RowDeletion::LIVE,
            complex_deletions: Vec::new(),
            cells: Vec::new(),
        }
    }
}

impl RowBuf {
    /// Makes it a row of nothing, keeping its memory.
    #[inline]
    pub fn clear(&mut self) {
        self.is_static = false;
        self.position = 0;
        self.previous_size = 0;
        self.clustering.clear();
        self.liveness = LivenessInfo::EMPTY;
        self.deletion = RowDeletion::LIVE;
        self.complex_deletions.clear();
        self.cells.clear();
    }

    /// Whether it says nothing: no liveness, no deletion, no cell.
    pub fn is_empty(&self) -> bool {
        self.liveness.is_empty()
            && self.deletion.time.is_live()
            && self.complex_deletions.is_empty()
            && self.cells.is_empty()
    }
}

/// A row: decoded positions over their bytes.
#[derive(Debug, Clone, Copy)]
pub struct RowRef<'a> {
    bytes: &'a [u8],
    row: &'a RowBuf,
}

impl<'a> RowRef<'a> {
    /// Puts decoded positions over the bytes that they were decoded from.
    #[inline]
    pub fn new(bytes: &'a [u8], row: &'a RowBuf) -> Self {
        RowRef { bytes, row }
    }

    /// The bytes behind the spans.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The decoded positions.
    #[inline]
    pub fn buf(&self) -> &'a RowBuf {
        self.row
    }

    /// Whether it is the static row.
    #[inline]
    pub fn is_static(&self) -> bool {
        self.row.is_static
    }

    /// Offset in the source's uncompressed Data.db; 0 where there is none.
    #[inline]
    pub fn position(&self) -> u64 {
        self.row.position
    }

    /// Clustering values.
    #[inline]
    pub fn clustering(&self) -> ClusteringRef<'a> {
        ClusteringRef::new(self.bytes, &self.row.clustering)
    }

    /// Liveness of the primary key.
    #[inline]
    pub fn liveness(&self) -> LivenessInfo {
        self.row.liveness
    }

    /// Deletion of the row.
    #[inline]
    pub fn deletion(&self) -> RowDeletion {
        self.row.deletion
    }

    /// Deletions of multi-cell columns, by ascending column.
    #[inline]
    pub fn complex_deletions(&self) -> &'a [ComplexDeletion] {
        &self.row.complex_deletions
    }

    /// Count of cells.
    #[inline]
    pub fn cell_count(&self) -> usize {
        self.row.cells.len()
    }

    /// The `i`th cell.
    #[inline]
    pub fn cell(&self, i: usize) -> Cell<'a> {
        self.resolve(&self.row.cells[i])
    }

    /// Cells by ascending column, in a multi-cell column by path.
    #[inline]
    pub fn cells(&self) -> impl ExactSizeIterator<Item = Cell<'a>> + use<'a> {
        let this = *self;
        self.row.cells.iter().map(move |span| this.resolve(span))
    }

    #[inline(always)]
    fn resolve(&self, span: &CellSpan) -> Cell<'a> {
        Cell {
            column: span.column as usize,
            timestamp: span.timestamp,
            ttl: span.ttl,
            local_deletion_time: span.local_deletion_time,
            path: span.path.of(self.bytes),
            value: span.value.of(self.bytes).unwrap_or_default(),
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.row.is_empty()
    }
}

/// A decoded range tombstone marker. Meant to be reused.
#[derive(Debug, Clone)]
pub struct MarkerBuf {
    /// Offset of the marker in the source's uncompressed Data.db; 0 where there is none.
    pub position: u64,
    /// Bytes of what precedes it in its partition, as stored there, or `u32::MAX` if there are more; 0 where there is
    /// none.
    pub previous_size: u32,
    /// Bound or boundary.
    pub kind: BoundKind,
    /// Values of the first clustering columns; none means the whole partition.
    pub values: Vec<Span>,
    /// Deletion of the range that ends here; live if none does.
    pub close: DeletionTime,
    /// Deletion of the range that starts here; live if none does.
    pub open: DeletionTime,
}

impl MarkerBuf {
    /// The start of nothing.
    pub const EMPTY: MarkerBuf = MarkerBuf {
        position: 0,
        previous_size: 0,
        kind: BoundKind::InclStart,
        values: Vec::new(),
        close: DeletionTime::LIVE,
        open: DeletionTime::LIVE,
    };
}

impl Default for MarkerBuf {
    fn default() -> Self {
        MarkerBuf::EMPTY
    }
}

/// A range tombstone marker: decoded positions over their bytes.
#[derive(Debug, Clone, Copy)]
pub struct MarkerRef<'a> {
    bytes: &'a [u8],
    marker: &'a MarkerBuf,
}

impl<'a> MarkerRef<'a> {
    /// Puts decoded positions over the bytes that they were decoded from.
    #[inline]
    pub fn new(bytes: &'a [u8], marker: &'a MarkerBuf) -> Self {
        MarkerRef { bytes, marker }
    }

    /// The bytes behind the spans.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The decoded positions.
    #[inline]
    pub fn buf(&self) -> &'a MarkerBuf {
        self.marker
    }

    /// Offset in the source's uncompressed Data.db; 0 where there is none.
    #[inline]
    pub fn position(&self) -> u64 {
        self.marker.position
    }

    /// Bound or boundary.
    #[inline]
    pub fn kind(&self) -> BoundKind {
        self.marker.kind
    }

    /// Values of the first clustering columns.
    #[inline]
    pub fn values(&self) -> ClusteringRef<'a> {
        ClusteringRef::new(self.bytes, &self.marker.values)
    }

    /// Deletion of the range that ends here in storage order; live if none does.
    #[inline]
    pub fn close(&self) -> DeletionTime {
        self.marker.close
    }

    /// Deletion of the range that starts here in storage order; live if none does.
    #[inline]
    pub fn open(&self) -> DeletionTime {
        self.marker.open
    }
}

/// What lies between a partition's head and its end.
#[derive(Debug, Clone, Copy)]
pub enum Unfiltered<'a> {
    /// A row.
    Row(RowRef<'a>),
    /// A bound or boundary of range tombstones.
    Marker(MarkerRef<'a>),
}

impl<'a> Unfiltered<'a> {
    /// Offset in the source's uncompressed Data.db; 0 where there is none.
    pub fn position(&self) -> u64 {
        match self {
            Unfiltered::Row(row) => row.position(),
            Unfiltered::Marker(marker) => marker.position(),
        }
    }

    /// Clustering values: of the row, or of the marker's bound.
    pub fn clustering(&self) -> ClusteringRef<'a> {
        match self {
            Unfiltered::Row(row) => row.clustering(),
            Unfiltered::Marker(marker) => marker.values(),
        }
    }

    /// How it sorts against a clustering with the same values.
    pub fn kind(&self) -> BoundKind {
        match self {
            Unfiltered::Row(_) => BoundKind::Clustering,
            Unfiltered::Marker(marker) => marker.kind(),
        }
    }
}
