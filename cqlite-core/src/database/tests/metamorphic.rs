//! The same statements on databases that flush, compact, restart and are set up otherwise: the same answers.

use super::*;
use proptest::prelude::*;

/// What is done to one of the databases between two statements, and changes no answer.
#[derive(Debug, Clone, Copy)]
enum Between {
    Flush,
    Compact,
    Close,
    /// It ends without a flush, and is opened with the other format and other caches.
    Restart,
}

#[derive(Debug, Clone)]
enum Step {
    Write(String),
    Between(usize, Between),
}

const TABLE: &str = "CREATE TABLE ks.t (p int, c int, d text, s text static, v text, l list<int>, m map<text, int>, \
     f frozen<list<int>>, PRIMARY KEY (p, c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC)";

/// Databases, of which the first is left alone.
const DATABASES: usize = 3;

/// Each case opens databases many times.
fn few() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.div_ceil(16),
        ..config
    }
}

fn setting(round: usize) -> DatabaseOptions {
    let mut options = options();
    if round % 2 == 1 {
        options.storage.version = Version::parse("da", "bti").unwrap();
        options.chunk_cache_bytes = 0;
        options.key_cache_bytes = 1 << 12;
        options.memtable_bytes = 1 << 16;
        options.compactors = 1;
    }
    options
}

fn write() -> impl Strategy<Value = String> {
    let place = (0..4, 0..5, "[a-c]", 0..40i64).boxed();
    (place, 0..14u8, 0..100).prop_map(|((p, c, d, at), kind, n)| {
        let using = format!("USING TIMESTAMP {}", micros(0) + at);
        let row = format!("p = {p} AND c = {c} AND d = '{d}'");
        let set = |what: &str| format!("UPDATE ks.t {using} SET {what} WHERE {row}");
        match kind {
            0..=2 => format!(
                "INSERT INTO ks.t (p, c, d, v, f) VALUES ({p}, {c}, '{d}', 'v{n}', [{n}]) {using}"
            ),
            3 => set(&format!("v = 'u{n}'")),
            4 => set(&format!("m['{d}'] = {n}")),
            5 => set(&format!("m = {{'{d}': {n}, 'z': {c}}}")),
            6 => set(&format!("l = [{n}, {c}]")),
            7 => set("m = null, v = null"),
            8 => format!("UPDATE ks.t {using} SET s = 's{n}' WHERE p = {p}"),
            9 => format!("DELETE FROM ks.t {using} WHERE {row}"),
            10 => format!("DELETE FROM ks.t {using} WHERE p = {p} AND c > {c}"),
            11 => format!("DELETE FROM ks.t {using} WHERE p = {p} AND c = {c}"),
            12 => format!("DELETE FROM ks.t {using} WHERE p = {p}"),
            _ => format!(
                "BEGIN BATCH {using} INSERT INTO ks.t (p, c, d, v) VALUES ({p}, {c}, 'b', 'b{n}'); \
                 DELETE m['{d}'] FROM ks.t WHERE {row}; APPLY BATCH"
            ),
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let between = prop_oneof![
        Just(Between::Flush),
        Just(Between::Compact),
        Just(Between::Close),
        Just(Between::Restart),
    ];
    prop_oneof![
        3 => write().prop_map(Step::Write),
        1 => (1..DATABASES, between).prop_map(|(i, between)| Step::Between(i, between)),
    ]
}

fn answers(database: &Database) -> Vec<Vec<String>> {
    let mut session = database.session();
    [
        "SELECT JSON p, c, d, s, v, l, m, f FROM ks.t",
        "SELECT p, c, d, writetime(v) FROM ks.t WHERE p = 1 ORDER BY c ASC, d DESC",
        "SELECT JSON v, m FROM ks.t WHERE p = 2 AND c <= 3 AND c > 0",
        "SELECT JSON s, v FROM ks.t WHERE p = 3 AND c = 2 AND d = 'b'",
        "SELECT DISTINCT p, s FROM ks.t",
        "SELECT p, count(*) AS n FROM ks.t GROUP BY p",
        "SELECT p, c FROM ks.t WHERE p IN (0, 3) AND c IN (1, 4) AND d = 'a'",
    ]
    .map(|query| rows(&mut session, query))
    .into()
}

fn step_between(
    directory: &Path,
    database: Database,
    between: Between,
    round: &mut usize,
) -> Database {
    match between {
        Between::Flush => database.flush().unwrap(),
        Between::Compact => {
            let table = database.table(Some("ks"), "t").unwrap();
            database.flush().unwrap();
            database.compact(&table, NOW).unwrap();
        }
        Between::Close | Between::Restart => {
            match between {
                Between::Close => database.close().unwrap(),
                _ => drop(database),
            }
            *round += 1;
            return Database::open(directory, setting(*round)).unwrap();
        }
    }
    database
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn answers_do_not_depend_on_what_is_between(steps in prop::collection::vec(step(), 1..80)) {
        let directories: Vec<_> = (0..DATABASES).map(|_| tempfile::tempdir().unwrap()).collect();
        let mut rounds: Vec<usize> = (0..DATABASES).collect();
        let mut databases: Vec<Option<Database>> = Vec::new();
        for (directory, round) in directories.iter().zip(&rounds) {
            let database = Database::open(directory.path(), setting(*round)).unwrap();
            run(&mut database.session(), &[SCHEMA[0], TABLE]);
            databases.push(Some(database));
        }
        for (i, step) in steps.iter().enumerate() {
            match step {
                Step::Write(statement) => {
                    // Time goes on: a database that is opened anew makes ids of list elements by it.
                    let now = micros(1 + i as i64);
                    for database in databases.iter().flatten() {
                        database.session().execute(statement, now).expect(statement);
                    }
                }
                Step::Between(of, between) => {
                    let database = databases[*of].take().unwrap();
                    let database = step_between(directories[*of].path(), database, *between, &mut rounds[*of]);
                    databases[*of] = Some(database);
                }
            }
            if i % 20 == 19 || i + 1 == steps.len() {
                let all: Vec<_> = databases.iter().flatten().map(answers).collect();
                prop_assert_eq!(&all[0], &all[1]);
                prop_assert_eq!(&all[0], &all[2]);
            }
        }
        // What is left is good.
        for (database, directory) in databases.into_iter().flatten().zip(&directories) {
            let expected = answers(&database);
            database.close().unwrap();
            let again = Database::open(directory.path(), setting(0)).unwrap();
            prop_assert_eq!(answers(&again), expected);
        }
    }
}
