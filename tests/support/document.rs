//! Tables of docs/reliability.md that a test keeps.

use std::{env, fs, path::Path, sync::Mutex};

/// One at a time: two tables in one file are written by two tests at once.
static WRITING: Mutex<()> = Mutex::new(());

/// A row: what goes wrong, what becomes of each stage, and which test proves it.
pub(crate) type Proved = (&'static str, Vec<&'static str>, &'static str);

/// What stands between `<!-- NAME -->` and the next `<!-- end -->` is the table of these rows; with NETDR_UPDATE it is
/// written anew.
pub(crate) fn documented(name: &str, stages: &[&str], rows: impl Iterator<Item = Proved>) {
    let mut table =
        format!("| trouble | {} | test |\n{}|\n", stages.join(" | "), "|---".repeat(stages.len() + 2));
    for (trouble, cells, test) in rows {
        table += &format!("| {trouble} | {} | `{test}` |\n", cells.join(" | "));
    }
    let _one = WRITING.lock().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let text = fs::read_to_string(&file).unwrap();
    let begin = format!("<!-- {name} -->\n");
    let (before, rest) = text.split_once(&begin).unwrap();
    let (written, after) = rest.split_once("<!-- end -->").unwrap();
    if env::var_os("NETDR_UPDATE").is_some() {
        fs::write(file, format!("{before}{begin}{table}<!-- end -->{after}")).unwrap();
    } else {
        assert_eq!(written, table);
    }
}
