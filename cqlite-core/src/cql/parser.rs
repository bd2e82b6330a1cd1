//! The cursor over tokens that every rule of the grammar uses, and its errors: line, column, what was found there and
//! what could have stood there.
//!
//! Authority: `o.a.c.cql3.CQLFragmentParser`, `Parser.g` of `o.a.c.cql3`.

use super::ast::{QualifiedName, Select, Statement, TypeText};
use super::ddl::SchemaStatement;
use super::keyword::is_reserved;
use super::lexer::{Kind, Lexer, Token};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{CQL_DEPTH_MAX, CQL_TEXT_BYTES_MAX};
use crate::types::Literal;

/// Parses one statement; a `;` may follow it.
///
/// Errors: `InvalidInput` that begins with `line:column`, `Unsupported` for statements that are CQL but not known here.
pub fn parse_statement(text: &str) -> Result<Statement> {
    let mut parser = Parser::new(text)?;
    let statement = parser.statement()?;
    parser.end_of_text()?;
    Ok(statement)
}

/// A statement of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyStatement {
    /// One that reads or changes rows, or `USE`.
    Rows(Statement),
    /// One that defines a schema, or `TRUNCATE`.
    Schema(SchemaStatement),
}

/// Parses one statement of any kind. Errors are those of [`parse_statement`].
pub fn parse_any_statement(text: &str) -> Result<AnyStatement> {
    const DEFINING: [&str; 4] = ["CREATE", "ALTER", "DROP", "TRUNCATE"];
    let mut parser = Parser::new(text)?;
    if DEFINING.iter().any(|word| parser.is_word_nth(0, word))
        && let Some((_, statement)) = parser.schema_statement()?
        && statement != SchemaStatement::Other
    {
        parser.end_of_text()?;
        return Ok(AnyStatement::Schema(statement));
    }
    let mut parser = Parser::new(text)?;
    DEFINING.into_iter().for_each(|word| parser.could_be(word));
    // What is neither is told best here.
    let statement = parser.statement()?;
    parser.end_of_text()?;
    Ok(AnyStatement::Rows(statement))
}

/// Parses one `SELECT`. Errors are those of [`parse_statement`]; any other statement is `InvalidInput`.
pub fn parse_select(text: &str) -> Result<Select> {
    let mut parser = Parser::new(text)?;
    parser.expect_word("SELECT")?;
    let select = parser.select()?;
    parser.end_of_text()?;
    Ok(select)
}

/// Parses one constant term: a number, a string, a collection... Errors are those of [`parse_statement`].
pub fn parse_literal(text: &str) -> Result<Literal> {
    let mut parser = Parser::new(text)?;
    let term = parser.term()?;
    parser.end_of_text()?;
    term.to_literal()
}

/// `line:column` of the byte `offset` of `text`, both from 1; the column counts characters.
pub(crate) fn line_and_column(text: &str, offset: usize) -> String {
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before[before.rfind('\n').map_or(0, |n| n + 1)..]
        .chars()
        .count()
        + 1;
    format!("{line}:{column}")
}

/// A cursor over the tokens of a text. Tokens are made when they are looked at and kept until the statement ends.
pub(crate) struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// What could stand at the current token, as far as it was asked for.
    expected: Vec<&'static str>,
}

impl<'a> Parser<'a> {
    /// Of `text`, which must not be longer than [`CQL_TEXT_BYTES_MAX`].
    pub(crate) fn new(text: &'a str) -> Result<Self> {
        Self::starting_at(text, 0)
    }

    /// Of `text[start..]`; errors count lines and columns from the start of `text`.
    pub(crate) fn starting_at(text: &'a str, start: usize) -> Result<Self> {
        if text.len() > CQL_TEXT_BYTES_MAX {
            return Err(Error::invalid(format!(
                "{} bytes are no CQL text: the longest one is {CQL_TEXT_BYTES_MAX} bytes",
                text.len()
            )));
        }
        Ok(Parser {
            text,
            lexer: Lexer::new(text, start),
            tokens: Vec::new(),
            at: 0,
            depth: 0,
            expected: Vec::new(),
        })
    }

