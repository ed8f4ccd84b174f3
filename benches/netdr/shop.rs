//! A folder with a repository, keys and configuration, in which netdr runs as an operator runs it.
//!
//! In: arguments. Out: how long the whole process took, its peak memory, its JSON. Invariant: it succeeded, or was only
//! over an objective (exit code 6); anything else ends the bench.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

pub(crate) struct Shop {
    folder: tempfile::TempDir,
    kubeconfig: PathBuf,
}

pub(crate) struct Run {
    pub(crate) took: Duration,
    /// Largest resident memory, in KiB.
    pub(crate) peak: u64,
    pub(crate) json: Value,
}

impl Shop {
    pub(crate) fn new(kubeconfig: &Path) -> Self {
        let shop = Self { folder: tempfile::tempdir().unwrap(), kubeconfig: kubeconfig.into() };
        fs::create_dir(shop.folder().join("host")).unwrap(); // never this machine's own files
        shop.run(&["init", "--repo", "repository", "--generate-keys", "keys"]);
        shop
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// netdr, about to run there.
    pub(crate) fn netdr(&self, args: &[&str]) -> Command {
        let mut netdr = Command::new(env!("CARGO_BIN_EXE_netdr"));
        netdr.args(args).current_dir(self.folder()).env("KUBECONFIG", &self.kubeconfig);
        netdr
    }

    pub(crate) fn best(&self, times: usize, args: &[&str]) -> (Duration, u64) {
        let runs: Vec<Run> = (0..times).map(|_| self.run(args)).collect();
        let took = runs.iter().map(|r| r.took).min().unwrap_or_default();
        (took, runs.iter().map(|r| r.peak).max().unwrap_or_default())
    }

    /// A restore after which nothing is left to do.
    pub(crate) fn restore(&self, scenario: &str) -> Run {
        let run = ["restore", "--scenario", scenario, "--identity", "keys/operator.txt", "--yes"];
        let run = self.run(&[&run[..], &["--host-root", "host"]].concat());
        assert_eq!(run.json["differences_left"], 0, "{:#}", run.json);
        run
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let started = Instant::now();
        let mut netdr = self.netdr(args);
        let mut child = netdr.arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let memory = watch_memory(child.id());
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap());
        let stdout = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
        let status = child.wait().unwrap();
        let took = started.elapsed();
        let errors = errors.join().unwrap();
        assert!(matches!(status.code(), Some(0 | 6)), "netdr {args:?}: {status}\n{errors}\n{stdout}");
        Run { took, peak: memory.join().unwrap(), json: serde_json::from_str(&stdout).unwrap_or_default() }
    }
}

impl Run {
    /// Seconds of a phase of the report.
    pub(crate) fn phase(&self, name: &str) -> f64 {
        let phases = self.json["phases"].as_array().into_iter().flatten();
        phases.filter(|phase| phase["name"] == name).filter_map(|phase| phase["seconds"].as_f64()).sum()
    }

    /// Sums up a number of every step of the report, or of those of one action.
    pub(crate) fn steps(&self, field: &str, action: Option<&str>) -> f64 {
        let steps = self.json["steps"].as_array().into_iter().flatten();
        let steps = steps.filter(|step| action.is_none_or(|action| step["action"] == action));
        steps.filter_map(|step| step[field].as_f64()).sum()
    }
}

/// Reads VmHWM, which only grows, until the process is gone.
fn watch_memory(pid: u32) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(file) = fs::File::open(format!("/proc/{pid}/status")) {
            let line = BufReader::new(file).lines().map_while(Result::ok).find(|l| l.starts_with("VmHWM:"));
            let Some(now) = line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok()) else { break };
            peak = now;
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    })
}
