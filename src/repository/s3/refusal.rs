//! Why a place did not do what it was asked, in words.
//!
//! In: the SDK's error, what was asked, of which object. Out: an error that says which right is missing, on what, and what to
//! do. Invariant: pure; nothing of a request but its object is in it, so no credential either.
//!
//! Codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId as _,
};

use super::{Place, connect::ATTEMPTS};
use crate::{Error, Kind};

/// What was asked, and the action of IAM that allows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Action {
    verb: &'static str,
    iam: &'static str,
}

pub(super) const PUT: Action = Action { verb: "write", iam: "s3:PutObject" };
pub(super) const LIST: Action = Action { verb: "list", iam: "s3:ListBucket" };
pub(super) const GET: Action = Action { verb: "read", iam: "s3:GetObject" };
pub(super) const HEAD: Action = Action { verb: "look at", iam: "s3:GetObject" };
pub(super) const RESTORE: Action = Action { verb: "thaw", iam: "s3:RestoreObject" };
pub(super) const VERSIONS: Action = Action { verb: "list the versions of", iam: "s3:ListBucketVersions" };
pub(super) const DELETE: Action = Action { verb: "delete", iam: "s3:DeleteObjectVersion" };

/// Statuses after which the SDK asks again, and `again` with it; fewer times where its budget of retries is used up.
const RETRIED: [u16; 5] = [429, 500, 502, 503, 504];

/// The HTTP status of what was answered.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|raw| raw.status().as_u16())
}

/// Whether what is refused with this code may be one object's alone: archived, sealed with a key of somebody else's, under
/// a rule of its own.
pub(super) fn is_of_one_object(code: &str) -> bool {
    matches!(code, "InvalidObjectState" | "AccessDenied" | "InvalidRequest") || code.starts_with("KMS.")
}

/// What was answered, whichever operation it was.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    code: String,
    message: String,
    /// `x-amz-bucket-region`, where it is another than ours.
    region: Option<String>,
    request: Option<String>,
}

/// The error in words.
pub(super) fn words<E>(place: &Place, action: Action, path: &str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let Some(raw) = error.raw_response() else { return unanswered(place, action, path, error) };
    let header = |name| raw.headers().get(name).map(ToOwned::to_owned);
    let region = header("x-amz-bucket-region").filter(|region| place.region.as_deref() != Some(region));
    let answer = Answer {
        status: raw.status().as_u16(),
        code: error.code().unwrap_or_default().into(),
        message: error.message().unwrap_or_default().into(),
        region,
        request: raw.request_id().map(ToOwned::to_owned),
    };
    refused(place, action, path, &answer)
}

/// Nothing came back: no connection, no credentials, no time left.
fn unanswered<E>(place: &Place, action: Action, path: &str, error: SdkError<E, HttpResponse>) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    let at = place.endpoint.as_deref().unwrap_or("AWS");
    let error = match error.into_source() {
        Ok(source) => Error::failed(format!("cannot {} {}", action.verb, place.url(path))).because(&*source),
        Err(error) => Error::failed(format!("cannot {} {}", action.verb, place.url(path))).because(error),
    };
    let text = error.to_string().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["credential"]) {
        return match wanted_from(place) {
            Some(file) => error.hint(format!("place {} takes its credentials from there alone: {file}", place.name)),
            None => error
                .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file: `credentials_file:` in netdr.yaml")
                .hint("which credentials are found says: aws configure list"),
        };
    }
    if has(&["certificate", "unknownissuer", "tls"]) {
        return error.hint(format!(
            "if {at} has a certificate of an authority of your own, name it: `ca_file:` in netdr.yaml"
        ));
    }
    if has(&["dns"]) && place.endpoint.is_some() && !place.path_style {
        return error
            .hint(format!(
                "the name looked up has the bucket in front: {}.HOST; most servers that are not AWS want, beside `endpoint:` \
                 in netdr.yaml: path_style: true",
                place.bucket
            ))
            .hint(format!("else: is {at} right?"));
    }
    error.hint(format!(
        "is {at} reachable from here? Check `endpoint:`, `region:` and the network, then try again"
    ))
}

/// Where the credentials of a place are, if it names that: nothing else is looked at then.
fn wanted_from(place: &Place) -> Option<String> {
    let profile = place.profile.as_deref().map(|profile| format!("profile {profile}"));
    let file = place.credentials_file.as_ref().map(|file| file.display().to_string());
    match (profile, file) {
        (None, None) => None,
        (Some(profile), None) => Some(format!("{profile} of ~/.aws/credentials and ~/.aws/config")),
        (profile, Some(file)) => {
            Some(format!("{} of {file}", profile.as_deref().unwrap_or("profile default")))
        }
    }
}

