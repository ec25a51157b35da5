//! What an engine has done since it was made, counted.

use std::fmt;

/// Counts since the engine was made; none of them ever goes back.
///
/// Three sums always hold: calls begun are calls ended in one way or another and those
/// [in flight](Self::sends_in_flight), for sends, requests and queries. The tests look after every
/// step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Sends that were taken: messages, or batches of them; those of consumers to retry topics are
    /// among them.
    pub sends_begun: u64,
    /// Sends that ended with a receipt, whatever its status.
    pub sends_stored: u64,
    /// Oneway sends that ended when their frame was queued for a connection, or given to its
    /// writer.
    pub sends_handed: u64,
    /// Those of them that were still queued when the connection was lost.
    pub oneway_lost: u64,
    /// Sends that ended with an error; those refused at once are not among them.
    pub sends_failed: u64,
    /// Sends that were given up by the caller.
    pub sends_cancelled: u64,
    /// Tries of sends that came to nothing, whatever became of the send.
    pub tries_failed: u64,
    /// Requests that were taken: messages whose reply is waited for. Each is a send as well, once
    /// it leaves.
    pub rpc_begun: u64,
    /// Requests that ended with their reply.
    pub rpc_replied: u64,
    /// Requests that ended without one.
    pub rpc_failed: u64,
    /// Requests that were given up by the caller.
    pub rpc_cancelled: u64,
    /// Replies that nobody waited for, which were dropped: late, twice, or to another client.
    pub rpc_late: u64,
    /// Queries that were taken.
    pub queries_begun: u64,
    /// Queries that ended with an answer.
    pub queries_answered: u64,
    /// Queries that ended with an error.
    pub queries_failed: u64,
    /// Queries that were given up by the caller.
    pub queries_cancelled: u64,
    /// Sends and queries that were refused at once: the window was full, or the client stopping.
    pub calls_refused: u64,
    /// Requests of any kind given to a writer, oneway ones included.
    pub requests_sent: u64,
    /// Answers to requests of ours that still waited.
    pub replies: u64,
    /// Answers that nobody waited for, which were dropped: late, twice, from a peer that was not
    /// asked, or to a request that never was.
    pub replies_unknown: u64,
    /// Requests of brokers, oneway ones included.
    pub requests_received: u64,
    /// Those of them that were neither served nor answered: too many answers waited for a peer that
    /// does not read them.
    pub requests_dropped: u64,
    /// Bytes of all frames that arrived. What was sent is known to the sockets alone.
    pub bytes_received: u64,
    /// Connections that were made.
    pub connected: u64,
    /// Attempts to connect that came to nothing.
    pub connects_failed: u64,
    /// Connections that ended, whoever ended them.
    pub disconnected: u64,
    /// Questions for a topic's route, those for `TBW102` included.
    pub routes_asked: u64,
    /// Routes that came and differed in some byte, or in the addresses of their brokers.
    pub routes_compiled: u64,
    /// Routes that came unchanged: neither parsed nor compiled again.
    pub routes_unchanged: u64,
    /// Looks of consumers at their shares, of all their topics each.
    pub looks: u64,
    /// Messages that pulls brought, those the application will not see for their tags included.
    pub messages_pulled: u64,
    /// Those of them that were dropped, since they are from before the offset asked for.
    pub messages_older: u64,
    /// Offsets that a broker, or a store of the application's, confirmed to have stored.
    pub commits: u64,
    /// Offsets that came to nothing; they are committed again later.
    pub commits_failed: u64,
    /// Messages that a broker has taken back, or that were sent to the retry topic instead.
    pub sent_back: u64,
    /// Messages that were to be sent back and that nobody took: they came again here.
    pub sent_back_failed: u64,
    /// Messages that were taken from the application, which had them for too long.
    pub taken_away: u64,
    /// Notes that were left out, since there were too many of their kind.
    pub notes_suppressed: u64,
}

impl Counters {
    /// Sends that have not ended.
    pub const fn sends_in_flight(&self) -> u64 {
        let ended =
            self.sends_stored + self.sends_handed + self.sends_failed + self.sends_cancelled;
        self.sends_begun - ended
    }

    /// Requests that have not ended.
    pub const fn rpc_in_flight(&self) -> u64 {
        self.rpc_begun - (self.rpc_replied + self.rpc_failed + self.rpc_cancelled)
    }

    /// Queries that have not ended.
    pub const fn queries_in_flight(&self) -> u64 {
        self.queries_begun - (self.queries_answered + self.queries_failed + self.queries_cancelled)
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sends: {} begun, {} stored, {} oneway, {} failed, {} cancelled, {} in flight; \
             {} tries failed, {} oneway lost",
            self.sends_begun,
            self.sends_stored,
            self.sends_handed,
            self.sends_failed,
            self.sends_cancelled,
            self.sends_in_flight(),
            self.tries_failed,
            self.oneway_lost,
        )?;
        if self.rpc_begun + self.rpc_late > 0 {
            writeln!(
                f,
                "requests and replies: {} begun, {} replied, {} failed, {} cancelled, {} in \
                 flight; {} replies to nobody",
                self.rpc_begun,
                self.rpc_replied,
                self.rpc_failed,
                self.rpc_cancelled,
                self.rpc_in_flight(),
                self.rpc_late,
            )?;
        }
        writeln!(
            f,
            "queries: {} begun, {} answered, {} failed, {} cancelled; {} calls refused at once",
            self.queries_begun,
            self.queries_answered,
            self.queries_failed,
            self.queries_cancelled,
            self.calls_refused,
        )?;
        writeln!(
            f,
            "requests: {} sent, {} answered, {} answers to nobody, {} of brokers; {} bytes in",
            self.requests_sent,
            self.replies,
            self.replies_unknown,
            self.requests_received,
            self.bytes_received,
        )?;
        writeln!(
            f,
            "connections: {} made, {} failed, {} ended; {} lines of log left out",
            self.connected, self.connects_failed, self.disconnected, self.notes_suppressed,
        )?;
        writeln!(
            f,
            "routes: {} asked, {} new, {} unchanged; consumed: {} pulled, \
             {} of them from before, {} commits, {} failed; {} sent back, {} could not be, \
             {} were held for too long",
            self.routes_asked,
            self.routes_compiled,
            self.routes_unchanged,
            self.messages_pulled,
            self.messages_older,
            self.commits,
            self.commits_failed,
            self.sent_back,
            self.sent_back_failed,
            self.taken_away,
        )
    }
}
