//! Syntax trees of CQL statements. Names are without quotes and folded to lower case unless they were quoted.
//!
//! Authority: `o.a.c.cql3.selection.Selectable`, `o.a.c.cql3.Relation`, `o.a.c.cql3.statements.SelectStatement.RawStatement`.

mod display;
mod modify;
mod terms;

pub(crate) use display::field_hash_order;
pub use modify::{
    Assignment, Batch, BatchKind, Change, ColumnCondition, Condition, ConditionPart, ConditionTest,
    Delete, DeleteTarget, Insert, InsertSource, Modification, Update, Using,
};

use crate::error::{Error, Result};
use crate::types::Literal;

/// `[keyspace.]name` of a table, type, view, index or function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QualifiedName {
    /// Keyspace, when one was written.
    pub keyspace: Option<String>,
    /// Name within the keyspace.
    pub name: String,
}

/// The text of a type, whose structure was checked but whose names were not: see `CqlType::parse_cql`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TypeText(pub String);

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `SELECT`.
    Select(Select),
    /// `USE keyspace`.
    Use(String),
    /// `INSERT`, `UPDATE`, `DELETE`.
    Modification(Modification),
    /// `BEGIN BATCH ... APPLY BATCH`.
    Batch(Batch),
}

/// `SELECT`.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// `SELECT JSON`: one column `[json]` a row.
    pub json: bool,
    /// `SELECT DISTINCT`: a row a partition.
    pub distinct: bool,
    /// What is selected.
    pub selection: Selection,
    /// `FROM`.
    pub from: QualifiedName,
    /// `WHERE`; all relations must hold.
    pub relations: Vec<Relation>,
    /// `GROUP BY`.
    pub group_by: Vec<Expr>,
    /// `ORDER BY`.
    pub order_by: Vec<Ordering>,
    /// `PER PARTITION LIMIT`.
    pub per_partition_limit: Option<Limit>,
    /// `LIMIT`.
    pub limit: Option<Limit>,
    /// `ALLOW FILTERING`.
    pub allow_filtering: bool,
}

/// What a `SELECT` selects.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// `*`.
    All,
    /// One or more selectors.
    Selectors(Vec<Selector>),
}

/// `expression [AS alias]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    /// What is selected.
    pub expr: Expr,
    /// Name of the column in the result, instead of the one that comes from the expression.
    pub alias: Option<String>,
}

/// `ORDER BY column [ANN OF vector] [ASC | DESC]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordering {
    /// The column.
    pub column: String,
    /// The vector to whose neighbours the rows belong.
    pub ann_of: Option<Expr>,
    /// `DESC`.
    pub descending: bool,
}

/// The number after `LIMIT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// How many rows, at least one.
    Rows(u32),
    /// A bind marker.
    Bind(BindMarker),
}

/// `?` (no name) or `:name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BindMarker(pub Option<String>);

impl BindMarker {
    /// The error of a statement that is executed without values for its markers.
    pub fn unbound(&self) -> Error {
        Error::invalid(format!("the bind marker `{self}` has no value"))
            .advise("write the value itself into the statement")
    }
}

/// `=`, `!=`, `<`, `<=`, `>` or `>=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Eq,
    /// `!=`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    Lte,
    /// `>`
    Gt,
    /// `>=`
    Gte,
}

/// The values of `IN`.
#[derive(Debug, Clone, PartialEq)]
pub enum InValues {
    /// `IN (a, b)`; may be empty.
    List(Vec<Expr>),
    /// `IN ?`.
    Bind(BindMarker),
}

/// A condition of `WHERE`.
#[derive(Debug, Clone, PartialEq)]
pub enum Relation {
    /// `column op value`.
    Column {
        /// The column.
        column: String,
        /// The comparison.
        operator: Operator,
        /// The value.
        value: Expr,
    },
    /// `column IN (...)`.
    In {
        /// The column.
        column: String,
        /// The values.
        values: InValues,
    },
    /// `column[key] op value`.
    Element {
        /// A map or list.
        column: String,
        /// Key or index.
        key: Expr,
        /// The comparison.
        operator: Operator,
        /// The value.
        value: Expr,
    },
    /// `column CONTAINS [KEY] value`.
    Contains {
        /// A collection.
        column: String,
        /// `CONTAINS KEY`.
        key: bool,
        /// The value.
        value: Expr,
    },
    /// `column LIKE pattern`.
    Like {
        /// The column.
        column: String,
        /// The pattern.
        value: Expr,
    },
    /// `column IS NOT NULL`.
    IsNotNull {
        /// The column.
        column: String,
    },
    /// `(c1, c2) op (v1, v2)`.
    Tuple {
        /// The columns.
        columns: Vec<String>,
        /// The comparison.
        operator: Operator,
        /// An [`Expr::Tuple`] or [`Expr::Bind`].
        value: Expr,
    },
    /// `(c1, c2) IN ((v1, v2), ...)`.
    TupleIn {
        /// The columns.
        columns: Vec<String>,
        /// Each an [`Expr::Tuple`] or [`Expr::Bind`].
        values: InValues,
    },
    /// `token(k1, k2) op value`, where the value is a number or `token(v1, v2)`.
    Token {
        /// The columns.
        columns: Vec<String>,
        /// The comparison.
        operator: Operator,
        /// The value.
        value: Expr,
    },
    /// `expr(index, value)`.
    Index {
        /// The custom index.
        index: QualifiedName,
        /// What it is asked.
        value: Expr,
    },
}

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

