//! Expressions of a selection, resolved: columns are numbers, functions are chosen, every part has its type.
//!
//! Authority: `o.a.c.cql3.selection.{SimpleSelector,TermSelector,ElementsSelector,FieldSelector,WritetimeOrTTLSelector,
//! ScalarFunctionSelector,AggregateFunctionSelector,ListSelector,SetSelector,MapSelector,TupleSelector,VectorSelector}`.

use super::collection::{Elements, Entries, list, push_element};
use super::function::Scalar;
use super::input::{CellTime, Input};
use super::slices::Value;
use crate::bytes::vint::write_unsigned;
use crate::sstable::data::KeyRange;
use crate::types::CqlType;
use crate::{Error, Result};
use std::borrow::Cow;
use std::ops::Range;

/// An expression with its type and the name that a result column of it gets.
#[derive(Debug, Clone)]
pub(super) struct Selected {
    pub node: Node,
    pub ty: CqlType,
    pub name: String,
}

/// What an expression does.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// The value of a fetched column.
    Column(usize),
    /// Always the same.
    Constant(Option<Value>),
    /// When a value was written, or how long it lives.
    Time { kind: TimeKind, of: Box<Selected> },
    /// An element of a set, or the value of a key of a map.
    Element { of: Box<Selected>, key: Value },
    /// The part of a set or map between two keys, both included.
    Slice { of: Box<Selected>, keys: KeyRange },
    /// A field of a user type.
    Field { of: Box<Selected>, field: usize },
    /// A function of one row.
    Call {
        function: Scalar,
        args: Vec<Selected>,
    },
    /// The result of an aggregate function, by its number.
    Aggregate(usize),
    /// A list, or a set whose elements are sorted first.
    List { elements: Vec<Selected> },
    /// A set.
    Set {
        element: CqlType,
        elements: Vec<Selected>,
    },
    /// A map.
    Map {
        key: CqlType,
        entries: Vec<(Selected, Selected)>,
    },
    /// A tuple, or a user type with all its fields in order.
    Tuple(Vec<Selected>),
    /// A vector.
    Vector {
        element: CqlType,
        elements: Vec<Selected>,
    },
}

/// What is asked about the time of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeKind {
    Written,
    MaxWritten,
    Ttl,
}

impl TimeKind {
    /// Its function's name.
    pub fn name(self) -> &'static str {
        match self {
            TimeKind::Written => "writetime",
            TimeKind::MaxWritten => "maxwritetime",
            TimeKind::Ttl => "ttl",
        }
    }
}

/// What expressions are evaluated on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// The row; of a group the first one.
    pub input: &'a Input,
    /// Results of the aggregate functions.
    pub aggregates: &'a [Option<Value>],
}

/// Times of a value: of a multi-cell one those of its elements.
enum Times<'a> {
    None,
    One(Option<CellTime>),
    Many(&'a [Option<CellTime>]),
}

