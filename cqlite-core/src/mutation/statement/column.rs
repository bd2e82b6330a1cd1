//! What a statement does to one column of a row.
//!
//! Authority: `o.a.c.cql3.{Operation,Constants,Lists,Sets,Maps,UserTypes}`.

use super::Modifier;
use crate::cql::ast::{Change, DeleteTarget, Expr};
use crate::mutation::WriteTime;
use crate::mutation::draft::{Draft, deletion};
use crate::mutation::insert::visible_column;
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
            "the column `{}`: elements of a list are found by reading it, which is not done",
            self.name
        ))
        .advise("set the whole list")
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
                    CqlType::List { .. } => return Err(column.needs_read()),
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
                CqlType::List { .. } => Err(column.needs_read()),
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
                    CqlType::List { .. } => return Err(column.needs_read()),
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
