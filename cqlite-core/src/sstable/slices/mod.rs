//! Reads slices of one partition of one SSTable, forwards or backwards, through its row index where it has one.
//!
//! Authority: `o.a.c.io.sstable.{SSTableReversedIterator,SSTableIterator,AbstractSSTableIterator}`.
//!
//! A range tombstone that is open at the edge of a slice is given a bound there, so that every slice is whole in itself.

mod backwards;

use super::data::{
    Decoded, Layout, Window, decode_partition_start, decode_unfiltered, peek_unfiltered,
};
use super::descriptor::{Component, Descriptor};
use super::index::{Blocks, Clusterings, RowIndexRef};
use crate::bytes::DecodeError;
use crate::model::{
    Bound, BoundKind, ClusteringRef, DeletionTime, MarkerBuf, MarkerRef, PartitionHead,
    PartitionSource, RowBuf, RowRef, Slice, Span, StreamHeader, Unfiltered,
};
use crate::{Error, Result};
use backwards::BlocksBefore;
use std::cmp::Ordering;
use std::sync::Arc;

/// Where a partition lies, and what is asked of it.
#[derive(Debug)]
pub struct SliceRequest<'a> {
    /// Position of the partition in the uncompressed Data.db.
    pub position: u64,
    /// The key that it must have.
    pub key: &'a [u8],
    /// Whether what gave the position holds whole keys: then another key there is corrupt. Else it means that the
    /// partition is not in the SSTable.
    pub certain: bool,
    /// Its row index, if it has one.
    pub row_index: Option<RowIndexRef<'a>>,
    /// What to read, ascending in storage order and apart from each other.
    pub slices: &'a [Slice],
    /// Give rows and markers from the end.
    pub reversed: bool,
}

/// A cursor over slices of one partition.
pub struct SliceReader<'a> {
    layout: Arc<Layout>,
    clusterings: &'a Clusterings,
    window: Window,
    request: SliceRequest<'a>,
    state: State,
    /// Bytes of key and static row, if there is one.
    head: Vec<u8>,
    deletion: DeletionTime,
    static_row: RowBuf,
    body: u64,
    /// Slices not yet begun.
    slices_left: usize,
    /// The slice that is being read, by its index.
    slice: Option<usize>,
    /// Where the next unfiltered starts.
    position: u64,
    /// Deletion of the range tombstone that is open there.
    open: DeletionTime,
    /// Forwards: the slice's start was passed.
    inside: bool,
    /// Forwards: the row index says that no row lies in the slice.
    nothing_inside: bool,
    /// Backwards: what is left to give of the present block, and the blocks before it.
    pending: Vec<Pending>,
    blocks: Option<BlocksBefore<'a>>,
    current: Current,
    row: RowBuf,
    marker: MarkerBuf,
    marker_bytes: Vec<u8>,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Inside,
    Done,
}

/// What is to be given, backwards.
#[derive(Debug, Clone, Copy)]
enum Pending {
    /// What starts at a position.
    At(u64),
    /// The end of the slice, under an open deletion.
    EndBound(DeletionTime),
    /// The start of the slice, under an open deletion.
    StartBound(DeletionTime),
}

/// Why passing over rows ends.
enum Stop {
    /// At the slice, or at the end of what may be passed over.
    There,
    /// At a marker of this length.
    Marker(u64),
    /// At something that the window holds only a part of, if it holds anything of it.
    Short(DecodeError),
}

#[derive(Debug, Clone, Copy)]
enum Edge {
    Start,
    End,
}

#[derive(Debug, Clone, Copy)]
enum Current {
    Row {
        at: u64,
        len: usize,
    },
    Marker {
        at: u64,
        len: usize,
    },
    /// A bound at a slice's edge.
    Made,
}

impl<'a> SliceReader<'a> {
    /// A cursor that stands before the partition.
    pub fn new(
        window: Window,
        layout: Arc<Layout>,
        clusterings: &'a Clusterings,
        request: SliceRequest<'a>,
    ) -> Self {
        SliceReader {
            layout,
            clusterings,
            window,
            state: State::Before,
            head: Vec::new(),
            deletion: DeletionTime::LIVE,
            static_row: RowBuf::default(),
            body: request.position,
            slices_left: request.slices.len(),
            slice: None,
            position: request.position,
            open: DeletionTime::LIVE,
            inside: false,
            nothing_inside: false,
            pending: Vec::new(),
            blocks: None,
            current: Current::Made,
            row: RowBuf::default(),
            marker: MarkerBuf::default(),
            marker_bytes: Vec::new(),
            spans: Vec::new(),
            request,
        }
    }

