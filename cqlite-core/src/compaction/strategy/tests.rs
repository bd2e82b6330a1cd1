//! Choices are those of Cassandra's own code for made-up SSTables.

use super::overlap_sets::{buckets, last_within_limit, overlap_sets};
use super::*;
use std::collections::BTreeMap;

/// What Cassandra answers.
const VECTORS: &str = include_str!("vectors.txt");

/// Questions of a kind, and answers.
fn vectors(kind: &str) -> Vec<(&'static str, &'static str)> {
    let lines = VECTORS.lines().filter_map(|line| {
        let (name, rest) = line.split_once(' ')?;
        let (question, answer) = rest.split_once("->")?;
        (name == kind).then(|| (question.trim(), answer.trim()))
    });
    let found: Vec<_> = lines.collect();
    assert!(!found.is_empty(), "{kind}");
    found
}

/// All numbers of a text.
fn numbers<N: std::str::FromStr>(text: &str) -> Vec<N> {
    let is_number = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.');
    let words = text.split(is_number);
    words.filter_map(|word| word.parse().ok()).collect()
}

fn candidate(id: u32, tokens: (i64, i64), bytes: u64) -> Candidate {
    let position = |token: i64| KeyPosition {
        token,
        key: token.to_be_bytes().to_vec(),
    };
    Candidate {
        id: SSTableId::Sequence(id),
        data_bytes: bytes,
        disk_bytes: bytes,
        level: 0,
        min_timestamp: i64::from(id),
        max_timestamp: i64::from(id),
        max_local_deletion_time: i64::MAX,
        first: position(tokens.0),
        last: position(tokens.1),
        token_space_coverage: f64::NAN,
        created_millis: 0,
        droppable_ratio: 0.0,
        is_busy: false,
    }
}

fn ask(strategy: &mut Strategy, live: &[Candidate], now: i64) -> Option<Vec<usize>> {
    choose(strategy, live, now).map(|choice| {
        let mut inputs = choice.inputs;
        inputs.sort_unstable();
        inputs
    })
}

fn choose(strategy: &mut Strategy, live: &[Candidate], now: i64) -> Option<Choice> {
    let members: Vec<usize> = (0..live.len()).collect();
    strategy.next(&Situation {
        live,
        members: &members,
        is_repaired: false,
        now,
        gc_before: now,
        min_timestamp_in_memory: None,
        flush_bytes: f64::NAN,
        has_numeric_tokens: true,
        share_outside: &|_, _| Some(0.5),
    })
}

fn strategy(options: &str, live: &[Candidate]) -> Strategy {
    let params = CompactionParams::parse_cql(options).unwrap();
    let members: Vec<usize> = (0..live.len()).collect();
    Strategy::new(&params, live, &members, 0)
}

#[test]
fn sizes_make_buckets() {
    for (question, answer) in vectors("buckets") {
        let (options, sizes) = question.split_once('[').unwrap();
        let options = numbers::<f64>(options);
        let sizes: Vec<u64> = numbers(sizes);
        let options = SizeTieredOptions {
            bucket_low: options[0],
            bucket_high: options[1],
            min_sstable_size: options[2] as u64,
        };
        let sizes: Vec<(usize, u64)> = sizes.into_iter().enumerate().collect();
        let buckets = options.buckets(&sizes).into_iter();
        let mut buckets: Vec<String> = buckets.map(|bucket| format!("{bucket:?}")).collect();
        buckets.sort();
        assert_eq!(format!("[{}]", buckets.join(", ")), answer, "{question}");
    }
}

#[test]
fn times_have_windows() {
    for (question, answer) in vectors("window") {
        let [unit, size, time] = question.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{question}");
        };
        let options = TimeWindowOptions {
            unit: WindowUnit::parse(unit).unwrap(),
            size: size.parse().unwrap(),
            ..TimeWindowOptions::default()
        };
        let (first, last) = options.window(time.parse().unwrap());
        assert_eq!(format!("{first} {last}"), answer, "{question}");
    }
}

