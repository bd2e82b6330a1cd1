//! The records of a segment, front to back.
//!
//! Authority: `o.a.c.db.commitlog.{CommitLogReader,CommitLogSegmentReader}`.
//!
//! A section that nothing follows may never have reached the disk as a whole: where its bytes stop making sense, the log
//! ends. Anywhere else that is damage, and so it is if good records follow in the same section.

use super::marker_checksum;
use super::{Descriptor, LogVersion, MARKER_BYTES, MUTATION_BYTES_MIN, Position, RECORD_OVERHEAD};
use crate::bytes::Cursor;
use crate::io::Source;
use crate::sstable::component::compression_info::Compressor;
use crate::sstable::data::{Scratch, expand};
use crate::{Error, Result};
use std::path::Path;

/// Bytes that are fetched at once.
const FETCH_BYTES: u64 = 256 * 1024;

/// Where the mutation stands in a record, behind its size and that's checksum.
const MUTATION_AT: u64 = 8;

/// Longest descriptor: its parameters have a length of 16 bits.
const DESCRIPTOR_BYTES_MAX: u64 = 18 + 65_535;

/// Longest segment: positions in it are 31 bits wide.
const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;

/// What is done about damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplayPolicy {
    /// Any damage is an error. A torn end of the last segment, which was never acknowledged, is none.
    #[default]
    Stop,
    /// Damage in the last segment is passed over, whatever it is, as Cassandra does; elsewhere it is an error.
    TolerateLast,
    /// All damage is passed over, as with Cassandra's `cassandra.commitlog.ignorereplayerrors`.
    Ignore,
}

/// Damage that was passed over.
#[derive(Debug, Clone)]
pub struct Damage {
    /// What and where: file and offset.
    pub error: Error,
    /// The end of a log that was being written when its machine stopped.
    pub is_torn_end: bool,
}

/// A record: a mutation that fits its checksum.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Where it ends: what an SSTable says that it holds the log up to.
    pub position: Position,
    /// Where it starts in the segment; in a compressed one, as if it was not.
    pub start: u32,
    /// The mutation, see [`MutationReader`](super::MutationReader).
    pub mutation: &'a [u8],
}

impl Record<'_> {
    /// Places an error whose offset is one in the mutation: file, and offset in the segment.
    #[cold]
    pub fn place(&self, e: Error, segment: &Path) -> Error {
        let inner = e.location().offset.unwrap_or(0);
        // An error that has a place elsewhere keeps it.
        match e.location().file {
            Some(_) => e,
            None => e
                .moved_to(u64::from(self.start) + MUTATION_AT + inner)
                .in_file(segment),
        }
    }
}

/// Reads a segment.
#[derive(Debug)]
pub struct SegmentReader {
    source: Source,
    descriptor: Descriptor,
    policy: ReplayPolicy,
    is_last: bool,
    /// Where the next section begins; `None` after the last one.
    next: Option<u64>,
    section: Option<Section>,
    /// Bytes of the file, or a decompressed section.
    window: Window,
    /// What is added to a place in the window for one in the log: that of a compressed section.
    base: u64,
    /// Where the log ends, as if it was not compressed, behind the sections that were decompressed.
    logical_end: u64,
    /// Place of the present record, and its length.
    record: Option<(u64, u64)>,
    /// Where bytes that made no sense were read once more.
    read_again: Option<u64>,
    scratch: Scratch,
    compressed: Vec<u8>,
    passed_over: Vec<Damage>,
}

/// A section whose records are being read.
#[derive(Debug, Clone, Copy)]
struct Section {
    /// Offset of the next record, in the file or in the decompressed section.
    at: u64,
    /// Where records end at last.
    end: u64,
    /// Nothing follows in the file: the section may be torn.
    is_open: bool,
}

/// Bytes at the front of what is being read, which starts somewhere in the file.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn get(&self, at: u64, len: u64) -> Option<&[u8]> {
        let start = usize::try_from(at.checked_sub(self.start)?).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        self.bytes.get(start..end)
    }
}

/// What is wrong with a record.
struct Fault {
    what: &'static str,
    /// Where reading can go on in the section.
    resume: Option<u64>,
}

