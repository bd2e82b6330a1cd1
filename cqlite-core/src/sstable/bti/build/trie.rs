//! Builds a trie on disk from keys in ascending order, and packs its branches into pages.
//!
//! ```text
//! path of the last key:   root - . - . - . - last     each with its children that are complete
//! complete, not written:  branches that fit a page together with what may still join them
//! written:                only the position is kept, in the parent's list
//! ```
//!
//! Once a node and all that is unwritten below it no longer fit a page, its children are written, the largest that
//! fits into the rest of the page first. What is held is a path and about a page for each child beside it, whatever the
//! count of keys.
//!
//! The bytes are Cassandra's, and so the sizes of nodes must be estimated when and as Cassandra does it: a node's own
//! length depends on how far away its children are, which is known only where it is written.
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
    nodes: Vec<Node<P>>,
    /// First of the nodes that are free to be used again, chained by `next`.
    free: u32,
    /// The nodes on the path of the last key, from the root on.
    path: Vec<u32>,
    /// The last key.
    last: Vec<u8>,
    is_empty: bool,
    writing: Vec<(u32, u32)>,
    sizing: Vec<Sizing>,
}

/// No node.
const NONE: u32 = u32::MAX;

/// Position of a node that was not yet written.
const UNWRITTEN: u64 = u64::MAX;

#[derive(Debug, Clone, Copy)]
struct Node<P> {
    payload: Option<P>,
    position: u64,
    first_child: u32,
    last_child: u32,
    /// The sibling that follows.
    next: u32,
    /// Estimated length of everything unwritten below; 0 once the node is written.
    branch_len: u32,
    /// Estimated length of the node itself; 0 once it is written.
    node_len: u32,
    child_count: u16,
    transition: u8,
    /// Some children are written, at any distance: the node's length depends on its position.
    has_written_children: bool,
    /// The same is so of nodes below the children.
    has_written_below: bool,
}

/// A node whose branch is being sized.
#[derive(Debug, Clone, Copy)]
struct Sizing {
    node: u32,
    next_child: u32,
    /// Where the branch would start.
    position: u64,
    len: u32,
}

impl<P: Payload> Default for TrieBuilder<P> {
    /// An empty trie.
    fn default() -> Self {
        let mut builder = TrieBuilder {
            nodes: Vec::new(),
            free: NONE,
            path: Vec::new(),
            last: Vec::new(),
            is_empty: true,
            writing: Vec::new(),
            sizing: Vec::new(),
        };
        builder.reset();
        builder
    }
}

impl<P: Payload> TrieBuilder<P> {
    /// Begins another trie; what is unwritten of this one is forgotten.
    pub fn reset(&mut self) {
        self.nodes.clear();
        self.free = NONE;
        self.path.clear();
        self.last.clear();
        self.is_empty = true;
        let root = self.new_node(0);
        self.path.push(root);
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
        let mut node = self.path[common];
        for byte in &key[common..] {
            node = self.add_child(node, *byte);
            self.path.push(node);
        }
        self.nodes[node as usize].payload = Some(payload);
        Ok(())
    }

    /// Writes what is left, and returns the position of the root. Another trie can then be built.
    pub fn finish(&mut self, pages: &mut Pages) -> u64 {
        let root = self.path[0];
        while !self.path.is_empty() {
            self.complete_last(pages);
        }
        let mut len = self.size_branch(root, pages.position());
        if len > pages.left_in_page() && len <= PAGE_BYTES {
            pages.pad_to_page();
            len = self.size_branch(root, pages.position());
        }
        if len > pages.left_in_page() {
            self.write_children(root, pages);
            if self.nodes[root as usize].node_len > pages.left_in_page() {
                pages.pad_to_page();
                self.size_branch(root, pages.position());
            }
        }
        self.write_branch(root, pages);
        let position = self.nodes[root as usize].position;
        self.reset();
        position
    }

    #[inline]
    fn new_node(&mut self, transition: u8) -> u32 {
        let node = Node {
            payload: None,
            position: UNWRITTEN,
            first_child: NONE,
            last_child: NONE,
            next: NONE,
            branch_len: 0,
            node_len: 0,
            child_count: 0,
            transition,
            has_written_children: false,
            has_written_below: false,
        };
        let id = self.free;
        match self.nodes.get_mut(id as usize) {
            Some(slot) => {
                self.free = slot.next;
                *slot = node;
                id
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        }
    }

    #[inline]
    fn add_child(&mut self, parent: u32, transition: u8) -> u32 {
        let child = self.new_node(transition);
        let node = &mut self.nodes[parent as usize];
        node.child_count += 1;
        let last = std::mem::replace(&mut node.last_child, child);
        match last {
            NONE => node.first_child = child,
            last => self.nodes[last as usize].next = child,
        }
        child
    }

    #[inline]
    fn children(&self, node: u32) -> Children<'_, P> {
        Children {
            nodes: &self.nodes,
            next: self.nodes[node as usize].first_child,
        }
    }

