//! Bind markers: what they stand for, and values put in their place.
//!
//! Authority: `o.a.c.cql3.{VariableSpecifications,AbstractMarker,Attributes,Lists,Maps,Tuples}`,
//! `o.a.c.cql3.statements.SelectStatement`.
//!
//! One walk over a statement meets its markers in the order in which they were written, and knows the type that is wanted
//! of each. Where values are given they take the markers' places, so that nobody else needs to know of markers.

use super::collection::Elements;
use super::columns::find_column;
use crate::cql::ast::{
    BindMarker, Change, ColumnCondition, Condition, ConditionPart, ConditionTest, Delete,
    DeleteTarget, Expr, InValues, Insert, InsertSource, Limit, Modification, QualifiedName,
    Relation, Select, Selection, Statement, Update, Using,
};
use crate::schema::{ColumnRef, TableSchema};
use crate::types::{CqlType, UserType};
use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// What a bind marker stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct BindVariable {
    /// The marker's own name, else that of its column, or of what it is otherwise: `in(c)`, `key(c)`, `[limit]`.
    pub name: String,
    /// The type of its values.
    pub ty: CqlType,
}

/// What becomes of a marker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Given {
    /// It stays.
    Nothing,
    /// What it is for stays as it is.
    Unset,
    /// It is this value, `None` for null.
    Value(Option<Vec<u8>>),
}

/// Is called for each marker, with what it is for and its type.
pub(crate) type Visit<'v> = dyn FnMut(&BindMarker, Use<'_>, &CqlType) -> Result<Given> + 'v;

/// Finds the table of a name.
pub(crate) type FindTable<'f> = dyn Fn(&QualifiedName) -> Result<Arc<TableSchema>> + 'f;

/// What a marker is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use<'a> {
    /// A column, or what has a name of its own.
    Of(&'a str),
    /// The values of `IN`.
    In(&'a str),
    /// The key of a map.
    Key(&'a str),
    /// The index of a list.
    Index(&'a str),
    /// An element of a collection, or a part of a column.
    Value(&'a str),
}

impl fmt::Display for Use<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Use::Of(name) => f.write_str(name),
            Use::In(name) => write!(f, "in({name})"),
            Use::Key(name) => write!(f, "key({name})"),
            Use::Index(name) => write!(f, "idx({name})"),
            Use::Value(name) => write!(f, "value({name})"),
        }
    }
}

impl<'a> Use<'a> {
    fn name(self) -> &'a str {
        match self {
            Use::Of(name)
            | Use::In(name)
            | Use::Key(name)
            | Use::Index(name)
            | Use::Value(name) => name,
        }
    }
}

/// Visits all markers of a statement, in their order.
///
/// # Errors
/// `NotFound` and `InvalidInput` for tables and columns that there are not, for a marker whose type is not known, and for
/// what is unset where it cannot be; those of `find` and `visit`.
pub(crate) fn visit_markers(
    statement: &mut Statement,
    find: &FindTable<'_>,
    visit: &mut Visit<'_>,
) -> Result<()> {
    match statement {
        Statement::Select(select) => {
            let schema = find(&select.from)?;
            Walk {
                schema: &schema,
                visit,
            }
            .select(select)
        }
        Statement::Use(_) => Ok(()),
        Statement::Modification(modification) => {
            let schema = find(modification.table())?;
            Walk {
                schema: &schema,
                visit,
            }
            .modification(modification)
        }
        Statement::Batch(batch) => {
            if let Some(first) = batch.statements.first() {
                let schema = find(first.table())?;
                Walk {
                    schema: &schema,
                    visit: &mut *visit,
                }
                .using(&mut batch.using)?;
            }
            for modification in &mut batch.statements {
                let schema = find(modification.table())?;
                Walk {
                    schema: &schema,
                    visit: &mut *visit,
                }
                .modification(modification)?;
            }
            Ok(())
        }
    }
}

/// A walk over the statement of one table.
struct Walk<'w, 'v> {
    schema: &'w TableSchema,
    visit: &'w mut Visit<'v>,
}

#[cold]
fn unset(of: Use<'_>) -> Error {
    Error::invalid(format!("`{of}` is unset, and cannot be")).advise("bind a value")
}

fn set_of(element: &Arc<CqlType>) -> CqlType {
    CqlType::Set {
        element: element.clone(),
        frozen: false,
    }
}

fn list_of(element: CqlType) -> CqlType {
    CqlType::List {
        element: Arc::new(element),
        frozen: true,
    }
}

