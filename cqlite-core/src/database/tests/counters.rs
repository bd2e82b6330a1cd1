//! Counters: what is counted is there once, whatever is replayed.

use super::*;
use crate::types::counter::{ShardKind, shards};

const TABLE: &str =
    "CREATE TABLE ks.n (p int, c int, a counter, s counter static, PRIMARY KEY (p, c))";

fn schema(session: &mut Session<'_>) {
    run(
        session,
        &[
            "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
            TABLE,
        ],
    );
}

#[test]
fn what_was_counted_is_counted_once() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    schema(&mut session);
    let count = "UPDATE ks.n SET a = a + 2, s = s - 1 WHERE p = 1 AND c = 1";
    run(
        &mut session,
        &[
            count,
            count,
            "BEGIN COUNTER BATCH UPDATE ks.n SET a += 10 WHERE p = 1 AND c = 1; \
             UPDATE ks.n SET a -= 1 WHERE p = 1 AND c = 1; UPDATE ks.n SET a = a + 5 WHERE p = 2 AND c = 1; APPLY BATCH",
            "UPDATE ks.n SET s = s + 3 WHERE p = 3",
            "UPDATE ks.n SET a = a + 1 WHERE p = 4 AND c IN (1, 2)",
            "UPDATE ks.n SET a = a + 1 WHERE p = 4 AND c = 3",
            "DELETE FROM ks.n WHERE p = 4 AND c = 1",
            "DELETE a FROM ks.n WHERE p = 4 AND c = 3",
        ],
    );
    let all = "SELECT * FROM ks.n";
    let expected = [
        r#"{"p": 1, "c": 1, "s": -2, "a": 13}"#,
        r#"{"p": 2, "c": 1, "s": null, "a": 5}"#,
        r#"{"p": 4, "c": 2, "s": null, "a": 1}"#,
        r#"{"p": 3, "c": null, "s": 3, "a": null}"#,
    ];
    assert_eq!(rows(&mut session, all), expected);

    // From the log; from the log, after SSTables had it; from SSTables.
    let crashed = crash(directory.path());
    let id = database.inner.host_id;
    let again = open(crashed.path());
    assert_eq!(again.inner.host_id, id);
    assert_eq!(rows(&mut again.session(), all), expected);
    again.flush().unwrap();
    fs::remove_file(crashed.path().join(OWN_DIRECTORY).join("flushed")).unwrap();
    let log = |directory: &Path| directory.join(OWN_DIRECTORY).join(LOG_DIRECTORY);
    let old = directory.path();
    for entry in fs::read_dir(log(old)).unwrap() {
        let entry = entry.unwrap();
        let to = log(crashed.path()).join(entry.file_name());
        drop(fs::copy(entry.path(), to));
    }
    drop(again);
    let again = open(crashed.path());
    let mut session = again.session();
    assert_eq!(rows(&mut session, all), expected);
    run(&mut session, &[count]);
    assert_eq!(
        rows(&mut session, "SELECT a, s FROM ks.n WHERE p = 1"),
        [r#"{"a": 15, "s": -3}"#]
    );

    // What is written is one global shard of this database.
    let table = again.table(None, "n").unwrap();
    let view = table.view();
    let slices = [];
    let mut source = view.reader().read(&[0, 0, 0, 2], &slices, false).unwrap();
    use crate::model::{PartitionSource, Unfiltered};
    assert!(source.next_partition().unwrap() && source.next_unfiltered().unwrap());
    let Unfiltered::Row(row) = source.unfiltered() else {
        panic!("it is a row");
    };
    let context = row.cell(0).value;
    let all: Vec<_> = shards(context).unwrap().collect();
    let [shard] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!((shard.id, shard.count), (&id[..], 5));
    assert_eq!(shard.kind, ShardKind::Global);
    assert!(shard.clock >= micros(0));
}

