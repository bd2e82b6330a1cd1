//! What writes, where that cannot end well: a disk that fills up, a directory that cannot be made, an interruption. No SSTable
//! is left then, and the input is what it was.

use crate::support::{Ran, children, copy_files, cqlite, golden, name, ran, run};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What the files of a directory hold.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = children(directory).into_iter().filter(|p| p.is_file());
    paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

const SCHEMA: &str = "CREATE TABLE ks.t (k int PRIMARY KEY, v text);";

/// Rows of the table of tests: some megabytes.
const ROWS: u32 = 60_000;

/// A directory with lines to import, their schema, and in `table` the SSTables of it.
fn input() -> &'static Path {
    static INPUT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = INPUT.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let mut lines = String::from("k,v\n");
        let mut random = 1_u64;
        for k in 0..ROWS {
            let _ = write!(lines, "{k},");
            for _ in 0..6 {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
                let _ = write!(lines, "{random:016x}");
            }
            lines.push('\n');
        }
        fs::write(directory.path().join("rows.csv"), lines).unwrap();
        fs::write(directory.path().join("schema.cql"), SCHEMA).unwrap();
        let imported = ran(import(directory.path(), &directory.path().join("table"))
            .output()
            .unwrap());
        assert_eq!(imported.status, 0, "{}", imported.err);
        directory
    });
    made.path()
}

fn import(input: &Path, out: &Path) -> Command {
    let mut command = cqlite();
    command.current_dir(input).args(["import", "rows.csv"]);
    command.args(["--schema", "schema.cql", "--now", "1700000000", "--out"]);
    command.arg(out);
    command
}

/// The verbs that write, on the table.
fn writers(out: &Path) -> Vec<(&'static str, Command)> {
    let table = input().join("table");
    let verb = |verb: &'static str, more: &[&str]| {
        let mut command = cqlite();
        command.args([verb, text(&table), "--out", text(out)]);
        command.args(more);
        (verb, command)
    };
    vec![
        ("import", import(input(), out)),
        verb("rewrite", &["--compression", "none"]),
        verb("rewrite", &["--version", "da"]),
        verb("compact", &["--max-sstable-size", "1M"]),
        verb("split", &["-s", "1"]),
        verb("scrub", &[]),
    ]
}

/// That there is nothing in a directory, if there is one, that is an SSTable or was to become one.
fn is_bare(out: &Path, what: &str) {
    let left: Vec<_> = children(out);
    assert!(left.is_empty(), "{what}: {left:?}");
}

/// Runs a command through a shell that says what it may not.
#[cfg(unix)]
fn limited(limits: &str, command: &Command) -> Ran {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("{limits}; exec \"$@\""))
        .arg("sh")
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null());
    if let Some(directory) = command.get_current_dir() {
        shell.current_dir(directory);
    }
    ran(shell.output().unwrap())
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_grow_leaves_nothing() {
    let before = files(&input().join("table"));
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    for (verb, command) in writers(&out) {
        // Half a megabyte, or one where the shell counts in kilobytes; and none at all.
        for blocks in ["1024", "0"] {
            let ran = limited(&format!("trap '' XFSZ; ulimit -f {blocks}"), &command);
            assert_eq!(ran.status, 3, "{verb}: {}", ran.err);
            assert!(ran.err.contains("File too large"), "{verb}: {}", ran.err);
            assert_eq!(ran.out, "", "{verb}");
            is_bare(&out, verb);
        }
    }
    assert_eq!(files(&input().join("table")), before);
}

