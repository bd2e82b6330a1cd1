//! Walks through a trie on disk: to a key, to its neighbours, and from payload to payload.
//!
//! Authority: `o.a.c.io.tries.{Walker,ValueIterator,ReverseValueIterator}`.

use super::node::Node;
use crate::bytes::DecodeError;
use crate::limits::TRIE_DEPTH_MAX;
use crate::{Error, Result};

/// A trie within a file.
#[derive(Debug, Clone, Copy)]
pub struct Trie<'a> {
    file: &'a [u8],
    root: u64,
    component: &'static str,
}

/// How far a key leads, and what lies beside its way.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    /// The last node on the way.
    pub end: Node<'a>,
    /// Whether every byte of the key led somewhere.
    pub complete: bool,
    /// The deepest payload on the way with nothing between it and the key.
    pub prefix: Option<Node<'a>>,
    /// The branch just less than the way: its last payload precedes the key, unless `prefix` does.
    pub lesser: Option<u64>,
    /// The branch just greater than the way.
    pub greater: Option<u64>,
}

impl<'a> Trie<'a> {
    /// The trie of `component` whose root lies at `root` of `file`.
    pub fn new(file: &'a [u8], root: u64, component: &'static str) -> Self {
        Trie {
            file,
            root,
            component,
        }
    }

    /// The node at `position`.
    ///
    /// # Errors
    /// `Corrupt` if there is none.
    #[inline]
    pub fn node(&self, position: u64) -> Result<Node<'a>> {
        Node::at(self.file, position).map_err(|e| self.error(e, position))
    }

    /// Wraps a failure to decode what lies at `position`.
    #[cold]
    pub fn error(&self, e: DecodeError, position: u64) -> Error {
        Error::from(e).in_component(self.component).at(position)
    }

    /// Follows `key` as far as it leads: the last node, and whether all of the key was used.
    #[inline]
    pub fn follow(&self, key: impl Iterator<Item = u8>) -> Result<(Node<'a>, bool)> {
        let mut node = self.node(self.root)?;
        for byte in key {
            match self.at(node, node.child(byte))? {
                Some(child) => node = self.node(child)?,
                None => return Ok((node, false)),
            }
        }
        Ok((node, true))
    }

    /// Follows `key` as far as it leads, noting what lies beside the way.
    pub fn walk(&self, key: impl Iterator<Item = u8>) -> Result<Walk<'a>> {
        let node = self.node(self.root)?;
        let mut walk = Walk {
            end: node,
            complete: false,
            prefix: None,
            lesser: None,
            greater: None,
        };
        let mut key = key;
        loop {
            let node = walk.end;
            let byte = key.next();
            let lesser = match byte {
                Some(byte) => self.at(node, node.last_below(byte as u16))?,
                None => None,
            };
            if let Some((_, position)) = lesser {
                walk.lesser = Some(position);
                walk.prefix = None;
            } else if node.payload_bits() != 0 {
                walk.prefix = Some(node);
            }
            let from = byte.map_or(0, |byte| byte as u16 + 1);
            if let Some((_, position)) = self.at(node, node.first_from(from))? {
                walk.greater = Some(position);
            }
            let Some(byte) = byte else {
                walk.complete = true;
                return Ok(walk);
            };
            match self.at(node, node.child(byte))? {
                Some(child) => walk.end = self.node(child)?,
                None => return Ok(walk),
            }
        }
    }

    /// The first payload at or below `position`.
    pub fn min(&self, position: u64) -> Result<Node<'a>> {
        let mut node = self.node(position)?;
        while node.payload_bits() == 0 {
            match self.at(node, node.first_from(0))? {
                Some((_, child)) => node = self.node(child)?,
                None => return Err(self.bare(node)),
            }
        }
        Ok(node)
    }

    /// The last payload at or below `position`.
    pub fn max(&self, position: u64) -> Result<Node<'a>> {
        let mut node = self.node(position)?;
        while let Some((_, child)) = self.at(node, node.last_below(256))? {
            node = self.node(child)?;
        }
        if node.payload_bits() == 0 {
            return Err(self.bare(node));
        }
        Ok(node)
    }

    /// A way through the payloads that starts before the first.
    pub fn path<T: Trail>(&self) -> Path<'a, T> {
        Path {
            trie: *self,
            above: Vec::new(),
            trail: T::default(),
            at: At::Start,
        }
    }

    #[inline(always)]
    fn at<T>(&self, node: Node<'_>, found: Result<T, DecodeError>) -> Result<T> {
        found.map_err(|e| self.error(e, node.position()))
    }

    #[cold]
    fn bare(&self, node: Node<'_>) -> Error {
        self.error(
            DecodeError::Invalid("a trie node with neither payload nor children"),
            node.position(),
        )
    }
}

/// What a [`Path`] keeps of the bytes that lead to where it stands: nothing, or all of them.
pub trait Trail: Default {
    /// Count of bytes that are kept.
    fn depth(&self) -> usize;
    /// Follows a byte.
    fn push(&mut self, byte: u8);
    /// Goes back to where `len` bytes led.
    fn truncate(&mut self, len: usize);
}

