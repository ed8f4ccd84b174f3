//! Prometheus' text format 0.0.4 (prometheus.io, "Exposition formats"). Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::names::{METRICS, Metric};

/// Samples on their way to a text.
pub(super) struct Text {
    cluster: String,
    samples: BTreeMap<&'static str, String>,
}

impl Text {
    /// Of one cluster: its name is a label of every sample.
    pub(super) fn of(cluster: &str) -> Self {
        Self { cluster: cluster.into(), samples: BTreeMap::new() }
    }

    /// One sample; the values are those of the metric's labels, in order.
    pub(super) fn add(&mut self, metric: &Metric, values: &[&str], value: f64) {
        let mut labels = format!("cluster=\"{}\"", escaped(&self.cluster));
        for (label, value) in metric.labels.iter().zip(values) {
            labels += &format!(",{label}=\"{}\"", escaped(value));
        }
        *self.samples.entry(metric.name).or_default() += &format!("{}{{{labels}}} {value}\n", metric.name);
    }

    /// One whose value is a time.
    pub(super) fn time(&mut self, metric: &Metric, values: &[&str], time: DateTime<Utc>) {
        self.add(metric, values, time.timestamp() as f64);
    }

    /// The text: of each metric its help, its type and its samples.
    pub(super) fn end(self) -> String {
        let mut text = String::new();
        for Metric { name, help, .. } in &METRICS {
            if let Some(samples) = self.samples.get(name) {
                text += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n{samples}");
            }
        }
        text
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_holds_whatever_a_name_has() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
