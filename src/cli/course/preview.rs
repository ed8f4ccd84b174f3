//! A resolved plan as a person reads it before saying yes: what goes first, then step by step.

use std::{collections::BTreeMap, slice};

use crate::{
    cli::{
        context::Context,
        words::{age, count, objective, time},
    },
    cluster::Cluster,
    model::{Component, ItemKey, SourceName},
    plan::{Act, Difference, Fate, Issuance, Look, Reissue, ResolvedPlan, Step, Verb, diff, shell_word},
    restore::Prepared,
};

/// Creates of one step that are named without `-v`: thousands of lines hide the few that matter.
const NAMED: usize = 50;
/// Looks of one step that are named.
const LOOKS: usize = 10;
/// Limits of Let's Encrypt that are shown, the fullest first.
const LIMITS: usize = 10;

/// The whole plan.
pub(super) fn text(prepared: &Prepared<'_>, cluster: &Cluster, cx: &Context) -> String {
    let plan = &prepared.plan;
    let authored = &plan.plan;
    let server = cluster.server();
    let taken = if plan.source.is_authored() { "committed" } else { "captured " };
    let mut text = format!(
        "{what}: {title}\n  cluster     {name} at {server}\n",
        what = if prepared.undoes().is_some() { "Undo".into() } else { format!("Restore {}", authored.name) },
        title = authored.title,
        name = prepared.cluster.name,
    );
    text += &format!("  source      {}\n", prepared.source());
    text += &format!("  signed by   {}\n", prepared.signed_by());
    if prepared.undoes().is_none() {
        let captured = plan.source.captured_at;
        text += &format!("  {taken}   {} ({})\n", time(captured), age(captured, cx.now));
        if plan.source.names.len() > 1 {
            for id in plan.source.names.iter().filter_map(SourceName::snapshot) {
                text += &format!("              {id} ({})\n", age(id.captured_at(), cx.now));
            }
        }
        let (rto, rpo) = (objective(authored.rto), objective(authored.rpo));
        text += &format!("  objectives  back within {rto}, at most {rpo} lost\n");
    }
    text += &prepared.narrowed().iter().map(|line| format!("  left out    {line}\n")).collect::<String>();
    let deleted: Vec<&Act> = acts(&plan.steps).filter(|a| a.verb == Verb::Delete).collect();
    if !deleted.is_empty() {
        text += &format!("\nDeletes {}:\n", count(deleted.len() as u64, "object"));
        text += &deleted.iter().map(|act| format!("  - {}{}\n", act.key, remarks(act))).collect::<String>();
    }
    let differences: Differences<'_> = plan.differences.iter().map(|d| ((d.component, &d.key), d)).collect();
    for (number, step) in plan.steps.iter().enumerate() {
        text += &step_text(number + 1, step, &differences, cx);
    }
    text += &hidden(prepared, &differences, cx);
    text += &issuance(&plan.issuance);
    let cannot = if prepared.undoes().is_some() { "Cannot be undone" } else { "Cannot be restored" };
    text += &reasons(cannot, &plan.refused);
    text += &reasons("Left as they are", &plan.kept);
    if !plan.later.is_empty() {
        let later = plan.later.join(", ");
        text += &format!("\nWhen the API server answers, these are resolved, shown and asked for: {later}\n");
    }
    if !plan.not_done.is_empty() {
        let lines: String = plan.not_done.iter().map(|part| format!("  {part}\n")).collect();
        text += &format!("\nNot done from here:\n{lines}");
    }
    let equal = plan.authored.iter().filter(|values| values.is_equal());
    text += &equal.map(|values| format!("\n{}\n", values.says)).collect::<String>();
    text += &plan.warnings.iter().map(|w| format!("\nwarning: {w}\n")).collect::<String>();
    text + &format!("\n{}\ndigest {}\n", totals(plan), plan.digest())
}

