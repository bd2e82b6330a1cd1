//! From the relations of `WHERE` to restrictions.
//!
//! Authority: `o.a.c.cql3.{SingleColumnRelation,MultiColumnRelation,TokenRelation}`.

use super::{Allowance, Restrictions, with_null};
use crate::cql::ast::{Expr, InValues, Operator, Relation};
use crate::cql::quote_name;
use crate::query::columns::find_column;
use crate::query::prepare::term;
use crate::query::restriction::{Contents, Demand, Restriction};
use crate::query::slices::{Nullable, Value};
use crate::schema::{ColumnKind, ColumnRef};
use crate::types::CqlType;
use crate::{Error, Result};

impl<'a> Restrictions<'a> {
    pub(super) fn add(&mut self, relation: &Relation, allowance: &Allowance<'_>) -> Result<()> {
        match relation {
            Relation::Column {
                column,
                operator,
                value,
            } => {
                let column = self.find(column)?;
                let what = quote_name(column.name);
                let restriction = match operator {
                    Operator::NotEq => {
                        return Err(Error::invalid(format!(
                            "{what} != {value}: Cassandra 5.0 has no `!=` in WHERE"
                        )));
                    }
                    Operator::Eq => {
                        check_whole(&column, "=")?;
                        let value = self.value(value, column.ty, &what)?;
                        self.eq(vec![column.index], vec![value])
                    }
                    operator => {
                        check_whole(&column, &operator.to_string())?;
                        if holds_duration(column.ty) {
                            return Err(Error::invalid(format!(
                                "{what}: durations have no order, so {operator} has no meaning"
                            )));
                        }
                        let value = self.nullable(value, column.ty, &what)?;
                        if value.is_none() && column.kind != ColumnKind::Clustering {
                            return Err(with_null(&what));
                        }
                        Restriction::slice(vec![column.index], *operator, vec![value])
                    }
                };
                self.add_to(&column, restriction, allowance)
            }
            Relation::In { column, values } => {
                let column = self.find(column)?;
                check_whole(&column, "IN")?;
                let what = quote_name(column.name);
                let values = list_of(values)?
                    .iter()
                    .map(|value| Ok(vec![self.nullable(value, column.ty, &what)?]))
                    .collect::<Result<Vec<_>>>()?;
                let restriction = one_of(vec![column.index], values, &what)?;
                self.add_to(&column, restriction, allowance)
            }
            Relation::Contains { column, key, value } => {
                let column = self.find(column)?;
                let what = quote_name(column.name);
                // Cassandra does not see the collection in the reversed type of a descending column.
                let ty = match self.is_descending(&column) {
                    true => &CqlType::Empty,
                    false => column.ty,
                };
                let (element, contents): (_, fn(Value) -> Contents) = match (ty, key) {
                    (CqlType::Map { key, .. }, true) => (key, |key| Contents {
                        keys: vec![key],
                        ..Contents::default()
                    }),
                    (CqlType::List { element, .. } | CqlType::Set { element, .. }, false) => {
                        (element, contents_of_value)
                    }
                    (CqlType::Map { value, .. }, false) => (value, contents_of_value),
                    (_, true) => {
                        return Err(Error::invalid(format!(
                            "{what} is no map: CONTAINS KEY has no meaning"
                        )));
                    }
                    (_, false) => {
                        return Err(Error::invalid(format!(
                            "{what} is no collection: CONTAINS has no meaning"
                        )));
                    }
                };
                let value = self.value(value, element, &what)?;
                let restriction = Restriction {
                    columns: vec![column.index],
                    demand: Demand::Contains(contents(value)),
                };
                self.add_to(&column, restriction, allowance)
            }
            Relation::Element {
                column,
                key,
                operator,
                value,
            } => {
                let column = self.find(column)?;
                let what = quote_name(column.name);
                let CqlType::Map {
                    key: key_type,
                    value: value_type,
                    frozen: false,
                } = column.ty
                else {
                    return Err(Error::invalid(format!(
                        "{what}[{key}]: only entries of maps that are not frozen can be compared"
                    )));
                };
                if *operator != Operator::Eq {
                    return Err(Error::invalid(format!(
                        "{what}[{key}] {operator}: entries of maps can only be compared with `=`"
                    )));
                }
                let entry = format!("{what}[{key}]");
                let key = self.value(key, key_type, &entry)?;
                let value = self.value(value, value_type, &entry)?;
                let restriction = Restriction {
                    columns: vec![column.index],
                    demand: Demand::Contains(Contents {
                        entries: vec![(key, value)],
                        ..Contents::default()
                    }),
                };
                self.add_to(&column, restriction, allowance)
            }
            Relation::Tuple {
                columns,
                operator,
                value,
            } => {
                let columns = self.tuple_columns(columns)?;
                let values = self.tuple(value, &columns)?;
                let indexes = columns.iter().map(|c| c.index).collect();
                let restriction = match operator {
                    Operator::Eq => self.eq(indexes, values),
                    Operator::NotEq => {
                        return Err(Error::invalid("Cassandra 5.0 has no `!=` in WHERE"));
                    }
                    operator => {
                        let values = values.into_iter().map(Some).collect();
                        Restriction::slice(indexes, *operator, values)
                    }
                };
                self.add_to(&columns[0], restriction, allowance)
            }
            Relation::TupleIn { columns, values } => {
                let columns = self.tuple_columns(columns)?;
                let nullable = |values: Vec<Value>| values.into_iter().map(Some).collect();
                let values = list_of(values)?
                    .iter()
                    .map(|value| self.tuple(value, &columns).map(nullable))
                    .collect::<Result<Vec<_>>>()?;
                let indexes = columns.iter().map(|c| c.index).collect();
                let what = quote_name(columns[0].name);
                self.add_to(&columns[0], one_of(indexes, values, &what)?, allowance)
            }
            Relation::Token {
                columns,
                operator,
                value,
            } => self.add_token(columns, *operator, value),
            Relation::Like { column, .. } => {
                let name = &self.find(column)?.name;
                let mut indexes = allowance.indexes.iter();
                Err(match indexes.any(|i| *i.target == ***name) {
                    true => Error::unsupported(format!("{name} LIKE")),
                    false => Error::invalid(format!("{name} LIKE: only an index answers it")),
                })
            }
            Relation::IsNotNull { column } => Err(Error::invalid(format!(
                "{} IS NOT NULL: it is only for the definition of views",
                quote_name(self.find(column)?.name)
            ))),
            Relation::Index { index, .. } => Err(Error::unsupported(format!(
                "expr({index}, ...): only a custom index answers it"
            ))),
        }
    }

