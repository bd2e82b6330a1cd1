//! Segments made by hand, whole and damaged in every way.

use super::*;
use crate::bytes::Sink;
use crate::io::Source;
use crate::sstable::component::compression_info::Compressor;
use crate::{ErrorKind, Result};
use std::path::Path;

const ID: i64 = 0x1_8000_0000_0007;

fn descriptor(compression: Option<Compressor>) -> Vec<u8> {
    let version = LogVersion::V8;
    Descriptor {
        version,
        id: ID,
        compression,
    }
    .encode()
}

fn put_record(out: &mut Vec<u8>, mutation: &[u8]) {
    let size = (mutation.len() as u32).to_be_bytes();
    out.put(&size);
    out.put_u32(crc32fast::hash(&size));
    out.put(mutation);
    out.put_u32(crc32fast::hash(&[&size[..], mutation].concat()));
}

fn mutation(n: usize) -> Vec<u8> {
    vec![b'a' + n as u8; 20 + n]
}

/// A segment with these sections of mutations, and where its sections and the log end.
fn segment(sections: &[&[usize]]) -> (Vec<u8>, Vec<usize>) {
    let mut out = descriptor(None);
    let mut ends = vec![out.len()];
    for section in sections {
        let marker = out.len();
        out.put_u64(0);
        for &n in *section {
            put_record(&mut out, &mutation(n));
        }
        let end = out.len() as u32;
        let crc = marker_checksum(ID, marker as u32);
        out[marker..marker + 4].copy_from_slice(&end.to_be_bytes());
        out[marker + 4..marker + 8].copy_from_slice(&crc.to_be_bytes());
        ends.push(out.len());
    }
    out.extend([0; 300]);
    (out, ends)
}

/// The mutations that are read, and the damage that is passed over.
fn read(bytes: &[u8], is_last: bool, policy: ReplayPolicy) -> Result<(Vec<usize>, Vec<Damage>)> {
    let path = Path::new("CommitLog-8-422212465065991.log");
    assert_eq!(ID, 422_212_465_065_991);
    let source = Source::new(path, bytes.len() as u64, Box::new(bytes.to_vec()));
    let Some(mut segment) = SegmentReader::of_source(source, is_last, policy)? else {
        return Ok(Default::default());
    };
    let mut found = Vec::new();
    while segment.advance()? {
        let record = segment.record().unwrap();
        let n = record.mutation.len() - 20;
        assert_eq!(record.mutation, mutation(n));
        let end = i64::from(record.start) + record.mutation.len() as i64 + 12;
        assert_eq!(i64::from(record.position.position), end);
        found.push(n);
    }
    assert!(segment.record().is_none());
    Ok((found, segment.take_passed_over()))
}

fn good(bytes: &[u8]) -> Vec<usize> {
    let (found, damage) = read(bytes, false, ReplayPolicy::Stop).unwrap();
    assert!(damage.is_empty(), "{damage:?}");
    found
}

#[test]
fn sections_and_records() {
    assert_eq!(good(&segment(&[&[1, 2], &[3], &[], &[4]]).0), [1, 2, 3, 4]);
    assert_eq!(good(&segment(&[]).0), [0usize; 0]);
    let (bytes, ends) = segment(&[&[1, 2], &[3]]);
    // Without what follows the last section.
    assert_eq!(good(&bytes[..ends[2]]), [1, 2, 3]);
    assert_eq!(good(&bytes[..ends[2] + 5]), [1, 2, 3]);
    // Longer than what is fetched at once.
    let many: Vec<usize> = (0..100).cycle().take(10_000).collect();
    assert_eq!(
        good(&segment(&[&many, &many]).0),
        [&many[..], &many].concat()
    );
}

#[test]
fn a_section_that_reaches_to_the_end_of_the_file() {
    // As this library, and Cassandra at the end of a full segment, write them.
    let (mut bytes, ends) = segment(&[&[1], &[2, 3]]);
    let len = (bytes.len() as u32).to_be_bytes();
    bytes[ends[1]..ends[1] + 4].copy_from_slice(&len);
    assert_eq!(good(&bytes), [1, 2, 3]);
}

