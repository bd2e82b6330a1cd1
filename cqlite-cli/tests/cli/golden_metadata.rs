//! `metadata` prints what Cassandra's sstablemetadata printed, byte for byte, for every golden table.

use crate::support::{children, cqlite, difference, golden, name, tables_with};

#[test]
fn every_golden_metadata() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    let root = std::path::absolute(golden()).unwrap();
    let prefix = format!("SSTable: {}/", root.display());
    for table in tables_with("metadata") {
        let texts = root.join(&table).join("metadata");
        let now = [texts.join("now"), root.join(&table).join("dump/now")];
        let now = now
            .iter()
            .find_map(|file| std::fs::read_to_string(file).ok());
        let now = now.unwrap();
        for path in children(&texts) {
            let Some(sstable) = name(&path).strip_suffix(".txt") else {
                continue;
            };
            let run = cqlite()
                .args(["metadata", "--now", now.trim()])
                .arg(root.join(&table).join(format!("{sstable}-Statistics.db")))
                .output()
                .unwrap();
            compared += 1;
            // In the expected text the path is cut to its part below the golden folder.
            let got = String::from_utf8(run.stdout).unwrap();
            let got = got.replacen(&prefix, "SSTable: ", 1);
            let expected = std::fs::read_to_string(&path).unwrap();
            // Without a filter Cassandra wrote Summary.db, where the keys are, only after this text was taken.
            let late_summary = table.ends_with("no_filter") && !expected.contains("First token");
            let no_tokens = |line: &&str| !late_summary || !line.contains(" token: ");
            let got: String = got.split_inclusive('\n').filter(no_tokens).collect();
            if let Some(difference) = difference(got.as_bytes(), expected.as_bytes()) {
                let err = String::from_utf8_lossy(&run.stderr);
                wrong.push(format!("{}: {difference}\n{err}", path.display()));
            } else if run.status.code() != Some(0) {
                wrong.push(format!("{}: {:?}", path.display(), run.status));
            }
        }
    }
    assert!(compared > 500, "only {compared} golden texts");
    let (n, wrong) = (wrong.len(), wrong.join("\n"));
    assert!(n == 0, "{n} of {compared} differ:\n{wrong}");
}
