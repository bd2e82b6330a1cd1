//! The end of a file that is being written, divided into pages: no node of a trie crosses from one into the next.
//!
//! Authority: `o.a.c.io.util.PageAware`.

use crate::Result;

/// Length of a page in bytes; pages are aligned to the start of the file.
pub const PAGE_BYTES: u32 = 4096;

/// So many bytes are collected before they are handed on.
const SPILL_BYTES: usize = 1 << 16;

/// Bytes that were not yet handed on, and where they lie in the file.
#[derive(Debug, Default)]
pub struct Pages {
    start: u64,
    /// What is appended here lies at [`position`](Self::position).
    pub bytes: Vec<u8>,
}

impl Pages {
    /// Length of the file so far.
    #[inline(always)]
    pub fn position(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Count of bytes left in the page, a whole page's at its start.
    #[inline(always)]
    pub fn left_in_page(&self) -> u32 {
        PAGE_BYTES - (self.position() % u64::from(PAGE_BYTES)) as u32
    }

    /// Appends zeros up to the next page, none at the start of one.
    pub fn pad_to_page(&mut self) {
        let zeros = self.left_in_page() % PAGE_BYTES;
        self.bytes.resize(self.bytes.len() + zeros as usize, 0);
    }

    /// Hands the bytes on once they are many.
    ///
    /// # Errors
    /// Those of `take`.
    #[inline(always)]
    pub fn spill(&mut self, take: impl FnOnce(&[u8]) -> Result<()>) -> Result<()> {
        match self.bytes.len() {
            0..SPILL_BYTES => Ok(()),
            _ => self.flush(take),
        }
    }

    /// Hands all bytes on.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn flush(&mut self, take: impl FnOnce(&[u8]) -> Result<()>) -> Result<()> {
        take(&self.bytes)?;
        self.start = self.position();
        self.bytes.clear();
        Ok(())
    }
}