#[test]
fn densities_have_shards_and_levels() {
    for (question, answer) in vectors("shards") {
        let numbers: Vec<f64> = numbers(question);
        let [min, base, target, growth, density] = numbers[..] else {
            panic!("{question}");
        };
        let options = UnifiedOptions {
            min_sstable_size: min as u64,
            base_shard_count: base as u32,
            target_sstable_size: target as u64,
            sstable_growth: growth,
            ..UnifiedOptions::default()
        };
        let count = options.shard_count(density).to_string();
        assert_eq!(count, answer, "{question}");
    }
    let params = CompactionParams::parse_cql(
        "{'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4, L8, N, 3, -5'}",
    );
    let StrategyOptions::Unified(options) = params.unwrap().strategy else {
        panic!("another strategy");
    };
    let lines = VECTORS.lines();
    let levels = lines.clone().filter(|line| line.starts_with("level "));
    for line in levels {
        let [level, fanout, threshold, _] = numbers::<i64>(line)[..] else {
            panic!("{line}");
        };
        let own = (
            options.fanout(level as usize),
            options.threshold(level as usize),
        );
        assert_eq!(own, (fanout as usize, threshold as usize), "{line}");
    }
    let mut density = options.base_density(64 << 20);
    for line in lines.filter(|line| line.starts_with("density ")) {
        let [level, max] = numbers::<f64>(line)[..] else {
            panic!("{line}");
        };
        density = options.max_density(level as usize, density);
        assert_eq!(density, max, "{line}");
    }
}

#[test]
fn shards_end_where_cassandras_do() {
    for (question, answer) in vectors("ends") {
        let count: u32 = question.parse().unwrap();
        let shards = Shards::new(count);
        let ends: Vec<i64> = (0..count).map_while(|shard| shards.end(shard)).collect();
        assert_eq!(ends, numbers::<i64>(answer), "{question}");
        for (shard, end) in ends.iter().enumerate() {
            assert_eq!(shards.of(*end), shard as u32);
            assert_eq!(shards.of(end + 1), shard as u32 + 1);
        }
    }
    for (question, answer) in vectors("span") {
        let [first, last] = numbers::<i64>(question)[..] else {
            panic!("{question}");
        };
        assert_eq!(
            tokens_share(first, last),
            answer.parse::<f64>().unwrap(),
            "{question}"
        );
    }
    // A share that lies in a shard, in half of one, and elsewhere.
    let shards = Shards::new(4);
    assert_eq!(shards.share(0, i64::MIN, i64::MIN + 5), 1.0);
    assert_eq!(shards.share(3, 0, i64::MAX), 0.5);
    assert_eq!(shards.share(1, 5, 6), 0.0);
}

#[test]
fn sstables_overlap_in_sets() {
    let header = VECTORS
        .lines()
        .find(|line| line.contains("constructOverlapSets"));
    let (_, intervals) = header.unwrap().split_once("of ").unwrap();
    let intervals = intervals.split(' ').enumerate().map(|(i, interval)| {
        let (from, to) = interval.split_once('-').unwrap();
        let tokens = (from.parse().unwrap(), to.parse().unwrap());
        candidate(i as u32, tokens, 1)
    });
    let live: Vec<Candidate> = intervals.collect();
    let all: Vec<usize> = (0..live.len()).collect();
    let sets = overlap_sets(&live, &all);
    assert_eq!(format!("{sets:?}"), vectors("sets")[0].1);
    for (question, answer) in vectors("inclusion") {
        let (method, threshold) = question.split_once(' ').unwrap();
        let inclusion = Inclusion::parse(method).unwrap();
        let buckets = buckets(threshold.parse().unwrap(), inclusion, &sets);
        assert_eq!(format!("{buckets:?}"), answer, "{question}");
    }
    for (question, answer) in vectors("pull") {
        let (limit, sorted) = question.split_once(" from ").unwrap();
        let sorted: Vec<usize> = numbers(sorted);
        let mut taken = last_within_limit(&sorted, &sets, limit.parse().unwrap());
        let mut expected: Vec<usize> = numbers(answer);
        taken.sort_unstable();
        expected.sort_unstable();
        assert_eq!(taken, expected, "{question}");
    }
}