impl Trail for () {
    #[inline(always)]
    fn depth(&self) -> usize {
        0
    }
    #[inline(always)]
    fn push(&mut self, _: u8) {}
    #[inline(always)]
    fn truncate(&mut self, _: usize) {}
}

impl Trail for Vec<u8> {
    fn depth(&self) -> usize {
        self.len()
    }
    fn push(&mut self, byte: u8) {
        self.push(byte);
    }
    fn truncate(&mut self, len: usize) {
        self.truncate(len);
    }
}

/// A way from payload to payload in either direction. A node's own payload comes before its children's.
///
/// Holds only the branches above the node it stands on. Every node it meets is above a payload or has one, so that a
/// step takes no longer than the trie is deep.
#[derive(Debug, Clone)]
pub struct Path<'a, T: Trail = ()> {
    trie: Trie<'a>,
    above: Vec<Branch>,
    trail: T,
    at: At<'a>,
}

/// A node above that has something to either side.
#[derive(Debug, Clone, Copy)]
struct Branch {
    position: u64,
    /// The byte that was followed from it.
    followed: u8,
    /// What was kept of the bytes that led to it.
    trail: u32,
}

/// Where a [`Path`] stands.
#[derive(Debug, Clone, Copy)]
enum At<'a> {
    Start,
    Node(Node<'a>),
    End,
}

