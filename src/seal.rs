//! Sealing: items become bundles that stock `age`, `tar` and `zstd` open, and come back from them.
//!
//! In: items and recipients, or a sealed stream and identities. Out: a sealed stream with its sha256, or items
//! each checked against the index. Invariant: nothing in clear is ever written to disk but by [`extract`].
//!
//! A bundle is tar in zstd in age; an index is JSON lines in zstd in age. Both are streamed: memory holds one
//! item, one zstd window and one age chunk, whatever the number of items.

mod archive;
mod bundle;
mod extract;
mod identities;
mod index;
mod recipients;
mod stream;

pub use archive::archive_path;
pub use bundle::{open_bundle, seal_bundle};
pub use extract::extract;
pub use identities::{Ask, Identities};
pub use index::{open_index, seal_index};
pub use recipients::{Recipients, fingerprint};
pub use stream::{Sealed, opens, prove, seal_bytes};

#[cfg(test)]
mod tests;