#[test]
fn compressed_sections() {
    for compressor in [Compressor::Lz4, Compressor::Noop, Compressor::Zstd] {
        let mut out = descriptor(Some(compressor));
        let mut expected = Vec::new();
        let mut logical = out.len();
        for section in [&[1usize, 2][..], &[3]] {
            let mut plain = Vec::new();
            for &n in section {
                put_record(&mut plain, &mutation(n));
                logical += if expected.is_empty() || n == 3 { 8 } else { 0 };
                logical += 32 + n;
                expected.push((n, logical as i32));
            }
            let stored = match compressor {
                Compressor::Lz4 => lz4_flex::block::compress_prepend_size(&plain),
                Compressor::Zstd => zstd::bulk::compress(&plain, 1).unwrap(),
                _ => plain.clone(),
            };
            let marker = out.len();
            out.put_u32((marker + 12 + stored.len()) as u32);
            out.put_u32(marker_checksum(ID, marker as u32));
            out.put_u32(plain.len() as u32);
            out.put(&stored);
        }
        let source =
            |bytes: Vec<u8>| Source::new(Path::new("x"), bytes.len() as u64, Box::new(bytes));
        let open = |bytes, last| SegmentReader::of_source(source(bytes), last, ReplayPolicy::Stop);
        let mut segment = open(out.clone(), false).unwrap().unwrap();
        let mut found = Vec::new();
        while segment.advance().unwrap() {
            let record = segment.record().unwrap();
            found.push((record.mutation.len() - 20, record.position.position));
        }
        assert_eq!(found, expected);
        // The second section is cut.
        let cut = out[..out.len() - 5].to_vec();
        let mut segment = open(cut.clone(), true).unwrap().unwrap();
        let mut count = 0;
        while segment.advance().unwrap() {
            count += 1;
        }
        assert_eq!(count, 2);
        let mut segment = open(cut, false).unwrap().unwrap();
        assert!(segment.advance().unwrap() && segment.advance().unwrap());
        assert_eq!(segment.advance().unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(!segment.advance().unwrap());
    }
}

/// Where damage lies, and what each policy reads: `None` if it is an error.
fn check(bytes: &[u8], stop: Option<&[usize]>, last: Option<&[usize]>, ignore: &[usize]) {
    let tolerated = |is_last, policy| read(bytes, is_last, policy).ok().map(|(found, _)| found);
    let owned = |found: Option<&[usize]>| found.map(<[usize]>::to_vec);
    assert_eq!(tolerated(true, ReplayPolicy::Stop), owned(stop));
    assert_eq!(tolerated(true, ReplayPolicy::TolerateLast), owned(last));
    assert_eq!(tolerated(false, ReplayPolicy::TolerateLast), None);
    assert_eq!(tolerated(false, ReplayPolicy::Stop), None);
    let (found, damage) = read(bytes, false, ReplayPolicy::Ignore).unwrap();
    assert_eq!((&*found, damage.is_empty()), (ignore, false));
}

/// The marker of the next section is written first.
#[test]
fn a_section_ends_where_another_one_begins() {
    let (mut bytes, ends) = segment(&[&[0, 1], &[2], &[3]]);
    let all = bytes.len() as u32;
    for end in &ends[..3] {
        bytes[*end..*end + 4].copy_from_slice(&all.to_be_bytes());
    }
    assert_eq!(good(&bytes), [0, 1, 2, 3]);
}

#[test]
fn a_marker_that_was_being_written_is_the_end() {
    let (bytes, ends) = segment(&[&[0, 1], &[2]]);
    for (i, left) in [(0, &[][..]), (1, &[0, 1])] {
        let mut bytes = bytes.clone();
        bytes[ends[i]..ends[i] + 4].fill(0);
        bytes[ends[i] + 8..].fill(0);
        let (found, damage) = read(&bytes, true, ReplayPolicy::Stop).unwrap();
        assert_eq!(found, left);
        assert!(matches!(&*damage, [one] if one.is_torn_end), "{damage:?}");
    }
}

#[test]
fn a_torn_end_is_tolerated_and_a_damaged_middle_is_not() {
    let (bytes, ends) = segment(&[&[1, 2], &[3, 4]]);
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x40;
        bytes
    };
    let first = ends[0] + 8;
    let (third, fourth) = (ends[1] + 8, ends[1] + 8 + 35);
    // The last record: its mutation, its checksum, its size.
    for at in [fourth + 9, ends[2] - 1, fourth + 2, fourth + 5] {
        check(&flipped(at), Some(&[1, 2, 3]), Some(&[1, 2, 3]), &[1, 2, 3]);
    }
    // The one before it, which is not the end as a good one follows.
    check(&flipped(third + 9), None, Some(&[1, 2, 4]), &[1, 2, 4]);
    check(&flipped(third + 2), None, Some(&[1, 2]), &[1, 2]);
    // A section that another one follows.
    check(&flipped(first + 9), None, Some(&[2, 3, 4]), &[2, 3, 4]);
    check(&flipped(first + 5), None, Some(&[3, 4]), &[3, 4]);
    // Markers.
    check(&flipped(ends[1] + 6), None, Some(&[1, 2]), &[1, 2]);
    check(&flipped(ends[0] + 6), None, Some(&[]), &[]);
    let mut zeros = bytes.clone();
    zeros[first..first + 33].fill(0);
    check(&zeros, None, Some(&[3, 4]), &[3, 4]);
}

