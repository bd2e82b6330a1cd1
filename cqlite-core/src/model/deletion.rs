//! When data was written, when it dies, and what kills it.

/// Write timestamp of nothing: smaller than any real one.
pub const NO_TIMESTAMP: i64 = i64::MIN;

/// Local deletion time of data that never expires.
pub const NO_DELETION_TIME: i64 = i64::MAX;

/// TTL that marks row liveness as expired from the start: a view's tombstone of its primary key.
pub const EXPIRED_LIVENESS_TTL: i32 = i32::MAX;

/// A deletion of everything written at or before a timestamp. Authority: `o.a.c.db.DeletionTime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletionTime {
    /// Data with a timestamp (microseconds by convention) up to and including this is deleted.
    pub marked_for_delete_at: i64,
    /// When the deletion was made, in seconds since 1970: gc_grace counts from here. [`NO_DELETION_TIME`] if live.
    pub local_deletion_time: i64,
}

impl DeletionTime {
    /// Deletes nothing.
    pub const LIVE: DeletionTime = DeletionTime {
        marked_for_delete_at: NO_TIMESTAMP,
        local_deletion_time: NO_DELETION_TIME,
    };

    /// Whether it deletes nothing.
    #[inline]
    pub fn is_live(&self) -> bool {
        *self == Self::LIVE
    }

    /// Whether data written at `timestamp` is deleted.
    #[inline]
    pub fn deletes(&self, timestamp: i64) -> bool {
        timestamp <= self.marked_for_delete_at
    }

    /// Whether it wins over `other`: a later timestamp, or the same one and a later local time.
    #[inline]
    pub fn supersedes(&self, other: &DeletionTime) -> bool {
        (self.marked_for_delete_at, self.local_deletion_time)
            > (other.marked_for_delete_at, other.local_deletion_time)
    }

    /// The one of the two that wins.
    #[inline]
    pub fn max(self, other: DeletionTime) -> DeletionTime {
        if other.supersedes(&self) { other } else { self }
    }
}

/// The liveness of a row's primary key. Authority: `o.a.c.db.LivenessInfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LivenessInfo {
    /// Write timestamp; [`NO_TIMESTAMP`] when the row has no liveness of its own.
    pub timestamp: i64,
    /// Time to live in seconds; 0 when it does not expire.
    pub ttl: i32,
    /// Instant of expiration in seconds since 1970, [`NO_DELETION_TIME`] when it does not expire.
    pub local_expiration_time: i64,
}

impl LivenessInfo {
    /// No liveness: the row lives only through its cells.
    pub const EMPTY: LivenessInfo = LivenessInfo {
        timestamp: NO_TIMESTAMP,
        ttl: 0,
        local_expiration_time: NO_DELETION_TIME,
    };

    /// Whether the row has no liveness of its own.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.timestamp == NO_TIMESTAMP
    }

    /// Whether it has a TTL.
    #[inline]
    pub fn is_expiring(&self) -> bool {
        self.ttl != 0
    }

    /// Whether it keeps the row alive at `now` (seconds since 1970).
    #[inline]
    pub fn is_live(&self, now: i64) -> bool {
        !self.is_empty()
            && (self.ttl == 0
                || (self.ttl != EXPIRED_LIVENESS_TTL && now < self.local_expiration_time))
    }
}

/// The deletion of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowDeletion {
    /// When, and what it deletes; live if the row is not deleted.
    pub time: DeletionTime,
    /// A view's deletion that newer row liveness undoes.
    pub shadowable: bool,
}

impl RowDeletion {
    /// No deletion.
    pub const LIVE: RowDeletion = RowDeletion {
        time: DeletionTime::LIVE,
        shadowable: false,
    };
}
