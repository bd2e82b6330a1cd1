//! The verbs that write SSTables, and those that change their Statistics.db.

use crate::support::{Ran, children, copy_files, cqlite, golden, name, ran, run};
use std::fs;
use std::path::Path;
use std::process::Command;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn good(ran: Ran) -> String {
    assert_eq!((ran.status, &*ran.err), (0, ""), "{}", ran.out);
    ran.out
}

/// What `dump` shows of a path, without the positions in Data.db.
fn dump(path: &str) -> String {
    let out = good(run(&["dump", path]));
    let lines = out.lines().filter(|l| !l.contains("\"position\""));
    lines.map(|l| l.to_owned() + "\n").collect()
}

fn copy(table: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_files(&golden().join(table), dir.path());
    dir
}

#[test]
fn rewriting_keeps_what_is_dumped_in_every_version() {
    for table in ["na/mixed", "oa/deletions", "mc/states", "nb/wide_two"] {
        for (version, base) in [("nb", "nb-1-big"), ("oa", "oa-1-big"), ("da", "da-1-bti")] {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("new");
            let written = good(run(&[
                "rewrite",
                table,
                "--out",
                text(&out),
                "--version",
                version,
            ]));
            assert!(written.starts_with(text(&out.join(base))), "{written}");
            assert_eq!(dump(text(&out)), dump(table), "{table} as {version}");
            let verified = good(run(&["verify", text(&out)]));
            assert!(verified.lines().all(|l| l.contains(": ok: ")), "{verified}");
        }
    }
}

#[test]
fn compression_is_kept_or_as_asked_for() {
    for (options, says) in [
        (
            &[][..],
            "Compressor: org.apache.cassandra.io.compress.ZstdCompressor",
        ),
        (&["--compression", "none"], "Compressor: -"),
        (
            &["--compression", "Snappy", "--chunk-length", "4"],
            "Compressor: org.apache.cassandra.io.compress.SnappyCompressor",
        ),
        (
            &["--compression", "LZ4Compressor"],
            "Compressor: org.apache.cassandra.io.compress.LZ4Compressor",
        ),
        (
            &[
                "--compression",
                "{'class': 'DeflateCompressor', 'chunk_length_in_kb': 4}",
            ],
            "Compressor: org.apache.cassandra.io.compress.DeflateCompressor",
        ),
        (&["--compression", "{'enabled': 'false'}"], "Compressor: -"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut args = vec!["rewrite", "nb/compressed_zstd", "--out", text(dir.path())];
        args.extend(options);
        good(run(&args));
        let metadata = good(run(&["metadata", text(dir.path())]));
        assert!(metadata.contains(says), "{metadata}");
        assert_eq!(dump(text(dir.path())), dump("nb/compressed_zstd"));
    }
}

#[test]
fn a_compression_that_cassandra_would_not_open_is_refused() {
    for (compression, says) in [
        ("rar", "`rar`"),
        ("{'class': 'rar'}", "`rar`"),
        ("{'chunk_length_in_kb': 4}", "is no compression"),
        (
            "{'class': 'SnappyCompressor', 'compression_level': 3}",
            "no option of SnappyCompressor",
        ),
        (
            "{'class': 'LZ4Compressor', 'lz4_compressor_type': 'best'}",
            "`best`",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let to = text(dir.path());
        let ran = run(&[
            "rewrite",
            "oa/ten",
            "--out",
            to,
            "--compression",
            compression,
        ]);
        assert_ne!(ran.status, 0, "{compression}");
        assert!(ran.err.contains(says), "{compression}: {}", ran.err);
        assert!(children(dir.path()).is_empty());
    }
}

#[test]
fn several_tables_get_directories_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    good(run(&["rewrite", "nb/data", "--out", text(dir.path())]));
    let shop = children(&dir.path().join("shop"));
    let names: Vec<&str> = shop
        .iter()
        .map(|p| name(p).split('-').next().unwrap())
        .collect();
    assert_eq!(names, ["customers", "orders", "orders_by_item"]);
    let cql = "SELECT customer, placed, item, price FROM shop.orders";
    let ask = |path: &str| good(run(&["query", path, cql]));
    assert_eq!(ask(text(dir.path())), ask("nb/data"));
}

#[test]
fn compacting_leaves_one_sstable_with_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let table = "oa/merge_random_rows";
    let now = "1700000000";
    good(run(&[
        "compact",
        table,
        "--out",
        text(dir.path()),
        "--now",
        now,
    ]));
    let data: Vec<_> = children(dir.path());
    let data = data.iter().filter(|p| name(p).ends_with("-Data.db"));
    assert_eq!(data.count(), 1);
    let schema = golden().join(table).join("schema.cql");
    let ask = |path: &str| {
        let cql = "SELECT JSON * FROM merge_random_rows";
        good(run(&[
            "query",
            path,
            cql,
            "--schema",
            text(&schema),
            "--now",
            now,
        ]))
    };
    assert_eq!(ask(text(dir.path())), ask(table));
    // Repeatable to the byte.
    let again = tempfile::tempdir().unwrap();
    good(run(&[
        "compact",
        table,
        "--out",
        text(again.path()),
        "--now",
        now,
    ]));
    for path in children(dir.path()) {
        assert_eq!(
            fs::read(&path).unwrap(),
            fs::read(again.path().join(name(&path))).unwrap()
        );
    }
}

