//! The sixteen kinds of trie nodes on disk.
//!
//! ```text
//! type << 4 | payload bits, body, payload          single   transition, distance
//! child position = node position - distance        sparse   count, transitions ascending, distances
//!                                                   dense    first, count - 1, distances (0 = no child)
//! ```
//!
//! Authority: `o.a.c.io.tries.TrieNode`.

use crate::bytes::DecodeError;

type Result<T> = std::result::Result<T, DecodeError>;

/// A node over the bytes of its file.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    position: u64,
    payload_bits: u8,
    children: Children<'a>,
    after_body: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
enum Children<'a> {
    None,
    Single {
        transition: u8,
        distance: u64,
    },
    Sparse {
        transitions: &'a [u8],
        distances: Distances<'a>,
    },
    Dense {
        first: u8,
        distances: Distances<'a>,
    },
}

/// Distances of some bits each, packed from the most significant bit on.
#[derive(Debug, Clone, Copy)]
struct Distances<'a> {
    bytes: &'a [u8],
    bits: usize,
    count: usize,
}

/// A child: the byte that leads to it, and its position.
pub type Child = (u8, u64);

impl<'a> Node<'a> {
    /// The node at `position` of a file.
    ///
    /// # Errors
    /// `Eof` if it is not within `file`; `Invalid` if it has no children where its type needs some.
    #[inline]
    pub fn at(file: &'a [u8], position: u64) -> Result<Self> {
        let start = usize::try_from(position).map_err(|_| DecodeError::Eof)?;
        let bytes = file.get(start..).ok_or(DecodeError::Eof)?;
        let (&first, rest) = bytes.split_first().ok_or(DecodeError::Eof)?;
        let low = first & 15;
        let (children, payload_bits, after_body) = match first >> 4 {
            0 => (Children::None, low, rest),
            1 => single(rest, 0, low as u64, 0)?,
            2 => single(rest, 1, 0, low)?,
            3 => {
                let (&distance, rest) = rest.split_first().ok_or(DecodeError::Eof)?;
                single(rest, 0, (low as u64) << 8 | distance as u64, 0)?
            }
            4 => single(rest, 2, 0, low)?,
            5 => sparse(rest, 8, low)?,
            6 => sparse(rest, 12, low)?,
            7 => sparse(rest, 16, low)?,
            8 => sparse(rest, 24, low)?,
            9 => sparse(rest, 40, low)?,
            10 => dense(rest, 12, low)?,
            11 => dense(rest, 16, low)?,
            12 => dense(rest, 24, low)?,
            13 => dense(rest, 32, low)?,
            14 => dense(rest, 40, low)?,
            _ => dense(rest, 64, low)?,
        };
        Ok(Node {
            position,
            payload_bits,
            children,
            after_body,
        })
    }

    /// Where it lies in its file.
    #[inline]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What the payload consists of, in four bits; 0 if there is none.
    #[inline]
    pub fn payload_bits(&self) -> u8 {
        self.payload_bits
    }

