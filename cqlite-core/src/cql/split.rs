//! Cuts a stream of CQL text into statements, in the memory of one.
//!
//! Authority: `Lexer.g` of `o.a.c.cql3`, for what a `;` is no end in; `cqlsh`, for batches.

use crate::limits::CQL_TEXT_BYTES_MAX;
use crate::{Error, Result};
use std::io::BufRead;

/// A statement with the `;` at its end, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementText {
    /// Its text, from its first line's first character on.
    pub text: String,
    /// The number of that line, from 1.
    pub line: u64,
    /// Its `;` was there, and not the end of the stream.
    pub is_ended: bool,
}

/// What the text is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    /// Up to this quote.
    Quoted(u8),
    Dollars,
    LineComment,
    BlockComment,
}

/// The statements of a stream.
#[derive(Debug)]
pub struct Statements<R> {
    input: R,
    line: u64,
    rest: Vec<u8>,
}

impl<R: BufRead> Statements<R> {
    /// Of a stream of UTF-8.
    pub fn new(input: R) -> Self {
        Statements {
            input,
            line: 1,
            rest: Vec::new(),
        }
    }

    /// The next statement; `None` if nothing but blanks and comments is left.
    ///
    /// # Errors
    /// `Io`; `InvalidInput` for a statement that is too long or no UTF-8.
    pub fn next_statement(&mut self) -> Result<Option<StatementText>> {
        let mut state = State::Code;
        let mut text = std::mem::take(&mut self.rest);
        let mut at = 0;
        let mut words = Words::default();
        // Where the statement begins, and in which line.
        let mut begin = None;
        loop {
            if at == text.len() {
                let before = text.len();
                // What is behind a statement on its last line is the beginning of the next one.
                let read = self.input.read_until(b'\n', &mut text);
                read.map_err(|e| Error::new(crate::ErrorKind::Io, e.to_string()))?;
                if text.len() == before {
                    break;
                }
                if begin.is_none() {
                    text.drain(..before);
                    at = 0;
                }
                if text.len() > CQL_TEXT_BYTES_MAX {
                    return Err(Error::invalid(format!(
                        "line {}: a statement of over {CQL_TEXT_BYTES_MAX} bytes",
                        self.line
                    )));
                }
            }
            let b = text[at];
            let next = text.get(at + 1).copied();
            let mut length = 1;
            match state {
                State::Code => match (b, next) {
                    (b'-', Some(b'-')) | (b'/', Some(b'/')) => state = State::LineComment,
                    (b'/', Some(b'*')) => (state, length) = (State::BlockComment, 2),
                    _ => {
                        if begin.is_none() && !b.is_ascii_whitespace() && b != b';' {
                            begin = Some((at, self.line));
                        }
                        match (b, next) {
                            (b'\'' | b'"', _) => state = State::Quoted(b),
                            (b'$', Some(b'$')) => (state, length) = (State::Dollars, 2),
                            _ => {}
                        }
                        words.push(b);
                    }
                },
                State::Quoted(quote) if b == quote => state = State::Code,
                State::Dollars if (b, next) == (b'$', Some(b'$')) => {
                    (state, length) = (State::Code, 2);
                }
                State::LineComment if b == b'\n' => state = State::Code,
                State::BlockComment if (b, next) == (b'*', Some(b'/')) => {
                    (state, length) = (State::Code, 2);
                }
                _ => {}
            }
            self.line += text[at..at + length]
                .iter()
                .filter(|b| **b == b'\n')
                .count() as u64;
            at += length;
            let ends = b == b';' && state == State::Code && length == 1 && !words.is_open_batch();
            if ends && let Some((start, line)) = begin {
                self.rest = text.split_off(at);
                text.drain(..start);
                return of_bytes(text, line, true).map(Some);
            }
            if ends {
                words = Words::default();
            }
        }
        match begin {
            Some((start, line)) => {
                text.drain(..start);
                of_bytes(text, line, false).map(Some)
            }
            None => Ok(None),
        }
    }
}

fn of_bytes(text: Vec<u8>, line: u64, is_ended: bool) -> Result<StatementText> {
    match String::from_utf8(text) {
        Ok(text) => Ok(StatementText {
            text,
            line,
            is_ended,
        }),
        Err(_) => Err(Error::invalid(format!(
            "line {line}: the statement is not UTF-8"
        ))),
    }
}

/// The first word of a statement, and its last ones, as far as a batch is told by them.
#[derive(Debug, Default)]
struct Words {
    first: Vec<u8>,
    has_first: bool,
    word: Vec<u8>,
    last: [Vec<u8>; 2],
}

impl Words {
    const LONGEST: usize = 8;

    fn push(&mut self, b: u8) {
        if b.is_ascii_alphanumeric() || b == b'_' {
            if self.word.len() < Self::LONGEST {
                self.word.push(b.to_ascii_uppercase());
            }
            return;
        }
        if !self.word.is_empty() {
            let word = std::mem::take(&mut self.word);
            if !self.has_first {
                self.first.clone_from(&word);
                self.has_first = true;
            }
            self.last.swap(0, 1);
            self.last[1] = word;
        }
        // Between the words of `APPLY BATCH` is nothing but blanks.
        if !b.is_ascii_whitespace() && b != b';' {
            self.has_first = true;
            self.last = Default::default();
        }
    }

    fn is_open_batch(&self) -> bool {
        self.first == b"BEGIN" && self.last != [b"APPLY".to_vec(), b"BATCH".to_vec()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_the_grammar_says() {
        let text = "-- a; comment\nSELECT 1;;\n /* ; */ INSERT 'a;\n''b' $$;$$ \"c;\" ; x\n\
            ;BEGIN BATCH a; b 'APPLY BATCH;' ;\n apply  batch; y // z;\n";
        let mut statements = Statements::new(text.as_bytes());
        let mut seen = Vec::new();
        while let Some(statement) = statements.next_statement().unwrap() {
            assert_eq!(statement.is_ended, statement.line != 6);
            seen.push((statement.line, statement.text));
        }
        let expected = [
            (2, "SELECT 1;"),
            (3, "INSERT 'a;\n''b' $$;$$ \"c;\" ;"),
            (4, "x\n;"),
            (5, "BEGIN BATCH a; b 'APPLY BATCH;' ;\n apply  batch;"),
            (6, "y // z;\n"),
        ];
        assert_eq!(seen, expected.map(|(line, text)| (line, text.to_owned())));
        let mut bad = Statements::new(&b"a \xff;"[..]);
        assert!(bad.next_statement().is_err());
    }
}
