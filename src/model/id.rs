//! Ids of snapshots and runs: sortable by time, safe as a folder name.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::Set;
use crate::{Error, Result};

/// `20261124T010000Z-network-7f3a9c`; set `host` carries its node: `20261124T010000Z-host-n1-7f3a9c`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SnapshotId(String);

/// `20261124T031500Z-traefik-5b21d0`: one restore.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RunId(String);

const TIME: &str = "%Y%m%dT%H%M%SZ";

impl SnapshotId {
    /// The id of a snapshot; `random` makes two in one second differ.
    pub fn new(captured_at: DateTime<Utc>, set: Set, node: Option<&str>, random: u32) -> Self {
        let time = captured_at.format(TIME);
        let random = random & 0xff_ffff;
        Self(match node {
            Some(node) => format!("{time}-{set}-{node}-{random:06x}"),
            None => format!("{time}-{set}-{random:06x}"),
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is of: its set, and the node of one that is of a node; `network`, `host-rke2-a`.
    pub fn part(&self) -> &str {
        let parts = self.0.split_once('-').and_then(|(_time, rest)| rest.rsplit_once('-'));
        parts.map_or("", |(part, _random)| part)
    }

    /// Whether it is of this set.
    pub fn is_of(&self, set: Set) -> bool {
        self.part().split('-').next() == Some(set.name())
    }

    /// When it was captured, to the second: the id begins with it.
    pub fn captured_at(&self) -> DateTime<Utc> {
        time(&self.0)
    }
}

impl RunId {
    /// The id of a run of the scenario or plan named.
    pub fn new(started_at: DateTime<Utc>, scenario: &str, random: u32) -> Self {
        Self(format!("{}-{scenario}-{:06x}", started_at.format(TIME), random & 0xff_ffff))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When it began, to the second: the id begins with it.
    pub fn started_at(&self) -> DateTime<Utc> {
        time(&self.0)
    }
}

/// The time that an id begins with.
fn time(id: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(id.split('-').next().unwrap_or_default(), TIME)
        .unwrap_or_default()
        .and_utc()
}

/// Checked because ids become paths: time, then only letters that cannot leave a folder.
fn checked(text: &str, what: &str) -> Result<String> {
    let safe = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    let timed =
        text.split_once('-').is_some_and(|(time, _)| NaiveDateTime::parse_from_str(time, TIME).is_ok());
    if safe && timed && !text.contains("..") && text.len() <= 255 {
        return Ok(text.into());
    }
    Err(Error::usage(format!("`{text}` is not the id of a {what}; list them with: netdr {what}s")))
}

impl FromStr for SnapshotId {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        checked(s, "snapshot").map(Self)
    }
}

impl FromStr for RunId {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        checked(s, "run").map(Self)
    }
}

impl<'de> Deserialize<'de> for SnapshotId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
