//! What a drill came to: the report's files with their signatures, copies of them outside, the answer on stdout.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::Utc;
use serde_json::json;

use crate::{
    Result,
    cli::{
        after,
        context::Context,
        course::outcome::create,
        exit::Exit,
        interrupt, places,
        settings::Settings,
        words::{objective, table},
    },
    report::drill::{DrillReport, Scenario, html, markdown},
    repository::{Repository, s3},
    seal::Identities,
    signature::{self, SigningKey, TrustedSigners},
    task::Problem,
};

/// What was written.
pub(super) struct Kept {
    /// Name and content of each file, signatures too.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// Where they are.
    pub(super) written: Vec<PathBuf>,
    /// Whether the repository has all of them.
    pub(super) in_repository: bool,
}

/// Signs and writes it. A folder that cannot be written is named, and no reason to lose the others.
pub(super) fn keep(
    report: &DrillReport,
    signing: &SigningKey,
    repository: &Repository,
    also: Option<&Path>,
    cx: &Context,
) -> Kept {
    let forms = [
        ("html", html::render(report)),
        ("md", markdown::render(report)),
        ("json", format!("{:#}\n", report.to_json())),
    ];
    let mut kept = Kept { files: Vec::new(), written: Vec::new(), in_repository: true };
    for (form, text) in forms {
        let name = format!("{}.{form}", report.report);
        match signing.sign(signature::REPORT, text.as_bytes()) {
            Ok(signature) => kept.files.push((format!("{name}.sig"), signature.into_bytes())),
            Err(error) => {
                kept.in_repository = false; // without it, it counts for nothing
                cx.terminal.warn(format!("{name} is not signed: {error}"));
            }
        }
        kept.files.push((name, text.into_bytes()));
    }
    for (number, folder) in
        [Some(repository.reports()), also.map(Path::to_owned)].into_iter().flatten().enumerate()
    {
        for (name, content) in &kept.files {
            let file = folder.join(name);
            match create(&folder, &file, content) {
                Ok(()) => kept.written.push(file),
                Err(e) => {
                    kept.in_repository &= number > 0;
                    cx.terminal.warn(format!("report {} cannot be written: {e}", file.display()));
                }
            }
        }
    }
    kept
}

/// Copies the reports that the repository has, this one too, to the places outside that lack them, sealed; whether all places
/// have it.
pub(super) fn copy(
    report: &DrillReport,
    repository: &Repository,
    trusted: &TrustedSigners,
    settings: &Settings,
    identities: &Identities,
    cx: &Context,
) -> Result<bool> {
    let places: Vec<&s3::Place> = settings.config.replicas.iter().collect();
    if places.is_empty() {
        return Ok(true);
    }
    let recipients =
        if settings.names_recipients() { settings.recipients()? } else { identities.recipients()? };
    let recipients = || Ok(recipients.clone());
    interrupt::run(&|| format!("report {} is in the repository", report.report), async {
        let mut all = true;
        for (name, bucket) in places::open(&places).await {
            let copied =
                async { repository.replicate_reports(&bucket?, trusted, &recipients, Utc::now()).await };
            let id = report.report.as_str();
            let why = match copied.await {
                Ok(copied) if copied.untrusted.iter().any(|file| file.starts_with(id)) => {
                    format!("{name}: no trusted signer answers for it any more")
                }
                Ok(_) => continue,
                Err(error) => places::at(&name, error).to_string(),
            };
            cx.terminal.warn(format!("the report is not copied: {why}; copy it by: netdr replicate"));
            all = false;
        }
        Ok(all)
    })
}

/// Prints the answer.
pub(super) fn answer(exit: Exit, report: &DrillReport, kept: &Kept, cx: &Context) -> Result<()> {
    let mut document = report.to_json();
    document["reports"] = json!(kept.written);
    cx.terminal.report(exit, &document, || text(report, kept))
}

