//! Links of the documentation: whoever follows one at 3 a.m. arrives.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::sources::root;
use crate::support::pages;

/// The anchors of a page, as forges make them from headings: small letters, digits, `-` and `_`.
fn anchors(prose: &str) -> BTreeSet<String> {
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        kept.chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .collect::<String>()
            .replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// Where the links of a page lead, but to other sites.
fn links(prose: &str) -> Vec<String> {
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let pages: BTreeMap<PathBuf, String> = pages()
        .into_iter()
        .map(|page| (root().join(page.name).canonicalize().unwrap(), page.prose))
        .collect();
    let (mut wrong, mut followed) = (Vec::new(), 0);
    for (page, prose) in &pages {
        for link in links(prose) {
            followed += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => Ok(page.clone()),
                path => page.parent().unwrap().join(path).canonicalize(),
            };
            let arrives = target.is_ok_and(|target| {
                anchor.is_empty() || pages.get(&target).is_some_and(|prose| anchors(prose).contains(anchor))
            });
            if !arrives {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(followed > 100, "{followed}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
