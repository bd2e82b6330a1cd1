//! Resolves the expressions of a statement: finds columns, chooses functions, types constants.
//!
//! Authority: `o.a.c.cql3.selection.Selectable`.

mod literal;

use super::columns::find_column;
use super::function::aggregate::{Aggregate, AggregateKind};
use super::function::number::result_type;
use super::function::resolve::{
    Argument, Context, Fit, Function, cast, fit, preferred_type, resolve,
};
use super::function::{Scalar, number};
use super::input::{Fetched, Input};
use super::selection::{Node, Row, Selected, TimeKind};
use super::slices::Value;
use crate::cql::ast::{Arithmetic, Expr, QualifiedName, TypeText};
use crate::schema::{ColumnKind, ColumnRef, TableSchema};
use crate::sstable::data::KeyRange;
use crate::types::{CqlType, Literal, UserType};
use crate::{Error, Result};
use std::sync::Arc;

/// An aggregate function with its argument, of which `count(*)` has none.
#[derive(Debug, Clone)]
pub(super) struct AggregateCall {
    /// The function, of no value yet.
    pub state: Aggregate,
    /// What it is applied to in each row.
    pub argument: Option<Selected>,
}

/// Resolves expressions one after the other, and collects what they need.
#[derive(Debug)]
pub(super) struct Preparer<'a> {
    context: Context<'a>,
    /// The columns they need.
    pub columns: Vec<Fetched>,
    /// The aggregate functions they call.
    pub aggregates: Vec<AggregateCall>,
}

/// The value of a constant term as one of type `ty`, `None` if it is null. `what` says what the value is for.
///
/// Errors: `InvalidInput` if the term has no value of that type, `Unsupported` for functions that cannot be called here.
pub(super) fn term(
    context: Context<'_>,
    expr: &Expr,
    ty: &CqlType,
    what: &str,
) -> Result<Option<Value>> {
    let mut preparer = Preparer::new(context);
    let describe = |e: Error| {
        let error = Error::new(e.kind(), format!("{what}: {}", e.message()));
        match e.advice() {
            Some(advice) => error.advise(advice),
            None => error,
        }
    };
    let selected = preparer.typed(expr, ty).map_err(describe)?;
    if !preparer.columns.is_empty() || !preparer.aggregates.is_empty() {
        return Err(Error::invalid(format!(
            "{what}: `{expr}` is not a constant"
        )));
    }
    let row = Row {
        input: &Input::default(),
        aggregates: &[],
    };
    let value = selected.value(&row).map_err(describe)?;
    Ok(value.map(|value| value.into_owned()))
}

impl<'a> Preparer<'a> {
    pub fn new(context: Context<'a>) -> Self {
        Preparer {
            context,
            columns: Vec::new(),
            aggregates: Vec::new(),
        }
    }

    /// The number of a column among the fetched ones.
    pub fn fetch(&mut self, column: &ColumnRef<'_>) -> usize {
        let is_it = |f: &Fetched| f.kind == column.kind && f.index == column.index;
        self.columns.iter().position(is_it).unwrap_or_else(|| {
            self.columns.push(Fetched::new(column));
            self.columns.len() - 1
        })
    }

    /// A column as an expression.
    pub fn column(&mut self, column: &ColumnRef<'_>) -> Selected {
        Selected {
            node: Node::Column(self.fetch(column)),
            ty: column.ty.clone(),
            name: column.name.to_string(),
        }
    }

    /// Resolves an expression of a selection.
    pub fn select(&mut self, expr: &Expr) -> Result<Selected> {
        self.expression(expr, None)
    }

    /// Resolves an expression whose value is to be one of type `ty`.
    fn typed(&mut self, expr: &Expr, ty: &CqlType) -> Result<Selected> {
        let selected = self.expression(expr, Some(ty))?;
        match fit(&Argument::Typed(selected.ty.clone()), ty) {
            Fit::No => Err(Error::invalid(format!(
                "`{expr}` is of type {}, not {}",
                selected.ty.cql_name(),
                ty.cql_name()
            ))),
            _ => Ok(selected),
        }
    }

