//! An ordered list in blocks of memory that lie together: a tree of two levels.
//!
//! Each item has a number that orders it as far as numbers can; what is equal there is told apart by whoever asks.

use std::cmp::Ordering;

/// Most items of a block.
const ITEMS_MAX: usize = 128;

/// Items in order.
#[derive(Debug)]
pub(super) struct Blocks<T> {
    blocks: Vec<Block<T>>,
}

#[derive(Debug)]
struct Block<T> {
    /// That of its first item.
    rank: u64,
    /// At least one.
    items: Vec<(u64, T)>,
}

/// A place between or at items. Any insertion moves what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    block: usize,
    item: usize,
}

impl<T> Blocks<T> {
    pub const fn new() -> Self {
        Blocks { blocks: Vec::new() }
    }

    /// The place of the first item that does not sort before the one that is looked for; `compare` says how an item of the
    /// same rank does.
    #[inline]
    pub fn lower_bound(&self, rank: u64, mut compare: impl FnMut(&T) -> Ordering) -> Place {
        self.partition_point(|at, item| at < rank || at == rank && compare(item).is_lt())
    }

    /// The place of the first item that sorts behind the one that is looked for.
    #[inline]
    pub fn upper_bound(&self, rank: u64, mut compare: impl FnMut(&T) -> Ordering) -> Place {
        self.partition_point(|at, item| at < rank || at == rank && compare(item).is_le())
    }

    #[inline]
    fn partition_point(&self, mut is_before: impl FnMut(u64, &T) -> bool) -> Place {
        let blocks = self.blocks.partition_point(|block| {
            let first = block.items.first();
            first.is_some_and(|(_, item)| is_before(block.rank, item))
        });
        let Some(block) = blocks.checked_sub(1) else {
            return Place { block: 0, item: 0 };
        };
        let items = &self.blocks[block].items;
        let item = items.partition_point(|(rank, item)| is_before(*rank, item));
        Place { block, item }
    }

    /// The items from a place on.
    pub fn iter_from(&self, place: Place) -> impl Iterator<Item = &T> {
        let blocks = self.blocks.get(place.block..).unwrap_or_default();
        let items = blocks.iter().flat_map(|block| &block.items);
        items.skip(place.item).map(|(_, item)| item)
    }

    /// The items before a place, from the last one on.
    pub fn iter_before(&self, place: Place) -> impl Iterator<Item = &T> {
        let (before, at) = self.blocks.split_at(place.block.min(self.blocks.len()));
        let at = at
            .first()
            .map_or(&[][..], |block| &block.items[..place.item]);
        let before = before
            .iter()
            .rev()
            .flat_map(|block| block.items.iter().rev());
        at.iter().rev().chain(before).map(|(_, item)| item)
    }

    /// The place of the first item.
    pub fn start(&self) -> Place {
        Place { block: 0, item: 0 }
    }

    /// The place behind the last item.
    pub fn end(&self) -> Place {
        Place {
            block: self.blocks.len(),
            item: 0,
        }
    }

    /// All items.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(self.start())
    }

    /// Bytes of memory that the list has for its items.
    pub fn footprint(&self) -> usize {
        let items = self.blocks.iter().map(|block| block.items.capacity());
        items.sum::<usize>() * size_of::<(u64, T)>()
            + self.blocks.capacity() * size_of::<Block<T>>()
    }

    /// The item before a place, and its rank.
    #[inline]
    pub fn before(&mut self, place: Place) -> Option<&mut (u64, T)> {
        let items = &mut self.blocks.get_mut(place.block)?.items;
        items.get_mut(place.item.checked_sub(1)?)
    }

    /// Inserts an item where it sorts, and returns by how many bytes the list has grown.
    #[inline]
    pub fn insert(&mut self, place: Place, rank: u64, item: T) -> usize {
        let Place { block, item: at } = place;
        let Some(into) = self.blocks.get_mut(block) else {
            return self.push_block(rank, item);
        };
        if into.items.len() < ITEMS_MAX {
            let before = into.items.capacity();
            into.items.insert(at, (rank, item));
            if at == 0 {
                into.rank = rank;
            }
            return (into.items.capacity() - before) * size_of::<(u64, T)>();
        }
        self.insert_full(place, rank, item)
    }

    #[cold]
    fn push_block(&mut self, rank: u64, item: T) -> usize {
        let before = self.blocks.capacity();
        // Most lists are of few items, and stay so.
        let items = match self.blocks.is_empty() {
            true => vec![(rank, item)],
            false => {
                let mut items = Vec::with_capacity(ITEMS_MAX);
                items.push((rank, item));
                items
            }
        };
        let bytes = items.capacity() * size_of::<(u64, T)>();
        self.blocks.push(Block { rank, items });
        bytes + (self.blocks.capacity() - before) * size_of::<Block<T>>()
    }

    /// Parts a full block; one that is only appended to stays full.
    #[cold]
    fn insert_full(&mut self, place: Place, rank: u64, item: T) -> usize {
        let Place { block, item: at } = place;
        if block + 1 == self.blocks.len() && at == ITEMS_MAX {
            return self.push_block(rank, item);
        }
        let before = self.blocks.capacity();
        let mut behind = Vec::with_capacity(ITEMS_MAX);
        behind.extend(self.blocks[block].items.drain(ITEMS_MAX / 2..));
        let bytes = behind.capacity() * size_of::<(u64, T)>();
        self.blocks.insert(
            block + 1,
            Block {
                rank: behind[0].0,
                items: behind,
            },
        );
        let bytes = bytes + (self.blocks.capacity() - before) * size_of::<Block<T>>();
        let place = match at <= ITEMS_MAX / 2 {
            true => place,
            false => Place {
                block: block + 1,
                item: at - ITEMS_MAX / 2,
            },
        };
        bytes + self.insert(place, rank, item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_in_order_however_they_came() {
        // Ascending, descending, and as a generator has it; several of one rank.
        let generated = |i: u64| (i.wrapping_mul(6_364_136_223_846_793_005) >> 33) % 5000;
        for number in [|i| i, |i| 5000 - i, generated] {
            let (mut list, mut bytes, mut expected) = (Blocks::new(), 0, Vec::new());
            for i in 0..5000u64 {
                let value = number(i);
                let rank = value / 3;
                let place = list.upper_bound(rank, |item: &(u64, u64)| item.0.cmp(&value));
                bytes += list.insert(place, rank, (value, i));
                expected.push((value, i));
            }
            expected.sort_unstable();
            assert!(list.iter().eq(&expected));
            assert!(list.iter_before(list.end()).eq(expected.iter().rev()));
            assert_eq!(bytes, list.footprint());
            for wanted in [0, 1, 777, 2500, 4999, 5001] {
                let place = list.lower_bound(wanted / 3, |item| item.0.cmp(&wanted));
                let at = expected.partition_point(|(value, _)| *value < wanted);
                assert!(list.iter_from(place).eq(&expected[at..]));
                assert!(list.iter_before(place).eq(expected[..at].iter().rev()));
                assert_eq!(
                    list.before(place).map(|(_, item)| *item),
                    at.checked_sub(1).map(|i| expected[i])
                );
            }
        }
    }
}