#[test]
fn many_count_at_once() {
    const THREADS: i64 = 4;
    const ROUNDS: i64 = 200;
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    schema(&mut database.session());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut session = database.session();
                for i in 0..ROUNDS {
                    let count = format!(
                        "BEGIN COUNTER BATCH UPDATE ks.n SET a = a + 1 WHERE p = {} AND c = 0; \
                         UPDATE ks.n SET a = a + 2 WHERE p = {} AND c = 0; APPLY BATCH",
                        i % 2,
                        (i + 1) % 2,
                    );
                    session.execute(&count, micros(0)).unwrap();
                }
            });
        }
    });
    let found = rows(&mut database.session(), "SELECT a FROM ks.n");
    let each = THREADS * ROUNDS / 2 * 3;
    assert_eq!(
        found,
        [format!(r#"{{"a": {each}}}"#), format!(r#"{{"a": {each}}}"#)]
    );
}

/// A process counts until it is killed: each acknowledged count is there, and at most one that was not.
#[test]
fn counts_survive_a_kill() {
    if let Some(directory) = killed_in() {
        count_until_killed(&directory);
    }
    let directory = tempfile::tempdir().unwrap();
    schema(&mut open(directory.path()).session());
    let mut least = 0;
    for round in 0..4 {
        let name = "database::tests::counters::counts_survive_a_kill";
        let mut child = killed::start(name, directory.path());
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let number = |line: String| line.rsplit(' ').next()?.parse::<i64>().ok();
        let mut counts = std::iter::from_fn(|| said.next()).filter_map(|line| number(line.ok()?));
        for count in counts.by_ref().take(20 * (round + 1)) {
            least = count;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had said before it was killed.
        least = counts.last().unwrap_or(least);
        let database = open(directory.path());
        let found = rows(
            &mut database.session(),
            "SELECT a FROM ks.n WHERE p = 1 AND c = 1",
        );
        let digits = found[0].chars().filter(char::is_ascii_digit);
        let found: i64 = digits.collect::<String>().parse().unwrap();
        assert!(found == least || found == least + 1, "{found}, not {least}");
        least = found;
        if round % 2 == 0 {
            database.close().unwrap();
        }
    }
    assert!(least >= 80, "{least}");
}

fn count_until_killed(directory: &Path) -> ! {
    let database = open(directory);
    let mut session = database.session();
    let found = rows(&mut session, "SELECT a FROM ks.n WHERE p = 1 AND c = 1");
    let digits = found.iter().flat_map(|line| line.chars());
    let digits: String = digits.filter(char::is_ascii_digit).collect();
    let mut count = digits.parse().unwrap_or(0);
    loop {
        let outcome = session.execute("UPDATE ks.n SET a = a + 1 WHERE p = 1 AND c = 1", micros(0));
        let position = outcome.unwrap().position().unwrap();
        database.wait(position).unwrap();
        count += 1;
        println!("count {count}");
    }
}

#[test]
fn what_counters_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    schema(&mut session);
    run(
        &mut session,
        &["CREATE TABLE ks.v (p int PRIMARY KEY, v int)"],
    );
    for (statement, says) in [
        (
            "INSERT INTO ks.n (p, c, a) VALUES (1, 1, 1)",
            "not inserted",
        ),
        ("UPDATE ks.n SET a = 1 WHERE p = 1 AND c = 1", "not be set"),
        ("UPDATE ks.n SET a = a + null WHERE p = 1 AND c = 1", "null"),
        (
            "UPDATE ks.n USING TTL 5 SET a = a + 1 WHERE p = 1 AND c = 1",
            "TTL",
        ),
        (
            "DELETE FROM ks.n USING TIMESTAMP 5 WHERE p = 1",
            "timestamp",
        ),
        (
            "UPDATE ks.n SET a = a - -9223372036854775808 WHERE p = 1 AND c = 1",
            "smallest",
        ),
        (
            "UPDATE ks.n SET a = a + 1 WHERE p = 1 AND c = 1 IF EXISTS",
            "conditions",
        ),
        ("UPDATE ks.v SET v = v + 1 WHERE p = 1", "one value"),
        (
            "BEGIN BATCH UPDATE ks.n SET a = a + 1 WHERE p = 1 AND c = 1; APPLY BATCH",
            "logged",
        ),
        (
            "BEGIN UNLOGGED BATCH UPDATE ks.n SET a = a + 1 WHERE p = 1 AND c = 1; UPDATE ks.v SET v = 1 WHERE p = 1; APPLY BATCH",
            "one batch",
        ),
        (
            "BEGIN COUNTER BATCH UPDATE ks.v SET v = 1 WHERE p = 1; APPLY BATCH",
            "counters alone",
        ),
    ] {
        let e = session
            .execute(statement, micros(0))
            .err()
            .expect(statement);
        assert_eq!(e.kind(), ErrorKind::InvalidInput, "{statement}: {e}");
        assert!(e.to_string().contains(says), "{statement}: {e}");
    }
    assert!(rows(&mut session, "SELECT * FROM ks.n").is_empty());
}
