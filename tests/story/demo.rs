//! The first thing that anybody runs, and the picture of it that README.md shows.
//!
//! `NETDR_UPDATE=1 cargo test --test integration demo` draws docs/pictures/demo.svg anew, from what the demo prints.

use std::{env, fs, path::Path};

use crate::support::{Home, built, picture, pictured, says};

/// Of one restore, what is not in the picture: what a reader of it does not need to see.
const LEFT_OUT: [&str; 8] =
    ["opening ", "step ", "where it went", "not probed", "report ", "journal ", "  probes ", "    for that "];

/// The incident and its restore: from the failure to the verdict.
fn scene(said: &str) -> Vec<String> {
    let (_, scene) = said.split_once("\nAn incident: network policies").unwrap();
    let (scene, _) = scene.split_once("\nAn incident:").unwrap();
    let scene = format!("An incident: network policies{scene}");
    let looks = |text: &&str| text.starts_with("Step ") && text.contains("\n  probes ");
    let paragraphs = scene.split("\n\n").filter(|text| !looks(text));
    let mut lines: Vec<String> = Vec::new();
    for paragraph in paragraphs {
        let kept = paragraph.lines().filter(|line| !LEFT_OUT.iter().any(|start| line.starts_with(start)));
        lines.extend(kept.map(str::to_owned));
        lines.push(String::new());
    }
    lines
}

/// What runbooks show of it: each block below a mark.
fn excerpts() -> Vec<String> {
    let mut lines = Vec::new();
    for page in ["network-policies", "traefik"] {
        let page = format!("{}/docs/runbooks/{page}.md", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(page).unwrap();
        for block in text.split("<!-- from the demo -->\n```text\n").skip(1) {
            lines.extend(block.split("\n```").next().unwrap().lines().map(str::to_owned));
        }
    }
    lines
}

/// What is the same in every run: neither times nor sizes nor ids.
fn lasting(lines: &[String]) -> Vec<String> {
    let words = |line: &String| {
        let lasting =
            line.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit() || c == '…'));
        lasting.collect::<Vec<_>>().join(" ")
    };
    lines.iter().map(words).filter(|line| !line.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_brings_everything_back_and_looks_as_in_the_readme() {
    let home = Home::new();
    // In a clone, but for cargo, which has built the program: it is this one.
    home.stand_in("cargo", "test \"$*\" = build");
    let clone = env!("CARGO_MANIFEST_DIR");
    let make = format!(
        "ln -s {clone}/Makefile {clone}/tests .; mkdir -p target/debug; ln -s {} target/control-plane\n\
         ln -s $(command -v netdr) target/debug/; make demo 2>&1", // in the order in which a terminal shows them
        built().display()
    );
    let said = home.shell(&make).await.ok();
    says(&said, &["recovered: network-policies", "recovered: traefik", "its control plane is gone"]);

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures/demo.svg");
    let scene = scene(&said);
    let drawn = picture("netdr demo: policies are corrupted, and one command brings them back", &scene);
    if env::var_os("NETDR_UPDATE").is_some() {
        fs::write(&file, &drawn).unwrap();
    }
    let shown = pictured(&fs::read_to_string(&file).unwrap());
    assert_eq!(
        lasting(&shown),
        lasting(&pictured(&drawn)),
        "NETDR_UPDATE=1 cargo test --test integration demo"
    );

    let printed = lasting(&said.lines().map(str::to_owned).collect::<Vec<_>>());
    let excerpts = lasting(&excerpts());
    assert!(excerpts.len() > 20, "{excerpts:?}");
    for line in excerpts {
        assert!(printed.contains(&line), "a runbook shows `{line}`, and the demo does not");
    }
}
