//! What opens a sealed file.
//!
//! In: files of age identities or SSH private keys, and a way to ask for a passphrase. Out: identities age opens
//! with. Invariant: no key is ever shown, neither by `Debug` nor in an error.

use std::{
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
};

use age::{
    armor::ArmoredReader,
    secrecy::{ExposeSecret, SecretSlice, SecretString},
    ssh::{Identity as SshKey, Recipient as SshRecipient, UnsupportedKey},
};

use super::Recipients;
use crate::{Error, Result};

/// Asks for the passphrase of the file named.
pub type Ask<'a> = dyn Fn(&str) -> Result<String> + 'a;

/// What opens a bundle. Its `Debug` shows how many keys it has.
#[derive(Default)]
pub struct Identities {
    age: Vec<age::x25519::Identity>,
    ssh: Vec<SshKey>,
    /// Where they were read from.
    files: Vec<String>,
}

impl Identities {
    /// Reads age identity files (plain, or encrypted with a passphrase as `age -p` does) and SSH private keys
    /// (ed25519 and RSA); one file may hold several. Asks once for the passphrase of each encrypted one.
    ///
    /// # Errors
    /// A file that cannot be read, a passphrase that is wrong, a line that is no identity, a file without any.
    pub fn read(files: &[PathBuf], ask: &Ask<'_>) -> Result<Self> {
        let mut identities = Self::default();
        for file in files {
            identities.add_file(file, ask)?;
        }
        Ok(identities)
    }

    /// Adds the keys of a text, such as SOPS_AGE_KEY; `name` names it in errors.
    ///
    /// # Errors
    /// As [`Identities::read`].
    pub fn and_text(mut self, text: String, name: &str, ask: &Ask<'_>) -> Result<Self> {
        self.add(SecretSlice::from(text.into_bytes()), name, ask)?;
        Ok(self)
    }

    /// The recipients that belong to them.
    ///
    /// # Errors
    /// When there is no identity.
    pub fn recipients(&self) -> Result<Recipients> {
        let age = self.age.iter().map(|key| key.to_public().to_string());
        let ssh = self.ssh.iter().filter_map(|key| SshRecipient::try_from(key.clone()).ok());
        let recipients = Recipients::of(age.chain(ssh.map(|key| key.to_string())));
        if recipients.lines().is_empty() {
            return Err(Error::usage("no identity was given, and so there is no recipient of one")
                .hint("make one with: age-keygen -o FILE"));
        }
        Ok(recipients)
    }

    /// Each key by itself.
    pub fn each(&self) -> impl Iterator<Item = Self> {
        let age = self.age.iter().map(|key| Self { age: vec![key.clone()], ..Self::default() });
        age.chain(self.ssh.iter().map(|key| Self { ssh: vec![key.clone()], ..Self::default() }))
    }

    /// The files that they were read from.
    pub(super) fn files(&self) -> &[String] {
        &self.files
    }

    /// How many keys there are.
    pub(super) fn count(&self) -> usize {
        self.age.len() + self.ssh.len()
    }

    /// As age takes them.
    pub(super) fn keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        let age = self.age.iter().map(|key| key as &dyn age::Identity);
        age.chain(self.ssh.iter().map(|key| key as &dyn age::Identity))
    }

    fn add_file(&mut self, file: &Path, ask: &Ask<'_>) -> Result<()> {
        let name = file.display().to_string();
        let bytes = fs::read(file).map_err(|error| {
            let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
            let unread = Error::usage(format!("cannot read the identity file {name}")).because(error);
            if denied {
                unread.hint(format!("it is there, and of another user; whose is it? ls -l {name}"))
            } else {
                unread
            }
        })?;
        self.add(SecretSlice::from(bytes), &name, ask)
    }

    fn add(&mut self, mut content: SecretSlice<u8>, name: &str, ask: &Ask<'_>) -> Result<()> {
        if is_encrypted(content.expose_secret()) {
            content = decrypt(content.expose_secret(), name, ask)?;
        }
        let text = std::str::from_utf8(content.expose_secret())
            .map_err(|_| Error::usage(format!("{name} is no identity file: it is not text")))?;
        let before = self.count();
        self.add_text(text, name, ask)?;
        if self.count() == before {
            return Err(Error::usage(format!("{name} holds no identity")));
        }
        self.files.push(name.to_owned());
        Ok(())
    }

    fn add_text(&mut self, text: &str, name: &str, ask: &Ask<'_>) -> Result<()> {
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("-----BEGIN ") {
                let rest = lines.by_ref().map(|(_, line)| line);
                let mut pem = vec![line];
                for line in rest {
                    pem.push(line);
                    if line.starts_with("-----END ") {
                        break;
                    }
                }
                let pem = SecretString::from(pem.join("\n") + "\n");
                self.ssh.push(ssh_key(pem.expose_secret(), name, ask)?);
            } else {
                // The parser's own text could quote the line, which may be a key with a typing error.
                self.age.push(line.trim().parse().map_err(|_| {
                    let error = Error::usage(format!("{name}: line {} is no identity", number + 1));
                    match of_another_kind(line.trim()) {
                        Some(why) => error.why(why),
                        None => error,
                    }
                        .hint("an identity file holds lines AGE-SECRET-KEY-1…, or SSH private keys of type ed25519 or RSA")
                })?);
            }
        }
        Ok(())
    }
}

