//! Terms and the expressions of a selection, which differ in whether columns may stand in them.
//!
//! Authority: rules `term`, `value` and `unaliasedSelector` of `Parser.g` of `o.a.c.cql3`,
//! `o.a.c.cql3.Constants.Literal`.

use super::ast::{Arithmetic, BindMarker, Expr, QualifiedName};
use super::keyword::is_reserved;
use super::lexer::Kind;
use super::parser::Parser;
use crate::error::{ErrorKind, Result};
use crate::types::Literal;

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a selection: columns, their elements and fields are values.
    Selection,
    /// Elsewhere: only constants, bind markers and calls are.
    Term,
}

impl Parser<'_> {
    /// A term.
    pub(in crate::cql) fn term(&mut self) -> Result<Expr> {
        self.expr(Place::Term)
    }

    /// An expression: sums of products of operands.
    pub(in crate::cql) fn expr(&mut self, place: Place) -> Result<Expr> {
        self.nested(|p| {
            let mut left = p.product(place)?;
            while let Some(operator) =
                p.operator(&[("+", Arithmetic::Add), ("-", Arithmetic::Subtract)])
            {
                p.deepen()?;
                left = Expr::Arithmetic {
                    operator,
                    left: Box::new(left),
                    right: Box::new(p.product(place)?),
                };
            }
            Ok(left)
        })
    }

    fn product(&mut self, place: Place) -> Result<Expr> {
        let mut left = self.operand(place)?;
        while let Some(operator) = self.operator(&[
            ("*", Arithmetic::Multiply),
            ("/", Arithmetic::Divide),
            ("%", Arithmetic::Remainder),
        ]) {
            self.deepen()?;
            left = Expr::Arithmetic {
                operator,
                left: Box::new(left),
                right: Box::new(self.operand(place)?),
            };
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[(&str, Arithmetic)]) -> Option<Arithmetic> {
        let &(_, operator) = operators
            .iter()
            .find(|(symbol, _)| self.is_symbol_nth(0, symbol))?;
        self.bump();
        Some(operator)
    }

    fn operand(&mut self, place: Place) -> Result<Expr> {
        if self.is_symbol_nth(0, "-") {
            self.bump();
            return Ok(Expr::Negate(Box::new(self.nested(|p| p.operand(place))?)));
        }
        let value = self.value(place)?;
        match place {
            Place::Selection => self.modifiers(value),
            Place::Term => Ok(value),
        }
    }

    /// What may follow a selected value: `.field`, `[key]`, `[from..to]`.
    fn modifiers(&mut self, mut value: Expr) -> Result<Expr> {
        loop {
            if self.is_symbol_nth(0, ".") {
                self.bump();
                self.deepen()?;
                value = Expr::Field {
                    of: Box::new(value),
                    field: self.name("a field")?,
                };
            } else if self.is_symbol_nth(0, "[") {
                self.bump();
                self.deepen()?;
                value = self.element(value)?;
                self.expect_symbol("]")?;
            } else {
                return Ok(value);
            }
        }
    }

    fn element(&mut self, of: Expr) -> Result<Expr> {
        let of = Box::new(of);
        if self.accept_symbol("..") {
            let to = Some(Box::new(self.term()?));
            return Ok(Expr::Slice { of, from: None, to });
        }
        let key = Box::new(self.term()?);
        if !self.accept_symbol("..") {
            return Ok(Expr::Element { of, key });
        }
        let to = match self.is_symbol_nth(0, "]") {
            true => None,
            false => Some(Box::new(self.term()?)),
        };
        Ok(Expr::Slice {
            of,
            from: Some(key),
            to,
        })
    }

    fn value(&mut self, place: Place) -> Result<Expr> {
        let token = self.peek();
        match token.kind {
            Kind::Word | Kind::QuotedName => self.word_value(place),
            Kind::Symbol => self.compound_value(place),
            _ => match self.constant()? {
                Some(literal) => Ok(Expr::Literal(literal)),
                None => Err(self.no_value(place)),
            },
        }
    }

    /// The constant at the cursor, words included; `None`, and the cursor stays, if there is none.
    pub(in crate::cql) fn constant(&mut self) -> Result<Option<Literal>> {
        let token = self.peek();
        let text = self.text_of(token);
        let literal = match token.kind {
            Kind::String => Literal::Text(text[1..text.len() - 1].replace("''", "'")),
            Kind::DollarString => Literal::Text(text[2..text.len() - 2].to_owned()),
            Kind::Integer => Literal::Integer(text.to_owned()),
            Kind::Float => Literal::Float(text.to_owned()),
            Kind::Duration => Literal::Duration(text.to_owned()),
            Kind::Blob => match hex(&text[2..]) {
                Some(bytes) => Literal::Blob(bytes),
                None => {
                    return Err(self.error_here(
                        ErrorKind::InvalidInput,
                        "a blob has an even number of hexadecimal digits",
                    ));
                }
            },
            Kind::Uuid => match parse_uuid(text) {
                Some(uuid) => Literal::Uuid(uuid),
                None => return Ok(None),
            },
            Kind::Word if text.eq_ignore_ascii_case("null") => Literal::Null,
            Kind::Word if text.eq_ignore_ascii_case("true") => Literal::Boolean(true),
            Kind::Word if text.eq_ignore_ascii_case("false") => Literal::Boolean(false),
            Kind::Word if text.eq_ignore_ascii_case("nan") => Literal::Nan,
            Kind::Word if text.eq_ignore_ascii_case("infinity") => {
                Literal::Infinity { negative: false }
            }
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some(literal))
    }

    /// A value that begins with a symbol.
    fn compound_value(&mut self, place: Place) -> Result<Expr> {
        if self.is_symbol_nth(0, "(") {
            if self.is_type_hint(place) {
                self.bump();
                let ty = self.type_text()?;
                self.expect_symbol(")")?;
                let expr = Box::new(self.nested(|p| p.value(place))?);
                return Ok(Expr::TypeHint { ty, expr });
            }
            self.bump();
            let elements = self.comma_separated(|p| p.expr(place))?;
            self.expect_symbol(")")?;
            return Ok(Expr::Tuple(elements));
        }
        if self.is_symbol_nth(0, "[") {
            self.bump();
            return Ok(Expr::List(
                self.comma_separated_until("]", |p| p.expr(place))?,
            ));
        }
        if self.is_symbol_nth(0, "{") {
            self.bump();
            return self.braces(place);
        }
        match self.bind_marker()? {
            Some(marker) => Ok(Expr::Bind(marker)),
            None => Err(self.no_value(place)),
        }
    }

    /// `?` or `:name`; `None`, and the cursor stays, if there is none.
    pub(in crate::cql) fn bind_marker(&mut self) -> Result<Option<BindMarker>> {
        if self.is_symbol_nth(0, "?") {
            self.bump();
            return Ok(Some(BindMarker(None)));
        }
        if self.is_symbol_nth(0, ":") {
            self.bump();
            return Ok(Some(BindMarker(Some(self.name("a bind marker")?))));
        }
        Ok(None)
    }

    /// Whether `(type)` with a value behind it stands at the cursor.
    fn is_type_hint(&mut self, place: Place) -> bool {
        let Some(close) = self.type_end(1, 0) else {
            return false;
        };
        let token = self.peek_nth(close + 1);
        let text = self.text_of(token);
        self.is_symbol_nth(close, ")")
            && match token.kind {
                // Behind a key of a map that is a tuple, `:` is none of a bind marker's.
                Kind::Symbol if text == ":" => {
                    self.is_name_nth(close + 2)
                        && !self.is_symbol_nth(close + 3, "(")
                        && !self.is_symbol_nth(close + 3, ".")
                }
                Kind::Symbol => matches!(text, "(" | "[" | "{" | "?"),
                Kind::Word => {
                    let values = ["null", "true", "false", "nan", "infinity", "token"];
                    let is_value = values.iter().any(|v| text.eq_ignore_ascii_case(v));
                    // Where there are no columns a name is a function's, or what follows a tuple: `GROUP`.
                    let is_call = place == Place::Selection
                        || self.is_symbol_nth(close + 2, "(")
                        || self.is_symbol_nth(close + 2, ".");
                    is_value || is_call && !is_reserved(text) && !text.eq_ignore_ascii_case("as")
                }
                Kind::Unterminated | Kind::Unknown | Kind::End => false,
                _ => true,
            }
    }

    /// A set, map or value of a user type, after its `{`.
    fn braces(&mut self, place: Place) -> Result<Expr> {
        if self.accept_symbol("}") {
            return Ok(Expr::Set(Vec::new()));
        }
        if self.is_name_nth(0) && self.is_symbol_nth(1, ":") {
            let fields = self.comma_separated(|p| {
                let name = p.name("a field")?;
                p.expect_symbol(":")?;
                Ok((name, p.expr(place)?))
            })?;
            self.expect_symbol("}")?;
            return Ok(Expr::Udt(fields));
        }
        let first = self.expr(place)?;
        if self.accept_symbol(":") {
            let mut entries = vec![(first, self.expr(place)?)];
            while self.accept_symbol(",") {
                let key = self.expr(place)?;
                self.expect_symbol(":")?;
                entries.push((key, self.expr(place)?));
            }
            self.expect_symbol("}")?;
            return Ok(Expr::Map(entries));
        }
        let mut elements = vec![first];
        while self.accept_symbol(",") {
            elements.push(self.expr(place)?);
        }
        self.expect_symbol("}")?;
        Ok(Expr::Set(elements))
    }

    /// A constant, call or column.
    fn word_value(&mut self, place: Place) -> Result<Expr> {
        if let Some(literal) = self.constant()? {
            return Ok(Expr::Literal(literal));
        }
        if self.is_symbol_nth(1, "(") {
            return self.call(place);
        }
        let is_qualified_call =
            self.is_symbol_nth(1, ".") && self.is_name_nth(2) && self.is_symbol_nth(3, "(");
        if is_qualified_call {
            let name = self.qualified_name("a function")?;
            self.bump();
            return self.arguments(name, place);
        }
        match place {
            Place::Selection => Ok(Expr::Column(self.name("a column")?)),
            Place::Term => Err(self.no_value(place)),
        }
    }

    /// A call, whose name and `(` stand at the cursor.
    fn call(&mut self, place: Place) -> Result<Expr> {
        if self.is_word_nth(0, "cast") {
            self.bump();
            self.bump();
            let expr = Box::new(self.expr(place)?);
            self.expect_word("AS")?;
            let ty = self.type_text()?;
            self.expect_symbol(")")?;
            return Ok(Expr::Cast { expr, ty });
        }
        if place == Place::Selection {
            if self.is_word_nth(0, "writetime") {
                return self.of_column(Expr::WriteTime);
            }
            if self.is_word_nth(0, "maxwritetime") {
                return self.of_column(Expr::MaxWriteTime);
            }
            if self.is_word_nth(0, "ttl") {
                return self.of_column(Expr::Ttl);
            }
        }
        // `token` is reserved, and a function all the same.
        let name = match self.is_word_nth(0, "token") {
            true => {
                self.bump();
                "token".to_owned()
            }
            false => self.name("a function")?,
        };
        self.bump();
        if name == "count" && self.is_symbol_nth(0, "*") && self.is_symbol_nth(1, ")") {
            self.bump();
            self.bump();
            return Ok(Expr::CountRows);
        }
        let name = QualifiedName {
            keyspace: None,
            name,
        };
        self.arguments(name, place)
    }

    /// `writetime(column)` and the like.
    fn of_column(&mut self, make: fn(Box<Expr>) -> Expr) -> Result<Expr> {
        self.bump();
        self.expect_symbol("(")?;
        let column = Expr::Column(self.name("a column")?);
        let column = self.nested(|p| p.modifiers(column))?;
        self.expect_symbol(")")?;
        Ok(make(Box::new(column)))
    }

    /// Arguments and `)` of a call, after its `(`.
    fn arguments(&mut self, name: QualifiedName, place: Place) -> Result<Expr> {
        let args = self.comma_separated_until(")", |p| p.expr(place))?;
        let is_native = name.keyspace.as_deref().is_none_or(|ks| ks == "system");
        if let ("count", true, [Expr::Literal(literal)]) = (&*name.name, is_native, &*args)
            && *literal != Literal::Null
        {
            return Ok(Expr::CountRows);
        }
        Ok(Expr::Call { name, args })
    }

    fn no_value(&mut self, place: Place) -> crate::error::Error {
        self.could_be(match place {
            Place::Selection => "a column or value",
            Place::Term => "a value",
        });
        let kind = self.peek().kind;
        let error = self.unexpected();
        match (place, kind) {
            (Place::Term, Kind::Word) => error.advise("text takes single quotes: 'text'"),
            (Place::Term, Kind::QuotedName) => {
                error.advise("text takes single quotes; double quotes are for names")
            }
            _ => error,
        }
    }
}

/// The bytes of an even number of hexadecimal digits.
fn hex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| Some((nibble(pair[0])? << 4 | nibble(pair[1])?) as u8))
        .collect()
}

/// The bytes of a UUID's text, with dashes or without.
pub(crate) fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    hex(&text.replace('-', ""))?.try_into().ok()
}
