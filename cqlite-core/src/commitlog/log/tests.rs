//! What is appended is read, from whichever thread it came and wherever the process ended.

use super::*;
use crate::commitlog::SegmentReader;
use crate::commitlog::{LogReader, MutationReader, ReplayPolicy};
use crate::io::Source;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SMALL: LogOptions = LogOptions {
    segment_bytes: 8192,
    total_bytes: 1 << 20,
    sync: SyncMode::None,
};

fn table(n: u8) -> TableId {
    [n; 16]
}

/// Something that looks like a mutation of one table.
fn mutation(table_number: u8, text: &str) -> Vec<u8> {
    [&[1][..], &table(table_number), text.as_bytes()].concat()
}

fn text(mutation: &[u8]) -> String {
    String::from_utf8(mutation[17..].to_vec()).unwrap()
}

/// What the log holds: where each record ends, and its text.
fn read(directory: &Path) -> Vec<(Position, String)> {
    let mut log = LogReader::open(segments(directory).unwrap(), ReplayPolicy::Stop).unwrap();
    let mut found = Vec::new();
    while log.advance().unwrap() {
        let (_, record) = log.record().unwrap();
        found.push((record.position, text(record.mutation)));
    }
    assert!(log.take_passed_over().is_empty());
    found
}

#[test]
fn what_is_appended_is_read_also_while_it_is_written() {
    for sync in [
        SyncMode::None,
        SyncMode::Group,
        SyncMode::Batch(Duration::from_millis(1)),
        SyncMode::Periodic(Duration::from_millis(2)),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let log = CommitLog::open(directory.path(), LogOptions { sync, ..SMALL }).unwrap();
        let mut expected = Vec::new();
        for n in 0..600 {
            let text = format!("{n:0width$}", width = 1 + n % 90);
            let position = log.append(&mutation(1, &text)).unwrap();
            if n % 50 == 0 {
                log.wait(position).unwrap();
            }
            if n % 77 == 0 {
                log.sync().unwrap();
                log.sync().unwrap();
            }
            expected.push((position, text));
        }
        assert!(expected.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(read(directory.path()), expected);
        assert!(log.bytes() > 4 * 8192);
        let end = log.position();
        drop(log);
        assert_eq!(read(directory.path()), expected);
        // Another log goes on behind it.
        let log = CommitLog::open(directory.path(), LogOptions { sync, ..SMALL }).unwrap();
        assert!(log.position() > end);
        let last = log.append(&mutation(1, "last")).unwrap();
        expected.push((last, "last".to_owned()));
        assert_eq!(read(directory.path()), expected);
        log.discard_older().unwrap();
        assert_eq!(read(directory.path()), expected[600..]);
    }
}

/// Readers meet sections that end, and segments that begin, while they read.
#[test]
fn a_log_is_read_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let options = LogOptions {
        segment_bytes: 1 << 16,
        ..SMALL
    };
    let log = CommitLog::open(directory.path(), options).unwrap();
    let count = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..6000 {
                log.append(&mutation(1, &format!("{n:06}"))).unwrap();
                count.store(n + 1, Ordering::Release);
                if n % 3 == 0 {
                    log.sync().unwrap();
                }
            }
        });
        while count.load(Ordering::Acquire) < 6000 {
            let known = count.load(Ordering::Acquire);
            let found = read(directory.path());
            assert!(found.len() >= known);
            let mut numbers = (0..).map(|n| format!("{n:06}"));
            assert!(
                found
                    .iter()
                    .all(|(_, text)| Some(text) == numbers.next().as_ref())
            );
        }
    });
    assert_eq!(read(directory.path()).len(), 6000);
}

#[test]
fn threads_share_syncs() {
    let directory = tempfile::tempdir().unwrap();
    let options = LogOptions {
        sync: SyncMode::Group,
        ..SMALL
    };
    let log = CommitLog::open(directory.path(), options).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let log = &log;
            scope.spawn(move || {
                for n in 0..100 {
                    let position = log.append(&mutation(thread, &format!("{thread} {n:03}")));
                    log.wait(position.unwrap()).unwrap();
                }
            });
        }
    });
    let mut of_thread: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, text) in read(directory.path()) {
        let (thread, n) = text.split_once(' ').unwrap();
        of_thread
            .entry(thread.to_owned())
            .or_default()
            .push(n.to_owned());
    }
    let all: Vec<String> = (0..100).map(|n| format!("{n:03}")).collect();
    assert_eq!(of_thread.len(), 8);
    assert!(of_thread.values().all(|found| *found == all));
}

#[test]
fn what_is_too_long_or_no_mutation_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = CommitLog::open(directory.path(), SMALL).unwrap();
    let most = 4096 - RECORD_OVERHEAD as usize - 17;
    log.append(&mutation(1, &"x".repeat(most))).unwrap();
    let two = mutation(1, &"x".repeat(2100));
    for refused in [
        log.append(&mutation(1, &"x".repeat(most + 1))),
        log.append(&[2; 40]),
        log.append(&[1; 12]),
        log.append_all(&[&two, &two]),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(read(directory.path()).len(), 1);
    for (segment_bytes, total_bytes) in [(100, 1 << 20), (8192, 9000), (u32::MAX, u64::MAX)] {
        let options = LogOptions {
            segment_bytes,
            total_bytes,
            ..SMALL
        };
        let e = CommitLog::open(directory.path(), options).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidInput);
    }
    let e = CommitLog::open(&directory.path().join("none"), SMALL).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotFound);
}

