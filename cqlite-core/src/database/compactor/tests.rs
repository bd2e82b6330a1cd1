//! Whatever is compacted meanwhile, and whenever that ends, a database answers as if nothing ever was.

use super::*;
use crate::commitlog::{LogOptions, SyncMode};
use crate::database::killed::{self, killed_in};
use crate::database::{Database, DatabaseOptions, Outcome, Session};
use crate::query::json_lines;
use crate::sstable::component::statistics::Statistics;
use crate::sstable::{SSTable, SSTableId};
use crate::table::CompactionStats;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Behind the time at which files are written, by which an SSTable is too young for some compactions.
const NOW: i64 = 2_100_000_000;

const STRATEGIES: [(&str, &str); 4] = [
    (
        "size_tiered",
        "{'class': 'SizeTieredCompactionStrategy', 'min_threshold': 2, 'tombstone_compaction_interval': 0}",
    ),
    (
        "leveled",
        "{'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 1, 'fanout_size': 2}",
    ),
    (
        "time_window",
        "{'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'MINUTES', \
         'expired_sstable_check_frequency_seconds': 0}",
    ),
    (
        "unified",
        "{'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'L4, N, T3', 'min_sstable_size': '0B', \
         'target_sstable_size': '1MiB'}",
    ),
];

fn options() -> DatabaseOptions {
    DatabaseOptions {
        log: LogOptions {
            segment_bytes: 1 << 20,
            total_bytes: 1 << 24,
            sync: SyncMode::None,
        },
        compaction_bytes_per_second: 0,
        ..DatabaseOptions::new(NOW).unwrap()
    }
}

fn open(directory: &Path) -> Database {
    Database::open(directory, options()).unwrap()
}

fn run(session: &mut Session<'_>, second: i64, statement: &str) {
    let micros = (NOW + second) * 1_000_000;
    session.execute(statement, micros).expect(statement);
}

fn rows(session: &mut Session<'_>, second: i64, statement: &str) -> Vec<String> {
    let micros = (NOW + second) * 1_000_000;
    let Outcome::Selected(selected) = session.execute(statement, micros).expect(statement) else {
        panic!("{statement} gives no rows");
    };
    json_lines(selected.rows())
}

/// A keyspace, and in it a table for each strategy.
fn define(database: &Database) {
    let mut session = database.session();
    run(
        &mut session,
        0,
        "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    for (name, compaction) in STRATEGIES {
        let statement = format!(
            "CREATE TABLE ks.{name} (p int, c int, v text, PRIMARY KEY (p, c)) WITH gc_grace_seconds = 0 \
             AND compression = {{'enabled': false}} AND compaction = {compaction}"
        );
        run(&mut session, 0, &statement);
    }
}

fn table(database: &Database, name: &str) -> Arc<Table> {
    database.table(Some("ks"), name).unwrap()
}

fn sstables(table: &Table) -> Vec<Arc<SSTable>> {
    table.view().reader().sstables().cloned().collect()
}

fn levels(table: &Table) -> Vec<i32> {
    let sstables = sstables(table);
    let levels = sstables.iter();
    let levels = levels.map(|sstable| sstable.statistics().stats.as_ref().unwrap().level);
    let mut levels: Vec<i32> = levels.collect();
    levels.sort_unstable();
    levels
}

/// Numbers that seem to be random.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

type Model = BTreeMap<(u64, u64), String>;

