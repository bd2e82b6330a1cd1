//! A segment that is appended to.
//!
//! Authority: `o.a.c.db.commitlog.{CommitLogSegment,MemoryMappedSegment}`.

use super::{LogOptions, Sealed, SyncMode, descriptor};
use crate::commitlog::{MARKER_BYTES, Position, TableId, marker_checksum};
use crate::io::{MappedMut, sync_directory, unwritable};
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// What a segment is called until it is made.
const UNFINISHED: &str = "commitlog-segment.tmp";

/// Bytes of a new segment that are written at once. Linux keeps what is written at once in one folio of its page cache,
/// and a store through the map makes all of that dirty: a sync after few records is to bring little to the disk, while
/// the fewer folios there are, the fewer faults stores meet.
const PIECE_SYNCED_OFTEN: usize = 16 << 10;
const PIECE: usize = 1 << 20;

/// A mapped segment.
pub(super) struct Segment {
    id: i64,
    path: PathBuf,
    file: Arc<File>,
    map: MappedMut,
    /// Where the next record begins.
    tail: usize,
    /// Where the marker of the present section stands.
    section: usize,
    dirty: Dirty,
}

/// A segment that nothing is appended to any more.
pub(super) struct Full {
    pub id: i64,
    pub path: PathBuf,
    pub file: Arc<File>,
    pub is_synced: bool,
    pub dirty: Dirty,
    end: usize,
}

/// The tables of which a segment holds what is not flushed, and where the last of it ends.
#[derive(Debug, Default)]
pub(super) struct Dirty(Vec<(TableId, usize)>);

impl Dirty {
    #[inline]
    fn note(&mut self, table: TableId, end: usize) {
        // Mostly it is the table of before.
        match self.0.iter_mut().rev().find(|(known, _)| *known == table) {
            Some((_, last)) => *last = end,
            None => self.0.push((table, end)),
        }
    }

    /// Forgets a table if all of it in segment `id` is flushed.
    pub fn clean(&mut self, id: i64, table: TableId, up_to: Position) {
        self.0
            .retain(|(known, last)| *known != table || position(id, *last) > up_to);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn tables(&self) -> Vec<TableId> {
        self.0.iter().map(|(table, _)| *table).collect()
    }
}

fn position(segment: i64, offset: usize) -> Position {
    Position {
        segment,
        // Segments are shorter than 2 GiB.
        position: offset as i32,
    }
}

impl Full {
    /// Where it ends.
    pub fn end(&self) -> Position {
        position(self.id, self.end)
    }
}

/// Removes what is left of a segment that was being made.
pub(super) fn remove_unfinished(directory: &Path) -> Result<()> {
    super::delete(&directory.join(UNFINISHED))
}

impl Segment {
    /// A new segment of zeros behind its descriptor, so that its room is there.
    pub fn create(directory: &Path, id: i64, options: &LogOptions) -> Result<Self> {
        let unfinished = directory.join(UNFINISHED);
        let path = directory.join(descriptor(id).file_name());
        let made = Self::fill(&unfinished, id, options)
            .and_then(|file| {
                std::fs::rename(&unfinished, &path).map_err(|e| Error::io(&path, e))?;
                if options.sync != SyncMode::None {
                    sync_directory(directory)?;
                }
                Ok(file)
            })
            .and_then(|file| {
                let mapped = file.try_clone().map_err(|e| Error::io(&path, e))?;
                Ok((MappedMut::new(&path, mapped)?, file))
            });
        let (map, file) = made.inspect_err(|_| {
            // The error tells more than that it cannot be removed either.
            let _ = super::delete(&unfinished);
        })?;
        let tail = descriptor(id).encode().len();
        Ok(Segment {
            id,
            path,
            file: Arc::new(file),
            map,
            tail,
            section: tail,
            dirty: Dirty::default(),
        })
    }

