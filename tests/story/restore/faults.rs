//! The matrix of docs/reliability.md: what goes wrong, in which stage, and what becomes of it. One story per row proves
//! its five cells on a plane of its own, and that the next attempt, when the trouble is over, leaves nothing to do.

mod damage;
mod disk;
mod killed;
mod played;
mod stages;
mod trouble;
mod world;

use crate::support::documented;
use trouble::Trouble;

/// When it strikes: with the first request of the stage that reads, writes, or looks at what is waited for.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Capture,
    Resolve,
    Apply,
    Wait,
    Undo,
}

const STAGES: [Stage; 5] = [Stage::Capture, Stage::Resolve, Stage::Apply, Stage::Wait, Stage::Undo];

/// What becomes of the stage.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    /// It ends as if nothing had happened.
    WaitedOut,
    /// It does not even notice.
    Unaffected,
    /// All but what the trouble hits is done, and that is named.
    Partial,
    /// It stops, says why, and how to go on.
    Failed,
}

/// One row: a kind of trouble, and a cell for every stage.
struct Row {
    trouble: Trouble,
    cells: [Cell; 5],
    test: &'static str,
}

/// Each row is a test of its name.
macro_rules! matrix {
    ($($test:ident: $trouble:ident, [$($cell:ident),*];)*) => {
        const MATRIX: &[Row] = &[$(Row {
            trouble: Trouble::$trouble,
            cells: [$(Cell::$cell),*],
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
    //                                       capture     resolve     apply      wait       undo
    a_storm_of_429: Storm,                   [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut];
    errors_500: InternalError,               [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut];
    unavailable_503: Unavailable,            [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut];
    answers_that_break_off: BrokenAnswer,    [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut];
    conflicts_409: Conflict,                 [Unaffected, Unaffected, WaitedOut, WaitedOut, WaitedOut];
    slow_answers: Slow,                      [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut];
    an_expired_token: ExpiredToken,          [Partial, Failed, Failed, Failed, Failed];
    a_webhook_without_endpoints: NoEndpoints, [Unaffected, Unaffected, WaitedOut, WaitedOut, WaitedOut];
    a_webhook_that_denies: Denial,           [Unaffected, Unaffected, Partial, Partial, Partial];
    an_api_group_that_is_gone: GroupGone,    [Partial, Partial, Partial, Partial, Partial];
    etcd_restarted: EtcdRestarted,           [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut];
    an_api_server_restarted: ApiServerRestarted, [WaitedOut, WaitedOut, WaitedOut, WaitedOut, WaitedOut];
}

impl Cell {
    const fn words(self) -> &'static str {
        match self {
            Self::WaitedOut => "waited out",
            Self::Unaffected => "unaffected",
            Self::Partial => "partial, named",
            Self::Failed => "failed, named, resumable",
        }
    }
}

/// `NETDR_UPDATE=1 cargo test --test integration document` writes the table anew.
#[test]
fn the_document_says_what_is_proved() {
    let rows = MATRIX.iter().map(|row| (row.trouble.title(), row.cells.map(Cell::words).to_vec(), row.test));
    documented("matrix", &["capture", "resolve", "apply", "wait", "undo"], rows);
}
