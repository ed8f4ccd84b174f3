//! The pages of the documentation, and the fenced blocks that stand in them.
//!
//! In: README.md and docs/. Out: of each page its prose, in which every block is blank, and its blocks, without the
//! indentation of a list. Lines keep their numbers.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

pub(crate) struct Page {
    /// From the repository's root.
    pub(crate) name: String,
    pub(crate) prose: String,
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block.
pub(crate) struct Block {
    pub(crate) page: String,
    /// The heading that it stands under.
    pub(crate) heading: String,
    /// Of its first line.
    line: usize,
    language: String,
    pub(crate) text: String,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.page, self.line)
    }
}

impl Block {
    /// It names no language, or that of a shell: whatever is no command names its language, or is ```text.
    pub(crate) fn is_of_commands(&self) -> bool {
        matches!(self.language.as_str(), "" | "sh" | "bash" | "shell" | "console")
    }

    /// Without its remark.
    pub(crate) fn first_line(&self) -> &str {
        let line = self.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        line.split(" #").next().unwrap().trim()
    }

    /// Its commands of one line, without remarks and without what a list or a pipe adds.
    pub(crate) fn commands(&self) -> Vec<String> {
        let lines = self.text.lines().map(|line| line.split(" #").next().unwrap());
        let each = lines.flat_map(|line| line.split("&&").flat_map(|part| part.split("; ")));
        each.map(|command| command.trim().to_owned()).collect()
    }
}

/// The text of the first block that stands under a heading of a page.
pub(crate) fn block(page: &str, heading: &str) -> String {
    let found = pages().into_iter().filter(|one| one.name == page).flat_map(|one| one.blocks);
    let found = found.into_iter().find(|block| block.heading == heading);
    found.unwrap_or_else(|| panic!("{page} has no block under \"{heading}\"")).text
}

/// Every page, in order.
pub(crate) fn pages() -> Vec<Page> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md")];
    walk(&root.join("docs"), &mut found);
    found.sort();
    let name = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    found.iter().map(|path| page(&name(path), &fs::read_to_string(path).unwrap())).collect()
}

fn page(name: &str, text: &str) -> Page {
    let mut page = Page { name: name.into(), prose: String::new(), blocks: Vec::new() };
    let mut heading = "";
    let mut inside: Option<(usize, Block)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match (line.trim_start().strip_prefix("```"), &mut inside) {
            (Some(language), None) => {
                let (heading, language) = (heading.to_owned(), language.trim().to_owned());
                let block =
                    Block { page: name.into(), heading, line: number + 2, language, text: String::new() };
                inside = Some((indent, block));
            }
            (Some(_), Some(_)) => page.blocks.extend(inside.take().map(|(_, block)| block)),
            (None, Some((indent, block))) => {
                block.text += line.get(*indent..).unwrap_or_else(|| line.trim_start());
                block.text.push('\n');
            }
            (None, None) => {
                if line.starts_with('#') {
                    heading = line.trim_start_matches('#').trim();
                }
                page.prose += line;
            }
        }
        page.prose.push('\n');
    }
    assert!(inside.is_none(), "{name}: a block does not end");
    page
}

#[test]
fn prose_and_blocks_are_told_apart() {
    let text =
        "a `netdr x` b\n## One\n1. c\n   ```\n   netdr y   # z\n     more\n   ```\n```yaml\nnot: this\n```\n";
    let page = page("p.md", text);
    let [commands, other] = &page.blocks[..] else { panic!("{}", page.blocks.len()) };
    assert_eq!((commands.text.as_str(), commands.line), ("netdr y   # z\n  more\n", 5));
    assert_eq!((commands.first_line(), commands.heading.as_str()), ("netdr y", "One"));
    assert!(commands.is_of_commands() && !other.is_of_commands());
    assert!(page.prose.contains("`netdr x`") && !page.prose.contains("not: this"), "{}", page.prose);
    assert_eq!(page.prose.lines().count(), text.lines().count());
}