    /// Takes the last node off the path: nothing will be added below it.
    fn complete_last(&mut self, pages: &mut Pages) {
        let Some(id) = self.path.pop() else {
            return;
        };
        let branch_len = self.children(id).map(|(_, child)| child.len()).sum();
        let node = &mut self.nodes[id as usize];
        node.branch_len = branch_len;
        // It stands before its children's lengths here, as if they were written.
        node.has_written_children = true;
        let node_len = self.node_len(id, pages.position());
        if node_len + branch_len >= PAGE_BYTES {
            self.write_children(id, pages);
            return;
        }
        let (mut written, mut written_below) = (false, false);
        for (_, child) in self.children(id) {
            match child.position {
                UNWRITTEN => {
                    written_below |= child.has_written_children || child.has_written_below;
                }
                _ => written = true,
            }
        }
        let node = &mut self.nodes[id as usize];
        node.node_len = node_len;
        node.has_written_children = written;
        node.has_written_below = written_below;
    }

    /// Writes all branches below a node.
    fn write_children(&mut self, id: u32, pages: &mut Pages) {
        let mut waiting: Vec<(u32, u8, u32)> = self
            .children(id)
            .filter(|(_, child)| child.position == UNWRITTEN)
            .map(|(id, child)| (child.len(), child.transition, id))
            .collect();
        waiting.sort_unstable();
        while !waiting.is_empty() {
            // The largest that fits, or on a fresh page the largest of all.
            let fitting = waiting.partition_point(|(len, ..)| *len <= pages.left_in_page());
            let at = fitting.checked_sub(1).unwrap_or_else(|| {
                pages.pad_to_page();
                waiting.len() - 1
            });
            let (_, transition, child) = waiting.remove(at);
            let node = &self.nodes[child as usize];
            if node.has_written_children || node.has_written_below {
                let len = self.size_branch(child, pages.position());
                if len > pages.left_in_page() {
                    if pages.left_in_page() == PAGE_BYTES {
                        // What it points to is so far away that it does not fit a page either.
                        self.write_children(child, pages);
                    }
                    let again = (self.nodes[child as usize].len(), transition, child);
                    let at = waiting.partition_point(|other| *other < again);
                    waiting.insert(at, again);
                    continue;
                }
            }
            self.write_branch(child, pages);
        }
        let node = &mut self.nodes[id as usize];
        node.branch_len = 0;
        node.has_written_children = true;
        node.has_written_below = false;
        self.nodes[id as usize].node_len = self.node_len(id, pages.position());
    }

    /// Length of a branch that starts at `position`, kept in its nodes.
    fn size_branch(&mut self, id: u32, position: u64) -> u32 {
        if !self.nodes[id as usize].has_written_below {
            return self.size_node(id, position);
        }
        let start = |node: &Node<P>, id, position| Sizing {
            node: id,
            next_child: node.first_child,
            position,
            len: 0,
        };
        self.sizing
            .push(start(&self.nodes[id as usize], id, position));
        let mut len = 0;
        while let Some(top) = self.sizing.last_mut() {
            let position = top.position + u64::from(top.len);
            let Some(child) = self.nodes.get(top.next_child as usize) else {
                let Sizing {
                    node,
                    position,
                    len: branch_len,
                    ..
                } = *top;
                self.sizing.pop();
                self.nodes[node as usize].branch_len = branch_len;
                len = self.size_node(node, position);
                if let Some(above) = self.sizing.last_mut() {
                    above.len += len;
                }
                continue;
            };
            let id = std::mem::replace(&mut top.next_child, child.next);
            if child.has_written_below {
                self.sizing.push(start(child, id, position));
            } else {
                let len = self.size_node(id, position);
                if let Some(top) = self.sizing.last_mut() {
                    top.len += len;
                }
            }
        }
        len
    }