/// What is asked before anything is changed.
pub(super) fn question(prepared: &Prepared<'_>, cx: &Context) -> String {
    let (plan, cluster) = (&prepared.plan, &prepared.cluster.name);
    let what = match prepared.undoes() {
        Some(run) => format!("Change cluster {cluster} back to what it was before {run}"),
        None => {
            let captured = age(plan.source.captured_at, cx.now);
            let what = if plan.later.is_empty() { "cluster" } else { "this node of cluster" };
            let taken = if plan.source.is_authored() { "committed" } else { "captured" };
            format!("Change {what} {cluster} to what was {taken} {captured}")
        }
    };
    format!("{what} ({})?", totals(plan))
}

type Differences<'a> = BTreeMap<(Component, &'a ItemKey), &'a Difference>;

fn step_text(number: usize, step: &Step, differences: &Differences<'_>, cx: &Context) -> String {
    if step.question.is_none()
        && step.command.is_none()
        && step.gates.is_empty()
        && step.looks.is_empty()
        && acts(slice::from_ref(step)).next().is_none()
    {
        return String::new(); // nothing is asked, done, waited for or looked at
    }
    let mut text = format!("\nStep {number}, {}: {}\n", step.id, step.title);
    if let Some(question) = &step.question {
        text += &format!("  asks: {question}\n");
    }
    if let Some(command) = &step.command {
        let says = match (command.done, command.allowed) {
            (true, _) => "was run",
            (false, true) => "runs",
            (false, false) => "would run, with --allow-run",
        };
        text += &format!("  {says}: {command}\n");
    }
    let mut created = 0;
    for act in acts(slice::from_ref(step)) {
        created += usize::from(act.verb == Verb::Create);
        if act.verb != Verb::Create || created <= NAMED || cx.flags.verbose {
            text += &act_text(act, differences);
        }
    }
    if created > NAMED && !cx.flags.verbose {
        text += &format!("  + {} more, see them with -v\n", created - NAMED);
    }
    if !step.gates.is_empty() {
        text += &match step.gates.as_slice() {
            [gate] => format!("  then waits for {gate}\n"),
            gates => format!("  then waits for {}\n", count(gates.len() as u64, "object")),
        };
    }
    for look in step.looks.iter().take(LOOKS) {
        text += &match look {
            Look::Nothing { what, why } => format!("  does not probe {what}: {why}\n"),
            look => format!("  probes whether {look}\n"),
        };
        if let Look::Connectivity { image, .. } = look {
            text += &format!(
                "    for that it makes a pod on every node, by two Jobs netdr-connectivity-* in kube-system (image {image}), and \
                 removes them\n"
            );
        }
    }
    if step.looks.len() > LOOKS {
        text += &format!("  and {} more\n", step.looks.len() - LOOKS);
    }
    text
}

/// How to see what is only said to differ, in files of this node. A private folder, because it is written in clear.
fn hidden(prepared: &Prepared<'_>, differences: &Differences<'_>, cx: &Context) -> String {
    let secret = |act: &&Act| {
        let difference = differences.get(&(act.component, &act.key));
        difference.is_some_and(|difference| difference.fields.iter().any(|field| field.secret))
    };
    let mut files = acts(&prepared.plan.steps).filter(secret).filter_map(|act| match &act.key {
        ItemKey::File { node, path } => Some((node, path)),
        _ => None,
    });
    let (Some((node, path)), Some(command)) = (files.next(), prepared.extract_files()) else {
        return String::new();
    };
    let live = cx.flags.host_root.join(path.trim_start_matches('/')).display().to_string();
    let live = shell_word(&live);
    format!(
        "\nTo see what differs in files of the node: {command}; diff {live} extracted/host/host/{node}{path}\n"
    )
}

fn act_text(act: &Act, differences: &Differences<'_>) -> String {
    let sign = match act.verb {
        Verb::Create => "+",
        Verb::Replace | Verb::Merge => "~",
        Verb::Recreate => "-/+",
        Verb::Delete => "-",
        Verb::Restart => "* restart",
        Verb::Scale => "* scale",
        Verb::Renew => "* renew",
    };
    let mut text = format!("  {sign} {}{}\n", act.key, remarks(act));
    // The first line names the object again; what it would say of a create or delete is said.
    let fields = differences.get(&(act.component, &act.key)).map(|d| diff::lines(d)).unwrap_or_default();
    text += &fields.iter().skip(1).map(|line| format!("  {line}\n")).collect::<String>();
    text
}