    // Tokens

    /// The token `n` after the current one.
    pub(in crate::cql) fn peek_nth(&mut self, n: usize) -> Token {
        while self.tokens.len() <= self.at + n {
            let token = self.lexer.next();
            self.tokens.push(token);
        }
        self.tokens[self.at + n]
    }

    pub(in crate::cql) fn peek(&mut self) -> Token {
        self.peek_nth(0)
    }

    pub(in crate::cql) fn text_of(&self, token: Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    /// The text from `start` to the end of the token before the current one.
    pub(in crate::cql) fn text_between(&self, start: Token) -> &'a str {
        let last = self.at.checked_sub(1).map_or(start, |n| self.tokens[n]);
        &self.text[start.start as usize..last.end as usize]
    }

    /// Gives up the tokens before the current one.
    pub(in crate::cql) fn forget(&mut self) {
        self.tokens.drain(..self.at);
        self.at = 0;
    }

    /// The comments `/* */` passed since the last call: where their insides begin and end.
    pub(crate) fn take_comments(&mut self) -> Vec<(usize, usize)> {
        std::mem::take(&mut self.lexer.comments)
    }

    /// Goes past the current token and returns it.
    pub(in crate::cql) fn bump(&mut self) -> Token {
        let token = self.peek();
        if token.kind != Kind::End {
            self.at += 1;
        }
        self.expected.clear();
        token
    }

    /// Whether a line ends between the token that was passed last and the current one.
    pub(in crate::cql) fn is_at_new_line(&mut self) -> bool {
        let next = self.peek();
        let passed = self.at.checked_sub(1).map(|n| self.tokens[n]);
        passed
            .is_some_and(|token| self.text[token.end as usize..next.start as usize].contains('\n'))
    }

    pub(in crate::cql) fn is_symbol_nth(&mut self, n: usize, symbol: &str) -> bool {
        let token = self.peek_nth(n);
        token.kind == Kind::Symbol && self.text_of(token) == symbol
    }

    pub(in crate::cql) fn is_word_nth(&mut self, n: usize, word: &str) -> bool {
        let token = self.peek_nth(n);
        token.kind == Kind::Word && self.text_of(token).eq_ignore_ascii_case(word)
    }

    /// Remembers for an error message that `what` could stand here.
    pub(in crate::cql) fn could_be(&mut self, what: &'static str) {
        if !self.expected.contains(&what) {
            self.expected.push(what);
        }
    }

    /// Goes past the current token if it is `symbol`.
    pub(in crate::cql) fn accept_symbol(&mut self, symbol: &'static str) -> bool {
        let found = self.is_symbol_nth(0, symbol);
        if found {
            self.bump();
        } else {
            self.could_be(symbol);
        }
        found
    }

    /// Goes past the current token if it is `word` in any case; `word` is written in capitals.
    pub(in crate::cql) fn accept_word(&mut self, word: &'static str) -> bool {
        let found = self.is_word_nth(0, word);
        if found {
            self.bump();
        } else {
            self.could_be(word);
        }
        found
    }