#[test]
fn levels_have_sizes() {
    for (level, bytes) in vectors("maxbytes") {
        let most = max_bytes_of_level(level.parse().unwrap(), 10, 160 << 20);
        assert_eq!(most.to_string(), bytes);
    }
}

#[test]
fn options_are_refused_as_cassandra_does() {
    for (question, answer) in vectors("validate") {
        let words = question.trim_matches(['[', ']']);
        // Scaling parameters have commas, too.
        let words = words
            .replace("L8,N , -3", "L8;N;-3")
            .replace("T4, L8", "T4;L8");
        let words: Vec<&str> = words.split(", ").filter(|word| !word.is_empty()).collect();
        let pairs = words.chunks_exact(2);
        let map: BTreeMap<String, String> = pairs
            .map(|pair| (pair[0].to_owned(), pair[1].replace(';', ",")))
            .collect();
        let is_unsafe = map.contains_key("unsafe_aggressive_sstable_expiration");
        let message = match CompactionParams::of_map(map) {
            Ok(_) => "ok".to_owned(),
            Err(e) => e.message().to_owned(),
        };
        // There are no system properties that would have to allow it.
        match is_unsafe && answer.contains("restart cassandra") {
            true => assert_eq!(message, "ok"),
            false => assert_eq!(message, answer, "{question}"),
        }
    }
    for (text, bytes) in vectors("bytes") {
        assert_eq!(
            options::parse_bytes(text),
            Ok(bytes.parse().unwrap()),
            "{text}"
        );
    }
}

#[test]
fn options_are_kept() {
    let params = CompactionParams::parse_cql(
        "{'class': 'org.apache.cassandra.db.compaction.LeveledCompactionStrategy', 'sstable_size_in_mb': 10, \
         'fanout_size': '4', 'min_threshold': '3', 'enabled': false, 'only_purge_repaired_tombstones': 'true', \
         'tombstone_threshold': 0.5, 'tombstone_compaction_interval': 10, 'unchecked_tombstone_compaction': true}",
    )
    .unwrap();
    let expected = CompactionParams {
        strategy: StrategyOptions::Leveled(LeveledOptions {
            max_sstable_bytes: 10 << 20,
            fanout: 4,
            ..LeveledOptions::default()
        }),
        is_enabled: false,
        min_threshold: 3,
        max_threshold: 32,
        tombstones: TombstoneOptions {
            is_enabled: true,
            threshold: 0.5,
            interval: 10,
            is_unchecked: true,
        },
        only_purge_repaired_tombstones: true,
    };
    assert_eq!(params, expected);
    assert!(CompactionParams::parse_cql("{'class'}").is_err());
    assert!(CompactionParams::parse_cql("nothing").is_err());
}

#[test]
fn size_tiers_are_merged_when_there_are_enough() {
    let sizes = [100, 110, 90, 95, 1000, 1100, 900, 40, 1050];
    let mut live: Vec<Candidate> = sizes
        .iter()
        .enumerate()
        .map(|(i, mib)| candidate(i as u32, (0, 10), mib << 20))
        .collect();
    let mut tiers = strategy("{'class': 'SizeTieredCompactionStrategy'}", &live);
    // Of two that are ripe that of the larger ones.
    assert_eq!(ask(&mut tiers, &live, 0), Some(vec![4, 5, 6, 8]));
    live[4].is_busy = true;
    assert_eq!(ask(&mut tiers, &live, 0), Some(vec![0, 1, 2, 3]));
    live[0].is_busy = true;
    assert_eq!(ask(&mut tiers, &live, 0), None);
    // The smallest of too many.
    let many: Vec<Candidate> = (0..40)
        .map(|i| candidate(i, (0, 1), 100 - u64::from(i)))
        .collect();
    let mut tiers = strategy(
        "{'class': 'SizeTieredCompactionStrategy', 'max_threshold': 5}",
        &many,
    );
    assert_eq!(ask(&mut tiers, &many, 0), Some(vec![35, 36, 37, 38, 39]));
}

