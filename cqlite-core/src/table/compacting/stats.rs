//! What flushes and compactions of a table came to.

/// What was flushed and compacted since the table was opened, and what is there now. Bytes are those of Data.db.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CompactionStats {
    /// SSTables that were written out of memory.
    pub flushes: u64,
    /// Their bytes.
    pub flushed_bytes: u64,
    /// Compactions that came to their end.
    pub compactions: u64,
    /// Bytes that compactions read, those of ones that failed included.
    pub read_bytes: u64,
    /// Bytes of SSTables that compactions made.
    pub written_bytes: u64,
    /// SSTables that went without having been read, for all their data had died.
    pub expired_sstables: u64,
    /// SSTables that are live.
    pub live_sstables: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Moving average of the bytes of a flushed SSTable; 0 before the first.
    pub flush_average: f64,
}

impl CompactionStats {
    /// Bytes written for each byte that was flushed; 1 without any.
    pub fn write_amplification(&self) -> f64 {
        match self.flushed_bytes {
            0 => 1.0,
            flushed => (flushed + self.written_bytes) as f64 / flushed as f64,
        }
    }

    pub(super) fn add_flush(&mut self, bytes: u64) {
        /// Older values have less than 1 % effect after 1000 (`ExpMovingAverage.decayBy1000`).
        const ALPHA: f64 = 0.0046;
        let bytes_ = bytes as f64;
        match self.flushes {
            0 => self.flush_average = bytes_,
            _ => self.flush_average += ALPHA * (bytes_ - self.flush_average),
        }
        self.flushes += 1;
        self.flushed_bytes += bytes;
    }
}
