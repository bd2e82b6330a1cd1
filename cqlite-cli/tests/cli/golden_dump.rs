//! `dump` prints what Cassandra's sstabledump printed, byte for byte, for every golden table in all five forms.

use crate::support::{children, cqlite, difference, golden, name, tables_with};

/// File name suffixes of the forms, and the options that ask for them.
const FORMS: [(&str, &[&str]); 5] = [
    (".lines.json", &["-l"]),
    (".keys.json", &["-e"]),
    (".raw.json", &["-t"]),
    (".debug.txt", &["-d"]),
    (".json", &[]),
];

#[test]
fn every_golden_dump() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for table in tables_with("dump") {
        let dumps = golden().join(&table).join("dump");
        let now = std::fs::read_to_string(dumps.join("now")).unwrap();
        for path in children(&dumps) {
            // What sstabledump itself fails on has a `.failure`.
            let form = |(suffix, options): &(&'static str, &'static [&'static str])| {
                Some((name(&path).strip_suffix(suffix)?.to_owned(), *options))
            };
            let Some((sstable, options)) = FORMS.iter().find_map(form) else {
                continue;
            };
            let run = cqlite()
                .current_dir(golden())
                .args(["dump", "--now", now.trim()])
                .args(options)
                .arg(table.join(format!("{sstable}-Data.db")))
                .output()
                .unwrap();
            compared += 1;
            let expected = std::fs::read(&path).unwrap();
            if let Some(difference) = difference(&run.stdout, &expected) {
                let err = String::from_utf8_lossy(&run.stderr);
                wrong.push(format!("{}: {difference}\n{err}", path.display()));
            } else if run.status.code() != Some(0) {
                wrong.push(format!("{}: {:?}", path.display(), run.status));
            }
        }
    }
    assert!(compared > 1500, "only {compared} golden dumps");
    let (n, wrong) = (wrong.len(), wrong.join("\n"));
    assert!(n == 0, "{n} of {compared} differ:\n{wrong}");
}
