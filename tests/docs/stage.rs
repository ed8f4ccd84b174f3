//! Where blocks of commands are run: a home in which the pages' own places are, on a believable cluster.
//!
//! In: a block. Out: nothing, or what went wrong. Once made, the home has what README's first ten minutes leave, and a
//! restore of lost network policies that can be undone. Nobody is at the terminal: a command that gets as far as its
//! question counts as done.

use std::fs;

use chrono::{SecondsFormat, Utc};
use netdr::drill::failures::break_policies;

use super::pages::{blocks, root};
use crate::support::{Home, Plane, everything, fresh};

/// What kubectl, helm and the shell say to whoever mistypes; exit codes that a row allows are not for these.
const MISTAKES: &[&str] = &[
    "unknown flag",
    "unknown shorthand flag",
    "unknown command",
    "command not found",
    "No such file or directory",
    "does not exist",
    "doesn't have a resource type",
    "error: unexpected argument",
];

/// Before a block: whatever fails ends it, but for codes that are meant and for questions that nobody answers.
const PRELUDE: &str = r#"
netdr() {
    local code=0
    command netdr "$@" 2>"$HOME/said" || code=$?
    cat "$HOME/said" >&2
    if [ $code = 2 ] && grep -q 'there is no terminal' "$HOME/said"; then code=0; fi
    return $code
}
set -o pipefail
trap 'code=$?; case " $CODES " in *" $code "*) ;; *) echo "exit code $code of: $BASH_COMMAND" >&2; exit 99;; esac' ERR
"#;

/// The blocks that make it begin so.
pub(super) const MADE_BY: &str = "mkdir -p /etc/netdr &&";

pub(super) struct Stage {
    home: Home,
    _plane: Plane,
    /// What stands in the pages, and what it is here.
    places: Vec<(&'static str, String)>,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let plane = fresh(everything()).await.loaded().await;
        let home = Home::new().with_kubeconfig(plane.kubeconfig());
        let path = |below: &str| home.path().join(below).display().to_string();
        let places = vec![
            ("/etc/netdr", path("etc/netdr")),
            ("/etc/rancher", path("etc/rancher")),
            ("/etc/systemd", path("etc/systemd")),
            ("/etc/prometheus", path("etc/prometheus")),
            ("/usr/local/bin", path("usr/local/bin")),
            ("/backup", path("backup")),
            ("/dev/shm", path("shm")),
            ("/media", path("media")),
            ("operator.txt", path("operator.txt")),
            ("break-glass.txt", path("break-glass.txt")),
        ];
        for part in ["schedules", "Makefile"] {
            home.run("cp", &["-r", root().join(part).to_str().unwrap(), part]).await.ok();
        }
        for folder in ["backup", "shm"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        let mut stage = Self { home, _plane: plane, places };
        let blocks = blocks();
        let made = blocks.iter().filter(|block| block.first_line().starts_with(MADE_BY));
        let made: Vec<&str> = made.map(|block| block.text.as_str()).collect();
        assert!(made.windows(2).all(|two| two[0] == two[1]), "{made:?}");
        stage.run("", made[0], &[]).await.unwrap();
        let script = "mv etc/netdr/operator.txt etc/netdr/break-glass.txt .";
        stage.home.shell(script).await.ok();
        stage.capture().await;
        let cluster = stage._plane.cluster().await.unwrap();
        break_policies(&cluster).await.unwrap();
        let restore = "restore --scenario network-policies --identity operator.txt --yes --json";
        let outcome = stage.netdr(restore).await;
        let report = outcome.json(6);
        stage.places.push(("RUN", report["run"].as_str().unwrap().to_owned()));
        // After the snapshots, also within their second.
        stage.places.push(("WHEN_IT_BEGAN", Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)));
        stage
    }

    /// Backs up, and unpacks what was captured to `extracted`.
    async fn capture(&mut self) {
        let taken = self.netdr("backup --set all --json").await.json(0);
        for snapshot in taken["snapshots"].as_array().unwrap() {
            let id = snapshot["id"].as_str().unwrap();
            if snapshot["set"] == "network" {
                for word in ["SNAPSHOT", "ID", "20261124T010000Z-network-7f3a9c"] {
                    self.places.push((word, id.to_owned()));
                }
            }
            self.netdr(&format!(
                "extract {id} --identity operator.txt --to {}",
                snapshot["set"].as_str().unwrap()
            ))
            .await
            .ok();
        }
    }

    async fn netdr(&self, words: &str) -> crate::support::Outcome {
        let config = self.home.path().join("etc/netdr/netdr.yaml").display().to_string();
        let words = ["--config", &config].into_iter().chain(words.split_whitespace()).collect::<Vec<_>>();
        self.home.netdr(&words).await
    }

    /// Runs a block in the home, after what must be there for it. Each command ends with 0 or one of the codes.
    pub(super) async fn run(&self, before: &str, block: &str, codes: &[u8]) -> Result<(), String> {
        let block = self.places.iter().fold(block.to_owned(), |text, (word, here)| put(&text, word, here));
        let codes = codes.iter().map(|code| format!("{code} ")).collect::<String>();
        let config = self.home.path().join("etc/netdr/netdr.yaml");
        let begin = if config.is_file() {
            format!("export NETDR_CONFIG={}", config.display())
        } else {
            String::new()
        };
        let identity = self.home.path().join("operator.txt");
        let script = format!(
            "{begin}\nexport NETDR_IDENTITY={}\nset -e\n{before}\nset +e\nCODES='{codes}'\n{PRELUDE}\n{block}",
            identity.display()
        );
        let outcome = self.home.run("bash", &["-c", &script]).await;
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        let code = outcome.code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255);
        let meant = code == 0 || codes.split(' ').any(|meant| meant == code.to_string());
        let mistake = MISTAKES.iter().find(|mistake| said.contains(**mistake));
        if meant && mistake.is_none() {
            Ok(())
        } else {
            Err(format!("{block}\n→ exit code {code}\n{said}"))
        }
    }
}

/// Puts a word in another's place, where it stands alone; a path, and a file of the folder, where they begin.
fn put(text: &str, word: &str, here: &str) -> String {
    let named = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        out += before;
        let joined = |c: char| named(c) || (c == '/' && word.contains(['.', '/']));
        let alone = !out.ends_with(joined) && !after.starts_with(named);
        out += if alone { here } else { word };
        rest = after;
    }
    out + rest
}

#[test]
fn only_whole_words_and_paths_are_put_elsewhere() {
    for (text, word, wanted) in [
        ("show ID --identity NETDR_ID a/ID/b", "ID", "show X --identity NETDR_ID a/X/b"),
        (
            "cd /etc/netdr /etc/netdr.d /x/etc/netdr/y /etc/netdr/y",
            "/etc/netdr",
            "cd X /etc/netdr.d /x/etc/netdr/y X/y",
        ),
        ("-i operator.txt keys/operator.txt", "operator.txt", "-i X keys/operator.txt"),
    ] {
        assert_eq!(put(text, word, "X"), wanted);
    }
}