#[test]
fn an_sstable_of_tombstones_is_rewritten_alone() {
    let mut live = vec![
        candidate(1, (0, 10), 100 << 20),
        candidate(2, (5, 20), 500 << 20),
        candidate(3, (30, 40), 5000 << 20),
    ];
    let day = 86_400;
    let mut tiers = strategy("{'class': 'SizeTieredCompactionStrategy'}", &live);
    live[2].droppable_ratio = 0.2;
    assert_eq!(ask(&mut tiers, &live, day), None);
    live[2].droppable_ratio = 0.21;
    assert_eq!(ask(&mut tiers, &live, day), Some(vec![2]));
    // Too young.
    live[2].created_millis = 1;
    assert_eq!(ask(&mut tiers, &live, day), None);
    assert_eq!(ask(&mut tiers, &live, day + 1), Some(vec![2]));
    // Half of its keys are elsewhere, too.
    live[1].droppable_ratio = 0.4;
    live[2].is_busy = true;
    assert_eq!(ask(&mut tiers, &live, day), None);
    live[1].droppable_ratio = 0.41;
    assert_eq!(ask(&mut tiers, &live, day), Some(vec![1]));
    live[1].droppable_ratio = 0.3;
    let unchecked =
        "{'class': 'SizeTieredCompactionStrategy', 'unchecked_tombstone_compaction': true}";
    assert_eq!(
        ask(&mut strategy(unchecked, &live), &live, day),
        Some(vec![1])
    );
    // In windows it has to be asked for.
    let windows = "{'class': 'TimeWindowCompactionStrategy'}";
    live.iter_mut()
        .for_each(|candidate| candidate.max_timestamp *= 100_000_000_000);
    assert_eq!(ask(&mut strategy(windows, &live), &live, day), None);
    let asked = "{'class': 'TimeWindowCompactionStrategy', 'unchecked_tombstone_compaction': true}";
    assert_eq!(ask(&mut strategy(asked, &live), &live, day), Some(vec![1]));
}

#[test]
fn windows_are_merged_when_they_are_over() {
    const HOUR: i64 = 3_600_000_000;
    let options = "{'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS'}";
    let hours = [10, 10, 11, 12, 12, 12, 9];
    let mut live: Vec<Candidate> = hours
        .iter()
        .enumerate()
        .map(|(i, hour)| Candidate {
            max_timestamp: hour * HOUR + 5,
            ..candidate(i as u32, (0, 1), 100)
        })
        .collect();
    let mut windows = strategy(options, &live);
    // The newest has too few, the one before it one alone.
    assert_eq!(ask(&mut windows, &live, 0), Some(vec![0, 1]));
    live[2].is_busy = true;
    live[0].is_busy = true;
    assert_eq!(ask(&mut windows, &live, 0), None);
    live.push(Candidate {
        max_timestamp: 12 * HOUR,
        ..candidate(9, (0, 1), 100)
    });
    assert_eq!(ask(&mut windows, &live, 0), Some(vec![3, 4, 5, 7]));
    // What has died goes with whatever is merged, at most every ten minutes.
    live[6].max_local_deletion_time = 5;
    live[6].max_timestamp = -1;
    assert_eq!(ask(&mut windows, &live, 600), Some(vec![3, 4, 5, 7]));
    assert_eq!(ask(&mut windows, &live, 601), Some(vec![3, 4, 5, 6, 7]));
    live.iter_mut()
        .for_each(|candidate| candidate.is_busy = candidate.id != SSTableId::Sequence(6));
    assert_eq!(ask(&mut windows, &live, 602), None);
    assert_eq!(ask(&mut windows, &live, 1202), Some(vec![6]));
    // Not while it may hide something older.
    live[0].min_timestamp = -2;
    assert_eq!(ask(&mut windows, &live, 1900), None);
    let all = "{'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS', \
               'unsafe_aggressive_sstable_expiration': true}";
    let choice = choose(&mut strategy(all, &live), &live, 1900).unwrap();
    assert_eq!((choice.inputs, choice.ignores_overlaps), (vec![6], true));
}