#[test]
fn a_cut_segment() {
    let (bytes, ends) = segment(&[&[1, 2], &[3, 4]]);
    for cut in ends[1] + 8..ends[2] {
        let whole = (cut >= ends[1] + 8 + 35).then_some(3);
        let found: Vec<usize> = [1, 2].into_iter().chain(whole).collect();
        check(&bytes[..cut], Some(&found), Some(&found), &found);
    }
    for cut in 0..ends[0] {
        let cut = &bytes[..cut];
        let (stop, last) = match cut.iter().all(|&b| b == 0) {
            true => (Some(&[][..]), Some(&[][..])),
            false => (None, Some(&[][..])),
        };
        let told = |is_last, policy| read(cut, is_last, policy).ok().map(|(found, _)| found);
        assert_eq!(told(true, ReplayPolicy::Stop).as_deref(), stop);
        assert_eq!(told(true, ReplayPolicy::TolerateLast).as_deref(), last);
        assert_eq!(told(false, ReplayPolicy::Stop), None);
    }
}

#[test]
fn places_of_damage() {
    let (mut bytes, ends) = segment(&[&[1, 2], &[3]]);
    let at = ends[0] + 8 + 33;
    bytes[at + 12] ^= 1;
    let e = read(&bytes, true, ReplayPolicy::Stop).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corrupt);
    assert_eq!(e.location().offset, Some(at as u64));
    assert!(e.location().file.is_some());
}

#[test]
fn a_segment_under_another_name() {
    let (bytes, _) = segment(&[&[1]]);
    let open = |name: &str, policy| {
        let source = Source::new(Path::new(name), bytes.len() as u64, Box::new(bytes.clone()));
        SegmentReader::of_source(source, true, policy)
    };
    let e = open("CommitLog-8-7.log", ReplayPolicy::Stop).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corrupt);
    assert!(
        open("CommitLog-8-7.log", ReplayPolicy::Ignore)
            .unwrap()
            .is_some()
    );
    let e = open("CommitLog-9-422212465065991.log", ReplayPolicy::Ignore).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unsupported);
}

#[test]
fn unused_segments_at_the_end_do_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let write = |id: i64, bytes: &[u8]| {
        std::fs::write(
            directory.path().join(format!("CommitLog-8-{id}.log")),
            bytes,
        )
        .unwrap();
    };
    let (mut torn, ends) = segment(&[&[1, 2]]);
    torn[ends[1] - 1] ^= 1;
    write(ID, &torn);
    let mut unused = Descriptor {
        version: LogVersion::V8,
        id: ID + 1,
        compression: None,
    }
    .encode();
    unused.extend([0; 100]);
    write(ID + 1, &unused);
    write(ID + 2, &[0; 500]);
    std::fs::write(directory.path().join("other.txt"), b"x").unwrap();
    let paths = segments(directory.path()).unwrap();
    assert_eq!(paths.len(), 3);
    let mut log = LogReader::open(paths, ReplayPolicy::Stop).unwrap();
    assert!(log.advance().unwrap());
    assert_eq!(log.record().unwrap().1.mutation, mutation(1));
    assert!(!log.advance().unwrap());
    let damage = log.take_passed_over();
    assert!(matches!(&*damage, [one] if one.is_torn_end));
}
