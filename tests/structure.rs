//! Rules that the compiler does not know: layers, heavy crates, purity, sizes, forgotten tests, forbidden crates.

mod controls;
mod dependencies;
mod drills;
mod image;
mod layers;
mod links;
mod monitoring;
mod sources;
