//! Heads of partitions: found, or told by the index where they cannot be read.
//!
//! Authority: `o.a.c.io.sstable.format.big.BigTableScrubber.scrubInternal`.

use super::{Salvage, Trouble, check_row};
use crate::bytes::{Cursor, DecodeError};
use crate::model::{DeletionTime, RowRef};
use crate::partitioner::Partitioner;
use crate::scrub::bytes::{Bytes, More};
use crate::scrub::event::LossKind;
use crate::scrub::guide::Guide;
use crate::scrub::ttl;
use crate::sstable::data::deletion::{read_deletion_time, write_deletion_time};
use crate::sstable::data::{Decoded, decode_key, decode_partition_start, peek_unfiltered};
use crate::{Error, Result};

/// What was found of a partition's head.
enum Head {
    Whole,
    /// All but the static row.
    WithoutStatic(Trouble),
    Nothing(Trouble),
}

impl Salvage<'_> {
    /// Whether a partition may have this key.
    pub(in crate::scrub) fn is_key(&self, key: &[u8]) -> bool {
        match self.inputs.partitioner {
            // Index tables have keys of no bytes, and of types that their headers do not tell.
            Partitioner::Local(_) => true,
            _ => !key.is_empty() && self.inputs.stream.key_type.validate(key).is_ok(),
        }
    }

    /// Whether a key does not follow the last one.
    pub(in crate::scrub) fn is_behind(&self, key: &[u8]) -> bool {
        let order = |last: &Vec<u8>| self.inputs.partitioner.compare_keys(last, key).is_ge();
        self.last_key.as_ref().is_some_and(order)
    }

    /// Goes to the next partition of which something can be read. `false` at the end.
    pub(super) fn begin(&mut self) -> Result<bool> {
        loop {
            let start = self.position;
            if start >= self.bytes.len() {
                self.lose_rest()?;
                return Ok(false);
            }
            (self.watch)(start)?;
            self.start = start;
            self.inside = false;
            self.limit = None;
            self.blocks = None;
            self.has_last = false;
            self.ranges.clear();
            let is_named = match &mut self.guide {
                Some(guide) => guide.enter(start, &mut self.findings),
                None => true,
            };
            let found = match self.read_head(start) {
                Head::Whole => self.begin_found(start, None, is_named)?,
                Head::WithoutStatic(trouble) => self.begin_found(start, Some(trouble), is_named)?,
                Head::Nothing(trouble) => self.begin_lost(start, trouble)?,
            };
            if found {
                self.begin_order();
                return Ok(true);
            }
        }
    }

    fn read_head(&mut self, start: u64) -> Head {
        let layout = &self.inputs.layout;
        let trouble = loop {
            let bytes = self.bytes.from(start);
            match decode_partition_start(bytes, layout, &mut self.static_row) {
                Ok((head, len)) => {
                    self.head.clear();
                    self.head.extend_from_slice(&bytes[..len]);
                    self.key.clear();
                    self.key.extend_from_slice(head.key);
                    self.deletion = head.deletion;
                    self.body = start + len as u64;
                    return Head::Whole;
                }
                Err(DecodeError::Eof) => match self.bytes.more(start) {
                    More::Yes => {}
                    More::End => break Trouble::Wrong(DecodeError::Eof.into()),
                    More::Bad(end, e) => break Trouble::Bad(end, e),
                },
                Err(e) => break Trouble::Wrong(e.into()),
            }
        };
        self.static_row.clear();
        let mut c = Cursor::new(self.bytes.from(start));
        let head = c.short_bytes().and_then(|key| {
            let deletion = read_deletion_time(&mut c, layout.uint_deletion_time())?;
            Ok((key, deletion))
        });
        match head {
            Ok((key, deletion)) if layout.has_statics() => {
                self.key.clear();
                self.key.extend_from_slice(key);
                self.deletion = deletion;
                self.body = start + c.position() as u64;
                Head::WithoutStatic(trouble)
            }
            _ => Head::Nothing(trouble),
        }
    }

    /// Begins a partition whose key could be read. `false` if it has no key that may be.
    fn begin_found(
        &mut self,
        start: u64,
        trouble: Option<Trouble>,
        is_named: bool,
    ) -> Result<bool> {
        if !is_named {
            self.distrust("it does not name a partition that is there", start);
        }
        let is_valid = self.is_key(&self.key);
        let decorated = self.inputs.partitioner.decorate(&self.key);
        if is_valid && let Some(guide) = &mut self.guide {
            if guide.present_fits(&decorated) {
                guide.prove();
            } else {
                self.settle_key(start);
            }
        } else if !is_valid {
            self.settle_key(start);
        }
        if !self.is_key(&self.key) {
            let (mut from, _, e) = match trouble {
                Some(trouble) => trouble.split(start),
                None => (
                    self.body,
                    true,
                    Error::corrupt("the key is none of its type"),
                ),
            };
            if let Head::Whole = self.read_head(start) {
                from = self.pass_rows(self.body);
            }
            self.position = self.next_partition_from(start, from);
            let key = Some(self.key.clone());
            self.lose_partition((start, self.position), key, e)?;
            return Ok(false);
        }
        self.take_limit();
        if let Err(e) = self.check_deletion() {
            self.deletion = DeletionTime::LIVE;
            let at = (start, start);
            self.lose_of_partition(LossKind::PartitionDeletion, at, (None, None), e)?;
        }
        self.at = self.body;
        self.inside = true;
        match trouble {
            None => self.check_static(start)?,
            Some(trouble) => {
                let cause = Error::corrupt("it cannot be read");
                let at = (self.body, self.body);
                self.lose_of_partition(LossKind::StaticRow, at, (None, None), cause)?;
                self.damaged(start, trouble)?;
            }
        }
        Ok(true)
    }

    /// Whether the deletion of the present partition may be, and can be written.
    fn check_deletion(&self) -> Result<()> {
        let at = self.deletion.marked_for_delete_at;
        if self.deletion.is_live() {
            return Ok(());
        }
        if let Some((smallest, largest)) = self.inputs.timestamps
            && self.inputs.options.validate
            && !(smallest..=largest).contains(&at)
        {
            let what = format!("a deletion at {at}, which is no time that Statistics.db tells of");
            return Err(Error::corrupt(what));
        }
        let uint = self.inputs.version.has_uint_deletion_time();
        write_deletion_time(&mut Vec::new(), self.deletion, uint)
    }

    /// Begins a partition whose head cannot be read, if the index tells its key and anything of it is left.
    fn begin_lost(&mut self, start: u64, trouble: Trouble) -> Result<bool> {
        let named = self.guide.as_ref().and_then(|guide| guide.present());
        let named = named.and_then(|entry| Some((entry.key?.to_vec(), entry.row_index)));
        let (from, is_readable, cause) = trouble.split(start);
        let key = named.as_ref().map(|(key, _)| key.clone());
        if let Some((key, row_index)) = named
            && self.is_key(&key)
            && self.is_likely(&key)
        {
            self.key = key;
            self.static_row.clear();
            self.head.clear();
            self.deletion = row_index.map_or(DeletionTime::LIVE, |i| i.partition_deletion());
            if let Some(guide) = &mut self.guide {
                guide.prove();
            }
            self.take_limit();
            if let Some(resumed) = self.resume(start, from, is_readable) {
                let none = (None, None);
                let at = (start, start);
                if row_index.is_none() && self.inputs.may_have_deletions {
                    let e = cause.clone();
                    self.lose_of_partition(LossKind::PartitionDeletion, at, none.clone(), e)?;
                }
                if self.inputs.layout.has_statics() {
                    self.lose_of_partition(LossKind::StaticRow, at, none, cause.clone())?;
                }
                let between = (None, resumed.first);
                let range = (start, resumed.at);
                self.lose_of_partition(LossKind::Rows, range, between, cause)?;
                self.ranges.resume(resumed.open);
                self.at = resumed.at;
                self.body = resumed.at;
                self.inside = true;
                return Ok(true);
            }
            if !self.deletion.is_live() {
                self.position = self.next_partition_from(start, from);
                let range = (start, self.position);
                self.lose_of_partition(LossKind::Rows, range, (None, None), cause)?;
                self.body = start;
                return Ok(true);
            }
        }
        self.position = self.next_partition_from(start, from);
        self.lose_partition((start, self.position), key, cause)?;
        Ok(false)
    }

    /// Whether the index is that of Data.db, as far as something beside it tells that it has this key.
    fn is_likely(&self, key: &[u8]) -> bool {
        if self.guide.as_ref().is_some_and(Guide::is_proved) {
            return true;
        }
        let inputs = &self.inputs;
        match (inputs.key_range, inputs.filter) {
            (Some((first, last)), _) if self.start == 0 => key == first || key == last,
            (_, Some(filter)) => filter.might_contain(inputs.partitioner.decorate(key).hash),
            _ => false,
        }
    }

    /// Chooses between the key in Data.db and another one that the index has.
    fn settle_key(&mut self, start: u64) {
        let Some(guide) = &self.guide else { return };
        let Some(other) = guide.present().and_then(|entry| entry.key) else {
            if self.is_key(&self.key) {
                self.distrust("the hash of a key is another", start);
            }
            return;
        };
        let other = other.to_vec();
        if other == self.key {
            return;
        }
        let is_known = |key: &[u8]| {
            let hash = self.inputs.partitioner.decorate(key).hash;
            self.inputs.filter.is_some_and(|f| f.might_contain(hash))
        };
        let takes_other = self.is_key(&other)
            && !self.has_checksums
            && (!self.is_key(&self.key) || (is_known(&other) && !is_known(&self.key)));
        let what = format!(
            "the partition at {start} of Data.db has another key there, 0x{}: {} is used",
            hex(&self.key),
            match takes_other {
                true => "that of the index",
                false => "that of Data.db",
            }
        );
        let e = Error::corrupt(what).in_partition(&other);
        self.findings.fault(guide.component(), e);
        if takes_other {
            self.key = other;
        }
    }

    /// What the index tells of the present partition.
    fn take_limit(&mut self) {
        let length = self.bytes.len();
        let Some(guide) = self.guide.as_mut().filter(|guide| guide.is_proved()) else {
            return;
        };
        let next = guide.next_position(length, &mut self.findings);
        // Positions that do not ascend tell nothing.
        self.limit = next.filter(|next| *next > self.start);
        self.blocks = guide.blocks();
    }

    fn check_static(&mut self, start: u64) -> Result<()> {
        if self.static_row.is_empty() {
            return Ok(());
        }
        if self.inputs.options.reinsert_overflowed_ttl {
            ttl::reinsert(&mut self.static_row);
        }
        let row = &mut self.static_row;
        match check_row(&self.inputs, &self.head, row, &mut self.totals) {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.reorder(start, None, true);
                Ok(())
            }
            Err(e) => {
                self.static_row.clear();
                let at = (start, self.body);
                self.lose_of_partition(LossKind::StaticRow, at, (None, None), e)
            }
        }
    }

    /// Whether the partition that was begun goes aside, for its key does not follow the last one.
    fn begin_order(&mut self) {
        let partitioner = self.inputs.partitioner;
        let next = self.guide.as_ref().and_then(|guide| guide.next_key());
        // One that the next one sorts before is the one in the wrong place, if that follows the last one.
        let is_ahead = next.is_some_and(|next| {
            self.is_key(next)
                && !self.is_behind(next)
                && partitioner.compare_keys(&self.key, next).is_gt()
        });
        self.is_aside = is_ahead || self.is_behind(&self.key);
        self.has_saved = !self.deletion.is_live() || !self.static_row.is_empty();
        self.saved_rows += u64::from(!self.static_row.is_empty());
        match self.is_aside {
            true => self.reorder(self.start, None, false),
            false => {
                let last = self.last_key.get_or_insert_default();
                last.clear();
                last.extend_from_slice(&self.key);
            }
        }
    }

    /// Reads the present partition to its end, and puts all of it aside.
    pub(super) fn put_aside(&mut self) -> Result<()> {
        if !self.deletion.is_live() {
            self.aside.add_partition(&self.key, self.deletion)?;
        }
        if !self.static_row.is_empty() {
            let row = RowRef::new(&self.head, &self.static_row);
            self.aside.add_row(&self.key, row)?;
        }
        while self.advance()? {}
        Ok(())
    }

    /// Partitions that the index names behind the end of Data.db.
    fn lose_rest(&mut self) -> Result<()> {
        let Some(mut guide) = self.guide.take() else {
            return Ok(());
        };
        let length = self.bytes.len();
        while let Some(entry) = guide.enter_next(length, &mut self.findings) {
            if guide.is_proved() {
                let at = entry.data_position.unwrap_or(length);
                let key = entry.key.map(<[u8]>::to_vec);
                let e = Error::corrupt("Data.db ends before it");
                self.lose_partition((at, at), key, e)?;
            }
        }
        Ok(())
    }

    /// Where the next partition starts behind one at `start` of which nothing, or nothing more, can be read; bytes before
    /// `from` need not be looked at.
    pub(super) fn next_partition_from(&mut self, start: u64, from: u64) -> u64 {
        if let Some(guide) = &mut self.guide {
            if let Some(entry) = guide.enter_next(start + 1, &mut self.findings) {
                return entry
                    .data_position
                    .unwrap_or(u64::MAX)
                    .min(self.bytes.len());
            }
            if guide.next_position(0, &mut self.findings).is_some() {
                return self.bytes.len();
            }
            self.guide = None;
        }
        self.search_partition(from)
    }

    /// The end of a partition whose rows are not wanted, as far as they can be read.
    fn pass_rows(&mut self, mut at: u64) -> u64 {
        loop {
            match peek_unfiltered(self.bytes.from(at), &self.inputs.layout, &mut self.spans) {
                Ok(peeked) if peeked.len > self.bytes.len() - at => return at,
                Ok(peeked) => {
                    at += peeked.len;
                    if peeked.decoded == Decoded::End {
                        return at;
                    }
                }
                Err(DecodeError::Eof) if matches!(self.bytes.more(at), More::Yes) => {}
                Err(_) => return at,
            }
        }
    }

    /// Whether the next partition of the index is where the index tells, without moving the window for good.
    pub(super) fn is_next_head(&mut self) -> bool {
        let Some(limit) = self.limit else {
            return false;
        };
        let mut there = Bytes::new(self.inputs.data, self.inputs.unchecked);
        if limit >= there.len() {
            return self
                .bytes
                .byte(limit.saturating_sub(1))
                .is_some_and(|b| b == 1);
        }
        while decode_key(there.from(limit)).is_err() {
            if !matches!(there.more(limit), More::Yes) {
                return false;
            }
        }
        let Ok(key) = decode_key(there.from(limit)) else {
            return false;
        };
        let decorated = self.inputs.partitioner.decorate(key);
        let guide = self.guide.as_ref();
        self.is_key(key) && guide.is_some_and(|g| g.next_fits(&decorated, self.inputs.partitioner))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(64).map(|b| format!("{b:02x}")).collect()
}
