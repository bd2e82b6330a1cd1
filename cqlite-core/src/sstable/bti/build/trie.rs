//! Builds a trie on disk from keys in ascending order, and packs its branches into pages.
//!
//! ```text
//! path of the last key    root - . - . - . - last      open: children may still come
//! beside it, complete     bytes                        branches whose pointers all stay within them
//!                         nodes                        branches that point to what is written
//!                         positions                    branches that are written
//! ```
//!
//! Once a node and all that is unwritten below it no longer fit a page, its children are written, the largest that
//! fits into the rest of the page first. What is held is a path and at most a page for each child beside it, whatever
//! the count of keys.
//!
//! The bytes are Cassandra's, and so the lengths of nodes are estimated when and as Cassandra does it: that of a node
//! depends on how far away its children are, which is known only where it is written.
//!
//! Authority: `o.a.c.io.tries.{IncrementalTrieWriterBase,IncrementalTrieWriterPageAware,
//! IncrementalDeepTrieWriterPageAware}`.

use super::encode::{Fan, Kind};
use super::pages::{PAGE_BYTES, Pages};
use crate::{Error, Result};

/// What a key leads to.
pub trait Payload: Copy {
    /// The four bits of the node, not 0.
    fn bits(&self) -> u8;
    /// Length in bytes.
    fn byte_len(&self) -> u32;
    /// Appends the bytes.
    fn write(&self, out: &mut Vec<u8>);
}

/// A trie under construction. It can build one after the other.
#[derive(Debug)]
pub struct TrieBuilder<P> {
    /// The nodes on the path of the last key, from the root on.
    path: Vec<Open<P>>,
    /// The last key.
    last: Vec<u8>,
    is_empty: bool,
    /// The complete children of all open nodes, those of the deepest one last.
    complete: Vec<Child<P>>,
    /// The bytes of those that are bytes, in the same order.
    bytes: Vec<u8>,
}

/// A node that children may still be added to.
#[derive(Debug)]
struct Open<P> {
    transition: u8,
    payload: Option<P>,
    /// From where on its children lie in `complete`, and their bytes in `bytes`.
    children_start: usize,
    bytes_start: usize,
}

/// A complete node below one that is not written.
#[derive(Debug)]
struct Child<P> {
    transition: u8,
    /// Length of everything unwritten below it; 0 once it is written. An estimate if it is a node.
    branch_len: u32,
    /// Its own length, the same way.
    node_len: u32,
    place: Place<P>,
}

/// Where a complete node is.
#[derive(Debug)]
enum Place<P> {
    /// Behind its branch, which starts here in the builder's bytes.
    Bytes(usize),
    Node(Box<Node<P>>),
    /// At this position of the file.
    Written(u64),
}

/// A complete node whose length depends on its position.
#[derive(Debug)]
struct Node<P> {
    payload: Option<P>,
    children: Vec<Child<P>>,
    /// Some children below its own ones are written, and none of these is.
    has_written_below: bool,
}

impl<P: Payload> Default for TrieBuilder<P> {
    /// An empty trie.
    fn default() -> Self {
        let mut builder = TrieBuilder {
            path: Vec::new(),
            last: Vec::new(),
            is_empty: true,
            complete: Vec::new(),
            bytes: Vec::new(),
        };
        builder.reset();
        builder
    }
}

impl<P: Payload> TrieBuilder<P> {
    /// Begins another trie; what is unwritten of this one is forgotten.
    pub fn reset(&mut self) {
        self.path.clear();
        self.last.clear();
        self.is_empty = true;
        self.complete.clear();
        self.bytes.clear();
        self.open(0);
    }

    #[inline]
    fn open(&mut self, transition: u8) {
        self.path.push(Open {
            transition,
            payload: None,
            children_start: self.complete.len(),
            bytes_start: self.bytes.len(),
        });
    }

    /// Adds a key, greater than the last one.
    ///
    /// # Errors
    /// `InvalidInput` if it is not greater; the trie is as it was.
    #[inline]
    pub fn add(&mut self, key: &[u8], payload: P, pages: &mut Pages) -> Result<()> {
        let common = common_prefix(&self.last, key);
        if !self.is_empty && key.get(common) <= self.last.get(common) {
            return Err(out_of_order());
        }
        self.is_empty = false;
        while self.path.len() > common + 1 {
            self.complete_last(pages);
        }
        self.last.truncate(common);
        self.last.extend_from_slice(&key[common..]);
        for byte in &key[common..] {
            self.open(*byte);
        }
        if let Some(node) = self.path.last_mut() {
            node.payload = Some(payload);
        }
        Ok(())
    }