/// Writes and deletes something in the table and in its model.
fn change(
    random: &mut Random,
    session: &mut Session<'_>,
    second: i64,
    name: &str,
    model: &mut Model,
) {
    let (p, c) = (random.below(12), random.below(24));
    let statement = match random.below(10) {
        0 => {
            model.retain(|(of, _), _| *of != p);
            format!("DELETE FROM ks.{name} WHERE p = {p}")
        }
        1 => {
            model.retain(|(of, row), _| *of != p || *row <= c);
            format!("DELETE FROM ks.{name} WHERE p = {p} AND c > {c}")
        }
        2 => {
            model.remove(&(p, c));
            format!("DELETE FROM ks.{name} WHERE p = {p} AND c = {c}")
        }
        _ => {
            let value = format!("{second} ").repeat(1 + random.below(2000) as usize);
            let statement = format!("INSERT INTO ks.{name} (p, c, v) VALUES ({p}, {c}, '{value}')");
            model.insert((p, c), value);
            statement
        }
    };
    run(session, second, &statement);
}

fn expected(model: &Model) -> Vec<String> {
    let rows = model.iter();
    let rows = rows.map(|((p, c), v)| format!("{{\"p\": {p}, \"c\": {c}, \"v\": \"{v}\"}}"));
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    rows
}

#[test]
fn answers_are_those_of_a_model_whatever_the_strategy_compacts() {
    for (seed, (name, _)) in STRATEGIES.iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        // Also several at once.
        let options = DatabaseOptions {
            compactors: 1 + seed % 3,
            ..options()
        };
        let open = || Database::open(directory.path(), options.clone()).unwrap();
        let mut database = open();
        define(&database);
        let mut model = Model::new();
        let mut random = Random(77 + seed as u64);
        let mut total = CompactionStats::default();
        for round in 0..30 {
            let second = round * 20;
            let mut session = database.session();
            for i in 0..15 {
                change(&mut random, &mut session, second + i, name, &mut model);
            }
            if random.below(4) > 0 {
                database.flush().unwrap();
            }
            if random.below(3) == 0 {
                database.wait_for_compactions().unwrap();
            }
            let table = table(&database, name);
            if random.below(12) == 0 {
                database.compact(&table, NOW + second + 19).unwrap();
            }
            let query = format!("SELECT p, c, v FROM ks.{name}");
            let mut found = rows(&mut session, second + 19, &query);
            found.sort();
            assert!(found == expected(&model), "{name}, round {round}");
            if random.below(10) == 0 {
                let stats = table.compaction_stats();
                total.compactions += stats.compactions;
                total.flushes += stats.flushes;
                drop((session, table));
                database.close().unwrap();
                database = open();
            }
        }
        database.wait_for_compactions().unwrap();
        let stats = table(&database, name).compaction_stats();
        let (flushes, compactions) = (
            total.flushes + stats.flushes,
            total.compactions + stats.compactions,
        );
        assert!(compactions > 3, "{name}: {compactions} compactions");
        assert!(stats.live_sstables < flushes, "{name}");
        // All is deleted, and nothing is left.
        let mut session = database.session();
        for p in 0..12 {
            run(
                &mut session,
                1000,
                &format!("DELETE FROM ks.{name} WHERE p = {p}"),
            );
        }
        database.flush().unwrap();
        database.wait_for_compactions().unwrap();
        let table = table(&database, name);
        for _ in 0..2 {
            database.compact(&table, NOW + 2000).unwrap();
        }
        let query = format!("SELECT p, c, v FROM ks.{name}");
        assert!(rows(&mut session, 2000, &query).is_empty());
        if *name != "time_window" {
            assert_eq!(sstables(&table).len(), 0, "{name}");
        }
    }
}

