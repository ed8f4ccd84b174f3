//! Rules that the compiler does not know: layers, heavy crates, purity, sizes, forgotten tests, forbidden crates.

mod dependencies;
mod image;
mod layers;
mod monitoring;
mod sources;
