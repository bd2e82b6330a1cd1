//! Compactions of a table: what its strategy chooses, what somebody asks for, and what came of them.
//!
//! Authority: `o.a.c.db.compaction.{CompactionManager,CompactionStrategyManager,CompactionTask}`.
//!
//! Repaired SSTables, unrepaired ones, and those of each repair that is going on have a strategy each: they are never
//! compacted together.

mod snapshot;
mod stats;

pub(super) use snapshot::Known;
pub use stats::CompactionStats;

use self::snapshot::{Group, Snapshot, share_outside};
use super::{Live, Table, View, lock};
use crate::compaction::strategy::{
    Candidate, Choice, Shards, Situation, Strategy, StrategyOptions,
};
use crate::compaction::{
    Compacted, Compaction, CompactionParams, CompressionChange, Destination, Overlaps, Split,
    Watch, gc_before_of, min_timestamp_in_memory,
};
use crate::merge::purge::Purgeable;
use crate::metrics::{Count, Operation};
use crate::partitioner::Partitioner;
use crate::schema::TableSchema;
use crate::sstable::{OpenOptions, SSTable, SSTableId, Transaction, WriteOptions, Written};
use crate::{Error, ErrorKind, Result};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

/// What a table does of itself.
#[derive(Debug)]
pub enum InBackground {
    /// There is nothing to do.
    Nothing,
    /// A compaction came to its end: there may be more.
    Done(Compacted),
    /// Somebody else needed the table.
    Interrupted,
}

/// How far a compaction has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Rows and markers that were merged.
    pub rows: u64,
    /// Bytes that were read of the files.
    pub bytes_read: u64,
}

/// Who compacts.
#[derive(Debug)]
pub(super) struct Compacting {
    /// `None` if the schema's options cannot be read: then nothing is done that nobody asks for.
    params: Option<CompactionParams>,
    alone: Mutex<()>,
    /// Held shared by who compacts in the background, alone by who replaces SSTables that nobody else may.
    running: RwLock<()>,
    /// Who waits for compactions to end, which they do then.
    waiting: AtomicUsize,
    plan: Mutex<Plan>,
    pub stats: Arc<Mutex<CompactionStats>>,
}

#[derive(Debug, Default)]
struct Plan {
    strategies: BTreeMap<Group, Strategy>,
    busy: BTreeSet<SSTableId>,
    /// Not to be tried again, for they cannot be read.
    suspect: BTreeSet<SSTableId>,
    /// Compactions at one time: when that was, and what they made. Their tombstones cannot go before it is later.
    fresh: (i64, BTreeSet<SSTableId>),
}

/// Nobody else compacts.
pub(super) struct Alone<'a> {
    _alone: MutexGuard<'a, ()>,
    _running: RwLockWriteGuard<'a, ()>,
}

impl Compacting {
    pub fn new(schema: &TableSchema, stats: Arc<Mutex<CompactionStats>>) -> Self {
        Compacting {
            params: CompactionParams::of_table(schema).ok(),
            alone: Mutex::new(()),
            running: RwLock::new(()),
            waiting: AtomicUsize::new(0),
            plan: Mutex::default(),
            stats,
        }
    }

    /// Ends what runs in the background, and with `at_once` also what somebody asked for, and keeps others from beginning.
    pub fn alone(&self, at_once: bool) -> Alone<'_> {
        let announce = || self.waiting.fetch_add(1, Ordering::SeqCst);
        if at_once {
            announce();
        }
        let alone = lock(&self.alone);
        if !at_once {
            announce();
        }
        let running = self.running.write().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        Alone {
            _alone: alone,
            _running: running,
        }
    }

    /// Counts a flush, of so many bytes.
    pub fn add_flush(&self, bytes: u64) {
        self.stats().add_flush(bytes);
    }

    /// Where SSTables of flushes are split.
    ///
    /// Authority: `o.a.c.db.compaction.UnifiedCompactionStrategy.createSSTableMultiWriter`.
    pub fn split_of_flushes(&self) -> Split {
        let strategy = self.params.as_ref().map(|params| &params.strategy);
        match strategy {
            Some(StrategyOptions::Unified(options)) => {
                let density = self.stats().flush_average;
                Split::ByShard(Shards::new(options.shard_count(density)))
            }
            _ => Split::Never,
        }
    }

    fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stats(&self) -> MutexGuard<'_, CompactionStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A choice, and the SSTables themselves.
struct Planned {
    group: Group,
    choice: Choice,
    inputs: Vec<Arc<Live>>,
    removed: Vec<Candidate>,
}

