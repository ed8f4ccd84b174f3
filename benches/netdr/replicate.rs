//! Copying to S3 and listing what is there, against a loop of the same requests with the SDK alone, on one versitygw.
//!
//! In: 30 snapshots of some 3 MiB, and 500 of which only small files matter. Out: wall times and the peak memory.
//! Invariant: both sides have as many requests in flight and put the same bytes.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation},
    primitives::ByteStream,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::Utc;
use futures::{StreamExt as _, stream};
use netdr::{
    config::Config as Netdr,
    drill::cluster::host_root,
    repository::{fetch, s3::Bucket},
    signature::TrustedSigners,
};
use sha2::{Digest as _, Sha256};

use crate::{
    built,
    shop::Shop,
    table::{best, row, times},
};

/// What netdr has in flight.
const PUTS: usize = 8;
const GETS: usize = 16;
const KEY: &str = "bench";

struct Server {
    process: Child,
    _folder: tempfile::TempDir,
    endpoint: String,
    client: Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) async fn measure(snapshots: usize, listed: usize) {
    let server = Server::start().await;
    let shop = Shop::new(Path::new("/nonexistent"));
    let (folder, file) = (shop.folder().join("host/etc/firewalld"), shop.folder().join("netdr.yaml"));
    host_root(&shop.folder().join("host"), "bench", "no-secret").unwrap();
    fs::create_dir_all(&folder).unwrap();
    for name in ["a", "b", "c"] {
        fs::write(folder.join(name), rand::random_iter().take(1 << 20).collect::<Vec<u8>>()).unwrap();
    }
    let yaml = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{yaml}cluster: {{name: bench}}\n")).unwrap();
    for _ in 0..snapshots {
        shop.run(&["backup", "--set", "host", "--host-root", "host"]);
    }
    let sources = files(&shop.folder().join("repository/snapshots"));
    let size: u64 = sources.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    println!("{snapshots} snapshots, {} files, {} MiB, to versitygw", sources.len(), size >> 20);

    let credentials = format!("[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {KEY}\n");
    fs::write(shop.folder().join("credentials"), credentials).unwrap();
    let sums: Vec<Option<String>> = sources.iter().map(|file| Some(sha256(file))).collect();
    let (mut bare, mut proved, mut netdr, mut peak) = (Duration::MAX, Duration::MAX, Duration::MAX, 0);
    for round in 0..3 {
        bare = bare.min(server.put(&format!("bare-{round}"), &sources, &vec![None; sums.len()]).await);
        proved = proved.min(server.put(&format!("proved-{round}"), &sources, &sums).await);
        let bucket = format!("netdr-{round}");
        server.client.create_bucket().bucket(&bucket).send().await.unwrap();
        fs::write(&file, format!("{yaml}{}", server.replicas(&bucket))).unwrap();
        let run = shop.run(&["replicate"]);
        assert_eq!(run.json["places"][0]["copied"].as_array().unwrap().len(), snapshots, "{:#}", run.json);
        (netdr, peak) = (netdr.min(run.took), peak.max(run.peak));
    }
    row("bare parallel PUT loop", bare.as_secs_f64(), "", 0);
    row("the same, sha256 checked by the server", proved.as_secs_f64(), &times(proved, bare, "bare"), 0);
    let against = format!("{}, {:.2} × checked", times(netdr, bare, "bare"), netdr.div_duration_f64(proved));
    row("netdr replicate, the whole command", netdr.as_secs_f64(), &against, peak);
    server.list(&shop, listed).await;
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let process = Command::new(built().join("bin/versitygw"))
            .args(["--port", &address, "--quiet", "posix"])
            .arg(data)
            .env_clear()
            .envs([("ROOT_ACCESS_KEY", KEY), ("ROOT_SECRET_KEY", KEY)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let endpoint = format!("http://{address}");
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("us-east-1"))
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .credentials_provider(Credentials::new(KEY, KEY, None, None, "bench"));
        let client = Client::from_conf(config.build());
        let server = Self { process, _folder: folder, endpoint, client };
        while server.client.list_buckets().send().await.is_err() {}
        server
    }

    fn replicas(&self, bucket: &str) -> String {
        format!(
            "replicas: [{{s3: {{bucket: {bucket}, endpoint: '{}', path_style: true, credentials_file: credentials}}}}]\n",
            self.endpoint
        )
    }

    /// Into a new bucket; with sums, the server reads each body against its own and keeps it.
    async fn put(&self, bucket: &str, sources: &[PathBuf], sums: &[Option<String>]) -> Duration {
        self.client.create_bucket().bucket(bucket).send().await.unwrap();
        let started = Instant::now();
        stream::iter(sources.iter().zip(sums).enumerate())
            .for_each_concurrent(PUTS, async |(number, (file, sum))| {
                let body = ByteStream::from_path(file).await.unwrap();
                self.client
                    .put_object()
                    .bucket(bucket)
                    .key(number.to_string())
                    .set_checksum_sha256(sum.clone())
                    .body(body)
                    .send()
                    .await
                    .unwrap();
            })
            .await;
        started.elapsed()
    }

    /// Copies of one snapshot's files under ids of their own: each signature is checked, and none is of its folder.
    async fn list(&self, shop: &Shop, listed: usize) {
        self.client.create_bucket().bucket("many").send().await.unwrap();
        let one =
            fs::read_dir(shop.folder().join("repository/snapshots")).unwrap().next().unwrap().unwrap().path();
        let small = ["snapshot.json", "snapshot.json.sig"];
        let read = |name: &str| fs::read(one.join(name)).unwrap();
        let small = small.map(|name| (name, read(name)));
        let names =
            ["cni", "ingress", "loadbalancer", "policies"].map(|c| (format!("{c}.tar.zst.age"), vec![0]));
        let all: Vec<(&str, &[u8])> = small
            .iter()
            .map(|(name, bytes)| (*name, &bytes[..]))
            .chain(names.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])))
            .collect();
        let keys: Vec<String> =
            (0..listed).map(|n| format!("snapshots/20260101T010000Z-network-{n:06x}")).collect();
        stream::iter(keys.iter().flat_map(|key| all.iter().map(move |(name, bytes)| (key, name, bytes))))
            .for_each_concurrent(PUTS, async |(key, name, bytes)| {
                let put = self.client.put_object().bucket("many").key(format!("{key}/{name}"));
                put.body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
            })
            .await;
        let bare = best(3, async || {
            let started = Instant::now();
            let mut pages = self.client.list_objects_v2().bucket("many").into_paginator().send();
            let mut headers = Vec::new();
            while let Some(page) = pages.next().await {
                let keys = page.unwrap().contents.unwrap_or_default().into_iter().filter_map(|o| o.key);
                headers.extend(
                    keys.filter(|key| small.iter().any(|(name, _)| key.ends_with(&format!("/{name}")))),
                );
            }
            assert_eq!(headers.len(), 2 * listed);
            stream::iter(headers)
                .for_each_concurrent(GETS, async |key| {
                    let got = self.client.get_object().bucket("many").key(key).send().await.unwrap();
                    got.body.collect().await.unwrap();
                })
                .await;
            started.elapsed()
        })
        .await;
        let config = Netdr::parse(&self.replicas("many"), &shop.folder().join("netdr.yaml")).unwrap();
        let bucket = Bucket::open(&config.replicas[0]).await.unwrap();
        let trusted = TrustedSigners::read(&shop.folder().join("keys/trusted_signers")).unwrap();
        let netdr = best(3, async || {
            let started = Instant::now();
            let ids = fetch::whole(&bucket.stored().await.unwrap());
            assert_eq!(bucket.listed(&ids, &trusted, Utc::now()).await.unwrap().len(), listed);
            started.elapsed()
        })
        .await;
        println!("{listed} snapshots there");
        row("bare LIST, header and signature of each read", bare.as_secs_f64(), "", 0);
        row("netdr's listing, signatures checked", netdr.as_secs_f64(), &times(netdr, bare, "bare"), 0);
    }
}

/// As S3 writes it.
fn sha256(file: &Path) -> String {
    BASE64_STANDARD.encode(Sha256::digest(fs::read(file).unwrap()))
}

fn files(below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