    /// Writes what is left, and returns the position of the root. Another trie can then be built.
    pub fn finish(&mut self, pages: &mut Pages) -> u64 {
        while !self.path.is_empty() {
            self.complete_last(pages);
        }
        let mut position = 0;
        if let Some(mut root) = self.complete.pop() {
            let mut len = root.measure(pages.position());
            if len > pages.left_in_page() && len <= PAGE_BYTES {
                pages.pad_to_page();
                len = root.measure(pages.position());
            }
            if len > pages.left_in_page() {
                root.write_children(&self.bytes, pages);
                if root.node_len > pages.left_in_page() {
                    pages.pad_to_page();
                    root.measure(pages.position());
                }
            }
            position = root.write(&self.bytes, pages);
        }
        self.reset();
        position
    }

    /// Bytes of everything that is not written.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        size_of::<Open<P>>() * self.path.len()
            + size_of::<Child<P>>() * self.complete.len()
            + self.bytes.len()
    }

    /// Takes the last node off the path: nothing will be added below it.
    #[inline]
    fn complete_last(&mut self, pages: &mut Pages) {
        let Some(open) = self.path.pop() else {
            return;
        };
        let children = &self.complete[open.children_start..];
        if children.is_empty() {
            // Most nodes are such.
            let payload = open.payload.as_ref();
            write_node(
                Kind::LEAF,
                Fan::NONE,
                payload,
                std::iter::empty(),
                &mut self.bytes,
            );
            self.complete.push(Child {
                transition: open.transition,
                branch_len: 0,
                node_len: (self.bytes.len() - open.bytes_start) as u32,
                place: Place::Bytes(open.bytes_start),
            });
            return;
        }
        let branch_len = children.iter().map(Child::len).sum();
        let (kind, fan) = kind(
            children,
            open.payload.as_ref(),
            branch_len,
            pages.position(),
        );
        let node_len = kind.body_len(fan) + open.payload.as_ref().map_or(0, P::byte_len);
        let fits = node_len + branch_len < PAGE_BYTES;
        if fits
            && children
                .iter()
                .all(|child| matches!(child.place, Place::Bytes(_)))
        {
            let end = self.bytes.len();
            let distances = children.iter().map(|child| match child.place {
                Place::Bytes(start) => (
                    child.transition,
                    (end - start) as u64 - u64::from(child.branch_len),
                ),
                _ => (child.transition, 0),
            });
            write_node(kind, fan, open.payload.as_ref(), distances, &mut self.bytes);
            self.complete.truncate(open.children_start);
            self.complete.push(Child {
                transition: open.transition,
                branch_len,
                node_len,
                place: Place::Bytes(open.bytes_start),
            });
            return;
        }
        let children: Vec<_> = self.complete.drain(open.children_start..).collect();
        let has_written_below = children
            .iter()
            .any(|child| matches!(child.place, Place::Node(_)));
        let mut child = Child {
            transition: open.transition,
            branch_len,
            node_len,
            place: Place::Node(Box::new(Node {
                payload: open.payload,
                children,
                has_written_below,
            })),
        };
        if !fits {
            child.write_children(&self.bytes, pages);
            self.bytes.truncate(open.bytes_start);
        }
        self.complete.push(child);
    }
}

impl<P: Payload> Child<P> {
    /// Length with everything unwritten below.
    #[inline(always)]
    fn len(&self) -> u32 {
        self.branch_len + self.node_len
    }

    /// The length of the branch if it starts at `position`. It is kept.
    fn measure(&mut self, position: u64) -> u32 {
        if let Place::Node(node) = &mut self.place {
            if node.has_written_below {
                self.branch_len = 0;
                for child in &mut node.children {
                    self.branch_len += child.measure(position + u64::from(self.branch_len));
                }
            }
            let position = position + u64::from(self.branch_len);
            self.node_len = node.len(self.branch_len, position);
        }
        self.len()
    }