    fn find(&self, name: &str) -> Result<ColumnRef<'a>> {
        find_column(self.context.schema, name)
    }

    /// The value of a term, which cannot be null. `what` is the column's name.
    fn value(&self, expr: &Expr, ty: &CqlType, what: &str) -> Result<Value> {
        self.nullable(expr, ty, what)?
            .ok_or_else(|| with_null(what))
    }

    fn nullable(&self, expr: &Expr, ty: &CqlType, what: &str) -> Result<Nullable> {
        // Counters are compared by their totals.
        let ty = match ty {
            CqlType::Counter => &CqlType::BigInt,
            ty => ty,
        };
        term(self.context, expr, &ty.freeze(), what)
    }

    fn eq(&self, columns: Vec<usize>, values: Vec<Value>) -> Restriction {
        Restriction {
            columns,
            demand: Demand::Eq(values),
        }
    }

    /// The clustering columns of a tuple, without gaps.
    fn tuple_columns(&self, names: &[String]) -> Result<Vec<ColumnRef<'a>>> {
        let columns = names
            .iter()
            .map(|name| self.find(name))
            .collect::<Result<Vec<_>>>()?;
        for (i, column) in columns.iter().enumerate() {
            if column.kind != ColumnKind::Clustering {
                return Err(Error::invalid(format!(
                    "{} is no clustering column: it cannot stand in a tuple",
                    quote_name(column.name)
                )));
            }
            if i > 0 && column.index != columns[i - 1].index + 1 {
                let clustering = &self.context.schema.clustering;
                let order: Vec<String> = clustering.iter().map(|c| quote_name(&c.name)).collect();
                return Err(Error::invalid(format!(
                    "({}): columns of a tuple stand in the order of the primary key, without gaps",
                    names.join(", ")
                ))
                .advise(format!("the order is {}", order.join(", "))));
            }
        }
        Ok(columns)
    }

    fn tuple(&self, expr: &Expr, columns: &[ColumnRef<'_>]) -> Result<Vec<Value>> {
        let elements = match expr {
            Expr::Tuple(elements) => elements,
            Expr::Bind(marker) => return Err(marker.unbound()),
            other => std::slice::from_ref(other),
        };
        if elements.len() != columns.len() {
            return Err(Error::invalid(format!(
                "{expr} has {} values for {} columns",
                elements.len(),
                columns.len()
            )));
        }
        let pairs = elements.iter().zip(columns);
        pairs
            .map(|(element, column)| self.value(element, column.ty, &quote_name(column.name)))
            .collect()
    }

    fn add_token(&mut self, columns: &[String], operator: Operator, value: &Expr) -> Result<()> {
        for name in columns {
            self.find(name)?;
        }
        let key = &self.context.schema.partition_key;
        let is_key = key
            .iter()
            .map(|c| &*c.name)
            .eq(columns.iter().map(|c| &**c));
        if !is_key {
            return Err(Error::invalid(format!(
                "token({}): it takes all columns of the partition key, in order",
                columns.join(", ")
            ))
            .advise(format!("write {}", self.token_name())));
        }
        let name = self.token_name();
        let ty = self.context.partitioner.token_type();
        let value = self.value(value, &ty, &name)?;
        let restriction = match operator {
            Operator::Eq => self.eq(vec![0], vec![value]),
            Operator::NotEq => return Err(Error::invalid("Cassandra 5.0 has no `!=` in WHERE")),
            operator => Restriction::slice(vec![0], operator, vec![Some(value)]),
        };
        self.token.add(restriction, |_| name.clone())
    }

    fn token_name(&self) -> String {
        let key = &self.context.schema.partition_key;
        let names: Vec<String> = key.iter().map(|c| quote_name(&c.name)).collect();
        format!("token({})", names.join(", "))
    }
}