impl Planned {
    fn new(snapshot: &Snapshot, group: Group, choice: Choice) -> Self {
        let inputs = choice.inputs.iter();
        Planned {
            group,
            inputs: inputs
                .clone()
                .map(|i| snapshot.view.live[*i].clone())
                .collect(),
            removed: inputs.map(|i| snapshot.candidates[*i].clone()).collect(),
            choice,
        }
    }
}

/// Makes SSTables busy until it is dropped.
struct Busy<'a> {
    compacting: &'a Compacting,
    ids: Vec<SSTableId>,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut plan = self.compacting.plan();
        self.ids.iter().for_each(|id| _ = plan.busy.remove(id));
    }
}

impl Table {
    /// What was flushed and compacted.
    pub fn compaction_stats(&self) -> CompactionStats {
        let view = self.view();
        let live = view.live.iter();
        CompactionStats {
            live_sstables: view.live.len() as u64,
            live_bytes: live.map(|live| live.sstable.data().source().len()).sum(),
            ..*self.compacting.stats()
        }
    }

    /// Whether somebody waits for compactions to end.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.compacting.is_waited_for()
    }

    /// Compacts what the table's strategy would have compacted next, if there is something, at `now` (seconds since 1970).
    /// `begin` is called when there is; others may look for more from then on. `watch` sees how far it has come; an error of
    /// its ends it.
    ///
    /// # Errors
    /// Those of [`Compaction::run`], and of `watch`; the SSTables stay as they were. SSTables that are corrupt are not tried
    /// again.
    pub fn compact_in_background(
        &self,
        now: i64,
        begin: impl FnOnce(),
        watch: &mut dyn FnMut(Progress) -> Result<()>,
    ) -> Result<InBackground> {
        let running = self.compacting.running.read();
        let _running = running.unwrap_or_else(PoisonError::into_inner);
        let is_enabled = self
            .compacting
            .params
            .as_ref()
            .is_some_and(|p| p.is_enabled);
        if !is_enabled || self.is_retired() {
            return Ok(InBackground::Nothing);
        }
        let Some((planned, _busy)) = self.plan_next(now) else {
            return Ok(InBackground::Nothing);
        };
        begin();
        match self.run_planned(&planned, now, None, watch) {
            Ok(Some(compacted)) => Ok(InBackground::Done(compacted)),
            Ok(None) => Ok(InBackground::Interrupted),
            Err(e) => {
                if e.kind() == ErrorKind::Corrupt {
                    let ids = planned.removed.iter().map(|candidate| candidate.id.clone());
                    self.compacting.plan().suspect.extend(ids);
                }
                Err(e)
            }
        }
    }

    fn plan_next(&self, now: i64) -> Option<(Planned, Busy<'_>)> {
        let mut plan = self.compacting.plan();
        let gc_before = gc_before_of(&self.schema, now);
        let snapshot = Snapshot::new(self.view(), &plan, now, gc_before);
        for group in snapshot.groups.keys() {
            let strategies = &mut plan.strategies;
            let choice = self.with_strategy(
                strategies,
                &snapshot,
                *group,
                (now, gc_before),
                |strategy, situation| strategy.next(situation),
            );
            if let Some(choice) = choice {
                let planned = Planned::new(&snapshot, *group, choice);
                let ids: Vec<SSTableId> = planned.removed.iter().map(|c| c.id.clone()).collect();
                plan.busy.extend(ids.iter().cloned());
                let compacting = &self.compacting;
                return Some((planned, Busy { compacting, ids }));
            }
        }
        None
    }

    fn with_strategy<T>(
        &self,
        strategies: &mut BTreeMap<Group, Strategy>,
        snapshot: &Snapshot,
        group: Group,
        (now, gc_before): (i64, i64),
        ask: impl FnOnce(&mut Strategy, &Situation<'_>) -> T,
    ) -> T {
        let members = snapshot.groups.get(&group).map_or(&[][..], |m| m);
        let share_outside = |i: usize, ranges: &[(i64, i64)]| {
            let live = snapshot.view.live.get(i)?;
            share_outside(&live.sstable, ranges).ok().flatten()
        };
        let stats = *self.compacting.stats();
        let situation = Situation {
            live: &snapshot.candidates,
            members,
            is_repaired: group.is_repaired,
            now,
            gc_before,
            min_timestamp_in_memory: min_timestamp_in_memory(&snapshot.view.memtables),
            flush_bytes: match stats.flushes {
                0 => f64::NAN,
                _ => stats.flush_average,
            },
            has_numeric_tokens: snapshot.has_numeric_tokens,
            share_outside: &share_outside,
        };
        let default = CompactionParams::default();
        let params = self.compacting.params.as_ref().unwrap_or(&default);
        let strategy = strategies
            .entry(group)
            .or_insert_with(|| Strategy::new(params, &snapshot.candidates, members, now));
        ask(strategy, &situation)
    }

    /// Compacts all that there is, as the table's strategy does: into one SSTable, into levels filled from the first on, into
    /// one for each window of time, or for each shard of what overlaps. Purges what is older than the table's gc_grace, or than
    /// `gc_before` (seconds since 1970), and hides nothing that is in memory. `now` is in seconds since 1970. What compacts in
    /// the background is interrupted.
    ///
    /// # Errors
    /// Those of [`Compaction::run`]; `InvalidInput` if the table is altered or dropped meanwhile. Each of these compactions is
    /// done whole, or not at all.
    pub fn compact(
        &self,
        now: i64,
        gc_before: Option<i64>,
        watch: &mut Watch<'_>,
    ) -> Result<Compacted> {
        let _alone = self.compacting.alone(false);
        self.check_present()?;
        let before = gc_before.unwrap_or_else(|| gc_before_of(&self.schema, now));
        let planned: Vec<Planned> = {
            let mut plan = self.compacting.plan();
            // Who asks wants all of it.
            plan.suspect.clear();
            let snapshot = Snapshot::new(self.view(), &plan, now, before);
            let mut planned = Vec::new();
            for group in snapshot.groups.keys() {
                let strategies = &mut plan.strategies;
                let choices = self.with_strategy(
                    strategies,
                    &snapshot,
                    *group,
                    (now, before),
                    Strategy::major,
                );
                let choices = choices.into_iter();
                planned.extend(choices.map(|choice| Planned::new(&snapshot, *group, choice)));
            }
            planned
        };
        self.run_all(&planned, now, gc_before, watch)
    }

    /// Compacts SSTables that are named, all into one unless the table's strategy splits them.
    ///
    /// # Errors
    /// As of [`compact`](Self::compact); `NotFound` for one that is not live; `InvalidInput` for SSTables of which some are
    /// repaired, or take part in a repair, and others not.
    pub fn compact_sstables(
        &self,
        ids: &[SSTableId],
        now: i64,
        watch: &mut Watch<'_>,
    ) -> Result<Compacted> {
        let _alone = self.compacting.alone(false);
        self.check_present()?;
        let before = gc_before_of(&self.schema, now);
        let planned = {
            let mut plan = self.compacting.plan();
            let snapshot = Snapshot::new(self.view(), &plan, now, before);
            let mut inputs = BTreeSet::new();
            for id in ids {
                let found = snapshot.candidates.iter().position(|c| c.id == *id);
                inputs.insert(found.ok_or_else(|| {
                    Error::not_found(format!("the SSTable {id} is none of the table's"))
                        .in_file(&self.directory)
                })?);
            }
            let of = |group: &&Group| snapshot.groups[*group].iter().any(|i| inputs.contains(i));
            let groups: Vec<Group> = snapshot.groups.keys().filter(of).copied().collect();
            let group = match *groups {
                [] => return self.run_all(&[], now, None, watch),
                [group] => group,
                _ => {
                    return Err(Error::invalid(
                        "SSTables that are repaired, or take part in a repair, cannot be merged with others",
                    ));
                }
            };
            let inputs = inputs.into_iter().collect();
            let strategies = &mut plan.strategies;
            let choice = self.with_strategy(
                strategies,
                &snapshot,
                group,
                (now, before),
                |s, situation| s.user_defined(situation, inputs),
            );
            Planned::new(&snapshot, group, choice)
        };
        self.run_all(&[planned], now, None, watch)
    }

    fn run_all(
        &self,
        planned: &[Planned],
        now: i64,
        gc_before: Option<i64>,
        watch: &mut Watch<'_>,
    ) -> Result<Compacted> {
        let mut all = Compacted {
            written: Vec::new(),
            expired: 0,
        };
        for planned in planned {
            let mut watch = |progress: Progress| watch(progress.rows);
            let Some(one) = self.run_planned(planned, now, gc_before, &mut watch)? else {
                return Err(Error::invalid(format!(
                    "{} was to be altered, truncated or dropped while it was compacted",
                    self.schema.full_name()
                )));
            };
            all.written.extend(one.written);
            all.expired += one.expired;
        }
        Ok(all)
    }

    /// `None` if somebody could not wait for its end.
    fn run_planned(
        &self,
        planned: &Planned,
        now: i64,
        gc_before: Option<i64>,
        watch: &mut dyn FnMut(Progress) -> Result<()>,
    ) -> Result<Option<Compacted>> {
        let old = &planned.inputs;
        let others = |view: &View| -> Vec<Arc<SSTable>> {
            let is_other = |live: &&Arc<Live>| !old.iter().any(|old| Arc::ptr_eq(old, live));
            let others = view.live.iter().filter(is_other);
            others.map(|live| live.sstable.clone()).collect()
        };
        let view = self.view();
        // Files of one's own: past the cache, and with counters of their own.
        let open = OpenOptions {
            cache: None,
            keys: None,
            ..self.storage.open.clone()
        };
        let inputs = old.iter().map(|live| live.sstable.descriptor().clone());
        let inputs = inputs.map(|descriptor| SSTable::open_descriptor(descriptor, &open));
        let version = self.storage.version;
        let compression = WriteOptions::of_table(&self.schema)?.compression;
        let destination = Destination {
            directory: &self.directory,
            version,
            compression: match compression {
                Some(options) => CompressionChange::As(options),
                None => CompressionChange::Without,
            },
            chunk_length: None,
            split: planned.choice.split,
            operation: "compaction",
            one_thread: true,
        };
        let mut compaction = Compaction {
            schema: (*self.schema).clone(),
            inputs: inputs.collect::<Result<_>>()?,
            others: others(&view),
            memtables: view.memtables.clone(),
            now,
            gc_before,
            level: planned.choice.level,
            ignores_overlaps: planned.choice.ignores_overlaps,
            host: self.storage.host,
        };
        let living = compaction.living()?;
        // It may take long: what is elsewhere is looked at as it is by then, and nothing is kept that others let go.
        compaction.others.clear();
        compaction.memtables.clear();
        drop(view);
        let elsewhere: RefCell<Option<(Arc<View>, Overlaps)>> = RefCell::default();
        let purgeable = |partitioner: &Partitioner, key: &[u8]| {
            let view = self.view();
            let mut known = elsewhere.borrow_mut();
            match &*known {
                Some((of, _)) if Arc::ptr_eq(of, &view) => {}
                _ => *known = Some((view.clone(), Overlaps::new(&others(&view))?)),
            }
            match &*known {
                Some((_, overlaps)) => overlaps.purgeable_with(&view.memtables, partitioner, key),
                None => Ok(Purgeable::Nothing),
            }
        };
        let bytes_read = || {
            let inputs = compaction.inputs.iter();
            inputs.map(|input| input.data().source().bytes_read()).sum()
        };
        let mut is_interrupted = false;
        let mut watch = |rows: u64| {
            let present = self.view();
            elsewhere
                .borrow_mut()
                .take_if(|(view, _)| !Arc::ptr_eq(view, &present));
            drop(present);
            watch(Progress {
                rows,
                bytes_read: bytes_read(),
            })?;
            is_interrupted = self.compacting.is_waited_for();
            match is_interrupted {
                true => Err(Error::invalid("the compaction was interrupted")),
                false => Ok(()),
            }
        };
        let sstables = old.len();
        let span = tracing::info_span!("compaction", table = %self.schema.full_name(), sstables);
        let _span = span.enter();
        let began = self.storage.metrics.begin(Operation::Compaction);
        let mut transaction = Transaction::begin(&self.directory, version, "compaction")?;
        let compacted = compaction.merge(
            &living,
            &purgeable,
            &mut transaction,
            &destination,
            &mut watch,
        );
        self.compacting.stats().read_bytes += bytes_read();
        let metrics = &self.storage.metrics;
        metrics.count(Count::CompactionReadBytes, bytes_read());
        let compacted = match compacted {
            Err(_) if is_interrupted => return Ok(None),
            compacted => compacted?,
        };
        drop(elsewhere);
        let new = self.replace(transaction, old, &compacted.written)?;
        metrics.count(Count::CompactionWrittenBytes, on_disk(&compacted.written));
        metrics.end(Operation::Compaction, began);
        self.note(planned, now, &compacted, &new);
        Ok(Some(compacted))
    }

    /// Counts a compaction, and tells the strategy.
    fn note(&self, planned: &Planned, now: i64, compacted: &Compacted, new: &[Arc<Live>]) {
        let mut stats = self.compacting.stats();
        stats.compactions += 1;
        stats.written_bytes += on_disk(&compacted.written);
        stats.expired_sstables += compacted.expired as u64;
        drop(stats);
        let known = new.iter();
        let known = known.map(|live| live.known.get_or_init(|| Known::of(&live.sstable)));
        let added: Vec<Candidate> = known.map(|known| known.candidate.clone()).collect();
        let mut plan = self.compacting.plan();
        if plan.fresh.0 != now {
            plan.fresh = (now, BTreeSet::new());
        }
        let ids = added.iter().map(|candidate| candidate.id.clone());
        plan.fresh.1.extend(ids);
        if let Some(strategy) = plan.strategies.get_mut(&planned.group) {
            strategy.replaced(&planned.removed, &added);
        }
    }
}

pub(super) fn on_disk(written: &[Written]) -> u64 {
    written.iter().map(|written| written.on_disk).sum()
}
