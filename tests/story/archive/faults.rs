//! The second matrix of docs/reliability.md: what goes wrong with a place outside, and what becomes of each verb. One story
//! per row proves its five cells, that nothing half-written is offered, and that the same command, when the trouble is
//! over, ends well.

mod stages;
mod troubles;

use crate::support::documented;
use troubles::Cause;

/// Which verb meets it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Replicate,
    Fetch,
    Thaw,
    Snapshots,
    Verify,
}

/// What becomes of the verb.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    /// It tries again, and ends as if nothing had happened.
    WaitedOut,
    /// It does not meet it, or does not mind.
    Unaffected,
    /// It finds the damage and makes it good.
    PutBack,
    /// It does the rest, and warns.
    Warned,
    /// It stops at the object, which it names, and says the way out; the local snapshot is not touched.
    Failed,
    /// It names what is damaged (exit code 5), and offers nothing of it.
    Damaged,
}

/// One row: a kind of trouble, a cell for every verb, and what is said by who meets it.
struct Row {
    cause: Cause,
    cells: [Cell; 5],
    says: &'static str,
    test: &'static str,
}

/// Each row is a test of its name.
macro_rules! matrix {
    ($($test:ident: $cause:ident, [$($cell:ident),*], $says:literal;)*) => {
        const MATRIX: &[Row] = &[$(Row {
            cause: Cause::$cause,
            cells: [$(Cell::$cell),*],
            says: $says,
            test: stringify!($test),
        }),*];
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            let row = MATRIX.iter().find(|row| row.test == stringify!($test)).unwrap();
            stages::prove(row).await;
        })*
    };
}

matrix! {
    //                                       replicate   fetch       thaw        snapshots   verify
    rights_that_are_missing: Forbidden,      [Failed, Failed, Failed, Warned, Failed], "AccessDenied";
    a_bucket_of_another_account: Foreign,    [Failed, Failed, Failed, Warned, Failed], "AccessDenied";
    a_bucket_that_is_gone: NoBucket,         [Failed, Failed, Failed, Warned, Failed], "there is no bucket disaster";
    a_bucket_in_another_region: OtherRegion, [Failed, Failed, Failed, Warned, Failed], "region: ap-southeast-2";
    a_clock_that_is_wrong: Skewed,           [Failed, Failed, Failed, Warned, Failed], "timedatectl";
    another_writer_409: Conflict,            [WaitedOut, Unaffected, Unaffected, Unaffected, Unaffected], "";
    a_key_that_is_taken_412: Exists,         [Failed, Unaffected, Unaffected, Unaffected, Unaffected], "comes and goes";
    too_many_requests_429: TooMany,          [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut], "";
    slow_down_503: SlowDown,                 [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut], "";
    errors_500: Internal,                    [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut], "";
    connections_reset: Reset,                [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut], "";
    answers_that_are_lost: AnswerLost,       [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut], "";
    bodies_that_end_early: Short,            [Unaffected, WaitedOut, WaitedOut, WaitedOut, WaitedOut], "";
    slow_answers: Slow,                      [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut], "";
    another_checksum_comes_back: Checksum,   [Damaged, Unaffected, Unaffected, Unaffected, Damaged], "sha256";
    an_object_that_was_swapped: Swapped,     [Unaffected, Damaged, Unaffected, Unaffected, Damaged], "has sha256";
    an_object_that_was_truncated: Truncated, [Damaged, Damaged, Damaged, Warned, Damaged], "has ";
    an_older_header_replayed: Replayed,      [Unaffected, Damaged, Damaged, Warned, Damaged], "its header is that of";
    a_bundle_that_a_rule_expired: Expired,   [PutBack, Damaged, Damaged, Warned, Damaged], "is missing";
    an_unknown_storage_class: UnknownClass,  [Unaffected, Unaffected, Failed, Warned, Unaffected], "storage class";
    a_full_disk_here: FullDisk,              [Unaffected, Failed, Warned, Unaffected, Unaffected], "No space left";
}

impl Cell {
    const fn words(self) -> &'static str {
        match self {
            Self::WaitedOut => "waited out",
            Self::Unaffected => "unaffected",
            Self::PutBack => "put back",
            Self::Warned => "warned of",
            Self::Failed => "failed, named",
            Self::Damaged => "damage, named",
        }
    }
}

/// `NETDR_UPDATE=1 cargo test --test integration document` writes the table anew.
#[test]
fn the_document_says_what_is_proved_of_places_outside() {
    let rows = MATRIX.iter().map(|row| (row.cause.title(), row.cells.map(Cell::words).to_vec(), row.test));
    documented("places", &["replicate", "fetch", "thaw", "snapshots", "verify"], rows);
}
