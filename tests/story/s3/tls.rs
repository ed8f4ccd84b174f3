//! A server with a certificate of an authority of one's own.

use std::fs;

use super::{BUCKET, netdr};
use crate::support::{Pair, S3, Store, says};

#[tokio::test]
async fn only_the_authority_that_is_named_is_trusted() {
    let pair = Pair::of("127.0.0.1");
    let (s3, store) = (S3::start_with(&pair).await, Store::new().await);
    s3.bucket(BUCKET).await;
    store.backup().await;
    let yaml = fs::read_to_string(store.path("netdr.yaml")).unwrap();
    let configure = |more: &str| {
        let replica = s3.replica(&store, BUCKET, more);
        fs::write(store.path("netdr.yaml"), format!("{yaml}replicas: [{replica}]\n")).unwrap();
    };
    configure("");
    let (_, said) = netdr(&store, 1, "replicate").await;
    says(&said, &["certificate", "name it: `ca_file:`"]);

    fs::write(store.path("ca.pem"), &pair.certificate).unwrap();
    configure(", ca_file: ca.pem");
    netdr(&store, 0, "replicate").await;

    fs::write(store.path("ca.pem"), Pair::of("127.0.0.1").certificate).unwrap();
    let (_, said) = netdr(&store, 1, "replicate").await;
    says(&said, &["certificate"]);
    for broken in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        fs::write(store.path("ca.pem"), broken).unwrap();
        let (_, said) = netdr(&store, 2, "replicate").await;
        says(&said, &["ca.pem of place s3 holds no certificates"]);
    }
}