fn refused(place: &Place, action: Action, path: &str, answer: &Answer) -> Error {
    let Place { name, bucket, .. } = place;
    let Answer { status, code, message, .. } = answer;
    let failed = |kind: Kind, why: String| {
        Error::new(kind, format!("cannot {} {}", action.verb, place.url(path))).why(why)
    };
    let said = match (code.is_empty(), message.is_empty()) {
        (true, _) => format!("{status}"),
        (false, true) => format!("{code} ({status})"),
        (false, false) => format!("{message} ({status} {code})"),
    };
    let error = failed(Kind::Failed, said.clone());
    let region = answer.region.as_deref();
    let tried =
        if RETRIED.contains(status) { format!("; tried up to {ATTEMPTS} times") } else { String::new() };
    match (code.as_str(), status) {
        ("RequestTimeTooSkewed", _) => failed(Kind::Failed, format!("this machine's clock is wrong: {said}"))
            .hint("set it: timedatectl set-ntp true; compare: date -u"),
        ("PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307) => match region.or_else(|| named_region(message)) {
            Some(region) => failed(Kind::Failed, format!("bucket {bucket} is in region {region} ({status} {code})"))
                .hint(format!("write into netdr.yaml, at place {name}: region: {region}")),
            None => error.hint(format!("check `region:` and `endpoint:` of place {name} in netdr.yaml")),
        },
        ("InvalidBucketName", _) => failed(Kind::Failed, format!("`{bucket}` is no name of a bucket ({status} {code})"))
            .hint(format!("3 to 63 lower-case letters, digits, dots and hyphens are one: correct `bucket:` of place {name} in netdr.yaml")),
        ("NoSuchBucket", _) => failed(Kind::Failed, format!("there is no bucket {bucket} ({status} {code})"))
            .hint(format!("make it, or correct `bucket:` of place {name} in netdr.yaml")),
        ("InvalidObjectState", _) => {
            let id = path.split('/').nth(1).unwrap_or("ID");
            failed(Kind::Failed, format!("it is archived ({status} {code})"))
                .hint(format!("bring it out of the archive first, which takes hours: netdr thaw {id} --wait"))
        }
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken" | "TokenRefreshRequired", _) => {
            // What S3 says of a signature quotes the request.
            failed(Kind::Failed, format!("the credentials are not accepted ({status} {code})"))
                .hint(whose(place))
        }
        ("InvalidStorageClass", _) => error.hint(format!(
            "place {name} does not know this class: set `storage_class:` and `header_storage_class:` to one that it has"
        )),
        ("BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" | "InvalidDigest", _) => {
            let id = path.split('/').nth(1).unwrap_or_default();
            failed(Kind::Damaged, format!("its bytes are not what the header says ({status} {code})"))
                .hint(format!("see what is wrong with it: netdr verify {id}"))
        }
        ("InvalidRequest" | "InvalidArgument" | "ObjectLockConfigurationNotFoundError", _)
            if message.contains("Object Lock") || message.contains("ObjectLock") =>
        {
            error.hint(format!(
                "bucket {bucket} was made without Object Lock: remove `object_lock:` of place {name}, or use one that has it"
            ))
        }
        ("SlowDown" | "ServiceUnavailable" | "RequestLimitExceeded" | "Throttling", _) | (_, 429 | 503) => {
            failed(Kind::Failed, format!("it asks to be asked less often: {said}{tried}"))
                .hint("run the same command again later: it goes on where it stopped")
        }
        ("NotImplemented", _) | (_, 501) => {
            error.hint(format!("place {name} does not speak this part of S3; netdr needs conditional writes and SHA-256 sums"))
        }
        (_, 500..) => {
            let request = answer.request.as_deref().map_or_else(String::new, |id| format!("; its request id is {id}"));
            failed(Kind::Failed, format!("the place failed: {said}{tried}{request}"))
                .hint("run the same command again later: it goes on where it stopped")
        }
        ("AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "Forbidden" | "", 401 | 403) => {
            denied(place, action, path, error)
        }
        (_, 409) => error.hint("something else is writing the same object: run the same command again"),
        _ => error,
    }
}

