//! What the WHERE of a modification says: which partitions, and which rows or slice of them.
//!
//! Authority: `o.a.c.cql3.restrictions.StatementRestrictions`.

use super::Modifier;
use crate::cql::ast::{Expr, InValues, Operator, Relation};
use crate::model::{Bound, BoundKind, Slice};
use crate::mutation::insert::visible_column;
use crate::mutation::{WriteTime, key};
use crate::schema::{ColumnKind, TableSchema};
use crate::{Error, Result};
use std::collections::HashSet;

/// Keys that one statement may change: more are a mistake.
const KEYS_MAX: usize = 65_535;

/// What `WHERE` says of a row's key.
pub(super) struct Where {
    /// Values of the partition key's columns: of each at least one.
    pub(super) partition: Vec<Vec<Vec<u8>>>,
    /// Values of the first clustering columns.
    pub(super) clustering: Vec<Vec<Vec<u8>>>,
    /// Bounds behind them: where the range starts and ends in the order of the columns' types.
    pub(super) lower: Option<(Vec<Vec<u8>>, bool)>,
    pub(super) upper: Option<(Vec<Vec<u8>>, bool)>,
}

impl Modifier {
    /// What the relations say of the key.
    pub(super) fn key_of(&self, relations: &[Relation], when: &WriteTime) -> Result<Where> {
        let table = &*self.table;
        let mut partition: Vec<Option<Vec<Vec<u8>>>> = vec![None; table.partition_key.len()];
        let mut clustering: Vec<Option<Vec<Vec<u8>>>> = vec![None; table.clustering.len()];
        let (mut lower, mut upper) = (None, None);
        let mut range_at = None;
        let twice = |name: &str| Error::invalid(format!("the column `{name}` is restricted twice"));
        let refuse = |relation: &Relation| {
            Error::invalid(format!(
                "{}: rows to change are told by their primary key alone",
                place(relation)
            ))
        };
        for relation in relations {
            // Columns, operator, and the values of all of them at once; several for IN.
            let (columns, operator, values): (Vec<&str>, Operator, Vec<Vec<Vec<u8>>>) =
                match relation {
                    Relation::Column {
                        column,
                        operator,
                        value,
                    } => {
                        let value = self.key_value(column, value, when)?;
                        (vec![column.as_str()], *operator, vec![vec![value]])
                    }
                    Relation::In { column, values } => {
                        let InValues::List(values) = values else {
                            return Err(refuse(relation));
                        };
                        let values = values.iter();
                        let values = values.map(|v| Ok(vec![self.key_value(column, v, when)?]));
                        let values = values.collect::<Result<_>>()?;
                        (vec![column.as_str()], Operator::Eq, values)
                    }
                    Relation::Tuple {
                        columns,
                        operator,
                        value,
                    } => {
                        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
                        let value = self.key_values(columns, value, when)?;
                        (names, *operator, vec![value])
                    }
                    _ => return Err(refuse(relation)),
                };
            let mut places = Vec::new();
            for name in &columns {
                let column = visible_column(table, name)?;
                match column.kind {
                    ColumnKind::PartitionKey | ColumnKind::Clustering => {
                        places.push((column.kind, column.index));
                    }
                    _ => return Err(refuse(relation)),
                }
            }
            if operator == Operator::Eq {
                for (i, (kind, index)) in places.iter().enumerate() {
                    let slot = match kind {
                        ColumnKind::PartitionKey => &mut partition[*index],
                        _ => &mut clustering[*index],
                    };
                    let values = values.iter().map(|row| row[i].clone()).collect();
                    if slot.replace(values).is_some() {
                        return Err(twice(columns[i]));
                    }
                }
                continue;
            }
            let first = places.first().copied();
            let Some((ColumnKind::Clustering, start)) = first else {
                return Err(Error::invalid(format!(
                    "{}: partitions are told by = and IN",
                    place(relation)
                )));
            };
            let in_order = places
                .iter()
                .enumerate()
                .all(|(i, place)| *place == (ColumnKind::Clustering, start + i));
            let one_way = places.windows(2).all(|w| {
                table.clustering[w[0].1].descending == table.clustering[w[1].1].descending
            });
            if !in_order || !one_way || range_at.is_some_and(|at| at != start) {
                return Err(Error::unsupported(format!(
                    "{}: a range is of clustering columns that follow each other and are sorted one way",
                    place(relation)
                )));
            }
            range_at = Some(start);
            let value = values.into_iter().next().unwrap_or_default();
            let (slot, inclusive) = match operator {
                Operator::Gt => (&mut lower, false),
                Operator::Gte => (&mut lower, true),
                Operator::Lt => (&mut upper, false),
                Operator::Lte => (&mut upper, true),
                _ => return Err(refuse(relation)),
            };
            if slot.replace((value, inclusive)).is_some() {
                return Err(twice(columns[0]));
            }
        }
        let mut keys = Vec::new();
        for (values, column) in partition.into_iter().zip(&table.partition_key) {
            keys.push(values.ok_or_else(|| {
                Error::invalid(format!(
                    "the partition key column `{}` has no value",
                    column.name
                ))
            })?);
        }
        let count = clustering.iter().take_while(|v| v.is_some()).count();
        let gap = clustering.iter().skip(count).any(Option::is_some);
        if gap || range_at.is_some_and(|at| at != count) {
            return Err(Error::invalid(format!(
                "the clustering column `{}` has no value, and one behind it has",
                table.clustering[count].name
            )));
        }
        Ok(Where {
            partition: keys,
            clustering: clustering.into_iter().flatten().collect(),
            lower,
            upper,
        })
    }