#[test]
fn a_process_that_is_killed_while_it_compacts_loses_nothing() {
    if let Some(directory) = killed_in() {
        compact_until_killed(&directory);
    }
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    define(&database);
    database.close().unwrap();
    let mut acknowledged = 0;
    for round in 0..4 {
        let name =
            "database::compactor::tests::a_process_that_is_killed_while_it_compacts_loses_nothing";
        let mut child = killed::start(name, directory.path());
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let numbers = said.filter_map(|line| {
            let line = line.unwrap();
            line.strip_prefix(WRITTEN)?.parse::<u64>().ok()
        });
        let mut is_killed = false;
        for (i, number) in numbers.enumerate() {
            acknowledged = number;
            if i == 20 + 7 * round {
                // What was printed until it is dead counts, too.
                child.kill().unwrap();
                is_killed = true;
            }
        }
        assert!(is_killed);
        child.wait().unwrap();
        let database = open(directory.path());
        let mut session = database.session();
        for (name, _) in STRATEGIES {
            let found = rows(
                &mut session,
                0,
                &format!("SELECT count(*) AS n FROM ks.{name}"),
            );
            let digits = found[0].chars().filter(char::is_ascii_digit);
            let count: u64 = digits.collect::<String>().parse().unwrap();
            // One more may be there that was not told.
            let more = count.checked_sub(acknowledged + 1);
            assert!(
                more.is_some_and(|more| more <= 1),
                "{name}: {count} of {acknowledged}"
            );
        }
    }
    let database = open(directory.path());
    database.wait_for_compactions().unwrap();
    for (name, _) in STRATEGIES {
        let files = std::fs::read_dir(table(&database, name).directory()).unwrap();
        let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let files: Vec<String> = files.collect();
        let data = files
            .iter()
            .filter(|name| name.ends_with("Data.db"))
            .count();
        assert_eq!(data, sstables(&table(&database, name)).len(), "{files:?}");
        assert!(
            !files.iter().any(|name| name.ends_with(".log")),
            "{files:?}"
        );
    }
}

/// What stands before the numbers of rows that were written.
const WRITTEN: &str = "written ";

fn compact_until_killed(directory: &Path) -> ! {
    let database = open(directory);
    let mut session = database.session();
    let found = rows(&mut session, 0, "SELECT count(*) AS n FROM ks.size_tiered");
    let digits = found[0].chars().filter(char::is_ascii_digit);
    let first: u64 = digits.collect::<String>().parse().unwrap();
    let filler = "x".repeat(20_000);
    println!();
    // One that was written to some of the tables is written again.
    let mut i = first.saturating_sub(1);
    loop {
        for (name, _) in STRATEGIES {
            let values = format!("({}, {i}, '{filler}')", i % 7);
            run(
                &mut session,
                i as i64,
                &format!("INSERT INTO ks.{name} (p, c, v) VALUES {values}"),
            );
        }
        println!("{WRITTEN}{i}");
        if i.is_multiple_of(5) {
            database.flush().unwrap();
        }
        i += 1;
    }
}

/// A table of the strategy by size with as many SSTables as it would merge, and a database that compacts slowly.
fn slow(directory: &Path) -> Database {
    let database = Database::open(
        directory,
        DatabaseOptions {
            compactors: 0,
            ..options()
        },
    )
    .unwrap();
    define(&database);
    let mut session = database.session();
    let filler = "x".repeat(1000);
    for sstable in 0..2 {
        for c in 0..1500 {
            let c = c * 2 + sstable;
            let statement =
                format!("INSERT INTO ks.size_tiered (p, c, v) VALUES (1, {c}, '{filler}')");
            run(&mut session, 0, &statement);
        }
        database.flush().unwrap();
    }
    drop(session);
    database.close().unwrap();
    let options = DatabaseOptions {
        compaction_bytes_per_second: 1,
        ..options()
    };
    Database::open(directory, options).unwrap()
}