/// What it is instead, where that can be said without a word of it.
fn of_another_kind(line: &str) -> Option<&'static str> {
    if line.starts_with("AGE-SECRET-KEY-PQ-1") {
        Some("it is a post-quantum identity, which netdr does not open with")
    } else if line.starts_with("AGE-PLUGIN-") {
        Some(
            "it is a plugin's identity, and netdr runs no plugins: open with stock age, or by another recipient",
        )
    } else if line.starts_with("age1") || line.starts_with("ssh-") {
        Some("it is a recipient, which is public and opens nothing; an identity is its secret half")
    } else {
        None
    }
}

fn is_encrypted(content: &[u8]) -> bool {
    let content = content.trim_ascii_start();
    content.starts_with(b"age-encryption.org/") || content.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}

/// The content of a file encrypted with a passphrase.
fn decrypt(content: &[u8], name: &str, ask: &Ask<'_>) -> Result<SecretSlice<u8>> {
    let damaged = || Error::usage(format!("{name} is no identity file, nor one encrypted with a passphrase"));
    let decryptor =
        age::Decryptor::new(ArmoredReader::new(content)).map_err(|error| damaged().because(error))?;
    if !decryptor.is_scrypt() {
        return Err(damaged()
            .why("it is encrypted to a key")
            .hint(format!("decrypt it first: age -d -i KEY {name}")));
    }
    let mut passphrase = age::scrypt::Identity::new(SecretString::from(ask(name)?));
    passphrase.set_max_work_factor(MAX_WORK);
    let wrong = |_| wrong_passphrase(name);
    let mut reader = decryptor.decrypt(std::iter::once(&passphrase as &dyn age::Identity)).map_err(wrong)?;
    let mut plain = Vec::with_capacity(content.len());
    reader.read_to_end(&mut plain).map_err(|error| damaged().because(error))?;
    Ok(SecretSlice::from(plain))
}

/// `age -p` writes 18 (256 MiB); each step doubles what a file can make us allocate.
const MAX_WORK: u8 = 20;

fn ssh_key(pem: &str, name: &str, ask: &Ask<'_>) -> Result<SshKey> {
    let unusable = |why: &str| {
        Error::usage(format!("{name}: age cannot open with this key")).why(why).hint(
            "it can with SSH private keys of type ed25519 or RSA in OpenSSH's format; ssh-keygen -p -f FILE rewrites an old one",
        )
    };
    let key = SshKey::from_buffer(pem.as_bytes(), Some(name.into()))
        .map_err(|_| unusable("it is no SSH private key, or a damaged one"))?;
    match key {
        SshKey::Unencrypted(_) => Ok(key),
        SshKey::Encrypted(key) => {
            let opened = key.decrypt(SecretString::from(ask(name)?)).map_err(|_| wrong_passphrase(name))?;
            Ok(SshKey::Unencrypted(opened))
        }
        SshKey::Unsupported(UnsupportedKey::Hardware(kind) | UnsupportedKey::Type(kind)) => {
            Err(unusable(&format!("it is of type {kind}")))
        }
        SshKey::Unsupported(UnsupportedKey::EncryptedSsh(cipher)) => {
            Err(unusable(&format!("it is encrypted with {cipher}")))
        }
        SshKey::Unsupported(UnsupportedKey::EncryptedPem) => Err(unusable("it is an encrypted PEM key")),
    }
}