    /// `expected` is the type of what takes the value, where there is one.
    fn expression(&mut self, expr: &Expr, expected: Option<&CqlType>) -> Result<Selected> {
        if is_constant(expr) {
            let Some(ty) = expected else {
                return Err(Error::invalid(format!("the type of `{expr}` is not known"))
                    .advise("say it: (type) value"));
            };
            return self.constant(expr, ty);
        }
        match expr {
            Expr::Column(name) => {
                let column = find_column(self.context.schema, name)?;
                Ok(self.column(&column))
            }
            Expr::Bind(marker) => Err(marker.unbound()),
            Expr::Bound(value) => {
                let ty = expected.ok_or_else(|| unknown_type(expr))?;
                Ok(Selected {
                    node: Node::Constant(bound(value.as_deref(), ty)?),
                    ty: ty.clone(),
                    name: expr.to_string(),
                })
            }
            Expr::CountRows => Ok(self.aggregate(
                AggregateKind::CountRows,
                None,
                CqlType::BigInt,
                "count".to_owned(),
            )),
            Expr::WriteTime(of) => self.time(TimeKind::Written, of),
            Expr::MaxWriteTime(of) => self.time(TimeKind::MaxWritten, of),
            Expr::Ttl(of) => self.time(TimeKind::Ttl, of),
            Expr::Cast { expr, ty } => self.cast(expr, ty),
            Expr::Call { name, args } => self.call(expr, name, args),
            Expr::Element { of, key } => {
                let of = self.select(of)?;
                let key_type = self.key_type(&of, "an element")?;
                let key_value = self.key(key, &key_type, &of)?;
                let ty = match &of.ty {
                    CqlType::Map { value, .. } => (**value).clone(),
                    _ => key_type,
                };
                let name = format!("{}[{key}]", of.name);
                let node = Node::Element {
                    of: Box::new(of),
                    key: key_value,
                };
                Ok(Selected { node, ty, name })
            }
            Expr::Slice { of, from, to } => {
                let of = self.select(of)?;
                let key_type = self.key_type(&of, "a slice")?;
                let text = |key: &Option<Box<Expr>>| {
                    key.as_ref().map_or(String::new(), |key| key.to_string())
                };
                let name = format!("{}[{}..{}]", of.name, text(from), text(to));
                let bound = |key: &Option<Box<Expr>>| match key {
                    Some(key) => self.key(key, &key_type, &of).map(Some),
                    None => Ok(None),
                };
                let (from, to) = (bound(from)?, bound(to)?);
                let keys = KeyRange { from, to };
                let ty = of.ty.clone();
                let of = Box::new(of);
                let node = Node::Slice { of, keys };
                Ok(Selected { node, ty, name })
            }
            Expr::Field { of, field } => {
                let of = self.select(of)?;
                let CqlType::Udt { definition, .. } = &of.ty else {
                    return Err(Error::invalid(format!(
                        "`{}` is of type {}, which has no fields",
                        of.name,
                        of.ty.cql_name()
                    )));
                };
                let index = field_index(definition, field)?;
                let ty = definition.fields[index].1.clone();
                let name = format!("{}.{field}", of.name);
                let node = Node::Field {
                    of: Box::new(of),
                    field: index,
                };
                Ok(Selected { node, ty, name })
            }
            Expr::TypeHint { ty, expr } => {
                let hinted = self.type_of(ty)?.freeze();
                let selected = self.typed(expr, &hinted)?;
                let keyspace = match &hinted {
                    CqlType::Udt { .. } if !ty.0.contains('.') => {
                        format!("{}.", self.context.schema.keyspace)
                    }
                    _ => String::new(),
                };
                Ok(Selected {
                    name: format!("({keyspace}{}){}", ty.0, selected.name),
                    ty: hinted,
                    node: selected.node,
                })
            }
            Expr::Negate(of) => {
                let of = self.expression(of, expected)?;
                if !number::NUMERIC.contains(&of.ty) {
                    return Err(Error::invalid(format!(
                        "`{expr}`: only numbers have a negative, not {}",
                        of.ty.cql_name()
                    )));
                }
                Ok(Selected {
                    ty: of.ty.clone(),
                    name: format!("-{}", of.name),
                    node: Node::Call {
                        function: Scalar::Negate(of.ty.clone()),
                        args: vec![of],
                    },
                })
            }
            Expr::Arithmetic {
                operator,
                left,
                right,
            } => self.arithmetic(*operator, left, right, expected),
            Expr::Tuple(elements) => self.tuple(expr, elements, expected),
            Expr::List(elements) => self.list(expr, elements, expected),
            Expr::Set(elements) => self.set(expr, elements, expected),
            Expr::Map(entries) => self.map(expr, entries, expected),
            Expr::Udt(fields) => self.user_type(expr, fields, expected),
            Expr::Literal(_) => self.constant(expr, expected.unwrap_or(&CqlType::Blob)),
        }
    }