/// Which certificates are issued anew, why, and what that costs.
fn issuance(issuance: &Issuance) -> String {
    if !issuance.looked {
        return String::new();
    }
    let of = |fate: Fate| issuance.reissues.iter().filter(|reissue| reissue.fate == fate).count() as u64;
    let mut parts = Vec::new();
    for (n, what) in [
        (issuance.expected().count() as u64, "will be issued anew"),
        (of(Fate::Unknown), "may be issued anew, which could not be told"),
        (of(Fate::Stuck), "will not be issued before a person acts"),
    ] {
        if n > 0 {
            parts.push(format!("{} {what}", count(n, "certificate")));
        }
    }
    let mut text = match parts.as_slice() {
        [] => "\nNo certificate will be issued anew.\n".to_owned(),
        parts => format!("\n{}:\n", parts.join("; ")),
    };
    let line = |reissue: &Reissue| {
        let by = match reissue.fate {
            Fate::Reissued => "by cert-manager",
            Fate::Renewed => "triggered by this plan",
            Fate::Stuck => "not before a person acts",
            Fate::Unknown => "perhaps",
        };
        let reason = if reissue.reason.is_empty() { String::new() } else { format!("{}: ", reissue.reason) };
        format!("  {}, {by}: {reason}{}\n", reissue.certificate, reissue.why)
    };
    text += &issuance.reissues.iter().map(line).collect::<String>();
    let costs = issuance.costs();
    if !costs.is_empty() {
        text += "  Let's Encrypt counts, on top of what it issued lately:\n";
        text += &costs.iter().take(LIMITS).map(|cost| format!("    {cost}\n")).collect::<String>();
        if costs.len() > LIMITS {
            text += &format!("    and {} more, further from their limits\n", costs.len() - LIMITS);
        }
    }
    text
}

fn remarks(act: &Act) -> String {
    if act.remarks.is_empty() { String::new() } else { format!("  ({})", act.remarks.join("; ")) }
}

fn reasons(title: &str, items: &[(ItemKey, String)]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let lines: String = items.iter().map(|(key, why)| format!("  {key}: {why}\n")).collect();
    format!("\n{title}:\n{lines}")
}

fn acts(steps: &[Step]) -> impl Iterator<Item = &Act> {
    steps.iter().flat_map(|step| &step.batches).flat_map(|batch| &batch.acts)
}

fn totals(plan: &ResolvedPlan) -> String {
    let counts = plan.counts();
    let mut parts = vec![
        format!("create {}", counts.create),
        format!("replace {}", counts.replace),
        format!("recreate {}", counts.recreate),
        format!("delete {}", counts.delete),
        format!("unchanged {}", counts.unchanged),
    ];
    if counts.operations > 0 {
        parts.insert(4, format!("operations {}", counts.operations));
    }
    if counts.refused > 0 {
        parts.push(format!("refused {}", counts.refused));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_certificates_is_one_statement() {
        let reissue = |fate| Reissue {
            certificate: ItemKey::resource("cert-manager.io", "certificates", Some("n"), "web"),
            secret: ItemKey::resource("", "secrets", Some("n"), "web-tls"),
            fate,
            reason: String::new(),
            why: "because".into(),
            counted: false,
        };
        let said = |fates: &[Fate]| {
            let reissues = fates.iter().map(|fate| reissue(*fate)).collect();
            issuance(&Issuance { looked: true, reissues, ..Issuance::default() })
        };
        assert_eq!(said(&[]), "\nNo certificate will be issued anew.\n");
        let unknown = said(&[Fate::Unknown]);
        assert!(
            unknown.starts_with("\n1 certificate may be issued anew, which could not be told:\n"),
            "{unknown}"
        );
        let both = said(&[Fate::Reissued, Fate::Renewed, Fate::Unknown]);
        assert!(both.starts_with("\n2 certificates will be issued anew; 1 certificate may be"), "{both}");
        assert_eq!(issuance(&Issuance::default()), "", "the plan is not about certificates");
    }
}
