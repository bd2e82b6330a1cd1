//! The statements of a schema file, and those that create something.
//!
//! Authority: rules `createTableStatement`, `createTypeStatement`, `createIndexStatement` and
//! `createMaterializedViewStatement` of `Parser.g` of `o.a.c.cql3`.

use super::{ColumnDefinition, CreateIndex, CreateTable, CreateView, Properties, SchemaStatement};
use crate::cql::ast::{Expr, Selection, Selector};
use crate::cql::lexer::Kind;
use crate::cql::parser::Parser;
use crate::error::{ErrorKind, Result};
use crate::types::Literal;

impl Parser<'_> {
    /// The next statement of a schema file and the byte where it begins; `None` at the end of the text.
    pub(crate) fn schema_statement(&mut self) -> Result<Option<(usize, SchemaStatement)>> {
        self.forget();
        while self.is_symbol_nth(0, ";") {
            self.bump();
            self.forget();
        }
        let first = self.peek();
        if first.kind == Kind::End {
            return Ok(None);
        }
        if self.is_cqlsh_command() {
            self.skip_command()?;
            return Ok(Some((first.start as usize, SchemaStatement::Other)));
        }
        let statement = if self.accept_word("USE") {
            SchemaStatement::Use(self.name("a keyspace")?)
        } else if self.accept_word("CREATE") {
            self.create()?
        } else if self.accept_word("ALTER") {
            self.alter()?
        } else if self.accept_word("DROP") {
            self.drop_statement()?
        } else if self.accept_word("TRUNCATE") {
            let _ = self.accept_word("TABLE") || self.accept_word("COLUMNFAMILY");
            SchemaStatement::Truncate(self.qualified_name("a table")?)
        } else {
            SchemaStatement::Other
        };
        match statement {
            SchemaStatement::Other => self.skip_statement()?,
            _ if self.peek().kind == Kind::End => {}
            // Written for cqlsh, perhaps.
            SchemaStatement::Use(_) if self.is_at_new_line() => {}
            _ => self.expect_symbol(";")?,
        }
        Ok(Some((first.start as usize, statement)))
    }

    /// Whether the current token begins a command of cqlsh, which no statement of CQL begins with.
    fn is_cqlsh_command(&mut self) -> bool {
        const COMMANDS: [&str; 21] = [
            "capture",
            "clear",
            "cls",
            "consistency",
            "copy",
            "debug",
            "desc",
            "describe",
            "elapsed",
            "exit",
            "expand",
            "help",
            "history",
            "login",
            "paging",
            "quit",
            "serial",
            "show",
            "source",
            "tracing",
            "unicode",
        ];
        COMMANDS.iter().any(|command| self.is_word_nth(0, command))
    }

    /// Reads over a command of cqlsh, which a `;` or the line's end ends.
    fn skip_command(&mut self) -> Result<()> {
        loop {
            self.forget();
            let token = self.bump();
            let ends = token.kind == Kind::Symbol && self.text_of(token) == ";";
            if ends || self.peek().kind == Kind::End || self.is_at_new_line() {
                return Ok(());
            }
            if self.peek().kind == Kind::Unterminated {
                return Err(self.unexpected());
            }
        }
    }

    /// Reads over the rest of a statement, whatever it holds.
    fn skip_statement(&mut self) -> Result<()> {
        loop {
            match self.peek().kind {
                Kind::End => return Ok(()),
                Kind::Unterminated => return Err(self.unexpected()),
                _ => {}
            }
            let token = self.bump();
            if token.kind == Kind::Symbol && self.text_of(token) == ";" {
                return Ok(());
            }
            self.forget();
        }
    }

    fn create(&mut self) -> Result<SchemaStatement> {
        if self.is_word_nth(0, "keyspace") || self.is_word_nth(0, "schema") {
            self.bump();
            let if_not_exists = self.if_not_exists()?;
            let name = self.name("a keyspace")?;
            let options = match self.accept_word("WITH") {
                true => self.options()?,
                false => Vec::new(),
            };
            return Ok(SchemaStatement::CreateKeyspace {
                name,
                if_not_exists,
                options,
            });
        }
        if self.is_word_nth(0, "type") {
            self.bump();
            return self.create_type();
        }
        if self.is_word_nth(0, "table") || self.is_word_nth(0, "columnfamily") {
            self.bump();
            return self.create_table();
        }
        if self.is_word_nth(0, "materialized") {
            self.bump();
            self.expect_word("VIEW")?;
            return self.create_view();
        }
        let custom = usize::from(self.is_word_nth(0, "custom"));
        if self.is_word_nth(custom, "index") {
            (0..=custom).for_each(|_| _ = self.bump());
            return self.create_index();
        }
        Ok(SchemaStatement::Other)
    }

    pub(super) fn if_not_exists(&mut self) -> Result<bool> {
        let found = self.accept_word("IF");
        if found {
            self.expect_word("NOT")?;
            self.expect_word("EXISTS")?;
        }
        Ok(found)
    }

    pub(super) fn if_exists(&mut self) -> Result<bool> {
        let found = self.accept_word("IF");
        if found {
            self.expect_word("EXISTS")?;
        }
        Ok(found)
    }

    fn create_type(&mut self) -> Result<SchemaStatement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.qualified_name("a type")?;
        self.expect_symbol("(")?;
        let mut fields = Vec::new();
        loop {
            let field = self.name("a field")?;
            fields.push((field, self.type_text()?));
            // A comma may stand before the parenthesis too.
            let more = self.accept_symbol(",");
            if !more || self.is_symbol_nth(0, ")") {
                self.expect_symbol(")")?;
                break;
            }
        }
        Ok(SchemaStatement::CreateType {
            name,
            if_not_exists,
            fields,
        })
    }

    fn create_table(&mut self) -> Result<SchemaStatement> {
        let mut table = CreateTable {
            if_not_exists: self.if_not_exists()?,
            name: self.qualified_name("a table")?,
            columns: Vec::new(),
            partition_key: Vec::new(),
            clustering: Vec::new(),
            properties: Properties::default(),
        };
        self.expect_symbol("(")?;
        loop {
            if self.accept_word("PRIMARY") {
                (table.partition_key, table.clustering) = self.primary_key()?;
            } else {
                let column = self.column_definition()?;
                if self.accept_word("PRIMARY") {
                    self.expect_word("KEY")?;
                    table.partition_key = vec![column.name.clone()];
                }
                table.columns.push(column);
            }
            let more = self.accept_symbol(",");
            if !more || self.is_symbol_nth(0, ")") {
                self.expect_symbol(")")?;
                break;
            }
        }
        table.properties = self.properties()?;
        Ok(SchemaStatement::CreateTable(table))
    }

    pub(super) fn column_definition(&mut self) -> Result<ColumnDefinition> {
        let name = self.name("a column")?;
        let ty = self.type_text()?;
        let is_static = self.accept_word("STATIC");
        if self.accept_word("MASKED") {
            self.mask()?;
        }
        Ok(ColumnDefinition {
            name,
            ty,
            is_static,
        })
    }

    /// What stands after `MASKED`.
    pub(super) fn mask(&mut self) -> Result<()> {
        self.expect_word("WITH")?;
        if self.is_word_nth(0, "default") && !self.is_symbol_nth(1, "(") {
            self.bump();
            return Ok(());
        }
        self.qualified_name("a function")?;
        self.expect_symbol("(")?;
        self.comma_separated_until(")", Self::term)?;
        Ok(())
    }

    /// What stands after `PRIMARY`: names of the partition key's and of the clustering columns.
    fn primary_key(&mut self) -> Result<(Vec<String>, Vec<String>)> {
        self.expect_word("KEY")?;
        self.expect_symbol("(")?;
        let column = |p: &mut Self| p.name("a column");
        let partition_key = match self.accept_symbol("(") {
            true => {
                let columns = self.comma_separated(column)?;
                self.expect_symbol(")")?;
                columns
            }
            false => vec![column(self)?],
        };
        let clustering = match self.accept_symbol(",") {
            true => self.comma_separated(column)?,
            false => Vec::new(),
        };
        self.expect_symbol(")")?;
        Ok((partition_key, clustering))
    }

    /// `WITH ...` of a table or view, if there is one.
    fn properties(&mut self) -> Result<Properties> {
        let mut properties = Properties::default();
        if !self.accept_word("WITH") {
            return Ok(properties);
        }
        loop {
            if self.is_word_nth(0, "compact") && self.is_word_nth(1, "storage") {
                self.bump();
                self.bump();
                properties.compact_storage = true;
            } else if self.is_word_nth(0, "clustering") && self.is_word_nth(1, "order") {
                self.bump();
                self.bump();
                self.expect_word("BY")?;
                self.expect_symbol("(")?;
                properties.clustering_order = self.comma_separated(|p| {
                    let column = p.name("a column")?;
                    let descending = !p.accept_word("ASC") && p.accept_word("DESC");
                    Ok((column, descending))
                })?;
                self.expect_symbol(")")?;
            } else {
                properties.options.push(self.option()?);
            }
            if !self.accept_word("AND") {
                return Ok(properties);
            }
        }
    }

    /// `name = value`.
    fn option(&mut self) -> Result<(String, String)> {
        let name = self.name("an option")?;
        self.expect_symbol("=")?;
        let start = self.peek();
        let is_keyword = start.kind == Kind::Word && self.is_name_nth(0);
        if is_keyword {
            self.bump();
            return Ok((name, self.text_of(start).to_owned()));
        }
        let value = self.term()?;
        match value {
            Expr::Literal(_) | Expr::Map(_) | Expr::Set(_) | Expr::Negate(_) => {}
            _ => {
                return Err(self.error_at(
                    start.start as usize,
                    ErrorKind::InvalidInput,
                    format!("`{value}` is no value of an option"),
                ));
            }
        }
        let text = self.text_between(start);
        Ok((name, text.to_owned()))
    }

    pub(super) fn options(&mut self) -> Result<Vec<(String, String)>> {
        let mut options = vec![self.option()?];
        while self.accept_word("AND") {
            options.push(self.option()?);
        }
        Ok(options)
    }

    fn create_view(&mut self) -> Result<SchemaStatement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.qualified_name("a view")?;
        self.expect_word("AS")?;
        self.expect_word("SELECT")?;
        let start = self.peek();
        let columns = match self.selection()? {
            Selection::All => None,
            Selection::Selectors(selectors) => {
                let name = |selector| match selector {
                    Selector {
                        expr: Expr::Column(name),
                        alias: None,
                    } => Some(name),
                    _ => None,
                };
                let columns: Option<Vec<String>> = selectors.into_iter().map(name).collect();
                if columns.is_none() {
                    return Err(self.error_at(
                        start.start as usize,
                        ErrorKind::InvalidInput,
                        "a view selects nothing but columns".into(),
                    ));
                }
                columns
            }
        };
        self.expect_word("FROM")?;
        let base = self.qualified_name("a table")?;
        if self.accept_word("WHERE") {
            self.relations()?;
        }
        self.expect_word("PRIMARY")?;
        let (partition_key, clustering) = self.primary_key()?;
        Ok(SchemaStatement::CreateView(CreateView {
            name,
            if_not_exists,
            base,
            columns,
            partition_key,
            clustering,
            properties: self.properties()?,
        }))
    }

    fn create_index(&mut self) -> Result<SchemaStatement> {
        self.if_not_exists()?;
        let name = match self.is_word_nth(0, "on") {
            true => None,
            false => Some(self.name("an index")?),
        };
        self.expect_word("ON")?;
        let table = self.qualified_name("a table")?;
        self.expect_symbol("(")?;
        let targets = self.comma_separated_until(")", Self::index_target)?;
        let using = match self.accept_word("USING") {
            true => match self.constant()? {
                Some(Literal::Text(class)) => Some(class),
                _ => {
                    self.could_be("a class name in single quotes");
                    return Err(self.unexpected());
                }
            },
            false => None,
        };
        let mut options = Vec::new();
        if self.accept_word("WITH") {
            loop {
                if self.is_word_nth(0, "options") && self.is_symbol_nth(1, "=") {
                    self.bump();
                    self.bump();
                    options = self.text_map()?;
                } else {
                    self.option()?;
                }
                if !self.accept_word("AND") {
                    break;
                }
            }
        }
        Ok(SchemaStatement::CreateIndex(CreateIndex {
            name,
            table,
            targets,
            using,
            options,
        }))
    }

    /// `{'name': 'value'}`, the values being constants of any kind.
    fn text_map(&mut self) -> Result<Vec<(String, String)>> {
        let text = |p: &mut Self| {
            let token = p.peek();
            match p.constant()? {
                Some(Literal::Text(text)) => Ok(text),
                Some(_) => Ok(p.text_of(token).to_owned()),
                None => {
                    p.could_be("a constant");
                    Err(p.unexpected())
                }
            }
        };
        self.expect_symbol("{")?;
        self.comma_separated_until("}", |p| {
            let name = text(p)?;
            p.expect_symbol(":")?;
            Ok((name, text(p)?))
        })
    }

    fn index_target(&mut self) -> Result<(Option<String>, String)> {
        if !self.is_symbol_nth(1, "(") {
            return Ok((None, self.name("a column")?));
        }
        for part in ["VALUES", "KEYS", "ENTRIES", "FULL"] {
            if self.accept_word(part) {
                self.bump();
                let column = self.name("a column")?;
                self.expect_symbol(")")?;
                return Ok((Some(part.to_lowercase()), column));
            }
        }
        Err(self.unexpected())
    }
}
