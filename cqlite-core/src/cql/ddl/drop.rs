//! The statements that drop something.
//!
//! Authority: rules `dropKeyspaceStatement`, `dropTypeStatement`, `dropTableStatement`, `dropMaterializedViewStatement` and
//! `dropIndexStatement` of `Parser.g` of `o.a.c.cql3`.

use super::{DropKind, SchemaStatement};
use crate::cql::parser::Parser;
use crate::error::Result;

impl Parser<'_> {
    /// What stands after `DROP`.
    pub(super) fn drop_statement(&mut self) -> Result<SchemaStatement> {
        if self.accept_word("KEYSPACE") || self.accept_word("SCHEMA") {
            return Ok(SchemaStatement::DropKeyspace {
                if_exists: self.if_exists()?,
                name: self.name("a keyspace")?,
            });
        }
        let kind = if self.accept_word("TYPE") {
            DropKind::Type
        } else if self.accept_word("TABLE") || self.accept_word("COLUMNFAMILY") {
            DropKind::Table
        } else if self.accept_word("MATERIALIZED") {
            self.expect_word("VIEW")?;
            DropKind::View
        } else if self.accept_word("INDEX") {
            DropKind::Index
        } else {
            return Ok(SchemaStatement::Other);
        };
        Ok(SchemaStatement::Drop {
            kind,
            if_exists: self.if_exists()?,
            name: self.qualified_name("what is dropped")?,
        })
    }
}