    fn type_of(&self, text: &TypeText) -> Result<CqlType> {
        let (schema, wanted) = (self.context.schema, &text.0);
        CqlType::parse_cql(wanted, &|_, name| user_type_named(schema, name))
    }

    fn aggregate(
        &mut self,
        kind: AggregateKind,
        argument: Option<Selected>,
        ty: CqlType,
        name: String,
    ) -> Selected {
        let argument_type = argument.as_ref().map_or(CqlType::Blob, |a| a.ty.clone());
        self.aggregates.push(AggregateCall {
            state: Aggregate::new(kind, argument_type),
            argument,
        });
        Selected {
            node: Node::Aggregate(self.aggregates.len() - 1),
            ty,
            name,
        }
    }

    fn time(&mut self, kind: TimeKind, of: &Expr) -> Result<Selected> {
        let mut base = of;
        while let Expr::Element { of, .. } | Expr::Slice { of, .. } | Expr::Field { of, .. } = base
        {
            base = of;
        }
        let selected = self.select(of)?;
        let Expr::Column(name) = base else {
            return Err(Error::invalid(format!(
                "{}({of}): only columns have it",
                kind.name()
            )));
        };
        let column = find_column(self.context.schema, name)?;
        if matches!(
            column.kind,
            ColumnKind::PartitionKey | ColumnKind::Clustering
        ) {
            return Err(Error::invalid(format!(
                "{}({name}): columns of the primary key have none",
                kind.name()
            )));
        }
        let fetched = self.fetch(&column);
        self.columns[fetched].times = true;
        let one = match kind {
            TimeKind::Ttl => CqlType::Int,
            _ => CqlType::BigInt,
        };
        let ty = match selected.ty.is_multi_cell() && kind != TimeKind::MaxWritten {
            true => CqlType::List {
                element: Arc::new(one),
                frozen: true,
            },
            false => one,
        };
        Ok(Selected {
            name: format!("{}({})", kind.name(), selected.name),
            ty,
            node: Node::Time {
                kind,
                of: Box::new(selected),
            },
        })
    }

    fn cast(&mut self, expr: &Expr, ty: &TypeText) -> Result<Selected> {
        let to = self.type_of(ty)?;
        let of = self.select(expr)?;
        if of.ty == to {
            return Ok(of);
        }
        let Some(function) = cast(&of.ty, &to) else {
            return Err(Error::invalid(format!(
                "`{}` of type {} cannot be cast to {}",
                of.name,
                of.ty.cql_name(),
                to.cql_name()
            )));
        };
        Ok(Selected {
            name: format!("cast({} as {})", of.name, to.cql_name()),
            node: Node::Call {
                function,
                args: vec![of],
            },
            ty: to,
        })
    }

