//! Which module may use which, which may use a heavy crate, and which may touch the outside world.

use std::{collections::BTreeSet, path::Path};

use super::sources::{code, rust_files, says};

/// From above: a module uses only what stands below it (docs/architecture.md).
const ORDER: &[&str] = &[
    "main",
    "cli", // the command line
    "schedule",
    "drill",
    "metrics",
    "check",
    "restore",
    "report",
    "backup",
    "drift",
    "plan",
    "config",
    "notify",
    "velero",
    "watch",
    "gitops",
    "capture",
    "keys",
    "task", // stages
    "repository",
    "signature",
    "seal",
    "helm",
    "host",
    "probe",
    "web",
    "cluster", // what they stand on
    "canonical",
    "certificates",
    "policies",
    "catalog",
    "model",
    "strict",
    "yaml",
    "error", // words, without I/O
];

/// Against the order: a report is made of the outcomes that a run leaves, and a run ends in its report.
const TIED: [(&str, &str); 1] = [("report", "restore")];

/// A heavy crate, and the modules that may know it.
const CRATES: &[(&str, &[&str])] = &[
    ("kube", &["cluster", "drill"]),
    ("age", &["seal", "keys"]),
    ("zstd", &["seal"]),
    ("tar", &["seal", "helm", "velero"]), // a chart is a .tgz
    ("flate2", &["helm", "velero"]),
    ("jsonschema", &["helm"]),
    ("ssh_key", &["signature", "keys"]),
    ("x509_parser", &["certificates"]),
    ("git2", &["gitops"]),
    ("aws_config", &["repository"]),
    ("aws_runtime", &["repository"]),
    ("aws_sdk_s3", &["repository"]),
    ("aws_smithy_http_client", &["repository"]),
    ("rustls", &["certificates", "probe", "web"]),
    ("hyper_util", &["web"]),
    ("lettre", &["notify"]),
    ("hyper_rustls", &["web"]),
    ("rcgen", &["drill", "probe"]), // the certificate of a probe pod
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("indicatif", &["cli"]),
    ("rpassword", &["cli"]),
];

/// What only the command line may do: the library takes such things as arguments.
const OUTSIDE: [&str; 8] = [
    "std::env::",
    "env::var",
    "Utc::now",
    "Local::now",
    "SystemTime::now",
    "println!",
    "eprintln!",
    "std::io::stdout",
];

fn module(path: &Path) -> &str {
    let first = path.iter().nth(1).unwrap().to_str().unwrap();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The modules of this crate that a text names: `crate::a`, `crate::{a, b::c}`, and in main `netdr::a`.
fn used(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in text.split("crate::").skip(1).chain(text.split("netdr::").skip(1)) {
        let mut depth = 0;
        let mut name = String::new();
        let mut within = false; // a path's later names are of its module
        for c in path.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' if depth == 1 => within = false,
                _ if depth > 1 || within => continue,
                ' ' | '\n' if depth == 1 => {}
                ':' if depth == 1 => within = true,
                c if c.is_alphanumeric() || c == '_' => {
                    name.push(c);
                    continue;
                }
                _ => {}
            }
            names.insert(std::mem::take(&mut name));
            if depth == 0 {
                break;
            }
        }
    }
    names
}

#[test]
fn a_module_uses_only_what_stands_below_it() {
    let place = |name: &str| ORDER.iter().position(|o| *o == name);
    for path in rust_files("src") {
        let own = module(&path);
        if own == "lib" {
            continue;
        }
        let own_place = place(own).unwrap_or_else(|| panic!("{own} has no place in the layers: give it one"));
        for name in used(&code(&path)) {
            let Some(other) = place(&name) else { continue };
            let allowed = other >= own_place || TIED.contains(&(own, &name));
            assert!(allowed, "{} uses {name}, which stands above {own}", path.display());
        }
    }
}

#[test]
fn a_heavy_crate_is_known_to_one_module() {
    for path in rust_files("src") {
        let text = code(&path);
        for (name, modules) in CRATES {
            let known = modules.contains(&module(&path));
            assert!(known || !says(&text, &format!("{name}::")), "{} uses {name}", path.display());
        }
    }
}

#[test]
fn the_library_touches_neither_terminal_nor_environment_nor_clock() {
    for path in rust_files("src") {
        if matches!(module(&path), "main" | "cli") {
            continue;
        }
        let text = code(&path);
        for word in OUTSIDE {
            assert!(!says(&text, word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn the_reading_of_uses_is_right() {
    let text = "use crate::{\n    Error, cluster::{Access, plan},\n    model,\n};\nfn f() { crate::helm::decode(x) }";
    let names = used(text);
    for name in ["Error", "cluster", "model", "helm"] {
        assert!(names.contains(name), "{name} in {names:?}");
    }
    assert!(!names.contains("plan"), "an item of cluster is no module: {names:?}");
    assert!(!says("crate::certificates::tar::x", "tar::") && says("a(tar::x)", "tar::"));
}
