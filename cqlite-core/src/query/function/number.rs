//! Arithmetic on values, with the rules of Java's numbers.
//!
//! Authority: `o.a.c.db.marshal.{NumberType,ByteType,ShortType,Int32Type,LongType,FloatType,DoubleType,IntegerType,
//! DecimalType}`, `o.a.c.cql3.functions.{OperationFcts,CastFcts,MathFcts}`.

use crate::cql::ast::Arithmetic;
use crate::types::CqlType;
use crate::{Error, Result};
use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;

/// A value of a numeric type.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::query) enum Number {
    /// Of an integer type of up to 8 bytes, or a counter's total.
    Integer(i64),
    Float(f32),
    Double(f64),
    Varint(BigInt),
    Decimal(Decimal),
}

/// `unscaled * 10^-scale`, which `java.math.BigDecimal` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::query) struct Decimal {
    pub unscaled: BigInt,
    pub scale: i32,
}

/// Most digits that a result may have. Cassandra rounds to 10,000 significant digits.
const DIGITS_MAX: i64 = 10_000;

/// Digits that a quotient of decimals has at least.
const QUOTIENT_DIGITS_MIN: i64 = 32;

/// Digits behind the point that a quotient of decimals has at most.
const QUOTIENT_SCALE_MAX: i64 = 1_000;

/// The numeric types, in the order of Cassandra's tables of functions.
pub(in crate::query) const NUMERIC: [CqlType; 9] = [
    CqlType::TinyInt,
    CqlType::SmallInt,
    CqlType::Int,
    CqlType::BigInt,
    CqlType::Float,
    CqlType::Double,
    CqlType::Decimal,
    CqlType::Varint,
    CqlType::Counter,
];

impl Number {
    /// The number that a value is; `None` if it is empty.
    ///
    /// Errors: `Corrupt` if it has a length that its type does not allow.
    pub fn of(ty: &CqlType, value: &[u8]) -> Result<Option<Number>> {
        if value.is_empty() {
            return Ok(None);
        }
        let wrong = || {
            Error::corrupt(format!(
                "a value of type {} has {} bytes",
                ty.cql_name(),
                value.len()
            ))
        };
        Ok(Some(match ty {
            CqlType::TinyInt => {
                Number::Integer(i8::from_be_bytes(value.try_into().map_err(|_| wrong())?).into())
            }
            CqlType::SmallInt => {
                Number::Integer(i16::from_be_bytes(value.try_into().map_err(|_| wrong())?).into())
            }
            CqlType::Int => {
                Number::Integer(i32::from_be_bytes(value.try_into().map_err(|_| wrong())?).into())
            }
            // What a selection sees of a counter is its total.
            CqlType::BigInt | CqlType::Counter => {
                Number::Integer(i64::from_be_bytes(value.try_into().map_err(|_| wrong())?))
            }
            CqlType::Float => {
                Number::Float(f32::from_be_bytes(value.try_into().map_err(|_| wrong())?))
            }
            CqlType::Double => {
                Number::Double(f64::from_be_bytes(value.try_into().map_err(|_| wrong())?))
            }
            CqlType::Varint => Number::Varint(BigInt::from_signed_bytes_be(value)),
            CqlType::Decimal => {
                let (scale, unscaled) = value.split_first_chunk().ok_or_else(wrong)?;
                Number::Decimal(Decimal {
                    unscaled: BigInt::from_signed_bytes_be(unscaled),
                    scale: i32::from_be_bytes(*scale),
                })
            }
            _ => return Err(wrong()),
        }))
    }

    /// The value of type `ty` that Java's conversion makes of it.
    ///
    /// Errors: `InvalidInput` for what is no finite number as decimal.
    pub fn to_value(&self, ty: &CqlType) -> Result<Vec<u8>> {
        Ok(match ty {
            CqlType::TinyInt => (self.to_i32() as i8).to_be_bytes().to_vec(),
            CqlType::SmallInt => (self.to_i32() as i16).to_be_bytes().to_vec(),
            CqlType::Int => self.to_i32().to_be_bytes().to_vec(),
            CqlType::BigInt | CqlType::Counter => self.to_i64().to_be_bytes().to_vec(),
            CqlType::Float => self.to_f32().to_be_bytes().to_vec(),
            CqlType::Double => self.to_f64().to_be_bytes().to_vec(),
            CqlType::Varint => match self {
                Number::Varint(v) => v.to_signed_bytes_be(),
                other => BigInt::from(other.to_i64()).to_signed_bytes_be(),
            },
            CqlType::Decimal => match self {
                Number::Integer(v) => Decimal::new(BigInt::from(*v), 0).to_value(),
                other => other.to_decimal()?.to_value(),
            },
            _ => return Err(Error::invalid(format!("{} is no number", ty.cql_name()))),
        })
    }

