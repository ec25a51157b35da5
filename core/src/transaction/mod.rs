//! Transactions: a half message, which nobody sees, and its end.
//!
//! | state of a half message | leaves on | to |
//! |---|---|---|
//! | Sent | stored (code 0) | Undecided |
//! | | stored less safely than asked for (10, 11, 12), or perhaps | Decided: roll back |
//! | | not stored | gone |
//! | Undecided | `resolve` with commit or roll back, in time | Decided, and its broker is told |
//! | | `resolve` with unknown, `leave_half`, its time is over | left to checks |
//! | Decided | | its verdict is kept, and answers every check that comes |
//!
//! | a check, of a half message that is | is answered |
//! |---|---|
//! | Decided | at once with roll back; with commit once it is looked for |
//! | Sent, or Undecided | with its end, if that comes within 5 s; else as unknown |
//! | left to checks, or another client's | with what the application says (`Event::Check`) |
//! | of a group that has no transaction producer here | not at all |
//!
//! Codes: `END_TRANSACTION` (37), `QUERY_MESSAGE` (12); answers to `CHECK_TRANSACTION_STATE` (39).
//!
//! *One verdict*: the first one on a half message counts, whoever says it, the application or its
//! checker. No end is sent twice on a guess: one that never left this process may be sent again,
//! one without an answer is not. A half message is given to one broker once, since a second copy
//! would have to end as well, and the other way.
//!
//! A broker that asks puts the half message behind all others of its half topic before
//! (`putBackHalfMsgQueue`), and only the end of that copy stops it from asking. So an end goes to
//! the last copy that this client was asked about. It may ask about a copy whose transaction has
//! ended: the two passed each other, another client of the group was asked, or the broker was
//! killed before it had written the end down, which takes 3 s. To commit the copy as well would
//! deliver the message twice. So before a check is answered with commit, and before the first end
//! of a message that is older than 5 s, the broker is asked whether the message is in its topic
//! (`QUERY_MESSAGE`, 12), and if it is, the copy is rolled back. Of checks that come together one
//! is answered so, for the last copy. A broker's index is written behind its log, so one that was
//! told to commit less than 15 s ago, and does not find the message, is to ask again, instead of
//! being told twice. So is one that asked more than 15 s ago: another client may have been asked
//! since, and of two that look and then commit at once neither finds what the other did. A broker
//! without an index finds nothing, one that denies the question never says, and one that does not
//! answer is told to commit at the third check: they may have the message twice then; so they have
//! when two clients commit in the same moment all the same.

mod by_id;
mod check;
mod end;
mod machine;
mod stats;
mod verdicts;

pub use crate::effects::{CheckedHalf, Resolution, TransactionReceipt, TransactionState};
pub use machine::HalfOptions;
pub(crate) use machine::Transactions;
pub use stats::TransactionStats;
