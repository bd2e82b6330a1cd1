//! Clustering values, bounds between them, and their order.
//!
//! Authority: `o.a.c.db.{ClusteringPrefix,ClusteringComparator}`.

use super::row::Span;
use crate::schema::ClusteringColumn;
use crate::types::CqlType;
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

    /// The end of a range that it is, and the start of one: both of a boundary.
    #[inline]
    pub fn parts(self) -> (Option<BoundKind>, Option<BoundKind>) {
        use BoundKind::*;
        match self {
            ExclEndInclStart => (Some(ExclEnd), Some(InclStart)),
            InclEndExclStart => (Some(InclEnd), Some(ExclStart)),
            InclStart | ExclStart => (None, Some(self)),
            InclEnd | ExclEnd => (Some(self), None),
            Static | Clustering => (None, None),
        }
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

    /// The end of what lies before the start of a range.
    pub fn end_before(&self) -> Bound {
        Bound {
            kind: match self.kind.weight().is_lt() {
                true => BoundKind::ExclEnd,
                false => BoundKind::InclEnd,
            },
            values: self.values.clone(),
        }
    }
}

/// A range of a partition's rows, both bounds included as their kinds say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Where it starts: a start bound.
    pub start: Bound,
    /// Where it ends: an end bound.
    pub end: Bound,
}

impl Slice {
    /// Everything.
    pub const ALL: Slice = Slice {
        start: Bound::BOTTOM,
        end: Bound::TOP,
    };
}

/// The order of a table's clusterings and bounds.
#[derive(Debug, Clone)]
pub struct ClusteringComparator {
    columns: Vec<(ValueOrder, bool)>,
}

/// The order of a column's values; that of the commonest types without a call.
#[derive(Debug, Clone)]
enum ValueOrder {
    /// Integers of four bytes.
    Int,
    /// Integers of eight bytes.
    Long,
    /// Unsigned bytes.
    Bytes,
    Typed(CqlType),
}

impl ValueOrder {
    fn of(ty: &CqlType) -> Self {
        match ty {
            CqlType::Int => ValueOrder::Int,
            CqlType::BigInt | CqlType::Timestamp => ValueOrder::Long,
            ty if ty.is_byte_ordered() => ValueOrder::Bytes,
            ty => ValueOrder::Typed(ty.clone()),
        }
    }

    #[inline(always)]
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            ValueOrder::Int => match (a.try_into(), b.try_into()) {
                (Ok(a), Ok(b)) => i32::from_be_bytes(a).cmp(&i32::from_be_bytes(b)),
                _ => CqlType::Int.compare(a, b),
            },
            ValueOrder::Long => match (a.try_into(), b.try_into()) {
                (Ok(a), Ok(b)) => i64::from_be_bytes(a).cmp(&i64::from_be_bytes(b)),
                _ => CqlType::BigInt.compare(a, b),
            },
            ValueOrder::Bytes => a.cmp(b),
            ValueOrder::Typed(ty) => ty.compare(a, b),
        }
    }
}

impl ClusteringComparator {
    /// The order by these columns.
    pub fn new(columns: &[ClusteringColumn]) -> Self {
        ClusteringComparator {
            columns: columns
                .iter()
                .map(|c| (ValueOrder::of(&c.ty), c.descending))
                .collect(),
        }
    }

    /// Compares two values of column `i`, in storage order. Null comes first, whatever the column's direction.
    #[inline(always)]
    pub fn compare_values(&self, i: usize, a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
        let (Some(a), Some(b)) = (a, b) else {
            return a.is_some().cmp(&b.is_some());
        };
        let (order, descending) = &self.columns[i];
        match descending {
            false => order.compare(a, b),
            true => order.compare(b, a),
        }
    }

