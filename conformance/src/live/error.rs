//! Why a real broker could not be started, reached or stopped.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong with a real broker; the text is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// No `java` on the PATH or in `JAVA_HOME`.
    #[error(
        "Java is missing (no {path}): install a JDK or JRE of version 17 or newer, or set JAVA_HOME"
    )]
    JavaMissing {
        /// The program that was looked for, and where.
        path: String,
    },
    /// A Java older than the brokers' jars and our flags need.
    #[error("Java {found} is too old: the brokers need version 17 or newer (looked at {path})")]
    JavaTooOld {
        /// The major version found, such as 11.
        found: u32,
        /// The program that was asked.
        path: String,
    },
    /// `java -version` said nothing we can read.
    #[error("can't read the version of {path}: it said {said:?}")]
    JavaUnknown {
        /// The program that was asked.
        path: String,
        /// The first line it printed.
        said: String,
    },
    /// No `mvn` on the PATH, and the jars of this version are not there yet.
    #[error("Maven is missing: install mvn so that the jars of RocketMQ {version} can be fetched")]
    MavenMissing {
        /// The RocketMQ version asked for.
        version: String,
    },
    /// Neither Java nor, though it is needed as well, Maven.
    #[error(
        "Java and Maven are missing: install a JDK of version 17 or newer, and mvn so that the \
         jars of RocketMQ {version} can be fetched"
    )]
    BothMissing {
        /// The RocketMQ version asked for.
        version: String,
    },
    /// Maven could not fetch the jars.
    #[error("Maven could not fetch RocketMQ {version}: {said}")]
    Fetch {
        /// The RocketMQ version asked for.
        version: String,
        /// Maven's first complaint.
        said: String,
    },
    /// Not of the form of a released version, such as `5.3.3`.
    #[error("{0:?} is no RocketMQ version: write one such as 5.3.3")]
    Version(String),
    /// A cluster of no or too many members.
    #[error("a cluster has from 1 to {most} {what}, not {asked}")]
    Shape {
        /// `brokers` or `nameservers`.
        what: &'static str,
        /// The largest number there can be.
        most: u8,
        /// The number asked for.
        asked: u8,
    },
    /// A further line of the brokers' properties that is none.
    #[error("{0:?} is no broker option: write it as KEY=VALUE")]
    Conf(String),
    /// No neighbouring free ports on the loopback.
    #[error("found no free ports on 127.0.0.1")]
    NoPorts,
    /// A process ended while it should have become ready.
    #[error("{member} of RocketMQ {version} ended while starting; it said last: {said}")]
    Ended {
        /// The member's name.
        member: String,
        /// The RocketMQ version.
        version: String,
        /// The last lines that it printed.
        said: String,
    },
    /// A process did not become ready in time.
    #[error("{member} of RocketMQ {version} was not ready after {after:?}; it said last: {said}")]
    NotReady {
        /// The member's name.
        member: String,
        /// The RocketMQ version.
        version: String,
        /// How long we waited.
        after: Duration,
        /// The last lines that it printed.
        said: String,
    },
    /// The cluster has no member of that name.
    #[error("no member is called {name}; there are {there}")]
    NoMember {
        /// The name asked for.
        name: String,
        /// The names there are.
        there: String,
    },
    /// No cluster, none of that name, or no single one.
    #[error("{asked}; {there}")]
    NoCluster {
        /// What was looked for.
        asked: String,
        /// The names there are.
        there: String,
    },
    /// The time that the cluster was given at its start is over.
    #[error("the life of cluster {0} is over: take it down and start another one")]
    Over(String),
    /// The caller's stop flag was raised while we waited.
    #[error("interrupted")]
    Interrupted,
    /// A broker or nameserver refused a request of ours, or the route never showed its effect.
    #[error("{what}: {said}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The code and remark of the answer, or what was missing.
        said: String,
    },
    /// A file, a process or a socket failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The failure.
        source: io::Error,
    },
    /// A folder that should say which processes are ours does not.
    #[error("the state in {} can't be read; delete the folder", .0.display())]
    State(PathBuf),
}

impl LiveError {
    /// Whether this machine lacks Java or Maven, or has a Java that is too old.
    pub fn is_missing(&self) -> bool {
        matches!(
            self,
            LiveError::JavaMissing { .. }
                | LiveError::JavaTooOld { .. }
                | LiveError::MavenMissing { .. }
                | LiveError::BothMissing { .. }
        )
    }
}

/// Gives an [`io::Error`] the sentence of what was being done.
pub(super) trait While<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T, LiveError>;
}

impl<T> While<T> for io::Result<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T, LiveError> {
        self.map_err(|source| LiveError::Io { what: what(), source })
    }
}