fn text(report: &DrillReport, kept: &Kept) -> String {
    let row = |scenario: &Scenario| {
        let [open, _] = report.unjudged(scenario);
        let met = match scenario.rto_met {
            Some(true) => "met",
            Some(false) => "missed",
            None => open,
        };
        let time =
            |seconds: Option<f64>| seconds.map_or("–".to_owned(), |seconds| format!("{seconds:.1} s"));
        vec![
            scenario.name.clone(),
            scenario.outcome.to_owned(),
            time(scenario.own_time_s),
            time(scenario.recovery_time_s),
            format!("{}, {met}", objective(Duration::from_secs(scenario.rto_s))),
            scenario.caused.len().to_string(),
        ]
    };
    let head = ["scenario", "outcome", "netdr's own time", "recovery time", "RTO", "failures caused"];
    let mut text = table(&head, &report.scenarios.iter().map(row).collect::<Vec<_>>());
    for scenario in &report.scenarios {
        if let Some(why) = &scenario.why {
            text += &format!("{}: {why}\n", scenario.name);
        }
    }
    if let Some(why) = report.why_open() {
        text += &format!(
            "Whether an RTO can be met stays open, because {why} (netdr drill --context on a drill cluster with real nodes tells).\n"
        );
    }
    if let Some(target) = &report.target {
        text += &format!("drilled     {}\n", target.says());
    }
    for line in &report.simulated {
        text += &format!("simulated   {line}\n");
    }
    for line in &report.unseen {
        text += &format!("not seen    {line}\n");
    }
    for line in &report.not_tested {
        text += &format!("not tested  {line}\n");
    }
    for check in &report.checks {
        text += &format!("{:<11} {}\n", check.outcome, check.what);
    }
    for file in kept.written.iter().filter(|file| file.extension().is_some_and(|form| form == "html")) {
        text += &format!("report      {} (and .md, .json, each with its .sig)\n", file.display());
    }
    text
}

/// What whoever is told of the drill must know, where all is not well.
pub(super) fn problems(report: &DrillReport, exit: Exit, cx: &Context) -> Vec<Problem> {
    let Some(event) = after::event(exit) else { return Vec::new() };
    let objective = |seconds: u64| objective(Duration::from_secs(seconds));
    let lines = |scenario: &Scenario| {
        let Scenario { name, outcome, .. } = scenario;
        let time = scenario.recovery_time_s.unwrap_or_default();
        let point = scenario.recovery_point_s.unwrap_or_default();
        let why = scenario.why.as_ref().map(|why| format!("{name}: {outcome}: {why}"));
        let late = (scenario.rto_met == Some(false)).then(|| {
            format!("{name}: recovered in {time:.0} s, and the objective is {}", objective(scenario.rto_s))
        });
        let old = (scenario.rpo_met == Some(false)).then(|| {
            let (point, allowed) =
                (objective(u64::try_from(point).unwrap_or_default()), objective(scenario.rpo_s));
            format!("{name}: what came back was {point} old, and the objective is {allowed}")
        });
        match why {
            Some(why) => vec![why],
            None => late.into_iter().chain(old).collect(),
        }
    };
    let scenarios = report.scenarios.iter().flat_map(lines);
    let places =
        report.lacking().map(|check| format!("not so: {}: {}", check.what, check.details.join("; ")));
    let troubles = cx.terminal.troubles().into_iter().map(|trouble| trouble.what);
    let next = format!("read what was found: reports/{}.html in the repository", report.report);
    vec![Problem::new(event, scenarios.chain(places).chain(troubles).collect(), vec![next])]
}

/// Gravest first: something did not come back, came back in part or lacks in a place outside, or came back too late or too old.
pub(super) fn exit(report: &DrillReport) -> Exit {
    let of = |scenario: &Scenario| match scenario.outcome {
        "recovered" => Exit::Late.when(scenario.is_late()),
        "partial" | "not tested" | "interrupted" | "not begun" => Exit::Partial,
        _ => Exit::Failed,
    };
    let places = Exit::Partial.when(report.lacking().next().is_some());
    report.scenarios.iter().map(of).fold(places, Exit::max)
}
