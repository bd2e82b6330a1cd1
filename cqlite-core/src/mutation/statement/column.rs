//! What a statement does to one column of a row.
//!
//! Authority: `o.a.c.cql3.{Operation,Constants,Lists,Sets,Maps,UserTypes}`.

use super::Modifier;
use crate::cql::ast::{Arithmetic, Change, DeleteTarget, Expr, TypeText};
use crate::model::Cell;
use crate::mutation::WriteTime;
use crate::mutation::draft::{Draft, deletion};
use crate::mutation::insert::visible_column;
use crate::query::{CurrentRow, Sought};
use crate::schema::{ColumnKind, TableSchema};
use crate::types::CqlType;
use crate::{Error, Result};

/// A column that a statement changes.
pub(super) struct Named<'t> {
    name: &'t str,
    ty: &'t CqlType,
    number: usize,
    pub(super) is_static: bool,
}

impl<'t> Named<'t> {
    /// The column of that name.
    pub(super) fn of(table: &'t TableSchema, name: &str) -> Result<Self> {
        let column = visible_column(table, name)?;
        if matches!(
            column.kind,
            ColumnKind::PartitionKey | ColumnKind::Clustering
        ) {
            return Err(Error::invalid(format!(
                "the column `{name}` is of the primary key, and cannot be changed"
            )));
        }
        Ok(Named {
            name: column.name,
            ty: column.ty,
            number: column.index,
            is_static: column.kind == ColumnKind::Static,
        })
    }

    #[cold]
    fn refuse(&self, what: &str) -> Error {
        let (name, ty) = (self.name, self.ty.cql_name());
        Error::invalid(format!("the column `{name}` is of type {ty}: {what}"))
    }

    #[cold]
    fn needs_read(&self) -> Error {
        Error::unsupported(format!(
            "the column `{}`: what it becomes depends on what it is, which is not read here",
            self.name
        ))
        .advise("set the whole column")
    }

    /// Path and type of a field of a user type.
    fn field(&self, field: &str) -> Result<([u8; 2], &'t CqlType)> {
        let fields = match self.ty {
            CqlType::Udt { definition, .. } => &definition.fields[..],
            _ => &[],
        };
        let i = fields.iter().position(|(name, _)| name == field);
        let i = i.ok_or_else(|| self.refuse(&format!("it has no field `{field}`")))?;
        Ok(((i as u16).to_be_bytes(), &fields[i].1))
    }
}

/// Whether values can be added to it in a statement that reads it anyway.
fn is_addable(ty: &CqlType) -> bool {
    matches!(
        ty,
        CqlType::TinyInt
            | CqlType::SmallInt
            | CqlType::Int
            | CqlType::BigInt
            | CqlType::Varint
            | CqlType::Float
            | CqlType::Double
            | CqlType::Decimal
            | CqlType::Text
            | CqlType::Ascii
    )
}

impl Modifier {
    /// The row that has the column.
    fn row_of(&mut self, column: &Named<'_>) -> &mut Draft {
        match column.is_static {
            true => &mut self.static_row,
            false => &mut self.row,
        }
    }

    fn value_of(
        &self,
        column: &Named<'_>,
        expr: &Expr,
        ty: &CqlType,
        when: &WriteTime,
    ) -> Result<Option<Vec<u8>>> {
        self.column_term(expr, ty, column.name, when.now)
    }

