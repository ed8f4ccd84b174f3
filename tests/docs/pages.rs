//! The pages, and the commands that stand in them.
//!
//! In: README.md and docs/. Out: fenced blocks that name no language, or `sh`, and inline code that begins with `netdr`
//! or `make`. Whatever is no command names its language, or is ```text.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// A fenced block of commands.
pub(super) struct Block {
    /// From the repository's root.
    pub(super) page: String,
    /// Of its first line.
    line: usize,
    /// Without the indentation of a list.
    pub(super) text: String,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.page, self.line)
    }
}

impl Block {
    /// Without its remark.
    pub(super) fn first_line(&self) -> &str {
        let line = self.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        line.split(" #").next().unwrap().trim()
    }

    /// Its commands of one line, without remarks and without what a list or a pipe adds.
    pub(super) fn commands(&self) -> Vec<String> {
        let lines = self.text.lines().map(|line| line.split(" #").next().unwrap());
        let each = lines.flat_map(|line| line.split("&&").flat_map(|part| part.split("; ")));
        each.map(|command| command.trim().to_owned()).collect()
    }
}

/// The repository's root.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every block of commands, page by page.
pub(super) fn blocks() -> Vec<Block> {
    pages().into_iter().flat_map(|(page, text)| fenced(&page, &text).0).collect()
}

/// Every command in a line of text: page, line, code.
pub(super) fn inline() -> Vec<(String, usize, String)> {
    let mut found = Vec::new();
    for (page, text) in pages() {
        let prose = fenced(&page, &text).1;
        // Code may go on in the next line; an odd number of marks before it means that it is inside.
        let parts = prose.split('`').collect::<Vec<_>>();
        let mut line = 1;
        for (number, part) in parts.iter().enumerate() {
            if number % 2 == 1 && (part.starts_with("netdr ") || part.starts_with("make ")) {
                found.push((page.clone(), line, part.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            line += part.matches('\n').count();
        }
    }
    found
}

fn pages() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![root().join("README.md")];
    walk(&root().join("docs"), &mut found);
    found.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The blocks of commands of a page, and the page with every block blank.
fn fenced(page: &str, text: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut prose) = (Vec::new(), String::new());
    let mut inside: Option<(usize, &str, Block)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match (line.trim_start().strip_prefix("```"), &mut inside) {
            (Some(language), None) => {
                let block = Block { page: page.into(), line: number + 2, text: String::new() };
                inside = Some((indent, language.trim(), block));
            }
            (Some(_), Some(_)) => {
                let (_, language, block) = inside.take().unwrap();
                if matches!(language, "" | "sh" | "bash" | "shell" | "console") {
                    blocks.push(block);
                }
            }
            (None, Some((indent, _, block))) => {
                block.text += line.get(*indent..).unwrap_or_else(|| line.trim_start());
                block.text.push('\n');
            }
            (None, None) => prose += line,
        }
        prose.push('\n');
    }
    assert!(inside.is_none(), "{page}: a block does not end");
    (blocks, prose)
}

#[test]
fn blocks_and_inline_commands_are_found() {
    let page = "a `netdr x` b\n1. c\n   ```\n   netdr y   # z\n     more\n   ```\n```yaml\nnot: this\n```\n";
    let (blocks, prose) = fenced("p.md", page);
    assert_eq!(blocks.len(), 1);
    assert_eq!((blocks[0].text.as_str(), blocks[0].line), ("netdr y   # z\n  more\n", 4));
    assert_eq!(blocks[0].first_line(), "netdr y");
    assert!(prose.contains("`netdr x`") && !prose.contains("not: this"), "{prose}");
}
