//! Clusters and their brokers (`ClusterInfo`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::{BodyError, parse, to_json};
use super::route::{BrokerData, NamedBroker};
use super::text::or_default;

/// The body of the reply to `GET_BROKER_CLUSTER_INFO` (106).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterInfo {
    /// The brokers, by name.
    pub brokers: BTreeMap<String, BrokerData>,
    /// The names of each cluster's brokers.
    pub clusters: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Serialize, Deserialize)]
struct ClusterJson {
    #[serde(rename = "brokerAddrTable", default, deserialize_with = "or_default")]
    brokers: BTreeMap<String, NamedBroker>,
    #[serde(rename = "clusterAddrTable", default, deserialize_with = "or_default")]
    clusters: BTreeMap<String, BTreeSet<String>>,
}

impl ClusterInfo {
    /// Reads the body: at most 16 MiB, with quoted or bare broker ids.
    pub fn parse(json: &[u8]) -> Result<Self, BodyError> {
        let ClusterJson { brokers, clusters } = parse("cluster info", json)?;
        let brokers = brokers.into_iter().map(|(name, data)| (name, data.0.into_data()));
        Ok(Self { brokers: brokers.collect(), clusters })
    }

    /// The body as standard JSON, with fields in the order that name servers write them.
    pub fn to_json(&self) -> Vec<u8> {
        let brokers = self.brokers.iter().map(|(name, data)| (name.clone(), NamedBroker::of(data)));
        to_json(&ClusterJson { brokers: brokers.collect(), clusters: self.clusters.clone() })
    }
}
