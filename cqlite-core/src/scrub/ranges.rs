//! The range tombstones of a partition of which parts may be missing: what is shown in order, and what is put aside.
//!
//! Authority: `o.a.c.db.rows.RangeTombstoneMarker`. A marker that opens a range is shown once something follows it, so that
//! a range of which nothing else is known is not widened by ending it.

use crate::model::{Bound, BoundKind, DeletionTime, MarkerBuf, MarkerRef, Slice, Span};
use std::collections::VecDeque;

/// A range of rows and what deletes them.
pub(super) type Range = (Slice, DeletionTime);

/// The range that is open.
#[derive(Debug, Default)]
enum Open {
    #[default]
    Nothing,
    /// One whose start was shown.
    Shown(DeletionTime),
    /// One that is put aside, if there is one.
    Aside {
        /// Where it starts, or what is known of it does.
        from: Option<Bound>,
        /// `None` if nothing tells whether there is one.
        deletion: Option<DeletionTime>,
        is_out_of_order: bool,
    },
}

/// A marker with its own bytes.
#[derive(Debug)]
struct Made {
    bytes: Vec<u8>,
    marker: MarkerBuf,
}

impl Made {
    fn new(bound: &Bound, kind: BoundKind, close: DeletionTime, open: DeletionTime) -> Self {
        let mut bytes = Vec::new();
        let mut values = Vec::new();
        for value in &bound.values {
            values.push(Span::append(&mut bytes, value.as_deref()));
        }
        let marker = MarkerBuf {
            kind,
            values,
            close,
            open,
            ..MarkerBuf::default()
        };
        Made { bytes, marker }
    }
}

/// What comes of a marker.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// It will be shown.
    pub is_shown: bool,
    /// A range that is to be put aside.
    pub aside: Option<Range>,
    /// That range stood out of order.
    pub is_out_of_order: bool,
    /// Why something of a range is lost.
    pub fault: Option<&'static str>,
}

/// What comes of an end of all that is known.
#[derive(Debug, Default)]
pub(super) struct Cut {
    /// A range was open, and what is lost of it is not known.
    pub is_open: bool,
    /// A range that is to be put aside.
    pub aside: Option<Range>,
}

/// The range tombstones of the present partition.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    open: Open,
    /// A start, or a boundary, that nothing followed yet.
    pending: Option<Made>,
    /// What is to be shown.
    queue: VecDeque<Made>,
    shown: Option<Made>,
    /// The last row while a range is put aside.
    met: Option<Bound>,
}

impl Ranges {
    /// Begins a partition.
    pub fn clear(&mut self) {
        self.open = Open::Nothing;
        self.pending = None;
        self.queue.clear();
        self.met = None;
    }

    /// Goes to the next marker that is to be shown, if there is one.
    #[inline]
    pub fn show(&mut self) -> bool {
        if self.queue.is_empty() {
            return false;
        }
        self.shown = self.queue.pop_front();
        true
    }

