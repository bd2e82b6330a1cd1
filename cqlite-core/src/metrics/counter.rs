//! Counters that many threads add to.
//!
//! Authority: `com.codahale.metrics.Counter`, whose `LongAdder` spreads a count over cells as well.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Cells that a counter is spread over; threads take turns in choosing one, each for good.
const STRIPES: usize = 8;

/// `N` counters. Each thread adds to cache lines that it shares with few others, so that nobody waits.
#[derive(Debug)]
pub struct Counters<const N: usize> {
    stripes: Box<[Stripe<N>; STRIPES]>,
}

#[derive(Debug)]
#[repr(align(64))]
struct Stripe<const N: usize>([AtomicU64; N]);

/// The stripe of this thread.
#[inline]
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    STRIPE.with(|stripe| *stripe)
}

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        let stripe = |_| Stripe(std::array::from_fn(|_| AtomicU64::new(0)));
        Counters {
            stripes: Box::new(std::array::from_fn(stripe)),
        }
    }
}

impl<const N: usize> Counters<N> {
    /// Adds to the `i`th counter. Returns what this thread's part of it was before.
    #[inline]
    pub fn add(&self, i: usize, n: u64) -> u64 {
        self.stripes[stripe()].0[i].fetch_add(n, Ordering::Relaxed)
    }

    /// What was added to the `i`th counter.
    pub fn get(&self, i: usize) -> u64 {
        let parts = self.stripes.iter().map(|s| s.0[i].load(Ordering::Relaxed));
        parts.fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_add_is_there() {
        let counters = Counters::<3>::default();
        std::thread::scope(|scope| {
            for thread in 0..20 {
                let counters = &counters;
                scope.spawn(move || {
                    for n in 0..1000 {
                        counters.add(0, 1);
                        counters.add(2, n * thread);
                    }
                });
            }
        });
        assert_eq!(counters.get(0), 20_000);
        assert_eq!(counters.get(1), 0);
        assert_eq!(counters.get(2), 999 * 500 * 190);
    }
}
