//! A release's chart and values, for people and for `helm upgrade --install`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

use crate::{Error, Result, yaml};

/// The user's values as YAML, as `helm get values` shows them.
///
/// # Errors
/// When they cannot be written as YAML.
pub fn values_yaml(content: &Value) -> Result<String> {
    values(&content["release"]["config"])
}

/// The chart rebuilt as a .tgz that Helm loads. Byte-equal for the same release.
///
/// A release stores neither subcharts nor comments (Helm pkg/chart: dependencies are not marshalled), so the
/// rebuilt chart is whole only for charts without dependencies.
///
/// # Errors
/// Names the release, and the file whose path or content cannot be in a chart.
pub fn chart_tgz(content: &Value) -> Result<Vec<u8>> {
    let release = &content["release"];
    let chart = &release["chart"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let wrong = |why: String| {
        Error::damaged(format!(
            "chart of helm release {}/{}: {why}",
            text(&release["namespace"]),
            text(&release["name"])
        ))
    };
    let name = chart["metadata"]["name"].as_str().ok_or_else(|| wrong("it has no name".into()))?;
    let mut files = vec![
        ("Chart.yaml".to_owned(), yaml::write(&chart["metadata"])?.into_bytes()),
        ("values.yaml".to_owned(), values(&chart["values"])?.into_bytes()),
    ];
    if chart["lock"].is_object() {
        files.push(("Chart.lock".to_owned(), yaml::write(&chart["lock"])?.into_bytes()));
    }
    let decode = |path: &str, data: &Value| {
        let data = data.as_str().unwrap_or_default(); // Go writes an empty file as null
        STANDARD.decode(data).map_err(|_| wrong(format!("{path} is not base64")))
    };
    let schema = decode("values.schema.json", &chart["schema"])?;
    if !schema.is_empty() {
        files.push(("values.schema.json".to_owned(), schema));
    }
    for part in ["templates", "files"] {
        for file in chart[part].as_array().into_iter().flatten() {
            let path = text(&file["name"]);
            let bytes = decode(&path, &file["data"])?;
            files.push((path, bytes));
        }
    }
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (path, bytes) in files {
        let inside = |path: &str| path.split('/').all(|step| !matches!(step, "" | "." | ".."));
        if !inside(&path) || !inside(name) || name.contains('/') {
            return Err(wrong(format!("`{path}` is no path inside the chart")));
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let appended = archive.append_data(&mut header, format!("{name}/{path}"), bytes.as_slice());
        appended.map_err(|cause| wrong(format!("cannot archive {path}")).because(cause))?;
    }
    let packed = archive.into_inner().and_then(GzEncoder::finish);
    packed.map_err(|cause| wrong("cannot compress it".into()).because(cause))
}

/// Helm stores no values as null, and shows none as `{}` in a chart's own file.
fn values(values: &Value) -> Result<String> {
    if values.is_null() { Ok("{}\n".into()) } else { yaml::write(values) }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Read as _};

    use super::*;
    use flate2::read::GzDecoder;
    use serde_json::json;

    fn content() -> Value {
        let file = |name: &str, text: &str| json!({"name": name, "data": STANDARD.encode(text)});
        json!({"release": {
            "name": "traefik", "namespace": "edge",
            "config": {"ports": {"web": {"port": 8000}}, "answer": "yes"},
            "chart": {
                "metadata": {"apiVersion": "v2", "name": "traefik", "version": "35.2.0"},
                "values": {"replicas": 1}, "lock": null, "schema": STANDARD.encode("{\"type\": \"object\"}"),
                "templates": [file("templates/deployment.yaml", "{{ .Values.replicas }}")],
                "files": [file("crds/a.yaml", "kind: X"), file(&format!("docs/{}.md", "x".repeat(120)), "long"),
                    {"name": "empty", "data": null}],
            },
        }})
    }

    fn unpack(tgz: &[u8]) -> BTreeMap<String, String> {
        let mut archive = tar::Archive::new(GzDecoder::new(tgz));
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (path, text)
        });
        entries.collect()
    }

    #[test]
    fn values_are_yaml_that_reads_back_as_the_same_values() {
        let text = values_yaml(&content()).unwrap();
        assert_eq!(yaml::documents(&text).unwrap(), [content()["release"]["config"].clone()]);
        assert_eq!(values_yaml(&json!({"release": {"config": null}})).unwrap(), "{}\n");
    }

    #[test]
    fn a_chart_is_rebuilt_whole_and_the_same_each_time() {
        let tgz = chart_tgz(&content()).unwrap();
        let files = unpack(&tgz);
        assert_eq!(files["traefik/templates/deployment.yaml"], "{{ .Values.replicas }}");
        assert_eq!(files["traefik/values.schema.json"], "{\"type\": \"object\"}");
        assert_eq!(files["traefik/crds/a.yaml"], "kind: X");
        assert_eq!(files["traefik/empty"], "");
        assert_eq!(files[&format!("traefik/docs/{}.md", "x".repeat(120))], "long");
        assert_eq!(
            yaml::documents(&files["traefik/Chart.yaml"]).unwrap(),
            [content()["release"]["chart"]["metadata"].clone()]
        );
        assert_eq!(yaml::documents(&files["traefik/values.yaml"]).unwrap(), [json!({"replicas": 1})]);
        assert_eq!(files.len(), 7);
        assert_eq!(chart_tgz(&content()).unwrap(), tgz);
    }

    #[test]
    fn a_file_that_would_leave_the_chart_is_refused() {
        for path in ["../x", "/etc/passwd", "a/../../b", "", "a//b"] {
            let mut content = content();
            content["release"]["chart"]["files"][0]["name"] = path.into();
            let error = chart_tgz(&content).unwrap_err().to_string();
            assert!(error.contains("is no path inside the chart"), "{error}");
        }
        let mut content = content();
        content["release"]["chart"]["metadata"]["name"] = "..".into();
        assert!(chart_tgz(&content).is_err());
    }
}
