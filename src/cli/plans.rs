//! Finding a restore plan: a file named, a file of the configured folder, or one that is built in.

use std::{fs, path::Path};

use super::{
    guard,
    settings::{Settings, there},
};
use crate::{Error, Result, plan::RestorePlan};

/// A plan and where it is from.
pub(super) struct Authored {
    pub(super) text: String,
    /// The file; none where it is built in.
    pub(super) file: Option<String>,
    pub(super) plan: RestorePlan,
}

impl Authored {
    /// The file, or `built in`.
    pub(super) fn origin(&self) -> &str {
        self.file.as_deref().unwrap_or("built in")
    }
}

/// The plan in a file.
pub(super) fn read(file: &Path) -> Result<Authored> {
    there(
        file,
        "plan",
        "the command line",
        "print one to start from: netdr plan show NAME > FILE; see them with: netdr plan list",
    )?;
    let text = guard::read(file, "plan")?;
    let origin = file.display().to_string();
    Ok(Authored { plan: RestorePlan::authored(&text, &origin)?, text, file: Some(origin) })
}

/// Every plan by scenario name, sorted: the built-in ones, overridden by those of the configured folder.
pub(super) fn all(settings: &Settings) -> Result<Vec<Authored>> {
    let mut plans = Vec::new();
    for (name, text) in RestorePlan::builtin() {
        let plan = RestorePlan::parse(text, &format!("built-in plan {name}"))?;
        plans.push(Authored { plan, text: text.into(), file: None });
    }
    let mut authored: Vec<Authored> = Vec::new();
    if let Some(folder) = &settings.config.plans {
        let shown = folder.display();
        let unreadable = |e| Error::usage(format!("the plans in {shown} cannot be read")).because(e);
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                let own = read(&path)?;
                if let Some(twin) = authored.iter().find(|other| other.plan.name == own.plan.name) {
                    return Err(twins(twin, &own));
                }
                authored.push(own);
            }
        }
    }
    plans.retain(|built_in| authored.iter().all(|own| own.plan.name != built_in.plan.name));
    plans.extend(authored);
    plans.sort_by(|a, b| a.plan.name.cmp(&b.plan.name));
    Ok(plans)
}

/// Which of two is meant nobody can say: an old copy must not run because it comes first.
fn twins(one: &Authored, other: &Authored) -> Error {
    let mut files = [one.origin(), other.origin()];
    files.sort_unstable();
    Error::usage(format!("two plans are called {}: {}", one.plan.name, files.join(", ")))
        .hint("keep one there: every file of that folder that ends in .yaml or .yml is read")
}

/// The plan of a scenario.
pub(super) fn find(settings: &Settings, name: &str) -> Result<Authored> {
    let mut plans = all(settings)?;
    let Some(at) = plans.iter().position(|p| p.plan.name == name) else {
        let known: Vec<&str> = plans.iter().map(|p| p.plan.name.as_str()).collect();
        return Err(Error::usage(format!("there is no scenario `{name}`"))
            .hint(format!("scenarios: {}; see them with: netdr plan list", known.join(", "))));
    };
    Ok(plans.swap_remove(at))
}
