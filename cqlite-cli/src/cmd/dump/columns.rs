//! What is the same for all cells of a column: the start of their text, the types of their path and value.

use super::layout::Layout;
use cqlite_core::types::{CqlType, UserType, write_identifier, write_json_string};
use cqlite_core::{Error, Result};
use std::sync::Arc;

/// A column as it is dumped.
pub struct Column {
    /// Its name as sstabledump's debug text has it.
    pub name: Box<str>,
    /// Type of the whole column.
    pub ty: CqlType,
    /// What its cells are.
    pub cells: Cells,
    /// `,{ "name" : "v"`.
    pub start: Vec<u8>,
    /// `,{ "name" : "v", "value" : `.
    pub value: Vec<u8>,
}

/// What the cells of a column are.
pub enum Cells {
    /// One cell, of the column's type.
    Simple(CqlType),
    /// A cell an element.
    Collection {
        /// Type of the path.
        path: CqlType,
        /// Type of the value.
        value: CqlType,
    },
    /// A cell a field.
    Fields(Arc<UserType>),
}

impl Column {
    /// The column in the given layout.
    pub fn new<L: Layout>(column: &cqlite_core::schema::Column) -> Self {
        let mut name = String::new();
        write_identifier(&mut name, &column.name);
        let mut start = L::CELL.to_vec();
        write_json_string(&name, &mut start);
        let mut value = start.clone();
        value.extend_from_slice(L::VALUE);
        Column {
            name: (&*column.name).into(),
            ty: column.ty.clone(),
            cells: cells(&column.ty),
            start,
            value,
        }
    }

    /// Index of the user type's field that a cell's path names.
    ///
    /// # Errors
    /// `Corrupt` when there is no such field.
    pub fn field<'a>(definition: &'a UserType, path: &[u8]) -> Result<&'a (String, CqlType)> {
        let index = <[u8; 2]>::try_from(path).map(u16::from_be_bytes);
        let field = index.ok().and_then(|i| definition.fields.get(i as usize));
        field.ok_or_else(|| {
            Error::corrupt(format!(
                "a cell of a field that the type `{}` does not have",
                definition.name
            ))
        })
    }
}

fn cells(ty: &CqlType) -> Cells {
    match ty {
        CqlType::List {
            element,
            frozen: false,
        } => Cells::Collection {
            path: CqlType::TimeUuid,
            value: (**element).clone(),
        },
        CqlType::Set {
            element,
            frozen: false,
        } => Cells::Collection {
            path: (**element).clone(),
            value: CqlType::Empty,
        },
        CqlType::Map {
            key,
            value,
            frozen: false,
        } => Cells::Collection {
            path: (**key).clone(),
            value: (**value).clone(),
        },
        CqlType::Udt {
            definition,
            frozen: false,
        } => Cells::Fields(definition.clone()),
        ty => Cells::Simple(ty.clone()),
    }
}
