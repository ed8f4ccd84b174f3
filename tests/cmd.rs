//! What the program says, as files: every command of `cmd/*.txt` with its output and its exit code.
//!
//! A `##` line is a remark. A `$` line is run by a shell in an empty folder that the commands of one file share.
//! `NETDR_UPDATE=1 cargo test --test integration cmd` writes the files anew; the diff is then for a person to read.

use std::{env, fs, path::Path, process::Command};

/// Runs the commands of one file again and returns it as it should be.
fn replay(text: &str, folder: &Path) -> String {
    let mut replayed = String::new();
    for line in text.lines().filter(|line| line.starts_with("$ ") || line.starts_with("## ")) {
        replayed += line;
        replayed.push('\n');
        if let Some(command) = line.strip_prefix("$ ") {
            replayed += &run(command, folder);
        }
    }
    replayed
}

fn run(command: &str, folder: &Path) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_netdr")).parent().unwrap();
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("HOME", folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap().replace(&folder.display().to_string(), "[DIR]");
    let text: String = text.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    match output.status.code() {
        Some(0) => text,
        Some(code) => format!("{text}[exit {code}]\n"),
        None => format!("{text}[killed]\n"),
    }
}

#[test]
fn the_program_says_what_the_files_say() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    let mut wrong = Vec::new();
    for file in fs::read_dir(files).unwrap().map(|entry| entry.unwrap().path()) {
        let folder = tempfile::tempdir().unwrap();
        let written = fs::read_to_string(&file).unwrap();
        let replayed = replay(&written, folder.path());
        if env::var_os("NETDR_UPDATE").is_some() {
            fs::write(&file, replayed).unwrap();
        } else if written != replayed {
            wrong.push(format!("{}:\n{}", file.display(), first_difference(&written, &replayed)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn first_difference(written: &str, replayed: &str) -> String {
    let mut command = "";
    for (number, (old, new)) in written.lines().zip(replayed.lines()).enumerate() {
        if old.starts_with("$ ") {
            command = old;
        }
        if old != new {
            return format!("  line {}, of `{command}`\n  written  {old}\n  now      {new}", number + 1);
        }
    }
    "  one is longer than the other".into()
}
