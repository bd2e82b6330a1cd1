//! Aggregate functions.
//!
//! Authority: `o.a.c.cql3.functions.AggregateFcts`.

use super::number::{Decimal, Number};
use crate::types::CqlType;
use crate::{Error, Result};
use num_bigint::BigInt;

/// What is computed of many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) enum AggregateKind {
    /// How many rows there are.
    CountRows,
    /// How many values are not null.
    Count,
    Min,
    Max,
    Sum,
    Avg,
}

impl AggregateKind {
    /// The function of this name, which applies to one argument.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "count" => AggregateKind::Count,
            "min" => AggregateKind::Min,
            "max" => AggregateKind::Max,
            "sum" => AggregateKind::Sum,
            "avg" => AggregateKind::Avg,
            _ => return None,
        })
    }
}

/// The state of an aggregate function.
#[derive(Debug, Clone)]
pub(in crate::query) struct Aggregate {
    kind: AggregateKind,
    /// Type of the argument.
    ty: CqlType,
    /// Of values that are not null; of rows if these are counted.
    count: i64,
    extreme: Option<Vec<u8>>,
    total: Total,
}

#[derive(Debug, Clone)]
enum Total {
    None,
    /// The sum of integers; a mean needs more bits than a sum, which wraps.
    Integer(i128),
    Floating(FloatingTotal),
    Varint(BigInt),
    /// The sum, or the mean so far.
    Decimal(Decimal),
}

/// Kahan's sum, with what is needed when it overflows.
#[derive(Debug, Clone, Default)]
struct FloatingTotal {
    sum: f64,
    compensation: f64,
    simple_sum: f64,
    /// Since the sum overflowed; only a mean has it.
    exact: Option<Decimal>,
}

impl Aggregate {
    /// Of no value yet.
    pub fn new(kind: AggregateKind, ty: CqlType) -> Self {
        let total = match (kind, &ty) {
            (AggregateKind::Sum | AggregateKind::Avg, CqlType::Float | CqlType::Double) => {
                Total::Floating(FloatingTotal::default())
            }
            (AggregateKind::Sum | AggregateKind::Avg, CqlType::Varint) => {
                Total::Varint(BigInt::ZERO)
            }
            (AggregateKind::Sum | AggregateKind::Avg, CqlType::Decimal) => {
                Total::Decimal(Decimal::zero())
            }
            (AggregateKind::Sum | AggregateKind::Avg, _) => Total::Integer(0),
            _ => Total::None,
        };
        Aggregate {
            kind,
            ty,
            count: 0,
            extreme: None,
            total,
        }
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        *self = Aggregate::new(self.kind, std::mem::replace(&mut self.ty, CqlType::Empty));
    }

    /// Takes a value in.
    ///
    /// Errors: `Corrupt` if it is no value of its type, `Unsupported` if a decimal becomes too long.
    pub fn add(&mut self, value: Option<&[u8]>) -> Result<()> {
        match self.kind {
            AggregateKind::CountRows => self.count += 1,
            AggregateKind::Count => self.count += i64::from(value.is_some()),
            AggregateKind::Min | AggregateKind::Max => {
                if let Some(value) = value {
                    self.add_extreme(value);
                }
            }
            AggregateKind::Sum | AggregateKind::Avg => {
                if let Some(value) = value
                    && let Some(number) = Number::of(&self.ty, value)?
                {
                    self.count += 1;
                    self.add_number(&number)?;
                }
            }
        }
        Ok(())
    }

    fn add_extreme(&mut self, value: &[u8]) {
        // What a selection sees of a counter is its total.
        let ty = match &self.ty {
            CqlType::Counter => &CqlType::BigInt,
            ty => ty,
        };
        let is_better = self.extreme.as_deref().is_none_or(|best| {
            let order = ty.compare(value, best);
            match self.kind {
                AggregateKind::Min => order.is_lt(),
                _ => order.is_gt(),
            }
        });
        if is_better {
            let best = self.extreme.get_or_insert_default();
            best.clear();
            best.extend_from_slice(value);
        }
    }

    fn add_number(&mut self, number: &Number) -> Result<()> {
        let is_mean = self.kind == AggregateKind::Avg;
        match (&mut self.total, number) {
            (Total::Varint(sum), Number::Varint(v)) => *sum += v,
            (Total::Decimal(mean), Number::Decimal(v)) if is_mean => {
                *mean = mean.next_mean(v, self.count)?;
            }
            (Total::Decimal(sum), Number::Decimal(v)) => *sum = sum.add(v)?,
            (Total::Floating(total), number) => total.add(number.to_f64(), is_mean)?,
            (Total::Integer(sum), number) => *sum += i128::from(number.to_i64()),
            _ => {
                return Err(Error::new(
                    crate::ErrorKind::Internal,
                    "a sum of another type",
                ));
            }
        }
        Ok(())
    }