    fn call(&mut self, expr: &Expr, name: &QualifiedName, args: &[Expr]) -> Result<Selected> {
        let aggregates_before = self.aggregates.len();
        // Constants wait for the type that the function gives them.
        let mut selected: Vec<Option<Selected>> = Vec::with_capacity(args.len());
        let mut types = Vec::with_capacity(args.len());
        for (i, arg) in args.iter().enumerate() {
            let key_column = self.context.schema.partition_key.get(i);
            if is_constant(arg) {
                selected.push(None);
                types.push(Argument::Constant(arg.to_literal()?));
            } else {
                let arg = match key_column.filter(|_| name.name == "token") {
                    Some(column) => self.typed(arg, &column.ty)?,
                    None => self.argument(arg, None)?,
                };
                types.push(Argument::Typed(arg.ty.clone()));
                selected.push(Some(arg));
            }
        }
        let signature = resolve(name, &types, &self.context)?;
        let mut arguments = Vec::with_capacity(args.len());
        for ((selected, expr), ty) in selected.into_iter().zip(args).zip(&signature.args) {
            arguments.push(match selected {
                Some(selected) => selected,
                None => self.constant(expr, ty)?,
            });
        }
        let names: Vec<&str> = arguments.iter().map(|a| &*a.name).collect();
        let result_name = match name.name.strip_prefix("cast_as_") {
            Some(ty) => format!("cast({} as {ty})", names.join(", ")),
            None => format!("system.{}({})", name.name, names.join(", ")),
        };
        Ok(match signature.function {
            Function::Aggregate(AggregateKind::CountRows) => self.aggregate(
                AggregateKind::CountRows,
                None,
                signature.returns,
                "count".to_owned(),
            ),
            Function::Aggregate(kind) => {
                if self.aggregates.len() > aggregates_before {
                    return Err(Error::invalid(format!(
                        "`{expr}`: the argument of an aggregate function cannot call another one"
                    )));
                }
                self.aggregate(kind, arguments.pop(), signature.returns, result_name)
            }
            Function::Scalar(function) => Selected {
                node: Node::Call {
                    function,
                    args: arguments,
                },
                ty: signature.returns,
                name: result_name,
            },
            Function::Constant(value) => Selected {
                node: Node::Constant(Some(value)),
                ty: signature.returns,
                name: result_name,
            },
        })
    }

    fn key_type(&self, of: &Selected, what: &str) -> Result<CqlType> {
        match &of.ty {
            CqlType::Map { key, .. } => Ok((**key).clone()),
            CqlType::Set { element, .. } => Ok((**element).clone()),
            ty => Err(Error::invalid(format!(
                "`{}` is of type {}: only of sets and maps {what} can be selected",
                of.name,
                ty.cql_name()
            ))),
        }
    }

    fn key(&self, key: &Expr, ty: &CqlType, of: &Selected) -> Result<Value> {
        let what = format!("a key of `{}`", of.name);
        term(self.context, key, ty, &what)?
            .ok_or_else(|| Error::invalid(format!("{what} cannot be null")))
    }

    fn arithmetic(
        &mut self,
        operator: Arithmetic,
        left: &Expr,
        right: &Expr,
        expected: Option<&CqlType>,
    ) -> Result<Selected> {
        // A constant takes the type that is expected, else the one it prefers.
        let mut operand = |expr: &Expr| {
            if !is_constant(expr) {
                return self.argument(expr, expected);
            }
            let literal = expr.to_literal()?;
            // With a duration a text is a time.
            let is_time = |ty: &&CqlType| matches!(ty, CqlType::Timestamp | CqlType::Date);
            if let (Literal::Text(_), Some(ty)) = (&literal, expected.filter(is_time)) {
                return self.constant(expr, ty);
            }
            let numeric = expected.filter(|ty| number::NUMERIC.contains(ty));
            let fitting = numeric.filter(|ty| literal.to_bytes(ty, 0).is_ok());
            match fitting.cloned().or_else(|| preferred_type(&literal)) {
                Some(ty) => self.constant(expr, &ty),
                None => Err(Error::invalid(format!("the type of `{expr}` is not known"))),
            }
        };
        let (left, right) = (operand(left)?, operand(right)?);
        let name = format!("{} {operator} {}", left.name, right.name);
        let is_number = |selected: &Selected| number::NUMERIC.contains(&selected.ty);
        let is_text = |selected: &Selected| matches!(selected.ty, CqlType::Text | CqlType::Ascii);
        let (function, ty) = if is_number(&left) && is_number(&right) {
            let result = result_type(&left.ty, &right.ty);
            let function = Scalar::Arithmetic {
                operator,
                left: left.ty.clone(),
                right: right.ty.clone(),
                result: result.clone(),
            };
            (function, result)
        } else if matches!(left.ty, CqlType::Timestamp | CqlType::Date)
            && right.ty == CqlType::Duration
            && matches!(operator, Arithmetic::Add | Arithmetic::Subtract)
        {
            let function = Scalar::AddDuration {
                ty: left.ty.clone(),
                subtract: operator == Arithmetic::Subtract,
            };
            (function, left.ty.clone())
        } else if is_text(&left) && is_text(&right) && operator == Arithmetic::Add {
            let ty = match left.ty == right.ty {
                true => left.ty.clone(),
                false => CqlType::Text,
            };
            (Scalar::Concat, ty)
        } else {
            return Err(Error::invalid(format!(
                "`{name}`: there is no `{operator}` of {} and {}",
                left.ty.cql_name(),
                right.ty.cql_name()
            )));
        };
        Ok(Selected {
            node: Node::Call {
                function,
                args: vec![left, right],
            },
            ty,
            name,
        })
    }

