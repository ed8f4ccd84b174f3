//! The keys of an installation: making them, proving that they open what they must, sealing to others.
//!
//! In, to make them: a folder that has none. Out: the files that `netdr keys generate` names, private ones mode 0600.
//! Invariant: an existing key is never overwritten, and a failure leaves none behind.

mod check;
mod rotate;
#[cfg(test)]
mod tests;

pub use check::{Newest, Opener, Proof, check, newest, opening_keys};
pub use rotate::{Left, Rotation, Work};

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use age::{secrecy::ExposeSecret, x25519::Identity};
use chrono::{DateTime, SecondsFormat, Utc};
use ssh_key::{Algorithm, LineEnding, PrivateKey, rand_core::OsRng};

use crate::{Error, Result, signature};

/// The files that [`generate`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// `operator.txt`: identity, leaves this machine.
    pub operator: PathBuf,
    /// `break-glass.txt`: identity, leaves this machine and goes offline.
    pub break_glass: PathBuf,
    /// `recipients.txt`: public.
    pub recipients: PathBuf,
    /// `index.txt`: the index identity, stays with the job.
    pub index: PathBuf,
    /// `signing`: stays with the job.
    pub signing: PathBuf,
    /// `trusted_signers`: public.
    pub trusted_signers: PathBuf,
    /// The recipients as text.
    pub recipient_lines: Vec<String>,
    /// The signer's public key as text.
    pub signer: String,
}

/// Makes them all in `folder`, or none; `now` is written into the identities, as age-keygen does. The folder is
/// made (0700) where it is not there.
///
/// # Errors
/// One of the files exists already (it is named), or cannot be written.
pub fn generate(folder: &Path, now: DateTime<Utc>) -> Result<Keys> {
    let [operator, break_glass, index] = std::array::from_fn(|_| Identity::generate());
    let mut signing = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(unmade)?;
    signing.set_comment("netdr");
    let signer = signature::public_line(signing.public_key())?;
    let recipient_lines = vec![operator.to_public().to_string(), break_glass.to_public().to_string()];
    let recipients =
        format!("# operator\n{}\n# break-glass, kept offline\n{}\n", recipient_lines[0], recipient_lines[1]);
    let trusted = format!("netdr namespaces=\"{}\" {signer}\n", signature::OURS);
    let private = signing.to_openssh(LineEnding::LF).map_err(unmade)?;
    let public = format!("{signer} netdr\n");

    let mut files = Files { folder, made: Vec::new(), folder_made: !folder.exists() };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| unwritten(folder, &error))?;
    let keys = Keys {
        operator: files.make("operator.txt", 0o600, &identity_file(&operator, now))?,
        break_glass: files.make("break-glass.txt", 0o600, &identity_file(&break_glass, now))?,
        index: files.make("index.txt", 0o600, &identity_file(&index, now))?,
        signing: files.make("signing", 0o600, &private)?,
        recipients: files.make("recipients.txt", 0o644, &recipients)?,
        trusted_signers: files.make("trusted_signers", 0o644, &trusted)?,
        recipient_lines,
        signer,
    };
    files.make("signing.pub", 0o644, &public)?;
    files.keep()?;
    Ok(keys)
}

/// As age-keygen writes it.
fn identity_file(identity: &Identity, now: DateTime<Utc>) -> String {
    format!(
        "# created: {}\n# public key: {}\n{}\n",
        now.to_rfc3339_opts(SecondsFormat::Secs, true),
        identity.to_public(),
        identity.to_string().expose_secret()
    )
}

/// Files in the making: dropped before [`Files::keep`], they are gone again.
struct Files<'a> {
    folder: &'a Path,
    folder_made: bool,
    made: Vec<PathBuf>,
}

impl Files<'_> {
    fn make(&mut self, name: &str, mode: u32, content: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).map_err(|error| {
                match error.kind() {
                    io::ErrorKind::AlreadyExists => {
                        Error::usage(format!("{} exists already, and no key was made", path.display()))
                            .hint("name another folder: netdr keys generate --out DIR")
                    }
                    _ => unwritten(&path, &error),
                }
            })?;
        self.made.push(path.clone());
        file.write_all(content.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| unwritten(&path, &error))?;
        Ok(path)
    }

    fn keep(mut self) -> Result<()> {
        fs::File::open(self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| unwritten(self.folder, &error))?;
        self.made.clear();
        self.folder_made = false;
        Ok(())
    }
}

impl Drop for Files<'_> {
    fn drop(&mut self) {
        // The error that brought us here is the one to tell.
        for path in &self.made {
            let _ = fs::remove_file(path);
        }
        if self.folder_made {
            let _ = fs::remove_dir(self.folder);
        }
    }
}

fn unmade(error: ssh_key::Error) -> Error {
    Error::failed("cannot make a signing key").because(error)
}

fn unwritten(path: &Path, error: &io::Error) -> Error {
    Error::failed(format!("cannot write {}", path.display())).because(error)
}
