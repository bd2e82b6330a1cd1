//! CQL text: tokens, grammar, syntax tree. What a statement means is not known here.
//!
//! Authority: `o.a.c.cql3`'s grammar (`Lexer.g`, `Parser.g`) of 5.0.

pub mod ast;
pub mod ddl;
mod keyword;
mod lexer;
mod modify;
mod parser;
mod select;
mod split;
mod term;

#[cfg(test)]
mod tests;

pub use keyword::{is_reserved, quote_name};
pub use parser::{AnyStatement, parse_any_statement, parse_literal, parse_select, parse_statement};
pub(crate) use parser::{Parser, line_and_column};
pub use split::{StatementText, Statements};
pub(crate) use term::parse_uuid;
