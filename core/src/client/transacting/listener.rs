//! Local work and its check as one thing of the application's.

use super::half::HalfMessage;
use super::options::TransactionRunError;
use super::producer::TransactionProducer;
use crate::message::Message;
use crate::transaction::{CheckedHalf, Resolution, TransactionReceipt};

/// The two sides of a transaction as one thing of the application's, as other clients have it.
#[doc(alias = "TransactionCheckListener", alias = "executeLocalTransaction")]
pub trait TransactionListener: Send + Sync + 'static {
    /// What the local work is given beside the half message.
    type Argument;

    /// Does the local work.
    fn execute_local(&self, half: &HalfMessage, argument: Self::Argument) -> Resolution;

    /// How the local work of a half message ended, whoever did it.
    #[doc(alias = "checkLocalTransaction")]
    fn check_local(&self, half: &CheckedHalf) -> Resolution;

    /// One transaction by this listener, which must be the checker of `producer`'s group too: see
    /// [`TransactionProducer::run`].
    fn send(
        &self,
        producer: &TransactionProducer,
        message: Message,
        argument: Self::Argument,
    ) -> Result<TransactionReceipt, TransactionRunError> {
        producer.run(message, |half| self.execute_local(half, argument))
    }
}

/// Always the same end: for tests.
impl TransactionListener for Resolution {
    type Argument = ();

    fn execute_local(&self, _: &HalfMessage, (): ()) -> Resolution {
        *self
    }

    fn check_local(&self, _: &CheckedHalf) -> Resolution {
        *self
    }
}
