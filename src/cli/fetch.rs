//! `netdr fetch`: snapshots back from a place outside.

use std::collections::BTreeMap;

use clap::{ArgGroup, Args};
use rand::random;
use serde_json::{Value, json};

use super::{
    context::Context,
    exit::Exit,
    interrupt, places,
    restore::Source,
    settings::Settings,
    words::{bytes, count},
};
use crate::{
    Error, Kind, Result, config,
    model::SnapshotId,
    plan::shell_word,
    repository::{Listed, Repository, fetch, s3::Bucket},
    signature::TrustedSigners,
};

/// Bring snapshots back from a place outside, proved; makes the repository where there is none
#[derive(Args)]
#[command(group(ArgGroup::new("which").required(true).args(["ids", "all"])))]
pub(super) struct Fetch {
    /// Which snapshots; latest is the newest complete one of each set, node and choice of components
    #[arg(value_name = "ID|latest")]
    ids: Vec<Source>,
    /// All that are not here
    #[arg(long)]
    all: bool,
    /// Only from this place [default: whichever has it, in the order of `replicas`]
    #[arg(long, value_name = "NAME")]
    place: Option<String>,
}

/// What fetching came to.
#[derive(Default)]
struct Fetched {
    /// Where from, and how large.
    fetched: Vec<(SnapshotId, String, u64)>,
    present: Vec<SnapshotId>,
    failed: Vec<(SnapshotId, Error)>,
    /// Places that could not be asked.
    unasked: Vec<Error>,
    /// Of latest: newer ones that nobody answers for, and why.
    untrusted: Vec<(SnapshotId, String)>,
    /// The repository was made.
    made: bool,
}

