//! Slices of clusterings: made from comparisons of columns, intersected, merged.
//!
//! Authority: `o.a.c.db.{MultiCBuilder,Slices}`, `o.a.c.cql3.restrictions.MultiColumnRestriction.SliceRestriction`.

use crate::cql::ast::Operator;
use crate::model::{Bound, BoundKind, ClusteringComparator, Slice};
use crate::schema::ClusteringColumn;
use std::cmp::Ordering;

/// A value that is not null.
pub(super) type Value = Vec<u8>;

/// A value, or null, which sorts before all values.
pub(super) type Nullable = Option<Value>;

fn bound(kind: BoundKind, prefix: &[Value], more: &[Nullable]) -> Bound {
    let prefix = prefix.iter().cloned().map(Some);
    Bound {
        kind,
        values: prefix.chain(more.iter().cloned()).collect(),
    }
}

/// The slice of everything that begins with `values`.
pub(super) fn beginning_with(values: &[Value]) -> Slice {
    Slice {
        start: bound(BoundKind::InclStart, values, &[]),
        end: bound(BoundKind::InclEnd, values, &[]),
    }
}

/// The slices of everything that begins with `prefix` and whose next columns compare with `values` as `operator` says:
/// lexicographically, each by the order of its type whether or not it is stored in that order.
pub(super) fn comparing(
    columns: &[ClusteringColumn],
    prefix: &[Value],
    values: &[Nullable],
    operator: Operator,
) -> Vec<Slice> {
    let is_greater = matches!(operator, Operator::Gt | Operator::Gte);
    let is_inclusive = matches!(operator, Operator::Gte | Operator::Lte);
    // One slice for each column that may be the first to differ.
    (0..values.len())
        .map(|i| {
            let inclusive = is_inclusive && i + 1 == values.len();
            let (before, upto) = (&values[..i], &values[..=i]);
            if is_greater != columns[prefix.len() + i].descending {
                let start = match inclusive {
                    true => BoundKind::InclStart,
                    false => BoundKind::ExclStart,
                };
                Slice {
                    start: bound(start, prefix, upto),
                    end: bound(BoundKind::InclEnd, prefix, before),
                }
            } else {
                let end = match inclusive {
                    true => BoundKind::InclEnd,
                    false => BoundKind::ExclEnd,
                };
                Slice {
                    start: bound(BoundKind::InclStart, prefix, before),
                    end: bound(end, prefix, upto),
                }
            }
        })
        .collect()
}

/// The same slices ascending, without empty ones, and with those that touch or overlap made one.
pub(super) fn normalized(comparator: &ClusteringComparator, mut slices: Vec<Slice>) -> Vec<Slice> {
    slices.retain(|slice| comparator.compare_bounds(&slice.start, &slice.end).is_lt());
    slices.sort_by(|a, b| comparator.compare_bounds(&a.start, &b.start));
    let mut merged: Vec<Slice> = Vec::with_capacity(slices.len());
    for slice in slices {
        match merged.last_mut() {
            Some(last) if comparator.compare_bounds(&slice.start, &last.end).is_le() => {
                if comparator.compare_bounds(&slice.end, &last.end).is_gt() {
                    last.end = slice.end;
                }
            }
            _ => merged.push(slice),
        }
    }
    merged
}