impl Selected {
    /// Its value in a row.
    ///
    /// Errors: `InvalidInput` when a function cannot be applied to a value.
    pub fn value<'a>(&'a self, row: &Row<'a>) -> Result<Option<Cow<'a, [u8]>>> {
        Ok(match &self.node {
            Node::Column(i) => row.input.value(*i).map(Cow::Borrowed),
            Node::Constant(value) => value.as_deref().map(Cow::Borrowed),
            Node::Aggregate(i) => row.aggregates[*i].as_deref().map(Cow::Borrowed),
            Node::Time { kind, of } => of.times(row)?.to_value(*kind).map(Cow::Owned),
            Node::Element { of, key } => {
                let Some(collection) = of.value(row)? else {
                    return Ok(None);
                };
                let found = find_element(&of.ty, &collection, key);
                found.map(|(_, range)| part(collection, range))
            }
            Node::Slice { of, keys } => {
                let Some(collection) = of.value(row)? else {
                    return Ok(None);
                };
                let (_, bytes) = slice(&of.ty, &collection, keys);
                // A collection that is not frozen is null when it is empty.
                let is_null = of.ty.is_multi_cell() && bytes.len() == 4;
                (!is_null).then_some(Cow::Owned(bytes))
            }
            Node::Field { of, field } => match of.value(row)? {
                Some(value) => field_range(&value, *field).map(|range| part(value, range)),
                None => None,
            },
            Node::Call { function, args } => {
                let mut values = Vec::with_capacity(args.len());
                for arg in args {
                    values.push(arg.value(row)?);
                }
                function.call(&values)?.map(Cow::Owned)
            }
            Node::List { elements } => {
                let values = self.present(elements, row)?;
                Some(Cow::Owned(list(values.iter().map(|v| Some(&**v)))))
            }
            Node::Set { element, elements } => {
                let mut values = self.present(elements, row)?;
                values.sort_by(|a, b| element.compare(a, b));
                values.dedup_by(|a, b| element.compare(a, b).is_eq());
                Some(Cow::Owned(list(values.iter().map(|v| Some(&**v)))))
            }
            Node::Map { key, entries } => {
                let mut values = Vec::with_capacity(entries.len());
                for (k, v) in entries {
                    match (k.value(row)?, v.value(row)?) {
                        (Some(k), Some(v)) => values.push((k, v)),
                        _ => return Err(self.null_inside()),
                    }
                }
                values.sort_by(|a, b| key.compare(&a.0, &b.0));
                // Of equal keys the last one counts.
                values.reverse();
                values.dedup_by(|a, b| key.compare(&a.0, &b.0).is_eq());
                values.reverse();
                let flat = values.iter().flat_map(|(k, v)| [Some(&**k), Some(&**v)]);
                let mut bytes = list(flat);
                bytes[..4].copy_from_slice(&(values.len() as i32).to_be_bytes());
                Some(Cow::Owned(bytes))
            }
            Node::Tuple(fields) => {
                let mut bytes = Vec::new();
                for field in fields {
                    push_element(&mut bytes, field.value(row)?.as_deref());
                }
                Some(Cow::Owned(bytes))
            }
            Node::Vector { element, elements } => {
                let mut bytes = Vec::new();
                for value in self.present(elements, row)? {
                    if value.is_empty() && !has_empty_values(element) {
                        return Err(self.null_inside());
                    }
                    if element.fixed_length().is_none() {
                        write_unsigned(&mut bytes, value.len() as u64);
                    }
                    bytes.extend_from_slice(&value);
                }
                Some(Cow::Owned(bytes))
            }
        })
    }

    /// Tells of each column that it needs; with a range, if of a multi-cell set or map it needs just these elements.
    ///
    /// Authority: `Selector.Factory.addFetchedColumns`.
    pub fn visit_columns(&self, visit: &mut dyn FnMut(usize, Option<KeyRange>)) {
        match &self.node {
            Node::Column(i) => visit(*i, None),
            Node::Constant(_) | Node::Aggregate(_) => {}
            Node::Element { of, key } => match of.multi_cell_column() {
                Some(i) => visit(i, Some(KeyRange::of_key(key.clone()))),
                None => of.visit_columns(visit),
            },
            Node::Slice { of, keys } => match of.multi_cell_column() {
                Some(i) => visit(i, Some(keys.clone())),
                None => of.visit_columns(visit),
            },
            Node::Time { of, .. } | Node::Field { of, .. } => of.visit_columns(visit),
            Node::Call { args: parts, .. }
            | Node::List { elements: parts }
            | Node::Set {
                elements: parts, ..
            }
            | Node::Tuple(parts)
            | Node::Vector {
                elements: parts, ..
            } => parts.iter().for_each(|part| part.visit_columns(visit)),
            Node::Map { entries, .. } => {
                let parts = entries.iter().flat_map(|(key, value)| [key, value]);
                parts.for_each(|part| part.visit_columns(visit));
            }
        }
    }

    fn multi_cell_column(&self) -> Option<usize> {
        match self.node {
            Node::Column(i) if self.ty.is_multi_cell() => Some(i),
            _ => None,
        }
    }

    fn present<'a>(&self, elements: &'a [Selected], row: &Row<'a>) -> Result<Vec<Cow<'a, [u8]>>> {
        elements
            .iter()
            .map(|element| element.value(row)?.ok_or_else(|| self.null_inside()))
            .collect()
    }

    #[cold]
    fn null_inside(&self) -> Error {
        Error::invalid(format!("`{}`: there is no null in collections", self.name))
    }

    fn times<'a>(&'a self, row: &Row<'a>) -> Result<Times<'a>> {
        Ok(match &self.node {
            Node::Column(i) => {
                let times = row.input.times(*i);
                match self.ty.is_multi_cell() {
                    true => Times::Many(times),
                    false => Times::One(times.first().copied().flatten()),
                }
            }
            Node::Element { of, key } => {
                let times = of.times(row)?;
                let Some(collection) = of.value(row)? else {
                    return Ok(Times::None);
                };
                match find_element(&of.ty, &collection, key) {
                    Some((index, _)) => times.get(index),
                    None => Times::None,
                }
            }
            Node::Slice { of, keys } => {
                let times = of.times(row)?;
                let Some(collection) = of.value(row)? else {
                    return Ok(Times::None);
                };
                let (range, _) = slice(&of.ty, &collection, keys);
                match times {
                    _ if range.is_empty() => Times::None,
                    Times::Many(times) => Times::Many(times.get(range).unwrap_or_default()),
                    times => times,
                }
            }
            Node::Field { of, field } => {
                let times = of.times(row)?;
                match of.value(row)? {
                    Some(value) if field_range(&value, *field).is_some() => times.get(*field),
                    _ => Times::None,
                }
            }
            // The grammar lets nothing else in.
            _ => Times::None,
        })
    }
}

