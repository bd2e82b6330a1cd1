//! Chunks written beside the rows that the next ones are made of.

use super::{ChunkWriter, Chunks, ended};
use crate::Result;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Buffers of gathered bytes that are written while the next one is filled.
const SPARE_BUFFERS: usize = 2;

/// A thread that writes chunks while the next ones are made.
pub(super) struct Worker {
    /// Takes whole chunks; `None` when nothing more comes.
    full: Option<Sender<Vec<u8>>>,
    /// Gives the memory back.
    empty: Receiver<Emptied>,
    /// Memory that was given back and is not in use.
    spare: Vec<Vec<u8>>,
    /// Length of Data.db when memory was last given back.
    pub on_disk: u64,
    /// Uncompressed bytes that were sent since.
    pub on_its_way: u64,
    thread: Option<JoinHandle<Result<Box<ChunkWriter>>>>,
}

/// What comes back of bytes that were written.
struct Emptied {
    /// Their memory, empty.
    bytes: Vec<u8>,
    /// How many they were.
    count: u64,
    /// Length of Data.db with them.
    on_disk: u64,
}

impl Worker {
    /// Without a thread to be had the work stays here.
    pub fn start(writer: Box<ChunkWriter>) -> Chunks {
        let (full, to_write) = channel::<Vec<u8>>();
        let (written, empty) = channel();
        let on_disk = writer.out.position();
        let shared = Arc::new(Mutex::new(Some(writer)));
        let taken = shared.clone();
        #[cfg(test)]
        let room = crate::io::faults::room();
        let thread = std::thread::Builder::new()
            .name("cqlite-chunks".into())
            .spawn(move || {
                #[cfg(test)]
                crate::io::faults::share(room);
                let writer = taken.lock().ok().and_then(|mut writer| writer.take());
                let mut writer = writer.ok_or_else(ended)?;
                for mut bytes in to_write {
                    writer.write(&bytes)?;
                    let count = bytes.len() as u64;
                    bytes.clear();
                    // Nobody waits for the last ones.
                    let _ = written.send(Emptied {
                        bytes,
                        count,
                        on_disk: writer.out.position(),
                    });
                }
                Ok(writer)
            });
        match thread {
            Ok(thread) => Chunks::Beside(Worker {
                full: Some(full),
                empty,
                spare: vec![Vec::new(); SPARE_BUFFERS],
                on_disk,
                on_its_way: 0,
                thread: Some(thread),
            }),
            Err(_) => match shared.lock().ok().and_then(|mut writer| writer.take()) {
                Some(writer) => Chunks::Here(writer),
                None => Chunks::Failed,
            },
        }
    }

    /// Waits for memory that is free; `None` when the thread has failed.
    pub fn empty(&mut self) -> Option<Vec<u8>> {
        if self.spare.is_empty() {
            self.receive()?;
        }
        self.spare.pop()
    }

    /// Waits until all that was sent is written; `false` when the thread has failed.
    pub fn wait(&mut self) -> bool {
        while self.on_its_way > 0 {
            if self.receive().is_none() {
                return false;
            }
        }
        true
    }

    fn receive(&mut self) -> Option<()> {
        let emptied = self.empty.recv().ok()?;
        self.spare.push(emptied.bytes);
        self.on_disk = emptied.on_disk;
        self.on_its_way -= emptied.count;
        Some(())
    }

    pub fn send(&mut self, bytes: Vec<u8>) {
        self.on_its_way += bytes.len() as u64;
        if let Some(full) = &self.full {
            // Where that fails, the next wait for memory tells.
            let _ = full.send(bytes);
        }
    }

    pub fn end(&mut self) -> Result<Box<ChunkWriter>> {
        self.full = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(ended()),
        }
    }
}

impl Drop for Worker {
    /// Files are closed before they are deleted.
    fn drop(&mut self) {
        self.full = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
