//! A release's Secret and back: base64 of gzip of JSON, and base64 again as the API carries it
//! (Helm pkg/storage/driver/util.go).

use std::io::{Read as _, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};

use crate::{Error, Result};

/// How far a release may inflate: thirty times the largest seen, and small enough to hold.
const MAX_INFLATED: u64 = 64 << 20;
/// What Kubernetes accepts in a Secret (core/v1 MaxSecretSize), in bytes.
const MAX_SECRET: usize = 1 << 20;
/// The same as the API carries it, base64 once more, with room for the rounding.
const MAX_ENCODED: usize = MAX_SECRET / 3 * 4 + 8;
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];

/// A release Secret's content: `{"name": Secret name, "labels": {…}, "release": {…}}`.
///
/// # Errors
/// Names the release and its Secret, and what is wrong with the encoding; never anything of the content.
pub fn decode(secret: &Value) -> Result<Value> {
    let metadata = &secret["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
    let release = text(&metadata["labels"]["name"]);
    let wrong = |why: &str| {
        Error::damaged(format!("helm release {namespace}/{release}: Secret {name} {why}"))
            .hint(format!("look at it with: kubectl get secret {name} -n {namespace} -o yaml"))
            .hint("once that Secret is gone, helm upgrade makes a sound revision")
    };
    let encoded = secret["data"]["release"].as_str().ok_or_else(|| wrong("has no key `release`"))?;
    if encoded.len() > MAX_ENCODED {
        return Err(wrong("is larger than a Secret can be"));
    }
    let helm = STANDARD.decode(encoded).map_err(|_| wrong("is not base64"))?;
    let packed = STANDARD.decode(helm).map_err(|_| wrong("does not hold base64, as Helm writes it"))?;
    let json = if packed.starts_with(GZIP) {
        let mut json = Vec::new();
        let read = GzDecoder::new(packed.as_slice()).take(MAX_INFLATED + 1).read_to_end(&mut json);
        read.map_err(|_| wrong("holds damaged gzip"))?;
        if json.len() as u64 > MAX_INFLATED {
            return Err(wrong("inflates to more than 64 MiB"));
        }
        json
    } else {
        packed // releases of Helm's first years are not compressed
    };
    let parsed: Value = serde_json::from_slice(&json).map_err(|_| wrong("holds neither gzip nor JSON"))?;
    // A release that renders nothing has no manifest: Helm leaves it out where it is empty.
    if !parsed["name"].is_string() || !parsed["info"].is_object() {
        return Err(wrong("holds JSON that is no release"));
    }
    Ok(json!({"name": name, "labels": metadata["labels"], "release": parsed}))
}

/// The Secret of a decoded release, as Helm writes it.
///
/// Labels are kept: RKE2's helm-controller compares `helmcharts.helm.cattle.io/configHash` before it installs anew.
///
/// # Errors
/// When the content is no decoded release, or the Secret would be larger than Kubernetes accepts.
pub fn encode(content: &Value) -> Result<Value> {
    let release = &content["release"];
    let (Some(name), Some(namespace)) = (content["name"].as_str(), release["namespace"].as_str()) else {
        return Err(Error::damaged("a stored helm release has no Secret name or no namespace"));
    };
    let failed =
        |cause: std::io::Error| Error::failed(format!("cannot encode helm release {name}")).because(cause);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(release.to_string().as_bytes()).map_err(failed)?;
    let helm = STANDARD.encode(gzip.finish().map_err(failed)?);
    if helm.len() > MAX_SECRET {
        return Err(Error::failed(format!(
            "helm release {namespace}/{name} takes {} bytes, and Kubernetes accepts no Secret over {MAX_SECRET}",
            helm.len()
        )));
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {"name": name, "namespace": namespace, "labels": content["labels"]},
        "data": {"release": STANDARD.encode(helm)},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release() -> Value {
        json!({"name": "traefik", "namespace": "traefik", "version": 3, "manifest": "---\na: \"<&>\"\n",
            "config": {"password": "MARKER", "n": 1.5}, "info": {"status": "deployed"}})
    }

    fn content() -> Value {
        let labels = json!({"owner": "helm", "name": "traefik", "status": "deployed", "version": "3",
            "helmcharts.helm.cattle.io/configHash": "SHA256=AB"});
        json!({"name": "sh.helm.release.v1.traefik.v3", "labels": labels, "release": release()})
    }

    fn holding(bytes: &[u8]) -> Value {
        let mut secret = encode(&content()).unwrap();
        secret["data"]["release"] = STANDARD.encode(STANDARD.encode(bytes)).into();
        secret
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn encoding_is_the_reverse_of_decoding_and_keeps_every_label() {
        let secret = encode(&content()).unwrap();
        assert_eq!(secret["type"], "helm.sh/release.v1");
        assert_eq!(secret["metadata"]["labels"], content()["labels"]);
        assert_eq!(decode(&secret).unwrap(), content());
        assert_eq!(encode(&decode(&secret).unwrap()).unwrap(), secret);
    }

    #[test]
    fn a_release_that_was_never_compressed_is_read() {
        assert_eq!(decode(&holding(release().to_string().as_bytes())).unwrap(), content());
    }

    #[test]
    fn a_release_that_renders_nothing_has_no_manifest_and_is_read() {
        let mut empty = content();
        empty["release"].as_object_mut().unwrap().remove("manifest");
        assert_eq!(decode(&encode(&empty).unwrap()).unwrap(), empty);
    }

    #[test]
    fn whatever_is_wrong_is_named_with_the_secret_and_without_content() {
        let mut damaged = gzip(release().to_string().as_bytes());
        damaged.truncate(20);
        let bomb = gzip(&vec![b' '; (MAX_INFLATED + 2) as usize]);
        let mut not_base64 = encode(&content()).unwrap();
        not_base64["data"]["release"] = "MARKER!".into();
        let mut not_twice = not_base64.clone();
        not_twice["data"]["release"] = STANDARD.encode("MARKER!").into();
        let mut huge = not_base64.clone();
        huge["data"]["release"] = "A".repeat(MAX_ENCODED + 1).into();
        let cases = [
            (holding(&damaged), "holds damaged gzip"),
            (holding(&bomb), "inflates to more than 64 MiB"),
            (holding(b"MARKER"), "holds neither gzip nor JSON"),
            (holding(&gzip(b"MARKER")), "holds neither gzip nor JSON"),
            (holding(b"{\"MARKER\": 1}"), "is no release"),
            (not_base64, "is not base64"),
            (not_twice, "does not hold base64"),
            (huge, "larger than a Secret can be"),
            (json!({"metadata": content()["metadata"]}), "has no key `release`"),
        ];
        for (secret, why) in cases {
            let error = decode(&secret).unwrap_err();
            let text = format!("{error:?}");
            assert!(text.contains(why), "{text}");
            assert!(!text.contains("MARKER"), "{text}");
        }
        let error = decode(&holding(b"x")).unwrap_err().to_string();
        assert!(
            error.starts_with("helm release traefik/traefik: Secret sh.helm.release.v1.traefik.v3 "),
            "{error}"
        );
    }

    #[test]
    fn a_secret_of_one_mebibyte_is_read_and_one_over_it_is_not_written() {
        // Text that does not compress, so that the Secret comes close to the limit.
        let noise = |bytes: usize| {
            let mut state = 1u64;
            let noise: Vec<u8> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8
            })
            .take(bytes)
            .collect();
            let mut content = content();
            content["release"]["config"]["noise"] = STANDARD.encode(noise).into();
            content
        };
        let near = noise(770_000);
        assert_eq!(decode(&encode(&near).unwrap()).unwrap(), near);
        let error = encode(&noise(1 << 20)).unwrap_err().to_string();
        assert!(error.contains("Kubernetes accepts no Secret over 1048576"), "{error}");
    }
}
