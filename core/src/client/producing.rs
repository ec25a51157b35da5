//! What one producer does otherwise than its client's settings say.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, ConfigError};
use crate::error::ErrorKind;
use crate::message::{Message, MessageLimits, java_string_hash};
use crate::name::NameError;
use crate::producer::{QueueSelection, SendOptions};
use crate::query::QueueChoice;

/// Why a producer could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerError {
    /// The group's name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An option is outside its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl ProducerError {
    /// What it comes to.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::error::ErrorKind;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let error = client.producer_with("not a group!", Default::default()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Invalid);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Name(_) | Self::Config(_) => ErrorKind::Invalid,
        }
    }
}

/// The caller's own selection of a queue: the place, among the queues that are given, of the one
/// that the message goes to.
pub(super) type Select = dyn Fn(&Message, &[QueueChoice]) -> Option<usize> + Send + Sync;

/// How a producer selects queues.
#[derive(Clone)]
enum Selection {
    Fixed(QueueSelection),
    MessageHash,
    Own(Arc<Select>),
}

/// How one producer sends. What is not set here is as the client's [`Config`] says, in the fields
/// of the same names and with the same ranges (`timeout` is its `send_timeout`, `attempts` its
/// `send_attempts`). What a send's own [`SendOptions`] say goes before.
///
/// ```
/// use std::time::Duration;
/// use rocketry_core::client::ProducerOptions;
///
/// let options = ProducerOptions::default()
///     .message_hash()
///     .timeout(Duration::from_secs(10))
///     .attempts(5)
///     .compress_over(1 << 10)
///     .compress_level(9);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ProducerOptions {
    selection: Selection,
    timeout: Option<Duration>,
    attempts: Option<u32>,
    compress_over: Option<usize>,
    compress_level: Option<u32>,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            selection: Selection::Fixed(QueueSelection::InTurn),
            timeout: None,
            attempts: None,
            compress_over: None,
            compress_level: None,
        }
    }
}

impl fmt::Debug for ProducerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selection: &dyn fmt::Debug = match &self.selection {
            Selection::Fixed(selection) => selection,
            Selection::MessageHash => &"by message hash",
            Selection::Own(_) => &"the caller's own",
        };
        f.debug_struct("ProducerOptions")
            .field("selection", selection)
            .field("timeout", &self.timeout)
            .field("attempts", &self.attempts)
            .field("compress_over", &self.compress_over)
            .field("compress_level", &self.compress_level)
            .finish()
    }
}

impl ProducerOptions {
    /// Which queue messages go to: in turn, unless told otherwise by this,
    /// [`message_hash`](Self::message_hash) or [`selector`](Self::selector), of which the last
    /// counts.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, ProducerOptions};
    /// # use rocketry_core::producer::QueueSelection;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let at_random = ProducerOptions::default().selection(QueueSelection::Random);
    /// let producer = client.producer_with("shop", at_random)?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[doc(alias = "WithQueueSelector", alias = "routing_strategy")]
    pub fn selection(mut self, selection: QueueSelection) -> Self {
        self.selection = Selection::Fixed(selection);
        self
    }

    /// By what the message says: to the queue that its sharding key hashes to (`__SHARDINGKEY`),
    /// else its first key, by Java's `String.hashCode`; at random if it has neither.
    ///
    /// See the [example](Self).
    #[must_use]
    #[doc(alias = "NewHashQueueSelector", alias = "MessageHashSelector")]
    pub fn message_hash(mut self) -> Self {
        self.selection = Selection::MessageHash;
        self
    }

    /// To the queue that `select` chooses, as
    /// [`send_with_selector`](super::Producer::send_with_selector) tells. Of a batch it is given
    /// the first message.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, ProducerOptions};
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let healthy = ProducerOptions::default()
    ///     .selector(|_, queues| queues.iter().position(|queue| !queue.isolated));
    /// let producer = client.producer_with("shop", healthy)?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[doc(alias = "MessageQueueSelector", alias = "QueueSelector")]
    pub fn selector(
        mut self,
        select: impl Fn(&Message, &[QueueChoice]) -> Option<usize> + Send + Sync + 'static,
    ) -> Self {
        self.selection = Selection::Own(Arc::new(select));
        self
    }

    /// From a call to its end.
    ///
    /// See the [example](Self).
    #[must_use]
    #[doc(alias = "setSendMsgTimeout", alias = "WithSendMsgTimeout")]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How often a message is given to a broker, the first time included.
    ///
    /// See the [example](Self).
    #[must_use]
    #[doc(alias = "setRetryTimesWhenSendFailed", alias = "WithRetry")]
    pub const fn attempts(mut self, most: u32) -> Self {
        self.attempts = Some(most);
        self
    }