    /// The marker it stands on.
    pub fn shown(&self) -> MarkerRef<'_> {
        static NOTHING: MarkerBuf = MarkerBuf::EMPTY;
        match &self.shown {
            Some(made) => MarkerRef::new(&made.bytes, &made.marker),
            None => MarkerRef::new(&[], &NOTHING),
        }
    }

    /// Something that is shown follows.
    #[inline]
    pub fn release(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.queue.push_back(pending);
        }
    }

    /// Whether [`meet`](Self::meet) wants to know of rows.
    #[inline]
    pub fn is_aside(&self) -> bool {
        matches!(self.open, Open::Aside { .. })
    }

    /// A row is there, while a range is put aside.
    pub fn meet(&mut self, row: &Bound) {
        if let Open::Aside { from, .. } = &mut self.open {
            from.get_or_insert_with(|| Bound {
                kind: BoundKind::InclStart,
                values: row.values.clone(),
            });
            self.met = Some(row.clone());
        }
    }

    /// Begins anew behind something that could not be read; `open` is what is deleted there, if that is known.
    pub fn resume(&mut self, open: Option<DeletionTime>) {
        self.met = None;
        self.open = match open {
            Some(deletion) if deletion.is_live() => Open::Nothing,
            deletion => Open::Aside {
                from: None,
                deletion,
                is_out_of_order: false,
            },
        };
    }

    /// Takes a marker at `bound` that ends `close` and starts `open`; `in_order` says whether it follows what was shown,
    /// the last row of which is `last`.
    pub fn take(
        &mut self,
        bound: &Bound,
        (close, open): (DeletionTime, DeletionTime),
        in_order: bool,
        last: Option<&Bound>,
    ) -> Taken {
        let mut taken = Taken::default();
        let mut ends_shown = false;
        if bound.kind.is_end() {
            match std::mem::take(&mut self.open) {
                Open::Shown(deletion) if deletion == close && in_order => ends_shown = true,
                Open::Shown(deletion) => {
                    self.end_shown(deletion, last);
                    taken.fault = Some(match in_order {
                        true => {
                            "a range tombstone ends with another deletion than it starts with: it ends at the last row before"
                        }
                        false => {
                            "a range tombstone ends out of order: it ends at the last row before"
                        }
                    });
                }
                Open::Aside {
                    from: Some(start),
                    is_out_of_order,
                    ..
                } => {
                    let end = Bound {
                        kind: end_of(bound.kind),
                        values: bound.values.clone(),
                    };
                    taken.aside = Some((Slice { start, end }, close));
                    taken.is_out_of_order = is_out_of_order;
                }
                // Of what it ends nothing is left.
                Open::Aside { from: None, .. } => {}
                Open::Nothing => {
                    taken.fault = Some("a range tombstone ends where none is open");
                }
            }
        } else {
            match std::mem::take(&mut self.open) {
                Open::Shown(deletion) => {
                    self.end_shown(deletion, last);
                    taken.fault = Some(
                        "a range tombstone starts where one is open, which ends at the last row before",
                    );
                }
                Open::Aside {
                    deletion: Some(_), ..
                } => taken.fault = Some("a range tombstone starts where one is open"),
                _ => {}
            }
        }
        let starts = bound.kind.is_start() && !open.is_live();
        if bound.kind.is_start() && !starts {
            taken
                .fault
                .get_or_insert("a range tombstone that deletes nothing");
        }
        match (ends_shown, starts && in_order) {
            (true, true) => {
                self.release();
                self.pending = Some(Made::new(bound, bound.kind, close, open));
            }
            (false, true) => {
                self.release();
                let kind = start_of(bound.kind);
                self.pending = Some(Made::new(bound, kind, DeletionTime::LIVE, open));
            }
            (true, false) => {
                self.release();
                let kind = end_of(bound.kind);
                self.queue
                    .push_back(Made::new(bound, kind, close, DeletionTime::LIVE));
            }
            (false, false) => {}
        }
        taken.is_shown = ends_shown || (starts && in_order);
        if starts {
            self.met = None;
            self.open = match in_order {
                true => Open::Shown(open),
                false => Open::Aside {
                    from: Some(Bound {
                        kind: start_of(bound.kind),
                        values: bound.values.clone(),
                    }),
                    deletion: Some(open),
                    is_out_of_order: true,
                },
            };
        }
        taken
    }

    /// Ends what is open: nothing is known of what follows. `last` is the last row or marker that was shown.
    pub fn cut(&mut self, last: Option<&Bound>) -> Cut {
        match std::mem::take(&mut self.open) {
            Open::Nothing => Cut::default(),
            Open::Shown(deletion) => {
                self.end_shown(deletion, last);
                Cut {
                    is_open: true,
                    aside: None,
                }
            }
            Open::Aside { from, deletion, .. } => {
                let known = from.zip(self.met.take()).zip(deletion);
                Cut {
                    is_open: deletion.is_some(),
                    aside: known.map(|((start, met), deletion)| {
                        let end = Bound {
                            kind: BoundKind::InclEnd,
                            values: met.values,
                        };
                        (Slice { start, end }, deletion)
                    }),
                }
            }
        }
    }

    /// Ends the range whose start was shown at the last row, or takes the start back if nothing followed it.
    fn end_shown(&mut self, deletion: DeletionTime, last: Option<&Bound>) {
        let live = DeletionTime::LIVE;
        match (self.pending.take(), last) {
            (Some(pending), Some(last)) if pending.marker.kind.is_end() => {
                let kind = end_of(pending.marker.kind);
                let made = Made::new(last, kind, pending.marker.close, live);
                self.queue.push_back(made);
            }
            (None, Some(last)) => {
                let made = Made::new(last, BoundKind::InclEnd, deletion, live);
                self.queue.push_back(made);
            }
            _ => {}
        }
    }
}

/// The end that a marker of this kind has.
fn end_of(kind: BoundKind) -> BoundKind {
    match kind {
        BoundKind::ExclEndInclStart => BoundKind::ExclEnd,
        BoundKind::InclEndExclStart => BoundKind::InclEnd,
        kind => kind,
    }
}

/// The start that a marker of this kind has.
fn start_of(kind: BoundKind) -> BoundKind {
    match kind {
        BoundKind::ExclEndInclStart => BoundKind::InclStart,
        BoundKind::InclEndExclStart => BoundKind::ExclStart,
        kind => kind,
    }
}