#[test]
fn nobody_waits_for_a_compaction_that_is_slow() {
    let directory = tempfile::tempdir().unwrap();
    let database = slow(directory.path());
    let table = table(&database, "size_tiered");
    assert_eq!(sstables(&table).len(), 2);
    // The compaction has begun once its output is there, and would take a month.
    let announced = |table: &Table| {
        let files = std::fs::read_dir(table.directory()).unwrap();
        let mut files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        files.any(|name| name.ends_with(".log"))
    };
    let begun = |table: &Table| {
        while !announced(table) {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    begun(&table);
    let mut session = database.session();
    let query = "SELECT count(*) AS n FROM ks.size_tiered";
    let all = rows(&mut session, 1, query);
    run(
        &mut session,
        1,
        "ALTER TABLE ks.size_tiered WITH comment = 'altered'",
    );
    let table = self::table(&database, "size_tiered");
    begun(&table);
    assert_eq!(sstables(&table).len(), 2);
    let merged = database.compact(&table, NOW).unwrap();
    assert_eq!((merged.written.len(), sstables(&table).len()), (1, 1));
    assert_eq!(rows(&mut session, 1, query), all);
    drop(session);
    drop(table);
    database.close().unwrap();

    let directory = tempfile::tempdir().unwrap();
    let database = slow(directory.path());
    let table = self::table(&database, "size_tiered");
    begun(&table);
    database.close().unwrap();
    assert!(!announced(&table));
    drop(table);
    let database = open(directory.path());
    let query = "SELECT count(*) AS n FROM ks.size_tiered";
    assert_eq!(rows(&mut database.session(), 1, query), all);
}

#[test]
fn leveled_sstables_have_levels_and_shards_have_parts_of_the_ring() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    define(&database);
    let mut session = database.session();
    let filler = "x".repeat(9000);
    for name in ["leveled", "unified"] {
        for p in 0..600 {
            let statement = format!("INSERT INTO ks.{name} (p, c, v) VALUES ({p}, 0, '{filler}')");
            run(&mut session, 0, &statement);
            if p % 100 == 99 {
                database.flush().unwrap();
                database.wait_for_compactions().unwrap();
            }
        }
    }
    let leveled = table(&database, "leveled");
    assert!(
        levels(&leveled).iter().any(|level| *level > 0),
        "{:?}",
        levels(&leveled)
    );
    database.compact(&leveled, NOW).unwrap();
    // Two of 1 MiB in level 1, where one more begins the next level, and the rest.
    assert_eq!(levels(&leveled), [1, 1, 1, 2, 2, 2]);
    let unified = table(&database, "unified");
    database.compact(&unified, NOW).unwrap();
    let shares = sstables(&unified).into_iter().map(|sstable| {
        let stats = sstable.statistics().stats.as_ref().unwrap();
        stats.token_space_coverage.unwrap()
    });
    let shares: Vec<f64> = shares.collect();
    assert_eq!(shares.len(), 4);
    assert!(
        shares.iter().all(|share| *share > 0.2 && *share <= 0.25),
        "{shares:?}"
    );
    drop((session, leveled, unified));
    database.close().unwrap();
    let database = open(directory.path());
    database.wait_for_compactions().unwrap();
    let leveled = table(&database, "leveled");
    assert!(!levels(&leveled).contains(&0));
    let count = rows(
        &mut database.session(),
        1,
        "SELECT count(*) AS n FROM ks.leveled",
    );
    assert_eq!(count, [r#"{"n": 600}"#]);
}

#[test]
fn dead_sstables_go_unread_and_tombstones_alone() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    define(&database);
    let mut session = database.session();
    for p in 0..10 {
        let insert =
            format!("INSERT INTO ks.time_window (p, c, v) VALUES ({p}, 0, 'v') USING TTL 30");
        run(&mut session, 0, &insert);
        let insert = format!("INSERT INTO ks.size_tiered (p, c, v) VALUES ({p}, 0, 'v')");
        run(&mut session, 0, &insert);
        let delete = format!("DELETE FROM ks.size_tiered WHERE p = {p} AND c > 0");
        run(&mut session, 0, &delete);
    }
    database.flush().unwrap();
    database.wait_for_compactions().unwrap();
    let (windows, tiers) = (
        table(&database, "time_window"),
        table(&database, "size_tiered"),
    );
    assert_eq!(windows.compaction_stats().live_sstables, 1);
    // Nothing is done that time alone asks for before somebody writes.
    run(
        &mut session,
        1000,
        "INSERT INTO ks.time_window (p, c, v) VALUES (1, 1, 'v')",
    );
    run(
        &mut session,
        1000,
        "INSERT INTO ks.size_tiered (p, c, v) VALUES (100, 1, 'v')",
    );
    database.flush().unwrap();
    database.wait_for_compactions().unwrap();
    let stats = windows.compaction_stats();
    assert_eq!((stats.expired_sstables, stats.compactions), (1, 1));
    assert_eq!((stats.live_sstables, stats.written_bytes), (1, 0));
    assert_eq!(stats.write_amplification(), 1.0);
    // Two of about one size were merged, and their tombstones went with that.
    let stats = tiers.compaction_stats();
    assert!(stats.compactions > 0 && stats.read_bytes > 0 && stats.written_bytes > 0);
    assert!(stats.write_amplification() > 1.0);
    let dying = sstables(&tiers).into_iter().filter(|sstable| {
        let stats = sstable.statistics().stats.as_ref().unwrap();
        stats.min_local_deletion_time != crate::model::NO_DELETION_TIME
    });
    assert_eq!(dying.count(), 0);
}

#[test]
fn an_sstable_is_rewritten_for_its_tombstones_alone() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    define(&database);
    let mut session = database.session();
    for p in 0..10 {
        let insert = format!("INSERT INTO ks.size_tiered (p, c, v) VALUES ({p}, 0, 'v')");
        run(&mut session, 1, &insert);
        run(
            &mut session,
            1,
            &format!("DELETE FROM ks.size_tiered WHERE p = {p} AND c > 0"),
        );
    }
    database.flush().unwrap();
    let tiers = table(&database, "size_tiered");
    database.wait_for_compactions().unwrap();
    assert_eq!(tiers.compaction_stats().compactions, 0);
    database.set_now(NOW + 100);
    database.inner.request_compaction(&tiers);
    database.wait_for_compactions().unwrap();
    let stats = tiers.compaction_stats();
    assert_eq!((stats.compactions, stats.live_sstables), (1, 1));
    assert_eq!(
        rows(&mut session, 100, "SELECT p FROM ks.size_tiered").len(),
        10
    );
}

#[test]
fn repaired_sstables_stay_by_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let options = DatabaseOptions {
        compactors: 0,
        ..options()
    };
    let database = Database::open(directory.path(), options.clone()).unwrap();
    define(&database);
    let mut session = database.session();
    for c in 0..4 {
        let insert = format!("INSERT INTO ks.size_tiered (p, c, v) VALUES (1, {c}, 'v')");
        run(&mut session, 0, &insert);
        database.flush().unwrap();
    }
    let tiers = table(&database, "size_tiered");
    let of = |table: &Table, repaired: bool| -> Vec<SSTableId> {
        let sstables = sstables(table).into_iter().filter(|sstable| {
            let stats = sstable.statistics().stats.as_ref().unwrap();
            (stats.repaired_at != 0) == repaired
        });
        sstables
            .map(|sstable| sstable.descriptor().id.clone())
            .collect()
    };
    for sstable in &sstables(&tiers)[..2] {
        Statistics::mutate(sstable.descriptor(), |stats| stats.repaired_at = 1).unwrap();
    }
    drop((session, tiers));
    database.close().unwrap();
    let database = Database::open(directory.path(), options).unwrap();
    let tiers = table(&database, "size_tiered");
    let (repaired, others) = (of(&tiers, true), of(&tiers, false));
    assert_eq!((repaired.len(), others.len()), (2, 2));
    let mixed = [repaired[0].clone(), others[0].clone()];
    let e = database.compact_sstables(&tiers, &mixed, NOW).unwrap_err();
    assert!(e.to_string().contains("repaired"), "{e}");
    let unknown = [SSTableId::Sequence(99)];
    let e = database
        .compact_sstables(&tiers, &unknown, NOW)
        .unwrap_err();
    assert_eq!(e.kind(), crate::ErrorKind::NotFound);
    let merged = database.compact_sstables(&tiers, &others, NOW).unwrap();
    assert_eq!(merged.written.len(), 1);
    assert_eq!((of(&tiers, true).len(), of(&tiers, false).len()), (2, 1));
    database.compact(&tiers, NOW).unwrap();
    assert_eq!((of(&tiers, true).len(), of(&tiers, false).len()), (1, 1));
    let query = "SELECT p FROM ks.size_tiered";
    assert_eq!(rows(&mut database.session(), 1, query).len(), 4);
}

