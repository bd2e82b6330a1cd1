//! Which rows fit the restrictions that neither the key nor slices say: `ALLOW FILTERING`.
//!
//! Authority: `o.a.c.db.filter.RowFilter`, `o.a.c.cql3.Operator`.

use super::collection::{Elements, Entries};
use super::live::{cells_of, value_of};
use super::restriction::{Demand, Restriction};
use super::slices::Value;
use crate::cql::ast::Operator;
use crate::model::{ClusteringRef, RowRef};
use crate::schema::ColumnKind;
use crate::types::{CqlType, counter};
use crate::{Error, Result};

/// Tests of partitions and of rows, all of which must hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    partition: Vec<Expression>,
    rows: Vec<Expression>,
}

/// A test of a column.
#[derive(Debug, Clone)]
struct Expression {
    kind: ColumnKind,
    index: usize,
    ty: CqlType,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Is(Value),
    Compare(Operator, Value),
    AnyOf(Vec<Value>),
    Contains(Value),
    ContainsKey(Value),
    Entry(Value, Value),
}

impl Filter {
    /// Adds what a restriction of columns of `kind` demands. `ty` gives the type of each; an `exact` demand of `=` is for
    /// the very bytes, not for what compares equal.
    ///
    /// Errors: `InvalidInput` for tuples of several columns, unless they are compared with `=`.
    pub fn add<'t>(
        &mut self,
        kind: ColumnKind,
        restriction: &Restriction,
        exact: bool,
        ty: impl Fn(usize) -> &'t CqlType,
    ) -> Result<()> {
        let first = restriction.first();
        if restriction.columns.len() > 1 && !restriction.is_eq() {
            return Err(Error::invalid(
                "tuples of columns can be compared by filtering only with `=`",
            )
            .advise("restrict each column on its own"));
        }
        match &restriction.demand {
            Demand::Eq(values) => {
                for (i, value) in restriction.columns.iter().zip(values) {
                    let value = value.clone();
                    let test = match exact {
                        true => Test::Is(value),
                        false => Test::Compare(Operator::Eq, value),
                    };
                    self.push(kind, *i, ty(*i), test);
                }
            }
            Demand::In(tuples) => {
                let values = tuples.iter().filter_map(|tuple| tuple.first()?.clone());
                self.push(kind, first, ty(first), Test::AnyOf(values.collect()));
            }
            Demand::Slice { lower, upper } => {
                let bounds = [
                    (lower, Operator::Gte, Operator::Gt),
                    (upper, Operator::Lte, Operator::Lt),
                ];
                for (bound, inclusive, exclusive) in bounds {
                    let Some(bound) = bound else {
                        continue;
                    };
                    let operator = if bound.inclusive {
                        inclusive
                    } else {
                        exclusive
                    };
                    let Some(Some(value)) = bound.values.first() else {
                        return Err(Error::invalid("a column cannot be compared with null"));
                    };
                    let test = Test::Compare(operator, value.clone());
                    self.push(kind, first, ty(first), test);
                }
            }
            Demand::Contains(contents) => {
                let values = contents.values.iter().cloned().map(Test::Contains);
                let keys = contents.keys.iter().cloned().map(Test::ContainsKey);
                let entries = contents.entries.iter().cloned();
                let entries = entries.map(|(key, value)| Test::Entry(key, value));
                for test in values.chain(keys).chain(entries) {
                    self.push(kind, first, ty(first), test);
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, kind: ColumnKind, index: usize, ty: &CqlType, test: Test) {
        let list = match kind {
            ColumnKind::PartitionKey | ColumnKind::Static => &mut self.partition,
            ColumnKind::Clustering | ColumnKind::Regular => &mut self.rows,
        };
        list.push(Expression {
            kind,
            index,
            ty: ty.clone(),
            test,
        });
    }

    /// Indexes of the columns of a kind that are tested.
    pub fn indexes(&self, kind: ColumnKind) -> Vec<usize> {
        let all = self.partition.iter().chain(&self.rows);
        all.filter(|e| e.kind == kind).map(|e| e.index).collect()
    }

    /// Whether nothing is tested.
    pub fn is_empty(&self) -> bool {
        self.partition.is_empty() && self.rows.is_empty()
    }

    /// Whether a partition can have rows that fit: `key` gives the components of its key.
    pub fn fits_partition<'k>(
        &self,
        key: impl Fn(usize) -> &'k [u8],
        static_row: Option<RowRef<'_>>,
        now: i64,
    ) -> bool {
        self.partition
            .iter()
            .all(|expression| match expression.kind {
                ColumnKind::PartitionKey => expression.fits_value(key(expression.index)),
                _ => static_row.is_some_and(|row| expression.fits_cells(row, now)),
            })
    }

    /// Whether a row of a partition that fits does so too.
    pub fn fits_row(&self, row: RowRef<'_>, now: i64) -> bool {
        self.rows.iter().all(|expression| match expression.kind {
            ColumnKind::Clustering => expression.fits_clustering(row.clustering()),
            _ => expression.fits_cells(row, now),
        })
    }
}

impl Expression {
    fn fits_clustering(&self, clustering: ClusteringRef<'_>) -> bool {
        // Rows of compact tables may have fewer values.
        self.index < clustering.len()
            && clustering
                .get(self.index)
                .is_some_and(|value| self.fits_value(value))
    }

    fn fits_cells(&self, row: RowRef<'_>, now: i64) -> bool {
        if !self.ty.is_multi_cell() {
            return value_of(row, self.index, now).is_some_and(|value| self.fits_value(value));
        }
        let mut cells = cells_of(row, self.index).filter(|cell| cell.is_live(now));
        let path_is = |ty: &CqlType, path: Option<&[u8]>, wanted: &[u8]| {
            path.is_some_and(|path| ty.compare(path, wanted).is_eq())
        };
        match (&self.ty, &self.test) {
            (CqlType::List { element, .. }, Test::Contains(wanted)) => {
                cells.any(|cell| element.compare(cell.value, wanted).is_eq())
            }
            (CqlType::Set { element, .. }, Test::Contains(wanted)) => {
                cells.any(|cell| path_is(element, cell.path, wanted))
            }
            (CqlType::Map { value, .. }, Test::Contains(wanted)) => {
                cells.any(|cell| value.compare(cell.value, wanted).is_eq())
            }
            (CqlType::Map { key, .. }, Test::ContainsKey(wanted)) => {
                cells.any(|cell| path_is(key, cell.path, wanted))
            }
            (CqlType::Map { key, value, .. }, Test::Entry(wanted_key, wanted)) => cells
                .find(|cell| path_is(key, cell.path, wanted_key))
                .is_some_and(|cell| value.compare(cell.value, wanted).is_eq()),
            // The planner refuses all others.
            _ => false,
        }
    }

    fn fits_value(&self, found: &[u8]) -> bool {
        if self.ty == CqlType::Counter {
            let total = counter::total(found).map(i64::to_be_bytes);
            return total.is_ok_and(|total| self.test.fits(&CqlType::BigInt, &total));
        }
        self.test.fits(&self.ty, found)
    }
}

impl Test {
    /// Whether it holds for a value of type `ty`, a collection that is one value too.
    fn fits(&self, ty: &CqlType, found: &[u8]) -> bool {
        match self {
            Test::Compare(operator, value) => {
                let order = ty.compare(found, value);
                match operator {
                    Operator::Eq => order.is_eq(),
                    Operator::NotEq => order.is_ne(),
                    Operator::Lt => order.is_lt(),
                    Operator::Lte => order.is_le(),
                    Operator::Gt => order.is_gt(),
                    Operator::Gte => order.is_ge(),
                }
            }
            Test::Is(value) => found == value,
            Test::AnyOf(values) => values.iter().any(|value| ty.compare(found, value).is_eq()),
            // Elements of a frozen collection are compared as objects are, and so 1.0 is not 1.00.
            Test::Contains(wanted) => match ty {
                CqlType::Map { .. } => Entries::of(found).any(|(_, value)| value == wanted),
                _ => Elements::of(found).any(|element| element == Some(wanted)),
            },
            Test::ContainsKey(wanted) => match ty {
                CqlType::Map { key, .. } => {
                    Entries::of(found).any(|(found, _)| key.compare(found, wanted).is_eq())
                }
                _ => false,
            },
            Test::Entry(wanted_key, wanted) => match ty {
                CqlType::Map { key, value, .. } => Entries::of(found)
                    .find(|(found, _)| key.compare(found, wanted_key).is_eq())
                    .is_some_and(|(_, found)| value.compare(found, wanted).is_eq()),
                _ => false,
            },
        }
    }
}
