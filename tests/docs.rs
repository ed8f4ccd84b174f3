//! Every command of the documentation is understood, and is run: here, or by a story that the table names.
//!
//! A page that gains a block of commands needs one row in `docs/table.rs`; the failing test says which.

mod pages;
mod reference;
mod stage;
mod table;
mod words;

use std::{fs, path::Path};

use pages::{blocks, root};
use stage::Stage;
use table::{How, PAGES};

use crate::support::Block;

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
             or By(\"story::MODULE::TEST\", \"WORDS\"), or Lines(&[…]) of these, or Not(\"why nobody here can run it\").\n    \
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

/// The file of a story, which has this test.
fn story(name: &str) -> Result<String, String> {
    let (module, test) = name.rsplit_once("::").unwrap();
    let file = Path::new("tests").join(module.replace("::", "/")).with_extension("rs");
    let text = fs::read_to_string(root().join(&file)).map_err(|e| format!("{}: {e}", file.display()))?;
    let there = text.contains(&format!("fn {test}()"));
    there.then_some(text).ok_or_else(|| format!("{} has no test {test}", file.display()))
}

/// Words, however they are put together: `["check", "cni"]` and `delete_object` are `check cni` and `delete-object`.
fn plain(text: &str) -> String {
    let text = text.replace(['"', '\'', '\\', ',', '[', ']', '&'], " ").replace('_', "-");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a story takes a block from its page: it names the page, and the block by its heading or by how it begins.
fn takes(text: &str, block: &Block) -> bool {
    let page = block.page.rsplit('/').next().unwrap();
    let (alone, marked) = (format!("\"{}\"", block.heading), format!("## {}\\n", block.heading));
    let begins = |said: &str| said.len() > 5 && block.first_line().starts_with(said);
    text.contains(page) && (text.contains(&alone) || text.contains(&marked) || text.split('"').any(begins))
}

/// Why nobody runs it as its row says.
fn unproved(block: &Block, how: &How, commands: &[String]) -> Option<String> {
    match how {
        How::Run(_) | How::After(..) => None,
        How::Not(why) => (!why.contains(' ')).then(|| "why can nobody here run it?".into()),
        How::Stage => (!block.first_line().starts_with(stage::MADE_BY)).then(|| "the stage does not".into()),
        How::Page(name) => match story(name) {
            Ok(text) if blocks().iter().any(|taken| taken.text == block.text && takes(&text, taken)) => None,
            Ok(_) => Some(format!("{name} does not take it from its page")),
            Err(why) => Some(why),
        },
        How::By(name, words) => match (commands, story(name)) {
            (_, Err(why)) => Some(why),
            ([command], Ok(text)) => {
                let said = plain(words);
                (!plain(command).contains(&said) || !plain(&text).contains(&said))
                    .then(|| format!("`{words}` is not in both `{command}` and {name}"))
            }
            _ => Some("it has several commands, and each is to have its line: Lines(&[…])".into()),
        },
        How::Lines(lines) => {
            let of = |command: &String| {
                line(lines, command).map_or_else(
                    || Some(format!("nobody runs `{command}`")),
                    |(_, how)| unproved(block, how, std::slice::from_ref(command)),
                )
            };
            let idle =
                lines.iter().find(|(begin, _)| !commands.iter().any(|command| command.starts_with(begin)));
            commands
                .iter()
                .find_map(of)
                .or_else(|| idle.map(|(begin, _)| format!("no line begins with `{begin}`")))
        }
    }
}

/// Of the lines that a command begins with, the longest.
fn line<'a>(lines: &'a [(&'a str, How)], command: &str) -> Option<&'a (&'a str, How)> {
    lines.iter().filter(|(begin, _)| command.starts_with(begin)).max_by_key(|(begin, _)| begin.len())
}

#[test]
fn every_story_that_the_table_names_runs_what_the_page_says() {
    let blocks = blocks();
    let wrong: Vec<String> = blocks
        .iter()
        .filter_map(|block| {
            let (_, how) = row(block)?;
            unproved(block, how, &block.commands()).map(|why| format!("{block}: {why}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_story_that_runs_something_else_is_found() {
    let blocks = blocks();
    let block = |begin: &str| blocks.iter().find(|block| block.first_line().starts_with(begin)).unwrap();
    let wrong = |begin: &str, how: &How| unproved(block(begin), how, &block(begin).commands()).is_some();
    let notify = "story::notify::mail_goes_over_tls_to_whom_the_authority_answers_for";
    for how in [
        How::By(notify, "notify --test"), // and who makes the folder?
        How::Page(notify),
        How::Stage,
        How::Lines(&[("netdr notify", How::By("story::notify::nobody", "notify --test"))]),
        How::Lines(&[
            ("mkdir", How::Run(&[])),
            ("chown", How::Run(&[])),
            ("netdr notify", How::By("story::metrics::nobody", "notify --test")),
        ]),
    ] {
        assert!(wrong("mkdir -p /backup/metrics && chown", &how));
    }
    assert!(wrong("kubectl apply --server-side", &How::By(notify, "kubectl apply --server-side")));
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
        let Some((_, how)) = row(&block) else { continue };
        let runs = match how {
            How::Lines(lines) => {
                let commands = block.commands().into_iter();
                commands.filter_map(|one| line(lines, &one).map(|(_, how)| (one, how))).collect()
            }
            how => vec![(block.text.clone(), how)],
        };
        for (text, how) in runs {
            let (before, codes) = match how {
                How::Run(codes) => ("", *codes),
                How::After(before, codes) => (*before, *codes),
                _ => continue,
            };
            if let Err(said) = stage.run(before, &text, codes).await {
                wrong.push(format!("{block}:\n{said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
