//! Faults put back on purpose (feature `planted`, for tests of the storms alone): each is what this
//! client once did, and what a storm has to find.
#![cfg_attr(not(feature = "planted"), allow(unreachable_pub))]

/// A fault that an engine is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Messages from before the offset asked for move the queue on: what lies there is skipped
    /// (PULL-19).
    PassesOlder,
    /// A next offset beyond the end of its queue is pulled from, and committed (PULL-20).
    PullsBeyond,
    /// What may be committed is the first open message of the oldest pull, and a queue that was
    /// made anew keeps what was pulled from the old one (OFF-18).
    CommitsFirstPull,
    /// A broker's new address is connected to by nobody that only consumes (CONN-15).
    StaysAtAddress,
    /// A message that its broker did not take back counts as settled (RETRY-07).
    LosesRefused,
    /// A message is settled as soon as it is to be sent back (RETRY-07).
    RetrySettles,
    /// The word of one nameserver that there is no such topic is the word of all (NS-17).
    BelievesOne,
    /// A queue that another member had a moment ago is read at once from what is stored (REB-12).
    TakesAtOnce,
    /// A share that was computed from another route than the present one is taken all the same
    /// (REB-14).
    AppliesStale,
    /// What a queue had settled before its offset was reset is committed all the same, after the
    /// reset (OFF-09).
    CommitsAfterReset,
    /// Messages are handed out, and stored, after the lock of their queue has run out (ORD-04).
    OutlivesLock,
    /// Locks are believed in after the connection to their broker was lost (ORD-05).
    TrustsLocks,
    /// A queue goes to another member, and is unlocked, while a message of it is handled (ORD-09).
    ReleasesBusy,
    /// A message that was given back is sent back as those are whose order does not matter, and
    /// what comes after it is handed out meanwhile (ORD-07).
    RetryPasses,
    /// A consumer that finishes does not wait for what is on its way to a broker.
    DrainsEarly,
    /// What a broker confirmed before it heard of us anew is not committed again.
    TrustsCommits,
    /// An answer to a pull from before a seek is taken for one to a pull behind it (PULL-11).
    TakesBeforeSeek,
    /// A broker's suggestion where to read next is followed also where no route names such a
    /// broker (PULL-08).
    FollowsUnlisted,
    /// No verdict on a half message is remembered: each check asks the application anew, which may
    /// have rolled back and then say commit (TXN-06).
    ForgetsVerdicts,
    /// A check is answered with commit though the message is in its topic already (TXN-06).
    CommitsCopies,
    /// An end of a transaction without an answer is sent again (TXN-06).
    RepeatsEnds,
    /// What is saved of a queue is where its next pull begins, whatever is not settled before it
    /// (BCAST-03).
    SavesPulled,
}

/// What an engine was given: nothing, where the feature is not built.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plant {
    #[cfg(feature = "planted")]
    fault: Option<Planted>,
}

impl Plant {
    /// Whether it is this one.
    #[cfg(feature = "planted")]
    pub(crate) fn is(self, fault: Planted) -> bool {
        self.fault == Some(fault)
    }

    /// Never: the compiler takes the fault out.
    #[cfg(not(feature = "planted"))]
    pub(crate) const fn is(self, _: Planted) -> bool {
        false
    }
}

#[cfg(feature = "planted")]
impl From<Planted> for Plant {
    fn from(fault: Planted) -> Self {
        Self { fault: Some(fault) }
    }
}
