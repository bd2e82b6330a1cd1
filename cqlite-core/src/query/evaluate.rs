//! The value of a term of a statement that changes rows.
//!
//! Authority: `o.a.c.cql3.Term`, `o.a.c.cql3.functions.FunctionCall`.

use super::function::resolve::Context;
use super::prepare;
use crate::cql::ast::Expr;
use crate::partitioner::Partitioner;
use crate::schema::TableSchema;
use crate::types::CqlType;
use crate::{Error, Result};

/// Functions whose value is another one each time, which is not to be had from a clock that stands still.
const FRESH: [&str; 4] = ["now", "current_timeuuid", "currenttimeuuid", "uuid"];

/// The value of a term as one of type `ty`, `None` if it is null. `now` is in seconds since 1970, `what` says what the
/// value is for.
///
/// # Errors
/// `InvalidInput` if the term has no value of that type, `Unsupported` for functions that cannot be called here.
pub(crate) fn evaluate_term(
    expr: &Expr,
    ty: &CqlType,
    schema: &TableSchema,
    partitioner: &Partitioner,
    now: i64,
    what: &str,
) -> Result<Option<Vec<u8>>> {
    let described = |e: Error| Error::new(e.kind(), format!("{what}: {}", e.message()));
    if let Expr::Bound(value) = expr {
        return prepare::bound(value.as_deref(), ty).map_err(described);
    }
    match is_constant(expr) {
        true => {
            let literal = expr.to_literal().map_err(described)?;
            let value = literal.to_bytes(ty, now.saturating_mul(1000));
            value.map_err(described)
        }
        false => {
            refuse_fresh(expr).map_err(described)?;
            let context = Context {
                schema,
                partitioner,
                now,
            };
            prepare::term(context, expr, ty, what)
        }
    }
}

/// Whether it is made of constants alone.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_) => true,
        Expr::List(e) | Expr::Set(e) | Expr::Tuple(e) => e.iter().all(is_constant),
        Expr::Map(e) => e.iter().all(|(k, v)| is_constant(k) && is_constant(v)),
        Expr::Udt(e) => e.iter().all(|(_, v)| is_constant(v)),
        Expr::Negate(e) | Expr::TypeHint { expr: e, .. } => is_constant(e),
        _ => false,
    }
}

/// Refuses functions whose value is another one each time.
pub(super) fn refuse_fresh(expr: &Expr) -> Result<()> {
    let all = |exprs: &[Expr]| exprs.iter().try_for_each(refuse_fresh);
    match expr {
        Expr::Call { name, .. } if FRESH.contains(&&*name.name) => Err(Error::unsupported(
            format!("{}() is not called here", name.name),
        )
        .advise("write the value itself")),
        Expr::Call { args: e, .. } | Expr::List(e) | Expr::Set(e) | Expr::Tuple(e) => all(e),
        Expr::Map(e) => e
            .iter()
            .try_for_each(|(k, v)| refuse_fresh(k).and_then(|()| refuse_fresh(v))),
        Expr::Udt(e) => e.iter().try_for_each(|(_, v)| refuse_fresh(v)),
        Expr::Negate(e) | Expr::TypeHint { expr: e, .. } | Expr::Cast { expr: e, .. } => {
            refuse_fresh(e)
        }
        Expr::Arithmetic { left, right, .. } => {
            refuse_fresh(left).and_then(|()| refuse_fresh(right))
        }
        _ => Ok(()),
    }
}
