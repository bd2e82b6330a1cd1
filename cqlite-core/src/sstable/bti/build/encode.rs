//! Which of the sixteen kinds a node of a trie takes, how long it is, and its bytes.
//!
//! Authority: `o.a.c.io.tries.TrieNode`, `o.a.c.io.util.SizedInts`. [`Node`](super::super::Node) reads them.

/// The most that a kind's distance may be, by the indexes of the three tables that follow.
const DISTANCE_MAX: [u64; 7] = [
    0xf,
    0xff,
    0xfff,
    0xffff,
    0xff_ffff,
    0xffff_ffff,
    0xff_ffff_ffff,
];
const SINGLE: [u8; 8] = [1, 2, 3, 4, 12, 13, 14, 15];
const SPARSE: [u8; 8] = [5, 5, 6, 7, 8, 9, 9, 15];
const DENSE: [u8; 8] = [10, 10, 10, 11, 12, 13, 14, 15];

/// Bits of a distance in each kind.
const DISTANCE_BITS: [u8; 16] = [0, 4, 8, 12, 16, 8, 12, 16, 24, 40, 12, 16, 24, 32, 40, 64];

/// The children of a node, as far as its length depends on them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fan {
    /// How many, 1 to 256.
    pub count: u16,
    /// The least byte.
    pub first: u8,
    /// The greatest byte.
    pub last: u8,
}

impl Fan {
    /// No children.
    pub const NONE: Fan = Fan {
        count: 0,
        first: 0,
        last: 0,
    };
}

/// A kind of node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(u8);

impl Kind {
    /// Of a node without children.
    pub const LEAF: Kind = Kind(0);

    /// The shortest kind for a node whose farthest child lies `distance` before it.
    #[inline]
    pub fn of(fan: Fan, has_payload: bool, distance: u64) -> Kind {
        let mut width = DISTANCE_MAX.partition_point(|max| *max < distance);
        if fan.count > 1 {
            let (sparse, dense) = (Kind(SPARSE[width]), Kind(DENSE[width]));
            return match sparse.body_len(fan) < dense.body_len(fan) {
                true => sparse,
                false => dense,
            };
        }
        if has_payload && matches!(SINGLE[width], 1 | 3) {
            width += 1;
        }
        Kind(SINGLE[width])
    }

    /// Length in bytes without the payload.
    #[inline]
    pub fn body_len(self, fan: Fan) -> u32 {
        let bits = u32::from(DISTANCE_BITS[usize::from(self.0)]);
        match self.0 {
            0 => 1,
            1 => 2,
            2..=4 => 2 + bits / 8,
            5..=9 => {
                let count = u32::from(fan.count);
                2 + count + (count * bits).div_ceil(8)
            }
            _ => 3 + ((u32::from(fan.last - fan.first) + 1) * bits).div_ceil(8),
        }
    }

    /// Appends the node without its payload. `children` are their bytes and distances, ascending.
    #[inline]
    pub fn write(
        self,
        fan: Fan,
        payload_bits: u8,
        children: impl Iterator<Item = (u8, u64)> + Clone,
        out: &mut Vec<u8>,
    ) {
        let head = self.0 << 4;
        let bits = DISTANCE_BITS[usize::from(self.0)];
        let distances = children.clone().map(|(_, distance)| distance);
        let distance = distances.clone().next().unwrap_or(0);
        match self.0 {
            0 => out.push(head | payload_bits),
            1 => out.extend([head | distance as u8, fan.first]),
            3 => out.extend([head | (distance >> 8) as u8, distance as u8, fan.first]),
            2 | 4 => {
                out.extend([head | payload_bits, fan.first]);
                put_distances(bits, distances, out);
            }
            5..=9 => {
                out.extend([head | payload_bits, fan.count as u8]);
                out.extend(children.map(|(byte, _)| byte));
                put_distances(bits, distances, out);
            }
            _ => {
                out.extend([head | payload_bits, fan.first, fan.last - fan.first]);
                let mut children = children.peekable();
                let dense = (fan.first..=fan.last).map(|byte| {
                    let child = children.next_if(|(at, _)| *at == byte);
                    child.map_or(0, |(_, distance)| distance)
                });
                put_distances(bits, dense, out);
            }
        }
    }
}

/// Appends distances of `bits` bits each, packed from the most significant bit on.
#[inline]
fn put_distances(bits: u8, mut distances: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    if bits != 12 {
        for distance in distances {
            put_low_bytes(distance, bits / 8, out);
        }
        return;
    }
    while let Some(even) = distances.next() {
        out.push((even >> 4) as u8);
        let Some(odd) = distances.next() else {
            out.push((even << 4) as u8);
            return;
        };
        out.extend([(even << 4) as u8 | (odd >> 8) as u8, odd as u8]);
    }
}