impl Times<'_> {
    fn get(self, index: usize) -> Self {
        match self {
            Times::Many([]) => Times::None,
            Times::Many(times) => Times::One(times.get(index).copied().flatten()),
            times => times,
        }
    }

    fn to_value(&self, kind: TimeKind) -> Option<Value> {
        let of = |time: &CellTime| match kind {
            TimeKind::Ttl => time.ttl.map(|ttl| ttl.to_be_bytes().to_vec()),
            _ => Some(time.written.to_be_bytes().to_vec()),
        };
        match self {
            Times::None | Times::Many([]) => None,
            Times::One(time) => time.as_ref().and_then(of),
            Times::Many(times) if kind == TimeKind::MaxWritten => {
                let max = times.iter().flatten().map(|time| time.written).max();
                max.map(|written| written.to_be_bytes().to_vec())
            }
            Times::Many(times) => {
                let values: Vec<_> = times.iter().map(|t| t.as_ref().and_then(of)).collect();
                Some(list(values.iter().map(Option::as_deref)))
            }
        }
    }
}

/// A part of a value, without copying what is borrowed.
fn part(value: Cow<'_, [u8]>, range: Range<usize>) -> Cow<'_, [u8]> {
    match value {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[range]),
        Cow::Owned(bytes) => Cow::Owned(bytes[range].to_vec()),
    }
}

/// Where `inner` lies in `outer`, of which it is a part.
fn range_in(outer: &[u8], inner: &[u8]) -> Range<usize> {
    let start = inner.as_ptr().addr() - outer.as_ptr().addr();
    start..start + inner.len()
}

fn field_range(value: &[u8], field: usize) -> Option<Range<usize>> {
    let field = Elements::of_tuple(value).nth(field)??;
    Some(range_in(value, field))
}

/// The number and the value of the element `key` of a set or map.
fn find_element(ty: &CqlType, collection: &[u8], key: &[u8]) -> Option<(usize, Range<usize>)> {
    let (index, value) = match ty {
        CqlType::Map { key: ty, .. } => Entries::of(collection)
            .enumerate()
            .find(|(_, (k, _))| ty.compare(k, key).is_eq())
            .map(|(i, (_, value))| (i, value))?,
        CqlType::Set { element, .. } => Elements::of(collection)
            .flatten()
            .enumerate()
            .find(|(_, e)| element.compare(e, key).is_eq())?,
        _ => return None,
    };
    Some((index, range_in(collection, value)))
}

/// The numbers of the elements of a set or map between two keys, and a collection of them.
fn slice(ty: &CqlType, collection: &[u8], keys: &KeyRange) -> (Range<usize>, Vec<u8>) {
    let (mut numbers, mut values) = (None, Vec::new());
    let mut take = |number: usize| {
        let start = numbers
            .as_ref()
            .map_or(number, |range: &Range<usize>| range.start);
        numbers = Some(start..number + 1);
    };
    match ty {
        CqlType::Map { key: ty, .. } => {
            for (number, (key, value)) in Entries::of(collection).enumerate() {
                if keys.contains(ty, key) {
                    take(number);
                    values.extend([Some(key), Some(value)]);
                }
            }
        }
        CqlType::Set { element, .. } => {
            for (number, key) in Elements::of(collection).flatten().enumerate() {
                if keys.contains(element, key) {
                    take(number);
                    values.push(Some(key));
                }
            }
        }
        _ => {}
    }
    let numbers = numbers.unwrap_or(0..0);
    let mut bytes = list(values);
    bytes[..4].copy_from_slice(&(numbers.len() as i32).to_be_bytes());
    (numbers, bytes)
}

/// Whether no bytes are a value of the type, and not null.
///
/// Authority: `TypeSerializer.isNull` and what overrides it.
fn has_empty_values(ty: &CqlType) -> bool {
    matches!(
        ty,
        CqlType::Ascii
            | CqlType::Text
            | CqlType::Blob
            | CqlType::Tuple(_)
            | CqlType::Udt { .. }
            | CqlType::Composite(_)
            | CqlType::DynamicComposite(_)
            | CqlType::Custom(_)
    )
}
