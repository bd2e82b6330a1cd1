//! Collections, tuples and values of user types whose parts are no constants.
//!
//! Authority: `o.a.c.cql3.selection.Selectable.{WithList,WithSet,WithMapOrUdt,WithVector,BetweenParenthesesOrWithTuple}`.

use super::{Preparer, field_index, is_tuple, names_of, null, unknown_type};
use crate::cql::ast::{Expr, field_hash_order};
use crate::query::selection::{Node, Selected};
use crate::types::CqlType;
use crate::{Error, Result};
use std::sync::Arc;

impl Preparer<'_> {
    /// Elements that are no constants all. `types` gives the type that each is to have, if it is known.
    fn elements<'t>(
        &mut self,
        elements: &[Expr],
        types: impl Fn(usize) -> Option<&'t CqlType>,
    ) -> Result<Vec<Selected>> {
        elements
            .iter()
            .enumerate()
            .map(|(i, element)| match types(i) {
                Some(ty) => self.typed(element, ty),
                None => self.select(element),
            })
            .collect()
    }

    /// Elements of the type that is wanted of them, or else of the first whose type is known; and that type, frozen.
    fn of_one_type(
        &mut self,
        expr: &Expr,
        elements: &[Expr],
        wanted: Option<&CqlType>,
    ) -> Result<(CqlType, Vec<Selected>)> {
        let found = self.first_type(elements);
        let ty = wanted.or(found.as_ref()).cloned();
        let elements = self.elements(elements, |_| ty.as_ref())?;
        let ty = ty.ok_or_else(|| unknown_type(expr))?.freeze();
        Ok((ty, elements))
    }

    /// A tuple, or an expression in parentheses, of which Cassandra wants to know the type beforehand.
    pub(super) fn tuple(
        &mut self,
        expr: &Expr,
        elements: &[Expr],
        expected: Option<&CqlType>,
    ) -> Result<Selected> {
        match (elements, expected) {
            ([_], None) => return Err(unknown_type(expr)),
            ([_], Some(ty)) if !is_tuple(ty) => return self.argument(expr, expected),
            _ => {}
        }
        let fields: Option<&[CqlType]> = match expected {
            Some(CqlType::Tuple(types)) => Some(types),
            _ => None,
        };
        let elements = self.elements(elements, |i| fields.and_then(|types| types.get(i)))?;
        let ty = CqlType::Tuple(elements.iter().map(|e| e.ty.freeze()).collect());
        Ok(Selected {
            name: format!("({})", names_of(&elements)),
            ty,
            node: Node::Tuple(elements),
        })
    }

    pub(super) fn list(
        &mut self,
        expr: &Expr,
        elements: &[Expr],
        expected: Option<&CqlType>,
    ) -> Result<Selected> {
        let wanted = match expected {
            Some(CqlType::List { element, .. } | CqlType::Vector { element, .. }) => {
                Some(&**element)
            }
            _ => None,
        };
        let (element, elements) = self.of_one_type(expr, elements, wanted)?;
        let name = format!("[{}]", names_of(&elements));
        if let Some(CqlType::Vector { dimension, .. }) = expected {
            if *dimension as usize != elements.len() {
                return Err(Error::invalid(format!(
                    "`{expr}` has {} elements, the vector {dimension}",
                    elements.len()
                )));
            }
            return Ok(Selected {
                ty: CqlType::Vector {
                    element: Arc::new(element.clone()),
                    dimension: *dimension,
                },
                node: Node::Vector { element, elements },
                name,
            });
        }
        Ok(Selected {
            ty: CqlType::List {
                element: Arc::new(element),
                frozen: true,
            },
            node: Node::List { elements },
            name,
        })
    }

    pub(super) fn set(
        &mut self,
        expr: &Expr,
        elements: &[Expr],
        expected: Option<&CqlType>,
    ) -> Result<Selected> {
        let wanted = match expected {
            Some(CqlType::Set { element, .. }) => Some(&**element),
            _ => None,
        };
        let (element, elements) = self.of_one_type(expr, elements, wanted)?;
        Ok(Selected {
            name: format!("{{{}}}", names_of(&elements)),
            ty: CqlType::Set {
                element: Arc::new(element.clone()),
                frozen: true,
            },
            node: Node::Set { element, elements },
        })
    }

    pub(super) fn map(
        &mut self,
        expr: &Expr,
        entries: &[(Expr, Expr)],
        expected: Option<&CqlType>,
    ) -> Result<Selected> {
        let Some(CqlType::Map { key, value, .. }) = expected else {
            return Err(unknown_type(expr));
        };
        let mut selected = Vec::with_capacity(entries.len());
        for (k, v) in entries {
            selected.push((self.typed(k, key)?, self.typed(v, value)?));
        }
        let names: Vec<String> = selected
            .iter()
            .map(|(k, v)| format!("{}: {}", k.name, v.name))
            .collect();
        Ok(Selected {
            name: format!("{{{}}}", names.join(", ")),
            ty: CqlType::Map {
                key: key.clone(),
                value: value.clone(),
                frozen: true,
            },
            node: Node::Map {
                key: (**key).clone(),
                entries: selected,
            },
        })
    }

    pub(super) fn user_type(
        &mut self,
        expr: &Expr,
        fields: &[(String, Expr)],
        expected: Option<&CqlType>,
    ) -> Result<Selected> {
        let Some(CqlType::Udt { definition, .. }) = expected else {
            // A map, with columns as keys, looks the same.
            let entries = fields
                .iter()
                .map(|(k, v)| (Expr::Column(k.clone()), v.clone()));
            return self.map(expr, &entries.collect::<Vec<_>>(), expected);
        };
        let mut selected: Vec<Selected> =
            definition.fields.iter().map(|(_, ty)| null(ty)).collect();
        let mut names = Vec::new();
        for (name, value) in fields {
            let index = field_index(definition, name)?;
            let value = self.typed(value, &definition.fields[index].1)?;
            names.push((
                field_hash_order(name, fields.len()),
                format!("{name}: {}", value.name),
            ));
            selected[index] = value;
        }
        names.sort_by_key(|(order, _)| *order);
        let names: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
        Ok(Selected {
            name: format!("{{{}}}", names.join(", ")),
            ty: CqlType::Udt {
                definition: definition.clone(),
                frozen: true,
            },
            node: Node::Tuple(selected),
        })
    }
}