#[test]
fn levels_are_filled_one_after_the_other() {
    let options =
        "{'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 1, 'fanout_size': 2}";
    let of_level = |id: u32, level: i32, tokens: (i64, i64)| Candidate {
        level,
        ..candidate(id, tokens, 1 << 20)
    };
    // Less than one SSTable's worth stays where it is.
    let live: Vec<Candidate> = (0..2).map(|i| candidate(i, (0, 10), 100)).collect();
    let choice = choose(&mut strategy(options, &live), &live, 0).unwrap();
    assert_eq!((choice.inputs.len(), choice.level), (2, 0));
    // More than that goes to level 1, with what it meets there.
    let live = vec![
        of_level(1, 1, (0, 10)),
        of_level(2, 1, (11, 20)),
        of_level(3, 0, (5, 8)),
        of_level(4, 0, (6, 9)),
        of_level(5, 0, (30, 40)),
    ];
    let mut levels = strategy(options, &live);
    let choice = choose(&mut levels, &live, 0).unwrap();
    let mut inputs = choice.inputs;
    inputs.sort_unstable();
    // All of level 0, and so what lies between the two ends of it.
    assert_eq!((inputs, choice.level), (vec![0, 1, 2, 3, 4], 1));
    assert_eq!(choice.split, Split::BySize(1 << 20));
    // A level that is too large comes first: what follows the last one that was taken.
    let live = vec![
        of_level(1, 1, (0, 10)),
        of_level(2, 1, (11, 20)),
        of_level(3, 1, (21, 30)),
        of_level(4, 2, (5, 15)),
        of_level(5, 0, (0, 40)),
        of_level(6, 0, (0, 40)),
    ];
    let mut levels = strategy(options, &live);
    assert_eq!(ask(&mut levels, &live, 0), Some(vec![2]));
    levels.replaced(&live[2..3], &[of_level(9, 2, (21, 30))]);
    assert_eq!(ask(&mut levels, &live, 0), Some(vec![0, 3]));
    // SSTables of one level that overlap are of level 0.
    let live = vec![of_level(1, 3, (0, 10)), of_level(2, 3, (10, 20))];
    let mut levels = strategy(options, &live);
    assert_eq!(ask(&mut levels, &live, 0), None);
    // Where level 0 is far behind it is merged by size, and stays.
    let live: Vec<Candidate> = (0..33).map(|i| of_level(i, 0, (0, 10))).collect();
    let mut crowded = live.clone();
    crowded
        .extend((0..3).map(|i| of_level(100 + i, 1, (i64::from(i) * 10, i64::from(i) * 10 + 5))));
    let mut levels = strategy(options, &crowded);
    let choice = choose(&mut levels, &crowded, 0).unwrap();
    assert_eq!(
        (choice.inputs.len(), choice.level, choice.split),
        (32, 0, Split::Never)
    );
}

#[test]
fn a_level_that_starves_takes_part() {
    let options =
        "{'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 1, 'fanout_size': 2}";
    let of_level = |id: u32, level: i32, tokens: (i64, i64)| Candidate {
        level,
        ..candidate(id, tokens, 1 << 20)
    };
    let live = vec![
        of_level(1, 1, (0, 100)),
        of_level(2, 1, (101, 200)),
        of_level(3, 1, (201, 300)),
        of_level(4, 5, (10, 20)),
        of_level(5, 5, (110, 120)),
        of_level(6, 5, (210, 220)),
    ];
    let mut levels = strategy(options, &live);
    for round in 1..=30 {
        let inputs = ask(&mut levels, &live, 0).unwrap();
        assert_eq!(inputs.len(), if round > 25 { 2 } else { 1 }, "{round}");
    }
}

