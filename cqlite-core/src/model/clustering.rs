//! Clustering values, bounds between them, and their order.
//!
//! Authority: `o.a.c.db.{ClusteringPrefix,ClusteringComparator}`.

use super::row::Span;
use std::cmp::Ordering;

/// What a clustering prefix is, with the ordinals of `ClusteringPrefix.Kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BoundKind {
    /// End of a range before the prefix.
    ExclEnd = 0,
    /// Start of a range before the prefix.
    InclStart = 1,
    /// One range ends and another starts before the prefix.
    ExclEndInclStart = 2,
    /// The static row's.
    Static = 3,
    /// A row's.
    Clustering = 4,
    /// One range ends and another starts after the prefix.
    InclEndExclStart = 5,
    /// End of a range after the prefix.
    InclEnd = 6,
    /// Start of a range after the prefix.
    ExclStart = 7,
}

impl BoundKind {
    /// The kind of an ordinal on disk; `None` if it is none that is ever stored.
    #[inline]
    pub fn from_ordinal(ordinal: u8) -> Option<Self> {
        Some(match ordinal {
            0 => BoundKind::ExclEnd,
            1 => BoundKind::InclStart,
            2 => BoundKind::ExclEndInclStart,
            3 => BoundKind::Static,
            4 => BoundKind::Clustering,
            5 => BoundKind::InclEndExclStart,
            6 => BoundKind::InclEnd,
            7 => BoundKind::ExclStart,
            _ => return None,
        })
    }

    /// How it sorts against a clustering with the same values: before, at, or after it.
    #[inline]
    pub fn weight(self) -> Ordering {
        match self {
            BoundKind::Static
            | BoundKind::ExclEnd
            | BoundKind::InclStart
            | BoundKind::ExclEndInclStart => Ordering::Less,
            BoundKind::Clustering => Ordering::Equal,
            BoundKind::InclEndExclStart | BoundKind::InclEnd | BoundKind::ExclStart => {
                Ordering::Greater
            }
        }
    }

    /// Whether a range starts here, in storage order.
    #[inline]
    pub fn is_start(self) -> bool {
        matches!(self, BoundKind::InclStart | BoundKind::ExclStart) || self.is_boundary()
    }

    /// Whether a range ends here, in storage order.
    #[inline]
    pub fn is_end(self) -> bool {
        matches!(self, BoundKind::InclEnd | BoundKind::ExclEnd) || self.is_boundary()
    }

    /// Whether one range ends here and another starts.
    #[inline]
    pub fn is_boundary(self) -> bool {
        matches!(
            self,
            BoundKind::ExclEndInclStart | BoundKind::InclEndExclStart
        )
    }
}

/// Clustering values over their bytes: all of a row's, or the first ones of a bound.
#[derive(Debug, Clone, Copy)]
pub struct ClusteringRef<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> ClusteringRef<'a> {
    /// No values.
    pub const EMPTY: ClusteringRef<'static> = ClusteringRef {
        bytes: &[],
        spans: &[],
    };

    /// Spans over the bytes they point into.
    #[inline]
    pub fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        ClusteringRef { bytes, spans }
    }

    /// Count of values.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no value.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The `i`th value, `None` if null.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&'a [u8]> {
        self.spans[i].of(self.bytes)
    }

    /// The values in order, `None` for null.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&'a [u8]>> + use<'a> {
        let bytes = self.bytes;
        self.spans.iter().map(move |span| span.of(bytes))
    }
}

/// A clustering or bound that owns its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// What it is.
    pub kind: BoundKind,
    /// Values of the first clustering columns, `None` for null.
    pub values: Vec<Option<Vec<u8>>>,
}

impl Bound {
    /// Before everything of a partition.
    pub const BOTTOM: Bound = Bound {
        kind: BoundKind::InclStart,
        values: Vec::new(),
    };

    /// After everything of a partition.
    pub const TOP: Bound = Bound {
        kind: BoundKind::InclEnd,
        values: Vec::new(),
    };
}
