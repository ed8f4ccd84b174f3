//! A client of S3: credentials, region, authorities, patience.
//!
//! In: a place. Out: a client. Invariant: credentials are the SDK's to find and to hold; ring is the one TLS provider.

use std::{fs, path::Path, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig,
    environment::EnvironmentVariableRegionProvider,
    imds::region::ImdsRegionProvider,
    meta::region::RegionProviderChain,
    profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider},
    provider_config::ProviderConfig,
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::{
    Client, Config,
    config::{
        Builder, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
        StalledStreamProtectionConfig,
    },
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};

use super::{Place, again::Again};
use crate::{Error, Result, web};

/// How often a request is made, the first time included: about eight seconds of waiting at most.
pub(super) const ATTEMPTS: u32 = 6;
const BACKOFF: Duration = Duration::from_millis(250);
const CONNECT: Duration = Duration::from_secs(10);
/// How long one attempt may take, its bytes aside.
const ATTEMPT: Duration = Duration::from_secs(60);
/// How long a body may stand still until it is broken off.
pub(super) const STALL: Duration = Duration::from_secs(20);
/// The slowest line that a bundle is sent over, in bytes a second.
const SLOWEST: u64 = 64 << 10;

/// A client for a place; a body that stands still for `stall` is broken off.
pub(super) async fn client(place: &Place, stall: Duration) -> Result<Client> {
    let http = http(place)?;
    let config = sdk(place, http).await?;
    if config.region().is_none() {
        return Err(Error::usage(format!("no region of place {} is named", place.name))
            .hint("write `region:` beside `bucket:` in netdr.yaml, or set AWS_REGION"));
    }
    let config = Builder::from(&config)
        .force_path_style(place.path_style)
        .retry_classifier(Again)
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(stall).build())
        // The sha256 that the header names is what proves an object, and put() sends it: the SDK's own sums beside it
        // are what other servers often do not know.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    Ok(Client::from_conf(config.build()))
}

/// Patience for an attempt that sends so many bytes.
pub(super) fn patience(bytes: u64) -> Builder {
    Config::builder().timeout_config(timeouts(bytes))
}

fn timeouts(bytes: u64) -> TimeoutConfig {
    let attempt = ATTEMPT + Duration::from_secs(bytes / SLOWEST);
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(attempt).build()
}

async fn sdk(place: &Place, http: SharedHttpClient) -> Result<SdkConfig> {
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF);
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .retry_config(retries)
        .timeout_config(timeouts(0));
    if let Some(endpoint) = &place.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let configuration = ProviderConfig::without_region().with_http_client(http);
    let region = region(place, &configuration).await;
    if let Some(profile) = &place.profile {
        loader = loader.profile_name(profile);
    }
    if place.credentials_file.is_some() || place.profile.is_some() {
        // A profile with a role asks STS of this region for it.
        let configuration = configuration.with_region(region.clone());
        loader = loader.credentials_provider(credentials(place, &configuration)?);
    }
    Ok(loader.region(region).load().await)
}

/// The place's own, the environment's, the profile's; then that of the machine, where it is one of AWS.
async fn region(place: &Place, configuration: &ProviderConfig) -> Option<Region> {
    let mut profile = ProfileFileRegionProvider::builder().configure(configuration);
    if let Some(name) = &place.profile {
        profile = profile.profile_name(name);
    }
    let named = RegionProviderChain::first_try(place.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build());
    let named = match place.endpoint {
        // Other servers mostly have no regions, and no metadata service to wait for either.
        Some(_) => named.or_else(Region::new("us-east-1")),
        None => named.or_else(ImdsRegionProvider::builder().configure(configuration).build()),
    };
    named.region().await
}

/// A place's own credentials, before whatever else this machine has.
fn credentials(place: &Place, configuration: &ProviderConfig) -> Result<ProfileFileCredentialsProvider> {
    let mut provider = ProfileFileCredentialsProvider::builder().configure(configuration);
    provider = provider.profile_name(place.profile.as_deref().unwrap_or("default"));
    if let Some(file) = &place.credentials_file {
        readable(file, "credentials_file", place)?;
        let files = EnvConfigFiles::builder().with_file(EnvConfigFileKind::Credentials, file).build();
        provider = provider.profile_files(files);
    }
    Ok(provider.build())
}

fn http(place: &Place) -> Result<SharedHttpClient> {
    let store = match &place.ca_file {
        Some(file) => TrustStore::empty().with_pem_certificate(authorities(file, place)?),
        None => TrustStore::default(),
    };
    let context = TlsContext::builder().with_trust_store(store).build();
    let context = context.map_err(|e| Error::failed("TLS cannot be set up").because(e))?;
    let builder = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    Ok(builder.tls_context(context).build_https())
}

/// The file's text. What is none of certificates is refused here, because the SDK would panic on it.
fn authorities(file: &Path, place: &Place) -> Result<Vec<u8>> {
    let pem = readable(file, "ca_file", place)?;
    if web::authorities(&pem).is_none() {
        let shown = file.display();
        return Err(Error::usage(format!("ca_file {shown} of place {} holds no certificates", place.name))
            .hint("it is a PEM file: -----BEGIN CERTIFICATE----- and so on, one after the other"));
    }
    Ok(pem)
}

fn readable(file: &Path, key: &str, place: &Place) -> Result<Vec<u8>> {
    fs::read(file).map_err(|e| {
        Error::usage(format!("{key} {} of place {} cannot be read", file.display(), place.name)).because(e)
    })
}
