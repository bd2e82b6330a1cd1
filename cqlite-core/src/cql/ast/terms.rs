//! The terms of statements that change rows, each to be looked at or put in another one's place.

use super::{
    Change, Condition, ConditionPart, ConditionTest, DeleteTarget, Expr, InValues, InsertSource,
    Modification, Relation, Using,
};

/// Is called with each term, those inside others first.
type Visit<'v> = dyn FnMut(&mut Expr) + 'v;

impl Modification {
    /// Calls `visit` with each term, those inside others before these.
    pub fn visit_terms(&mut self, visit: &mut Visit<'_>) {
        match self {
            Modification::Insert(insert) => {
                match &mut insert.source {
                    InsertSource::Values { values, .. } => each(values, visit),
                    InsertSource::Json { text, .. } => term(text, visit),
                }
                using(&mut insert.using, visit);
            }
            Modification::Update(update) => {
                using(&mut update.using, visit);
                for assignment in &mut update.assignments {
                    match &mut assignment.change {
                        Change::Set(value)
                        | Change::Add(value)
                        | Change::Subtract(value)
                        | Change::Prepend(value)
                        | Change::SetField { value, .. } => term(value, visit),
                        Change::SetElement { key, value } => {
                            term(key, visit);
                            term(value, visit);
                        }
                    }
                }
                where_and_if(&mut update.relations, &mut update.condition, visit);
            }
            Modification::Delete(delete) => {
                for target in &mut delete.targets {
                    if let DeleteTarget::Element { key, .. } = target {
                        term(key, visit);
                    }
                }
                using(&mut delete.using, visit);
                where_and_if(&mut delete.relations, &mut delete.condition, visit);
            }
        }
    }
}

fn each(terms: &mut [Expr], visit: &mut Visit<'_>) {
    terms.iter_mut().for_each(|inner| term(inner, visit));
}

fn using(using: &mut Using, visit: &mut Visit<'_>) {
    let terms = [&mut using.timestamp, &mut using.ttl];
    let terms = terms.into_iter().flatten();
    terms.for_each(|inner| term(inner, visit));
}

fn in_values(values: &mut InValues, visit: &mut Visit<'_>) {
    if let InValues::List(values) = values {
        each(values, visit);
    }
}

fn where_and_if(relations: &mut [Relation], condition: &mut Condition, visit: &mut Visit<'_>) {
    for relation in relations {
        match relation {
            Relation::Column { value, .. }
            | Relation::Contains { value, .. }
            | Relation::Like { value, .. }
            | Relation::Tuple { value, .. }
            | Relation::Token { value, .. }
            | Relation::Index { value, .. } => term(value, visit),
            Relation::Element { key, value, .. } => {
                term(key, visit);
                term(value, visit);
            }
            Relation::In { values, .. } | Relation::TupleIn { values, .. } => {
                in_values(values, visit);
            }
            Relation::IsNotNull { .. } => {}
        }
    }
    let Condition::Columns(conditions) = condition else {
        return;
    };
    for condition in conditions {
        if let ConditionPart::Element(key) = &mut condition.part {
            term(key, visit);
        }
        match &mut condition.test {
            ConditionTest::Compare(_, value) | ConditionTest::Contains { value, .. } => {
                term(value, visit);
            }
            ConditionTest::In(values) => in_values(values, visit),
        }
    }
}

fn term(expr: &mut Expr, visit: &mut Visit<'_>) {
    match expr {
        Expr::List(inner) | Expr::Set(inner) | Expr::Tuple(inner) => each(inner, visit),
        Expr::Call { args, .. } => each(args, visit),
        Expr::Map(entries) => {
            for (key, value) in entries {
                term(key, visit);
                term(value, visit);
            }
        }
        Expr::Udt(fields) => {
            for (_, value) in fields {
                term(value, visit);
            }
        }
        Expr::Cast { expr: inner, .. }
        | Expr::TypeHint { expr: inner, .. }
        | Expr::Negate(inner) => term(inner, visit),
        Expr::Arithmetic { left, right, .. } => {
            term(left, visit);
            term(right, visit);
        }
        // No columns are in terms.
        _ => {}
    }
    visit(expr);
}