    /// Paths and values of the cells that a column has now.
    fn elements(&self, column: &Named<'_>, when: &WriteTime) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let view = self.held.view().ok_or_else(|| column.needs_read())?;
        let sought = match column.is_static {
            true => Sought::First,
            false => Sought::Row(&self.clustering),
        };
        let current = CurrentRow::read(view.reader(), &self.partition, sought, when.now)?;
        let cells = current.cells(column.is_static, column.number);
        let element = |cell: Cell<'_>| {
            let path = cell.path.unwrap_or_default();
            (path.to_vec(), cell.value.to_vec())
        };
        Ok(cells.map(element).collect())
    }

    /// The path of the element of a list at an index.
    fn element_at(&self, column: &Named<'_>, index: &Expr, when: &WriteTime) -> Result<Vec<u8>> {
        let index = self.value_of(column, index, &CqlType::Int, when)?;
        let index = index.and_then(|index| index.try_into().ok());
        let index = i32::from_be_bytes(index.ok_or_else(|| column.refuse("an index is no null"))?);
        let mut elements = self.elements(column, when)?;
        let found = usize::try_from(index).ok().filter(|i| *i < elements.len());
        match (found, elements.is_empty()) {
            (Some(found), _) => Ok(elements.swap_remove(found).0),
            (None, true) => Err(column.refuse("it is null, and has no elements")),
            (None, false) => Err(column.refuse(&format!(
                "it has {} elements, and none at {index}",
                elements.len()
            ))),
        }
    }

    /// Does what `SET` says.
    pub(super) fn assign(
        &mut self,
        column: &Named<'_>,
        change: &Change,
        when: &WriteTime,
    ) -> Result<()> {
        let (ty, number) = (column.ty, column.number);
        let multi = ty.is_multi_cell();
        match change {
            Change::Add(expr) | Change::Subtract(expr) if *ty == CqlType::Counter => {
                let value = self.value_of(column, expr, ty, when)?;
                let by = value.and_then(|value| value.try_into().ok());
                let by = i64::from_be_bytes(by.ok_or_else(|| column.refuse("null is no count"))?);
                let by = match change {
                    Change::Subtract(_) => by.checked_neg().ok_or_else(|| {
                        column.refuse("it cannot be counted down by the smallest bigint")
                    })?,
                    _ => by,
                };
                self.row_of(column).count(number, by, when)
            }
            Change::Add(expr) if !multi && self.is_met && is_addable(ty) => {
                self.add_to(column, expr, when)
            }
            _ if *ty == CqlType::Counter => {
                Err(column.refuse("it can be counted up and down, and not be set"))
            }
            Change::Set(expr) => {
                let value = self.value_of(column, expr, ty, when)?;
                let row = match column.is_static {
                    true => &mut self.static_row,
                    false => &mut self.row,
                };
                row.set(number, ty, value.as_deref(), when, &mut self.ids)
            }
            Change::Add(expr) | Change::Prepend(expr) if multi => {
                let prepends = matches!(change, Change::Prepend(_));
                match ty {
                    CqlType::List { .. } => {}
                    CqlType::Set { .. } | CqlType::Map { .. } if !prepends => {}
                    _ => return Err(column.refuse("nothing can be added to it so")),
                }
                let Some(value) = self.value_of(column, expr, ty, when)? else {
                    return Ok(());
                };
                let count = value.first_chunk().map_or(0, |c| i32::from_be_bytes(*c));
                let mut paths = Vec::new();
                if matches!(ty, CqlType::List { .. }) {
                    let ids = &mut self.ids;
                    paths.extend((0..count).map(|_| match prepends {
                        true => ids.before_all(),
                        false => ids.after_all(),
                    }));
                }
                if prepends {
                    // The last one made is the first in order.
                    paths.reverse();
                }
                let row = self.row_of(column);
                row.add_elements(number, ty, &value, when, |i| paths[i])
            }
            Change::Subtract(expr) if multi => {
                let keys = match ty {
                    CqlType::Set { element, .. } => element,
                    CqlType::Map { key, .. } => key,
                    CqlType::List { .. } => {
                        let Some(value) = self.value_of(column, expr, ty, when)? else {
                            return Ok(());
                        };
                        let mut gone = Draft::default();
                        gone.add_elements(number, ty, &value, when, |_| [0; 16])?;
                        let elements = self.elements(column, when)?;
                        let is_gone = |value: &[u8]| gone.cells().any(|cell| cell.value == value);
                        let row = self.row_of(column);
                        for (path, _) in elements.iter().filter(|(_, value)| is_gone(value)) {
                            row.add_tombstone(number, Some(path), when)?;
                        }
                        return Ok(());
                    }
                    _ => return Err(column.refuse("nothing can be taken from it")),
                };
                let set = CqlType::Set {
                    element: keys.clone(),
                    frozen: false,
                };
                let Some(value) = self.value_of(column, expr, &set, when)? else {
                    return Ok(());
                };
                let row = self.row_of(column);
                let mut keys = Draft::default();
                keys.add_elements(number, &set, &value, when, |_| [0; 16])?;
                for cell in keys.finish(&[]).cells() {
                    row.add_tombstone(number, cell.path, when)?;
                }
                Ok(())
            }
            Change::SetElement { key, value } if multi => match ty {
                CqlType::Map {
                    key: key_type,
                    value: value_type,
                    ..
                } => {
                    let key = self.value_of(column, key, key_type, when)?;
                    let key = key.ok_or_else(|| column.refuse("a key cannot be null"))?;
                    let value = self.value_of(column, value, value_type, when)?;
                    let row = self.row_of(column);
                    row.set_element(number, &key, value.as_deref(), when)
                }
                CqlType::List { element, .. } => {
                    let path = self.element_at(column, key, when)?;
                    let value = self.value_of(column, value, element, when)?;
                    let row = self.row_of(column);
                    row.set_element(number, &path, value.as_deref(), when)
                }
                _ => Err(column.refuse("it has no elements that can be set")),
            },
            Change::SetField { field, value } if multi => {
                let (path, field_type) = column.field(field)?;
                let value = self.value_of(column, value, field_type, when)?;
                let row = self.row_of(column);
                row.set_element(number, &path, value.as_deref(), when)
            }
            _ => Err(column.refuse("it is one value, and can only be set as a whole")),
        }
    }

    /// Adds to a number or text, which stays null if it is.
    ///
    /// Authority: `o.a.c.cql3.Constants.Adder`.
    fn add_to(&mut self, column: &Named<'_>, expr: &Expr, when: &WriteTime) -> Result<()> {
        let Some((_, found)) = self.elements(column, when)?.pop() else {
            return Ok(());
        };
        let sum = match column.ty {
            CqlType::Text | CqlType::Ascii => {
                let more = self.value_of(column, expr, column.ty, when)?;
                let more = more.ok_or_else(|| column.refuse("null cannot be added"))?;
                Some([found, more].concat())
            }
            ty => {
                let found = Expr::TypeHint {
                    ty: TypeText(ty.cql_name()),
                    expr: Box::new(Expr::Bound(Some(found))),
                };
                let sum = Expr::Arithmetic {
                    operator: Arithmetic::Add,
                    left: Box::new(found),
                    right: Box::new(expr.clone()),
                };
                self.value_of(column, &sum, ty, when)?
            }
        };
        let (number, ty) = (column.number, column.ty);
        let row = match column.is_static {
            true => &mut self.static_row,
            false => &mut self.row,
        };
        row.set(number, ty, sum.as_deref(), when, &mut self.ids)
    }

    /// Deletes what a `DELETE` names.
    pub(super) fn delete_target(
        &mut self,
        column: &Named<'_>,
        target: &DeleteTarget,
        when: &WriteTime,
    ) -> Result<()> {
        let (ty, number) = (column.ty, column.number);
        let path = match target {
            DeleteTarget::Column(_) if ty.is_multi_cell() => {
                let row = self.row_of(column);
                row.delete_elements(number, deletion(when));
                return Ok(());
            }
            DeleteTarget::Column(_) => {
                return self.row_of(column).add_tombstone(number, None, when);
            }
            _ if !ty.is_multi_cell() => {
                return Err(column.refuse("it is one value, and can only be deleted as a whole"));
            }
            DeleteTarget::Element { key, .. } => {
                let key_type = match ty {
                    CqlType::Map { key, .. } => key,
                    CqlType::Set { element, .. } => element,
                    CqlType::List { .. } => {
                        let path = self.element_at(column, key, when)?;
                        let row = self.row_of(column);
                        return row.add_tombstone(number, Some(&path), when);
                    }
                    _ => return Err(column.refuse("it has no elements")),
                };
                let key = self.value_of(column, key, key_type, when)?;
                key.ok_or_else(|| column.refuse("a key cannot be null"))?
            }
            DeleteTarget::Field { field, .. } => column.field(field)?.0.to_vec(),
        };
        self.row_of(column).add_tombstone(number, Some(&path), when)
    }
}
