//! The mutations of a log as JSON.

use super::{Filter, Tables};
use crate::args::CommitlogArgs;
use crate::cmd::dump::Context;
use crate::cmd::dump::json::JsonPrinter;
use crate::cmd::dump::layout::Lines;
use crate::failure::Failure;
use crate::output::Out;
use cqlite_core::Error;
use cqlite_core::commitlog::{LogReader, MutationReader, TableId, Update, UpdateSource};
use cqlite_core::model::{PartitionSource, StreamHeader};
use cqlite_core::types::write_json_string;
use std::collections::HashMap;

fn write_id(id: &TableId, text: &mut Vec<u8>) {
    let digits: String = id.iter().map(|b| format!("{b:02x}")).collect();
    write_json_string(&digits, text);
}

/// Prints the mutations; returns how many updates were of unknown tables.
pub fn print(
    args: &CommitlogArgs,
    log: &mut LogReader,
    schema: &Tables,
    filter: &Filter,
    now: i64,
    out: &mut Out,
) -> Result<u64, Failure> {
    let headers: HashMap<TableId, StreamHeader> = schema
        .iter()
        .map(|(id, table)| (*id, StreamHeader::of_table(table)))
        .collect();
    let mut printers = HashMap::new();
    let mut mutations = MutationReader::new(|id| schema.get(id).cloned());
    let mut unknown = 0;
    while log.advance()? {
        let Some((segment, record)) = log.record() else {
            break;
        };
        let version = segment.descriptor().version;
        let start = out.text.len();
        let mut failed = None;
        let mut shown = 0;
        let read = mutations.each_update(version, record.mutation, |update| {
            if failed.is_some() {
                return Ok(());
            }
            let id = match &update {
                Update::Known { table, .. } => table.id.unwrap_or_default(),
                Update::Unknown { table, .. } => *table,
            };
            if !filter.shows(&id) {
                return Ok(());
            }
            let text = &mut out.text;
            if shown == 0 {
                text.extend_from_slice(br#"{"segment":"#);
                let name = segment.path().file_name().unwrap_or_default();
                write_json_string(&name.to_string_lossy(), text);
                let (at, size) = (record.start, record.mutation.len());
                text.extend_from_slice(
                    format!(r#","position":{at},"size":{size},"keyspace":"#).as_bytes(),
                );
                match &update {
                    Update::Known { table, .. } => write_json_string(&table.keyspace, text),
                    Update::Unknown { .. } => text.extend_from_slice(b"null"),
                }
                text.extend_from_slice(br#","updates":["#);
            } else {
                text.push(b',');
            }
            shown += 1;
            match update {
                Update::Unknown { table, bytes } => {
                    unknown += 1;
                    text.extend_from_slice(br#"{"id":"#);
                    write_id(&table, text);
                    text.extend_from_slice(format!(r#","bytes":{bytes}}}"#).as_bytes());
                }
                Update::Known { table, source } => {
                    let printer = printers.entry(id).or_insert_with(|| {
                        let context = Context {
                            header: &headers[&id],
                            is_index: false,
                            now,
                            raw_timestamps: args.raw_timestamps,
                        };
                        let mut prefix = br#"{"table":"#.to_vec();
                        write_json_string(&table.name, &mut prefix);
                        prefix.extend_from_slice(br#","id":"#);
                        write_id(&id, &mut prefix);
                        prefix.push(b',');
                        JsonPrinter::<Lines>::within(&context, &prefix)
                    });
                    failed = partition(printer, source, out).err();
                }
            }
            Ok(())
        });
        let placed = |e: Error| record.place(e, segment.path());
        let done = match failed {
            Some(failure) => Err(failure.placed(placed)),
            None => read.map_err(|e| placed(e).into()),
        };
        if let Err(failure) = done {
            // Half a line is of no use, unless it is so long that its start is written.
            out.text.truncate(start);
            return Err(failure);
        }
        if shown > 0 {
            out.text.extend_from_slice(b"]}\n");
        }
        out.drain()?;
    }
    Ok(unknown)
}

fn partition(
    printer: &mut JsonPrinter<'_, Lines>,
    source: &mut UpdateSource<'_>,
    out: &mut Out,
) -> Result<(), Failure> {
    while source.next_partition()? {
        printer.partition(source, out)?;
    }
    Ok(())
}