/// Something with a value: a term (no columns in it) or a part of a selection. Not deeper than
/// [`crate::limits::CQL_DEPTH_MAX`].
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A constant or `null`: never a collection, tuple, user type or call.
    Literal(Literal),
    /// A column; only in selections.
    Column(String),
    /// `?` or `:name`.
    Bind(BindMarker),
    /// What was bound to a marker, in bytes of the type that is wanted there; `None` for null.
    Bound(Option<Vec<u8>>),
    /// `count(*)`, `count(1)`.
    CountRows,
    /// `writetime(column)`.
    WriteTime(Box<Expr>),
    /// `maxwritetime(column)`.
    MaxWriteTime(Box<Expr>),
    /// `ttl(column)`.
    Ttl(Box<Expr>),
    /// `cast(expression AS type)`.
    Cast {
        /// What is cast.
        expr: Box<Expr>,
        /// A native type.
        ty: TypeText,
    },
    /// `function(arguments)`, `token(...)` and `count(column)` too.
    Call {
        /// The function.
        name: QualifiedName,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// `collection[key]`.
    Element {
        /// The collection.
        of: Box<Expr>,
        /// Key or index.
        key: Box<Expr>,
    },
    /// `collection[from..to]`.
    Slice {
        /// The collection.
        of: Box<Expr>,
        /// First key or index.
        from: Option<Box<Expr>>,
        /// Last key or index.
        to: Option<Box<Expr>>,
    },
    /// `value.field`.
    Field {
        /// A value of a user-defined type.
        of: Box<Expr>,
        /// The field.
        field: String,
    },
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{a, b}`, `{}`.
    Set(Vec<Expr>),
    /// `{a: b}`.
    Map(Vec<(Expr, Expr)>),
    /// `{field: b}`.
    Udt(Vec<(String, Expr)>),
    /// `(a, b)`. With one element in a selection it may be mere parentheses.
    Tuple(Vec<Expr>),
    /// `(type) a`.
    TypeHint {
        /// The type.
        ty: TypeText,
        /// The value.
        expr: Box<Expr>,
    },
    /// `-a`.
    Negate(Box<Expr>),
    /// `a + b`.
    Arithmetic {
        /// The operator.
        operator: Arithmetic,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
}

impl Expr {
    /// The constant term that this is. Type hints vanish: whoever receives the term knows its type.
    ///
    /// Errors: `InvalidInput` for a bind marker or a column, `Unsupported` for arithmetic and casts.
    pub fn to_literal(&self) -> Result<Literal> {
        let all = |exprs: &[Expr]| {
            exprs
                .iter()
                .map(Expr::to_literal)
                .collect::<Result<Vec<_>>>()
        };
        Ok(match self {
            Expr::Literal(literal) => literal.clone(),
            Expr::List(elements) => Literal::List(all(elements)?),
            Expr::Set(elements) => Literal::Set(all(elements)?),
            Expr::Tuple(elements) => Literal::Tuple(all(elements)?),
            Expr::Map(entries) => Literal::Map(
                entries
                    .iter()
                    .map(|(k, v)| Ok((k.to_literal()?, v.to_literal()?)))
                    .collect::<Result<_>>()?,
            ),
            Expr::Udt(fields) => Literal::Udt(
                fields
                    .iter()
                    .map(|(name, v)| Ok((name.clone(), v.to_literal()?)))
                    .collect::<Result<_>>()?,
            ),
            Expr::Call { name, args } => Literal::FunctionCall {
                name: match &name.keyspace {
                    Some(keyspace) => format!("{keyspace}.{}", name.name),
                    None => name.name.clone(),
                },
                args: all(args)?,
            },
            Expr::TypeHint { expr, .. } => expr.to_literal()?,
            Expr::Negate(expr) => match expr.to_literal()? {
                Literal::Integer(digits) => Literal::Integer(negated(&digits)),
                Literal::Float(digits) => Literal::Float(negated(&digits)),
                Literal::Duration(text) => Literal::Duration(negated(&text)),
                Literal::Infinity { negative } => Literal::Infinity {
                    negative: !negative,
                },
                Literal::Nan => Literal::Nan,
                _ => {
                    return Err(Error::invalid(format!(
                        "`{self}`: only numbers have a negative"
                    )));
                }
            },
            Expr::Bind(marker) => return Err(marker.unbound()),
            Expr::Bound(_) => {
                return Err(Error::invalid("a bound value is no constant"));
            }
            Expr::Column(_) | Expr::Element { .. } | Expr::Slice { .. } | Expr::Field { .. } => {
                return Err(Error::invalid(format!("`{self}` is not a constant")));
            }
            Expr::CountRows
            | Expr::WriteTime(_)
            | Expr::MaxWriteTime(_)
            | Expr::Ttl(_)
            | Expr::Cast { .. }
            | Expr::Arithmetic { .. } => {
                return Err(Error::unsupported(format!(
                    "`{self}`: a value must be a constant or a call of a function"
                )));
            }
        })
    }
}

fn negated(digits: &str) -> String {
    match digits.strip_prefix('-') {
        Some(rest) => rest.to_owned(),
        None => format!("-{digits}"),
    }
}
