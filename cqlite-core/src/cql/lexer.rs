//! Cuts CQL text into tokens. It never fails: what is no token becomes one that no rule of the grammar accepts.
//!
//! Authority: `Lexer.g` of `o.a.c.cql3`.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_until, take_while, take_while_m_n};
use nom::character::complete::{char, digit1, one_of};
use nom::combinator::{not, opt, peek, recognize, verify};
use nom::multi::many1_count;
use nom::{IResult, Parser};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or keyword, as written.
    Word,
    /// `"name"`.
    QuotedName,
    /// `'text'`.
    String,
    /// `$$text$$`.
    DollarString,
    /// `12`, `-12`.
    Integer,
    /// `1.`, `1.5`, `-1e3`.
    Float,
    /// `0xcafe`; the count of digits may be odd.
    Blob,
    /// A UUID without quotes.
    Uuid,
    /// `1h30m`, `P1DT2H`, `P1W`, `P0001-02-03T04:05:06`.
    Duration,
    /// Punctuation or an operator.
    Symbol,
    /// A quote or comment without its end; reaches to the end of the text.
    Unterminated,
    /// Characters that begin no token.
    Unknown,
    /// The end of the text.
    End,
}

/// A token; its text lies at `start..end` (bytes) of the statement's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Offset of its first byte.
    pub start: u32,
    /// Offset after its last byte.
    pub end: u32,
}

/// Cuts tokens off the front of a text that is shorter than 4 GiB.
pub struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Offsets of the insides of `/* */` passed so far and not yet taken.
    pub comments: Vec<(usize, usize)>,
}

type Lexed<'a> = IResult<&'a str, &'a str>;
type Rule = fn(&str) -> Lexed<'_>;

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn word(input: &str) -> Lexed<'_> {
    recognize((
        take_while_m_n(1, 1, |c: char| c.is_ascii_alphabetic()),
        take_while(is_word_char),
    ))
    .parse(input)
}

fn integer(input: &str) -> Lexed<'_> {
    recognize((opt(char('-')), digit1)).parse(input)
}

/// A number with a point or an exponent. `1..2` is a range of integers.
fn float(input: &str) -> Lexed<'_> {
    let exponent = || recognize((one_of("eE"), opt(one_of("+-")), digit1));
    let point = recognize((
        char('.'),
        not(peek(char('.'))),
        take_while(|c: char| c.is_ascii_digit()),
        opt(exponent()),
    ));
    recognize((integer, alt((point, exponent())))).parse(input)
}

fn blob(input: &str) -> Lexed<'_> {
    recognize((
        char('0'),
        one_of("xX"),
        take_while(|c: char| c.is_ascii_hexdigit()),
    ))
    .parse(input)
}

fn uuid(input: &str) -> Lexed<'_> {
    let hex = |n| take_while_m_n(n, n, |c: char| c.is_ascii_hexdigit());
    recognize((
        (hex(8), char('-'), hex(4), char('-'), hex(4), char('-')),
        (hex(4), char('-'), hex(12)),
        end_of_word,
    ))
    .parse(input)
}

fn end_of_word(input: &str) -> Lexed<'_> {
    recognize(not(take_while_m_n(1, 1, is_word_char))).parse(input)
}

/// Units in the order in which the longer of two with the same beginning is tried first.
fn duration_unit(input: &str) -> Lexed<'_> {
    use nom::bytes::complete::tag_no_case;
    alt((
        tag_no_case("mo"),
        tag_no_case("ms"),
        tag_no_case("us"),
        recognize((char('µ'), one_of("sS"))),
        tag_no_case("ns"),
        recognize(one_of("yYwWdDhHmMsS")),
    ))
    .parse(input)
}

/// `n` and a designator of ISO 8601.
fn iso_part<'a>(
    designator: char,
) -> impl Parser<&'a str, Output = (), Error = nom::error::Error<&'a str>> {
    (digit1, char(designator)).map(|_| ())
}

/// At least one of up to three parts in this order.
fn iso_parts<'a>(
    designators: [char; 3],
) -> impl Parser<&'a str, Output = &'a str, Error = nom::error::Error<&'a str>> {
    let [a, b, c] = designators;
    verify(
        recognize((opt(iso_part(a)), opt(iso_part(b)), opt(iso_part(c)))),
        |parts: &str| !parts.is_empty(),
    )
}