fn wrong_passphrase(name: &str) -> Error {
    Error::failed(format!("the passphrase does not open {name}"))
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({} keys)", self.count())
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, process::Command};

    use super::*;

    fn refuse(_: &str) -> Result<String> {
        panic!("asked for a passphrase")
    }

    fn file(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn one_file_may_hold_several_keys_of_both_kinds() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
        let ssh = folder.path().join("ssh");
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&ssh).status();
        assert!(made.unwrap().success());
        let text = format!(
            "# created: today\n{}\n\n{}{}\n",
            a.to_string().expose_secret(),
            fs::read_to_string(&ssh).unwrap(),
            b.to_string().expose_secret()
        );
        let identities = Identities::read(&[file(folder.path(), "keys", text.as_bytes())], &refuse).unwrap();
        assert_eq!((identities.age.len(), identities.ssh.len()), (2, 1));
        let public = fs::read_to_string(ssh.with_extension("pub")).unwrap();
        let public = public.rsplit_once(' ').unwrap().0.to_owned(); // without its comment
        let lines = [a.to_public().to_string(), b.to_public().to_string(), public];
        assert_eq!(identities.recipients().unwrap().lines(), lines);
        assert_eq!(format!("{identities:?}"), "Identities(3 keys)");
    }

    #[test]
    fn an_encrypted_ssh_key_is_opened_by_its_passphrase_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id");
        let mut keygen = Command::new("ssh-keygen");
        let made = keygen.args(["-q", "-t", "ed25519", "-a", "1", "-N", "right", "-f"]).arg(&path).status();
        assert!(made.unwrap().success());
        let files = [path.clone()];
        let right = |name: &str| {
            assert_eq!(name, path.display().to_string());
            Ok("right".to_string())
        };
        assert_eq!(Identities::read(&files, &right).unwrap().count(), 1);
        let error = Identities::read(&files, &|_| Ok("wrong".into())).unwrap_err();
        assert_eq!(error.to_string(), format!("the passphrase does not open {}", path.display()));
    }

    #[test]
    fn an_identity_file_encrypted_with_a_passphrase_is_opened_by_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let identity = age::x25519::Identity::generate();
        let encrypt = |armor| {
            let mut lock = age::scrypt::Recipient::new(SecretString::from("right".to_string()));
            lock.set_work_factor(2);
            let encryptor = age::Encryptor::with_recipients(std::iter::once(&lock as _)).unwrap();
            let armored = age::armor::ArmoredWriter::wrap_output(Vec::new(), armor).unwrap();
            let mut writer = encryptor.wrap_output(armored).unwrap();
            writeln!(writer, "# mine\n{}", identity.to_string().expose_secret()).unwrap();
            writer.finish().and_then(age::armor::ArmoredWriter::finish).unwrap()
        };
        for armor in [age::armor::Format::Binary, age::armor::Format::AsciiArmor] {
            let files = [file(folder.path(), "keys.age", &encrypt(armor))];
            let identities = Identities::read(&files, &|_| Ok("right".into())).unwrap();
            assert_eq!(identities.recipients().unwrap().lines(), [identity.to_public().to_string()]);
            let error = Identities::read(&files, &|_| Ok("wrong".into())).unwrap_err();
            assert!(error.to_string().starts_with("the passphrase does not open "), "{error}");
        }
    }

    #[test]
    fn what_is_no_identity_is_named_by_line_and_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let wrong = "AGE-SECRET-KEY-1TYPINGERROR";
        let path = file(folder.path(), "keys", format!("# mine\n{wrong}\n").as_bytes());
        let error = Identities::read(std::slice::from_ref(&path), &refuse).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: line 2 is no identity", path.display()));
        assert!(!format!("{error:?}").contains(wrong));

        for (kind, why) in [
            ("AGE-SECRET-KEY-PQ-1MARKER", "post-quantum"),
            ("AGE-PLUGIN-YUBIKEY-1MARKER", "plugin"),
            ("age1MARKER", "it is a recipient"),
        ] {
            let error = Identities::default().and_text(kind.into(), "SOPS_AGE_KEY", &refuse).unwrap_err();
            assert!(error.to_string().starts_with("SOPS_AGE_KEY: line 1 is no identity: "), "{error}");
            assert!(error.to_string().contains(why) && !format!("{error:?}").contains("MARKER"), "{error:?}");
        }
        let empty = file(folder.path(), "empty", b"# nothing\n");
        assert!(Identities::read(&[empty], &refuse).unwrap_err().to_string().ends_with("holds no identity"));
        let absent = Identities::read(&["/nonexistent/key".into()], &refuse).unwrap_err();
        assert!(
            absent.to_string().starts_with("cannot read the identity file /nonexistent/key: "),
            "{absent}"
        );
    }
}
