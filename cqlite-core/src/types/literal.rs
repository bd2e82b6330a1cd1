//! Constant terms of CQL statements, as parsed, before the type that they are for is known.
//!
//! Authority: `o.a.c.cql3.{Constants,Lists,Sets,Maps,UserTypes,Tuples,Vectors}`.

/// A term without bind markers. Numbers keep their text: what they become depends on the type that receives them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Literal {
    /// `NULL`.
    Null,
    /// Decimal digits, with `-` before them if negative.
    Integer(String),
    /// A number with a fraction or an exponent, as written.
    Float(String),
    /// `NaN`, or `-NaN`, which is the same.
    Nan,
    /// `Infinity` or `-Infinity`.
    Infinity {
        /// Whether it is the negative one.
        negative: bool,
    },
    /// A string, without its quotes and with doubled quotes made single.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A UUID that was written without quotes.
    Uuid([u8; 16]),
    /// The bytes of `0x...`.
    Blob(Vec<u8>),
    /// A duration that was written without quotes, in any of its forms, as written.
    Duration(String),
    /// `[a, b]`: a list or a vector.
    List(Vec<Literal>),
    /// `{a, b}`: a set. `{}` is this too, and does for a map.
    Set(Vec<Literal>),
    /// `{a: b}` whose keys are terms.
    Map(Vec<(Literal, Literal)>),
    /// `{name: b}` whose keys are identifiers (without quotes): a value of a user-defined type.
    Udt(Vec<(String, Literal)>),
    /// `(a, b)`.
    Tuple(Vec<Literal>),
    /// `name(a, b)`, for example `now()` or `blobAsInt(0x00)`.
    FunctionCall {
        /// Its name in lower case unless it was quoted; with its keyspace and a dot before it, if one was written.
        name: String,
        /// Its arguments.
        args: Vec<Literal>,
    },
}