    fn fill(path: &Path, id: i64, options: &LogOptions) -> Result<File> {
        let fill = || -> std::io::Result<File> {
            let mut open = OpenOptions::new();
            let open = open.read(true).write(true).create(true).truncate(true);
            let mut file = open.open(path)?;
            let piece = match options.sync {
                SyncMode::Group | SyncMode::Batch(_) => PIECE_SYNCED_OFTEN,
                SyncMode::Periodic(_) | SyncMode::None => PIECE,
            };
            let mut left = options.segment_bytes as usize;
            let head = descriptor(id).encode();
            let mut bytes = vec![0; piece.min(left)];
            bytes[..head.len()].copy_from_slice(&head);
            while left > 0 {
                let n = left.min(bytes.len());
                file.write_all(&bytes[..n])?;
                bytes[..head.len()].fill(0);
                left -= n;
            }
            if options.sync != SyncMode::None {
                file.sync_all()?;
            }
            Ok(file)
        };
        fill().map_err(|e| unwritable(path, e))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it ends so far.
    pub fn position(&self) -> Position {
        position(self.id, self.tail)
    }

    /// Begins the first section.
    pub fn begin(&mut self) {
        self.open_section();
    }

    /// Whether a record of `len` bytes fits.
    #[inline]
    pub fn has_room(&self, len: u64) -> bool {
        len <= (self.map.len() - self.tail) as u64
    }

    /// Puts a marker at the end. Its section reaches to the segment's end for now.
    fn open_section(&mut self) {
        let at = self.tail;
        let end = self.map.len() as u32;
        let crc = marker_checksum(self.id, at as u32);
        self.map[at + 4..at + 8].copy_from_slice(&crc.to_be_bytes());
        fence(Ordering::Release);
        self.map[at..at + 4].copy_from_slice(&end.to_be_bytes());
        self.section = at;
        self.tail = at + MARKER_BYTES as usize;
    }

    /// Ends the present section, if it has records, and begins another; returns the file that is to be synced. Without room
    /// for a marker the section stays as it is.
    pub fn close_section(&mut self) -> Option<Arc<File>> {
        let end = self.tail;
        if end == self.section + MARKER_BYTES as usize {
            return None;
        }
        if self.has_room(MARKER_BYTES) {
            let section = self.section;
            self.open_section();
            // Only then may the section before it end here.
            fence(Ordering::Release);
            self.map[section..section + 4].copy_from_slice(&(end as u32).to_be_bytes());
        }
        Some(self.file.clone())
    }

    /// Appends records, for which there must be room. The size of the first one comes last: until then nothing is there.
    #[inline]
    pub fn append(&mut self, records: &[Sealed<'_>]) -> Position {
        let first = self.tail;
        for record in records {
            let size = record.mutation.len();
            let at = self.tail;
            let end = at + record.len() as usize;
            let room = &mut self.map[at..end];
            room[4..8].copy_from_slice(&record.size_crc.to_be_bytes());
            room[8..8 + size].copy_from_slice(record.mutation);
            room[8 + size..].copy_from_slice(&record.crc.to_be_bytes());
            if at != first {
                room[..4].copy_from_slice(&(size as u32).to_be_bytes());
            }
            self.dirty.note(record.table, end);
            self.tail = end;
        }
        if let Some(record) = records.first() {
            fence(Ordering::Release);
            let size = record.mutation.len() as u32;
            self.map[first..first + 4].copy_from_slice(&size.to_be_bytes());
        }
        self.position()
    }

    /// Forgets a table if all of it here is flushed.
    pub fn clean(&mut self, table: TableId, up_to: Position) {
        self.dirty.clean(self.id, table, up_to);
    }

    /// What is kept of it once it is full, and its map, which takes a while to be undone.
    pub fn finish(self) -> (Full, MappedMut) {
        let full = Full {
            id: self.id,
            path: self.path,
            file: self.file,
            is_synced: false,
            dirty: self.dirty,
            end: self.tail,
        };
        (full, self.map)
    }
}