fn duration(input: &str) -> Lexed<'_> {
    let units = recognize(many1_count((digit1, duration_unit)));
    let digits = |n| take_while_m_n(n, n, |c: char| c.is_ascii_digit());
    let dated = recognize((
        (digits(4), char('-'), digits(2), char('-'), digits(2)),
        (char('T'), digits(2), char(':'), digits(2)),
        (char(':'), digits(2)),
    ));
    let time = || recognize((char('T'), iso_parts(['H', 'M', 'S'])));
    let week = recognize(iso_part('W'));
    let period = recognize((iso_parts(['Y', 'M', 'D']), opt(time())));
    let iso = recognize((char('P'), alt((dated, time(), week, period))));
    recognize((opt(char('-')), alt((iso, units)), end_of_word)).parse(input)
}

fn symbol(input: &str) -> Lexed<'_> {
    alt((
        tag("!="),
        tag("<="),
        tag(">="),
        tag("+="),
        tag("-="),
        tag(".."),
        recognize(one_of("()[]{}<>=,;:.?*+-/%")),
    ))
    .parse(input)
}

/// What is between two `quote` characters, where a doubled one stands for itself.
fn quoted<'a>(quote: char) -> impl FnMut(&'a str) -> Lexed<'a> {
    move |input| {
        let (mut rest, _) = char(quote).parse(input)?;
        loop {
            (rest, _) = take_till(|c| c == quote).parse(rest)?;
            (rest, _) = char(quote).parse(rest)?;
            match rest.strip_prefix(quote) {
                Some(after) => rest = after,
                None => return Ok((rest, &input[..input.len() - rest.len()])),
            }
        }
    }
}

fn dollar_quoted(input: &str) -> Lexed<'_> {
    recognize((tag("$$"), take_until("$$"), tag("$$"))).parse(input)
}

fn line_comment(input: &str) -> Lexed<'_> {
    recognize((
        alt((tag("--"), tag("//"))),
        take_till(|c| c == '\n' || c == '\r'),
    ))
    .parse(input)
}

fn block_comment(input: &str) -> Lexed<'_> {
    recognize((tag("/*"), take_until("*/"), tag("*/"))).parse(input)
}

fn blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

impl<'a> Lexer<'a> {
    /// Of `text[at..]`; offsets count from the start of `text`.
    pub fn new(text: &'a str, at: usize) -> Self {
        Lexer {
            text,
            at,
            comments: Vec::new(),
        }
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            let rest = self.text[self.at..].trim_start_matches(blank);
            self.at = self.text.len() - rest.len();
            if let Ok((_, comment)) = line_comment(rest) {
                self.at += comment.len();
            } else if let Ok((_, comment)) = block_comment(rest) {
                self.comments
                    .push((self.at + 2, self.at + comment.len() - 2));
                self.at += comment.len();
            } else {
                return;
            }
        }
    }

    /// The next token; at the end of the text always [`Kind::End`].
    pub fn next(&mut self) -> Token {
        self.skip_blanks_and_comments();
        let rest = &self.text[self.at..];
        let (kind, length) = lex(rest);
        let start = self.at;
        self.at += length;
        Token {
            kind,
            start: start as u32,
            end: self.at as u32,
        }
    }
}

/// Kind and length in bytes of the token at the front of `rest`, which does not begin with blanks or a comment.
fn lex(rest: &str) -> (Kind, usize) {
    let found = |kind, result: Lexed<'_>| match result {
        Ok((_, text)) => (kind, text.len()),
        Err(_) => (Kind::Unterminated, rest.len()),
    };
    let mut chars = rest.chars();
    let Some(first) = chars.next() else {
        return (Kind::End, 0);
    };
    match first {
        '\'' => found(Kind::String, quoted('\'')(rest)),
        '"' => found(Kind::QuotedName, quoted('"')(rest)),
        '$' if rest.starts_with("$$") => found(Kind::DollarString, dollar_quoted(rest)),
        '/' if rest.starts_with("/*") => (Kind::Unterminated, rest.len()),
        _ if first.is_ascii_alphanumeric() || first == '-' => {
            // Which of these it is cannot be told from the first character, and a UUID can begin like any of them.
            let rules: [(Kind, Rule); 7] = [
                (Kind::Uuid, uuid),
                (Kind::Duration, duration),
                (Kind::Blob, blob),
                (Kind::Float, float),
                (Kind::Integer, integer),
                (Kind::Word, word),
                (Kind::Symbol, symbol),
            ];
            for (kind, rule) in rules {
                if let Ok((_, text)) = rule(rest) {
                    return (kind, text.len());
                }
            }
            (Kind::Unknown, first.len_utf8())
        }
        _ => match symbol(rest) {
            Ok((_, text)) => (Kind::Symbol, text.len()),
            Err(_) => (Kind::Unknown, first.len_utf8()),
        },
    }
}