#[test]
fn what_is_corrupt_is_told_once_and_keeps_nobody_else_from_being_compacted() {
    let directory = tempfile::tempdir().unwrap();
    let database = slow(directory.path());
    let data = sstables(&table(&database, "size_tiered"))[0].data().clone();
    database.close().unwrap();
    let path = data.source().path();
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();

    let database = open(directory.path());
    let e = database.wait_for_compactions().unwrap_err();
    assert_eq!(e.kind(), crate::ErrorKind::Corrupt);
    let mut session = database.session();
    for p in 2..4 {
        let insert = format!("INSERT INTO ks.size_tiered (p, c, v) VALUES ({p}, 0, 'v')");
        run(&mut session, 1, &insert);
        database.flush().unwrap();
    }
    database.wait_for_compactions().unwrap();
    // Both of the first compaction, for nobody knows which one it was, and what the others became.
    let tiers = table(&database, "size_tiered");
    assert_eq!(sstables(&tiers).len(), 3);
    let read = rows(
        &mut session,
        1,
        "SELECT p FROM ks.size_tiered WHERE p IN (2, 3)",
    );
    assert_eq!(read.len(), 2);
    // Who asks for it is told again.
    let e = database.compact(&tiers, NOW).unwrap_err();
    assert_eq!(e.kind(), crate::ErrorKind::Corrupt);
}

