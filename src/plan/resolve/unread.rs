//! What could not be read, in words.
//!
//! In: a kind's failure, an object that is asked for. Out: why nothing is known of it, and how to see whether it may be read.
//! Invariant: pure; no object is told what was said of another.

use crate::{capture::Failure, model::ItemKey};

/// Of a kind: of all its objects nothing is known.
pub(super) fn kind(failure: &Failure) -> String {
    let Failure { component, kind, why } = failure;
    format!("{component}: {kind} could not be read: {why}{}", right(failure, None))
}

/// Of an object of that kind, in words that fit after what is not known of it.
pub(super) fn object(failure: &Failure, key: &ItemKey) -> String {
    let Failure { component, kind, why } = failure;
    // The API server names the object that it refuses: `secrets "x" is forbidden`.
    let another =
        why.starts_with(&format!("{kind} \"")) && !why.starts_with(&format!("{kind} \"{}\"", key.name()));
    let right = right(failure, key.namespace());
    match another {
        true => format!(
            "could not be read: reading {kind} of {component} ended at another one, see the warnings{right}"
        ),
        false => format!("could not be read: {why}{right}"),
    }
}

/// How to see whether the right to read it is missing.
fn right(failure: &Failure, namespace: Option<&str>) -> String {
    let Failure { kind, why, .. } = failure;
    if !why.ends_with("(403)") {
        return String::new();
    }
    match (why.contains(" cannot get "), namespace) {
        (true, Some(namespace)) => format!("; see: kubectl auth can-i get {kind} -n {namespace}"),
        (true, None) => format!("; see: kubectl auth can-i get {kind}"),
        (false, _) => format!("; see: kubectl auth can-i list {kind} -A"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Component;

    #[test]
    fn an_object_is_told_its_own_refusal_and_how_to_see_the_right() {
        let why = |refused: &str, verb: &str| {
            format!(
                "secrets{refused} is forbidden: User \"jane\" cannot {verb} resource \"secrets\" in API group \"\" (403)"
            )
        };
        let failure =
            |why: String| Failure { component: Component::Certificates, kind: "secrets".into(), why };
        let (a, b) = (
            ItemKey::resource("", "secrets", Some("n"), "a"),
            ItemKey::resource("", "secrets", Some("m"), "b"),
        );
        let named = failure(why(" \"a\"", "get"));
        assert!(object(&named, &a).starts_with("could not be read: secrets \"a\" is forbidden"));
        assert!(object(&named, &a).ends_with("; see: kubectl auth can-i get secrets -n n"));
        let other = object(&named, &b);
        assert!(
            !other.contains("\"a\"") && other.ends_with("kubectl auth can-i get secrets -n m"),
            "{other}"
        );
        let listed = failure(why("", "list"));
        assert!(
            object(&listed, &b).contains("is forbidden") && kind(&listed).ends_with("can-i list secrets -A")
        );
        assert_eq!(kind(&failure("no answer".into())), "certificates: secrets could not be read: no answer");
    }
}
