//! The certificates of one plane: an authority of its own, a serving certificate, client certificates.
//!
//! Valid for ever, because the plane is not.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use serde_json::json;

use crate::{Error, Result};

pub(super) const CA_CERT: &str = "ca.crt";
pub(super) const SERVING_CERT: &str = "serving.crt";
pub(super) const SERVING_KEY: &str = "serving.key";
pub(super) const ACCOUNTS_KEY: &str = "service-accounts.key";
pub(super) const ACCOUNTS_PUBLIC: &str = "service-accounts.pub";

/// Signs what a plane and its users need.
pub(super) struct Authority {
    folder: PathBuf,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes the authority, and the files that the programs are pointed at.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "netdr disposable control plane");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        let authority = Self { folder: folder.into(), certificate, issuer: Issuer::new(params, key) };
        authority.write(CA_CERT, authority.certificate.as_bytes())?;

        let names = ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default.svc"].map(String::from);
        let mut serving = CertificateParams::new(names).map_err(failed)?;
        serving.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        let (certificate, key) = authority.sign(serving, ExtendedKeyUsagePurpose::ServerAuth)?;
        authority.write(SERVING_CERT, certificate.as_bytes())?;
        authority.write(SERVING_KEY, key.as_bytes())?;

        let accounts = KeyPair::generate().map_err(failed)?;
        authority.write(ACCOUNTS_KEY, accounts.serialize_pem().as_bytes())?;
        authority.write(ACCOUNTS_PUBLIC, accounts.public_key_pem().as_bytes())?;
        Ok(authority)
    }

    /// Writes the kubeconfig of a user: its client certificate's common name, and its group the organization.
    pub(super) fn kubeconfig(&self, server: &str, user: &str, group: Option<&str>) -> Result<PathBuf> {
        self.kubeconfig_with(CertificateParams::default(), server, user, group)
    }

    /// As [`Authority::kubeconfig`], of a certificate that was valid once.
    pub(super) fn expired_kubeconfig(&self, server: &str, user: &str) -> Result<PathBuf> {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.kubeconfig_with(params, server, user, None)
    }

    fn kubeconfig_with(
        &self,
        mut params: CertificateParams,
        server: &str,
        user: &str,
        group: Option<&str>,
    ) -> Result<PathBuf> {
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        let (certificate, key) = self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)?;
        let text = |pem: &str| BASE64_STANDARD.encode(pem);
        let name = "disposable";
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {
                "server": server, "certificate-authority-data": text(&self.certificate),
            }}],
            "users": [{"name": user, "user": {
                "client-certificate-data": text(&certificate), "client-key-data": text(&key),
            }}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
        });
        self.write(&kubeconfig_name(user), content.to_string().as_bytes())
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<(String, String)> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.folder.join(name);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content))
            .map_err(|e| Error::failed(format!("cannot write {}", path.display())).because(e))?;
        Ok(path)
    }
}

/// The file name of a user's kubeconfig; users are called `system:serviceaccount:…` too.
pub(super) fn kubeconfig_name(user: &str) -> String {
    let safe: String = user.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{safe}.kubeconfig")
}

fn failed(error: rcgen::Error) -> Error {
    Error::failed("cannot make the control plane's certificates").because(error)
}
