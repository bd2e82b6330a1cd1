//! `SELECT` over a table: a statement becomes a plan by its schema, the plan runs on the table's stream.
//!
//! ```text
//! cql::Select -> Plan (restrictions -> keys, slices, filter; selection) -> Rows -> ResultRow, lent row by row
//! ```
//! What Cassandra refuses is refused, what it answers has the same rows in the same order.
//!
//! Authority: `o.a.c.cql3.{statements.SelectStatement,restrictions,selection,functions}`.

mod collection;
mod columns;
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
mod selection;
mod slices;
mod target;

pub(crate) use evaluate::evaluate_term;
pub use exec::{ResultRow, Rows};
pub use plan::{Plan, PlanOptions, ResultColumn};
pub(crate) use target::{Changing, TargetRows, Targets, targets};