/// A small file system, which goes with it.
#[cfg(target_os = "linux")]
struct Small(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl Small {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                "size=1m",
                "tmpfs",
                text(directory.path()),
            ])
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|s| s.success()).then(|| Small(directory))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_leaves_nothing() {
    let Some(small) = Small::mount() else {
        println!("skipped: no file system may be mounted here");
        return;
    };
    let out = small.0.path().join("out");
    for (verb, mut command) in writers(&out) {
        let ran = ran(command.output().unwrap());
        assert_eq!(ran.status, 3, "{verb}: {}", ran.err);
        assert!(ran.err.contains("No space left"), "{verb}: {}", ran.err);
        assert_eq!(ran.out, "", "{verb}");
        is_bare(&out, verb);
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    for out in [file.clone(), file.join("below")] {
        for (verb, mut command) in writers(&out) {
            let ran = ran(command.output().unwrap());
            assert!((2..=3).contains(&ran.status), "{verb}: {}", ran.err);
            assert!(ran.err.contains(text(&file)), "{verb}: {}", ran.err);
            assert_eq!(ran.out, "", "{verb}");
            assert_eq!(fs::read(&file).unwrap(), b"x");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_directory_that_may_not_be_written_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(dir.path().join("x"), "").is_ok() {
        println!("skipped: who runs this may write everywhere");
        return;
    }
    for (verb, mut command) in writers(&dir.path().join("out")) {
        let ran = ran(command.output().unwrap());
        assert_eq!(ran.status, 3, "{verb}: {}", ran.err);
        assert!(ran.err.contains("Permission denied"), "{verb}: {}", ran.err);
    }
}

/// Waits until a command that runs has begun an SSTable. `false` if it ended before.
#[cfg(unix)]
fn has_begun(child: &mut Child, out: &Path) -> bool {
    loop {
        let is_data = |path: &PathBuf| {
            name(path).ends_with("-Data.db") && fs::metadata(path).is_ok_and(|m| m.len() > 0)
        };
        if children(out).iter().any(is_data) {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Starts a command and sends it a signal once it writes. Returns what came of it: its status, if it had one.
#[cfg(unix)]
fn interrupted(command: &mut Command, out: &Path, signal: &str) -> Option<(Option<i32>, String)> {
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    if !has_begun(&mut child, out) {
        child.wait().unwrap();
        return None;
    }
    let sent = Command::new("kill")
        .args([&format!("-{signal}"), &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    (ended.status.code() != Some(0)).then(|| (ended.status.code(), err))
}

#[cfg(unix)]
#[test]
fn an_interruption_leaves_nothing() {
    let before = files(&input().join("table"));
    for (i, (verb, _)) in writers(Path::new("")).into_iter().enumerate() {
        for signal in ["INT", "TERM"] {
            // It may end before the signal comes.
            let come = (0..20).find_map(|_| {
                let dir = tempfile::tempdir().unwrap();
                let out = dir.path().join("out");
                let (_, mut command) = writers(&out).swap_remove(i);
                let come = interrupted(&mut command, &out, signal)?;
                assert!(!out.exists(), "{verb}: {:?}", children(&out));
                Some(come)
            });
            let (status, err) = come.unwrap_or_else(|| panic!("{verb} is never interrupted"));
            assert_eq!(status, Some(130), "{verb}: {err}");
            assert!(err.contains("interrupted"), "{verb}: {err}");
        }
    }
    assert_eq!(files(&input().join("table")), before);
}

#[cfg(unix)]
#[test]
fn what_is_killed_leaves_no_sstable_that_is_taken_for_one() {
    let before = files(&input().join("table"));
    for (i, (verb, _)) in writers(Path::new("")).into_iter().enumerate() {
        let come = (0..20).find_map(|_| {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            let (_, mut command) = writers(&out).swap_remove(i);
            interrupted(&mut command, &out, "KILL")?;
            Some(dir)
        });
        let dir = come.unwrap_or_else(|| panic!("{verb} is never killed"));
        let out = dir.path().join("out");
        let left = children(&out);
        // The log of the transaction names what is not to be read, for Cassandra too.
        let is_log = |p: &&PathBuf| name(p).contains("_txn_") && name(p).ends_with(".log");
        let log = left.iter().find(is_log);
        let log = log.unwrap_or_else(|| panic!("{verb}: {left:?}"));
        let log = fs::read_to_string(log).unwrap();
        assert!(!log.contains("COMMIT"), "{verb}: {log}");
        for path in left.iter().filter(|p| name(p).ends_with("-Data.db")) {
            let base = name(path).trim_end_matches("Data.db");
            assert!(log.contains(base), "{verb}: {base} is not in {log}");
        }
        let ls = run(&["ls", text(&out)]);
        assert!(
            !ls.out.contains("-big") && !ls.out.contains("-bti"),
            "{verb}: {}",
            ls.out
        );
        // What comes next takes other numbers.
        let (_, mut again) = writers(&out).swap_remove(i);
        let again = ran(again.output().unwrap());
        assert_eq!(again.status, 0, "{verb}: {}", again.err);
        let verified = run(&["verify", text(&out)]);
        let partitions = verified.out.lines().map(|line| {
            let count = line.split(": ok: ").nth(1).unwrap();
            count.split(' ').next().unwrap().parse::<u32>().unwrap()
        });
        assert_eq!(partitions.sum::<u32>(), ROWS, "{verb}: {}", verified.out);
    }
    assert_eq!(files(&input().join("table")), before);
}

#[test]
fn values_beyond_their_limits_are_refused() {
    let long = "x".repeat(65_536);
    for (schema, line, expected) in [
        ("k text PRIMARY KEY, v int", format!("{long},1"), "65535"),
        (
            "k int, c text, v int, PRIMARY KEY (k, c)",
            format!("1,{long},1"),
            "65535",
        ),
        (
            "k smallint PRIMARY KEY, v int",
            "99999,1".to_owned(),
            "99999",
        ),
        ("k int PRIMARY KEY, v tinyint", "1,300".to_owned(), "300"),
        ("k uuid PRIMARY KEY, v int", "1-2,1".to_owned(), "1-2"),
        ("k int PRIMARY KEY, v ascii", "1,é".to_owned(), "ASCII"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let names = match line.split(',').count() {
            2 => "k,v",
            _ => "k,c,v",
        };
        fs::write(dir.path().join("rows.csv"), format!("{names}\n{line}\n")).unwrap();
        let schema = format!("CREATE TABLE ks.t ({schema});");
        fs::write(dir.path().join("schema.cql"), schema).unwrap();
        let out = dir.path().join("out");
        let ran = ran(import(dir.path(), &out).output().unwrap());
        assert!(matches!(ran.status, 1 | 2), "{expected}: {}", ran.err);
        assert!(ran.err.contains(expected), "{expected}: {:.300}", ran.err);
        is_bare(&out, expected);
    }
}

#[test]
fn what_reads_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let table = dir.path().join("table");
    copy_files(&golden().join("oa/leveled"), &table);
    let before = files(&table);
    let out = dir.path().join("out");
    for verb in [
        "rewrite",
        "compact",
        "scrub",
        "verify",
        "dump",
        "expired-blockers",
    ] {
        let mut args = vec![verb, text(&table)];
        if ["rewrite", "compact", "scrub"].contains(&verb) {
            args.extend(["--out", text(&out)]);
        }
        let ran = run(&args);
        assert_eq!(ran.status, 0, "{verb}: {}", ran.err);
        assert_eq!(files(&table), before, "{verb}");
    }
}
