//! What stands in the documentation and is the code's: a test keeps it.

use std::{
    env, fs,
    path::Path,
    sync::{Mutex, PoisonError},
    thread,
};

/// One at a time: two tables in one file are written by two tests at once.
static WRITING: Mutex<()> = Mutex::new(());

/// A row: what goes wrong, what becomes of each stage, and which test proves it.
pub(crate) type Proved = (&'static str, Vec<&'static str>, &'static str);

/// The table of docs/reliability.md that is called so has these rows.
pub(crate) fn documented(name: &str, stages: &[&str], rows: impl Iterator<Item = Proved>) {
    let mut table =
        format!("| trouble | {} | test |\n{}|\n", stages.join(" | "), "|---".repeat(stages.len() + 2));
    for (trouble, cells, test) in rows {
        table += &format!("| {trouble} | {} | `{test}` |\n", cells.join(" | "));
    }
    kept("docs/reliability.md", name, &table);
}

/// What stands on a page between `<!-- NAME -->` and the next `<!-- end -->` is this text; with NETDR_UPDATE it is written
/// anew.
#[track_caller]
pub(crate) fn kept(page: &str, name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let begin = format!("<!-- {name} -->\n");
    let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let whole = fs::read_to_string(&file).unwrap();
    let (before, rest) = whole.split_once(&begin).unwrap();
    let (written, after) = rest.split_once("<!-- end -->").unwrap();
    if env::var_os("NETDR_UPDATE").is_some() {
        fs::write(file, format!("{before}{begin}{text}<!-- end -->{after}")).unwrap();
    } else {
        let test = thread::current().name().unwrap_or_default().to_owned();
        assert!(written == text, "write {page} anew: NETDR_UPDATE=1 cargo test --test integration {test}");
    }
}