    pub(in crate::cql) fn expect_symbol(&mut self, symbol: &'static str) -> Result<()> {
        match self.accept_symbol(symbol) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    pub(in crate::cql) fn expect_word(&mut self, word: &'static str) -> Result<()> {
        match self.accept_word(word) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    /// One or more of what `item` reads, with commas between them.
    pub(in crate::cql) fn comma_separated<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// None or more of what `item` reads, with commas between them, and `close`.
    pub(in crate::cql) fn comma_separated_until<T>(
        &mut self,
        close: &'static str,
        item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        if self.accept_symbol(close) {
            return Ok(Vec::new());
        }
        let items = self.comma_separated(item)?;
        self.expect_symbol(close)?;
        Ok(items)
    }

    // Depth

    /// Counts one level of the tree. [`Parser::nested`] around it counts down again.
    pub(in crate::cql) fn deepen(&mut self) -> Result<()> {
        if self.depth == CQL_DEPTH_MAX {
            return Err(self.error_here(
                ErrorKind::InvalidInput,
                format!("nested deeper than {CQL_DEPTH_MAX} levels"),
            ));
        }
        self.depth += 1;
        Ok(())
    }

    /// Runs `rule` one level deeper.
    pub(in crate::cql) fn nested<T>(
        &mut self,
        rule: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let depth = self.depth;
        self.deepen()?;
        let result = rule(self)?;
        self.depth = depth;
        Ok(result)
    }

    // Errors

    /// `line:column: message` for the byte `offset`; the column counts characters from 1.
    pub(crate) fn error_at(&self, offset: usize, kind: ErrorKind, message: String) -> Error {
        Error::new(
            kind,
            format!("{}: {message}", line_and_column(self.text, offset)),
        )
    }

    /// An error at the current token.
    pub(in crate::cql) fn error_here(
        &mut self,
        kind: ErrorKind,
        message: impl Into<String>,
    ) -> Error {
        let offset = self.peek().start as usize;
        self.error_at(offset, kind, message.into())
    }

    /// The current token cannot stand here.
    pub(in crate::cql) fn unexpected(&mut self) -> Error {
        let token = self.peek();
        let text = self.text_of(token);
        let found = match token.kind {
            Kind::End => "the end of the text".to_owned(),
            Kind::Unterminated => match text.as_bytes().first() {
                Some(b'/') => "a comment without its `*/`".to_owned(),
                Some(b'$') => "a string without its closing `$$`".to_owned(),
                Some(b'"') => "a name without its closing quote".to_owned(),
                _ => "a string without its closing quote".to_owned(),
            },
            _ => {
                let short: String = text.chars().take(40).collect();
                let dots = if short.len() < text.len() { "..." } else { "" };
                format!("`{short}{dots}`")
            }
        };
        let quote = |what: &&str| match what.starts_with(|c: char| c.is_ascii_lowercase()) {
            true => (*what).to_owned(),
            false => format!("`{what}`"),
        };
        let mut expected: Vec<String> = self.expected.iter().map(quote).collect();
        let expected = match (expected.pop(), expected.is_empty()) {
            (None, _) => String::new(),
            (Some(last), true) => format!(", expected {last}"),
            (Some(last), false) => format!(", expected {} or {last}", expected.join(", ")),
        };
        self.error_here(ErrorKind::InvalidInput, format!("found {found}{expected}"))
    }

    // Names and types

    /// Whether the token `n` after the current one can be an identifier.
    pub(in crate::cql) fn is_name_nth(&mut self, n: usize) -> bool {
        let token = self.peek_nth(n);
        match token.kind {
            Kind::QuotedName => true,
            Kind::Word => !is_reserved(self.text_of(token)),
            _ => false,
        }
    }

    /// An identifier without its quotes, or in lower case if it had none. `what` says whose name it is, for errors.
    pub(in crate::cql) fn name(&mut self, what: &'static str) -> Result<String> {
        if self.is_name_nth(0) {
            let token = self.bump();
            return Ok(self.name_of(token));
        }
        self.could_be(what);
        let token = self.peek();
        let error = self.unexpected();
        Err(match token.kind {
            Kind::Word => error.advise(format!(
                "{} is a reserved word: as a name it needs double quotes",
                self.text_of(token).to_uppercase()
            )),
            Kind::String => error.advise("names take double quotes"),
            _ => error,
        })
    }

    fn name_of(&self, token: Token) -> String {
        let text = self.text_of(token);
        match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            Some(inside) => inside.replace("\"\"", "\""),
            None => text.to_ascii_lowercase(),
        }
    }

    /// `[keyspace.]name`.
    pub(in crate::cql) fn qualified_name(&mut self, what: &'static str) -> Result<QualifiedName> {
        let name = self.name(what)?;
        if !self.accept_symbol(".") {
            return Ok(QualifiedName {
                keyspace: None,
                name,
            });
        }
        Ok(QualifiedName {
            keyspace: Some(name),
            name: self.name(what)?,
        })
    }

    /// A type: `name`, `keyspace.name`, `name<type, ...>` or a class name in single quotes.
    pub(in crate::cql) fn type_text(&mut self) -> Result<TypeText> {
        let mut text = String::new();
        self.type_into(&mut text)?;
        Ok(TypeText(text))
    }

    fn type_into(&mut self, text: &mut String) -> Result<()> {
        if self.peek().kind == Kind::String {
            let token = self.bump();
            text.push_str(self.text_of(token));
            return Ok(());
        }
        // `set` is reserved, and a type all the same.
        let is_set = self.is_word_nth(0, "set");
        if !is_set && !self.is_name_nth(0) {
            self.could_be("a type");
            return Err(self.unexpected());
        }
        let token = self.bump();
        text.push_str(self.text_of(token));
        if self.is_symbol_nth(0, ".") && self.is_name_nth(1) {
            self.bump();
            text.push('.');
            let token = self.bump();
            text.push_str(self.text_of(token));
        }
        if !self.is_symbol_nth(0, "<") {
            return Ok(());
        }
        self.bump();
        text.push('<');
        self.nested(|p| {
            loop {
                // The dimension of a vector.
                if p.peek().kind == Kind::Integer {
                    let token = p.bump();
                    text.push_str(p.text_of(token));
                } else {
                    p.type_into(text)?;
                }
                if !p.accept_symbol(",") {
                    return p.expect_symbol(">");
                }
                text.push_str(", ");
            }
        })?;
        text.push('>');
        Ok(())
    }

    /// The number of the token behind the type that begins at the token `n` after the current one, if one does.
    pub(in crate::cql) fn type_end(&mut self, n: usize, depth: usize) -> Option<usize> {
        if self.peek_nth(n).kind == Kind::String {
            return Some(n + 1);
        }
        if depth == CQL_DEPTH_MAX || !self.is_name_nth(n) && !self.is_word_nth(n, "set") {
            return None;
        }
        let mut end = n + 1;
        if self.is_symbol_nth(end, ".") && self.is_name_nth(end + 1) {
            end += 2;
        }
        if !self.is_symbol_nth(end, "<") {
            return Some(end);
        }
        loop {
            end = match self.peek_nth(end + 1).kind {
                Kind::Integer => end + 2,
                _ => self.type_end(end + 1, depth + 1)?,
            };
            if !self.is_symbol_nth(end, ",") {
                return self.is_symbol_nth(end, ">").then_some(end + 1);
            }
        }
    }

    // Statements

    fn statement(&mut self) -> Result<Statement> {
        if self.accept_word("SELECT") {
            return Ok(Statement::Select(self.select()?));
        }
        if self.accept_word("USE") {
            return Ok(Statement::Use(self.name("a keyspace")?));
        }
        if let Some(modification) = self.modification()? {
            return Ok(Statement::Modification(modification));
        }
        if self.accept_word("BEGIN") {
            return Ok(Statement::Batch(self.batch()?));
        }
        const OTHERS: [&str; 12] = [
            "add", "alter", "apply", "create", "desc", "describe", "drop", "grant", "list",
            "revoke", "truncate", "use",
        ];
        if let Some(other) = OTHERS.into_iter().find(|word| self.is_word_nth(0, word)) {
            return Err(self.error_here(
                ErrorKind::Unsupported,
                format!("{} statements are not executed", other.to_uppercase()),
            ));
        }
        Err(self.unexpected())
    }

    /// Nothing but one `;` may follow.
    fn end_of_text(&mut self) -> Result<()> {
        self.accept_symbol(";");
        if self.peek().kind != Kind::End {
            self.could_be("the end of the text");
            return Err(self.unexpected());
        }
        Ok(())
    }
}