    fn to_i32(&self) -> i32 {
        match self {
            // Fractions saturate, integers lose their high bits.
            Number::Float(v) => *v as i32,
            Number::Double(v) => *v as i32,
            other => other.to_i64() as i32,
        }
    }

    /// As `longValue` does.
    pub fn to_i64(&self) -> i64 {
        match self {
            Number::Integer(v) => *v,
            Number::Float(v) => *v as i64,
            Number::Double(v) => *v as i64,
            Number::Varint(v) => low_bits(v),
            Number::Decimal(v) => low_bits(&v.to_integer()),
        }
    }

    fn to_f32(&self) -> f32 {
        match self {
            Number::Integer(v) => *v as f32,
            Number::Float(v) => *v,
            Number::Double(v) => *v as f32,
            Number::Varint(v) => v.to_string().parse().unwrap_or(f32::NAN),
            Number::Decimal(v) => v.to_digits().parse().unwrap_or(f32::NAN),
        }
    }

    /// As `doubleValue` does.
    pub fn to_f64(&self) -> f64 {
        match self {
            Number::Integer(v) => *v as f64,
            Number::Float(v) => (*v).into(),
            Number::Double(v) => *v,
            Number::Varint(v) => v.to_string().parse().unwrap_or(f64::NAN),
            Number::Decimal(v) => v.to_digits().parse().unwrap_or(f64::NAN),
        }
    }

    fn to_bigint(&self) -> BigInt {
        match self {
            Number::Varint(v) => v.clone(),
            other => other.to_i64().into(),
        }
    }

    /// The decimal that Java prints for it.
    fn to_decimal(&self) -> Result<Decimal> {
        let (ty, value) = match self {
            Number::Decimal(v) => return Ok(v.clone()),
            Number::Varint(v) => return Ok(Decimal::new(v.clone(), 0)),
            Number::Float(v) => (CqlType::Float, v.to_be_bytes().to_vec()),
            other => (CqlType::Double, other.to_f64().to_be_bytes().to_vec()),
        };
        let text = ty.to_json(&value)?;
        Decimal::parse(&text)
            .ok_or_else(|| Error::invalid(format!("{text} cannot be made a decimal")))
    }

    /// As arithmetic on decimals takes it, where integers too go through a double.
    fn to_decimal_operand(&self) -> Result<Decimal> {
        match self {
            Number::Float(v) => Number::Double((*v).into()).to_decimal(),
            other => other.to_decimal(),
        }
    }
}

/// The lowest 64 bits in two's complement.
fn low_bits(v: &BigInt) -> i64 {
    let magnitude = v.iter_u64_digits().next().unwrap_or(0) as i64;
    match v.sign() {
        Sign::Minus => magnitude.wrapping_neg(),
        _ => magnitude,
    }
}

fn power_of_ten(exponent: i64) -> Result<BigInt> {
    match u32::try_from(exponent) {
        Ok(n) if exponent <= 4 * DIGITS_MAX => Ok(BigInt::from(10).pow(n)),
        _ => Err(too_long()),
    }
}

#[cold]
fn too_long() -> Error {
    Error::unsupported(format!(
        "arithmetic with decimals of more than {DIGITS_MAX} digits"
    ))
}

impl Decimal {
    pub fn new(unscaled: BigInt, scale: i32) -> Self {
        Decimal { unscaled, scale }
    }

    pub fn zero() -> Self {
        Decimal::new(BigInt::ZERO, 0)
    }

    /// The bytes of a value.
    pub fn to_value(&self) -> Vec<u8> {
        let mut value = self.scale.to_be_bytes().to_vec();
        value.extend(self.unscaled.to_signed_bytes_be());
        value
    }

