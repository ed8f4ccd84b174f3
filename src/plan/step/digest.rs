//! A resolved plan as programs see it: its digest and its JSON.
//!
//! In: a resolved plan. Out: text. Invariant: no content of any item is in them, and the digest is the same for the same
//! acts in any run: a dry run and the run that follows must agree.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    model::{Component, Item, ItemKey, hex},
    plan::{Act, Command, Difference, ResolvedPlan, Step, Verb, guard},
};

impl ResolvedPlan {
    /// sha256 over everything that will be done, from what and to which cluster (names, verbs, digests, preconditions'
    /// uids, what is asked and waited for), and over what cannot be done: what `--expect` compares.
    ///
    /// The run, its guards' names and the times of its restarts are not in it.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut line = |parts: &[&str]| hash.update(format!("{}\n", parts.join("\t")));
        line(&["cluster", &self.cluster]);
        self.source.names.iter().for_each(|name| line(&["source", &name.to_string()]));
        self.refused.iter().for_each(|(key, why)| line(&["refused", &key.to_path(), why]));
        self.unread.iter().for_each(|unread| line(&["unread", unread]));
        for part in &self.not_done {
            // Not the command that does it, which has the flags of whoever is shown it.
            line(&["not done", part.node.as_deref().unwrap_or_default(), &part.what]);
        }
        for step in &self.steps {
            line(&["step", &step.id, step.action, step.question.as_deref().unwrap_or_default()]);
            if let Some(command) = &step.command {
                line(&["run", &json!(command).to_string()]);
            }
            for batch in &step.batches {
                line(&["batch"]);
                for act in &batch.acts {
                    let guard = guard::is_guard(&act.key);
                    let key = match guard {
                        true => format!("guard {}", act.key.namespace().unwrap_or_default()),
                        false => act.key.to_path(),
                    };
                    let of_any_run = |_: &&Item| !guard && act.verb != Verb::Restart;
                    let wanted = act.item.as_ref().filter(of_any_run).map(Item::sha256).unwrap_or_default();
                    let uid = act.seen.as_ref().map(|seen| seen.uid.as_str()).unwrap_or_default();
                    line(&[
                        &key,
                        act.verb.name(),
                        &wanted,
                        act.live_sha256.as_deref().unwrap_or_default(),
                        uid,
                    ]);
                }
            }
            for gate in &step.gates {
                line(&["gate", &json!(gate).to_string()]);
            }
            for look in &step.looks {
                line(&["look", &json!(look).to_string()]);
            }
        }
        for broken in self.issuance.broken() {
            line(&["limit", &broken]);
        }
        hex(&hash.finalize())
    }

    /// The JSON of `restore --dry-run --json`.
    pub fn to_json(&self) -> Value {
        let changes: BTreeMap<(Component, &ItemKey), &Difference> =
            self.differences.iter().map(|d| ((d.component, &d.key), d)).collect();
        let act = |act: &Act| {
            let fields = changes.get(&(act.component, &act.key)).map(|d| d.fields.as_slice());
            json!({
                "key": act.key, "component": act.component, "verb": act.verb,
                "fields": fields.unwrap_or_default(), "remarks": act.remarks,
            })
        };
        let step = |step: &Step| {
            let acts: Vec<Value> = step.batches.iter().flat_map(|batch| &batch.acts).map(act).collect();
            json!({
                "id": step.id, "title": step.title, "action": step.action, "question": step.question,
                "command": step.command.as_ref().map(|command| &command.words),
                "runs": step.command.as_ref().map(Command::runs),
                "acts": acts, "gates": step.gates, "looks": step.looks, "timeout_s": step.timeout_s,
            })
        };
        let why = |(key, why): &(ItemKey, String)| json!({"key": key, "why": why});
        let counts = self.counts();
        json!({
            "scenario": self.plan.name,
            "source": self.source,
            "digest": self.digest(),
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "create": counts.create,
            "replace": counts.replace,
            "recreate": counts.recreate,
            "delete": counts.delete,
            "operations": counts.operations,
            "unchanged": counts.unchanged,
            "refused": counts.refused,
            "refusals": self.refused.iter().map(why).collect::<Vec<_>>(),
            "kept": self.kept.iter().map(why).collect::<Vec<_>>(),
            "warnings": self.warnings,
            "authored_values": self.authored,
            "not_done": self.not_done,
            "reissues": self.issuance.reissues,
            "lets_encrypt": self.issuance.costs_json(),
            "later": self.later,
        })
    }
}