impl Fetch {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let trusted = settings.trusted()?;
        let mut done = Fetched::default();
        let outcome = interrupt::run(
            &|| "what is fetched stays; nothing of the unfinished one is kept: fetch it again".into(),
            self.fetch(cx, &settings, &trusted, &mut done),
        );
        // Which places were not asked first: what then failed may be of that.
        let failed = done.failed.iter().map(|(_, error)| error);
        let errors: Vec<&Error> = done.unasked.iter().chain(failed).collect();
        errors.iter().for_each(|error| cx.terminal.error(error));
        outcome?;
        done.fetched.sort();
        done.present.sort();
        let document = json!({
            "fetched": done.fetched.iter()
                .map(|(id, place, bytes)| json!({"snapshot": id, "place": place, "bytes": bytes})).collect::<Vec<Value>>(),
            "present": done.present,
            "failed": done.failed.iter()
                .map(|(id, error)| json!({"snapshot": id, "why": error.to_string()})).collect::<Vec<Value>>(),
            "untrusted": done.untrusted.iter()
                .map(|(id, why)| json!({"snapshot": id, "why": why})).collect::<Vec<Value>>(),
            "repository": done.made.then_some(settings.repository_path()?),
        });
        let nothing = done.fetched.is_empty() && done.present.is_empty();
        let damaged = !done.untrusted.is_empty() || errors.iter().any(|error| error.kind() == Kind::Damaged);
        let trouble = Exit::Partial.when(!errors.is_empty()).max(Exit::Damaged.when(damaged));
        // Of one snapshot that was asked for and did not come, nothing is done in part.
        let exit = trouble.max(Exit::Failed.when(nothing && !errors.is_empty() && !damaged));
        cx.record.of(done.fetched.iter().map(|(id, ..)| id));
        cx.terminal.report(exit, &document, || said(&done))?;
        Ok(exit)
    }

    async fn fetch(
        &self,
        cx: &Context,
        settings: &Settings,
        trusted: &TrustedSigners,
        done: &mut Fetched,
    ) -> Result<()> {
        let chosen = config::chosen(&settings.config.replicas, self.place.as_deref())?;
        let mut buckets = Vec::new();
        let mut places_of: BTreeMap<SnapshotId, Vec<usize>> = BTreeMap::new();
        for (name, bucket) in places::open(&chosen).await {
            let asked: Result<_> = async {
                let bucket = bucket?;
                let stored = bucket.stored().await.map_err(|error| places::at(&name, error))?;
                Ok((bucket, fetch::whole(&stored)))
            }
            .await;
            match asked {
                Ok((bucket, ids)) => {
                    ids.into_iter().for_each(|id| places_of.entry(id).or_default().push(buckets.len()));
                    buckets.push(bucket);
                }
                Err(error) => done.unasked.push(error),
            }
        }
        if buckets.is_empty() {
            return Err(done.unasked.swap_remove(0));
        }
        let wanted = self.wanted(cx, settings, trusted, &buckets, &places_of, done).await?;
        let repository = repository(cx, settings, &buckets, done).await?;
        let phase = cx.terminal.phase(format!("fetching {}", count(wanted.len() as u64, "snapshot")));
        phase.parts(wanted.len() as u64);
        for id in wanted {
            if repository.has(&id) {
                match here(cx, &repository, &id, trusted).await {
                    Ok(()) => done.present.push(id),
                    Err(error) => done.failed.push((id, error)),
                }
            } else {
                let mut error = None;
                for bucket in places_of[&id].iter().map(|place| &buckets[*place]) {
                    let name = &bucket.place().name;
                    match repository.fetch(bucket, &id, trusted, chrono::Utc::now()).await {
                        Ok(bytes) => {
                            done.fetched.push((id.clone(), name.clone(), bytes));
                            if let Some(error) = error.take() {
                                cx.terminal
                                    .warn_of(format!("{id} is from place {name}, for elsewhere"), &error);
                            }
                            break;
                        }
                        Err(e) => error = error.or(Some(e)),
                    }
                }
                done.failed.extend(error.map(|error| (id, error)));
            }
            phase.part();
        }
        Ok(())
    }

    /// The ids asked for, each of which some place has.
    async fn wanted(
        &self,
        cx: &Context,
        settings: &Settings,
        trusted: &TrustedSigners,
        buckets: &[Bucket],
        places_of: &BTreeMap<SnapshotId, Vec<usize>>,
        done: &mut Fetched,
    ) -> Result<Vec<SnapshotId>> {
        if self.all {
            // The newest first: whatever stops it, that is what a recovery needs.
            return Ok(places_of.keys().rev().cloned().collect());
        }
        let mut wanted = Vec::new();
        for which in &self.ids {
            match which {
                Source::Snapshot(id) if places_of.contains_key(id) => wanted.push(id.clone()),
                Source::Snapshot(id) => return Err(unknown(id, buckets, places_of)),
                Source::Latest => {
                    let mut judged: BTreeMap<SnapshotId, Listed> = BTreeMap::new();
                    for (number, bucket) in buckets.iter().enumerate() {
                        // What a place before it has proved needs no other's word.
                        let proved = |id| judged.get(id).is_some_and(|one| one.trust.is_trusted());
                        let there = places_of.iter().filter(|(id, p)| p.contains(&number) && !proved(*id));
                        let ids: Vec<SnapshotId> = there.map(|(id, _)| id.clone()).collect();
                        match bucket.listed(&ids, trusted, cx.now).await {
                            Ok(listed) => judged.extend(listed.into_iter().map(|one| (one.id.clone(), one))),
                            Err(error) => done.unasked.push(places::at(&bucket.place().name, error)),
                        }
                    }
                    if judged.is_empty() && !done.unasked.is_empty() {
                        return Err(done.unasked.swap_remove(0));
                    }
                    let listed: Vec<Listed> = judged.into_values().collect();
                    let latest = fetch::latest(&listed, settings.config.cluster_name.as_deref());
                    for (id, why) in &latest.untrusted {
                        cx.terminal.warn(format!("snapshot {id} is passed over: {why}"));
                    }
                    if latest.newest.is_empty() {
                        return Err(none(buckets, &listed, latest.untrusted.len()));
                    }
                    let untrusted =
                        latest.untrusted.iter().map(|(id, why)| ((*id).clone(), (*why).to_owned()));
                    done.untrusted.extend(untrusted);
                    wanted.extend(latest.newest.into_iter().map(|header| header.id.clone()));
                }
            }
        }
        Ok(wanted)
    }
}