    /// Writes everything below. `bytes` are the builder's.
    fn write_children(&mut self, bytes: &[u8], pages: &mut Pages) {
        let Place::Node(node) = &mut self.place else {
            return;
        };
        let children = &mut node.children;
        let mut waiting: Vec<_> = children
            .iter()
            .enumerate()
            .filter(|(_, child)| !matches!(child.place, Place::Written(_)))
            .map(|(i, child)| (child.len(), i))
            .collect();
        waiting.sort_unstable();
        while !waiting.is_empty() {
            // The largest that fits, or on a fresh page the largest of all.
            let fitting = waiting.partition_point(|(len, _)| *len <= pages.left_in_page());
            let at = fitting.checked_sub(1).unwrap_or_else(|| {
                pages.pad_to_page();
                waiting.len() - 1
            });
            let (_, i) = waiting.remove(at);
            let child = &mut children[i];
            if child.measure(pages.position()) > pages.left_in_page() {
                if pages.left_in_page() == PAGE_BYTES {
                    // What it points to is so far away that not even a page holds it.
                    child.write_children(bytes, pages);
                }
                let again = (child.len(), i);
                waiting.insert(waiting.partition_point(|other| *other < again), again);
                continue;
            }
            child.write(bytes, pages);
        }
        node.has_written_below = false;
        self.branch_len = 0;
        self.node_len = node.len(0, pages.position());
    }

    /// Writes the branch, and returns the position of its node. `bytes` are the builder's.
    fn write(&mut self, bytes: &[u8], pages: &mut Pages) -> u64 {
        let position = match &mut self.place {
            Place::Written(position) => return *position,
            Place::Bytes(start) => {
                let position = pages.position() + u64::from(self.branch_len);
                let branch = &bytes[*start..][..self.branch_len as usize + self.node_len as usize];
                pages.bytes.extend_from_slice(branch);
                position
            }
            Place::Node(node) => {
                for child in &mut node.children {
                    child.write(bytes, pages);
                }
                node.write(pages)
            }
        };
        *self = Child {
            transition: self.transition,
            branch_len: 0,
            node_len: 0,
            place: Place::Written(position),
        };
        position
    }
}

impl<P: Payload> Node<P> {
    /// Its length at `position`, below which `branch_len` bytes are unwritten.
    fn len(&self, branch_len: u32, position: u64) -> u32 {
        let payload = self.payload.as_ref();
        let (kind, fan) = kind(&self.children, payload, branch_len, position);
        kind.body_len(fan) + payload.map_or(0, P::byte_len)
    }

    /// Writes the node, whose children are written, and returns its position.
    fn write(&self, pages: &mut Pages) -> u64 {
        let position = pages.position();
        let (kind, fan) = kind(&self.children, self.payload.as_ref(), 0, position);
        let distances = self.children.iter().map(|child| match child.place {
            Place::Written(at) => (child.transition, position - at),
            _ => (child.transition, 0),
        });
        let payload = self.payload.as_ref();
        write_node(kind, fan, payload, distances, &mut pages.bytes);
        position
    }
}

/// The kind of a node that stands at `position`: it must reach the farthest of its written children and the first of
/// the others, which will lie in the `branch_len` bytes before it.
#[inline(always)]
fn kind<P: Payload>(
    children: &[Child<P>],
    payload: Option<&P>,
    branch_len: u32,
    position: u64,
) -> (Kind, Fan) {
    let (Some(first), Some(last)) = (children.first(), children.last()) else {
        return (Kind::LEAF, Fan::NONE);
    };
    let fan = Fan {
        count: children.len() as u16,
        first: first.transition,
        last: last.transition,
    };
    let (mut farthest, mut unwritten) = (0, None);
    for child in children {
        match child.place {
            Place::Written(at) => farthest = farthest.max(position - at),
            _ => {
                unwritten.get_or_insert(u64::from(branch_len - child.branch_len));
            }
        }
    }
    let distance = farthest.max(unwritten.unwrap_or(0));
    (Kind::of(fan, payload.is_some(), distance), fan)
}

/// Appends a node with its payload.
#[inline(always)]
fn write_node<P: Payload>(
    kind: Kind,
    fan: Fan,
    payload: Option<&P>,
    children: impl Iterator<Item = (u8, u64)> + Clone,
    out: &mut Vec<u8>,
) {
    kind.write(fan, payload.map_or(0, P::bits), children, out);
    if let Some(payload) = payload {
        payload.write(out);
    }
}

/// Length of what two keys have in common.
#[inline]
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cold]
pub(super) fn out_of_order() -> Error {
    Error::invalid("the keys of an index are not in ascending order")
}