    /// Length of a branch that starts at `position` and whose length below its node is known.
    #[inline]
    fn size_node(&mut self, id: u32, position: u64) -> u32 {
        let node = &self.nodes[id as usize];
        if node.has_written_children || node.has_written_below {
            let at = position + u64::from(node.branch_len);
            self.nodes[id as usize].node_len = self.node_len(id, at);
        }
        self.nodes[id as usize].len()
    }

    /// Length of a node that stands at `position`.
    #[inline]
    fn node_len(&self, id: u32, position: u64) -> u32 {
        let node = &self.nodes[id as usize];
        let payload_len = node.payload.as_ref().map_or(0, P::byte_len);
        let (kind, fan) = self.kind(node, position);
        kind.body_len(fan) + payload_len
    }

    /// The kind of a node that stands at `position`.
    #[inline]
    fn kind(&self, node: &Node<P>, position: u64) -> (Kind, Fan) {
        let Some(first) = self.nodes.get(node.first_child as usize) else {
            return (Kind::LEAF, Fan::NONE);
        };
        let fan = Fan {
            count: node.child_count,
            first: first.transition,
            last: self.nodes[node.last_child as usize].transition,
        };
        let distance = match node.has_written_children {
            false => u64::from(node.branch_len - first.branch_len),
            true => self.farthest(node, position),
        };
        (Kind::of(fan, node.payload.is_some(), distance), fan)
    }

    /// Distance from `position` to the farthest written child, or to the first unwritten one behind its branch.
    fn farthest(&self, node: &Node<P>, position: u64) -> u64 {
        let children = Children {
            nodes: &self.nodes,
            next: node.first_child,
        };
        let (mut written, mut unwritten) = (0, None);
        for (_, child) in children {
            match child.position {
                UNWRITTEN => {
                    unwritten.get_or_insert(u64::from(node.branch_len - child.branch_len));
                }
                at => written = written.max(position - at),
            }
        }
        written.max(unwritten.unwrap_or(0))
    }

    /// Writes a branch: children before their parents.
    fn write_branch(&mut self, id: u32, pages: &mut Pages) {
        self.writing.push((id, self.nodes[id as usize].first_child));
        while let Some((id, next_child)) = self.writing.last_mut() {
            let Some(child) = self.nodes.get(*next_child as usize) else {
                let id = *id;
                self.writing.pop();
                self.write_node(id, pages);
                continue;
            };
            let child_id = std::mem::replace(next_child, child.next);
            if child.position == UNWRITTEN {
                self.writing.push((child_id, child.first_child));
            }
        }
        let node = &mut self.nodes[id as usize];
        node.branch_len = 0;
        node.node_len = 0;
        node.has_written_children = false;
        node.has_written_below = false;
    }

    /// Writes a node whose children are written, and forgets them.
    fn write_node(&mut self, id: u32, pages: &mut Pages) {
        let position = pages.position();
        let node = &self.nodes[id as usize];
        let (kind, fan) = self.kind(node, position);
        let children = self.children(id);
        let children = children.map(|(_, child)| (child.transition, position - child.position));
        let bits = node.payload.as_ref().map_or(0, P::bits);
        kind.write(fan, bits, children, &mut pages.bytes);
        if let Some(payload) = &node.payload {
            payload.write(&mut pages.bytes);
        }
        debug_assert_eq!(pages.position(), position + u64::from(node.node_len));
        let (first, last) = (node.first_child, node.last_child);
        let node = &mut self.nodes[id as usize];
        node.position = position;
        node.payload = None;
        node.first_child = NONE;
        node.last_child = NONE;
        if let Some(last) = self.nodes.get_mut(last as usize) {
            last.next = self.free;
            self.free = first;
        }
    }
}

impl<P> Node<P> {
    /// Length of the node with everything unwritten below.
    #[inline(always)]
    fn len(&self) -> u32 {
        self.branch_len + self.node_len
    }
}

/// The children of a node, ascending by their bytes.
struct Children<'a, P> {
    nodes: &'a [Node<P>],
    next: u32,
}

impl<P> Clone for Children<'_, P> {
    fn clone(&self) -> Self {
        Children { ..*self }
    }
}

impl<'a, P> Iterator for Children<'a, P> {
    type Item = (u32, &'a Node<P>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let node = self.nodes.get(self.next as usize)?;
        let id = std::mem::replace(&mut self.next, node.next);
        Some((id, node))
    }
}

/// Length of what two keys have in common.
#[inline]
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cold]
fn out_of_order() -> Error {
    Error::invalid("the keys of a trie are not in ascending order")
}