impl<'a, T: Trail> Path<'a, T> {
    /// Goes to the last payload that is not greater than `key` and returns it; `None` if all are greater.
    pub fn floor(&mut self, key: impl Iterator<Item = u8>) -> Result<Option<Node<'a>>> {
        self.above.clear();
        self.trail.truncate(0);
        let mut node = self.trie.node(self.trie.root)?;
        for byte in key {
            match self.trie.at(node, node.child(byte))? {
                Some(child) => node = self.descend(node, byte, child)?,
                // The key lies between two children: before it are lesser ones, then the node itself.
                None => return self.last_before(node, byte as u16),
            }
        }
        self.last_before(node, 0)
    }

    /// Steps to the next payload, at first to the first one; `None` after the last.
    pub fn next_payload(&mut self) -> Result<Option<Node<'a>>> {
        let (mut node, mut from) = match self.at {
            At::Node(node) => (node, 0),
            At::End => return Ok(None),
            At::Start => {
                let root = self.trie.node(self.trie.root)?;
                return self.first_below(root);
            }
        };
        loop {
            if let Some((byte, child)) = self.trie.at(node, node.first_from(from))? {
                let child = self.descend(node, byte, child)?;
                return self.first_below(child);
            }
            match self.ascend()? {
                Some((above, followed)) => (node, from) = (above, followed + 1),
                None => return Ok(self.finish()),
            }
        }
    }

    /// Steps to the previous payload; `None` unless it stands on one that is not the first.
    pub fn previous_payload(&mut self) -> Result<Option<Node<'a>>> {
        match (self.at, self.ascend()?) {
            (At::Node(_), Some((node, followed))) => self.last_before(node, followed),
            _ => Ok(self.finish()),
        }
    }

    /// What it keeps of the bytes that lead from the root to the payload it stands on.
    pub fn trail(&self) -> &T {
        &self.trail
    }

    /// Goes past the last payload.
    pub fn finish(&mut self) -> Option<Node<'a>> {
        self.at = At::End;
        None
    }

    /// The first payload at or below `node`.
    fn first_below(&mut self, node: Node<'a>) -> Result<Option<Node<'a>>> {
        let mut node = node;
        while node.payload_bits() == 0 {
            match self.trie.at(node, node.first_from(0))? {
                Some((byte, child)) => node = self.descend(node, byte, child)?,
                None => return Err(self.trie.bare(node)),
            }
        }
        self.at = At::Node(node);
        Ok(Some(node))
    }

    /// The last payload below `node` by a byte less than `byte`, or its own, or the one before.
    fn last_before(&mut self, node: Node<'a>, byte: u16) -> Result<Option<Node<'a>>> {
        let (mut node, mut byte) = (node, byte);
        loop {
            if let Some((followed, child)) = self.trie.at(node, node.last_below(byte))? {
                node = self.descend(node, followed, child)?;
                while let Some((followed, child)) = self.trie.at(node, node.last_below(256))? {
                    node = self.descend(node, followed, child)?;
                }
                if node.payload_bits() == 0 {
                    return Err(self.trie.bare(node));
                }
            }
            if node.payload_bits() != 0 {
                self.at = At::Node(node);
                return Ok(Some(node));
            }
            match self.ascend()? {
                Some((above, followed)) => (node, byte) = (above, followed),
                None => return Ok(self.finish()),
            }
        }
    }

    fn descend(&mut self, node: Node<'a>, byte: u8, child: u64) -> Result<Node<'a>> {
        if !node.is_chain() || node.payload_bits() != 0 {
            if self.above.len() >= TRIE_DEPTH_MAX {
                let e = DecodeError::Invalid("a trie too deep");
                return Err(self.trie.error(e, node.position()));
            }
            self.above.push(Branch {
                position: node.position(),
                followed: byte,
                trail: self.trail.depth() as u32,
            });
        }
        self.trail.push(byte);
        self.trie.node(child)
    }

    /// The next branch above, and the byte that was followed from it.
    fn ascend(&mut self) -> Result<Option<(Node<'a>, u16)>> {
        let Some(branch) = self.above.pop() else {
            return Ok(None);
        };
        self.trail.truncate(branch.trail as usize);
        let node = self.trie.node(branch.position)?;
        Ok(Some((node, branch.followed as u16)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The bytes that keys are made of.
    const BYTES: [u8; 5] = [0, 1, 2, 0x40, 0xff];

    type Entries = BTreeMap<Vec<u8>, u8>;

    /// Writes the entries that share `prefix` as a node and those below it; payloads are one byte, the value.
    fn write(entries: &Entries, prefix: &[u8], file: &mut Vec<u8>) -> u64 {
        let mut children = Vec::new();
        for byte in BYTES {
            let mut child = prefix.to_vec();
            child.push(byte);
            if entries.keys().any(|key| key.starts_with(&child)) {
                children.push((byte, write(entries, &child, file)));
            }
        }
        let position = file.len() as u64;
        let payload = entries.get(prefix);
        let bits = payload.is_some() as u8;
        match children[..] {
            [] => file.push(bits),
            [(byte, child)] => {
                let distance = (position - child) as u16;
                file.extend([4 << 4 | bits, byte]);
                file.extend(distance.to_be_bytes());
            }
            _ => {
                file.extend([7 << 4 | bits, children.len() as u8]);
                file.extend(children.iter().map(|(byte, _)| *byte));
                for (_, child) in children {
                    file.extend(((position - child) as u16).to_be_bytes());
                }
            }
        }
        file.extend(payload.copied());
        position
    }

    fn value(node: Node<'_>) -> u8 {
        node.payload()[0]
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(BYTES.to_vec()), 0..6)
    }

    proptest! {
        #[test]
        fn walks_find_what_a_sorted_map_finds(
            entries in prop::collection::btree_map(key(), any::<u8>(), 1..60),
            probes in prop::collection::vec(key(), 20),
        ) {
            let mut file = Vec::new();
            let root = write(&entries, &[], &mut file);
            let trie = Trie::new(&file, root, "test");
            for probe in &probes {
                let bytes = || probe.iter().copied();
                let floor = entries.range(..=probe.clone()).next_back().map(|(_, v)| *v);
                let greater = entries
                    .range(probe.clone()..)
                    .find(|(k, _)| !k.starts_with(probe) && *k != probe);

                let walk = trie.walk(bytes()).unwrap();
                let walked = match (walk.prefix, walk.lesser) {
                    (Some(node), _) => Some(value(node)),
                    (None, Some(branch)) => Some(value(trie.max(branch).unwrap())),
                    (None, None) => None,
                };
                prop_assert_eq!(walked, floor);
                if !walk.complete {
                    let found = walk.greater.map(|b| value(trie.min(b).unwrap()));
                    prop_assert_eq!(found, greater.map(|(_, v)| *v));
                }
                let (node, complete) = trie.follow(bytes()).unwrap();
                prop_assert_eq!(complete, walk.complete);
                prop_assert_eq!(node.position(), walk.end.position());
                if complete && node.payload_bits() != 0 {
                    prop_assert_eq!(Some(&value(node)), entries.get(probe));
                }

                let mut path = trie.path::<Vec<u8>>();
                prop_assert_eq!(path.floor(bytes()).unwrap().map(value), floor);
                let mut back = path.clone();
                let mut before = entries.range(..=probe.clone()).rev().skip(1);
                for _ in 0..entries.len() {
                    let previous = back.previous_payload().unwrap().map(value);
                    prop_assert_eq!(previous, before.next().map(|(_, v)| *v));
                }
                if floor.is_some() {
                    for (k, v) in &entries {
                        if k > probe {
                            prop_assert_eq!(path.next_payload().unwrap().map(value), Some(*v));
                            prop_assert_eq!(path.trail(), k);
                        }
                    }
                    prop_assert!(path.next_payload().unwrap().is_none());
                }
            }
            let mut path = trie.path::<()>();
            for v in entries.values() {
                prop_assert_eq!(path.next_payload().unwrap().map(value), Some(*v));
            }
            prop_assert!(path.next_payload().unwrap().is_none());
            prop_assert!(path.next_payload().unwrap().is_none());
        }

        #[test]
        fn any_bytes_end_every_walk(file in prop::collection::vec(any::<u8>(), 1..200), probe in key()) {
            let trie = Trie::new(&file, file.len() as u64 - 1, "test");
            let bytes = || probe.iter().copied();
            let _ = trie.follow(bytes());
            let _ = trie.walk(bytes());
            let _ = trie.min(file.len() as u64 / 2);
            let _ = trie.max(file.len() as u64 / 2);
            let mut path = trie.path::<()>();
            let _ = path.floor(bytes());
            let mut back = path.clone();
            for _ in 0..300 {
                if !matches!(path.next_payload(), Ok(Some(_))) {
                    break;
                }
            }
            for _ in 0..300 {
                if !matches!(back.previous_payload(), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}
