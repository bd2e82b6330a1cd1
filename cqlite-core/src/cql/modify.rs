//! `INSERT`, `UPDATE`, `DELETE` and `BATCH`.
//!
//! Authority: rules `insertStatement`, `updateStatement`, `columnOperation`, `deleteStatement`, `batchStatement` of
//! `Parser.g` of `o.a.c.cql3`.

use super::ast::{
    Arithmetic, Assignment, Batch, BatchKind, Change, ColumnCondition, Condition, ConditionPart,
    ConditionTest, Delete, DeleteTarget, Expr, InValues, Insert, InsertSource, Modification,
    Update, Using,
};
use super::lexer::Kind;
use super::parser::Parser;
use super::term::Place;
use crate::error::{ErrorKind, Result};
use crate::types::Literal;

impl Parser<'_> {
    /// An `INSERT`, `UPDATE` or `DELETE`, if one stands at the cursor.
    pub(in crate::cql) fn modification(&mut self) -> Result<Option<Modification>> {
        if self.accept_word("INSERT") {
            return Ok(Some(Modification::Insert(self.insert()?)));
        }
        if self.accept_word("UPDATE") {
            return Ok(Some(Modification::Update(self.update()?)));
        }
        if self.accept_word("DELETE") {
            return Ok(Some(Modification::Delete(self.delete()?)));
        }
        Ok(None)
    }

    fn insert(&mut self) -> Result<Insert> {
        self.expect_word("INTO")?;
        let table = self.qualified_name("a table")?;
        let source = match self.accept_word("JSON") {
            true => {
                let text = match self.bind_marker()? {
                    Some(marker) => Expr::Bind(marker),
                    None => match self.constant()? {
                        Some(text @ Literal::Text(_)) => Expr::Literal(text),
                        _ => {
                            self.could_be("a string");
                            return Err(self.unexpected());
                        }
                    },
                };
                let mut default_unset = false;
                if self.accept_word("DEFAULT") {
                    default_unset = self.accept_word("UNSET");
                    if !default_unset {
                        self.expect_word("NULL")?;
                    }
                }
                InsertSource::Json {
                    text,
                    default_unset,
                }
            }
            false => {
                self.expect_symbol("(")?;
                let columns = self.comma_separated(|p| p.name("a column"))?;
                self.expect_symbol(")")?;
                self.expect_word("VALUES")?;
                let start = self.peek();
                self.expect_symbol("(")?;
                let values = self.comma_separated_until(")", Self::term)?;
                if values.len() != columns.len() {
                    return Err(self.error_at(
                        start.start as usize,
                        ErrorKind::InvalidInput,
                        format!("{} values for {} columns", values.len(), columns.len()),
                    ));
                }
                InsertSource::Values { columns, values }
            }
        };
        let mut condition = Condition::None;
        if self.accept_word("IF") {
            self.expect_word("NOT")?;
            self.expect_word("EXISTS")?;
            condition = Condition::NotExists;
        }
        let using = self.using(true)?;
        Ok(Insert {
            table,
            source,
            condition,
            using,
        })
    }

    fn update(&mut self) -> Result<Update> {
        let table = self.qualified_name("a table")?;
        let using = self.using(true)?;
        self.expect_word("SET")?;
        let mut assignments: Vec<Assignment> = Vec::new();
        loop {
            let start = self.peek();
            let assignment = self.assignment()?;
            if assignments
                .iter()
                .any(|before| excludes(before, &assignment))
            {
                return Err(self.error_at(
                    start.start as usize,
                    ErrorKind::InvalidInput,
                    format!("the column `{}` is set twice", assignment.column),
                ));
            }
            assignments.push(assignment);
            if !self.accept_symbol(",") {
                break;
            }
        }
        self.expect_word("WHERE")?;
        let relations = self.relations()?;
        let condition = self.condition()?;
        Ok(Update {
            table,
            using,
            assignments,
            relations,
            condition,
        })
    }

    fn assignment(&mut self) -> Result<Assignment> {
        let column = self.name("a column")?;
        let change = if self.accept_symbol("[") {
            let key = self.term()?;
            self.expect_symbol("]")?;
            self.expect_symbol("=")?;
            Change::SetElement {
                key,
                value: self.term()?,
            }
        } else if self.accept_symbol(".") {
            let field = self.name("a field")?;
            self.expect_symbol("=")?;
            Change::SetField {
                field,
                value: self.term()?,
            }
        } else if self.accept_symbol("+=") {
            Change::Add(self.term()?)
        } else if self.accept_symbol("-=") {
            Change::Subtract(self.term()?)
        } else {
            self.expect_symbol("=")?;
            self.assigned(&column)?
        };
        Ok(Assignment { column, change })
    }

    /// What is assigned to a column: a value, or the column itself and something.
    fn assigned(&mut self, column: &str) -> Result<Change> {
        let start = self.peek();
        let expr = self.expr(Place::Selection)?;
        let other = |p: &Self, name: &str| {
            p.error_at(
                start.start as usize,
                ErrorKind::InvalidInput,
                format!("only `{column}` itself can be added to, not `{name}`"),
            )
        };
        match expr {
            Expr::Arithmetic {
                operator: operator @ (Arithmetic::Add | Arithmetic::Subtract),
                left,
                right,
            } => match (*left, *right) {
                (Expr::Column(name), _) | (_, Expr::Column(name)) if name != column => {
                    Err(other(self, &name))
                }
                (Expr::Column(_), value) => Ok(match operator {
                    Arithmetic::Add => Change::Add(value),
                    _ => Change::Subtract(value),
                }),
                (value, Expr::Column(_)) if operator == Arithmetic::Add => {
                    Ok(Change::Prepend(value))
                }
                (left, right) => Ok(Change::Set(Expr::Arithmetic {
                    operator,
                    left: Box::new(left),
                    right: Box::new(right),
                })),
            },
            // `c = c -1`: the sign belongs to the number.
            Expr::Column(name) => {
                let token = self.peek();
                let text = self.text_of(token);
                let is_number = matches!(token.kind, Kind::Integer) && text.starts_with('-');
                match is_number {
                    true if name != column => Err(other(self, &name)),
                    true => Ok(Change::Add(self.term()?)),
                    false => Err(self
                        .error_at(
                            start.start as usize,
                            ErrorKind::InvalidInput,
                            format!("`{name}` is not a value"),
                        )
                        .advise("text takes single quotes: 'text'")),
                }
            }
            value => Ok(Change::Set(value)),
        }
    }

    fn delete(&mut self) -> Result<Delete> {
        let targets = match self.is_word_nth(0, "from") {
            true => Vec::new(),
            false => self.comma_separated(|p| {
                let column = p.name("a column")?;
                if p.accept_symbol("[") {
                    let key = p.term()?;
                    p.expect_symbol("]")?;
                    return Ok(DeleteTarget::Element { column, key });
                }
                if p.accept_symbol(".") {
                    let field = p.name("a field")?;
                    return Ok(DeleteTarget::Field { column, field });
                }
                Ok(DeleteTarget::Column(column))
            })?,
        };
        self.expect_word("FROM")?;
        let table = self.qualified_name("a table")?;
        let using = self.using(false)?;
        self.expect_word("WHERE")?;
        let relations = self.relations()?;
        let condition = self.condition()?;
        Ok(Delete {
            table,
            using,
            targets,
            relations,
            condition,
        })
    }

    /// `USING TIMESTAMP t AND TTL s`, if it stands at the cursor.
    fn using(&mut self, with_ttl: bool) -> Result<Using> {
        let mut using = Using::default();
        if !self.accept_word("USING") {
            return Ok(using);
        }
        loop {
            let start = self.peek();
            let slot = if self.accept_word("TIMESTAMP") {
                &mut using.timestamp
            } else if with_ttl && self.accept_word("TTL") {
                &mut using.ttl
            } else {
                return Err(self.unexpected());
            };
            if slot.is_some() {
                return Err(self.error_at(
                    start.start as usize,
                    ErrorKind::InvalidInput,
                    "it was given before".to_owned(),
                ));
            }
            *slot = Some(self.term()?);
            using.ttl_first |= using.timestamp.is_none();
            if !self.accept_word("AND") {
                return Ok(using);
            }
        }
    }

    /// `IF` and what follows it, if it stands at the cursor.
    fn condition(&mut self) -> Result<Condition> {
        if !self.accept_word("IF") {
            return Ok(Condition::None);
        }
        // `exists` is a name like others.
        let is_column = ["=", "!=", "<", "<=", ">", ">=", "[", "."]
            .iter()
            .any(|symbol| self.is_symbol_nth(1, symbol))
            || self.is_word_nth(1, "in")
            || self.is_word_nth(1, "contains");
        if !is_column && self.accept_word("EXISTS") {
            return Ok(Condition::Exists);
        }
        let mut all = vec![self.column_condition()?];
        while self.accept_word("AND") {
            all.push(self.column_condition()?);
        }
        Ok(Condition::Columns(all))
    }

    fn column_condition(&mut self) -> Result<ColumnCondition> {
        let column = self.name("a column")?;
        let part = if self.accept_symbol("[") {
            let key = self.term()?;
            self.expect_symbol("]")?;
            ConditionPart::Element(key)
        } else if self.accept_symbol(".") {
            ConditionPart::Field(self.name("a field")?)
        } else {
            ConditionPart::Whole
        };
        let test = if self.accept_word("IN") {
            ConditionTest::In(match self.bind_marker()? {
                Some(marker) => InValues::Bind(marker),
                None => {
                    self.expect_symbol("(")?;
                    InValues::List(self.comma_separated_until(")", Self::term)?)
                }
            })
        } else if part == ConditionPart::Whole && self.accept_word("CONTAINS") {
            ConditionTest::Contains {
                key: self.accept_word("KEY"),
                value: self.term()?,
            }
        } else {
            ConditionTest::Compare(self.operator_symbol()?, self.term()?)
        };
        Ok(ColumnCondition { column, part, test })
    }

    /// A `BATCH`, after `BEGIN`.
    pub(in crate::cql) fn batch(&mut self) -> Result<Batch> {
        let kind = match (self.accept_word("UNLOGGED"), self.accept_word("COUNTER")) {
            (true, _) => BatchKind::Unlogged,
            (_, true) => BatchKind::Counter,
            _ => BatchKind::Logged,
        };
        self.expect_word("BATCH")?;
        let using = self.using(false)?;
        let mut statements = Vec::new();
        while let Some(statement) = self.modification()? {
            statements.push(statement);
            self.accept_symbol(";");
        }
        self.expect_word("APPLY")?;
        self.expect_word("BATCH")?;
        Ok(Batch {
            kind,
            using,
            statements,
        })
    }
}

/// Whether a statement cannot do both: a column that is set as a whole is not changed otherwise, nor a field set twice.
///
/// Authority: `o.a.c.cql3.Operation.RawUpdate.isCompatibleWith`.
fn excludes(a: &Assignment, b: &Assignment) -> bool {
    a.column == b.column
        && match (&a.change, &b.change) {
            (Change::Set(_), _) | (_, Change::Set(_)) => true,
            (Change::SetField { field, .. }, Change::SetField { field: other, .. }) => {
                field == other
            }
            _ => false,
        }
}