    /// Compresses bodies of more bytes than this.
    ///
    /// See the [example](Self).
    #[must_use]
    #[doc(alias = "setCompressMsgBodyOverHowmuch", alias = "WithCompressMsgBodyOverHowmuch")]
    pub const fn compress_over(mut self, bytes: usize) -> Self {
        self.compress_over = Some(bytes);
        self
    }

    /// How hard bodies are compressed: 0 not at all, 1 quickest, 9 smallest.
    ///
    /// See the [example](Self).
    #[must_use]
    #[doc(alias = "WithCompressLevel")]
    pub const fn compress_level(mut self, level: u32) -> Self {
        self.compress_level = Some(level);
        self
    }

    /// Names the first value that can't work, and says what it must be.
    ///
    /// # Errors
    ///
    /// As [`Config::check`].
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, ProducerOptions};
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let never = ProducerOptions::default().attempts(0);
    /// assert!(never.check(client.config()).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let mut own = config.clone();
        own.send_timeout = self.timeout.unwrap_or(own.send_timeout);
        own.send_attempts = self.attempts.unwrap_or(own.send_attempts);
        own.compress_over = self.compress_over.unwrap_or(own.compress_over);
        own.compress_level = self.compress_level.unwrap_or(own.compress_level);
        own.check()
    }

    /// How large messages may be, and which are compressed.
    pub(super) fn limits(&self, config: &Config) -> MessageLimits {
        let mut limits = MessageLimits::of(config);
        limits.compress_over = self.compress_over.unwrap_or(limits.compress_over);
        limits.compress_level = self.compress_level.unwrap_or(limits.compress_level);
        limits
    }

    /// What holds for a send, and the caller's own selection if that decides. Of a batch `message`
    /// is the first one.
    pub(super) fn under(
        &self,
        mut options: SendOptions,
        message: Option<&Message>,
    ) -> (SendOptions, Option<&Arc<Select>>) {
        options.timeout = options.timeout.or(self.timeout);
        options.attempts = options.attempts.or(self.attempts);
        if options.selection.is_some() {
            return (options, None);
        }
        let selection = match &self.selection {
            Selection::Fixed(selection) => selection.clone(),
            Selection::MessageHash => match message.and_then(Message::order_key) {
                Some(key) => QueueSelection::Hash(java_string_hash(key)),
                None => QueueSelection::Random,
            },
            Selection::Own(select) => return (options, Some(select)),
        };
        options.selection = Some(selection);
        (options, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_send_says_goes_before_what_its_producer_says() {
        let second = Duration::from_secs(1);
        let message = Message::new("orders", "body").key("b").sharding_key("a");
        let options = ProducerOptions::default().message_hash().timeout(second).attempts(5);
        let (sent, own) = options.under(SendOptions::default(), Some(&message));
        assert!(own.is_none());
        assert_eq!((sent.timeout, sent.attempts), (Some(second), Some(5)));
        assert_eq!(sent.selection, Some(QueueSelection::Hash(i32::from(b'a'))));
        let single = SendOptions::hash("b").timeout(2 * second).attempts(1);
        assert_eq!(options.under(single.clone(), Some(&message)).0, single);
        let keyless = Message::new("orders", "body");
        let (sent, _) = options.under(SendOptions::default(), Some(&keyless));
        assert_eq!(sent.selection, Some(QueueSelection::Random));
    }

    #[test]
    fn an_own_selection_decides_unless_the_send_has_one() {
        let options = ProducerOptions::default().selector(|_, _| None);
        assert!(options.under(SendOptions::default(), None).1.is_some());
        assert!(options.under(SendOptions::hash("b"), None).1.is_none());
        assert!(format!("{options:?}").contains("the caller's own"));
    }

    #[test]
    fn ranges_are_those_of_the_settings() {
        let config = Config::testing("ns:9876").unwrap();
        assert_eq!(ProducerOptions::default().check(&config), Ok(()));
        let wrong = |options: ProducerOptions| match options.check(&config) {
            Err(ConfigError::Field { field, .. }) => Some(field),
            _ => None,
        };
        assert_eq!(wrong(ProducerOptions::default().attempts(0)), Some("send_attempts"));
        assert_eq!(wrong(ProducerOptions::default().compress_level(10)), Some("compress_level"));
        let timeout = ProducerOptions::default().timeout(Duration::ZERO);
        assert_eq!(wrong(timeout), Some("send_timeout"));
    }
}
