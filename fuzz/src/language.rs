//! What people write: statements, types, literals; and values of types.

use crate::{part, show, text};
use cqlite_core::cql;
use cqlite_core::cql::ast::Relation;
use cqlite_core::partitioner::{PartitionPosition, Partitioner, TokenRange};
use cqlite_core::schema::parse_schema;
use cqlite_core::types::CqlType;

/// A statement.
pub fn cql(input: &[u8]) {
    let _ = cql::parse_select(text(input));
    if let Err(e) = cql::parse_statement(text(input)) {
        let _ = e.to_string();
    }
}

/// Statements that define a schema.
pub fn schema(input: &[u8]) {
    if let Ok(schema) = parse_schema(text(input), Some("ks")) {
        let _ = schema.table("ks", "t");
        let _ = format!("{schema:?}").len();
    }
}

/// A type's class name: what is printed of it is read as the same.
pub fn marshal(input: &[u8]) {
    let Ok((ty, _)) = CqlType::parse_marshal(text(input)) else {
        return;
    };
    let _ = (ty.cql_name(), ty.fixed_length(), ty.freeze());
    let name = ty.marshal_name();
    if let Ok((again, _)) = CqlType::parse_marshal(&name) {
        assert_eq!(again.marshal_name(), name);
    }
}

/// A type in CQL.
pub fn cql_type(input: &[u8]) {
    if let Ok(ty) = CqlType::parse_cql(text(input), &|_, _| None) {
        let _ = (ty.cql_name(), ty.marshal_name(), ty.fixed_length());
    }
}

/// A type's class name, two values of it.
pub fn values(input: &[u8]) {
    let Some((name, rest)) = part(input) else {
        return;
    };
    let Some((a, b)) = part(rest) else {
        return;
    };
    let Ok((ty, _)) = CqlType::parse_marshal(text(name)) else {
        return;
    };
    let mut out = Vec::new();
    show(&ty, a, &mut out);
    show(&ty, b, &mut out);
    let _ = (
        ty.validate(a),
        ty.validate_cell(Some(a), Some(b)),
        ty.validate_cell(None, None),
    );
    assert!(ty.compare(a, a).is_eq(), "a value that differs from itself");
    assert_eq!(ty.compare(a, b), ty.compare(b, a).reverse());
    if let Ok(json) = ty.to_json(a) {
        assert!(json.len() <= 1 << 24);
    }
    let key = CqlType::Composite([ty].into());
    for class in [
        "RandomPartitioner",
        "Murmur3Partitioner",
        "LocalPartitioner",
    ] {
        let class = format!("org.apache.cassandra.dht.{class}");
        if let Ok(partitioner) = Partitioner::from_class_name(&class, &key) {
            let position = PartitionPosition::Key(partitioner.decorate(a));
            let _ = partitioner.comparable(&position).count();
            let _ = partitioner.compare_keys(a, b);
            let _ = TokenRange::ALL.locate(&partitioner, a);
        }
    }
}

/// A type's class name, a term in CQL: what becomes of it is a value of the type, and shown as such.
pub fn literals(input: &[u8]) {
    let Some((name, rest)) = part(input) else {
        return;
    };
    let Ok((ty, _)) = CqlType::parse_marshal(text(name)) else {
        return;
    };
    let statement = format!("SELECT a FROM t WHERE a = {}", text(rest));
    let Ok(select) = cql::parse_select(&statement) else {
        return;
    };
    for relation in &select.relations {
        let Relation::Column { value, .. } = relation else {
            continue;
        };
        let Ok(literal) = value.to_literal() else {
            continue;
        };
        match literal.to_bytes(&ty, 1_700_000_000_000) {
            Ok(Some(bytes)) => {
                // Cassandra takes any blob for a tinyint, and for a custom type.
                let has_blob = statement.to_ascii_lowercase().contains("0x");
                match ty.validate(&bytes) {
                    Err(e) if !has_blob => panic!("{literal:?} becomes {bytes:x?}: {e}"),
                    _ => {}
                }
                let mut out = Vec::new();
                show(&ty, &bytes, &mut out);
            }
            Ok(None) => {}
            Err(e) => assert!(!e.to_string().is_empty()),
        }
    }
}
