//! Words of which there are few: clap lists them in help, in errors with the nearest, and to shells that complete them.
//!
//! In: the words of a type. Out: what reads one. Invariant: what is listed is what is read.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::Error;

/// Reads one of these words, each of which `T` reads.
pub(super) fn one_of<T>(words: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = Error> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command, error::ErrorKind};

    use super::*;
    use crate::model::{Set, Severity};

    #[test]
    fn a_word_that_is_none_is_answered_with_those_there_are_and_the_nearest() {
        let command = |parser| Command::new("x").arg(Arg::new("set").long("set").value_parser(parser));
        let of = |word: &str| {
            let parser = clap::builder::ValueParser::new(one_of::<Set>(Set::ALL.map(Set::name)));
            command(parser).try_get_matches_from(["x", "--set", word])
        };
        assert_eq!(of("host").unwrap().get_one::<Set>("set"), Some(&Set::Host));
        let error = of("networks").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
        let said = error.to_string();
        assert!(said.contains("network, certificates, host") && said.contains("'network'"), "{said}");
        assert!(Severity::ALL.iter().all(|one| one.name().parse::<Severity>().is_ok()));
    }
}
