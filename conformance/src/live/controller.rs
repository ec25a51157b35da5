//! Controllers, which say which broker of a name is its master: with `enableControllerMode=true`
//! each nameserver has one within it, at the port above its own.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::error::While;
use super::{Cluster, LiveError, wire};

/// What makes a cluster one with controllers.
const MODE: &str = "enableControllerMode=true";
/// `RequestCode.CONTROLLER_GET_REPLICA_INFO`.
const REPLICAS: i32 = 1004;

/// `SyncStateSet`, as far as we need it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct InSync {
    sync_state_set: BTreeSet<u64>,
}

/// Whether brokers have their roles from a controller.
pub(super) fn is_wanted(conf: &[String]) -> bool {
    conf.iter().any(|line| line == MODE)
}

/// The address of the controller in a nameserver of this address.
fn within(namesrv: &str) -> Option<String> {
    let (host, port) = namesrv.rsplit_once(':')?;
    Some(format!("{host}:{}", port.parse::<u16>().ok()?.checked_add(1)?))
}

/// All of them, with `;` between.
fn addresses(namesrvs: &str) -> Vec<String> {
    namesrvs.split(';').filter_map(within).collect()
}

/// Lines of the properties of the nameserver at `own`. Its log grows by small files.
pub(super) fn of_nameserver(own: &str, namesrvs: &str) -> String {
    let peers = addresses(namesrvs).into_iter().enumerate();
    let peers: Vec<String> = peers.map(|(at, address)| format!("n{at}-{address}")).collect();
    let itself = namesrvs.split(';').position(|other| other == own).unwrap_or_default();
    format!(
        "enableControllerInNamesrv=true\n\
         controllerDLegerGroup=controllers\n\
         controllerDLegerPeers={}\n\
         controllerDLegerSelfId=n{itself}\n\
         mappedFileSize=4194304\n\
         scanNotActiveBrokerInterval=2000\n",
        peers.join(";")
    )
}

/// Lines of a broker's properties: it has no role until a controller gives it one.
pub(super) fn of_broker(namesrvs: &str) -> String {
    let controllers = addresses(namesrvs).join(";");
    format!("controllerAddr={controllers}\nbrokerRole=SLAVE\n")
}

impl Cluster {
    /// How many brokers of a name have all that its master has, by its controller's word: with
    /// `enableControllerMode=true` alone.
    ///
    /// # Errors
    ///
    /// [`LiveError::Io`] when the controller can't be reached, [`LiveError::Refused`] when it knows
    /// no such brokers.
    pub fn in_sync(&self, broker: &str) -> Result<usize, LiveError> {
        let doing = || format!("asking a controller for the replicas of {broker}");
        let controllers = addresses(&self.namesrv());
        let first = controllers.first().map(String::as_str).unwrap_or_default();
        let answer = wire::call(first, REPLICAS, &[("brokerName", broker)]).during(doing)?;
        if answer.code != 0 {
            let what = format!("the controller {first} knows nothing of {broker}");
            return Err(LiveError::Refused { what, said: answer.said() });
        }
        let read = serde_json::from_slice(&answer.body).map_err(std::io::Error::from);
        let in_sync: InSync = read.during(doing)?;
        Ok(in_sync.sync_state_set.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_next_to_its_nameserver_and_knows_its_peers() {
        let namesrvs = "127.0.0.1:20001;127.0.0.1:20003";
        let conf = of_nameserver("127.0.0.1:20003", namesrvs);
        assert!(conf.contains("Peers=n0-127.0.0.1:20002;n1-127.0.0.1:20004\n"), "{conf}");
        assert!(conf.contains("SelfId=n1\n"), "{conf}");
        let conf = of_broker(namesrvs);
        assert!(conf.contains("controllerAddr=127.0.0.1:20002;127.0.0.1:20004\n"), "{conf}");
    }

    #[test]
    fn replicas_are_counted() {
        let body = br#"{"syncStateSet":[1,2],"syncStateSetEpoch":3}"#;
        let in_sync: InSync = serde_json::from_slice(body).expect("a set");
        assert_eq!(in_sync.sync_state_set.len(), 2);
    }
}
