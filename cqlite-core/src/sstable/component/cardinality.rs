//! The cardinality estimator of Statistics.db: about how many partition keys there are.
//!
//! Authority: `HyperLogLogPlus` of the library stream-lib 2.5.2, which Cassandra makes with precisions 13 and 25; the
//! algorithm and its table of biases are those of Heule, Nunkesser and Hall, "HyperLogLog in Practice".
//!
//! ```text
//! i32 -2; vint p; vint sp; vint 0; vint length; i32 words of six registers     normal
//!                          vint 1; vint n; n x vint difference of hashes      sparse
//! ```
//! These vints have seven bits a byte, the lowest ones first.

use crate::bytes::Cursor;
use crate::{Error, Result};

/// The precision that Cassandra uses: 2^13 registers.
const PRECISION: u32 = 13;
/// Count of registers.
const REGISTERS: usize = 1 << PRECISION;
/// From this estimate on the registers tell more than the count of empty ones.
const LINEAR_COUNTING_MAX: f64 = 6500.0;
/// How many near entries of the table are averaged.
const NEIGHBOURS: usize = 6;

/// Estimates the count of distinct partition keys.
///
/// # Errors
/// `Corrupt`, or `Unsupported` for estimators that Cassandra never wrote.
pub fn estimate(bytes: &[u8]) -> Result<u64> {
    let mut c = Cursor::new(bytes);
    let version = c.i32()?;
    let (precision, sparse_precision) = (vint(&mut c)?, vint(&mut c)?);
    if version >= 0 || precision != PRECISION || sparse_precision > 31 {
        return Err(Error::unsupported(format!(
            "a cardinality estimator of version {version} and precisions {precision} and {sparse_precision}"
        )));
    }
    match vint(&mut c)? {
        0 => {
            let length = vint(&mut c)? as usize;
            normal(c.take(length)?)
        }
        _ => {
            let hashes = vint(&mut c)?;
            let all = 1u64 << sparse_precision;
            match all.checked_sub(hashes.into()) {
                Some(free) if c.bounded(hashes.into(), 1).is_ok() => {
                    Ok(linear_counting(all as f64, free as f64) as u64)
                }
                _ => Err(Error::corrupt("the cardinality estimator ends early")),
            }
        }
    }
}

fn vint(c: &mut Cursor<'_>) -> Result<u32> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = c.u8()?;
        if shift > 28 {
            return Err(Error::corrupt(
                "a number of over 32 bits in the cardinality estimator",
            ));
        }
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
        shift += 7;
    }
}

fn linear_counting(all: f64, free: f64) -> f64 {
    (all * (all / free).ln()).round()
}

fn normal(words: &[u8]) -> Result<u64> {
    if words.len() != REGISTERS.div_ceil(6) * 4 {
        let what = format!(
            "a cardinality estimator of {} bytes of registers",
            words.len()
        );
        return Err(Error::corrupt(what));
    }
    let (words, _) = words.as_chunks::<4>();
    let registers = words
        .iter()
        .flat_map(|word| (0..6).map(|i| u32::from_be_bytes(*word) >> (5 * i) & 0x1f))
        .take(REGISTERS);
    let (mut sum, mut empty) = (0.0, 0.0);
    for register in registers {
        // In 32 bits with a sign, as the library has it.
        sum += 1.0 / f64::from(1i32 << register);
        if register == 0 {
            empty += 1.0;
        }
    }
    let m = REGISTERS as f64;
    let raw = 0.7213 / (1.0 + 1.079 / m) * m * m * (1.0 / sum);
    let estimate = if raw <= 5.0 * m { raw - bias(raw) } else { raw };
    let linear = if empty > 0.0 {
        linear_counting(m, empty)
    } else {
        estimate
    };
    let chosen = if linear < LINEAR_COUNTING_MAX {
        linear
    } else {
        estimate
    };
    Ok(chosen.round() as u64)
}

/// By how much raw estimates near this one are too high: the mean over the nearest entries of the table.
fn bias(raw: f64) -> f64 {
    let mut by_distance: Vec<(f64, usize)> = RAW_ESTIMATES
        .iter()
        .enumerate()
        .map(|(i, entry)| ((raw - entry) * (raw - entry), i))
        .collect();
    by_distance.sort_by(|a, b| a.0.total_cmp(&b.0));
    let nearest = by_distance.iter().take(NEIGHBOURS);
    let biases = nearest.map(|&(_, i)| RAW_ESTIMATES[i] - true_cardinality(i));
    biases.sum::<f64>() / NEIGHBOURS as f64
}

/// The cardinality at which the raw estimate is an entry of the table on average: two hundred steps lead to five times
/// the count of registers.
fn true_cardinality(i: usize) -> f64 {
    (i * (5 * REGISTERS - 1))
        .div_ceil(RAW_ESTIMATES.len())
        .max(1) as f64
}

