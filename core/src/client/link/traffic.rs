//! What a link is told of, and knows no more of.

/// What is under way on a connection, as the engine knows it. Each answer costs a look, and the
/// link asks for no more than it needs.
pub(crate) trait Traffic {
    /// How many frames wait for a writer.
    fn frames(&self) -> usize;

    /// Whether any do.
    fn has_frames(&self) -> bool;

    /// Sends without an answer, those that wait for a writer among them.
    fn sends(&self) -> u32;

    /// Whether there are more sends than a caller writes by itself.
    fn is_crowded(&self) -> bool;

    /// Whether messages are asked for.
    fn has_pulls(&self) -> bool;

    /// Whether oneway messages wait for a writer. Nobody waits for them: they have time.
    fn has_oneway(&self) -> bool;

    /// Whether all requests under way, if any, are sends and pulls.
    fn only_messages(&self) -> bool;

    /// Whether somebody waits for what comes who does not read: for more than sends and messages,
    /// or with a waker.
    fn others_wait(&self) -> bool;
}

/// What a writer has taken out of the engine and not written.
pub(crate) trait Backlog {
    /// Whether that is nothing.
    fn is_empty(&self) -> bool;
}