fn contents_of_value(value: Value) -> Contents {
    Contents {
        values: vec![value],
        ..Contents::default()
    }
}

fn list_of(values: &InValues) -> Result<&[Expr]> {
    match values {
        InValues::List(values) => Ok(values),
        InValues::Bind(marker) => Err(marker.unbound()),
    }
}

/// `IN`, which with one element is `=`.
fn one_of(columns: Vec<usize>, mut values: Vec<Vec<Nullable>>, what: &str) -> Result<Restriction> {
    let demand = match values.len() {
        1 => Demand::Eq(not_null(&values.remove(0)).ok_or_else(|| with_null(what))?),
        _ => Demand::In(values),
    };
    Ok(Restriction { columns, demand })
}

/// All values, unless one is null.
pub(super) fn not_null(values: &[Nullable]) -> Option<Vec<Value>> {
    values.iter().cloned().collect()
}

/// Refuses to compare a value that is not kept as one.
fn check_whole(column: &ColumnRef<'_>, operator: &str) -> Result<()> {
    if !column.ty.is_multi_cell() {
        return Ok(());
    }
    let what = quote_name(column.name);
    let ty = column.ty.cql_name();
    Err(match column.ty {
        CqlType::Udt { .. } => Error::invalid(format!(
            "{what} is a {ty} that is not frozen: it cannot be restricted"
        )),
        _ => Error::invalid(format!(
            "{what} is a {ty} that is not frozen: it cannot be compared by {operator}"
        ))
        .advise("test its contents with CONTAINS, CONTAINS KEY or [key] ="),
    })
}

/// `AbstractType.referencesDuration`, to which sets, vectors and the keys of maps say no whatever they hold.
pub(in crate::query) fn holds_duration(ty: &CqlType) -> bool {
    match ty {
        CqlType::Duration => true,
        CqlType::List { element, .. } => holds_duration(element),
        CqlType::Map { value, .. } => holds_duration(value),
        CqlType::Tuple(types) => types.iter().any(holds_duration),
        CqlType::Udt { definition, .. } => {
            definition.fields.iter().any(|(_, ty)| holds_duration(ty))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_sliced_whatever_they_hold() {
        let vector = CqlType::Vector {
            element: CqlType::Duration.into(),
            dimension: 2,
        };
        assert!(!holds_duration(&vector));
        assert!(!holds_duration(&CqlType::Tuple([vector].into())));
        assert!(holds_duration(&CqlType::Tuple([CqlType::Duration].into())));
    }
}