/// That what is here of a snapshot is what was written.
///
/// # Errors
/// Damaged, when it is not: what is wrong, and how another copy takes its place; when it cannot be read.
async fn here(
    cx: &Context,
    repository: &Repository,
    id: &SnapshotId,
    trusted: &TrustedSigners,
) -> Result<()> {
    let (of, all, signers, now) = (id.clone(), repository.clone(), trusted.clone(), cx.now);
    let proved = tokio::task::spawn_blocking(move || all.verify(&all.get(&of, &signers, now)?, None)).await;
    let damages = proved.map_err(|e| Error::failed(format!("proving {id} was interrupted")).because(e))??;
    if damages.is_empty() {
        return Ok(());
    }
    let wrong: Vec<String> =
        damages.iter().map(|damage| format!("{}: {}", damage.place, damage.what)).collect();
    let path = |name: &str| shell_word(&repository.root().join(name).display().to_string()).into_owned();
    Err(Error::damaged(format!("snapshot {id} is here, and not as it was written"))
        .why(wrong.join("; "))
        .hint(format!(
            "move it away and fetch it again: mv {} {} && {}",
            path(&format!("snapshots/{id}")),
            path(&format!("damaged-{id}")),
            cx.again(None).again(&format!("fetch {id}"))
        )))
}

/// Why there is no latest.
fn none(buckets: &[Bucket], listed: &[Listed], untrusted: usize) -> Error {
    let urls: Vec<String> = buckets.iter().map(|bucket| bucket.place().url("snapshots/")).collect();
    let urls = urls.join(", ");
    match (listed.len(), untrusted) {
        (0, _) => Error::failed(format!("there is no snapshot in {urls}"))
            .hint("is the prefix right? `prefix:` beside `bucket:` in netdr.yaml"),
        (all, untrusted) if all == untrusted => Error::damaged(format!(
            "none of the {} in {urls} is trusted",
            count(all as u64, "snapshot")
        ))
        .hint("is trusted_signers the file of whoever made them? A signer becomes trusted by a line in it"),
        _ => Error::failed(format!("no snapshot in {urls} is complete, trusted and of this cluster"))
            .hint("see them with: netdr snapshots")
            .hint("one that is trusted is fetched by its id, whatever its state: netdr fetch ID"),
    }
}

fn unknown(id: &SnapshotId, buckets: &[Bucket], places_of: &BTreeMap<SnapshotId, Vec<usize>>) -> Error {
    let names: Vec<&str> = buckets.iter().map(|bucket| bucket.place().name.as_str()).collect();
    let error = Error::usage(format!("no snapshot {id} in {}", names.join(", ")));
    let nearest = crate::strict::nearest(id.as_str(), places_of.keys().map(SnapshotId::as_str));
    match nearest {
        Some(near) => error.hint(format!("the nearest there is: {near}")),
        None => error,
    }
    .hint("list them with: netdr snapshots")
}

/// The repository here; where nothing is, one with the id of that in the first place that names one.
async fn repository(
    cx: &Context,
    settings: &Settings,
    buckets: &[Bucket],
    done: &mut Fetched,
) -> Result<Repository> {
    let root = settings.repository_path()?;
    if !Repository::is_absent(root)? {
        return Repository::open(root);
    }
    let (mut id, mut silent) = (None, Vec::new());
    for bucket in buckets {
        match bucket.repository_id().await {
            Ok(found) => id = found,
            Err(error) => silent.push(places::at(&bucket.place().name, error)),
        }
        if id.is_some() {
            break;
        }
    }
    // Whichever id it is, it must not be made up because the place that knows it did not answer. One whose file is damaged
    // will never know it again; nobody signed that, and no snapshot hangs on it.
    let unknown = silent.iter().position(|error| error.kind() != Kind::Damaged);
    if let (None, Some(unknown)) = (id, unknown) {
        return Err(silent.swap_remove(unknown));
    }
    done.unasked.extend(silent);
    done.made = true;
    let shown = root.display();
    match id {
        Some(id) => cx.terminal.note(format!(
            "{shown} has nothing in it yet: it becomes repository {id:016x}, as the place outside is"
        )),
        None => cx.terminal.note(format!(
            "{shown} has nothing in it yet: it becomes a new repository, because no place names one"
        )),
    }
    Repository::init(root, id.unwrap_or_else(random))
}

fn said(done: &Fetched) -> String {
    let mut text: String = done.present.iter().map(|id| format!("here already: {id}\n")).collect();
    let fetched = |(id, place, size): &(SnapshotId, String, u64)| {
        format!("fetched {id} from {place} ({})\n", bytes(*size))
    };
    text += &done.fetched.iter().map(fetched).collect::<String>();
    if !done.fetched.is_empty() {
        text += "Next: netdr snapshots\n";
    }
    text
}
