//! Finding the columns that a statement names.

use crate::cql::quote_name;
use crate::schema::{ColumnRef, TableSchema};
use crate::{Error, Result};

/// The visible column of this name.
///
/// Errors: `InvalidInput`, listing the columns that there are.
pub(super) fn find_column<'s>(schema: &'s TableSchema, name: &str) -> Result<ColumnRef<'s>> {
    match schema.column(name) {
        Some(column) if !schema.is_hidden(&column) => Ok(column),
        _ => Err(no_such_column(schema, name)),
    }
}

#[cold]
fn no_such_column(schema: &TableSchema, name: &str) -> Error {
    let error = Error::invalid(format!(
        "{} has no column {}",
        schema.full_name(),
        quote_name(name)
    ));
    let columns = schema.select_order();
    let alike = columns.iter().find(|c| c.name.eq_ignore_ascii_case(name));
    error.advise(match alike {
        Some(column) => format!("it has {}", quote_name(column.name)),
        None => {
            let names: Vec<String> = columns.iter().map(|c| quote_name(c.name)).collect();
            format!("it has {}", names.join(", "))
        }
    })
}