impl SegmentReader {
    /// Opens a segment. `is_last` tells that no later segment has records.
    ///
    /// # Errors
    /// `Unsupported` for another version, an unknown compressor and encryption; `Corrupt` for a descriptor that cannot be
    /// read, or that is of another segment, unless the policy says otherwise: such a segment has no records. `Io`.
    pub fn open(path: &Path, is_last: bool, policy: ReplayPolicy) -> Result<Option<Self>> {
        let source = Source::open(path)?;
        Self::of_source(source, is_last, policy)
    }

    /// The same of bytes behind a name. `None` if nothing was ever written, or nothing can be read and that is tolerated.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn of_source(source: Source, is_last: bool, policy: ReplayPolicy) -> Result<Option<Self>> {
        let path = source.path().to_owned();
        let name = path.file_name().and_then(|n| n.to_str());
        let named = name.and_then(Descriptor::parse_name);
        let placed = |e: Error| e.in_file(&path);
        if let Some((version, _)) = named {
            LogVersion::of_number(version).map_err(placed)?;
        }
        if source.len() > SEGMENT_BYTES_MAX {
            let what = format!("a segment of {} bytes is longer than any", source.len());
            return Err(placed(Error::corrupt(what)));
        }
        let mut head = vec![0; source.len().min(DESCRIPTOR_BYTES_MAX) as usize];
        source.read_exact_at(0, &mut head)?;
        if is_last && head.iter().all(|&b| b == 0) {
            return Ok(None);
        }
        let (descriptor, len) = match Descriptor::decode(&head) {
            Ok(decoded) => decoded,
            Err(e) if e.kind() == crate::ErrorKind::Corrupt => {
                let e = placed(e.at(0).advise(
                    "nothing of the segment can be read: restore it, or have damage ignored",
                ));
                return match policy {
                    ReplayPolicy::Ignore => Ok(None),
                    ReplayPolicy::TolerateLast if is_last => Ok(None),
                    _ => Err(e),
                };
            }
            Err(e) => return Err(placed(e)),
        };
        if let Some((_, id)) = named
            && id != descriptor.id
            && policy != ReplayPolicy::Ignore
        {
            let what = format!("the segment is that of id {}", descriptor.id);
            let advice = "it was renamed, or copied over another one";
            return Err(placed(Error::corrupt(what).advise(advice)));
        }
        Ok(Some(SegmentReader {
            source,
            descriptor,
            policy,
            is_last,
            next: Some(len as u64),
            section: None,
            window: Window::default(),
            base: 0,
            logical_end: len as u64,
            record: None,
            read_again: None,
            scratch: Scratch::default(),
            compressed: Vec::new(),
            passed_over: Vec::new(),
        }))
    }

    /// Whether nothing was ever written to it.
    pub fn is_unused(&mut self) -> bool {
        let start = self.next.unwrap_or(0);
        self.section.is_none()
            && matches!(self.read_marker(start), Ok(Marker::None | Marker::Begun))
    }

    /// What the segment says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Damage that was passed over since this was called last.
    pub fn take_passed_over(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.passed_over)
    }

    /// Advances to the next record; `false` at the end. After an error there is nothing more.
    ///
    /// # Errors
    /// `Corrupt` for damage that the policy does not pass over, with its offset; `Io`.
    pub fn advance(&mut self) -> Result<bool> {
        self.record = None;
        loop {
            let Some(section) = self.section else {
                if !self.next_section()? {
                    return Ok(false);
                }
                continue;
            };
            if section.at >= section.end {
                self.section = None;
                continue;
            }
            match self.record_len(section)? {
                Ok(Some(len)) => {
                    let end = section.at + len;
                    self.section = Some(Section { at: end, ..section });
                    self.record = Some((section.at, len));
                    return Ok(true);
                }
                Ok(None) => {
                    self.section = None;
                    if section.is_open {
                        self.next = None;
                    } else {
                        let what = "records end before their section does";
                        self.damage(what, self.base + section.at, false)?;
                    }
                }
                Err(_) if self.has_gone_on(section)? => {}
                Err(fault) => {
                    let torn = section.is_open && !self.has_record_after(section)?;
                    self.section = match fault.resume {
                        Some(at) if !torn => Some(Section { at, ..section }),
                        _ => None,
                    };
                    self.damage(fault.what, self.base + section.at, torn)?;
                }
            }
        }
    }

    /// Whether a log that is being written has gone on since the bytes at the section's place were read: another section has
    /// begun there, or they may be different ones by now. They are read once more.
    fn has_gone_on(&mut self, section: Section) -> Result<bool> {
        if !section.is_open || self.descriptor.compression.is_some() {
            return Ok(false);
        }
        if let Marker::End { .. } = self.read_marker(section.at)? {
            self.section = None;
            self.next = Some(section.at);
            return Ok(true);
        }
        self.window.bytes.clear();
        Ok(self.read_again.replace(section.at) != Some(section.at))
    }

    /// The record it stands on. `None` unless [`advance`](Self::advance) just returned true.
    pub fn record(&self) -> Option<Record<'_>> {
        let (at, len) = self.record?;
        let bytes = self.window.get(at, len)?;
        Some(Record {
            position: Position {
                segment: self.descriptor.id,
                position: i32::try_from(self.base + at + len).ok()?,
            },
            start: u32::try_from(self.base + at).ok()?,
            mutation: bytes.get(8..bytes.len().checked_sub(4)?)?,
        })
    }

    /// An error, or damage that is passed over.
    fn damage(&mut self, what: &'static str, at: u64, is_torn_end: bool) -> Result<()> {
        let error = Error::corrupt(what).at(at).in_file(self.source.path());
        let tolerated = match self.policy {
            ReplayPolicy::Ignore => true,
            ReplayPolicy::TolerateLast => self.is_last,
            ReplayPolicy::Stop => self.is_last && is_torn_end,
        };
        if !tolerated {
            self.section = None;
            self.next = None;
            return Err(error.advise("restore the segment, or have damage passed over"));
        }
        self.passed_over.push(Damage { error, is_torn_end });
        Ok(())
    }

    /// Takes the next section, if it can be read; `false` at the end.
    fn next_section(&mut self) -> Result<bool> {
        let Some(at) = self.next.take() else {
            return Ok(false);
        };
        match self.read_marker(at)? {
            Marker::None => Ok(false),
            Marker::Begun => {
                self.damage("a sync marker without the end of its section", at, true)?;
                Ok(false)
            }
            Marker::Bad { what, torn } => {
                self.damage(what, at, torn)?;
                Ok(false)
            }
            Marker::End { end, truncated } => {
                let is_open = truncated || !matches!(self.read_marker(end)?, Marker::End { .. });
                if truncated {
                    self.damage("the segment ends before its last section does", at, true)?;
                } else {
                    self.next = Some(end);
                }
                let body = at + MARKER_BYTES;
                if let Some(compressor) = self.descriptor.compression {
                    match self.expand_section(compressor, body, end)? {
                        Ok(end) => {
                            self.section = Some(Section {
                                at: 0,
                                end,
                                is_open,
                            })
                        }
                        Err(what) => self.damage(what, at, is_open)?,
                    }
                } else {
                    self.window.bytes.clear();
                    self.section = Some(Section {
                        at: body,
                        end,
                        is_open,
                    });
                }
                Ok(true)
            }
        }
    }

    fn read_marker(&mut self, at: u64) -> Result<Marker> {
        let len = self.source.len();
        if at + MARKER_BYTES > len {
            return Ok(Marker::None);
        }
        let mut bytes = [0; MARKER_BYTES as usize];
        self.source.read_exact_at(at, &mut bytes)?;
        let mut c = Cursor::new(&bytes);
        let (end, crc) = (c.i32()?, c.u32()?);
        if (end, crc) == (0, 0) {
            return Ok(Marker::None);
        }
        // Both words need not reach the disk at once.
        if crc != marker_checksum(self.descriptor.id, at as u32) {
            return Ok(Marker::Bad {
                what: "a sync marker does not fit its checksum",
                torn: crc == 0 || end == 0,
            });
        }
        if end == 0 {
            return Ok(Marker::Begun);
        }
        match u64::try_from(end) {
            Ok(end) if end >= at + MARKER_BYTES => Ok(Marker::End {
                end: end.min(len),
                truncated: end > len,
            }),
            _ => Ok(Marker::Bad {
                what: "a sync marker leads backwards",
                torn: false,
            }),
        }
    }

    /// Decompresses a section into the window; returns its length, or what is wrong.
    fn expand_section(
        &mut self,
        compressor: Compressor,
        body: u64,
        end: u64,
    ) -> Result<Result<u64, &'static str>> {
        const WRONG: &str = "a section does not decompress to its length";
        let mut length = [0; 4];
        if end < body + 4 {
            return Ok(Err("a section without its length"));
        }
        self.source.read_exact_at(body, &mut length)?;
        let stored = end - body - 4;
        let Ok(length) = u64::try_from(i32::from_be_bytes(length)) else {
            return Ok(Err(WRONG));
        };
        let logical = self.logical_end + MARKER_BYTES;
        if length > compressor.expanded_max(stored) || logical + length > SEGMENT_BYTES_MAX {
            return Ok(Err(WRONG));
        }
        self.compressed.resize(stored as usize, 0);
        self.source.read_exact_at(body + 4, &mut self.compressed)?;
        self.window.start = 0;
        self.window.bytes.resize(length as usize, 0);
        let done = expand(
            compressor,
            &self.compressed,
            &mut self.window.bytes,
            &mut self.scratch,
        );
        if done.is_err() {
            self.window.bytes.clear();
            return Ok(Err(WRONG));
        }
        self.base = logical;
        self.logical_end = logical + length;
        Ok(Ok(length))
    }

    /// Makes the window hold these bytes; `false` if the section ends before them.
    fn fetch(&mut self, at: u64, len: u64, end: u64) -> Result<bool> {
        if at.checked_add(len).is_none_or(|last| last > end) {
            return Ok(false);
        }
        if self.window.get(at, len).is_some() {
            return Ok(true);
        }
        if self.descriptor.compression.is_some() {
            return Ok(false);
        }
        let len = len.max(FETCH_BYTES).min(end - at);
        self.window.start = at;
        self.window.bytes.resize(len as usize, 0);
        let read = self.source.read_exact_at(at, &mut self.window.bytes);
        if read.is_err() {
            self.window.bytes.clear();
        }
        read.map(|()| true)
    }

    /// Length of the record at the section's place, which the window then holds; `None` if there is none, as zeros
    /// follow.
    fn record_len(&mut self, section: Section) -> Result<Result<Option<u64>, Fault>> {
        let Section { at, end, .. } = section;
        let fault = |what| Err(Fault { what, resume: None });
        if !self.fetch(at, 4, end)? {
            return Ok(Ok(None));
        }
        let size = self.window.get(at, 4).and_then(|b| b.first_chunk());
        let size = i32::from_be_bytes(*size.unwrap_or(&[0; 4]));
        if size == 0 {
            return Ok(Ok(None));
        }
        if size < MUTATION_BYTES_MIN {
            return Ok(fault("a record's size is that of no mutation"));
        }
        if !self.fetch(at, 8, end)? {
            return Ok(fault("a record is cut"));
        }
        let head = self.window.get(at, 8).unwrap_or_default();
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head[..4]);
        if head[4..] != crc.clone().finalize().to_be_bytes() {
            return Ok(fault("a record's size does not fit its checksum"));
        }
        let len = size as u64 + RECORD_OVERHEAD;
        if !self.fetch(at, len, end)? {
            return Ok(fault("a record is cut"));
        }
        let bytes = self.window.get(at, len).unwrap_or_default();
        let (mutation, claimed) = bytes[8..].split_at(size as usize);
        crc.update(mutation);
        if claimed != crc.finalize().to_be_bytes() {
            return Ok(Err(Fault {
                what: "a record does not fit its checksum",
                resume: Some(at + len),
            }));
        }
        Ok(Ok(Some(len)))
    }

    /// Whether any record follows the one at the section's place, wherever it begins.
    fn has_record_after(&mut self, section: Section) -> Result<bool> {
        let mut at = section.at + 1;
        while at + RECORD_OVERHEAD <= section.end {
            let len = FETCH_BYTES.min(section.end - at);
            if !self.fetch(at, len, section.end)? {
                return Ok(false);
            }
            let bytes = self.window.get(at, len).unwrap_or_default();
            let found = bytes.windows(8).position(|head| {
                let (size, crc) = head.split_at(4);
                size != [0; 4] && crc == crc32fast::hash(size).to_be_bytes()
            });
            match found {
                None => at += len - 7,
                Some(i) => {
                    at += i as u64;
                    if let Ok(Some(_)) = self.record_len(Section { at, ..section })? {
                        return Ok(true);
                    }
                    at += 1;
                }
            }
            if len < FETCH_BYTES && found.is_none() {
                break;
            }
        }
        Ok(false)
    }
}

/// What stands where a section may begin.
enum Marker {
    /// Zeros, or the end of the file.
    None,
    /// The checksum of a marker that was being written: nothing follows it.
    Begun,
    /// A section, and where it ends.
    End {
        end: u64,
        truncated: bool,
    },
    Bad {
        what: &'static str,
        torn: bool,
    },
}
