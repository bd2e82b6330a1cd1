//! `level-reset` and `relevel`: the levels of SSTables, in their Statistics.db.
//!
//! Authority: `o.a.c.tools.{SSTableLevelResetter,SSTableOfflineRelevel}`.

use crate::args::{LevelResetArgs, RelevelArgs};
use crate::cmd::{open, tables_of};
use crate::failure::Failure;
use crate::output::Out;
use cqlite_core::sstable::component::statistics::Statistics;
use cqlite_core::sstable::{Component, Descriptor, OpenOptions, SSTable};
use cqlite_core::{Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

fn level(sstable: &SSTable) -> i32 {
    let stats = sstable.statistics().stats.as_ref();
    stats.map_or(0, |stats| stats.level)
}

/// Sets the level of all SSTables to 0.
pub fn reset(args: &LevelResetArgs) -> Result<(), Failure> {
    let mut out = Out::stdout()?;
    let mut found = false;
    for table in tables_of(&args.of)? {
        for descriptor in table.readable()? {
            found = true;
            let sstable = SSTable::open_descriptor(descriptor.clone(), &OpenOptions::default())?;
            let data = descriptor.path(&Component::Data);
            let data = data.display();
            let line = match level(&sstable) {
                level if level > 0 => {
                    Statistics::mutate(descriptor, |stats| stats.level = 0)?;
                    format!("Changing level from {level} to 0 on {data}\n")
                }
                _ => format!("Skipped {data} since it is already on level 0\n"),
            };
            out.text.extend_from_slice(line.as_bytes());
            out.flush()?;
        }
    }
    if !found {
        let line = "Found no sstables, did you give the correct keyspace/table?\n";
        out.text.extend_from_slice(line.as_bytes());
    }
    out.flush()
}

/// An SSTable with what its level depends on.
struct Member {
    descriptor: Descriptor,
    sstable: Arc<SSTable>,
    first: Vec<u8>,
    last: Vec<u8>,
}

/// Puts SSTables that do not overlap into the same level, and those that are too many into level 0.
pub fn relevel(args: &RelevelArgs) -> Result<(), Failure> {
    let mut directories: BTreeMap<PathBuf, Vec<Member>> = BTreeMap::new();
    for table in tables_of(&args.of)? {
        for descriptor in table.readable()? {
            let member = member(descriptor)?;
            let directory = table.directory.clone();
            directories.entry(directory).or_default().push(member);
        }
    }
    let mut out = Out::stdout()?;
    if directories.is_empty() {
        let names: Vec<String> = args
            .of
            .paths
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        let line = format!("No sstables to relevel for {}\n", names.join("."));
        out.text.extend_from_slice(line.as_bytes());
        out.flush()?;
        return Err(Failure::Said(2));
    }
    for (directory, members) in directories {
        let heading = format!("For sstables in {}:\n", directory.display());
        out.text.extend_from_slice(heading.as_bytes());
        relevel_directory(members, args.dry_run, &mut out)?;
    }
    out.flush()
}

fn member(descriptor: &Descriptor) -> Result<Member, Failure> {
    let sstable = open(descriptor)?;
    let keys = sstable
        .partition_index()?
        .map(|index| index.first_and_last_key())
        .transpose()?
        .flatten();
    let (first, last) = keys.ok_or_else(|| {
        Error::not_found("without an index its first and last key are not known")
            .in_file(&descriptor.path(&Component::Data))
    })?;
    Ok(Member {
        descriptor: descriptor.clone(),
        first: first.to_vec(),
        last: last.to_vec(),
        sstable,
    })
}

fn relevel_directory(
    mut members: Vec<Member>,
    dry_run: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut print = |line: String| out.text.extend_from_slice(line.as_bytes());
    let most = members.iter().map(|m| level(&m.sstable)).max().unwrap_or(0);
    print("Current leveling:\n".into());
    for wanted in 0..=most {
        let count = members
            .iter()
            .filter(|m| level(&m.sstable) == wanted)
            .count();
        print(format!("L{wanted}={count}\n"));
    }
    let expected = (members.len() as f64).log10().ceil() as usize;
    let partitioner = members[0].sstable.partitioner().clone();
    members.sort_by(|a, b| partitioner.compare_keys(&a.last, &b.last));
    // The highest level first.
    let mut levels: Vec<Vec<Member>> = Vec::new();
    while !members.is_empty() {
        let (mut level, mut rest): (Vec<Member>, Vec<Member>) = (Vec::new(), Vec::new());
        for member in members {
            let follows = level
                .last()
                .is_none_or(|last| partitioner.compare_keys(&last.last, &member.first).is_lt());
            match follows {
                true => level.push(member),
                false => rest.push(member),
            }
        }
        levels.push(level);
        members = rest;
    }
    let lowest: Vec<Member> = match levels.len() > expected {
        true => levels.split_off(expected).into_iter().flatten().collect(),
        false => Vec::new(),
    };
    print(match dry_run {
        true => "Potential leveling: \n".into(),
        false => "New leveling: \n".into(),
    });
    print(format!("L0={}\n", lowest.len()));
    for (i, level) in levels.iter().rev().enumerate() {
        print(format!("L{}={}\n", i + 1, level.len()));
    }
    out.flush()?;
    if dry_run {
        return Ok(());
    }
    let numbered = levels.iter().rev().zip(1..);
    for (members, new) in std::iter::once((&lowest, 0)).chain(numbered) {
        for member in members {
            if level(&member.sstable) != new {
                Statistics::mutate(&member.descriptor, |stats| stats.level = new)?;
            }
        }
    }
    Ok(())
}
