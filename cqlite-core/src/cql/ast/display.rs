//! Syntax trees as text.
//!
//! Authority: `toString` of `o.a.c.cql3.selection.Selectable` and `o.a.c.cql3.Term.Raw`.

use super::{Arithmetic, BindMarker, Expr, Operator, QualifiedName};
use crate::cql::keyword::quote_name;
use crate::types::Literal;
use std::fmt;

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(keyspace) = &self.keyspace {
            write!(f, "{}.", quote_name(keyspace))?;
        }
        f.write_str(&quote_name(&self.name))
    }
}

impl fmt::Display for BindMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(f, ":{}", quote_name(name)),
            None => f.write_str("?"),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operator::Eq => "=",
            Operator::NotEq => "!=",
            Operator::Lt => "<",
            Operator::Lte => "<=",
            Operator::Gt => ">",
            Operator::Gte => ">=",
        })
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
        })
    }
}

fn comma_separated<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// The text by which Cassandra names the column of a result (`Selectable.toString`), except that it puts `system.`
/// before native functions other than these: names have no quotes, `count(*)` is `count`.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Literal(literal) => display_literal(f, literal),
            Expr::Column(name) => f.write_str(name),
            Expr::Bind(marker) => write!(f, "{marker}"),
            Expr::Bound(_) => f.write_str("?"),
            Expr::CountRows => f.write_str("count"),
            Expr::WriteTime(of) => write!(f, "writetime({of})"),
            Expr::MaxWriteTime(of) => write!(f, "maxwritetime({of})"),
            Expr::Ttl(of) => write!(f, "ttl({of})"),
            Expr::Cast { expr, ty } => write!(f, "cast({expr} as {})", ty.0.to_lowercase()),
            Expr::Call { name, args } => {
                if let Some(keyspace) = &name.keyspace {
                    write!(f, "{keyspace}.")?;
                }
                write!(f, "{}(", name.name)?;
                comma_separated(f, args)?;
                f.write_str(")")
            }
            Expr::Element { of, key } => write!(f, "{of}[{key}]"),
            Expr::Slice { of, from, to } => {
                write!(f, "{of}[")?;
                if let Some(from) = from {
                    write!(f, "{from}")?;
                }
                f.write_str("..")?;
                if let Some(to) = to {
                    write!(f, "{to}")?;
                }
                f.write_str("]")
            }
            Expr::Field { of, field } => write!(f, "{of}.{field}"),
            Expr::List(elements) => {
                f.write_str("[")?;
                comma_separated(f, elements)?;
                f.write_str("]")
            }
            Expr::Set(elements) => {
                f.write_str("{")?;
                comma_separated(f, elements)?;
                f.write_str("}")
            }
            Expr::Map(entries) => {
                f.write_str("{")?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Expr::Udt(fields) => {
                f.write_str("{")?;
                let mut fields: Vec<_> = fields.iter().collect();
                let count = fields.len();
                fields.sort_by_key(|(name, _)| field_hash_order(name, count));
                for (i, (name, value)) in fields.into_iter().enumerate() {
                    write!(f, "{}{name}: {value}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Expr::Tuple(elements) => {
                f.write_str("(")?;
                comma_separated(f, elements)?;
                f.write_str(")")
            }
            Expr::TypeHint { ty, expr } => write!(f, "({}){expr}", ty.0),
            Expr::Negate(expr) => write!(f, "-{expr}"),
            Expr::Arithmetic {
                operator,
                left,
                right,
            } => write!(f, "{left} {operator} {right}"),
        }
    }
}

fn display_literal(f: &mut fmt::Formatter<'_>, literal: &Literal) -> fmt::Result {
    match literal {
        Literal::Null => f.write_str("NULL"),
        Literal::Integer(text) | Literal::Float(text) | Literal::Duration(text) => {
            f.write_str(text)
        }
        Literal::Nan => f.write_str("NaN"),
        Literal::Infinity { negative } => {
            f.write_str(if *negative { "-Infinity" } else { "Infinity" })
        }
        // Quotes inside are not doubled (`Constants.Literal.getText`).
        Literal::Text(text) => write!(f, "'{text}'"),
        Literal::Boolean(value) => write!(f, "{value}"),
        Literal::Uuid(bytes) => {
            for (i, byte) in bytes.iter().enumerate() {
                write!(
                    f,
                    "{}{byte:02x}",
                    if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" }
                )?;
            }
            Ok(())
        }
        Literal::Blob(bytes) => {
            f.write_str("0x")?;
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
        // The parser puts none of these into `Expr::Literal`.
        Literal::List(_)
        | Literal::Set(_)
        | Literal::Map(_)
        | Literal::Udt(_)
        | Literal::Tuple(_)
        | Literal::FunctionCall { .. } => write!(f, "{literal:?}"),
    }
}

/// Where a field stands among `count` in the text of a literal of a user type: Cassandra holds them in a Java `HashMap`.
pub(crate) fn field_hash_order(name: &str, count: usize) -> usize {
    let bytes = name.bytes().rev();
    let hash = bytes.fold(1u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(byte as i8 as u32)
    });
    // The table doubles when three quarters are full.
    let mut buckets = 16usize;
    while count > buckets / 4 * 3 {
        buckets *= 2;
    }
    (hash ^ hash >> 16) as usize & (buckets - 1)
}
