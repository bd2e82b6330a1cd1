//! `SELECT`.
//!
//! Authority: rules `selectStatement` and `relation` of `Parser.g` of `o.a.c.cql3`.

use super::ast::{
    Expr, InValues, Limit, Operator, Ordering, Relation, Select, Selection, Selector,
};
use super::lexer::Kind;
use super::parser::Parser;
use super::term::Place;
use crate::error::{Error, ErrorKind, Result};

impl Parser<'_> {
    /// A `SELECT`, after that word.
    pub(in crate::cql) fn select(&mut self) -> Result<Select> {
        let json = self.modifier("json");
        let distinct = self.modifier("distinct");
        let selection = self.selection()?;
        self.expect_word("FROM")?;
        let from = self.qualified_name("a table")?;
        let relations = match self.accept_word("WHERE") {
            true => self.relations()?,
            false => Vec::new(),
        };
        let group_by = match self.accept_word("GROUP") {
            true => {
                self.expect_word("BY")?;
                self.comma_separated(|p| p.expr(Place::Selection))?
            }
            false => Vec::new(),
        };
        let order_by = match self.accept_word("ORDER") {
            true => {
                self.expect_word("BY")?;
                self.comma_separated(Self::ordering)?
            }
            false => Vec::new(),
        };
        let per_partition_limit = match self.accept_word("PER") {
            true => {
                self.expect_word("PARTITION")?;
                self.expect_word("LIMIT")?;
                Some(self.limit()?)
            }
            false => None,
        };
        let limit = match self.accept_word("LIMIT") {
            true => Some(self.limit()?),
            false => None,
        };
        let allow_filtering = self.accept_word("ALLOW");
        if allow_filtering {
            self.expect_word("FILTERING")?;
        }
        Ok(Select {
            json,
            distinct,
            selection,
            from,
            relations,
            group_by,
            order_by,
            per_partition_limit,
            limit,
            allow_filtering,
        })
    }

    /// Goes past `word` if it is the modifier of the selection and not a column or function of that name.
    fn modifier(&mut self, word: &str) -> bool {
        if !self.is_word_nth(0, word) {
            return false;
        }
        let next = self.peek_nth(1);
        let begins_selection = match next.kind {
            Kind::Symbol if self.is_symbol_nth(1, "[") => !self.is_slice_nth(1),
            Kind::Symbol => matches!(self.text_of(next), "*" | "(" | "{" | "-" | "?" | ":"),
            // `json AS alias` selects a column, `JSON as` modifies the column `as`.
            Kind::Word if self.is_word_nth(1, "as") => !self.is_name_nth(2),
            Kind::Word => !self.is_word_nth(1, "from"),
            Kind::End => false,
            _ => true,
        };
        if begins_selection {
            self.bump();
        }
        begins_selection
    }

    /// Whether the `[` that is the token `n` after the current one begins a slice, and no list.
    fn is_slice_nth(&mut self, n: usize) -> bool {
        let mut depth = 0u32;
        for n in n.. {
            let token = self.peek_nth(n);
            match (token.kind, self.text_of(token)) {
                (Kind::End | Kind::Unterminated, _) => return false,
                (Kind::Symbol, "[" | "(" | "{") => depth += 1,
                (Kind::Symbol, "]" | ")" | "}") if depth == 1 => return false,
                (Kind::Symbol, "]" | ")" | "}") => depth -= 1,
                (Kind::Symbol, "..") if depth == 1 => return true,
                _ => {}
            }
        }
        false
    }

    /// What stands between `SELECT` and `FROM`.
    pub(in crate::cql) fn selection(&mut self) -> Result<Selection> {
        if self.accept_symbol("*") {
            return Ok(Selection::All);
        }
        let selectors = self.comma_separated(|p| {
            let expr = p.expr(Place::Selection)?;
            let alias = match p.accept_word("AS") {
                true => Some(p.name("an alias")?),
                false => None,
            };
            Ok(Selector { expr, alias })
        })?;
        Ok(Selection::Selectors(selectors))
    }

    fn ordering(&mut self) -> Result<Ordering> {
        let column = self.name("a column")?;
        let ann_of = match self.accept_word("ANN") {
            true => {
                self.expect_word("OF")?;
                Some(self.term()?)
            }
            false => None,
        };
        let descending = !self.accept_word("ASC") && self.accept_word("DESC");
        Ok(Ordering {
            column,
            ann_of,
            descending,
        })
    }

    fn limit(&mut self) -> Result<Limit> {
        if let Some(marker) = self.bind_marker()? {
            return Ok(Limit::Bind(marker));
        }
        let token = self.peek();
        if token.kind != Kind::Integer {
            self.could_be("a number of rows");
            return Err(self.unexpected());
        }
        // The server's limit is an int.
        let rows = self.text_of(token).parse().ok().filter(|&n: &i32| n > 0);
        let Some(rows) = rows else {
            return Err(self.error_here(
                ErrorKind::InvalidInput,
                format!("a limit is a number from 1 to {}", i32::MAX),
            ));
        };
        self.bump();
        Ok(Limit::Rows(rows.unsigned_abs()))
    }

    /// What stands after `WHERE`.
    pub(in crate::cql) fn relations(&mut self) -> Result<Vec<Relation>> {
        let mut relations = vec![self.relation()?];
        while self.accept_word("AND") {
            relations.push(self.relation()?);
        }
        if self.is_word_nth(0, "or") {
            return Err(self.no_such_relation("OR", "run one statement for each side, or use IN"));
        }
        Ok(relations)
    }

    fn no_such_relation(&mut self, word: &str, advice: &str) -> Error {
        let message = format!("{word} is not a relation of Cassandra 5.0");
        self.error_here(ErrorKind::Unsupported, message)
            .advise(advice)
    }

    fn relation(&mut self) -> Result<Relation> {
        if self.is_symbol_nth(0, "(") {
            return self.relation_in_parentheses();
        }
        if self.is_symbol_nth(1, "(") {
            if self.accept_word("TOKEN") {
                self.bump();
                let columns = self.column_names()?;
                let operator = self.operator_symbol()?;
                return Ok(Relation::Token {
                    columns,
                    operator,
                    value: self.term()?,
                });
            }
            if self.is_word_nth(0, "expr") {
                self.bump();
                self.bump();
                let index = self.qualified_name("an index")?;
                self.expect_symbol(",")?;
                let value = self.term()?;
                self.expect_symbol(")")?;
                return Ok(Relation::Index { index, value });
            }
        }
        let column = self.name("a column")?;
        if self.accept_word("IN") {
            let values = self.in_values()?;
            return Ok(Relation::In { column, values });
        }
        if self.accept_word("CONTAINS") {
            let key = self.is_word_nth(0, "key");
            if key {
                self.bump();
            }
            return Ok(Relation::Contains {
                column,
                key,
                value: self.term()?,
            });
        }
        if self.accept_word("LIKE") {
            let value = self.term()?;
            return Ok(Relation::Like { column, value });
        }
        if self.accept_word("IS") {
            self.expect_word("NOT")?;
            self.expect_word("NULL")?;
            return Ok(Relation::IsNotNull { column });
        }
        if self.is_word_nth(0, "between") {
            return Err(self.no_such_relation("BETWEEN", "write c >= a AND c <= b"));
        }
        if self.is_word_nth(0, "not") {
            return Err(self.no_such_relation("NOT", "leave out the rows afterwards"));
        }
        if self.accept_symbol("[") {
            let key = self.term()?;
            self.expect_symbol("]")?;
            let operator = self.operator_symbol()?;
            return Ok(Relation::Element {
                column,
                key,
                operator,
                value: self.term()?,
            });
        }
        let operator = self.operator_symbol()?;
        Ok(Relation::Column {
            column,
            operator,
            value: self.term()?,
        })
    }

    /// `(c1, c2) ...`, or a relation with parentheses around it.
    fn relation_in_parentheses(&mut self) -> Result<Relation> {
        self.bump();
        let is_tuple =
            self.is_name_nth(0) && (self.is_symbol_nth(1, ",") || self.is_symbol_nth(1, ")"));
        if !is_tuple {
            let relation = self.nested(Self::relation)?;
            self.expect_symbol(")")?;
            return Ok(relation);
        }
        let columns = self.column_names()?;
        if self.accept_word("IN") {
            return Ok(Relation::TupleIn {
                columns,
                values: self.in_tuples()?,
            });
        }
        let operator = self.operator_symbol()?;
        let value = self.tuple()?;
        Ok(Relation::Tuple {
            columns,
            operator,
            value,
        })
    }

    /// Columns and `)`, after the `(`.
    fn column_names(&mut self) -> Result<Vec<String>> {
        let columns = self.comma_separated(|p| p.name("a column"))?;
        self.expect_symbol(")")?;
        Ok(columns)
    }

    fn in_values(&mut self) -> Result<InValues> {
        if let Some(marker) = self.bind_marker()? {
            return Ok(InValues::Bind(marker));
        }
        self.expect_symbol("(")?;
        let values = self.comma_separated_until(")", Self::term)?;
        Ok(InValues::List(values))
    }

    fn in_tuples(&mut self) -> Result<InValues> {
        if let Some(marker) = self.bind_marker()? {
            return Ok(InValues::Bind(marker));
        }
        self.expect_symbol("(")?;
        let values = self.comma_separated_until(")", Self::tuple)?;
        Ok(InValues::List(values))
    }

    /// `(a, b)` or a bind marker.
    fn tuple(&mut self) -> Result<Expr> {
        if let Some(marker) = self.bind_marker()? {
            return Ok(Expr::Bind(marker));
        }
        self.expect_symbol("(")?;
        let elements = self.comma_separated(Self::term)?;
        self.expect_symbol(")")?;
        Ok(Expr::Tuple(elements))
    }

    pub(in crate::cql) fn operator_symbol(&mut self) -> Result<Operator> {
        const OPERATORS: [(&str, Operator); 6] = [
            ("=", Operator::Eq),
            ("!=", Operator::NotEq),
            ("<", Operator::Lt),
            ("<=", Operator::Lte),
            (">", Operator::Gt),
            (">=", Operator::Gte),
        ];
        for (symbol, operator) in OPERATORS {
            if self.is_symbol_nth(0, symbol) {
                self.bump();
                return Ok(operator);
            }
        }
        self.could_be("an operator");
        Err(self.unexpected())
    }
}
