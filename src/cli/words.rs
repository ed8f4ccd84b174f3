//! Numbers, times and tables as people read them. Pure.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// `2026-11-24T01:00:00Z`.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `3 h`; of two units the coarser, because an age is for judging, not for computing.
pub(super) fn duration(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds();
    match seconds.abs() {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `3 h ago`, or `in the future`, which a person must see.
pub(super) fn age(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match now - then {
        age if age < TimeDelta::zero() => "in the future".into(),
        age => format!("{} ago", duration(age)),
    }
}

/// `15 min`: an objective is short and exact.
pub(super) fn objective(objective: Duration) -> String {
    match objective.as_secs() {
        s if s > 0 && s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s > 0 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// `1.4 MiB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit < UNITS.len() - 1 {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1 item`, `2 items`.
pub(super) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// What a run left: `2 differences left`, or `10 steps not begun`, of which nobody knows what they come to.
pub(super) fn left(differences: u64, not_begun: u64) -> String {
    let differing = format!("{} left", count(differences, "difference"));
    match (differences, not_begun) {
        (_, 0) => differing,
        (0, steps) => format!("{} not begun", count(steps, "step")),
        (_, steps) => format!("{differing}, {} not begun", count(steps, "step")),
    }
}

/// Columns two spaces apart, one line a row, each ended.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|h| h.to_uppercase()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| lines.iter().filter_map(|l| l.get(column)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|c| width(c).unwrap_or(0)).collect();
    let line = |cells: &Vec<String>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    lines.into_iter().map(line).collect()
}

/// Text that cannot move the cursor: names in an untrusted header are written by others.
pub(super) fn printable(text: &str) -> String {
    let safe = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_rounded_to_one_unit() {
        let at = |s: i64| DateTime::from_timestamp(1_800_000_000 + s, 0).unwrap();
        assert_eq!(age(at(0), at(90)), "90 s ago");
        assert_eq!(age(at(0), at(7_199)), "119 min ago");
        assert_eq!(age(at(0), at(172_800)), "2 days ago");
        assert_eq!(age(at(1), at(0)), "in the future");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1_572_864), "1.5 MiB");
        assert_eq!(count(1, "item"), "1 item");
        assert_eq!(count(0, "item"), "0 items");
        assert_eq!((left(1, 0), left(0, 10)), ("1 difference left".into(), "10 steps not begun".into()));
        assert_eq!(left(2, 1), "2 differences left, 1 step not begun");
    }

    #[test]
    fn a_table_is_as_wide_as_its_cells() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&["id", "n"], &rows), "ID    N\na     1\nlong\n");
    }

    #[test]
    fn what_others_wrote_cannot_move_the_cursor() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\n");
    }
}
