//! All segments of a log, from the oldest on.
//!
//! Authority: `o.a.c.db.commitlog.{CommitLogReader,CommitLogReplayer}`.

use super::{
    Damage, Descriptor, MutationReader, Position, Record, ReplayPolicy, SegmentReader, TableId,
    Update,
};
use crate::{Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

/// The segments in a directory, by ascending ids.
///
/// # Errors
/// `NotFound` and `Io`.
pub fn segments(directory: &Path) -> Result<Vec<PathBuf>> {
    let io = |e| Error::io(directory, e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        if let Some((_, id)) = name.to_str().and_then(Descriptor::parse_name) {
            found.push((id, entry.path()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Reads the records of a log.
#[derive(Debug)]
pub struct LogReader {
    /// Segments that are not read yet.
    paths: VecDeque<PathBuf>,
    policy: ReplayPolicy,
    segment: Option<SegmentReader>,
    passed_over: Vec<Damage>,
}

impl LogReader {
    /// A reader of these segments, by ascending ids. Segments at the end in which nothing was written yet do not count: the
    /// one before them is the last.
    ///
    /// # Errors
    /// Those of [`SegmentReader::open`].
    pub fn open(segments: Vec<PathBuf>, policy: ReplayPolicy) -> Result<Self> {
        let mut paths = VecDeque::from(segments);
        while let Some(last) = paths.back()
            && SegmentReader::open(last, true, policy)?.is_none_or(|mut s| s.is_unused())
        {
            paths.pop_back();
        }
        Ok(LogReader {
            paths,
            policy,
            segment: None,
            passed_over: Vec::new(),
        })
    }

    /// Advances to the next record; `false` at the end. After an error there is nothing more.
    ///
    /// # Errors
    /// Those of [`SegmentReader::open`] and [`SegmentReader::advance`].
    pub fn advance(&mut self) -> Result<bool> {
        loop {
            if let Some(segment) = &mut self.segment {
                let advanced = segment.advance();
                self.passed_over.append(&mut segment.take_passed_over());
                match advanced {
                    Ok(true) => return Ok(true),
                    Ok(false) => {}
                    Err(e) => {
                        self.paths.clear();
                        return Err(e);
                    }
                }
            }
            let Some(path) = self.paths.pop_front() else {
                self.segment = None;
                return Ok(false);
            };
            let is_last = self.paths.is_empty();
            self.segment = SegmentReader::open(&path, is_last, self.policy)?;
        }
    }

    /// The segment and the record that it stands on. `None` unless [`advance`](Self::advance) just returned true.
    pub fn record(&self) -> Option<(&SegmentReader, Record<'_>)> {
        let segment = self.segment.as_ref()?;
        Some((segment, segment.record()?))
    }

    /// Damage that was passed over since this was called last.
    pub fn take_passed_over(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.passed_over)
    }
}

/// What a replay met.
#[derive(Debug, Clone, Default)]
pub struct Replayed {
    /// Mutations, those of unknown tables included.
    pub mutations: u64,
    /// Updates of tables that nobody knows, which were passed over.
    pub unknown: BTreeMap<TableId, u64>,
    /// Where the last record ends.
    pub end: Option<Position>,
    /// Damage that was passed over.
    pub passed_over: Vec<Damage>,
}

/// Visits every update of these segments, with the end of its record. `segments` are by ascending ids, as
/// [`segments`](fn@segments) has them.
///
/// # Errors
/// `Corrupt` for damage that the policy does not pass over, with file and offset; `Unsupported` for segments that cannot be read;
/// `InvalidInput` for updates that do not fit their schema; `Io`; those of `visit`.
pub fn replay(
    segments: Vec<PathBuf>,
    policy: ReplayPolicy,
    mutations: &mut MutationReader<'_>,
    mut visit: impl FnMut(Position, Update<'_, '_>) -> Result<()>,
) -> Result<Replayed> {
    let mut log = LogReader::open(segments, policy)?;
    let mut replayed = Replayed::default();
    while log.advance()? {
        let Some((segment, record)) = log.record() else {
            break;
        };
        replayed.mutations += 1;
        replayed.end = Some(record.position);
        let unknown = &mut replayed.unknown;
        let version = segment.descriptor().version;
        mutations
            .each_update(version, record.mutation, |update| {
                if let Update::Unknown { table, .. } = update {
                    *unknown.entry(table).or_default() += 1;
                    return Ok(());
                }
                visit(record.position, update)
            })
            .map_err(|e| record.place(e, segment.path()))?;
    }
    replayed.passed_over = log.take_passed_over();
    Ok(replayed)
}
