//! What a statement demands of columns: one restriction for each set of columns, merged out of its relations.
//!
//! Authority: `o.a.c.cql3.restrictions.{SingleColumnRestriction,MultiColumnRestriction,RestrictionSet,TermSlice}`.

use super::slices::{Nullable, Value};
use crate::cql::ast::Operator;
use crate::{Error, Result};

/// A bound of a slice: a value for each of the first restricted columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SliceBound {
    /// The values; only of a single column it may be null.
    pub values: Vec<Nullable>,
    /// Whether the values themselves are in the slice.
    pub inclusive: bool,
}

/// What is demanded.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Demand {
    /// To be these values, one for each column.
    Eq(Vec<Value>),
    /// To be one of several, each with one value for each column. Those with nulls fit nothing.
    In(Vec<Vec<Nullable>>),
    /// To lie between bounds, at least one of which there is.
    Slice {
        /// The lower one, in the order of types.
        lower: Option<SliceBound>,
        /// The upper one.
        upper: Option<SliceBound>,
    },
    /// Of a collection: to contain all of these.
    Contains(Contents),
}

/// What a collection must contain.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Contents {
    /// Elements, of a map its values.
    pub values: Vec<Value>,
    /// Keys of a map.
    pub keys: Vec<Value>,
    /// Entries of a map.
    pub entries: Vec<(Value, Value)>,
}

/// A demand on columns of one kind, which are known by their position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Restriction {
    /// Positions, ascending without gaps.
    pub columns: Vec<usize>,
    /// The demand.
    pub demand: Demand,
}

impl Restriction {
    /// A slice with one bound.
    pub fn slice(columns: Vec<usize>, operator: Operator, values: Vec<Nullable>) -> Self {
        let inclusive = matches!(operator, Operator::Gte | Operator::Lte);
        let bound = Some(SliceBound { values, inclusive });
        let demand = match operator {
            Operator::Gt | Operator::Gte => Demand::Slice {
                lower: bound,
                upper: None,
            },
            _ => Demand::Slice {
                lower: None,
                upper: bound,
            },
        };
        Restriction { columns, demand }
    }

    /// Its first column.
    pub fn first(&self) -> usize {
        self.columns[0]
    }

    /// The position after its last column.
    pub fn end(&self) -> usize {
        self.first() + self.columns.len()
    }

    /// Whether it is `=`, or an `IN` of one element.
    pub fn is_eq(&self) -> bool {
        matches!(self.demand, Demand::Eq(_))
    }

    /// Whether it is a slice.
    pub fn is_slice(&self) -> bool {
        matches!(self.demand, Demand::Slice { .. })
    }

    /// Whether it is about the contents of a collection.
    pub fn is_contains(&self) -> bool {
        matches!(self.demand, Demand::Contains(_))
    }

    /// Both demands as one. `names` gives the names of the columns that both are about.
    fn merge(self, other: Restriction, names: impl Fn(&[usize]) -> String) -> Result<Restriction> {
        let common: Vec<usize> = self
            .columns
            .iter()
            .copied()
            .filter(|column| other.columns.contains(column))
            .collect();
        let common = names(&common);
        let (own, others) = (self.columns, other.columns);
        let demand = match (self.demand, other.demand) {
            (Demand::Eq(_), _) => {
                return Err(Error::invalid(format!(
                    "{common} has another relation beside `=`, which stands alone"
                )));
            }
            (Demand::In(_), _) => {
                return Err(Error::invalid(format!(
                    "{common} has another relation beside IN, which stands alone"
                )));
            }
            (Demand::Contains(mut all), Demand::Contains(more)) => {
                all.values.extend(more.values);
                all.keys.extend(more.keys);
                all.entries.extend(more.entries);
                Demand::Contains(all)
            }
            (Demand::Contains(_), _) => {
                return Err(Error::invalid(format!(
                    "{common} is a collection: beside CONTAINS, CONTAINS KEY and `{common}[key] =` it can have only more of these"
                )));
            }
            (
                Demand::Slice { lower, upper },
                Demand::Slice {
                    lower: other_lower,
                    upper: other_upper,
                },
            ) => {
                if own[0] != others[0] {
                    let later = names(&[own[0].max(others[0])]);
                    return Err(Error::invalid(format!(
                        "{later} is in two inequalities that begin with different columns"
                    )));
                }
                let one = |a: Option<SliceBound>, b: Option<SliceBound>, which: &str| {
                    if a.is_some() && b.is_some() {
                        return Err(Error::invalid(format!("{common} has two {which} bounds")));
                    }
                    Ok(a.or(b))
                };
                Demand::Slice {
                    lower: one(lower, other_lower, "lower")?,
                    upper: one(upper, other_upper, "upper")?,
                }
            }
            (Demand::Slice { .. }, _) => {
                return Err(Error::invalid(format!(
                    "{common} has both an equality and an inequality"
                )));
            }
        };
        let columns = if own.len() >= others.len() {
            own
        } else {
            others
        };
        Ok(Restriction { columns, demand })
    }
}

