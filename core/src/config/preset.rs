//! Presets: named sets of settings that differ from the defaults.

use std::time::Duration;

use super::table::{says, value};
use super::{Config, ConfigError};

/// A named set of settings.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Preset {
    /// The function of [`Config`] that makes it.
    pub name: &'static str,
    /// What it is for, in whole sentences.
    pub about: &'static str,
    /// The settings, for nameservers as [`Config::new`] reads them.
    pub make: fn(&str) -> Result<Config, ConfigError>,
}

macro_rules! presets {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident { $($field:ident = [$($value:tt)+];)+ }
    )+) => {
        impl Config {
            $(
                $(#[doc = $doc])+
                ///
                /// What differs from the defaults:
                $(#[doc = concat!(
                    "- [`", stringify!($field), "`](Self::", stringify!($field), "): ",
                    says!($($value)+)
                )])+
                pub fn $name(name_servers: impl AsRef<str>) -> Result<Self, ConfigError> {
                    Ok(Self { $($field: value!($($value)+),)+ ..Self::new(name_servers)? })
                }
            )+
        }

        /// Every preset.
        pub const PRESETS: &[Preset] = &[$(Preset {
            name: stringify!($name),
            about: concat!($($doc),+).trim_ascii(),
            make: |name_servers| Config::$name(name_servers),
        }),+];
    };
}

presets! {
    /// For a cluster on one's own machine, with topics and consumers that come and go: changes are
    /// seen within seconds, at the price of more requests, and sends are patient with a broker that
    /// is being started and a topic that is yet to be created.
    development {
        send_timeout = [10 s];
        await_topic = [true];
        route_refresh_interval = [5 s];
        heartbeat_interval = [10 s];
        rebalance_interval = [5 s];
        commit_interval = [1 s];
        shutdown_timeout = [1 s];
    }

    /// For services that have to outlast the restart of a broker: one more attempt and a longer
    /// deadline, time to finish at the end, connections that firewalls do not forget, and patience
    /// with nameservers that have just been started.
    production {
        send_timeout = [5 s];
        await_topic = [true];
        send_attempts = [3];
        shutdown_timeout = [10 s];
        tcp_keepalive = [some 60 s];
    }

    /// For much work at once: more sends under way, with a deadline that lets them queue, bodies
    /// compressed quickly, and more messages held for each queue. It needs memory, up to
    /// `queue_bytes` for every queue. Pulls ask for more messages, which brokers grant as far as
    /// their own limits go (`maxTransferCountOnMessageInMemory`, 32 unless raised).
    high_throughput {
        send_timeout = [10 s];
        compress_level = [1];
        max_pending = [262144];
        max_pending_bytes = [256 MiB];
        pull_batch = [1024];
        queue_messages = [10000];
        queue_span = [20000];
        queue_bytes = [256 MiB];
    }

    /// For work that is worth nothing when it is late: short deadlines and short pauses, so that
    /// trouble shows at once and is tried again soon, and few messages held that would grow old.
    low_latency {
        send_timeout = [1 s];
        compress_level = [1];
        request_timeout = [1 s];
        connect_timeout = [400 ms];
        reconnect_min = [10 ms];
        reconnect_max = [250 ms];
        pull_retry = [100 ms];
        queue_messages = [256];
        retry_delay = [100 ms];
    }

    /// For tests against a broker on the same host: everything that is waited for comes soon, and
    /// little memory is held. Sends are patient, since test machines are busy.
    testing {
        send_timeout = [10 s];
        await_topic = [true];
        max_pending = [1024];
        max_pending_bytes = [16 MiB];
        reconnect_min = [10 ms];
        reconnect_max = [200 ms];
        reconnect_idle_max = [1 s];
        route_refresh_interval = [1 s];
        heartbeat_interval = [1 s];
        rebalance_interval = [1 s];
        handover_pause = [100 ms];
        commit_interval = [100 ms];
        pull_suspend = [1 s];
        pull_timeout = [5 s];
        pull_retry = [50 ms];
        queue_messages = [100];
        queue_bytes = [4 MiB];
        retry_delay = [50 ms];
        shutdown_timeout = [1 s];
    }
}