fn bound(value: Option<&[u8]>) -> Expr {
    Expr::Bound(value.map(<[u8]>::to_vec))
}

impl<'w> Walk<'w, '_> {
    fn column(&self, name: &str) -> Result<ColumnRef<'w>> {
        find_column(self.schema, name)
    }

    /// Visits a marker that must have a value if it does not stay.
    fn set(
        &mut self,
        marker: &BindMarker,
        of: Use<'_>,
        ty: &CqlType,
    ) -> Result<Option<Option<Vec<u8>>>> {
        match (self.visit)(marker, of, ty)? {
            Given::Nothing => Ok(None),
            Given::Unset => Err(unset(of)),
            Given::Value(value) => Ok(Some(value)),
        }
    }

    /// Visits the markers of a term. `false` if it is a marker that is unset.
    fn term(&mut self, expr: &mut Expr, ty: Option<&CqlType>, of: Use<'_>) -> Result<bool> {
        match expr {
            Expr::Bind(marker) => {
                let ty = ty.ok_or_else(|| {
                    Error::invalid(format!("the type of `{marker}` is not known"))
                        .advise("say it: (type) ?")
                })?;
                match (self.visit)(marker, of, ty)? {
                    Given::Nothing => {}
                    Given::Unset => return Ok(false),
                    Given::Value(value) => *expr = Expr::Bound(value),
                }
            }
            Expr::List(elements) | Expr::Set(elements) => {
                let element = match ty {
                    Some(
                        CqlType::List { element, .. }
                        | CqlType::Set { element, .. }
                        | CqlType::Vector { element, .. },
                    ) => Some(&**element),
                    _ => None,
                };
                for inner in elements {
                    self.part(inner, element, Use::Value(of.name()))?;
                }
            }
            Expr::Tuple(elements) => {
                for (i, inner) in elements.iter_mut().enumerate() {
                    let ty = match ty {
                        Some(CqlType::Tuple(types)) => types.get(i),
                        // Mere parentheses.
                        ty => ty,
                    };
                    self.part(inner, ty, of)?;
                }
            }
            Expr::Map(entries) => {
                let (key, value) = match ty {
                    Some(CqlType::Map { key, value, .. }) => (Some(&**key), Some(&**value)),
                    _ => (None, None),
                };
                for (k, v) in entries {
                    self.part(k, key, Use::Key(of.name()))?;
                    self.part(v, value, Use::Value(of.name()))?;
                }
            }
            Expr::Udt(fields) => {
                for (name, inner) in fields {
                    let ty = match ty {
                        Some(CqlType::Udt { definition, .. }) => field_type(definition, name),
                        Some(CqlType::Map { value, .. }) => Some(&**value),
                        _ => None,
                    };
                    self.part(inner, ty, Use::Value(of.name()))?;
                }
            }
            Expr::TypeHint { ty: text, expr } => {
                let hinted = CqlType::parse_cql(&text.0, &|_, _| None).ok();
                self.part(expr, hinted.as_ref(), of)?;
            }
            Expr::Negate(inner) => self.part(inner, ty, of)?,
            Expr::Arithmetic { left, right, .. } => {
                self.part(left, ty, of)?;
                self.part(right, ty, of)?;
            }
            Expr::Call { name, args } => {
                let key = &self.schema.partition_key;
                let is_token = name.name == "token";
                for (i, arg) in args.iter_mut().enumerate() {
                    let column = key.get(i).filter(|_| is_token);
                    let of = column.map_or(of, |column| Use::Of(&column.name));
                    self.part(arg, column.map(|column| &column.ty), of)?;
                }
            }
            Expr::Cast { expr: inner, .. }
            | Expr::WriteTime(inner)
            | Expr::MaxWriteTime(inner)
            | Expr::Ttl(inner)
            | Expr::Field { of: inner, .. } => self.part(inner, None, of)?,
            Expr::Element { of: inner, key } => {
                let ty = self.key_type(inner);
                self.part(inner, None, of)?;
                self.part(key, ty, Use::Key(of.name()))?;
            }
            Expr::Slice {
                of: inner,
                from,
                to,
            } => {
                let ty = self.key_type(inner);
                self.part(inner, None, of)?;
                for key in [from, to].into_iter().flatten() {
                    self.part(key, ty, Use::Key(of.name()))?;
                }
            }
            Expr::Literal(_) | Expr::Column(_) | Expr::Bound(_) | Expr::CountRows => {}
        }
        Ok(true)
    }

    /// [`term`](Self::term) of what cannot be unset.
    fn part(&mut self, expr: &mut Expr, ty: Option<&CqlType>, of: Use<'_>) -> Result<()> {
        match self.term(expr, ty, of)? {
            true => Ok(()),
            false => Err(unset(of)),
        }
    }

    /// The type of the keys of a column that is a set or map.
    fn key_type(&self, of: &Expr) -> Option<&'w CqlType> {
        let Expr::Column(name) = of else {
            return None;
        };
        match self.schema.column(name)?.ty {
            CqlType::Set { element: key, .. } | CqlType::Map { key, .. } => Some(key),
            _ => None,
        }
    }

    fn select(&mut self, select: &mut Select) -> Result<()> {
        if let Selection::Selectors(selectors) = &mut select.selection {
            for selector in selectors {
                self.part(&mut selector.expr, None, Use::Of("[selection]"))?;
            }
        }
        self.relations(&mut select.relations)?;
        for expr in &mut select.group_by {
            self.part(expr, None, Use::Of("[group]"))?;
        }
        for ordering in &mut select.order_by {
            if let Some(vector) = &mut ordering.ann_of {
                let column = self.column(&ordering.column)?;
                self.part(vector, Some(column.ty), Use::Of(column.name))?;
            }
        }
        self.limit(&mut select.per_partition_limit, "[per_partition_limit]")?;
        self.limit(&mut select.limit, "[limit]")
    }

    fn limit(&mut self, limit: &mut Option<Limit>, name: &str) -> Result<()> {
        let Some(Limit::Bind(marker)) = limit else {
            return Ok(());
        };
        match (self.visit)(marker, Use::Of(name), &CqlType::Int)? {
            Given::Nothing => {}
            Given::Unset => *limit = None,
            Given::Value(value) => {
                let rows = value.and_then(|value| value.try_into().ok());
                let rows = rows.and_then(|rows| u32::try_from(i32::from_be_bytes(rows)).ok());
                let rows = rows.filter(|rows| *rows > 0);
                let rows = rows.ok_or_else(|| {
                    Error::invalid(format!("`{name}` is a number of rows, at least one"))
                })?;
                *limit = Some(Limit::Rows(rows));
            }
        }
        Ok(())
    }

    fn modification(&mut self, modification: &mut Modification) -> Result<()> {
        match modification {
            Modification::Insert(insert) => self.insert(insert),
            Modification::Update(update) => self.update(update),
            Modification::Delete(delete) => self.delete(delete),
        }
    }

    fn using(&mut self, using: &mut Using) -> Result<()> {
        let timestamp = (&mut using.timestamp, CqlType::BigInt, "[timestamp]");
        let ttl = (&mut using.ttl, CqlType::Int, "[ttl]");
        let in_order = match using.ttl_first {
            true => [ttl, timestamp],
            false => [timestamp, ttl],
        };
        for (slot, ty, name) in in_order {
            if let Some(expr) = slot
                && !self.term(expr, Some(&ty), Use::Of(name))?
            {
                *slot = None;
            }
        }
        Ok(())
    }

    fn insert(&mut self, insert: &mut Insert) -> Result<()> {
        match &mut insert.source {
            InsertSource::Values { columns, values } => {
                let mut gone = Vec::new();
                for (i, (name, value)) in columns.iter().zip(&mut *values).enumerate() {
                    let column = self.column(name)?;
                    if !self.term(value, Some(column.ty), Use::Of(name))? {
                        if column.is_of_key() {
                            return Err(unset(Use::Of(name)));
                        }
                        gone.push(i);
                    }
                }
                for i in gone.into_iter().rev() {
                    columns.remove(i);
                    values.remove(i);
                }
            }
            InsertSource::Json { text, .. } => {
                self.part(text, Some(&CqlType::Text), Use::Of("[json]"))?;
            }
        }
        self.using(&mut insert.using)
    }

    fn update(&mut self, update: &mut Update) -> Result<()> {
        self.using(&mut update.using)?;
        let mut gone = Vec::new();
        for (i, assignment) in update.assignments.iter_mut().enumerate() {
            let column = self.column(&assignment.column)?;
            if !self.change(&mut assignment.change, &column)? {
                gone.push(i);
            }
        }
        for i in gone.into_iter().rev() {
            update.assignments.remove(i);
        }
        self.relations(&mut update.relations)?;
        self.condition(&mut update.condition)
    }

    /// `false` if it changes nothing as its value is unset.
    fn change(&mut self, change: &mut Change, column: &ColumnRef<'_>) -> Result<bool> {
        let (ty, name) = (column.ty, &**column.name);
        match change {
            Change::Set(value) | Change::Add(value) | Change::Prepend(value) => {
                self.term(value, Some(ty), Use::Of(name))
            }
            Change::Subtract(value) => match ty {
                CqlType::Map { key, .. } => self.term(value, Some(&set_of(key)), Use::Of(name)),
                ty => self.term(value, Some(ty), Use::Of(name)),
            },
            Change::SetElement { key, value } => {
                let (of, key_type, value_type) = element_types(ty, name);
                self.part(key, key_type, of)?;
                self.term(value, value_type, Use::Value(name))
            }
            Change::SetField { field, value } => {
                self.term(value, field_of(ty, field), Use::Value(name))
            }
        }
    }

    fn delete(&mut self, delete: &mut Delete) -> Result<()> {
        let mut gone = Vec::new();
        for (i, target) in delete.targets.iter_mut().enumerate() {
            if let DeleteTarget::Element { column, key } = target {
                let column = self.column(column)?;
                let (of, mut key_type, _) = element_types(column.ty, column.name);
                if let CqlType::Set { element, .. } = column.ty {
                    key_type = Some(element);
                }
                if !self.term(key, key_type, of)? {
                    gone.push(i);
                }
            }
        }
        // Without any target it would delete the row.
        if !gone.is_empty() && gone.len() == delete.targets.len() {
            return Err(unset(Use::Of("[key]")));
        }
        for i in gone.into_iter().rev() {
            delete.targets.remove(i);
        }
        self.using(&mut delete.using)?;
        self.relations(&mut delete.relations)?;
        self.condition(&mut delete.condition)
    }

    fn relations(&mut self, relations: &mut [Relation]) -> Result<()> {
        relations
            .iter_mut()
            .try_for_each(|relation| self.relation(relation))
    }

    fn relation(&mut self, relation: &mut Relation) -> Result<()> {
        match relation {
            Relation::Column { column, value, .. } | Relation::Like { column, value } => {
                let column = self.column(column)?;
                let ty = compared(column.ty);
                self.part(value, Some(&ty), Use::Of(column.name))
            }
            Relation::In { column, values } => {
                let column = self.column(column)?;
                let ty = compared(column.ty);
                self.one_of(values, &ty, column.name, false)
            }
            Relation::Element {
                column, key, value, ..
            } => {
                let column = self.column(column)?;
                let (of, key_type, value_type) = element_types(column.ty, column.name);
                self.part(key, key_type, of)?;
                self.part(value, value_type, Use::Value(column.name))
            }
            Relation::Contains { column, key, value } => {
                let column = self.column(column)?;
                let ty = contained(column.ty, *key);
                let of = match key {
                    true => Use::Key(column.name),
                    false => Use::Value(column.name),
                };
                self.part(value, ty, of)
            }
            Relation::IsNotNull { .. } => Ok(()),
            Relation::Tuple { columns, value, .. } => {
                let (ty, name) = self.tuple(columns)?;
                self.tuple_value(value, &ty, &name)
            }
            Relation::TupleIn { columns, values } => {
                let (ty, name) = self.tuple(columns)?;
                if let InValues::Bind(marker) = values {
                    let list = list_of(ty);
                    if let Some(value) = self.set(marker, Use::In(&name), &list)? {
                        let value = value.ok_or_else(|| null_list(&name))?;
                        let tuples = Elements::of(&value).map(|tuple| {
                            let fields = Elements::of_tuple(tuple.unwrap_or_default());
                            Expr::Tuple(fields.map(bound).collect())
                        });
                        *values = InValues::List(tuples.collect());
                    }
                    return Ok(());
                }
                if let InValues::List(tuples) = values {
                    for tuple in tuples {
                        self.tuple_value(tuple, &ty, &name)?;
                    }
                }
                Ok(())
            }
            Relation::Token { value, .. } => self.part(
                value,
                Some(&CqlType::BigInt),
                Use::Of("partition key token"),
            ),
            Relation::Index { index, value } => {
                self.part(value, None, Use::Of(&index.name)).map(drop)
            }
        }
    }

    fn tuple(&self, columns: &[String]) -> Result<(CqlType, String)> {
        let types = columns
            .iter()
            .map(|name| Ok(self.column(name)?.ty.clone()))
            .collect::<Result<Vec<_>>>()?;
        Ok((
            CqlType::Tuple(types.into()),
            format!("({})", columns.join(",")),
        ))
    }

    fn tuple_value(&mut self, value: &mut Expr, ty: &CqlType, name: &str) -> Result<()> {
        let Expr::Bind(marker) = value else {
            return self.part(value, Some(ty), Use::Of(name));
        };
        if let Some(given) = self.set(marker, Use::Of(name), ty)? {
            let given = given.unwrap_or_default();
            *value = Expr::Tuple(Elements::of_tuple(&given).map(bound).collect());
        }
        Ok(())
    }

    /// The values of `IN`; those that are unset may be left out of a condition.
    fn one_of(
        &mut self,
        values: &mut InValues,
        ty: &CqlType,
        name: &str,
        leaves_out: bool,
    ) -> Result<()> {
        match values {
            InValues::Bind(marker) => {
                let list = list_of(ty.clone());
                if let Some(value) = self.set(marker, Use::In(name), &list)? {
                    let value = value.ok_or_else(|| null_list(name))?;
                    *values = InValues::List(Elements::of(&value).map(bound).collect());
                }
            }
            InValues::List(list) => {
                let mut gone = Vec::new();
                for (i, value) in list.iter_mut().enumerate() {
                    if !self.term(value, Some(ty), Use::Of(name))? {
                        if !leaves_out {
                            return Err(unset(Use::Of(name)));
                        }
                        gone.push(i);
                    }
                }
                for i in gone.into_iter().rev() {
                    list.remove(i);
                }
            }
        }
        Ok(())
    }

    fn condition(&mut self, condition: &mut Condition) -> Result<()> {
        let Condition::Columns(conditions) = condition else {
            return Ok(());
        };
        for ColumnCondition { column, part, test } in conditions {
            let column = self.column(column)?;
            let name = &**column.name;
            let ty = match part {
                ConditionPart::Whole => Some(column.ty),
                ConditionPart::Element(key) => {
                    let (of, key_type, value_type) = element_types(column.ty, name);
                    self.part(key, key_type, of)?;
                    value_type
                }
                ConditionPart::Field(field) => field_of(column.ty, field),
            };
            match (test, ty) {
                (ConditionTest::Compare(_, value), ty) => self.part(value, ty, Use::Of(name))?,
                (ConditionTest::In(values), Some(ty)) => {
                    self.one_of(values, &ty.freeze(), name, true)?;
                }
                (ConditionTest::In(_), None) => {}
                (ConditionTest::Contains { key, value }, _) => {
                    self.part(value, contained(column.ty, *key), Use::Value(name))?;
                }
            }
        }
        Ok(())
    }
}

