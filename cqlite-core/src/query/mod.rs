//! `SELECT` over a table: a statement becomes a plan by its schema, the plan runs on the table's stream.
//!
//! ```text
//! cql::Select -> Plan (restrictions -> keys, slices, filter; selection) -> Rows -> ResultRow, lent row by row
//! ```
//! What Cassandra refuses is refused, what it answers has the same rows in the same order.
//!
//! Authority: `o.a.c.cql3.{statements.SelectStatement,restrictions,selection,functions}`.

mod bind;
mod collection;
mod columns;
mod condition;
mod current;
mod evaluate;
mod exec;
mod filter;
mod function;
mod input;
mod live;
mod plan;
mod prepare;
mod restriction;
mod restrictions;
mod result;
mod selection;
mod slices;
mod target;

pub use bind::BindVariable;
pub(crate) use bind::{FindTable, Given, visit_markers};
pub(crate) use condition::Conditions;
pub(crate) use current::{CurrentRow, Sought};
pub(crate) use evaluate::evaluate_term;
pub use exec::{ResultRow, Rows};
pub use plan::{Plan, PlanOptions, ResultColumn};
pub use result::ResultSet;
pub(crate) use target::{Changing, TargetRows, Targets, targets};

/// All rows, each as the JSON that `SELECT JSON` gives.
#[cfg(test)]
pub(crate) fn json_lines(mut rows: Rows<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    while rows.advance().unwrap() {
        let mut line = Vec::new();
        rows.row().write_json(&mut line).unwrap();
        lines.push(String::from_utf8(line).unwrap());
    }
    lines
}