/// How to find out whose the credentials are that a place refuses. Who `aws sts` asks is AWS, and with credentials of its own.
fn whose(place: &Place) -> String {
    let Place { name, endpoint, .. } = place;
    match (wanted_from(place), endpoint) {
        (Some(file), Some(at)) => format!("place {name} takes them from {file}; does {at} know these?"),
        (None, Some(at)) => {
            format!(
                "does {at} know them? Which they are says: aws configure list; a place has its own with `credentials_file:`"
            )
        }
        (None, None) => {
            "whose are they? aws sts get-caller-identity; a place has its own with `credentials_file:`".into()
        }
        (Some(_), None) => {
            let file = place.credentials_file.as_ref();
            let file = file.map(|file| format!("AWS_SHARED_CREDENTIALS_FILE={} ", file.display()));
            let profile = place.profile.as_deref().unwrap_or("default");
            format!(
                "whose are they? {}aws sts get-caller-identity --profile {profile}",
                file.unwrap_or_default()
            )
        }
    }
}

/// Which rights to give, on what.
fn denied(place: &Place, action: Action, path: &str, error: Error) -> Error {
    let bucket = &place.bucket;
    let on = match action.iam {
        "s3:ListBucket" | "s3:ListBucketVersions" => format!("arn:aws:s3:::{bucket}"),
        _ => format!("arn:aws:s3:::{bucket}/{}", place.key("*")),
    };
    let mut rights = action.iam.to_owned();
    if action.iam == PUT.iam && place.object_lock.is_some() {
        rights += " and s3:PutObjectRetention";
    }
    let mut error = error.hint(format!("allow {rights} on {on}; docs/s3.md has the least policies"));
    if action.iam == DELETE.iam {
        error = error.hint(format!(
            "or Object Lock keeps it: aws s3api head-object --bucket {bucket} --key {}",
            place.key(path)
        ));
    }
    if place.encryption.as_ref().is_some_and(|encryption| encryption.kms_key.is_some()) {
        error = error.hint("and kms:GenerateDataKey and kms:Decrypt on the key that encrypts it");
    }
    error.hint(format!("if {bucket} is another account's, its bucket policy has to allow it, too"))
}