#[test]
fn overlapping_sstables_of_a_density_are_merged() {
    let options = "{'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4, N', 'base_shard_count': 2, \
                   'min_sstable_size': '0B', 'target_sstable_size': '100MiB'}";
    const ALL: (i64, i64) = (i64::MIN + 1, i64::MAX);
    let mut live: Vec<Candidate> = (0..4).map(|i| candidate(i, ALL, 1 << 20)).collect();
    let mut unified = strategy(options, &live);
    let choice = choose(&mut unified, &live, 0).unwrap();
    assert_eq!(choice.inputs.len(), 4);
    assert_eq!(choice.split, Split::ByShard(Shards::new(2)));
    live[3].is_busy = true;
    assert_eq!(ask(&mut unified, &live, 0), None);
    // In the next level two are enough.
    live.push(candidate(10, ALL, 8 << 20));
    live.push(candidate(11, ALL, 8 << 20));
    // Where most overlaps is looked at alone: three of the first level are more, and too few.
    assert_eq!(ask(&mut unified, &live, 0), None);
    live.remove(0);
    live.remove(0);
    assert_eq!(ask(&mut unified, &live, 0), Some(vec![2, 3]));
    // Far behind: as if it had kept pace, the oldest first.
    let live: Vec<Candidate> = (0..23).map(|i| candidate(i, ALL, 1 << 20)).collect();
    let mut unified = strategy(options, &live);
    assert_eq!(ask(&mut unified, &live, 0), Some((0..16).collect()));
    let leveled = options.replace("T4, N", "L4");
    let mut unified = strategy(&leveled, &live);
    assert_eq!(ask(&mut unified, &live, 0), Some((0..16).collect()));
}

/// What Cassandra chooses.
const CHOICES: &str = include_str!("choices.txt");

/// Two options, made-up SSTables and what is chosen of them.
fn choices(kind: &str, check: impl Fn(&str, &[Candidate], &str)) {
    let mut count = 0;
    for line in CHOICES.lines() {
        let Some(line) = line.strip_prefix(kind).and_then(|l| l.strip_prefix(' ')) else {
            continue;
        };
        count += 1;
        let (question, answer) = line.split_once("->").unwrap();
        let (options, sstables): (Vec<&str>, Vec<&str>) = question
            .split_whitespace()
            .partition(|word| !word.contains(':'));
        let live = sstables.iter().map(|word| {
            let fields: Vec<&str> = word.split(':').collect();
            let [id, level, first, last, bytes, timestamp] = fields[..6] else {
                panic!("{word}");
            };
            let tokens = (first.parse().unwrap(), last.parse().unwrap());
            Candidate {
                level: level.parse().unwrap(),
                max_timestamp: timestamp.parse().unwrap(),
                is_busy: fields.len() > 6,
                ..candidate(id.parse().unwrap(), tokens, bytes.parse().unwrap())
            }
        });
        check(&options.join(" "), &live.collect::<Vec<_>>(), answer.trim());
    }
    assert!(count > 5, "{kind}");
}

#[test]
fn choices_are_cassandras() {
    choices("lcs", |fanout, live, answer| {
        let options = format!(
            "{{'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 1, 'fanout_size': {fanout}, \
             'tombstone_threshold': 1}}"
        );
        // Nothing was compacted before.
        let params = CompactionParams::parse_cql(&options).unwrap();
        let mut levels = Strategy::new(&params, &[], &[], 0);
        let chosen = choose(&mut levels, live, 0).map_or("none".into(), |mut choice| {
            choice.inputs.sort_unstable();
            format!("{:?} {}", choice.inputs, choice.level)
        });
        assert_eq!(chosen, answer, "fanout {fanout}, {live:?}");
    });
    for (kind, class) in [
        ("stcs", "'SizeTieredCompactionStrategy'"),
        (
            "twcs",
            "'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS'",
        ),
    ] {
        choices(kind, |thresholds, live, answer| {
            let (min, max) = thresholds.split_once(' ').unwrap();
            let options =
                format!("{{'class': {class}, 'min_threshold': {min}, 'max_threshold': {max}}}");
            let chosen = ask(&mut strategy(&options, live), live, 0).unwrap_or_default();
            assert_eq!(format!("{chosen:?}"), answer, "{thresholds}, {live:?}");
        });
    }
    choices("ucs", |options, live, answer| {
        let (limit, scaling) = options.split_once(' ').unwrap();
        let options = format!(
            "{{'class': 'UnifiedCompactionStrategy', 'scaling_parameters': '{scaling}', 'min_sstable_size': '0B', \
             'flush_size_override': '1MiB', 'max_sstables_to_compact': {limit}}}"
        );
        let chosen = ask(&mut strategy(&options, live), live, 0);
        let chosen = chosen.map_or("none".into(), |chosen| format!("{chosen:?}"));
        assert_eq!(chosen, answer, "{options}, {live:?}");
    });
}