/// What is in both of two lists of normalized slices.
pub(super) fn intersection(
    comparator: &ClusteringComparator,
    a: &[Slice],
    b: &[Slice],
) -> Vec<Slice> {
    let (mut i, mut j) = (0, 0);
    let mut common = Vec::new();
    while i < a.len() && j < b.len() {
        let start = match comparator.compare_bounds(&a[i].start, &b[j].start) {
            Ordering::Less => &b[j].start,
            _ => &a[i].start,
        };
        let a_ends_first = comparator.compare_bounds(&a[i].end, &b[j].end).is_le();
        let end = if a_ends_first { &a[i].end } else { &b[j].end };
        if comparator.compare_bounds(start, end).is_lt() {
            common.push(Slice {
                start: start.clone(),
                end: end.clone(),
            });
        }
        match a_ends_first {
            true => i += 1,
            false => j += 1,
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClusteringRef, Span};
    use crate::types::CqlType;
    use proptest::prelude::*;

    fn columns(descending: &[bool]) -> Vec<ClusteringColumn> {
        descending
            .iter()
            .map(|&descending| ClusteringColumn {
                name: "c".into(),
                ty: CqlType::Blob,
                descending,
            })
            .collect()
    }

    /// Whether a clustering of one byte a column lies in one of the slices.
    fn contains(comparator: &ClusteringComparator, slices: &[Slice], clustering: &[u8]) -> bool {
        let spans: Vec<Span> = (0..clustering.len() as u32)
            .map(|start| Span { start, len: 1 })
            .collect();
        let row = ClusteringRef::new(clustering, &spans);
        slices.iter().any(|slice| {
            let from = comparator.compare_to_bound(row, BoundKind::Clustering, &slice.start);
            let to = comparator.compare_to_bound(row, BoundKind::Clustering, &slice.end);
            from.is_gt() && to.is_lt()
        })
    }

    fn is_normal(comparator: &ClusteringComparator, slices: &[Slice]) -> bool {
        let ascend = |a, b| comparator.compare_bounds(a, b).is_lt();
        slices.iter().all(|s| ascend(&s.start, &s.end))
            && slices.windows(2).all(|w| ascend(&w[0].end, &w[1].start))
    }

    fn holds(operator: Operator, order: Ordering) -> bool {
        match operator {
            Operator::Gt => order.is_gt(),
            Operator::Gte => order.is_ge(),
            Operator::Lt => order.is_lt(),
            _ => order.is_le(),
        }
    }

    const CLUSTERINGS: u8 = 4;

    fn operator() -> impl Strategy<Value = Operator> {
        prop::sample::select(vec![
            Operator::Gt,
            Operator::Gte,
            Operator::Lt,
            Operator::Lte,
        ])
    }

    proptest! {
        #[test]
        fn slices_hold_what_the_comparisons_say(
            descending in prop::collection::vec(any::<bool>(), 3),
            prefix in prop::collection::vec(0..CLUSTERINGS, 0..2),
            first in prop::collection::vec(0..CLUSTERINGS, 1..3),
            first_operator in operator(),
            second in prop::collection::vec(0..CLUSTERINGS, 1..3),
            second_operator in operator(),
        ) {
            let columns = columns(&descending);
            let comparator = ClusteringComparator::new(&columns);
            let values = |bytes: &[u8]| bytes.iter().map(|&b| vec![b]).collect::<Vec<_>>();
            let of = |bytes: &[u8], operator| {
                let nullable: Vec<Nullable> = bytes.iter().map(|&b| Some(vec![b])).collect();
                let slices = comparing(&columns, &values(&prefix), &nullable, operator);
                normalized(&comparator, slices)
            };
            let (a, b) = (of(&first, first_operator), of(&second, second_operator));
            let both = intersection(&comparator, &a, &b);
            let either = normalized(&comparator, [a.clone(), b.clone()].concat());
            for slices in [&a, &b, &both, &either] {
                prop_assert!(is_normal(&comparator, slices), "{slices:?}");
            }
            for n in 0..CLUSTERINGS.pow(3) {
                let row = [n / 16, n / 4 % 4, n % 4];
                let rest = &row[prefix.len()..];
                let is = |bytes: &[u8], operator| {
                    row.starts_with(&prefix) && holds(operator, rest[..bytes.len()].cmp(bytes))
                };
                let (in_a, in_b) = (is(&first, first_operator), is(&second, second_operator));
                prop_assert_eq!(contains(&comparator, &a, &row), in_a);
                prop_assert_eq!(contains(&comparator, &b, &row), in_b);
                prop_assert_eq!(contains(&comparator, &both, &row), in_a && in_b);
                prop_assert_eq!(contains(&comparator, &either, &row), in_a || in_b);
            }
        }
    }

    #[test]
    fn one_direction_needs_one_slice() {
        let columns = columns(&[false, false, true]);
        let comparator = ClusteringComparator::new(&columns);
        let of = |values: &[Nullable], operator| {
            normalized(&comparator, comparing(&columns, &[], values, operator))
        };
        let (one, two) = (Some(vec![1]), Some(vec![2]));
        let slices = of(&[one.clone(), two.clone()], Operator::Gte);
        assert_eq!(
            slices,
            [Slice {
                start: bound(BoundKind::InclStart, &[], &[one.clone(), two.clone()]),
                end: Bound::TOP,
            }]
        );
        // The third column is stored the other way round.
        assert_eq!(of(&[one, two.clone(), two], Operator::Gte).len(), 2);
    }

    #[test]
    fn null_lies_before_all_values() {
        for descending in [false, true] {
            let columns = columns(&[descending]);
            let comparator = ClusteringComparator::new(&columns);
            for (operator, is_in) in [(Operator::Gt, true), (Operator::Lte, false)] {
                let slices = comparing(&columns, &[], &[None], operator);
                let slices = normalized(&comparator, slices);
                assert_eq!(contains(&comparator, &slices, &[7]), is_in != descending);
            }
        }
    }

    #[test]
    fn contradictions_leave_nothing() {
        let columns = columns(&[false]);
        let comparator = ClusteringComparator::new(&columns);
        let above = comparing(&columns, &[], &[Some(vec![5])], Operator::Gt);
        let below = comparing(&columns, &[], &[Some(vec![5])], Operator::Lte);
        assert_eq!(intersection(&comparator, &above, &below), []);
        let point = beginning_with(&[vec![5]]);
        let points = normalized(&comparator, vec![point.clone(), point.clone()]);
        assert_eq!(points, [point]);
    }
}