/// `…; expecting 'eu-central-1'`: what is said where the signature is of another region; some servers quote it otherwise.
fn named_region(message: &str) -> Option<&str> {
    message.split("expecting ").nth(1)?.split(['\'', '"']).nth(1)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::repository::s3::{LockMode, ObjectLock, StorageClass};

    pub(in crate::repository::s3) fn place() -> Place {
        Place {
            name: "offsite".into(),
            bucket: "dr".into(),
            prefix: "proj-k8s".into(),
            region: Some("us-east-1".into()),
            endpoint: None,
            path_style: false,
            ca_file: None,
            storage_class: StorageClass::DeepArchive,
            storage_classes: [].into(),
            header_storage_class: StorageClass::Standard,
            object_lock: None,
            encryption: None,
            retention: None,
            credentials_file: None,
            profile: None,
        }
    }

    const FILE: &str = "snapshots/20261124T010000Z-network-7f3a9c/cni.tar.zst.age";

    fn said(action: Action, status: u16, code: &str, message: &str) -> String {
        let answer = Answer { status, code: code.into(), message: message.into(), ..Answer::default() };
        format!("{:?}", refused(&place(), action, FILE, &answer))
    }

    #[test]
    fn a_missing_right_is_named_with_what_it_is_missing_on() {
        let error = said(PUT, 403, "AccessDenied", "Access Denied");
        for part in [
            "cannot write s3://dr/proj-k8s/snapshots/20261124T010000Z-network-7f3a9c/cni.tar.zst.age: Access Denied (403",
            "allow s3:PutObject on arn:aws:s3:::dr/proj-k8s/*;",
        ] {
            assert!(error.contains(part), "{error}");
        }
        assert!(said(LIST, 403, "AccessDenied", "").contains("allow s3:ListBucket on arn:aws:s3:::dr;"));
        assert!(
            said(HEAD, 403, "", "").contains("allow s3:GetObject on"),
            "a HEAD has no body to say more in"
        );
        let lock = ObjectLock { mode: LockMode::Governance, days: 1 };
        let place = Place { object_lock: Some(lock), ..place() };
        let answer = Answer { status: 403, code: "AccessDenied".into(), ..Answer::default() };
        let error = refused(&place, PUT, FILE, &answer);
        assert!(error.hints()[0].contains("s3:PutObject and s3:PutObjectRetention"), "{error:?}");
    }

    #[test]
    fn every_answer_says_what_to_do() {
        let wrong_region =
            "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-3'";
        for (status, code, message, part) in [
            (404, "NoSuchBucket", "", "there is no bucket dr"),
            (400, "InvalidBucketName", "", "is no name of a bucket"),
            (400, "AuthorizationHeaderMalformed", wrong_region, "region: eu-west-3"),
            (301, "PermanentRedirect", "", "check `region:`"),
            (403, "RequestTimeTooSkewed", "", "clock is wrong"),
            (400, "RequestTimeTooSkewed", "", "timedatectl"),
            (409, "ConditionalRequestConflict", "", "run the same command again"),
            (503, "SlowDown", "Please reduce your request rate.", "asked less often"),
            (429, "", "", "asked less often"),
            (500, "InternalError", "", "the place failed"),
            (400, "InvalidStorageClass", "", "storage_class"),
            (403, "InvalidObjectState", "", "netdr thaw 20261124T010000Z-network-7f3a9c --wait"),
            (400, "BadDigest", "", "netdr verify 20261124T010000Z-network-7f3a9c"),
            (400, "InvalidRequest", "Bucket is missing Object Lock Configuration", "without Object Lock"),
            (501, "NotImplemented", "", "conditional writes"),
            (403, "SignatureDoesNotMatch", "MARKER", "credentials are not accepted"),
            (403, "InvalidAccessKeyId", "MARKER", "credentials are not accepted"),
        ] {
            let error = said(PUT, status, code, message);
            assert!(error.contains(part) && error.contains("hint: "), "{code}: {error}");
            assert!(
                error.contains("s3://dr/proj-k8s/snapshots/") && !error.contains("MARKER"),
                "{code}: {error}"
            );
        }
    }

    #[test]
    fn no_command_asks_aws_about_another_server() {
        let refused = |place: &Place| {
            let answer = Answer { status: 403, code: "InvalidAccessKeyId".into(), ..Answer::default() };
            refused(place, PUT, FILE, &answer).hints()[0].clone()
        };
        let ours =
            Place { credentials_file: Some("/etc/netdr/s3".into()), profile: Some("dr".into()), ..place() };
        assert_eq!(
            refused(&ours),
            "whose are they? AWS_SHARED_CREDENTIALS_FILE=/etc/netdr/s3 aws sts get-caller-identity --profile dr"
        );
        let elsewhere = Place { endpoint: Some("https://s3.lab:9000".into()), ..ours };
        assert_eq!(
            refused(&elsewhere),
            "place offsite takes them from profile dr of /etc/netdr/s3; does https://s3.lab:9000 know these?"
        );
        assert!(!refused(&Place { endpoint: elsewhere.endpoint.clone(), ..place() }).contains("aws sts"));
        assert_eq!(
            elsewhere.to_delete("reports/", true),
            "aws s3 rm --recursive s3://dr/proj-k8s/reports/ --endpoint-url https://s3.lab:9000"
        );
        assert_eq!(place().to_delete("x", false), "aws s3 rm s3://dr/proj-k8s/x");
    }

    #[test]
    fn what_was_looked_for_in_vain_is_named() {
        let said = |place: &Place, why: &str| {
            let error = SdkError::<std::fmt::Error, HttpResponse>::construction_failure(why.to_owned());
            format!("{:?}", unanswered(place, LIST, "", error))
        };
        let lost = "the credential provider was not enabled";
        assert!(said(&place(), lost).contains("set AWS_ACCESS_KEY_ID"));
        let named = Place { profile: Some("nope".into()), ..place() };
        let error = said(&named, lost);
        assert!(error.contains("profile nope of ~/.aws") && !error.contains("AWS_"), "{error}");
        let named = Place { credentials_file: Some("/etc/netdr/s3".into()), ..named };
        assert!(said(&named, lost).contains("profile nope of /etc/netdr/s3"));

        let dns = "dispatch failure: dns error";
        let elsewhere = Place { endpoint: Some("http://localhost:7771".into()), ..place() };
        assert!(
            said(&elsewhere, dns).contains("dr.HOST") && said(&elsewhere, dns).contains("path_style: true")
        );
        let by_path = Place { path_style: true, ..elsewhere };
        assert!(said(&by_path, dns).contains("is http://localhost:7771 reachable"));
    }

    #[test]
    fn attempts_are_named_only_where_there_were_several() {
        for (status, several) in [(429, true), (500, true), (503, true), (507, false), (520, false)] {
            assert_eq!(said(PUT, status, "", "").contains("tried up to"), several, "{status}");
        }
    }

    #[test]
    fn the_right_region_is_that_of_the_answer() {
        let answer = Answer { status: 301, region: Some("eu-central-1".into()), ..Answer::default() };
        let error = refused(&place(), LIST, "snapshots/", &answer);
        assert!(error.hints()[0].ends_with("at place offsite: region: eu-central-1"), "{error:?}");
    }
}