    /// Digits with a point and an exponent, as Java prints numbers.
    fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let scale = i32::try_from(fraction.len() as i64 - exponent).ok()?;
        let unscaled = format!("{whole}{fraction}").parse().ok()?;
        Some(Decimal::new(unscaled, scale))
    }

    fn to_digits(&self) -> String {
        format!("{}e{}", self.unscaled, -i64::from(self.scale))
    }

    /// The part before the point. What would have too many digits is wrong only in bits that are cut off.
    fn to_integer(&self) -> BigInt {
        let scale = i64::from(self.scale);
        match power_of_ten(scale.abs()) {
            Ok(power) if scale > 0 => &self.unscaled / power,
            Ok(power) => &self.unscaled * power,
            Err(_) => BigInt::ZERO,
        }
    }

    fn digits(&self) -> i64 {
        match self.unscaled.sign() {
            Sign::NoSign => 1,
            _ => self.unscaled.magnitude().to_string().len() as i64,
        }
    }

    fn with_scale(scale: i64, unscaled: BigInt) -> Result<Decimal> {
        let scale = i32::try_from(scale).map_err(|_| too_long())?;
        let decimal = Decimal::new(unscaled, scale);
        match decimal.digits() > DIGITS_MAX {
            true => Err(too_long()),
            false => Ok(decimal),
        }
    }

    fn aligned(&self, other: &Decimal) -> Result<(BigInt, BigInt, i64)> {
        let (a, b) = (i64::from(self.scale), i64::from(other.scale));
        let scale = a.max(b);
        Ok((
            &self.unscaled * power_of_ten(scale - a)?,
            &other.unscaled * power_of_ten(scale - b)?,
            scale,
        ))
    }

    pub fn add(&self, other: &Decimal) -> Result<Decimal> {
        let (a, b, scale) = self.aligned(other)?;
        Self::with_scale(scale, a + b)
    }

    pub fn subtract(&self, other: &Decimal) -> Result<Decimal> {
        let (a, b, scale) = self.aligned(other)?;
        Self::with_scale(scale, a - b)
    }

    fn multiply(&self, other: &Decimal) -> Result<Decimal> {
        let scale = i64::from(self.scale) + i64::from(other.scale);
        Self::with_scale(scale, &self.unscaled * &other.unscaled)
    }

    /// The quotient with `scale` digits behind the point, halves rounded up, or to the even neighbour.
    fn divide_rounded(&self, other: &Decimal, scale: i64, half_even: bool) -> Result<Decimal> {
        let shift = scale - i64::from(self.scale) + i64::from(other.scale);
        let (mut a, mut b) = (self.unscaled.clone(), other.unscaled.clone());
        match shift >= 0 {
            true => a *= power_of_ten(shift)?,
            false => b *= power_of_ten(-shift)?,
        }
        let (quotient, remainder) = (&a / &b, &a % &b);
        let round_up = match (remainder.magnitude() << 1u32).cmp(b.magnitude()) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => !half_even || quotient.bit(0),
        };
        let away = match (a.sign() == Sign::Minus) != (b.sign() == Sign::Minus) {
            true => -1,
            false => 1,
        };
        Self::with_scale(scale, if round_up { quotient + away } else { quotient })
    }

    /// The mean of `count` values of which this is the sum.
    pub fn mean_of_sum(&self, count: i64) -> Result<Decimal> {
        let scale = self.scale.into();
        self.divide_rounded(&Decimal::new(count.into(), 0), scale, true)
    }

    /// Without what is behind the point, halves rounded away from zero.
    pub fn round(&self) -> Result<Decimal> {
        match self.scale {
            0 => Ok(self.clone()),
            _ => self.divide_rounded(&Decimal::new(1.into(), 0), 0, false),
        }
    }

    /// The mean of values whose mean was `self` before this `count`th one came.
    pub fn next_mean(&self, value: &Decimal, count: i64) -> Result<Decimal> {
        let difference = value.subtract(self)?;
        self.add(&difference.mean_of_sum(count)?)
    }

    /// As `/` in CQL.
    fn divide(&self, other: &Decimal) -> Result<Decimal> {
        let position =
            (self.digits() - i64::from(self.scale)) - (other.digits() - i64::from(other.scale));
        let scale = (QUOTIENT_DIGITS_MIN - position)
            .max(self.scale.into())
            .max(other.scale.into())
            .clamp(QUOTIENT_DIGITS_MIN, QUOTIENT_SCALE_MAX);
        let mut quotient = self.divide_rounded(other, scale, false)?;
        if quotient.unscaled.sign() == Sign::NoSign {
            return Ok(Decimal::zero());
        }
        let ten = BigInt::from(10);
        while (&quotient.unscaled % &ten).sign() == Sign::NoSign {
            quotient.unscaled /= &ten;
            quotient.scale -= 1;
        }
        Ok(quotient)
    }

    /// As `%` in CQL: `self - truncated quotient * other`.
    fn remainder(&self, other: &Decimal) -> Result<Decimal> {
        let (a, b, scale) = self.aligned(other)?;
        let (mut quotient, remainder) = (&a / &b, &a % &b);
        // Java gives the quotient as few digits as its preferred scale asks for, and that tells in the result's scale.
        let mut product_scale = i64::from(other.scale);
        let ten = BigInt::from(10);
        while product_scale > self.scale.into() && (&quotient % &ten).sign() == Sign::NoSign {
            quotient /= &ten;
            product_scale -= 1;
        }
        let result_scale = product_scale.max(self.scale.into());
        let unscaled = remainder / power_of_ten(scale - result_scale)?;
        Self::with_scale(result_scale, unscaled)
    }
}