    /// Stands before another partition then, with the window where it is.
    pub fn restart(&mut self, request: SliceRequest<'a>) {
        self.state = State::Before;
        self.head.clear();
        self.deletion = DeletionTime::LIVE;
        self.static_row.clear();
        self.body = request.position;
        self.slices_left = request.slices.len();
        self.slice = None;
        self.position = request.position;
        self.open = DeletionTime::LIVE;
        self.inside = false;
        self.nothing_inside = false;
        self.pending.clear();
        self.blocks = None;
        self.current = Current::Made;
        self.window.hold(u64::MAX);
        self.request = request;
    }

    #[cold]
    fn fail(&self, e: Error) -> Error {
        let e = match self.state {
            State::Before => e,
            _ => e.in_partition(self.key()),
        };
        e.at(self.position)
            .in_component("Data.db")
            .in_file(self.window.file().source().path())
    }

    /// More bytes for something that ended too early, or the error that it is.
    #[inline(never)]
    fn fetch(&mut self, e: DecodeError) -> Result<()> {
        if e == DecodeError::Eof {
            match self.window.more(self.position) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(e) => return Err(self.fail(e)),
            }
        }
        Err(self.fail(e.into()))
    }

    /// Names the index file, which lies beside Data.db, of an error of the row index.
    #[cold]
    fn fail_index(&self, e: Error) -> Error {
        let e = e.in_partition(self.key());
        let index = e.location().component.map(Component::parse);
        match (index, Descriptor::parse(self.window.file().source().path())) {
            (Some(component), Ok((descriptor, _))) => e.in_file(&descriptor.path(&component)),
            _ => e,
        }
    }

    #[cold]
    fn wrong_key(&self) -> Error {
        let e = Error::corrupt("the partition here has another key than the index says").advise(
            "the index does not belong to Data.db: move it away, the data can be read without it",
        );
        self.fail(e.in_partition(self.request.key))
    }

    fn key(&self) -> &[u8] {
        self.request.key
    }

    /// Decodes what stands at the position, leaving the position there; its kind and length.
    #[inline(always)]
    fn decode(&mut self) -> Result<(Decoded, usize)> {
        loop {
            let bytes = self.window.bytes(self.position);
            match decode_unfiltered(bytes, &self.layout, &mut self.row, &mut self.marker) {
                Ok(decoded) => {
                    self.row.position = self.position;
                    self.marker.position = self.position;
                    return Ok(decoded);
                }
                Err(e) => self.fetch(e)?,
            }
        }
    }

    /// How what stands at the position compares to a bound: what it is, its length, the order.
    fn peek(&mut self, bound: Edge) -> Result<(Decoded, u64, Ordering)> {
        loop {
            let bytes = self.window.bytes(self.position);
            match peek_unfiltered(bytes, &self.layout, &mut self.spans) {
                Ok(peeked) => {
                    let clustering = ClusteringRef::new(bytes, &self.spans);
                    let order = match peeked.decoded {
                        Decoded::End => Ordering::Greater,
                        _ => self.clusterings.comparator().compare_to_bound(
                            clustering,
                            peeked.kind,
                            self.edge(bound),
                        ),
                    };
                    return Ok((peeked.decoded, peeked.len, order));
                }
                Err(e) => self.fetch(e)?,
            }
        }
    }

    fn edge(&self, edge: Edge) -> &'a Bound {
        let slice = &self.request.slices[self.slice.unwrap_or_default()];
        match edge {
            Edge::Start => &slice.start,
            Edge::End => &slice.end,
        }
    }

    /// Makes the present thing a bound at an edge of the slice.
    fn make_bound(&mut self, edge: Edge, deletion: DeletionTime) {
        let bound = self.edge(edge);
        self.marker_bytes.clear();
        self.marker.values.clear();
        for value in &bound.values {
            let span = Span::append(&mut self.marker_bytes, value.as_deref());
            self.marker.values.push(span);
        }
        self.marker.position = 0;
        self.marker.kind = bound.kind;
        (self.marker.open, self.marker.close) = match edge {
            Edge::Start => (deletion, DeletionTime::LIVE),
            Edge::End => (DeletionTime::LIVE, deletion),
        };
        self.current = Current::Made;
    }

    /// The blocks that the row index names for the slice.
    fn indexed(&self) -> Result<Option<Blocks<'a>>> {
        match &self.request.row_index {
            Some(index) => index
                .blocks(
                    self.clusterings,
                    self.edge(Edge::Start),
                    self.edge(Edge::End),
                )
                .map(Some)
                .map_err(|e| self.fail_index(e)),
            None => Ok(None),
        }
    }

    fn next_forward(&mut self) -> Result<bool> {
        loop {
            if self.give_bound() {
                return Ok(true);
            }
            if self.slice.is_none() || self.nothing_inside {
                if self.slices_left == 0 {
                    return Ok(false);
                }
                self.slice = Some(self.request.slices.len() - self.slices_left);
                self.slices_left -= 1;
                self.inside = false;
                self.nothing_inside = false;
                if let Some(blocks) = self.indexed()? {
                    let block = blocks.span();
                    let start = self.request.position.saturating_add(block.start);
                    if block.start == block.end {
                        // Nothing lies in the slice, but a range tombstone may lie over it.
                        self.nothing_inside = true;
                        if !block.open_deletion.is_live() {
                            self.pending.push(Pending::EndBound(block.open_deletion));
                            self.pending.push(Pending::StartBound(block.open_deletion));
                        }
                        continue;
                    }
                    if start > self.position {
                        self.position = start;
                        self.open = block.open_deletion;
                    }
                }
            }
            if !self.inside {
                self.skip_to_start(u64::MAX)?;
                self.inside = true;
                if !self.open.is_live() {
                    self.make_bound(Edge::Start, self.open);
                    return Ok(true);
                }
            }
            if self.give_until_end()? {
                return Ok(true);
            }
            if self.slice.is_none() && !self.open.is_live() {
                return Ok(true);
            }
        }
    }

    /// Passes over what precedes the slice, no further than `end`, following the open deletion.
    fn skip_to_start(&mut self, end: u64) -> Result<()> {
        let start = self.edge(Edge::Start);
        loop {
            // One loop over what the window holds: rows before the slice are many.
            let comparator = self.clusterings.comparator();
            let bytes = self.window.bytes(self.position);
            let most = usize::try_from(end.saturating_sub(self.position)).unwrap_or(usize::MAX);
            let mut at = 0;
            let stop = loop {
                if at >= most {
                    break Stop::There;
                }
                let Some(rest) = bytes.get(at..) else {
                    break Stop::Short(DecodeError::Eof);
                };
                match peek_unfiltered(rest, &self.layout, &mut self.spans) {
                    Ok(peeked) => {
                        let clustering = ClusteringRef::new(rest, &self.spans);
                        let before = || comparator.compare_to_bound(clustering, peeked.kind, start);
                        if peeked.decoded == Decoded::End || before().is_ge() {
                            break Stop::There;
                        }
                        if peeked.decoded == Decoded::Marker {
                            break Stop::Marker(peeked.len);
                        }
                        at = at.saturating_add(peeked.len as usize);
                    }
                    Err(e) => break Stop::Short(e),
                }
            };
            self.position += at as u64;
            match stop {
                Stop::There => return Ok(()),
                Stop::Marker(len) => {
                    self.decode()?;
                    self.open = self.marker.open;
                    self.position += len;
                }
                Stop::Short(e) => self.fetch(e)?,
            }
        }
    }

    /// Goes on to the next row or marker of the slice that says anything. At the slice's end `false`, and the present
    /// thing is its bound if a range tombstone is open there.
    fn give_until_end(&mut self) -> Result<bool> {
        loop {
            let (decoded, len) = self.decode()?;
            let at = self.position;
            let bytes = self.window.bytes(at);
            let (spans, kind) = match decoded {
                Decoded::Row => (&self.row.clustering, BoundKind::Clustering),
                _ => (&self.marker.values, self.marker.kind),
            };
            let clustering = ClusteringRef::new(bytes, spans);
            let comparator = self.clusterings.comparator();
            if decoded == Decoded::End
                || comparator
                    .compare_to_bound(clustering, kind, self.edge(Edge::End))
                    .is_gt()
            {
                if !self.open.is_live() {
                    self.make_bound(Edge::End, self.open);
                }
                self.slice = None;
                return Ok(false);
            }
            if self.pass(decoded, len) {
                return Ok(true);
            }
        }
    }

    /// Makes the present thing what stands at the position, and goes past it. `false` for a row that says nothing.
    fn give(&mut self) -> Result<bool> {
        let (decoded, len) = self.decode()?;
        Ok(self.pass(decoded, len))
    }

    fn pass(&mut self, decoded: Decoded, len: usize) -> bool {
        let at = self.position;
        self.position += len as u64;
        match decoded {
            Decoded::Marker => {
                self.open = self.marker.open;
                self.current = Current::Marker { at, len };
                true
            }
            Decoded::Row => {
                self.current = Current::Row { at, len };
                !self.row.is_empty()
            }
            Decoded::End => false,
        }
    }

    /// Makes the present thing the bound that is pending, if one is next.
    fn give_bound(&mut self) -> bool {
        let (edge, deletion) = match self.pending.last() {
            Some(Pending::EndBound(deletion)) => (Edge::End, *deletion),
            Some(Pending::StartBound(deletion)) => (Edge::Start, *deletion),
            Some(Pending::At(_)) | None => return false,
        };
        self.pending.pop();
        self.make_bound(edge, deletion);
        true
    }

    /// Follows the open deletion past what stands at the position.
    fn follow(&mut self, decoded: Decoded) -> Result<()> {
        if decoded == Decoded::Marker {
            self.decode()?;
            self.open = self.marker.open;
        }
        Ok(())
    }
}