#[cold]
fn null_list(name: &str) -> Error {
    Error::invalid(format!("the values of `{name}` IN are null"))
}

/// The type that values of a column are compared as.
fn compared(ty: &CqlType) -> CqlType {
    match ty {
        CqlType::Counter => CqlType::BigInt,
        ty => ty.freeze(),
    }
}

/// What an element of a map or list is told by: the use, its type, and the type of the element.
fn element_types<'t, 'n>(
    ty: &'t CqlType,
    name: &'n str,
) -> (Use<'n>, Option<&'t CqlType>, Option<&'t CqlType>) {
    match ty {
        CqlType::Map { key, value, .. } => (Use::Key(name), Some(key), Some(value)),
        CqlType::List { element, .. } => (Use::Index(name), Some(&CqlType::Int), Some(element)),
        _ => (Use::Key(name), None, None),
    }
}

fn field_type<'t>(definition: &'t UserType, field: &str) -> Option<&'t CqlType> {
    let mut fields = definition.fields.iter();
    let found = fields.find(|(name, _)| name == field);
    found.map(|(_, ty)| ty)
}

fn field_of<'t>(ty: &'t CqlType, field: &str) -> Option<&'t CqlType> {
    match ty {
        CqlType::Udt { definition, .. } => field_type(definition, field),
        _ => None,
    }
}

/// The type of what a collection contains.
pub(super) fn contained(ty: &CqlType, key: bool) -> Option<&CqlType> {
    match (ty, key) {
        (CqlType::List { element, .. } | CqlType::Set { element, .. }, false) => Some(element),
        (CqlType::Map { value, .. }, false) => Some(value),
        (CqlType::Map { key, .. }, true) => Some(key),
        _ => None,
    }
}