    /// An operand, or an argument of a function, which may stand in parentheses.
    fn argument(&mut self, expr: &Expr, expected: Option<&CqlType>) -> Result<Selected> {
        match expr {
            Expr::Tuple(elements) if elements.len() == 1 => {
                let of = self.argument(&elements[0], expected)?;
                Ok(Selected {
                    name: format!("({})", of.name),
                    ..of
                })
            }
            _ => self.expression(expr, expected),
        }
    }

    /// A constant as a value of a type.
    fn constant(&self, expr: &Expr, ty: &CqlType) -> Result<Selected> {
        let millis = self.context.now.saturating_mul(1000);
        Ok(Selected {
            node: Node::Constant(expr.to_literal()?.to_bytes(ty, millis)?),
            ty: ty.clone(),
            name: expr.to_string(),
        })
    }

    /// The type of the first element that has one.
    fn first_type(&self, elements: &[Expr]) -> Option<CqlType> {
        let mut typed = elements.iter().filter(|element| !is_constant(element));
        typed.find_map(|element| {
            let mut alone = Preparer::new(self.context);
            alone.select(element).ok().map(|selected| selected.ty)
        })
    }
}

fn is_tuple(ty: &CqlType) -> bool {
    matches!(ty, CqlType::Tuple(_))
}

fn names_of(elements: &[Selected]) -> String {
    let names: Vec<&str> = elements.iter().map(|e| &*e.name).collect();
    names.join(", ")
}

fn null(ty: &CqlType) -> Selected {
    Selected {
        node: Node::Constant(None),
        ty: ty.clone(),
        name: "null".to_owned(),
    }
}

/// A bound value, if it is one of its type.
pub(super) fn bound(value: Option<&[u8]>, ty: &CqlType) -> Result<Option<Value>> {
    match value {
        Some(value) => {
            // A counter takes what it counts.
            let ty = match ty {
                CqlType::Counter => &CqlType::BigInt,
                ty => ty,
            };
            ty.validate(value)?;
            Ok(Some(value.to_vec()))
        }
        None => Ok(None),
    }
}

#[cold]
fn unknown_type(expr: &Expr) -> Error {
    Error::invalid(format!("the type of `{expr}` is not known")).advise("say it: (type) value")
}

fn field_index(definition: &UserType, field: &str) -> Result<usize> {
    let index = definition.fields.iter().position(|(name, _)| name == field);
    index.ok_or_else(|| {
        let names: Vec<&str> = definition.fields.iter().map(|(name, _)| &**name).collect();
        Error::invalid(format!("{} has no field `{field}`", definition.name))
            .advise(format!("it has {}", names.join(", ")))
    })
}

/// Whether an expression is a constant that has no type of its own.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_) => true,
        Expr::Negate(of) => is_constant(of),
        Expr::List(elements) | Expr::Set(elements) | Expr::Tuple(elements) => {
            elements.iter().all(is_constant)
        }
        Expr::Map(entries) => entries
            .iter()
            .all(|(k, v)| is_constant(k) && is_constant(v)),
        Expr::Udt(fields) => fields.iter().all(|(_, v)| is_constant(v)),
        _ => false,
    }
}

/// The user type of this name that some column of the table is made of.
fn user_type_named(schema: &TableSchema, name: &str) -> Option<Arc<UserType>> {
    fn find(ty: &CqlType, name: &str) -> Option<Arc<UserType>> {
        match ty {
            CqlType::Udt { definition, .. } if definition.name == name => Some(definition.clone()),
            CqlType::Udt { definition, .. } => {
                definition.fields.iter().find_map(|(_, ty)| find(ty, name))
            }
            CqlType::List { element, .. }
            | CqlType::Set { element, .. }
            | CqlType::Vector { element, .. } => find(element, name),
            CqlType::Map { key, value, .. } => find(key, name).or_else(|| find(value, name)),
            CqlType::Tuple(types) => types.iter().find_map(|ty| find(ty, name)),
            _ => None,
        }
    }
    schema.columns().find_map(|column| find(column.ty, name))
}
