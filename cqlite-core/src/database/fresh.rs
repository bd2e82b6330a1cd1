//! Functions whose value is another one each time: `now()`, `uuid()`.
//!
//! Authority: `o.a.c.cql3.functions.{TimeFcts,UuidFct}`.

use crate::cql::ast::{Expr, Modification, Statement, TypeText};
use crate::mutation::TimeUuids;
use std::hash::{BuildHasher, RandomState};

/// Makes the values.
#[derive(Debug)]
pub(super) struct Fresh {
    times: TimeUuids,
    random: RandomState,
    made: u64,
}

impl Fresh {
    pub fn new() -> Self {
        let random = RandomState::new();
        Fresh {
            times: TimeUuids::new(0, random.hash_one("node")),
            random,
            made: 0,
        }
    }

    /// Puts values in the place of calls, at a time in microseconds since 1970.
    pub fn call(&mut self, statement: &mut Statement, now_micros: i64) {
        match statement {
            Statement::Modification(modification) => self.call_in(modification, now_micros),
            Statement::Batch(batch) => {
                for modification in &mut batch.statements {
                    self.call_in(modification, now_micros);
                }
            }
            Statement::Select(_) | Statement::Use(_) => {}
        }
    }

    fn call_in(&mut self, modification: &mut Modification, now_micros: i64) {
        modification.visit_terms(&mut |expr| {
            let Expr::Call { name, args } = expr else {
                return;
            };
            let is_native = name.keyspace.as_deref().is_none_or(|ks| ks == "system");
            if !is_native || !args.is_empty() {
                return;
            }
            let (ty, value) = match &*name.name {
                "now" | "current_timeuuid" | "currenttimeuuid" => {
                    self.times.advance_to(now_micros);
                    ("timeuuid", self.times.after_all())
                }
                "uuid" => ("uuid", self.random_uuid()),
                _ => return,
            };
            *expr = Expr::TypeHint {
                ty: TypeText(ty.to_owned()),
                expr: Box::new(Expr::Bound(Some(value.to_vec()))),
            };
        });
    }

    /// A UUID of version 4. It tells rows apart, and is no secret.
    pub fn random_uuid(&mut self) -> [u8; 16] {
        let mut id = [0; 16];
        for half in id.chunks_exact_mut(8) {
            self.made += 1;
            half.copy_from_slice(&self.random.hash_one(self.made).to_be_bytes());
        }
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        id
    }
}