#[test]
fn bad_options_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    define(&database);
    let mut session = database.session();
    for (options, says) in [
        (
            "{'class': 'Nothing'}",
            "Unable to find compaction strategy class",
        ),
        (
            "{'class': 'SizeTieredCompactionStrategy', 'min_threshold': 1}",
            "Min compaction threshold cannot be less than 2 (got 1)",
        ),
    ] {
        for statement in [
            format!("CREATE TABLE ks.bad (k int PRIMARY KEY) WITH compaction = {options}"),
            format!("ALTER TABLE ks.leveled WITH compaction = {options}"),
        ] {
            let Err(e) = session.execute(&statement, NOW * 1_000_000) else {
                panic!("{statement} is executed");
            };
            assert_eq!(e.kind(), crate::ErrorKind::InvalidInput);
            assert!(e.to_string().contains(says), "{e}");
        }
    }
    run(
        &mut session,
        0,
        "ALTER TABLE ks.leveled WITH compaction = {'class': 'SizeTieredCompactionStrategy', 'enabled': false}",
    );
    drop(session);
    database.close().unwrap();
    let database = open(directory.path());
    let schema = table(&database, "leveled").schema().clone();
    let compaction = schema
        .options
        .other
        .iter()
        .find(|(name, _)| name == "compaction");
    let params = crate::compaction::CompactionParams::parse_cql(&compaction.unwrap().1).unwrap();
    assert!(!params.is_enabled);
}

#[test]
fn what_was_read_is_waited_for_by_the_next() {
    let throttle = Throttle {
        bytes_per_second: 1000,
        free_at: Mutex::default(),
    };
    let begun = Instant::now();
    throttle.wait(100, || true);
    throttle.wait(0, || true);
    assert!(begun.elapsed() >= Duration::from_millis(100));
    // Nobody wants to read on.
    throttle.wait(1 << 30, || true);
    throttle.wait(0, || false);
    let unlimited = Throttle {
        bytes_per_second: 0,
        free_at: Mutex::default(),
    };
    unlimited.wait(u64::MAX, || true);
}
