//! What SSTables say of the log: which part of it they have, and whose it is.

use super::*;
use crate::sstable::component::statistics::CommitLogPosition;

/// Of each SSTable of `ks.t`, from the oldest on.
fn intervals(database: &Database) -> Vec<Vec<(CommitLogPosition, CommitLogPosition)>> {
    let view = database.table(Some("ks"), "t").unwrap().view();
    let mut sstables: Vec<_> = view.reader().sstables().cloned().collect();
    sstables.sort_by_key(|sstable| sstable.descriptor().id.clone());
    let sstables = sstables.iter().map(|sstable| {
        let stats = sstable.statistics().stats.as_ref().unwrap();
        assert_eq!(stats.originating_host_id, Some(database.inner.host_id));
        let intervals = stats.commit_log_intervals.clone();
        let ends = intervals.first().zip(intervals.last());
        let none = CommitLogPosition::NONE;
        assert_eq!(
            (stats.commit_log_lower, stats.commit_log_upper),
            ends.map_or((Some(none), none), |(a, b)| (Some(a.0), b.1))
        );
        intervals
    });
    sstables.collect()
}

#[test]
fn flushes_and_compactions_tell_their_part_of_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &SCHEMA);
    let created = database.inner.log.position();
    let mut ends = Vec::new();
    for statement in [
        "INSERT INTO t (p, c, v) VALUES (1, 1, 'a')",
        "INSERT INTO t (p, c, v) VALUES (2, 1, 'b')",
        "DELETE FROM t WHERE p = 1",
    ] {
        run(&mut session, &["INSERT INTO other (k, v) VALUES ('x', 1)"]);
        run(&mut session, &[statement]);
        ends.push(database.inner.log.position());
        database.flush().unwrap();
        // Nothing was written meanwhile.
        database.flush().unwrap();
    }
    let [a, b, c] = ends[..] else { unreachable!() };
    assert!(created < a && a < b && b < c);
    let [first, second, third] = &intervals(&database)[..] else {
        panic!("three flushes")
    };
    let start = first[0].0;
    assert!(start <= created);
    assert_eq!(
        (&first[..], &second[..], &third[..]),
        (&[(start, a)][..], &[(a, b)][..], &[(b, c)][..])
    );

    // A flush that nobody gives a position leaves the next one to tell both parts; an altered table goes on as it was.
    let insert = "INSERT INTO t (p, c, v) VALUES (3, 1, 'c')";
    run(&mut session, &[insert]);
    let table = database.table(Some("ks"), "t").unwrap();
    table.flush().unwrap();
    drop(table);
    run(&mut session, &["ALTER TABLE t ADD n int", insert]);
    let d = database.inner.log.position();
    database.flush().unwrap();
    assert_eq!(intervals(&database)[3..], [vec![], vec![(c, d)]]);

    // Of what is compacted all is kept, also of an SSTable that has expired whole (that of the deletion may).
    let table = database.table(Some("ks"), "t").unwrap();
    database.compact(&table, NOW + 10).unwrap();
    drop((table, session));
    assert_eq!(intervals(&database), [[(start, d)]]);

    // What is replayed is of a log that is gone then.
    let mut session = database.session();
    run(&mut session, &["INSERT INTO ks.t (p, c) VALUES (4, 1)"]);
    let crashed = crash(directory.path());
    drop(session);
    let again = open(crashed.path());
    assert_eq!(intervals(&again), [vec![(start, d)], vec![]]);
    let begun = again.inner.log.position();
    run(
        &mut again.session(),
        &["INSERT INTO ks.t (p, c) VALUES (5, 1)"],
    );
    again.flush().unwrap();
    let [.., last] = &intervals(&again)[..] else {
        unreachable!()
    };
    assert!(last.len() == 1 && last[0].0 <= begun && begun < last[0].1);
    assert!(d < last[0].0);
}

/// SSTables of others keep what they say of another log; of a mixture only what is of one's own is told.
#[test]
fn logs_of_others_are_not_mixed_in() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &SCHEMA);
    for p in 0..2 {
        let insert = format!("INSERT INTO t (p, c) VALUES ({p}, 1)");
        run(&mut session, &[&insert]);
        database.flush().unwrap();
    }
    let foreign = intervals(&database);
    let foreign = (foreign[0][0].0, foreign[1][0].1);
    let host = database.inner.host_id;
    drop(session);
    database.close().unwrap();

    // Another host's from here on.
    fs::remove_file(directory.path().join(OWN_DIRECTORY).join("host_id")).unwrap();
    let database = open(directory.path());
    assert_ne!(database.inner.host_id, host);
    let table = database.table(Some("ks"), "t").unwrap();
    let stats = || {
        let view = table.view();
        let sstables: Vec<_> = view.reader().sstables().cloned().collect();
        let [sstable] = &sstables[..] else {
            panic!("one SSTable")
        };
        let stats = sstable.statistics().stats.as_ref().unwrap();
        (
            stats.originating_host_id,
            stats.commit_log_intervals.clone(),
        )
    };
    database.compact(&table, NOW).unwrap();
    assert_eq!(stats(), (Some(host), vec![foreign]));
    run(
        &mut database.session(),
        &["INSERT INTO ks.t (p, c) VALUES (9, 1)"],
    );
    let end = database.inner.log.position();
    database.flush().unwrap();
    database.compact(&table, NOW).unwrap();
    let (host, own) = stats();
    assert_eq!(host, Some(database.inner.host_id));
    assert!(own.len() == 1 && own[0].1 == end && own[0].0 > foreign.1);
}