impl PartitionSource for SliceReader<'_> {
    fn header(&self) -> &StreamHeader {
        self.layout.stream()
    }

    fn next_partition(&mut self) -> Result<bool> {
        if self.state != State::Before {
            self.state = State::Done;
            return Ok(false);
        }
        if let Some(index) = &self.request.row_index
            && self.request.certain
            && !self.layout.has_statics()
        {
            // The index tells all that the head would: its chunk need not be read.
            self.deletion = index.partition_deletion();
            self.state = State::Inside;
            return Ok(true);
        }
        loop {
            let bytes = self.window.bytes(self.position);
            match decode_partition_start(bytes, &self.layout, &mut self.static_row) {
                Ok((start, len)) => {
                    if start.key != self.request.key {
                        if self.request.certain {
                            return Err(self.wrong_key());
                        }
                        self.state = State::Done;
                        return Ok(false);
                    }
                    self.deletion = start.deletion;
                    if !self.static_row.is_empty() {
                        self.head.extend_from_slice(&bytes[..len]);
                    }
                    self.position += len as u64;
                    self.body = self.position;
                    self.static_row.position = self.body;
                    self.state = State::Inside;
                    return Ok(true);
                }
                Err(e) => self.fetch(e)?,
            }
        }
    }

    fn partition(&self) -> PartitionHead<'_> {
        let static_row = &self.static_row;
        PartitionHead {
            key: self.key(),
            deletion: self.deletion,
            static_row: (!static_row.is_empty()).then(|| RowRef::new(&self.head, static_row)),
            position: self.request.position,
            body_position: self.body,
        }
    }

    fn next_unfiltered(&mut self) -> Result<bool> {
        match (self.state, self.request.reversed) {
            (State::Inside, false) => self.next_forward(),
            (State::Inside, true) => self.next_backward(),
            _ => Ok(false),
        }
    }

    fn unfiltered(&self) -> Unfiltered<'_> {
        match self.current {
            Current::Row { at, len } => {
                Unfiltered::Row(RowRef::new(&self.window.bytes(at)[..len], &self.row))
            }
            Current::Marker { at, len } => {
                Unfiltered::Marker(MarkerRef::new(&self.window.bytes(at)[..len], &self.marker))
            }
            Current::Made => Unfiltered::Marker(MarkerRef::new(&self.marker_bytes, &self.marker)),
        }
    }
}
