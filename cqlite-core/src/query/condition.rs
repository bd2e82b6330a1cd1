//! What `IF` asks of the columns of a row.
//!
//! Authority: `o.a.c.cql3.conditions.{ColumnCondition,ColumnConditions}`, `o.a.c.cql3.Operator`.

use super::bind::contained;
use super::collection::{Elements, Entries};
use super::columns::find_column;
use super::current::CurrentRow;
use super::evaluate::evaluate_term;
use super::input::{Fetched, Input};
use super::restrictions::holds_duration;
use super::slices::Nullable;
use crate::cql::ast::{ColumnCondition, ConditionPart, ConditionTest, Expr, InValues, Operator};
use crate::partitioner::Partitioner;
use crate::schema::{ColumnKind, TableSchema};
use crate::types::CqlType;
use crate::{Error, Result};
use std::cmp::Ordering;

/// The conditions of one statement, all of which must hold.
#[derive(Debug)]
pub(crate) struct Conditions {
    fetched: Vec<Fetched>,
    /// For each fetched column.
    checks: Vec<Check>,
    now: i64,
}

/// What is asked of one column.
#[derive(Debug)]
struct Check {
    part: Part,
    test: Test,
    /// One of them suffices.
    values: Vec<Nullable>,
    /// Type of the values.
    ty: CqlType,
    /// An empty collection that is not frozen is null.
    is_multi_collection: bool,
}

#[derive(Debug)]
enum Part {
    Whole,
    /// Of a map, by the bytes of its key.
    Entry(Vec<u8>),
    /// Of a list.
    Index(usize),
    /// Of a user type.
    Field(usize),
}

#[derive(Debug, Clone, Copy)]
enum Test {
    Compare(Operator),
    Contains,
    ContainsKey,
}

impl Conditions {
    /// Of a table, at `now` in seconds since 1970.
    ///
    /// # Errors
    /// `InvalidInput` for what does not fit the table's columns, or cannot be compared.
    pub fn new(conditions: &[ColumnCondition], table: &TableSchema, now: i64) -> Result<Self> {
        let mut all = Conditions {
            fetched: Vec::with_capacity(conditions.len()),
            checks: Vec::with_capacity(conditions.len()),
            now,
        };
        for condition in conditions {
            let column = find_column(table, &condition.column)?;
            if matches!(
                column.kind,
                ColumnKind::PartitionKey | ColumnKind::Clustering
            ) {
                return Err(Error::invalid(format!(
                    "the column `{}` is of the primary key, and cannot stand in IF",
                    column.name
                )));
            }
            all.checks.push(check(condition, column.ty, table, now)?);
            all.fetched.push(Fetched::new(&column));
        }
        Ok(all)
    }