#[test]
fn what_is_not_compacted_keeps_tombstones() {
    let dir = tempfile::tempdir().unwrap();
    let far = "9000000000";
    let (all, part) = (dir.path().join("all"), dir.path().join("part"));
    let compact = |path: &str, out: &Path| {
        run(&[
            "compact",
            path,
            "--out",
            text(out),
            "--now",
            far,
            "--gc-before",
            far,
        ])
    };
    good(compact("oa/merge_deletions", &all));
    good(compact("oa/merge_deletions/oa-2-big-Data.db", &part));
    assert!(!dump(text(&all)).contains("deletion_info"));
    assert!(dump(text(&part)).contains("deletion_info"));
}

#[test]
fn nothing_is_overwritten_and_nothing_bad_is_left() {
    let ran = run(&["rewrite", "oa/single", "--out", "oa/single"]);
    assert_eq!((ran.status, &*ran.out), (2, ""));
    assert!(ran.err.contains("the SSTables that are read lie there"));
    // A second run takes the next ids.
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a/b");
    good(run(&["rewrite", "oa/single", "--out", text(&out)]));
    let second = good(run(&["rewrite", "oa/single", "--out", text(&out)]));
    assert!(second.contains("oa-2-big"), "{second}");
    // Of a bad input nothing is left, not even the directory.
    let bad = copy("oa/leveled");
    let data = bad.path().join("oa-2-big-Data.db");
    let mut bytes = fs::read(&data).unwrap();
    bytes[20] ^= 1;
    fs::write(&data, bytes).unwrap();
    let out = dir.path().join("c/d");
    for verb in ["rewrite", "compact"] {
        let ran = run(&[verb, text(bad.path()), "--out", text(&out)]);
        assert_eq!((ran.status, &*ran.out), (1, ""), "{}", ran.err);
        assert!(!dir.path().join("c").exists());
    }
    let ran = run(&[
        "rewrite",
        "oa/single",
        "--out",
        text(&out),
        "--chunk-length",
        "5k",
    ]);
    assert_eq!(ran.status, 2, "{}", ran.err);
    assert!(!out.exists());
}

#[test]
fn splitting_leaves_small_ones_out() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["split", "-s", "1", "--no-snapshot", "oa/leveled", "--out"];
    let ran = run(&[&args[..], &[text(dir.path())]].concat());
    assert_eq!((ran.status, &*ran.out), (0, ""));
    assert!(
        ran.err.ends_with("cqlite: no SSTable needs splitting\n"),
        "{}",
        ran.err
    );
    assert_eq!(children(dir.path()).len(), 0);
}

#[test]
fn levels_are_reset_and_found_anew() {
    let dir = copy("oa/leveled");
    let path = text(dir.path());
    let expected = format!(
        "For sstables in {path}:\nCurrent leveling:\nL0=1\nL1=0\nL2=1\nPotential leveling: \n\
         L0=1\nL1=1\n"
    );
    let before = fs::read(dir.path().join("oa-1-big-Statistics.db")).unwrap();
    assert_eq!(good(run(&["relevel", "--dry-run", path])), expected);
    assert_eq!(
        fs::read(dir.path().join("oa-1-big-Statistics.db")).unwrap(),
        before
    );
    let reset = good(run(&["level-reset", path]));
    assert_eq!(
        reset,
        format!(
            "Changing level from 2 to 0 on {path}/oa-1-big-Data.db\n\
             Skipped {path}/oa-2-big-Data.db since it is already on level 0\n"
        )
    );
    good(run(&["relevel", path]));
    let metadata = good(run(&["metadata", path]));
    assert_eq!(metadata.matches("SSTable Level: 1").count(), 1);
    assert_eq!(metadata.matches("SSTable Level: 0").count(), 1);
    let verified = good(run(&["verify", path]));
    assert!(verified.lines().all(|l| l.contains(": ok: ")));
}

#[test]
fn sstables_are_marked_as_repaired_and_not() {
    let dir = copy("oa/leveled");
    let list = dir.path().join("list");
    let data = dir.path().join("oa-1-big-Data.db");
    fs::write(&list, format!("{}\n", text(&data))).unwrap();
    let repaired = || {
        let out = good(run(&["metadata", text(dir.path())]));
        out.matches("Repaired at: 0").count()
    };
    assert_eq!(repaired(), 2);
    let args = [
        "repaired-set",
        "--really-set",
        "--is-repaired",
        "-f",
        text(&list),
    ];
    assert_eq!(good(run(&args)), "");
    assert_eq!(repaired(), 1);
    good(run(&["repaired-set", "--is-unrepaired", text(&data)]));
    assert_eq!(repaired(), 2);
    assert_eq!(run(&["repaired-set", text(&data)]).status, 2);
}

#[cfg(unix)]
#[test]
fn they_are_called_as_cassandras_tools() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir
        .path()
        .join("data/ks/t-0123456789abcdef0123456789abcdef");
    copy_files(&golden().join("oa/leveled"), &data);
    let call = |tool: &str, args: &[&str]| {
        let link = dir.path().join(tool);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_cqlite"), &link).unwrap();
        ran(Command::new(link).args(args).output().unwrap())
    };
    let root = dir.path().join("data");
    let of = ["--data", text(&root), "ks", "t"];
    let reset = call(
        "sstablelevelreset",
        &[&["--really-reset"][..], &of].concat(),
    );
    assert!(good(reset).starts_with("Changing level from 2 to 0 on "));
    let relevel = call("sstableofflinerelevel", &[&["--dry-run"][..], &of].concat());
    assert!(good(relevel).ends_with("Potential leveling: \nL0=1\nL1=1\n"));
    good(call("sstableexpiredblockers", &of));
    let out = dir.path().join("out");
    good(call("sstableupgrade", &[text(&data), "--out", text(&out)]));
    let absent = ran(cqlite()
        .args(["relevel", "ks", "u", "--data", text(&root)])
        .output()
        .unwrap());
    assert_eq!(absent.status, 2);
}