/// The restrictions of columns of one kind, in the order of the columns; no column is in two of them.
#[derive(Debug, Clone, Default)]
pub(super) struct RestrictionSet {
    restrictions: Vec<Restriction>,
}

impl RestrictionSet {
    /// Adds a restriction, merged with those of the same columns.
    ///
    /// Errors: `InvalidInput` when they cannot be demanded together; the set has then no meaning.
    pub fn add(&mut self, new: Restriction, names: impl Fn(&[usize]) -> String) -> Result<()> {
        let shares = |r: &Restriction| r.columns.iter().any(|column| new.columns.contains(column));
        let (mut shared, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.restrictions)
            .into_iter()
            .partition(shares);
        self.restrictions = others;
        // Where several are shared the last begins with another column, or is no slice: an error in any case.
        let merged = match shared.pop() {
            Some(old) => old.merge(new, names)?,
            None => new,
        };
        let at = self
            .restrictions
            .partition_point(|r| r.first() < merged.first());
        self.restrictions.insert(at, merged);
        Ok(())
    }

    /// The restrictions in the order of their columns.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Restriction> {
        self.restrictions.iter()
    }

    /// The restriction of a column.
    pub fn of(&self, column: usize) -> Option<&Restriction> {
        self.iter().find(|r| r.columns.contains(&column))
    }

    /// The last restriction.
    pub fn last(&self) -> Option<&Restriction> {
        self.restrictions.last()
    }

    /// Whether nothing is restricted.
    pub fn is_empty(&self) -> bool {
        self.restrictions.is_empty()
    }

    /// How many columns are restricted.
    pub fn column_count(&self) -> usize {
        self.iter().map(|r| r.columns.len()).sum()
    }

    /// Whether one is an `IN` of more than one element, or of none.
    pub fn has_in(&self) -> bool {
        self.iter().any(|r| matches!(r.demand, Demand::In(_)))
    }

    /// Whether all are `=` or `IN`.
    pub fn has_only_equalities(&self) -> bool {
        self.iter()
            .all(|r| matches!(r.demand, Demand::Eq(_) | Demand::In(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eq(column: usize) -> Restriction {
        Restriction {
            columns: vec![column],
            demand: Demand::Eq(vec![vec![1]]),
        }
    }

    fn names(columns: &[usize]) -> String {
        format!("{columns:?}")
    }

    fn add(set: &mut RestrictionSet, restriction: Restriction) -> Result<(), String> {
        set.add(restriction, names)
            .map_err(|e| e.message().to_owned())
    }

    #[test]
    fn restrictions_are_kept_in_the_order_of_columns() {
        let mut set = RestrictionSet::default();
        let pair = Restriction {
            columns: vec![1, 2],
            demand: Demand::Eq(vec![vec![1], vec![2]]),
        };
        for restriction in [eq(3), pair.clone(), eq(0)] {
            add(&mut set, restriction).unwrap();
        }
        let first: Vec<usize> = set.iter().map(Restriction::first).collect();
        assert_eq!(first, [0, 1, 3]);
        assert_eq!((set.column_count(), set.of(2)), (4, Some(&pair)));
        assert!(add(&mut set, eq(2)).is_err());
    }

    #[test]
    fn two_bounds_make_one_slice() {
        let slice = |columns: &[usize], operator| {
            let values = columns.iter().map(|&c| Some(vec![c as u8])).collect();
            Restriction::slice(columns.to_vec(), operator, values)
        };
        let mut set = RestrictionSet::default();
        add(&mut set, slice(&[0], Operator::Lt)).unwrap();
        add(&mut set, slice(&[0, 1], Operator::Gte)).unwrap();
        assert_eq!(set.of(1).unwrap().columns, [0, 1]);
        assert_eq!(set.column_count(), 2);
        let error = add(&mut set, slice(&[0], Operator::Lte)).unwrap_err();
        assert_eq!(error, "[0] has two upper bounds");
        let mut set = RestrictionSet::default();
        add(&mut set, slice(&[1], Operator::Lt)).unwrap();
        let error = add(&mut set, slice(&[0, 1], Operator::Gt)).unwrap_err();
        assert!(error.contains("[1] is in two inequalities"), "{error}");
        let mut set = RestrictionSet::default();
        add(&mut set, slice(&[1], Operator::Lt)).unwrap();
        let error = add(&mut set, eq(1)).unwrap_err();
        assert!(error.contains("both an equality"), "{error}");
    }
}