    /// The bytes from the payload on.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.after_body
    }

    /// Whether a byte can follow.
    #[inline]
    pub fn has_children(&self) -> bool {
        !matches!(self.children, Children::None)
    }

    /// Whether at most one byte can follow.
    #[inline]
    pub fn is_chain(&self) -> bool {
        matches!(self.children, Children::None | Children::Single { .. })
    }

    /// The child that `byte` leads to.
    #[inline]
    pub fn child(&self, byte: u8) -> Result<Option<u64>> {
        let distance = match self.children {
            Children::Single {
                transition,
                distance,
            } if transition == byte => distance,
            Children::Sparse {
                transitions,
                distances,
            } => match transitions.binary_search(&byte) {
                Ok(i) => distances.get(i),
                Err(_) => return Ok(None),
            },
            Children::Dense { first, distances } => match byte.checked_sub(first) {
                // None of the distances beyond the last one, and a zero, is a child.
                Some(i) if distances.get(i as usize) != 0 => distances.get(i as usize),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.behind(distance).map(Some)
    }

    /// The first child whose byte is `byte` or greater; all are less than 256.
    pub fn first_from(&self, byte: u16) -> Result<Option<Child>> {
        let found = match self.children {
            Children::None => None,
            Children::Single {
                transition,
                distance,
            } => (transition as u16 >= byte).then_some((transition, distance)),
            Children::Sparse {
                transitions,
                distances,
            } => {
                let i = transitions.partition_point(|t| (*t as u16) < byte);
                transitions.get(i).map(|t| (*t, distances.get(i)))
            }
            Children::Dense { first, distances } => {
                let start = byte.saturating_sub(first as u16) as usize;
                (start..distances.count).find_map(|i| dense_child(first, distances, i))
            }
        };
        self.resolve(found)
    }

    /// The last child whose byte is less than `byte`; all are less than 256.
    pub fn last_below(&self, byte: u16) -> Result<Option<Child>> {
        let found = match self.children {
            Children::None => None,
            Children::Single {
                transition,
                distance,
            } => ((transition as u16) < byte).then_some((transition, distance)),
            Children::Sparse {
                transitions,
                distances,
            } => {
                let end = transitions.partition_point(|t| (*t as u16) < byte);
                end.checked_sub(1)
                    .and_then(|i| transitions.get(i).map(|t| (*t, distances.get(i))))
            }
            Children::Dense { first, distances } => {
                let end = byte.saturating_sub(first as u16) as usize;
                (0..end.min(distances.count))
                    .rev()
                    .find_map(|i| dense_child(first, distances, i))
            }
        };
        self.resolve(found)
    }

    #[inline]
    fn resolve(&self, found: Option<(u8, u64)>) -> Result<Option<Child>> {
        found
            .map(|(transition, distance)| Ok((transition, self.behind(distance)?)))
            .transpose()
    }

    /// Children lie before their parent: that ends every walk.
    #[inline]
    fn behind(&self, distance: u64) -> Result<u64> {
        match self.position.checked_sub(distance) {
            Some(position) if distance > 0 => Ok(position),
            _ => Err(DecodeError::Invalid("a trie pointer that leads nowhere")),
        }
    }
}

#[inline]
fn dense_child(first: u8, distances: Distances<'_>, i: usize) -> Option<(u8, u64)> {
    let transition = u8::try_from(first as usize + i).ok()?;
    Some((transition, distances.get(i))).filter(|(_, distance)| *distance != 0)
}

type Body<'a> = (Children<'a>, u8, &'a [u8]);

/// A transition, and a distance of `len` bytes unless the node's first bytes gave it.
#[inline(always)]
fn single(bytes: &[u8], len: usize, distance: u64, payload_bits: u8) -> Result<Body<'_>> {
    let (&transition, rest) = bytes.split_first().ok_or(DecodeError::Eof)?;
    let (low, rest) = rest.split_at_checked(len).ok_or(DecodeError::Eof)?;
    let distance = low.iter().fold(distance, |d, b| d << 8 | *b as u64);
    let children = Children::Single {
        transition,
        distance,
    };
    Ok((children, payload_bits, rest))
}

#[inline(always)]
fn sparse(bytes: &[u8], bits: usize, payload_bits: u8) -> Result<Body<'_>> {
    let (&count, rest) = bytes.split_first().ok_or(DecodeError::Eof)?;
    if count == 0 {
        return Err(DecodeError::Invalid("a trie node of no children"));
    }
    let (transitions, rest) = rest
        .split_at_checked(count as usize)
        .ok_or(DecodeError::Eof)?;
    let (distances, rest) = Distances::split(rest, bits, count as usize)?;
    let children = Children::Sparse {
        transitions,
        distances,
    };
    Ok((children, payload_bits, rest))
}

#[inline(always)]
fn dense(bytes: &[u8], bits: usize, payload_bits: u8) -> Result<Body<'_>> {
    let (&[first, last], rest) = bytes.split_first_chunk().ok_or(DecodeError::Eof)?;
    let (distances, rest) = Distances::split(rest, bits, last as usize + 1)?;
    Ok((Children::Dense { first, distances }, payload_bits, rest))
}

impl<'a> Distances<'a> {
    #[inline(always)]
    fn split(bytes: &'a [u8], bits: usize, count: usize) -> Result<(Self, &'a [u8])> {
        let (bytes, rest) = bytes
            .split_at_checked((count * bits).div_ceil(8))
            .ok_or(DecodeError::Eof)?;
        Ok((Distances { bytes, bits, count }, rest))
    }