/// Raw estimates at precision 13.
#[rustfmt::skip]
const RAW_ESTIMATES: [f64; 200] = [
    5908.5052, 6007.2672, 6107.347, 6208.5794, 6311.2622, 6414.5514, 6519.3376, 6625.6952,
    6732.5988, 6841.3552, 6950.5972, 7061.3082, 7173.5646, 7287.109, 7401.8216, 7516.4344,
    7633.3802, 7751.2962, 7870.3784, 7990.292, 8110.79, 8233.4574, 8356.6036, 8482.2712,
    8607.7708, 8735.099, 8863.1858, 8993.4746, 9123.8496, 9255.6794, 9388.5448, 9522.7516,
    9657.3106, 9792.6094, 9930.5642, 10068.794, 10206.7256, 10347.81, 10490.3196, 10632.0778,
    10775.9916, 10920.4662, 11066.124, 11213.073, 11358.0362, 11508.1006, 11659.1716, 11808.7514,
    11959.4884, 12112.1314, 12265.037, 12420.3756, 12578.933, 12734.311, 12890.0006, 13047.2144,
    13207.3096, 13368.5144, 13528.024, 13689.847, 13852.7528, 14018.3168, 14180.5372, 14346.9668,
    14513.5074, 14677.867, 14846.2186, 15017.4186, 15184.9716, 15356.339, 15529.2972, 15697.3578,
    15871.8686, 16042.187, 16216.4094, 16389.4188, 16565.9126, 16742.3272, 16919.0042, 17094.7592,
    17273.965, 17451.8342, 17634.4254, 17810.5984, 17988.9242, 18171.051, 18354.7938, 18539.466,
    18721.0408, 18904.9972, 19081.867, 19271.9118, 19451.8694, 19637.9816, 19821.2922, 20013.1292,
    20199.3858, 20387.8726, 20572.9514, 20770.7764, 20955.1714, 21144.751, 21329.9952, 21520.709,
    21712.7016, 21906.3868, 22096.2626, 22286.0524, 22475.051, 22665.5098, 22862.8492, 23055.5294,
    23249.6138, 23437.848, 23636.273, 23826.093, 24020.3296, 24213.3896, 24411.7392, 24602.9614,
    24805.7952, 24998.1552, 25193.9588, 25389.0166, 25585.8392, 25780.6976, 25981.2728, 26175.977,
    26376.5252, 26570.1964, 26773.387, 26962.9812, 27163.0586, 27368.164, 27565.0534, 27758.7428,
    27961.1276, 28163.2324, 28362.3816, 28565.7668, 28758.644, 28956.9768, 29163.4722, 29354.7026,
    29561.1186, 29767.9948, 29959.9986, 30164.0492, 30366.9818, 30562.5338, 30762.9928, 30976.1592,
    31166.274, 31376.722, 31570.3734, 31770.809, 31974.8934, 32179.5286, 32387.5442, 32582.3504,
    32794.076, 32989.9528, 33191.842, 33392.4684, 33595.659, 33801.8672, 34000.3414, 34200.0922,
    34402.6792, 34610.0638, 34804.0084, 35011.13, 35218.669, 35418.6634, 35619.0792, 35830.6534,
    36028.4966, 36229.7902, 36438.6422, 36630.7764, 36833.3102, 37048.6728, 37247.3916, 37453.5904,
    37669.3614, 37854.5526, 38059.305, 38268.0936, 38470.2516, 38674.7064, 38876.167, 39068.3794,
    39281.9144, 39492.8566, 39684.8628, 39898.4108, 40093.1836, 40297.6858, 40489.7086, 40717.2424,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn header(format: &[u8]) -> Vec<u8> {
        [&(-2i32).to_be_bytes()[..], &[13, 25], format].concat()
    }

    /// Cardinalities that the library gives for registers of a pattern.
    #[test]
    fn registers_as_the_library_counts_them() {
        for (factor, modulus, least, expected) in [
            (0, 1, 0, 0),
            (7, 3, 0, 7257),
            (5, 4, 0, 10700),
            (3, 4, 1, 25004),
            (11, 6, 1, 36012),
            (13, 5, 2, 60980),
            (1, 2, 3, 63020),
            (9, 7, 4, 333191),
        ] {
            let mut words = vec![0u32; REGISTERS.div_ceil(6)];
            for i in 0..REGISTERS {
                let register = ((i as u32 * factor) >> 4) % modulus + least;
                words[i / 6] |= register << (5 * (i % 6));
            }
            let mut bytes = header(&[0, 0xd8, 0x2a]);
            bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            assert_eq!(bytes.len(), 5473);
            assert_eq!(estimate(&bytes).unwrap(), expected);
        }
    }

    #[test]
    fn sparse_ones_are_counted() {
        let one = header(&[1, 1, 0xe6, 0x9a, 0xb0, 0x17]);
        assert_eq!(estimate(&one).unwrap(), 1);
        assert_eq!(estimate(&header(&[1, 0])).unwrap(), 0);
    }

    #[test]
    fn what_is_no_estimator() {
        for (bytes, kind) in [
            (header(&[1, 9, 1, 1]), ErrorKind::Corrupt),
            (header(&[0, 4, 1, 1, 1, 1]), ErrorKind::Corrupt),
            (
                header(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
                ErrorKind::Corrupt,
            ),
            (vec![0, 0, 0, 13, 1, 2], ErrorKind::Unsupported),
            (vec![0xff], ErrorKind::Corrupt),
        ] {
            assert_eq!(estimate(&bytes).unwrap_err().kind(), kind, "{bytes:?}");
        }
    }
}