/// The type of the result of an operation on two numbers.
pub(in crate::query) fn result_type(left: &CqlType, right: &CqlType) -> CqlType {
    let size = |ty: &CqlType| match ty {
        CqlType::TinyInt => 1,
        CqlType::SmallInt => 2,
        CqlType::Int | CqlType::Float => 4,
        CqlType::BigInt | CqlType::Double | CqlType::Counter => 8,
        _ => usize::MAX,
    };
    let is_floating =
        |ty: &CqlType| matches!(ty, CqlType::Float | CqlType::Double | CqlType::Decimal);
    match (
        is_floating(left) || is_floating(right),
        size(left).max(size(right)),
    ) {
        (true, 4) => CqlType::Float,
        (true, 8) => CqlType::Double,
        (true, _) => CqlType::Decimal,
        (false, 1) => CqlType::TinyInt,
        (false, 2) => CqlType::SmallInt,
        (false, 4) => CqlType::Int,
        (false, 8) => CqlType::BigInt,
        (false, _) => CqlType::Varint,
    }
}

/// `left operator right` as a value of type `ty`, which is their [`result_type`].
///
/// Errors: `InvalidInput` for a division by zero; `Unsupported` for decimals too long.
pub(in crate::query) fn operate(
    operator: Arithmetic,
    left: &Number,
    right: &Number,
    ty: &CqlType,
) -> Result<Vec<u8>> {
    let by_zero = || Error::invalid(format!("`{operator}` by zero"));
    let is_division = matches!(operator, Arithmetic::Divide | Arithmetic::Remainder);
    Ok(match ty {
        CqlType::Float => apply_float(operator, left.to_f32(), right.to_f32())
            .to_be_bytes()
            .to_vec(),
        CqlType::Double => apply_float(operator, left.to_f64(), right.to_f64())
            .to_be_bytes()
            .to_vec(),
        CqlType::Varint => {
            let (a, b) = (left.to_bigint(), right.to_bigint());
            if is_division && b.sign() == Sign::NoSign {
                return Err(by_zero());
            }
            let result = match operator {
                Arithmetic::Add => a + b,
                Arithmetic::Subtract => a - b,
                Arithmetic::Multiply => a * b,
                Arithmetic::Divide => a / b,
                Arithmetic::Remainder => a % b,
            };
            result.to_signed_bytes_be()
        }
        CqlType::Decimal => {
            let (a, b) = (left.to_decimal_operand()?, right.to_decimal_operand()?);
            if is_division && b.unscaled.sign() == Sign::NoSign {
                return Err(by_zero());
            }
            let result = match operator {
                Arithmetic::Add => a.add(&b),
                Arithmetic::Subtract => a.subtract(&b),
                Arithmetic::Multiply => a.multiply(&b),
                Arithmetic::Divide => a.divide(&b),
                Arithmetic::Remainder => a.remainder(&b),
            };
            result?.to_value()
        }
        _ => {
            let (a, b) = (left.to_i64(), right.to_i64());
            if is_division && b == 0 {
                return Err(by_zero());
            }
            let result = match operator {
                Arithmetic::Add => a.wrapping_add(b),
                Arithmetic::Subtract => a.wrapping_sub(b),
                Arithmetic::Multiply => a.wrapping_mul(b),
                Arithmetic::Divide => a.wrapping_div(b),
                Arithmetic::Remainder => a.wrapping_rem(b),
            };
            Number::Integer(result).to_value(ty)?
        }
    })
}

fn apply_float<T>(operator: Arithmetic, a: T, b: T) -> T
where
    T: std::ops::Add<Output = T>
        + std::ops::Sub<Output = T>
        + std::ops::Mul<Output = T>
        + std::ops::Div<Output = T>
        + std::ops::Rem<Output = T>,
{
    match operator {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
        Arithmetic::Remainder => a % b,
    }
}

/// `-number` as a value of type `ty`, its own.
pub(in crate::query) fn negate(number: &Number, ty: &CqlType) -> Result<Vec<u8>> {
    match number {
        Number::Integer(v) => Number::Integer(v.wrapping_neg()),
        Number::Float(v) => Number::Float(-v),
        Number::Double(v) => Number::Double(-v),
        Number::Varint(v) => Number::Varint(-v),
        Number::Decimal(v) => Number::Decimal(Decimal::new(-&v.unscaled, v.scale)),
    }
    .to_value(ty)
}

/// `abs(number)` as a value of type `ty`, its own.
pub(in crate::query) fn abs(number: &Number, ty: &CqlType) -> Result<Vec<u8>> {
    let is_negative = match number {
        Number::Integer(v) => *v < 0,
        Number::Float(v) => v.is_sign_negative(),
        Number::Double(v) => v.is_sign_negative(),
        Number::Varint(v) => v.sign() == Sign::Minus,
        Number::Decimal(v) => v.unscaled.sign() == Sign::Minus,
    };
    match is_negative {
        true => negate(number, ty),
        false => number.to_value(ty),
    }
}
