//! Reading one object.
//!
//! In: its path and how large it may be. Out: its bytes, written piece by piece, and their sha256. Invariant: a body that
//! breaks off is gone on with where it broke, of the same object or not at all; never is more written than it may have.

use std::io::Write;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::get_object::{GetObjectError, GetObjectOutput},
};
use sha2::{Digest, Sha256};

use super::{
    Bucket,
    refusal::{self, GET},
};
use crate::{Error, Kind, Result, model::hex};

/// How often a body may break off.
const BREAKS: u32 = 5;

impl Bucket {
    /// Reads an object into `out`; returns its sha256 in hex and its size, none where there is no such object.
    ///
    /// # Errors
    /// Damaged, when it is larger than `limit`; when it is archived, the place refuses, does not answer, or breaks off
    /// again and again; and those of `out`, whose own words are its owner's to give.
    pub async fn get(
        &self,
        path: &str,
        limit: u64,
        out: &mut (dyn Write + Send),
    ) -> Result<Option<(String, u64)>> {
        match self.body(path, None).await {
            Ok(Some(body)) => self.read(body, path, limit, out).await.map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(refusal::words(&self.place, GET, path, error)),
        }
    }

    /// Reads an object into memory. The inner failure is of this object alone, or may be: another may well be read.
    ///
    /// # Errors
    /// When the place does not answer, or answers as it would for any object.
    pub async fn get_small(&self, path: &str, limit: u64) -> Result<Result<Option<Vec<u8>>>> {
        let body = match self.body(path, None).await {
            Ok(Some(body)) => body,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => {
                let alone = error.code().is_some_and(refusal::is_of_one_object);
                let error = refusal::words(&self.place, GET, path, error);
                return if alone { Ok(Err(error)) } else { Err(error) };
            }
        };
        let mut bytes = Vec::new();
        match self.read(body, path, limit, &mut bytes).await {
            Ok(_) => Ok(Ok(Some(bytes))),
            Err(error) if error.kind() == Kind::Damaged => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }

    async fn read(
        &self,
        mut body: GetObjectOutput,
        path: &str,
        limit: u64,
        out: &mut (dyn Write + Send),
    ) -> Result<(String, u64)> {
        let tag = body.e_tag.take();
        let (mut hash, mut bytes, mut breaks) = (Sha256::new(), 0, 0);
        loop {
            match body.body.try_next().await {
                Ok(Some(piece)) => {
                    bytes += piece.len() as u64;
                    if bytes > limit {
                        let shown = self.place.url(path);
                        return Err(Error::damaged(format!("{shown} has more than its {limit} bytes")));
                    }
                    hash.update(&piece);
                    out.write_all(&piece)
                        .map_err(|e| Error::failed("cannot write what is read").because(e))?;
                }
                Ok(None) => return Ok((hex(&hash.finalize()), bytes)),
                Err(error) if breaks == BREAKS => {
                    let shown = self.place.url(path);
                    return Err(Error::failed(format!(
                        "{shown} breaks off after {bytes} bytes, again and again"
                    ))
                    .because(error)
                    .hint("run the same command again"));
                }
                Err(_) => {
                    breaks += 1;
                    let rest = Some((bytes, tag.clone()));
                    let answer = self.body(path, rest).await;
                    let answer = answer.map_err(|error| refusal::words(&self.place, GET, path, error))?;
                    body = answer.ok_or_else(|| {
                        Error::failed(format!("{} was deleted while it was read", self.place.url(path)))
                    })?;
                }
            }
        }
    }

    /// The answer up to its body: all of it, or from a byte on of the object with this tag. However large it is, that takes
    /// the time of any request; a body that then stalls is broken off by the SDK ([`connect::STALL`]).
    async fn body(
        &self,
        path: &str,
        rest: Option<(u64, Option<String>)>,
    ) -> Result<Option<GetObjectOutput>, SdkError<GetObjectError, HttpResponse>> {
        let (from, tag) = rest.unwrap_or_default();
        let answer = self
            .client
            .get_object()
            .bucket(&self.place.bucket)
            .key(self.place.key(path))
            .set_range((from > 0).then(|| format!("bytes={from}-")))
            .set_if_match(tag)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(SdkError::ServiceError(e)) if e.err().is_no_such_key() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Read as _,
        net::{TcpListener, TcpStream},
        thread,
        time::Duration,
    };

    use super::*;
    use crate::repository::s3::{Place, connect, refusal::tests::place};

    /// A server that begins every body and never ends one; its address.
    fn stalling() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let begin = |socket: &mut TcpStream| {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte)?;
                head.extend(byte);
            }
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: \"x\"\r\n\r\nhalf")
        };
        thread::spawn(move || {
            let mut held = Vec::new();
            for mut socket in listener.incoming().flatten() {
                if begin(&mut socket).is_ok() {
                    held.push(socket);
                }
            }
        });
        address
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_body_that_stalls_ends_in_an_error_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().join("credentials");
        fs::write(&credentials, "[default]\naws_access_key_id = a\naws_secret_access_key = b\n").unwrap();
        let endpoint = Some(format!("http://{}", stalling()));
        let place = Place { endpoint, path_style: true, credentials_file: Some(credentials), ..place() };
        let client = connect::client(&place, Duration::from_millis(1)).await.unwrap();
        let bucket = Bucket { client, place };
        let mut out = Vec::new();
        let read = bucket.get("snapshots/x/cni.tar.zst.age", 1000, &mut out);
        let error = tokio::time::timeout(Duration::from_secs(60), read).await.unwrap().unwrap_err();
        let whole = "s3://dr/proj-k8s/snapshots/x/cni.tar.zst.age breaks off after 24 bytes, again and again";
        assert!(error.to_string().starts_with(whole), "{error:?}");
        assert_eq!(error.hints(), ["run the same command again"]);
    }
}
