//! Every command of the documentation is understood, and is run: here, or by a story that the table names.
//!
//! A page that gains a block of commands needs one row in `docs/table.rs`; the failing test says which.

mod pages;
mod reference;
mod stage;
mod table;
mod words;

use std::{fs, path::Path};

use pages::{Block, blocks, root};
use stage::Stage;
use table::{How, PAGES};

/// The row of a block: of those of its page that its first line begins with, the longest.
fn row(block: &Block) -> Option<&'static (&'static str, How)> {
    let rows = PAGES.iter().filter(|(page, _)| *page == block.page).flat_map(|(_, rows)| *rows);
    rows.filter(|(begin, _)| block.first_line().starts_with(begin)).max_by_key(|(begin, _)| begin.len())
}

#[test]
fn every_block_of_commands_has_its_row() {
    let blocks = blocks();
    let mut wrong = Vec::new();
    for block in blocks.iter().filter(|block| row(block).is_none()) {
        wrong.push(format!(
            "{block} begins with commands that no test runs. Add to tests/docs/table.rs, under \"{}\":\n    \
             (\"{}\", Run(&[])),      it is run, each command ends with 0 or with one of these codes\n    \
             or By(\"story::MODULE::TEST\"), or Not(\"why nobody here can run it\").\n    \
             A block that holds no commands names its language: ```text",
            block.page,
            block.first_line()
        ));
    }
    for (page, rows) in PAGES {
        for entry in *rows {
            let of = |block: &&Block| {
                row(block).is_some_and(|row| std::ptr::eq(row, entry)) && block.page == *page
            };
            match blocks.iter().filter(of).count() {
                1 => {}
                0 => wrong
                    .push(format!("{page} has no block that begins with `{}`: take its row away", entry.0)),
                many => {
                    wrong.push(format!("{page}: {many} blocks begin with `{}`: a row is of one", entry.0))
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_story_that_the_table_names_is_there() {
    for (begin, how) in PAGES.iter().flat_map(|(_, rows)| *rows) {
        let story = match how {
            How::By(story) => story,
            How::Not(why) => {
                assert!(why.contains(' '), "{begin}: why can nobody here run it?");
                continue;
            }
            How::Run(_) | How::After(..) => continue,
        };
        let (module, test) = story.rsplit_once("::").unwrap();
        let file = Path::new("tests").join(module.replace("::", "/")).with_extension("rs");
        let text =
            fs::read_to_string(root().join(&file)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert!(text.contains(&format!("fn {test}()")), "{} has no test {test}", file.display());
    }
}

#[test]
fn every_netdr_command_of_the_pages_is_understood() {
    let mut wrong = Vec::new();
    for block in blocks() {
        for line in block.commands() {
            wrong.extend(words::misunderstood(&line).map(|why| format!("{block}: `{line}`: {why}")));
        }
    }
    for (page, line, code) in pages::inline() {
        wrong.extend(words::misunderstood(&code).map(|why| format!("{page}, line {line}: `{code}`: {why}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_that_an_error_or_an_answer_names_is_understood() {
    let wrong: Vec<String> = words::named_by_the_program()
        .into_iter()
        .filter_map(|(file, said)| words::misunderstood(&said).map(|why| format!("{file}: `{said}`: {why}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_target_of_make_is_there() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let lines = blocks().into_iter().flat_map(|block| block.commands());
    for line in lines.chain(pages::inline().into_iter().map(|(_, _, code)| code)) {
        let Some(target) = line.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next()) else {
            continue;
        };
        assert!(makefile.contains(&format!("\n{target}:")), "`{line}`: the Makefile has no {target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_that_can_be_run_here_is() {
    let stage = Stage::new().await;
    let mut wrong = Vec::new();
    for block in blocks() {
        let (before, codes) = match row(&block) {
            Some((_, How::Run(codes))) => ("", *codes),
            Some((_, How::After(before, codes))) => (*before, *codes),
            _ => continue,
        };
        if let Err(said) = stage.run(before, &block.text, codes).await {
            wrong.push(format!("{block}:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
