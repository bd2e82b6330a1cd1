//! Collects the times at which data dies into the histogram of Statistics.db.
//!
//! Authority: `o.a.c.utils.streamhist.StreamingTombstoneHistogramBuilder`, which `o.a.c.io.sstable.SSTable` makes of 100
//! bins and a spool of 100,000 times, rounded up to minutes.
//!
//! The order in which times are merged into bins shows in the result. It is that of the spool's slots, to which a hash
//! leads, so that the spool is Cassandra's down to its slots.

/// Most bins.
const BINS_MAX: usize = 100;
/// Count of times after which the spool is emptied: 100,000 rounded up to a power of two.
const SPOOL_TIMES: usize = 1 << 17;
/// Slots of the spool.
const SLOTS: usize = 2 * SPOOL_TIMES;
/// Slots that are tried for a time.
const PROBES_MAX: usize = 100;
/// What times are rounded up to, in seconds.
const ROUND_SECONDS: i64 = 60;
/// Latest time (`Cell.MAX_DELETION_TIME`).
const TIME_MAX: i64 = u32::MAX as i64 - 2;

/// Counts times of death. It takes two MiB once it has one.
#[derive(Debug, Clone, Default)]
pub struct DropTimes {
    bins: Bins,
    /// Times plus one, so that 0 is an empty slot, and counts; empty before the first time.
    spool: Vec<(u32, u32)>,
    /// Times in the spool.
    len: usize,
    /// The slot of the time that was added last.
    last: usize,
}

impl DropTimes {
    /// Adds a time, in seconds since 1970, that is not [`NO_DELETION_TIME`](crate::model::NO_DELETION_TIME). Impossible
    /// ones count as the latest.
    #[inline]
    pub fn add(&mut self, seconds: i64) {
        let tag = ceil(seconds) as u32 + 1;
        match self.spool.get_mut(self.last) {
            // A spool that is full is emptied first, whatever is added.
            Some(slot) if slot.0 == tag && self.len <= SPOOL_TIMES => slot.1 = add_up(slot.1, 1),
            _ => self.add_elsewhere(tag),
        }
    }

    fn add_elsewhere(&mut self, tag: u32) {
        if self.spool.is_empty() {
            self.spool = vec![(0, 0); SLOTS];
        }
        if !self.try_add(tag) {
            self.empty();
            // An empty spool has room for every time.
            self.try_add(tag);
        }
    }

    fn try_add(&mut self, tag: u32) -> bool {
        if self.len > SPOOL_TIMES {
            return false;
        }
        let time = u64::from(tag - 1);
        let slot = time.wrapping_mul(948_701_839) as usize & (SPOOL_TIMES - 1);
        for slot in slot..slot + PROBES_MAX {
            let slot = slot % SLOTS;
            match &mut self.spool[slot] {
                free @ (0, _) => {
                    *free = (tag, 1);
                    self.len += 1;
                }
                (found, count) if *found == tag => *count = add_up(*count, 1),
                _ => continue,
            }
            self.last = slot;
            return true;
        }
        false
    }

    /// Merges the spool into the bins.
    fn empty(&mut self) {
        if self.len == 0 {
            return;
        }
        for (tag, count) in &mut self.spool {
            if *tag != 0 {
                self.bins.add(i64::from(*tag - 1), *count);
                *tag = 0;
            }
        }
        self.len = 0;
    }

    /// The histogram: times and counts, by ascending time.
    pub fn finish(mut self) -> Vec<(i64, u32)> {
        self.empty();
        self.bins.0
    }
}

/// Times and counts, ascending; one more than there may be while one is added.
#[derive(Debug, Clone, Default)]
struct Bins(Vec<(i64, u32)>);

impl Bins {
    fn add(&mut self, time: i64, count: u32) {
        let bins = &mut self.0;
        match bins.binary_search_by_key(&time, |bin| bin.0) {
            Ok(i) => bins[i].1 = add_up(bins[i].1, count),
            Err(i) => bins.insert(i, (time, count)),
        }
        if bins.len() > BINS_MAX {
            self.merge_nearest();
        }
    }