    fn key_value(&self, name: &str, value: &Expr, when: &WriteTime) -> Result<Vec<u8>> {
        let ty = visible_column(&self.table, name)?.ty;
        let value = self.column_term(value, ty, name, when.now)?;
        value.ok_or_else(|| Error::invalid(format!("the column `{name}` cannot be null")))
    }

    /// The values of the columns of a tuple, one of a single column too.
    fn key_values(
        &self,
        columns: &[String],
        value: &Expr,
        when: &WriteTime,
    ) -> Result<Vec<Vec<u8>>> {
        match value {
            Expr::Tuple(elements) if elements.len() == columns.len() => {
                let pairs = columns.iter().zip(elements);
                pairs
                    .map(|(name, e)| self.key_value(name, e, when))
                    .collect()
            }
            _ => Err(Error::invalid(format!(
                "`{value}`: expected {} in parentheses",
                match columns.len() {
                    1 => "a value".to_owned(),
                    n => format!("{n} values"),
                }
            ))),
        }
    }
}

impl Where {
    /// All partition keys.
    pub(super) fn partitions(&self, table: &TableSchema) -> Result<Vec<Vec<u8>>> {
        let mut keys = Vec::new();
        for values in product(&self.partition)? {
            let mut out = Vec::new();
            key::partition_key(table, |i| Some(values[i].as_slice()), &mut out)?;
            keys.push(out);
        }
        Ok(keys)
    }

    /// The clustering values of all rows, or of what begins all ranges.
    pub(super) fn rows(&self, table: &TableSchema) -> Result<Vec<Vec<Vec<u8>>>> {
        let rows = product(&self.clustering)?;
        for row in &rows {
            for (i, value) in row.iter().enumerate() {
                key::clustering(table, i, Some(value))?;
            }
        }
        Ok(rows)
    }

    /// The range of the rows that begin with these values.
    pub(super) fn slice(&self, table: &TableSchema, prefix: &[Vec<u8>]) -> Result<Slice> {
        let column = table.clustering.get(prefix.len());
        let descending = column.is_some_and(|c| c.descending);
        let (first, last) = match descending {
            false => (&self.lower, &self.upper),
            true => (&self.upper, &self.lower),
        };
        let bound = |side: &Option<(Vec<Vec<u8>>, bool)>, inclusive: BoundKind, exclusive| {
            let (more, is_inclusive) = match side {
                Some((values, is_inclusive)) => (&values[..], *is_inclusive),
                None => (&[][..], true),
            };
            let values = prefix.iter().chain(more);
            Bound {
                kind: if is_inclusive { inclusive } else { exclusive },
                values: values.map(|v| Some(v.clone())).collect(),
            }
        };
        let slice = Slice {
            start: bound(first, BoundKind::InclStart, BoundKind::ExclStart),
            end: bound(last, BoundKind::InclEnd, BoundKind::ExclEnd),
        };
        for bound in [&slice.start, &slice.end] {
            for (i, value) in bound.values.iter().enumerate() {
                key::clustering(table, i, value.as_deref())?;
            }
        }
        Ok(slice)
    }
}

/// Where in `WHERE` a relation is.
fn place(relation: &Relation) -> String {
    match relation {
        Relation::Column { column, .. }
        | Relation::In { column, .. }
        | Relation::Element { column, .. }
        | Relation::Contains { column, .. }
        | Relation::Like { column, .. }
        | Relation::IsNotNull { column } => format!("the condition on `{column}`"),
        Relation::Tuple { columns, .. } | Relation::TupleIn { columns, .. } => {
            format!("the condition on ({})", columns.join(", "))
        }
        Relation::Token { .. } => "the condition on the token".to_owned(),
        Relation::Index { index, .. } => format!("the condition on the index {index}"),
    }
}

/// All combinations of one value of each column.
fn product(columns: &[Vec<Vec<u8>>]) -> Result<Vec<Vec<Vec<u8>>>> {
    // What IN names twice is changed once.
    let once = |values: &'_ Vec<Vec<u8>>| {
        let mut seen = HashSet::new();
        let mut values = values.clone();
        values.retain(|value| seen.insert(value.clone()));
        values
    };
    let columns: Vec<_> = columns.iter().map(once).collect();
    let count = columns
        .iter()
        .try_fold(1usize, |n, values| n.checked_mul(values.len()));
    if count.is_none_or(|count| count > KEYS_MAX) {
        return Err(Error::invalid(format!(
            "a statement changes {KEYS_MAX} rows at most"
        )));
    }
    let mut all = vec![Vec::new()];
    for values in &columns {
        let longer = all.iter().flat_map(|row: &Vec<Vec<u8>>| {
            values.iter().map(move |value| {
                let mut row = row.clone();
                row.push(value.clone());
                row
            })
        });
        all = longer.collect();
    }
    Ok(all)
}
