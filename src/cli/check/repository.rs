//! Checks of what the repository and its places hold.

use crate::{
    Result,
    check::{Check, recoverability},
    cli::{context::Context, settings::Settings, snapshots::places},
    config::LOCAL,
    drill,
    repository::Repository,
};

/// Asks the places, and judges.
pub(super) fn checks(cx: &Context, settings: &Settings) -> Result<Vec<Check>> {
    let outside = !settings.config.replicas.is_empty();
    // On a new machine there is only what can be fetched.
    let local = match settings.repository() {
        Err(error) if !outside || !Repository::is_absent(settings.repository_path()?)? => return Err(error),
        repository => repository.ok(),
    };
    let trusted = settings.trusted()?;
    let here = local.as_ref().map_or(Ok(Vec::new()), |local| local.list(&trusted, cx.now))?;
    let mut places = vec![recoverability::Place { name: LOCAL.into(), listed: Ok(here.clone()) }];
    if outside {
        for (name, answer) in places::ask(cx, settings, &trusted, &here, "netdr snapshots --local")? {
            let listed = answer.map(|there| there.into_listed(&here)).map_err(|error| error.to_string());
            places.push(recoverability::Place { name, listed });
        }
    }
    let proved = local.as_ref().map_or(Ok(Vec::new()), Repository::proofs)?;
    let drills = local.as_ref().map(|local| drill::drills(&local.reports(), &trusted, cx.now)).transpose()?;
    let drill::Drills { signed, untrusted } = drills.unwrap_or_default();
    let cluster = settings.config.cluster_name.as_deref();
    let means = recoverability::Means {
        places: &places,
        cluster,
        proved: &proved,
        drills: &signed,
        untrusted: &untrusted,
    };
    Ok(recoverability::judge(&means, cx.now))
}
