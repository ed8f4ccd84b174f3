//! A real S3 server: versitygw over a folder, which keeps no storage classes (everything is STANDARD to it).

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
};

use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Pair, Store, eventually, planes::built};

/// The secret key: nothing may show it.
pub(crate) const SECRET: &str = "m4rk3r-s3cr3t-k3y";
const ACCESS: &str = "root-key";

pub(crate) struct S3 {
    _server: Child,
    folder: TempDir,
    pub(crate) endpoint: String,
    client: Client,
}

impl S3 {
    pub(crate) async fn start() -> Self {
        Self::serve(None).await
    }

    /// Over HTTPS with this certificate, which is 127.0.0.1's.
    pub(crate) async fn start_with(pair: &Pair) -> Self {
        Self::serve(Some(pair)).await
    }

    async fn serve(pair: Option<&Pair>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let (data, versions, accounts) = (made("data"), made("versions"), made("accounts"));
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let program = built().join("bin/versitygw");
        assert!(program.is_file(), "versitygw is not built; run: tests/control-plane/build versitygw");
        let mut command = Command::new(program);
        command.args(["--port", &address, "--health", "/health", "--quiet", "--iam-dir"]).arg(accounts);
        if let Some(pair) = pair {
            let file = |name: &str, text: &str| {
                let path = folder.path().join(name);
                fs::write(&path, text).unwrap();
                path
            };
            command.arg("--cert").arg(file("cert.pem", &pair.certificate));
            command.arg("--key").arg(file("key.pem", &pair.key));
        }
        command.args(["posix", "--versioning-dir"]).arg(versions).arg(data);
        command.env_clear().env("ROOT_ACCESS_KEY", ACCESS).env("ROOT_SECRET_KEY", SECRET);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let server = command.spawn().unwrap();
        let endpoint = format!("{}://{address}", if pair.is_some() { "https" } else { "http" });
        let client = client(&endpoint, pair, ACCESS);
        let s3 = Self { _server: server, folder, endpoint, client };
        eventually("versitygw answers", async || s3.client.list_buckets().send().await.ok()).await;
        s3
    }

    /// As the owner of every bucket.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// As another account, over HTTP.
    pub(crate) fn client_of(&self, account: &'static str) -> Client {
        client(&self.endpoint, None, account)
    }

    pub(crate) async fn bucket(&self, name: &str) {
        self.client.create_bucket().bucket(name).send().await.unwrap();
    }

    /// With Object Lock, and so with versions.
    pub(crate) async fn locking_bucket(&self, name: &str) {
        let made = self.client.create_bucket().bucket(name).object_lock_enabled_for_bucket(true);
        made.send().await.unwrap();
    }

    pub(crate) async fn versioned_bucket(&self, name: &str) {
        self.bucket(name).await;
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let made = self.client.put_bucket_versioning().bucket(name).versioning_configuration(on);
        made.send().await.unwrap();
    }

    /// An account that may do in a bucket what these statements of an IAM policy say, and nothing else.
    pub(crate) async fn account(&self, name: &str, bucket: &str, statements: &[Value]) {
        let mut admin = Command::new(built().join("bin/versitygw"));
        admin.args(["admin", "--access", ACCESS, "--secret", SECRET, "--endpoint-url", &self.endpoint]);
        admin.args(["create-user", "--access", name, "--secret", SECRET, "--role", "user"]);
        let made = admin.output().await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut statements = statements.to_vec();
        statements.iter_mut().for_each(|statement| statement["Principal"] = json!({"AWS": [name]}));
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        self.client.put_bucket_policy().bucket(bucket).policy(policy).send().await.unwrap();
    }

    /// Where the server keeps an object.
    pub(crate) fn file(&self, bucket: &str, key: &str) -> PathBuf {
        self.folder.path().join("data").join(bucket).join(key)
    }

    /// The keys of a bucket.
    pub(crate) async fn keys(&self, bucket: &str) -> Vec<String> {
        let list = self.client.list_objects_v2().bucket(bucket).send().await.unwrap();
        list.contents().iter().filter_map(|object| object.key().map(ToOwned::to_owned)).collect()
    }

    /// An entry of `replicas`, with credentials in a file of the store.
    pub(crate) fn replica(&self, store: &Store, bucket: &str, more: &str) -> String {
        self.replica_of(store, ACCESS, bucket, more)
    }

    /// The same as another account.
    pub(crate) fn replica_of(&self, store: &Store, account: &str, bucket: &str, more: &str) -> String {
        credentials(&store.path(&format!("s3-{account}")), account, SECRET);
        let Self { endpoint, .. } = self;
        format!(
            "{{s3: {{bucket: {bucket}, endpoint: '{endpoint}', path_style: true, credentials_file: s3-{account}{more}}}}}"
        )
    }
}

/// A file of credentials as ~/.aws/credentials has them.
pub(crate) fn credentials(file: &Path, account: &str, secret: &str) {
    let text = format!("[default]\naws_access_key_id = {account}\naws_secret_access_key = {secret}\n");
    fs::write(file, text).unwrap();
}

fn client(endpoint: &str, pair: Option<&Pair>, account: &str) -> Client {
    use aws_smithy_http_client::{
        Builder,
        tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
    };
    let mut store = TrustStore::empty();
    if let Some(pair) = pair {
        store = store.with_pem_certificate(pair.certificate.as_bytes());
    }
    let context = TlsContext::builder().with_trust_store(store).build().unwrap();
    let tls = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context);
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(tls.build_https())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .credentials_provider(Credentials::new(account, SECRET, None, None, "tests"));
    Client::from_conf(config.build())
}
