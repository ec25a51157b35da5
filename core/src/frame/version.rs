//! Versions of peers: ordinals of Java's `MQVersion.Version`, and what depends on them.

/// What this client calls its own version to people, by the ordinal that its frames show.
pub(crate) const OWN: &str = "V5_3_3";

/// From here on a client is asked for its offsets, and told to move them (220, 221).
pub const V3_0_7_SNAPSHOT: i32 = 28;
/// From here on a client is asked what it does, and to handle a message now (307, 309).
pub const V3_1_8_SNAPSHOT: i32 = 62;
/// From here on the largest number of attempts of a message sent back is the client's.
pub const V3_4_9: i32 = 121;
/// 4.8.0.
pub const V4_8_0: i32 = 373;
/// Up to here a broker leaves `_UNIQUE_KEY_QUERY` out of a signature, whatever its own version.
pub const V4_9_3: i32 = 399;
/// From here on a name server writes a route as standard JSON.
pub const V4_9_4: i32 = 401;
/// 4.9.7.
pub const V4_9_7: i32 = 407;
/// From here on brokers pop, assign queues and know lite pulls (361).
pub const V5_0_0: i32 = 413;
/// 5.3.0.
pub const V5_3_0: i32 = 473;
/// Above this a peer may answer `GO_AWAY`.
pub const V5_3_1: i32 = 475;
/// 5.3.3.
pub const V5_3_3: i32 = 479;
/// From here on messages have priorities, and a search by key has pages.
pub const V5_4_0: i32 = 493;
/// From here on brokers know lite topics.
pub const V5_5_0: i32 = 513;

/// A client of this version takes offsets to be moved, and tells its own (220, 221).
pub const fn takes_offset_resets(version: i32) -> bool {
    version >= V3_0_7_SNAPSHOT
}

/// A client of this version tells what it does and handles a message when asked (307, 309).
pub const fn tells_running_info(version: i32) -> bool {
    version >= V3_1_8_SNAPSHOT
}

/// A name server writes a route for this version as standard JSON
/// (`ClientRequestProcessor.getRouteInfoByTopic`).
pub const fn reads_standard_json(version: i32) -> bool {
    version >= V4_9_4
}

/// A broker of this version keeps messages for any time (`TIMER_DELAY_MS` and its like); an older
/// one takes no notice of what says so, and delivers them at once.
pub const fn times(version: i32) -> bool {
    version >= V5_0_0
}

/// A broker of this version takes timer messages back (`RECALL_MESSAGE`, 370), if it may.
pub const fn recalls(version: i32) -> bool {
    version >= V5_3_0
}

/// A broker of this version knows pop, assignments and lite pulls.
pub const fn pops(version: i32) -> bool {
    version >= V5_0_0
}

/// A peer of this version may be told to go away (`NettyRemotingAbstract.processRequestCommand`).
pub const fn takes_go_away(version: i32) -> bool {
    version > V5_3_1
}

/// A broker leaves `_UNIQUE_KEY_QUERY` out of the signature of a request that shows this version
/// (`DefaultAuthenticationContextBuilder`); 4.x brokers always do.
pub const fn signs_without_unique_mark(version: i32) -> bool {
    version <= V4_9_3
}
