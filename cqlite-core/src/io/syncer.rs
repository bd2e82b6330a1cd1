//! Has the disk take a file while more of it is written, so that little is left to wait for at its end.

use std::fs::File;
use std::io::Result;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Bytes that are written between two syncs.
const STEP_BYTES: u64 = 16 << 20;

/// Syncs a file in a thread of its own, which starts when there is much to sync.
#[derive(Debug, Default)]
pub(super) struct Syncer {
    /// Bytes of the file when the last sync was asked for.
    asked: u64,
    thread: Option<Box<Thread>>,
}

#[derive(Debug)]
struct Thread {
    ask: SyncSender<()>,
    handle: JoinHandle<Result<()>>,
}

impl Syncer {
    /// So many bytes of `file` were written.
    #[inline]
    pub fn written(&mut self, file: &File, bytes: u64) {
        if bytes - self.asked >= STEP_BYTES {
            self.asked = bytes;
            self.ask(file);
        }
    }

    #[cold]
    fn ask(&mut self, file: &File) {
        if self.thread.is_none() {
            // Without one all is synced at the end.
            self.thread = Thread::start(file).ok().map(Box::new);
        }
        if let Some(thread) = &self.thread {
            // One that waits already will sync this, too; and where the thread has failed, the end tells.
            let _ = thread.ask.try_send(());
        }
    }

    /// Waits for the thread. What is written, and not synced yet, is left to the caller.
    ///
    /// # Errors
    /// Of a sync: the system tells it once, so that a later one may well succeed.
    pub fn finish(&mut self) -> Result<()> {
        match self.end() {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }

    /// What became of the thread, if there was one.
    fn end(&mut self) -> Option<std::thread::Result<Result<()>>> {
        let Thread { ask, handle } = *self.thread.take()?;
        drop(ask);
        Some(handle.join())
    }
}

impl Drop for Syncer {
    /// The file is closed when this returns.
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl Thread {
    fn start(file: &File) -> Result<Thread> {
        let file = file.try_clone()?;
        let (ask, asked) = sync_channel(1);
        let handle = std::thread::Builder::new()
            .name("cqlite-sync".into())
            .spawn(move || asked.iter().try_for_each(|()| file.sync_data()))?;
        Ok(Thread { ask, handle })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn files_are_synced_while_they_grow_and_whoever_waits_is_told() {
        let mut file = tempfile::tempfile().unwrap();
        let mut syncer = Syncer::default();
        syncer.written(&file, STEP_BYTES - 1);
        assert!(syncer.thread.is_none());
        for step in 1..4 {
            file.write_all(&[1; 1000]).unwrap();
            syncer.written(&file, step * STEP_BYTES);
            assert!(syncer.thread.is_some());
        }
        syncer.finish().unwrap();
        syncer.finish().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_sync_that_fails_is_an_error_at_the_end() {
        // What cannot be synced at all: a pipe.
        let (_reader, writer) = std::io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let mut syncer = Syncer::default();
        syncer.written(&file, STEP_BYTES);
        assert!(syncer.finish().is_err());
        syncer.finish().unwrap();
    }
}
