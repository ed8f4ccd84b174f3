//! The index of a snapshot, sealed.
//!
//! In: facts and entries. Out: JSON lines in zstd in age, the facts first. Invariant: opening what was sealed
//! gives the same index, and what is not whole is not opened.

use std::io::{BufRead, BufReader, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Identities, Recipients, Sealed,
    archive::MAX_FILE,
    stream::{self, reading, writing},
};
use crate::{Error, Result, model::Index};

/// Seals an index: JSON lines → zstd → age.
///
/// # Errors
/// When `out` fails, or the index is larger than [`open_index`] reads: found out now, not when it is needed.
pub fn seal_index(index: &Index, recipients: &Recipients, out: &mut dyn Write) -> Result<Sealed> {
    stream::seal(recipients, out, |out| {
        let mut room = MAX_FILE;
        line(out, &index.facts, &mut room)?;
        index.entries.iter().try_for_each(|entry| line(out, entry, &mut room))?;
        Ok(index.entries.len() as u64)
    })
}

/// Opens an index; `what` names it in errors.
///
/// # Errors
/// No identity fits, or the file is damaged.
pub fn open_index(input: &mut dyn Read, identities: &Identities, what: &str) -> Result<Index> {
    // A forged index could unpack to any size; this is room for 200,000 items.
    let clear = stream::open(input, identities, what)?.take(MAX_FILE);
    let mut lines = BufReader::new(clear).split(b'\n').enumerate();
    let facts = match lines.next() {
        Some((number, line)) => parse(line, number, what)?,
        None => return Err(Error::damaged(format!("{what} is damaged: it is empty"))),
    };
    let entries = lines.map(|(number, line)| parse(line, number, what)).collect::<Result<_>>()?;
    Ok(Index { facts, entries })
}

fn line(out: &mut impl Write, value: &impl Serialize, room: &mut u64) -> Result<()> {
    let mut line = serde_json::to_vec(value).map_err(|error| writing(error.into()))?;
    line.push(b'\n');
    *room = room.checked_sub(line.len() as u64).ok_or_else(|| {
        Error::failed(format!("the index is larger than {} MiB", MAX_FILE >> 20))
            .hint("narrow what is captured: scope.namespaces.exclude in netdr.yaml")
    })?;
    out.write_all(&line).map_err(writing)
}

fn parse<T: DeserializeOwned>(line: std::io::Result<Vec<u8>>, number: usize, what: &str) -> Result<T> {
    let line = line.map_err(|error| reading(what, &error))?;
    serde_json::from_slice(&line).map_err(|error| {
        Error::damaged(format!("{what} is damaged: line {} does not parse", number + 1)).because(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_could_not_be_opened_is_not_sealed() {
        let mut room = 3;
        line(&mut Vec::new(), &1, &mut room).unwrap();
        let error = line(&mut Vec::new(), &1, &mut room).unwrap_err();
        assert_eq!(error.to_string(), "the index is larger than 64 MiB");
    }
}
