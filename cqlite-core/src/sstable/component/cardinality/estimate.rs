//! How many keys a cardinality estimator stands for.
//!
//! Authority: `HyperLogLogPlus.cardinality` of stream-lib 2.5.2, and its table of biases.

use super::REGISTERS;

/// From this estimate on the registers tell more than the count of empty ones.
const LINEAR_COUNTING_MAX: f64 = 6500.0;
/// How many near entries of the table are averaged.
const NEIGHBOURS: usize = 6;

pub(super) fn linear_counting(all: f64, free: f64) -> f64 {
    (all * (all / free).ln()).round()
}

/// The estimate from the registers, each the longest run of zeros seen plus one.
pub(super) fn of_registers(registers: impl Iterator<Item = u32>) -> u64 {
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
    chosen.round() as u64
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
