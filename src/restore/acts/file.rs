//! A file of this node, put in its place or taken away.
//!
//! In: an act. Out: what became of it. Invariant: it is written only while it is as the plan saw it.

use super::Acting;
use crate::{
    host::Written,
    model::{Content, Item},
    plan::Act,
    restore::ActOutcome,
};

impl Acting<'_> {
    pub(super) fn file(&self, act: &Act, path: &str) -> ActOutcome {
        let Some(writer) = self.files else {
            return ActOutcome::Failed("it is of another node; run netdr there".into());
        };
        let planned = act.live_sha256.as_deref();
        let written = match act.item.as_ref().map(|Item { content, .. }| content) {
            Some(Content::File(file)) => writer.put(path, file, planned),
            _ => writer.remove(path, planned),
        };
        match written {
            Ok(Written::Done) => ActOutcome::Done,
            Ok(Written::Unchanged) => ActOutcome::Unchanged,
            Ok(Written::Changed) => ActOutcome::ChangedSincePlanned,
            Err(why) => ActOutcome::Failed(why),
        }
    }
}
