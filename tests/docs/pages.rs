//! The commands that stand in the pages.
//!
//! In: the pages. Out: fenced blocks of commands, and inline code that begins with `netdr` or `make`.

use std::path::Path;

use crate::support::{Block, pages};

/// The repository's root.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every block of commands, page by page.
pub(super) fn blocks() -> Vec<Block> {
    pages().into_iter().flat_map(|page| page.blocks).filter(Block::is_of_commands).collect()
}

/// Every command in a line of text: page, line, code.
pub(super) fn inline() -> Vec<(String, usize, String)> {
    let mut found = Vec::new();
    for page in pages() {
        // Code may go on in the next line; an odd number of marks before it means that it is inside.
        let parts = page.prose.split('`').collect::<Vec<_>>();
        let mut line = 1;
        for (number, part) in parts.iter().enumerate() {
            if number % 2 == 1 && (part.starts_with("netdr ") || part.starts_with("make ")) {
                found.push((page.name.clone(), line, part.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            line += part.matches('\n').count();
        }
    }
    found
}
