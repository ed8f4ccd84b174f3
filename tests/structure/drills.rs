//! The schedules of drills, held against the time after which their lack is an alert, and against the other jobs.

use std::fs;

use chrono::{NaiveDate, TimeDelta};
use serde_json::Value;

use super::sources::root;

/// `netdr check recoverability` alerts after this, and so does `NetdrDrillOverdue`.
const OVERDUE: TimeDelta = TimeDelta::days(90);
/// Somebody must mend and repeat a drill that failed.
const TO_REPEAT: TimeDelta = TimeDelta::days(14);

fn line(file: &str, begins: &str) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(begins)).unwrap();
    line.to_owned()
}

#[test]
fn the_unit_lets_no_memory_go_to_a_disk() {
    for limit in ["MemorySwapMax=", "LimitCORE="] {
        assert_eq!(line("schedules/drill/netdr-drill.service", limit), "0");
    }
}

/// What the comment shows to have the kubelet mount the repository replaces the repository.
#[test]
fn the_patch_that_is_shown_replaces_the_volume_of_the_repository() {
    let at: usize = line(
        "schedules/drill/kustomization.yaml",
        "#         path: /spec/jobTemplate/spec/template/spec/volumes/",
    )
    .parse()
    .unwrap();
    assert_eq!(pods("schedules/drill/cronjob.yaml")[0]["volumes"][at]["name"], "repository");
}

/// The pods of the CronJobs in a file.
fn pods(file: &str) -> Vec<Value> {
    let objects = netdr::yaml::documents(&fs::read_to_string(root().join(file)).unwrap()).unwrap();
    let jobs = objects.iter().filter(|object| object["kind"] == "CronJob");
    jobs.map(|job| job["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone()).collect()
}

#[test]
fn the_job_starts_where_the_repository_is_as_the_job_that_backs_up_does() {
    let [drill, backup] = ["schedules/drill/cronjob.yaml", "schedules/rendered/network.yaml"].map(pods);
    let repository = |pod: &Value| {
        let volumes = pod["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["name"] == "repository").unwrap().clone()
    };
    assert_eq!((drill.len(), repository(&drill[0])), (1, repository(&backup[0])));
    for field in ["nodeSelector", "tolerations"] {
        assert!(!drill[0][field].is_null() && drill[0][field] == backup[0][field], "{field}");
    }
}

/// The longest time from one day of these months to the next, over leap years and the year that is none, 2100.
fn longest_gap(months: &str, day: &str) -> TimeDelta {
    let months: Vec<u32> = months.split(',').map(|month| month.parse().unwrap()).collect();
    let day = day.parse().unwrap();
    let days = (2096..=2105).flat_map(|year| months.iter().map(move |month| (year, *month)));
    let days: Vec<NaiveDate> =
        days.map(|(year, month)| NaiveDate::from_ymd_opt(year, month, day).unwrap()).collect();
    days.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
}

#[test]
fn whoever_drills_by_the_schedules_is_never_overdue() {
    let calendar = line("schedules/drill/netdr-drill.timer", "OnCalendar=*-");
    let (months, rest) = calendar.split_once('-').unwrap();
    let timer = longest_gap(months, rest.split(' ').next().unwrap());
    let cron = line("schedules/drill/cronjob.yaml", "schedule: ");
    let [_, _, day, months, "*"] = cron.split(' ').take(5).collect::<Vec<_>>()[..] else { panic!("{cron}") };
    let job = longest_gap(months, day);
    for gap in [timer, job] {
        assert!(gap + TO_REPEAT < OVERDUE, "{} days", gap.num_days());
    }
    assert_eq!(longest_gap("1,4,7,10", "5"), TimeDelta::days(92), "by quarters it would be overdue");
}