    /// Compares two clusterings or bounds, in storage order. Where one is a prefix of the other, its kind decides
    /// whether it lies before or after everything that it begins.
    #[inline]
    pub fn compare(
        &self,
        a: ClusteringRef<'_>,
        a_kind: BoundKind,
        b: ClusteringRef<'_>,
        b_kind: BoundKind,
    ) -> Ordering {
        for i in 0..a.len().min(b.len()) {
            let order = self.compare_values(i, a.get(i), b.get(i));
            if order.is_ne() {
                return order;
            }
        }
        prefix_order(a.len(), a_kind, b.len(), b_kind)
    }

    /// Compares a clustering or bound with one that owns its values.
    #[inline(always)]
    pub fn compare_to_bound(&self, a: ClusteringRef<'_>, a_kind: BoundKind, b: &Bound) -> Ordering {
        for i in 0..a.len().min(b.values.len()) {
            let order = self.compare_values(i, a.get(i), b.values[i].as_deref());
            if order.is_ne() {
                return order;
            }
        }
        prefix_order(a.len(), a_kind, b.values.len(), b.kind)
    }

    /// Compares two clusterings or bounds that own their values.
    pub fn compare_bounds(&self, a: &Bound, b: &Bound) -> Ordering {
        for (i, (x, y)) in a.values.iter().zip(&b.values).enumerate() {
            let order = self.compare_values(i, x.as_deref(), y.as_deref());
            if order.is_ne() {
                return order;
            }
        }
        prefix_order(a.values.len(), a.kind, b.values.len(), b.kind)
    }
}

/// The order of two prefixes whose common values are equal.
fn prefix_order(a_len: usize, a_kind: BoundKind, b_len: usize, b_kind: BoundKind) -> Ordering {
    match a_len.cmp(&b_len) {
        Ordering::Equal => a_kind.weight().cmp(&b_kind.weight()),
        Ordering::Less => a_kind.weight(),
        Ordering::Greater => b_kind.weight().reverse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_clusterings_and_bounds() {
        let column = |ty, descending| ClusteringColumn {
            name: "c".into(),
            ty,
            descending,
        };
        let comparator =
            ClusteringComparator::new(&[column(CqlType::Text, false), column(CqlType::Int, true)]);
        let bytes = *b"ab\0\0\0\x01\0\0\0\x02";
        let (a, b) = (Span { start: 0, len: 1 }, Span { start: 1, len: 1 });
        let (one, two) = (Span { start: 2, len: 4 }, Span { start: 6, len: 4 });
        use BoundKind::*;
        // In storage order: each sorts before those that follow.
        let sorted: [(&[Span], BoundKind); 12] = [
            (&[], InclStart),
            (&[Span::NULL, two], Clustering),
            (&[a], InclStart),
            (&[a, Span::NULL], Clustering),
            (&[a, two], ExclEnd),
            (&[a, two], Clustering),
            (&[a, two], ExclStart),
            (&[a, one], Clustering),
            (&[a, Span::EMPTY], Clustering),
            (&[a], InclEnd),
            (&[b, two], Clustering),
            (&[], InclEnd),
        ];
        for (i, &(x, x_kind)) in sorted.iter().enumerate() {
            for (j, &(y, y_kind)) in sorted.iter().enumerate() {
                let (x, y) = (ClusteringRef::new(&bytes, x), ClusteringRef::new(&bytes, y));
                assert_eq!(
                    comparator.compare(x, x_kind, y, y_kind),
                    i.cmp(&j),
                    "{i} {j}"
                );
                let owned = Bound {
                    kind: y_kind,
                    values: y.iter().map(|v| v.map(<[u8]>::to_vec)).collect(),
                };
                assert_eq!(comparator.compare_to_bound(x, x_kind, &owned), i.cmp(&j));
                let left = Bound {
                    kind: x_kind,
                    values: x.iter().map(|v| v.map(<[u8]>::to_vec)).collect(),
                };
                assert_eq!(comparator.compare_bounds(&left, &owned), i.cmp(&j));
            }
        }
    }
}
