//! Reads the partitions of one SSTable in the order of Data.db.
//!
//! Authority: `o.a.c.io.sstable.SSTableIdentityIterator`, `o.a.c.io.sstable.format.SSTableSimpleScanner`.

use super::data::{
    Decoded, Fetch, Layout, Window, decode_partition_start, decode_unfiltered, peek_unfiltered,
};
use super::reader::SSTable;
use crate::bytes::DecodeError;
use crate::model::{
    DeletionTime, MarkerBuf, MarkerRef, PartitionHead, PartitionSource, RowBuf, RowRef, Span,
    StreamHeader, Unfiltered,
};
use crate::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// A cursor over partitions of one SSTable. It needs no index, only Data.db.
#[derive(Debug)]
pub struct Scan {
    sstable: Arc<SSTable>,
    layout: Arc<Layout>,
    window: Window,
    /// Where the next thing to decode starts.
    position: u64,
    /// Partitions that start here or later are not read.
    end: u64,
    inside: bool,
    head: Head,
    row: RowBuf,
    marker: MarkerBuf,
    current: Decoded,
    current_at: Range<u64>,
    spans: Vec<Span>,
}

/// The present partition's head, with its own copy of the bytes, for the window moves on.
#[derive(Debug)]
struct Head {
    bytes: Vec<u8>,
    key_len: usize,
    deletion: DeletionTime,
    static_row: RowBuf,
    position: u64,
    body_position: u64,
}

impl Scan {
    /// A cursor over the partitions that start in `range`, which are positions of partitions in the uncompressed
    /// Data.db.
    pub fn new(
        sstable: Arc<SSTable>,
        layout: Arc<Layout>,
        range: Range<u64>,
        fetch: Fetch,
    ) -> Self {
        Scan {
            window: Window::new(sstable.data().clone(), fetch),
            position: range.start,
            end: range.end.min(sstable.data().len()),
            inside: false,
            head: Head {
                bytes: Vec::new(),
                key_len: 0,
                deletion: DeletionTime::LIVE,
                static_row: RowBuf::default(),
                position: 0,
                body_position: 0,
            },
            row: RowBuf::default(),
            marker: MarkerBuf::default(),
            current: Decoded::End,
            current_at: 0..0,
            spans: Vec::new(),
            sstable,
            layout,
        }
    }

    /// The SSTable it reads.
    pub fn sstable(&self) -> &Arc<SSTable> {
        &self.sstable
    }

    /// Where the next thing to decode starts: behind what it stands on.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes on with the partition that starts at `position`, wherever it stands.
    pub fn seek_partition(&mut self, position: u64) {
        self.inside = false;
        self.position = position;
    }

    /// Goes on at an unfiltered of the present partition.
    pub fn seek_unfiltered(&mut self, position: u64) {
        self.inside = true;
        self.position = position;
    }

    #[cold]
    fn fail(&self, e: Error) -> Error {
        let e = if self.inside {
            e.in_partition(self.key())
        } else {
            e
        };
        e.at(self.position)
            .in_component("Data.db")
            .in_file(self.window.file().source().path())
    }

    #[inline]
    fn key(&self) -> &[u8] {
        &self.head.bytes[2..2 + self.head.key_len]
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

    #[inline(never)]
    fn skip_rest(&mut self) -> Result<()> {
        while self.inside {
            let bytes = self.window.bytes(self.position);
            match peek_unfiltered(bytes, &self.layout, &mut self.spans) {
                Ok(peeked) => {
                    self.position += peeked.len;
                    self.inside = peeked.decoded != Decoded::End;
                }
                Err(e) => self.fetch(e)?,
            }
        }
        Ok(())
    }
}

impl PartitionSource for Scan {
    fn header(&self) -> &StreamHeader {
        self.layout.stream()
    }

    fn next_partition(&mut self) -> Result<bool> {
        if self.inside {
            self.skip_rest()?;
        }
        if self.position >= self.end {
            return Ok(false);
        }
        loop {
            let bytes = self.window.bytes(self.position);
            match decode_partition_start(bytes, &self.layout, &mut self.head.static_row) {
                Ok((start, len)) => {
                    self.head.key_len = start.key.len();
                    self.head.deletion = start.deletion;
                    self.head.bytes.clear();
                    self.head.bytes.extend_from_slice(&bytes[..len]);
                    self.head.position = self.position;
                    self.position += len as u64;
                    self.head.body_position = self.position;
                    self.head.static_row.position = self.position;
                    self.inside = true;
                    return Ok(true);
                }
                Err(e) => self.fetch(e)?,
            }
        }
    }

    #[inline]
    fn partition(&self) -> PartitionHead<'_> {
        let head = &self.head;
        let static_row = &head.static_row;
        PartitionHead {
            key: self.key(),
            deletion: head.deletion,
            static_row: (!static_row.is_empty()).then(|| RowRef::new(&head.bytes, static_row)),
            position: head.position,
            body_position: head.body_position,
        }
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        while self.inside {
            let bytes = self.window.bytes(self.position);
            match decode_unfiltered(bytes, &self.layout, &mut self.row, &mut self.marker) {
                Ok((decoded, len)) => {
                    let at = self.position;
                    self.position += len as u64;
                    self.current = decoded;
                    self.current_at = at..self.position;
                    match decoded {
                        Decoded::Row if self.row.is_empty() => continue,
                        Decoded::Row => self.row.position = at,
                        Decoded::Marker => self.marker.position = at,
                        Decoded::End => self.inside = false,
                    }
                    return Ok(self.inside);
                }
                Err(e) => self.fetch(e)?,
            }
        }
        Ok(false)
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        let len = (self.current_at.end - self.current_at.start) as usize;
        let bytes = &self.window.bytes(self.current_at.start)[..len];
        match self.current {
            Decoded::Marker => Unfiltered::Marker(MarkerRef::new(bytes, &self.marker)),
            _ => Unfiltered::Row(RowRef::new(bytes, &self.row)),
        }
    }
}