    /// The `i`th distance, 0 beyond the last.
    #[inline]
    fn get(&self, i: usize) -> u64 {
        if i >= self.count {
            return 0;
        }
        if self.bits == 12 {
            let at = i * 3 / 2;
            let Some(&[high, low]) = self.bytes.get(at..at + 2) else {
                return 0;
            };
            let both = (high as u64) << 8 | low as u64;
            return if i & 1 == 0 { both >> 4 } else { both & 0xfff };
        }
        let len = self.bits / 8;
        self.bytes
            .get(i * len..(i + 1) * len)
            .unwrap_or_default()
            .iter()
            .fold(0, |d, b| d << 8 | *b as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node at position 0x1000 whose bytes are `body`, followed by a payload byte.
    fn node(body: &[u8], check: impl Fn(Node<'_>)) {
        let mut file = vec![0; 0x1000];
        file.extend_from_slice(body);
        file.push(0xaa);
        let node = Node::at(&file, 0x1000).unwrap();
        assert_eq!(node.payload(), [0xaa]);
        check(node);
        for cut in 0..body.len() {
            let cut = Node::at(&file[..0x1000 + cut], 0x1000);
            assert_eq!(cut.err(), Some(DecodeError::Eof));
        }
    }

    fn children(node: Node<'_>) -> Vec<Child> {
        let mut from = 0;
        std::iter::from_fn(|| {
            let child = node.first_from(from).unwrap()?;
            from = child.0 as u16 + 1;
            Some(child)
        })
        .collect()
    }

    #[test]
    fn leaves_have_only_a_payload() {
        node(&[0x0b], |n| {
            assert_eq!(n.payload_bits(), 11);
            assert!(!n.has_children());
            assert_eq!(n.child(0), Ok(None));
            assert_eq!(n.last_below(256), Ok(None));
        });
    }

    #[test]
    fn singles() {
        for (body, bits, distance) in [
            (&[0x1f, 0x41][..], 0, 15),
            (&[0x23, 0x41, 0xfe], 3, 0xfe),
            (&[0x3a, 0xbc, 0x41], 0, 0xabc),
            (&[0x49, 0x41, 0x0a, 0xbc], 9, 0xabc),
        ] {
            node(body, |n| {
                assert_eq!(n.payload_bits(), bits);
                assert_eq!(children(n), [(0x41, 0x1000 - distance)]);
                assert_eq!(n.child(0x41), Ok(Some(0x1000 - distance)));
                assert_eq!(n.child(0x40), Ok(None));
                assert_eq!(n.last_below(0x41), Ok(None));
                assert!(n.last_below(0x42).unwrap().is_some());
            });
        }
    }

    #[test]
    fn sparse_of_every_width() {
        let widths: [(u8, &[u8]); 5] = [
            (5, &[1, 2, 3]),
            (6, &[0x00, 0x10, 0x02, 0x00, 0x30]),
            (7, &[0, 1, 0, 2, 0, 3]),
            (8, &[0, 0, 1, 0, 0, 2, 0, 0, 3]),
            (9, &[0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3]),
        ];
        for (kind, distances) in widths {
            let mut body = vec![kind << 4, 3, 0x10, 0x20, 0xff];
            body.extend(distances);
            node(&body, |n| {
                let expected = [(0x10, 0xfff), (0x20, 0xffe), (0xff, 0xffd)];
                assert_eq!(children(n), expected);
                assert_eq!(n.child(0x20), Ok(Some(0xffe)));
                assert_eq!(n.child(0x21), Ok(None));
                assert_eq!(n.last_below(0x20), Ok(Some((0x10, 0xfff))));
                assert_eq!(n.last_below(0x10), Ok(None));
                assert_eq!(n.last_below(256), Ok(Some((0xff, 0xffd))));
            });
        }
        let none = [0x50, 0, 0, 0];
        assert!(matches!(Node::at(&none, 0), Err(DecodeError::Invalid(_))));
    }

    #[test]
    fn dense_of_every_width() {
        let widths: [(u8, &[u8]); 6] = [
            (10, &[0x00, 0x10, 0x00, 0x00, 0x30]),
            (11, &[0, 1, 0, 0, 0, 3]),
            (12, &[0, 0, 1, 0, 0, 0, 0, 0, 3]),
            (13, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3]),
            (14, &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]),
            (
                15,
                &[
                    0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3,
                ],
            ),
        ];
        for (kind, distances) in widths {
            let mut body = vec![kind << 4 | 5, 0xfd, 2];
            body.extend(distances);
            node(&body, |n| {
                assert_eq!(n.payload_bits(), 5);
                assert_eq!(children(n), [(0xfd, 0xfff), (0xff, 0xffd)]);
                assert_eq!(n.child(0xfe), Ok(None));
                assert_eq!(n.child(0x10), Ok(None));
                assert_eq!(n.child(0xff), Ok(Some(0xffd)));
                assert_eq!(n.last_below(0xff), Ok(Some((0xfd, 0xfff))));
                assert_eq!(n.first_from(0xfe), Ok(Some((0xff, 0xffd))));
                assert_eq!(n.last_below(0xfd), Ok(None));
            });
        }
    }

    #[test]
    fn pointers_lead_strictly_backwards() {
        for body in [&[0x10, 0x41][..], &[0x20, 0x41, 9], &[0x50, 1, 0x41, 0]] {
            let mut file = vec![0; 8];
            file.extend(body);
            let node = Node::at(&file, 8).unwrap();
            assert!(matches!(node.child(0x41), Err(DecodeError::Invalid(_))));
            assert!(node.first_from(0).is_err() && node.last_below(256).is_err());
        }
    }
}
