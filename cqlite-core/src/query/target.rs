//! What the `WHERE` of a statement that changes rows names: partitions, and rows or slices of them.
//!
//! Authority: `o.a.c.cql3.restrictions.StatementRestrictions`, `o.a.c.cql3.statements.{ModificationStatement,
//! StatementType}`.

use super::evaluate::refuse_fresh;
use super::function::resolve::Context;
use super::restrictions::{Allowance, Restrictions};
use crate::cql::ast::{Expr, InValues, Relation};
use crate::model::Slice;
use crate::partitioner::Partitioner;
use crate::schema::TableSchema;
use crate::{Error, Result};

/// What is changed.
#[derive(Debug)]
pub(crate) struct Targets {
    /// Raw partition keys, each once.
    pub partitions: Vec<Vec<u8>>,
    /// What of each of them.
    pub rows: TargetRows,
}

/// What of a partition is changed.
#[derive(Debug)]
pub(crate) enum TargetRows {
    /// No clustering column is restricted.
    All,
    /// The rows of these clusterings, each once, in storage order.
    Rows(Vec<Vec<Vec<u8>>>),
    /// These slices, ascending.
    Slices(Vec<Slice>),
}

/// What kind of statement it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changing {
    /// It changes static columns, and no others.
    pub only_statics: bool,
    /// It may change slices of rows.
    pub slices: bool,
}

/// What these relations name. `now` is in seconds since 1970.
///
/// # Errors
/// `InvalidInput` and `NotFound` for what does not tell rows of the table, or cannot hold together; `Unsupported` for
/// functions that cannot be called here.
pub(crate) fn targets(
    relations: &[Relation],
    schema: &TableSchema,
    changing: Changing,
    now: i64,
) -> Result<Targets> {
    for relation in relations {
        for value in values(relation)? {
            refuse_fresh(value)?;
        }
    }
    let context = Context {
        schema,
        partitioner: &Partitioner::Murmur3,
        now,
    };
    let allowance = Allowance {
        filtering: false,
        only_statics: changing.only_statics,
        indexes: &[],
    };
    Restrictions::new(context, relations, &allowance)?.targets(changing)
}

/// The values that a relation of the primary key compares with.
fn values(relation: &Relation) -> Result<&[Expr]> {
    Ok(match relation {
        Relation::Column { value, .. } | Relation::Tuple { value, .. } => {
            std::slice::from_ref(value)
        }
        Relation::In { values, .. } | Relation::TupleIn { values, .. } => match values {
            InValues::List(values) => values,
            InValues::Bind(_) => &[],
        },
        _ => return Err(only_keys(&place(relation))),
    })
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

/// Refuses a condition on something else.
#[cold]
pub(super) fn only_keys(place: &str) -> Error {
    Error::invalid(format!(
        "{place}: rows to change are told by their primary key alone"
    ))
}
