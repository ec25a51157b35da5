//! How a group's queues are shared out, as far as a setting can say it.

/// A rule by which queues are shared that a setting can name. All members of a group must use the
/// same one. Rules that need lists or code are given to a consumer, see
/// [`Strategy`](crate::allocation::Strategy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SharingRule {
    /// Runs of neighbours, the first members one longer: Java's default.
    #[default]
    Average,
    /// One after the other in turn.
    Circle,
    /// By a ring of hashes: a member that comes or goes moves few queues. Of the feature
    /// `consistent-hash`.
    ConsistentHash {
        /// Places on the ring for each member; 10 in Java.
        virtual_nodes: u32,
    },
}

/// Java's `virtualNodeCnt`.
const NODES: u32 = 10;

impl SharingRule {
    /// Reads `average`, `circle`, `consistent-hash` and `consistent-hash:20`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, nodes) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
        let is = |known: &str| name.trim().eq_ignore_ascii_case(known);
        match nodes {
            None if is("average") => Some(Self::Average),
            None if is("circle") => Some(Self::Circle),
            None if is("consistent-hash") => Some(Self::ConsistentHash { virtual_nodes: NODES }),
            Some(nodes) if is("consistent-hash") => {
                let virtual_nodes = nodes.trim().parse().ok()?;
                Some(Self::ConsistentHash { virtual_nodes })
            }
            _ => None,
        }
    }

    /// As [`read`](Self::read) reads it back.
    pub(super) fn name(self) -> String {
        match self {
            Self::Average => "average".to_owned(),
            Self::Circle => "circle".to_owned(),
            Self::ConsistentHash { virtual_nodes } => format!("consistent-hash:{virtual_nodes}"),
        }
    }

    /// Whether this build has it, with as many places as it may have.
    pub(super) const fn is_built(self) -> bool {
        match self {
            Self::Average | Self::Circle => true,
            Self::ConsistentHash { virtual_nodes } => {
                cfg!(feature = "consistent-hash") && virtual_nodes > 0 && virtual_nodes <= 1000
            }
        }
    }
}