/// Appends the `len` least significant bytes of a number, 1 to 8, big-endian.
#[inline(always)]
pub(super) fn put_low_bytes(v: u64, len: u8, out: &mut Vec<u8>) {
    // A copy of a fixed length, cut afterwards, is cheaper than one of a length that varies.
    let unused = 8 - usize::from(len);
    out.extend_from_slice(&(v << (8 * unused)).to_be_bytes());
    out.truncate(out.len() - unused);
}

/// Count of bytes that a number takes in two's complement, 1 to 8.
#[inline(always)]
pub(super) fn sized_len(v: i64) -> u8 {
    let magnitude = v ^ (v >> 63);
    ((64 - magnitude.leading_zeros() + 8) / 8) as u8
}

#[cfg(test)]
mod tests {
    use super::super::super::node::{Child, Node};
    use super::*;
    use proptest::prelude::*;

    /// Writes a node with these children, reads it again, and returns its kind.
    fn round_trip(children: &[Child], position: u64, payload_bits: u8) -> u8 {
        let fan = Fan {
            count: children.len() as u16,
            first: children[0].0,
            last: children[children.len() - 1].0,
        };
        let distances = children.iter().map(|(byte, at)| (*byte, position - at));
        let farthest = distances.clone().map(|(_, distance)| distance).max();
        let kind = Kind::of(fan, payload_bits != 0, farthest.unwrap());
        let mut file = vec![0; 16];
        kind.write(fan, payload_bits, distances, &mut file);
        assert_eq!(file.len() as u32, 16 + kind.body_len(fan));
        file.push(0xaa);
        // The node as if its file began so far before it.
        let node = Node::at(&file, 16).unwrap();
        assert_eq!(node.payload_bits(), payload_bits);
        assert_eq!(node.payload(), [0xaa]);
        if position == 16 {
            let mut from = 0;
            for child in children {
                assert_eq!(node.first_from(from).unwrap(), Some(*child));
                from = u16::from(child.0) + 1;
            }
            assert_eq!(node.first_from(from).unwrap(), None);
        }
        kind.0
    }

    #[test]
    fn the_farthest_child_decides_on_the_kind() {
        let mut nearest = 1;
        for (farthest, single, with_payload, several) in [
            (0xf, 1, 2, 5),
            (0xff, 2, 2, 5),
            (0xfff, 3, 4, 6),
            (0xffff, 4, 4, 7),
            (0xff_ffff, 12, 12, 8),
            (0xffff_ffff, 13, 13, 9),
            (0xff_ffff_ffff, 14, 14, 9),
            (0xffff_ffff_ffff, 15, 15, 15),
        ] {
            for distance in [nearest, farthest] {
                let position = 1 << 50;
                let far = (7, position - distance);
                assert_eq!(round_trip(&[far], position, 0), single);
                assert_eq!(round_trip(&[far], position, 9), with_payload);
                let two = [far, (100, position - 1)];
                assert_eq!(round_trip(&two, position, 9), several);
            }
            nearest = farthest + 1;
        }
    }

    #[test]
    fn dense_unless_sparse_is_shorter() {
        let children = |bytes: &[u8]| bytes.iter().map(|b| (*b, 1)).collect::<Vec<_>>();
        assert_eq!(round_trip(&children(&[1, 2]), 16, 0), 10);
        assert_eq!(round_trip(&children(&[1, 3]), 16, 0), 5);
        assert_eq!(round_trip(&children(&[1, 2, 3]), 16, 0), 10);
        assert_eq!(round_trip(&children(&[1, 2, 4]), 16, 0), 5);
        let all: Vec<_> = (0..=255).map(|b| (b, 1)).collect();
        assert_eq!(round_trip(&all, 16, 15), 10);
    }

    #[test]
    fn sizes_of_numbers_equal_cassandras() {
        for (v, len) in [
            (0, 1),
            (127, 1),
            (128, 2),
            (-128, 1),
            (-129, 2),
            (i64::MAX, 8),
            (i64::MIN, 8),
        ] {
            assert_eq!(sized_len(v), len);
            let mut out = Vec::new();
            put_low_bytes(v as u64, len, &mut out);
            let mut cursor = crate::bytes::Cursor::new(&out);
            let read = super::super::super::partitions::read_sized(&mut cursor, len);
            assert_eq!((read, out.len()), (Ok(v), usize::from(len)));
        }
    }

    proptest! {
        #[test]
        fn nodes_are_read_as_they_were_written(
            children in prop::collection::btree_map(any::<u8>(), 0u64..16, 1..256), bits in 0u8..16,
        ) {
            let children: Vec<_> = children.into_iter().collect();
            round_trip(&children, 16, bits);
        }
    }
}