    /// The result; `None` if it is null.
    pub fn result(&self) -> Result<Option<Vec<u8>>> {
        let mean = self.kind == AggregateKind::Avg;
        Ok(Some(match (self.kind, &self.total) {
            (AggregateKind::Min | AggregateKind::Max, _) => return Ok(self.extreme.clone()),
            (AggregateKind::CountRows | AggregateKind::Count, _) => {
                self.count.to_be_bytes().to_vec()
            }
            (_, Total::Integer(sum)) if mean => {
                let mean = sum / i128::from(self.count.max(1));
                Number::Integer(mean as i64).to_value(&self.ty)?
            }
            (_, Total::Integer(sum)) => Number::Integer(*sum as i64).to_value(&self.ty)?,
            (_, Total::Varint(sum)) => {
                let result = match mean {
                    true => sum / self.count.max(1),
                    false => sum.clone(),
                };
                Number::Varint(result).to_value(&self.ty)?
            }
            (_, Total::Decimal(result)) => result.to_value(),
            (_, Total::Floating(total)) => {
                let result = match mean {
                    true => total.mean(self.count)?,
                    false => total.sum(),
                };
                Number::Double(result).to_value(&self.ty)?
            }
            (_, Total::None) => return Ok(None),
        }))
    }
}

impl FloatingTotal {
    fn add(&mut self, value: f64, is_mean: bool) -> Result<()> {
        if let Some(exact) = &self.exact {
            self.exact = Some(exact.add(&exactly(value)?)?);
            return Ok(());
        }
        self.simple_sum += value;
        let before = self.sum;
        let corrected = value - self.compensation;
        let rounded = self.sum + corrected;
        self.compensation = (rounded - self.sum) - corrected;
        self.sum = rounded;
        if is_mean && self.sum.is_infinite() && !value.is_infinite() && !before.is_infinite() {
            self.exact = Some(exactly(before)?.add(&exactly(value)?)?);
        }
        Ok(())
    }

    fn sum(&self) -> f64 {
        let sum = self.sum + self.compensation;
        match sum.is_nan() && self.simple_sum.is_infinite() {
            true => self.simple_sum,
            false => sum,
        }
    }

    fn mean(&self, count: i64) -> Result<f64> {
        match &self.exact {
            _ if count == 0 => Ok(0.0),
            Some(exact) => Ok(Number::Decimal(exact.mean_of_sum(count)?).to_f64()),
            None => Ok(self.sum() / count as f64),
        }
    }
}

fn exactly(value: f64) -> Result<Decimal> {
    match Number::of(
        &CqlType::Decimal,
        &Number::Double(value).to_value(&CqlType::Decimal)?,
    )? {
        Some(Number::Decimal(decimal)) => Ok(decimal),
        _ => Ok(Decimal::zero()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(kind: AggregateKind, ty: CqlType, values: &[&[u8]]) -> Option<Vec<u8>> {
        let mut aggregate = Aggregate::new(kind, ty);
        for value in values {
            aggregate.add(Some(value)).unwrap();
        }
        aggregate.add(None).unwrap();
        aggregate.result().unwrap()
    }

    #[test]
    fn integers_keep_their_type() {
        let of = |kind, values: &[i8]| {
            let bytes: Vec<[u8; 1]> = values.iter().map(|v| v.to_be_bytes()).collect();
            let values: Vec<&[u8]> = bytes.iter().map(|v| &v[..]).collect();
            result(kind, CqlType::TinyInt, &values).unwrap()
        };
        assert_eq!(of(AggregateKind::Sum, &[100, 100]), [200]);
        assert_eq!(of(AggregateKind::Avg, &[100, 101]), [100]);
        assert_eq!(of(AggregateKind::Avg, &[-1, -2]), (-1i8).to_be_bytes());
        assert_eq!(of(AggregateKind::Min, &[3, -4, 5]), (-4i8).to_be_bytes());
        assert_eq!(of(AggregateKind::Max, &[3, -4, 5]), [5]);
        assert_eq!(of(AggregateKind::Count, &[3, -4]), 2i64.to_be_bytes());
        assert_eq!(of(AggregateKind::CountRows, &[3, -4]), 3i64.to_be_bytes());
    }

    #[test]
    fn nothing_sums_up_to_zero_and_has_no_extreme() {
        for ty in [CqlType::Double, CqlType::Varint, CqlType::BigInt] {
            for kind in [AggregateKind::Sum, AggregateKind::Avg] {
                let value = result(kind, ty.clone(), &[]).unwrap();
                assert!(value.iter().all(|b| *b == 0), "{ty:?} {value:?}");
            }
            assert_eq!(result(AggregateKind::Max, ty.clone(), &[]), None);
        }
    }

    #[test]
    fn a_mean_of_huge_doubles_does_not_overflow() {
        let max = f64::MAX.to_be_bytes();
        let mean = result(AggregateKind::Avg, CqlType::Double, &[&max, &max]);
        assert_eq!(mean, Some(max.to_vec()));
        let [a, b] = [1.7e308f64, 1e308].map(f64::to_be_bytes);
        // 2.7E308 / 2 with no more digits than it has.
        let mean = result(AggregateKind::Avg, CqlType::Double, &[&a, &b]);
        assert_eq!(mean, Some(1.4e308f64.to_be_bytes().to_vec()));
        let sum = result(AggregateKind::Sum, CqlType::Double, &[&max, &max]);
        assert_eq!(sum, Some(f64::INFINITY.to_be_bytes().to_vec()));
    }
}
