//! Makes user-defined types out of the texts of their fields' types, in whatever order they are defined.
//!
//! Authority: `o.a.c.schema.Types.RawBuilder`.

use crate::error::{Error, Result};
use crate::limits::TYPE_DEPTH_MAX;
use crate::types::{CqlType, UserType};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A user-defined type whose fields' types are CQL text.
#[derive(Debug, Clone, Default)]
pub(super) struct RawType {
    /// Names and types of its fields.
    pub fields: Vec<(String, String)>,
    /// Why its definition is wrong, if it is, with its place or name.
    pub error: Option<Error>,
}

/// Keyspace and name.
pub(super) type TypeKey = (String, String);

/// How large a type is with the types in it written out. Types share what they hold, so a few lines of text can
/// stand for more than could ever be walked.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    text_bytes: usize,
    depth: usize,
}

/// Largest type, in bytes of its text with all types in it written out.
const TYPE_TEXT_BYTES_MAX: usize = 1 << 18;

/// User-defined types by keyspace and name.
#[derive(Debug, Default)]
pub(super) struct UserTypes {
    by_name: HashMap<TypeKey, (Arc<UserType>, Extent)>,
    /// In an order in which a type comes after those that it holds.
    pub in_order: Vec<Arc<UserType>>,
    /// Those that cannot be made, and why not.
    pub failed: BTreeMap<TypeKey, Error>,
}

impl UserTypes {
    /// Parses the text of a type as it is written in `keyspace`.
    ///
    /// Errors: `InvalidInput` if the text is no type or names a type that does not exist; that of a type that it names.
    pub fn parse(&self, keyspace: &str, text: &str) -> Result<CqlType> {
        let cause = RefCell::new(None);
        let note = |key: &TypeKey, _| {
            if let Some(error) = self.failed.get(key) {
                cause.borrow_mut().get_or_insert_with(|| error.clone());
            }
        };
        let parsed = self.parse_noting(keyspace, text, &note);
        parsed.map_err(|error| cause.take().unwrap_or(error))
    }

    /// `note` is told of each type that the text names, and how large it is if it exists.
    fn parse_noting(
        &self,
        keyspace: &str,
        text: &str,
        note: &dyn Fn(&TypeKey, Option<Extent>),
    ) -> Result<CqlType> {
        let resolve = |ks: Option<&str>, name: &str| {
            let key = (ks.unwrap_or(keyspace).to_owned(), name.to_owned());
            let found = self.by_name.get(&key);
            note(&key, found.map(|(_, extent)| *extent));
            found.map(|(ty, _)| ty.clone())
        };
        CqlType::parse_cql(text, &resolve)
    }

    /// Parses a type's fields and adds it. If another type is missing, also says which.
    fn add(
        &mut self,
        key: &TypeKey,
        raw: &RawType,
    ) -> std::result::Result<(), (Error, Option<TypeKey>)> {
        let missing = RefCell::new(None);
        let extent = Cell::new(Extent::default());
        let mut fields = Vec::with_capacity(raw.fields.len());
        for (field, text) in &raw.fields {
            let nesting = nesting(text);
            let grow = |by: Extent| {
                let Extent { text_bytes, depth } = extent.get();
                extent.set(Extent {
                    text_bytes: text_bytes.saturating_add(by.text_bytes),
                    depth: depth.max(nesting + by.depth),
                });
            };
            grow(Extent {
                text_bytes: text.len(),
                depth: 0,
            });
            let note = |key: &TypeKey, found: Option<Extent>| match found {
                Some(found) => grow(found),
                None => _ = missing.borrow_mut().get_or_insert_with(|| key.clone()),
            };
            match self.parse_noting(&key.0, text, &note) {
                Ok(ty) => fields.push((field.clone(), ty)),
                Err(error) => return Err((error, missing.into_inner())),
            }
        }
        let Extent { text_bytes, depth } = extent.get();
        if depth >= TYPE_DEPTH_MAX || text_bytes > TYPE_TEXT_BYTES_MAX {
            let error = Error::invalid(format!(
                "it nests deeper than {TYPE_DEPTH_MAX} levels, or is longer than {TYPE_TEXT_BYTES_MAX} bytes with the types in it written out"
            ));
            return Err((error, None));
        }
        let ty = Arc::new(UserType {
            keyspace: key.0.clone(),
            name: key.1.clone(),
            fields,
        });
        self.in_order.push(ty.clone());
        let depth = depth + 1;
        self.by_name
            .insert(key.clone(), (ty, Extent { text_bytes, depth }));
        Ok(())
    }
}

/// How deep `<` nest in a type's text.
fn nesting(text: &str) -> usize {
    let mut depth = 0usize;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Resolves all types. Those that cannot be, and those that hold one of them, are [`UserTypes::failed`].
pub(super) fn resolve(raw: &BTreeMap<TypeKey, RawType>) -> UserTypes {
    let mut types = UserTypes::default();
    // Types that wait for another one, by its name.
    let mut waiting: BTreeMap<&TypeKey, Vec<&TypeKey>> = BTreeMap::new();
    let mut failed: Vec<(&TypeKey, Error)> = Vec::new();
    let mut ready: Vec<&TypeKey> = raw.keys().rev().collect();
    while let Some(key) = ready.pop() {
        if let Some(error) = &raw[key].error {
            failed.push((key, error.clone()));
            continue;
        }
        match types.add(key, &raw[key]) {
            Ok(()) => ready.extend(waiting.remove(key).unwrap_or_default()),
            Err((error, missing)) => match missing.and_then(|name| raw.get_key_value(&name)) {
                Some((name, _)) => waiting.entry(name).or_default().push(key),
                None => failed.push((key, error.within(format_args!("type {}.{}", key.0, key.1)))),
            },
        }
    }
    while let Some((key, error)) = failed.pop() {
        let holders = waiting.remove(key).unwrap_or_default();
        failed.extend(holders.into_iter().map(|holder| (holder, error.clone())));
        types.failed.insert(key.clone(), error);
    }
    for key in waiting.into_values().flatten() {
        let error = format!("type {}.{} holds itself, or a type that does", key.0, key.1);
        types.failed.insert(key.clone(), Error::invalid(error));
    }
    types
}
