//! The statements that change a table, view or type.
//!
//! Authority: rules `alterTableStatement` and `alterTypeStatement` of `Parser.g` of `o.a.c.cql3`.

use super::{SchemaStatement, TableChange, TypeChange};
use crate::cql::lexer::Kind;
use crate::cql::parser::Parser;
use crate::error::Result;

impl Parser<'_> {
    pub(super) fn alter(&mut self) -> Result<SchemaStatement> {
        if self.is_word_nth(0, "type") {
            self.bump();
            return Ok(SchemaStatement::AlterType {
                if_exists: self.if_exists()?,
                name: self.qualified_name("a type")?,
                change: self.type_change()?,
            });
        }
        if self.is_word_nth(0, "keyspace") || self.is_word_nth(0, "schema") {
            self.bump();
            let if_exists = self.if_exists()?;
            let name = self.name("a keyspace")?;
            self.expect_word("WITH")?;
            return Ok(SchemaStatement::AlterKeyspace {
                name,
                if_exists,
                options: self.options()?,
            });
        }
        let is_view = self.is_word_nth(0, "materialized");
        if is_view {
            self.bump();
            self.expect_word("VIEW")?;
        } else if self.is_word_nth(0, "table") || self.is_word_nth(0, "columnfamily") {
            self.bump();
        } else {
            return Ok(SchemaStatement::Other);
        }
        let if_exists = self.if_exists()?;
        let name = self.qualified_name("a table")?;
        let change = match is_view {
            true => {
                self.expect_word("WITH")?;
                TableChange::With(self.options()?)
            }
            false => self.table_change()?,
        };
        Ok(SchemaStatement::AlterTable {
            name,
            if_exists,
            change,
        })
    }

    fn type_change(&mut self) -> Result<TypeChange> {
        if self.accept_word("ADD") {
            return Ok(TypeChange::Add {
                if_not_exists: self.if_not_exists()?,
                field: self.name("a field")?,
                ty: self.type_text()?,
            });
        }
        if self.accept_word("RENAME") {
            self.if_exists()?;
            return Ok(TypeChange::Rename(self.renames()?));
        }
        self.expect_word("ALTER")?;
        let field = self.name("a field")?;
        self.expect_word("TYPE")?;
        Ok(TypeChange::AlterField {
            field,
            ty: self.type_text()?,
        })
    }

    fn table_change(&mut self) -> Result<TableChange> {
        if self.accept_word("ADD") {
            let if_not_exists = self.if_not_exists()?;
            let columns = match self.accept_symbol("(") {
                true => {
                    let columns = self.comma_separated(Self::column_definition)?;
                    self.expect_symbol(")")?;
                    columns
                }
                false => vec![self.column_definition()?],
            };
            return Ok(TableChange::Add {
                if_not_exists,
                columns,
            });
        }
        if self.accept_word("DROP") {
            if self.is_word_nth(0, "compact") && self.is_word_nth(1, "storage") {
                self.bump();
                self.bump();
                return Ok(TableChange::DropCompactStorage);
            }
            return self.drop_columns();
        }
        if self.accept_word("RENAME") {
            self.if_exists()?;
            return Ok(TableChange::Rename(self.renames()?));
        }
        if self.accept_word("WITH") {
            return Ok(TableChange::With(self.options()?));
        }
        self.expect_word("ALTER")?;
        let if_exists = self.if_exists()?;
        let column = self.name("a column")?;
        if self.accept_word("MASKED") {
            self.mask()?;
            return Ok(TableChange::Mask);
        }
        if self.accept_word("DROP") {
            self.expect_word("MASKED")?;
            return Ok(TableChange::Mask);
        }
        self.expect_word("TYPE")?;
        Ok(TableChange::AlterColumn {
            if_exists,
            column,
            ty: self.type_text()?,
        })
    }

    fn drop_columns(&mut self) -> Result<TableChange> {
        let if_exists = self.if_exists()?;
        let column = |p: &mut Self| p.name("a column");
        let columns = match self.accept_symbol("(") {
            true => {
                let columns = self.comma_separated(column)?;
                self.expect_symbol(")")?;
                columns
            }
            false => vec![column(self)?],
        };
        let mut timestamp_micros = None;
        if self.accept_word("USING") {
            self.expect_word("TIMESTAMP")?;
            let token = self.peek();
            timestamp_micros = match token.kind {
                Kind::Integer => self.text_of(token).parse().ok(),
                _ => None,
            };
            if timestamp_micros.is_none() {
                self.could_be("microseconds since 1970");
                return Err(self.unexpected());
            }
            self.bump();
        }
        Ok(TableChange::Drop {
            if_exists,
            columns,
            timestamp_micros,
        })
    }

    fn renames(&mut self) -> Result<Vec<(String, String)>> {
        let mut renames = Vec::new();
        loop {
            let old = self.name("a column or field")?;
            self.expect_word("TO")?;
            renames.push((old, self.name("a column or field")?));
            if !self.accept_word("AND") {
                return Ok(renames);
            }
        }
    }
}