    /// Makes one of the two nearest bins, the first of such pairs: their counts' sum at their weighted mean.
    fn merge_nearest(&mut self) {
        let bins = &mut self.0;
        let gaps = bins.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let Some((i, _)) = gaps.enumerate().min_by_key(|(_, gap)| *gap) else {
            return;
        };
        let ((time1, count1), (time2, count2)) = (bins[i], bins[i + 1]);
        let sum = u64::from(count1) + u64::from(count2);
        // Of numbers below 2^32 and 2^31: no product overflows, and a sum that does is cut to the largest.
        let weigh = |time: i64, count: u32| time as u64 * u64::from(count);
        let weights = weigh(time1, count1) + weigh(time2, count2);
        let mean = (weights.min(i64::MAX as u64) / sum) as i64;
        let mean = mean.min(TIME_MAX).max((time1 + 1).min(TIME_MAX)).min(time2);
        bins[i] = (ceil(mean), add_up(count1, count2));
        bins.remove(i + 1);
    }
}

/// The sum, at most what an i32 holds.
fn add_up(a: u32, b: u32) -> u32 {
    (a + b).min(i32::MAX as u32)
}

/// A time rounded up; one that is impossible is the latest.
#[inline]
fn ceil(seconds: i64) -> i64 {
    if !(0..=TIME_MAX).contains(&seconds) {
        return TIME_MAX;
    }
    let rounded = (seconds as u64).next_multiple_of(ROUND_SECONDS as u64) as i64;
    // The latest time is no whole minute.
    rounded.min(TIME_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_and_counted() {
        let mut times = DropTimes::default();
        for seconds in [
            0,
            1,
            60,
            61,
            59,
            i64::MAX - 1,
            -5,
            TIME_MAX,
            u32::MAX as i64,
        ] {
            times.add(seconds);
        }
        assert_eq!(times.finish(), [(0, 1), (60, 3), (120, 1), (TIME_MAX, 4)]);
        assert_eq!(DropTimes::default().finish(), []);
    }

    #[test]
    fn the_nearest_bins_become_one() {
        let mut bins = Bins::default();
        for i in 0..100 {
            bins.add(i * 6000, 1);
        }
        bins.add(6120, 3);
        // (6000 * 1 + 6120 * 3) / 4 = 6090, rounded up.
        assert_eq!(bins.0.len(), 100);
        assert_eq!(bins.0[..3], [(0, 1), (6120, 4), (12_000, 1)]);
        assert_eq!(add_up(i32::MAX as u32, 5), i32::MAX as u32);
    }

    /// Count, range and start of times; bins, the fiftieth of them, and the CRC32 of all, from Cassandra's class. The
    /// spool is filled and emptied up to three times.
    #[test]
    fn many_times_become_the_bins_of_cassandra() {
        for (n, range, start, middle, crc) in [
            (1000, 1_000_000, 0, 505_860, 0xf0bfa014),
            (
                50_000,
                100_000_000,
                1_600_000_000,
                1_649_717_940,
                0xc4824074,
            ),
            (
                400_000,
                1_000_000_000,
                1_500_000_000,
                1_995_676_440,
                0x004623d6,
            ),
            (300_000, 4_294_967_294, 0, 2_126_468_640, 0x1fd5e5b9),
        ] {
            let mut times = DropTimes::default();
            for i in 0..n {
                times.add(start + (mix(i) % range) as i64);
            }
            let bins = times.finish();
            assert_eq!(bins.iter().map(|bin| u64::from(bin.1)).sum::<u64>(), n);
            assert_eq!((bins.len(), bins[49].0), (100, middle));
            let mut bytes = Vec::new();
            for (time, count) in bins {
                bytes.extend(time.to_be_bytes());
                bytes.extend(count.to_be_bytes());
            }
            assert_eq!(crc32fast::hash(&bytes), crc);
        }
    }

    /// Numbers without an order.
    fn mix(i: u64) -> u64 {
        let z = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}
