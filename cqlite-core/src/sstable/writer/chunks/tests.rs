//! What is written is what was given, whoever writes it; and a disk that fills up is told.

use super::*;
use crate::io::{Mapped, Source};
use crate::sstable::component::compression_info::{CompressionInfo, Compressor};
use crate::sstable::data::{Buffer, DataFile, Scratch};
use crate::sstable::{SSTableId, Version};
use std::path::Path;

fn descriptor(directory: &Path) -> Descriptor {
    Descriptor {
        directory: directory.to_owned(),
        version: Version::parse("oa", "big").unwrap(),
        id: SSTableId::Sequence(1),
    }
}

/// Bytes of which a part can be compressed.
fn stream(n: usize) -> Vec<u8> {
    let mut state = 1u64;
    let random = |i: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        if (i / 3000).is_multiple_of(3) {
            (state >> 56) as u8
        } else {
            (i / 700) as u8
        }
    };
    (0..n).map(random).collect()
}

fn write(directory: &Path, bytes: &[u8], options: Option<&CompressionOptions>) -> DataSizes {
    let mut sink = DataSink::create(&descriptor(directory), options, false).unwrap();
    for piece in bytes.chunks(777) {
        sink.buffer().extend_from_slice(piece);
        sink.settle().unwrap();
    }
    assert_eq!(sink.position(), bytes.len() as u64);
    sink.finish().unwrap()
}

fn read(directory: &Path, compressed: bool) -> Vec<u8> {
    let d = descriptor(directory);
    let source = Source::open(&d.path(&Component::Data)).unwrap();
    let file = if compressed {
        let info = Mapped::open(&d.path(&Component::CompressionInfo)).unwrap();
        DataFile::compressed(source, CompressionInfo::parse(info, d.version).unwrap())
    } else {
        let crc = Mapped::open(&d.path(&Component::Crc)).unwrap();
        DataFile::plain(source, Some(crc)).unwrap()
    };
    let mut out = Buffer::default();
    let count = file.chunk_count();
    file.read_chunks(0, count, &mut out, &mut Scratch::default())
        .unwrap();
    out.bytes().to_vec()
}

#[test]
fn what_is_written_is_read() {
    for compressor in [
        None,
        Some(Compressor::Lz4),
        Some(Compressor::Snappy),
        Some(Compressor::Deflate),
        Some(Compressor::Zstd),
        Some(Compressor::Noop),
    ] {
        // Less than a chunk, whole chunks exactly, and many.
        for (n, ratio) in [
            (1, 0.0),
            (4096, 1.5),
            (65_536, 1.0),
            (131_072, 0.0),
            (300_001, 1.5),
            // By a thread of its own.
            (ALONE_BYTES as usize * 2 + 77, 1.5),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let options = compressor.map(|compressor| {
                CompressionOptions {
                    compressor,
                    chunk_length: 4096,
                    ..Default::default()
                }
                .with_min_compress_ratio(ratio)
            });
            let bytes = stream(n);
            let sizes = write(dir.path(), &bytes, options.as_ref());
            assert_eq!(sizes.uncompressed, n as u64);
            assert!(read(dir.path(), options.is_some()) == bytes);
            let d = descriptor(dir.path());
            let data = std::fs::read(d.path(&Component::Data)).unwrap();
            assert_eq!(sizes.on_disk, data.len() as u64);
            let digest = std::fs::read_to_string(d.path(&Component::Digest)).unwrap();
            assert_eq!(digest, crc32fast::hash(&data).to_string());
            if options.is_none() {
                assert_eq!(sizes.compression_ratio, None);
                let crc = std::fs::metadata(d.path(&Component::Crc)).unwrap();
                assert_eq!(crc.len(), 4 + 4 * n.div_ceil(65_536) as u64);
            }
        }
    }
}

#[test]
fn high_compression_is_denser() {
    let words = ["partition", "clustering", "row", "cell", "marker"];
    let words = (0..60_000_usize).map(|i| words[(i * i / 7 + i / 3) % words.len()]);
    let bytes = words.collect::<Vec<_>>().join(" ").into_bytes();
    let on_disk = |options: &[(&str, &str)]| {
        let options = options.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        let options = CompressionOptions {
            options: options.collect(),
            ..Default::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let sizes = write(dir.path(), &bytes, Some(&options));
        assert!(read(dir.path(), true) == bytes);
        sizes.on_disk
    };
    let high = ("lz4_compressor_type", "high");
    let fast = on_disk(&[("lz4_high_compressor_level", "17")]);
    let lengths = [
        on_disk(&[high, ("lz4_high_compressor_level", "17")]),
        on_disk(&[high]),
        on_disk(&[high, ("lz4_high_compressor_level", "9")]),
    ];
    assert!(
        lengths[0] <= lengths[1] && lengths[1] < fast,
        "{lengths:?} {fast}"
    );
    assert_eq!(lengths[1], lengths[2]);
}

#[test]
fn a_disk_that_fills_up_beside_is_told_and_files_are_closed() {
    let options = CompressionOptions::default();
    for room in [0, 1 << 20, 3 << 20] {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = DataSink::create(&descriptor(dir.path()), Some(&options), false).unwrap();
        // Nothing of it can be compressed.
        let random: Vec<u8> = (0..8_u64 << 20)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_pow(3) >> 56) as u8)
            .collect();
        crate::io::faults::set_room(Some(room));
        let mut result = Ok(());
        for piece in random.chunks(5000) {
            sink.buffer().extend_from_slice(piece);
            result = sink.settle();
            if result.is_err() {
                break;
            }
        }
        let e = result.and_then(|()| sink.finish().map(drop)).unwrap_err();
        crate::io::faults::set_room(None);
        assert_eq!(e.kind(), ErrorKind::Io);
        assert!(e.to_string().contains("make room"), "{e}");
    }
}