/// Whatever was stored of a batch when the process ended, all of it or none is read.
#[test]
fn a_batch_is_there_as_a_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let log = CommitLog::open(directory.path(), SMALL).unwrap();
    log.append(&mutation(1, "before")).unwrap();
    let start = log.position();
    let batch = [mutation(1, "one"), mutation(2, "two"), mutation(1, "three")];
    let batch: Vec<&[u8]> = batch.iter().map(|m| &**m).collect();
    let end = log.append_all(&batch).unwrap();
    let path = segments(directory.path()).unwrap().remove(0);
    let whole = std::fs::read(&path).unwrap();
    let texts = |bytes: Vec<u8>| {
        let source = Source::new(&path, bytes.len() as u64, Box::new(bytes));
        let segment = SegmentReader::of_source(source, true, ReplayPolicy::Stop);
        let mut segment = segment.unwrap().unwrap();
        let mut texts = Vec::new();
        while segment.advance().unwrap() {
            texts.push(text(segment.record().unwrap().mutation));
        }
        assert!(segment.take_passed_over().is_empty());
        texts
    };
    assert_eq!(texts(whole.clone()), ["before", "one", "two", "three"]);
    let (start, end) = (start.position as usize, end.position as usize);
    // Stores come in their order, the size of the first record last.
    for stored in start + 4..=end {
        let mut bytes = whole.clone();
        bytes[stored..end].fill(0);
        bytes[start..start + 4].fill(0);
        assert_eq!(texts(bytes), ["before"]);
    }
}

#[test]
fn segments_go_once_all_in_them_is_flushed() {
    let directory = tempfile::tempdir().unwrap();
    let log = CommitLog::open(directory.path(), SMALL).unwrap();
    let filler = "x".repeat(500);
    let mut last = [log.position(); 2];
    for n in 0..100u8 {
        let table = n % 2;
        last[table as usize] = log.append(&mutation(table, &filler)).unwrap();
    }
    let count = || read(directory.path()).len();
    assert_eq!(count(), 100);
    log.mark_flushed(table(0), last[0]).unwrap();
    assert_eq!(count(), 100);
    let middle = Position {
        segment: last[1].segment - 2,
        position: i32::MAX,
    };
    log.mark_flushed(table(1), middle).unwrap();
    let left = read(directory.path());
    assert!(left.len() < 60 && left.iter().all(|(p, _)| p.segment > middle.segment));
    log.mark_flushed(table(1), last[1]).unwrap();
    // The present segment stays.
    let left = read(directory.path());
    assert!(left.iter().all(|(p, _)| p.segment == last[1].segment));
}

#[test]
fn a_full_log_waits_for_flushes() {
    let directory = tempfile::tempdir().unwrap();
    let options = LogOptions {
        total_bytes: 5 * 8192,
        ..SMALL
    };
    let filler = "x".repeat(500);
    let log = CommitLog::open(directory.path(), options).unwrap();
    let e = loop {
        match log.append(&mutation(1, &filler)) {
            Ok(_) => {}
            Err(e) => break e,
        }
    };
    assert_eq!(e.kind(), ErrorKind::InvalidInput);
    assert!(log.bytes() <= 5 * 8192);
    drop(log);
    for path in segments(directory.path()).unwrap() {
        std::fs::remove_file(path).unwrap();
    }

    let log = Arc::new(CommitLog::open(directory.path(), options).unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let (ask, asks) = std::sync::mpsc::channel();
    let counted = asked.clone();
    log.on_pressure(Box::new(move |tables, up_to| {
        counted.fetch_add(1, Ordering::Relaxed);
        ask.send((tables.to_vec(), up_to)).unwrap();
    }));
    let most = Arc::new(AtomicU64::new(0));
    let flusher = {
        let (log, most) = (Arc::downgrade(&log), most.clone());
        std::thread::spawn(move || {
            while let Ok((tables, up_to)) = asks.recv() {
                std::thread::sleep(Duration::from_millis(2));
                let Some(log) = log.upgrade() else { return };
                most.fetch_max(log.bytes(), Ordering::Relaxed);
                for table in tables {
                    log.mark_flushed(table, up_to).unwrap();
                }
            }
        })
    };
    for n in 0..500u16 {
        log.append(&mutation((n % 3) as u8, &filler)).unwrap();
    }
    assert!(asked.load(Ordering::Relaxed) > 10);
    assert!(most.load(Ordering::Relaxed) <= 5 * 8192);
    drop(log);
    flusher.join().unwrap();
}

#[test]
fn a_directory_that_is_gone_is_an_error_and_no_hang() {
    let directory = tempfile::tempdir().unwrap();
    let log = CommitLog::open(directory.path(), SMALL).unwrap();
    directory.close().unwrap();
    let filler = "x".repeat(500);
    let e = loop {
        match log.append(&mutation(1, &filler)) {
            Ok(_) => {}
            Err(e) => break e,
        }
    };
    assert!(matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Io));
}

#[test]
fn unknown_tables_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let log = CommitLog::open(directory.path(), SMALL).unwrap();
    log.append(&mutation(3, "something")).unwrap();
    let mut reader = MutationReader::new(|_| None);
    let paths = segments(directory.path()).unwrap();
    let replayed = crate::commitlog::replay(paths, ReplayPolicy::Stop, &mut reader, |_, _| {
        unreachable!("no table is known")
    });
    assert_eq!(replayed.unwrap().unknown, BTreeMap::from([(table(3), 1)]));
}