    /// Names of the columns, as often as they are named.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.fetched.iter().map(|column| &*column.name)
    }

    /// Whether all of them hold.
    ///
    /// # Errors
    /// `InvalidInput` where null is compared for what it cannot be.
    pub fn hold(&self, current: &CurrentRow) -> Result<bool> {
        let mut input = Input::default();
        input.start_partition(&self.fetched, |_| &[], current.statics(), self.now)?;
        input.set_row(&self.fetched, current.row(), self.now)?;
        for (i, check) in self.checks.iter().enumerate() {
            if !check.holds(input.value(i))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Says what a condition means.
fn check(
    condition: &ColumnCondition,
    column: &CqlType,
    table: &TableSchema,
    now: i64,
) -> Result<Check> {
    let name = &condition.column;
    if *column == CqlType::Counter {
        return Err(Error::invalid(format!(
            "the column `{name}` is a counter, and cannot stand in IF"
        )));
    }
    let evaluate = |expr: &Expr, ty: &CqlType| {
        let what = format!("the condition on `{name}`");
        evaluate_term(expr, ty, table, &Partitioner::Murmur3, now, &what)
    };
    let (part, ty) = match &condition.part {
        ConditionPart::Whole => (Part::Whole, column.clone()),
        ConditionPart::Element(key) => match column {
            CqlType::Map {
                key: key_type,
                value,
                ..
            } => {
                let key = evaluate(key, key_type)?.ok_or_else(|| null_element(name))?;
                (Part::Entry(key), CqlType::clone(value))
            }
            CqlType::List { element, .. } => {
                let index = evaluate(key, &CqlType::Int)?.ok_or_else(|| null_element(name))?;
                let index = index.try_into().map_or(0, i32::from_be_bytes);
                let index = usize::try_from(index).map_err(|_| {
                    Error::invalid(format!("`{name}[{index}]`: an index is not negative"))
                })?;
                (Part::Index(index), CqlType::clone(element))
            }
            ty => {
                return Err(Error::invalid(format!(
                    "the column `{name}` is of type {}: only of maps and lists an element is asked for",
                    ty.cql_name()
                )));
            }
        },
        ConditionPart::Field(field) => {
            let fields = match column {
                CqlType::Udt { definition, .. } => &definition.fields[..],
                _ => &[],
            };
            let found = fields.iter().position(|(name, _)| name == field);
            let found = found.ok_or_else(|| {
                Error::invalid(format!("the column `{name}` has no field `{field}`"))
            })?;
            (Part::Field(found), fields[found].1.clone())
        }
    };
    let (test, terms): (_, &[Expr]) = match &condition.test {
        ConditionTest::Compare(operator, value) => {
            (Test::Compare(*operator), std::slice::from_ref(value))
        }
        ConditionTest::In(InValues::List(values)) => (Test::Compare(Operator::Eq), values),
        ConditionTest::In(InValues::Bind(marker)) => return Err(marker.unbound()),
        ConditionTest::Contains { key, value } => {
            let test = if *key {
                Test::ContainsKey
            } else {
                Test::Contains
            };
            (test, std::slice::from_ref(value))
        }
    };
    let is_slice = matches!(
        test,
        Test::Compare(Operator::Lt | Operator::Lte | Operator::Gt | Operator::Gte)
    );
    if is_slice && holds_duration(&ty) {
        return Err(Error::invalid(format!(
            "the condition on `{name}`: durations have no order"
        )));
    }
    let wanted = match test {
        Test::Compare(_) => ty.clone(),
        Test::Contains | Test::ContainsKey => contained(&ty, matches!(test, Test::ContainsKey))
            .cloned()
            .ok_or_else(|| {
                Error::invalid(format!(
                    "the column `{name}` is of type {}, which contains no {}",
                    ty.cql_name(),
                    if matches!(test, Test::ContainsKey) {
                        "keys"
                    } else {
                        "values"
                    }
                ))
            })?,
    };
    let values = terms.iter().map(|term| evaluate(term, &wanted.freeze()));
    Ok(Check {
        is_multi_collection: matches!(part, Part::Whole)
            && ty.is_multi_cell()
            && !matches!(ty, CqlType::Udt { .. }),
        values: values.collect::<Result<_>>()?,
        part,
        test,
        ty,
    })
}

#[cold]
fn null_element(name: &str) -> Error {
    Error::invalid(format!("`{name}[null]`: an element has a key or an index"))
}

impl Check {
    /// Whether it holds of a column of this value.
    fn holds(&self, column: Option<&[u8]>) -> Result<bool> {
        let found = match &self.part {
            Part::Whole => column,
            Part::Entry(key) => column.and_then(|map| {
                let mut entries = Entries::of(map);
                entries.find(|(k, _)| k == key).map(|(_, value)| value)
            }),
            Part::Index(index) => column.and_then(|list| Elements::of(list).nth(*index).flatten()),
            Part::Field(field) => {
                column.and_then(|value| Elements::of_tuple(value).nth(*field).flatten())
            }
        };
        for value in &self.values {
            let holds = match self.test {
                Test::Compare(operator) => self.compare(operator, found, value.as_deref())?,
                Test::Contains | Test::ContainsKey => self.contains(found, value.as_deref())?,
            };
            if holds {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn compare(
        &self,
        operator: Operator,
        found: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool> {
        const EMPTY: &[u8] = &[0; 4];
        // Nothing, and a collection of nothing.
        let value = value.filter(|value| !(self.is_multi_collection && *value == EMPTY));
        let Some(value) = value else {
            return match operator {
                Operator::Eq => Ok(found.is_none()),
                Operator::NotEq => Ok(found.is_some()),
                operator => Err(Error::invalid(format!(
                    "a condition compares with null, or with an empty collection: `{operator}` has no meaning"
                ))),
            };
        };
        let Some(found) = found else {
            return Ok(operator == Operator::NotEq);
        };
        let order = self.ty.compare(found, value);
        Ok(match operator {
            Operator::Eq => order == Ordering::Equal,
            Operator::NotEq => order != Ordering::Equal,
            Operator::Lt => order == Ordering::Less,
            Operator::Lte => order != Ordering::Greater,
            Operator::Gt => order == Ordering::Greater,
            Operator::Gte => order != Ordering::Less,
        })
    }

    fn contains(&self, found: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool> {
        let value = value.ok_or_else(|| {
            Error::invalid("a condition asks for null in a collection, which contains none")
        })?;
        let Some(found) = found else {
            return Ok(false);
        };
        Ok(match (&self.ty, self.test) {
            (CqlType::Map { key, .. }, Test::ContainsKey) => {
                Entries::of(found).any(|(k, _)| key.compare(k, value).is_eq())
            }
            (CqlType::Map { value: ty, .. }, _) => {
                Entries::of(found).any(|(_, v)| ty.compare(v, value).is_eq())
            }
            (CqlType::List { element, .. } | CqlType::Set { element, .. }, _) => {
                let mut elements = Elements::of(found).flatten();
                elements.any(|e| element.compare(e, value).is_eq())
            }
            _ => false,
        })
    }
}