#[test]
fn what_exceeds_a_length_is_known_at_the_chunk() {
    let bytes = stream(6 << 20);
    let chunk_length = CompressionOptions::default().chunk_length as usize;
    let sink = |dir: &Path| DataSink::create(&descriptor(dir), Some(&Default::default()), false);
    // Where the chunks end in Data.db.
    let dir = tempfile::tempdir().unwrap();
    let mut whole = sink(dir.path()).unwrap();
    whole.buffer().extend_from_slice(&bytes);
    whole.settle().unwrap();
    whole.finish().unwrap();
    let path = |component| descriptor(dir.path()).path(&component);
    let info = Mapped::open(&path(Component::CompressionInfo)).unwrap();
    let info = CompressionInfo::parse(info, descriptor(dir.path()).version).unwrap();
    let length = std::fs::metadata(path(Component::Data)).unwrap().len();
    for limit in [0, 70_000, 1 << 20, length / 2, length - 1] {
        let end = |chunk: u64| info.chunk_range(chunk, length).unwrap().1;
        let over = (0..info.chunk_count()).find(|chunk| end(*chunk) > limit);
        let full = (over.unwrap() as usize + 1) * chunk_length;
        let dir = tempfile::tempdir().unwrap();
        let mut sink = sink(dir.path()).unwrap();
        let mut written = 0;
        for piece in bytes.chunks(1000) {
            sink.buffer().extend_from_slice(piece);
            sink.settle().unwrap();
            written += piece.len();
            let expected = written >= full.min(bytes.len());
            if sink.is_longer_than(limit).unwrap() {
                assert!(expected, "{limit}: {written} of {full}");
                break;
            }
            assert!(!expected, "{limit}: {written} of {full}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut plain = DataSink::create(&descriptor(dir.path()), None, false).unwrap();
    plain.buffer().extend_from_slice(b"abc");
    assert!(plain.is_longer_than(2).unwrap() && !plain.is_longer_than(3).unwrap());
}

#[test]
fn incompressible_chunks_are_stored_raw_and_the_last_one_padded() {
    let dir = tempfile::tempdir().unwrap();
    let options = CompressionOptions {
        chunk_length: 4096,
        ..Default::default()
    }
    .with_min_compress_ratio(1.5);
    assert_eq!(options.max_compressed_length, 2731);
    // What cannot be compressed grows by some bytes, to the limit and over it.
    let random: Vec<u8> = (0..4096 + 2725u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_pow(3) >> 56) as u8)
        .collect();
    let sizes = write(dir.path(), &random, Some(&options));
    assert_eq!(sizes.on_disk, 4096 + 4 + 2731 + 4);
    assert_eq!(sizes.compression_ratio, Some(6827.0 / 6821.0));
    assert!(read(dir.path(), true) == random);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let options = |chunk_length, max_compressed_length| CompressionOptions {
        chunk_length,
        max_compressed_length,
        ..Default::default()
    };
    assert!(options(4096, 4096).check().is_ok());
    assert!(options(4096, 4097).check().is_err());
    assert!(options(5000, 10).check().is_err());
    let zstd = |level: &str| CompressionOptions {
        compressor: Compressor::Zstd,
        options: vec![("compression_level".into(), level.into())],
        ..Default::default()
    };
    assert!(ChunkCompressor::new(&zstd("-3")).is_ok());
    assert!(ChunkCompressor::new(&zstd("23")).is_err());
    assert!(ChunkCompressor::new(&zstd("x")).is_err());
    let lz4 = |name: &str, value: &str| CompressionOptions {
        options: vec![(name.into(), value.into())],
        ..Default::default()
    };
    assert!(lz4("lz4_compressor_type", "high").check().is_ok());
    assert!(lz4("lz4_compressor_type", "higher").check().is_err());
    assert!(lz4("lz4_high_compressor_level", "17").check().is_ok());
    assert!(lz4("lz4_high_compressor_level", "18").check().is_err());
    let e = lz4("compression_level", "3").check().unwrap_err();
    assert!(e.message().contains("no option of LZ4Compressor"), "{e}");
}
