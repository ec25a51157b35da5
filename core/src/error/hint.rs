//! What a user should look at next, where a failure has a well-known cause.

use super::{Attempt, CloseReason, ConnectError, Failure, PeerKind, TlsError};
use crate::frame::{Foreign, FrameError, ResponseCode};

const ADVERTISED: &str = " (the nameserver told this address: if it can't be reached from here, \
    as a container's own, set brokerIP1 on the broker or rewrite_addresses here)";
const GRPC: &str = " (this looks like a proxy's gRPC port, 8081 by default: this client speaks \
    the remoting protocol, on 9876 with nameservers and on 8080 with proxies)";

/// What to look at when a peer has denied something to this client's key.
pub(crate) const DENIED: &str = " (look at access_key and secret_key here, and at what the \
    account of that key may do there)";
const WANTS_TLS: &str = " (it may want TLS, as with tls.server.mode=enforcing: set tls)";

/// A remark in brackets, with the blank before it; empty where nothing is known.
pub(super) fn hint(attempt: &Attempt) -> &'static str {
    let (broker, port) = (attempt.peer == PeerKind::Broker, attempt.endpoint.port());
    match &attempt.failure {
        failure @ Failure::Refused { .. } if failure.is_denied() => DENIED,
        Failure::Refused { code, .. } => refused(*code, broker),
        Failure::Connect(error) => unreached(error, broker),
        Failure::Closed(CloseReason::Frame(FrameError::Foreign(Foreign::Http2))) => GRPC,
        Failure::Closed(CloseReason::Frame(FrameError::Foreign(Foreign::Tls))) => WANTS_TLS,
        Failure::Closed(CloseReason::Tls(error)) => tls(error),
        Failure::Closed(CloseReason::Unanswered) => unanswered(port, attempt.peer),
        Failure::Closed(CloseReason::Frame(FrameError::Foreign(_))) if !broker => {
            " (check that this is a nameserver's remoting port, 9876 by default)"
        }
        Failure::Closed(_) | Failure::Cut(_) | Failure::TimedOut(_) | Failure::NotTaken(_) => {
            by_port(port, broker)
        }
        Failure::Unreadable(_) | Failure::Body(_) | Failure::Fetch(_) => "",
    }
}

/// Of a connection that was closed before anything was answered.
pub(crate) fn unanswered(port: u16, peer: PeerKind) -> &'static str {
    match by_port(port, peer == PeerKind::Broker) {
        "" => WANTS_TLS,
        known => known,
    }
}

fn refused(code: ResponseCode, broker: bool) -> &'static str {
    match code {
        ResponseCode::REQUEST_CODE_NOT_SUPPORTED if !broker => {
            " (it does not know route requests: this looks like a broker's port; \
             nameservers listen on 9876 by default)"
        }
        ResponseCode::NO_PERMISSION => {
            " (look at the topic's perm, the group's consumeEnable, and the broker's \
             brokerPermission)"
        }
        _ => "",
    }
}

fn unreached(error: &ConnectError, broker: bool) -> &'static str {
    match error {
        error if error.is_refused() && broker => {
            " (nothing listens there: the broker is down, or it advertises an address that means \
             another host here; see brokerIP1 on the broker, rewrite_addresses here)"
        }
        error if error.is_refused() => " (nothing listens there: check host and port)",
        error if error.is_unreachable() && broker => ADVERTISED,
        ConnectError::Unresolved { .. } => " (check how the name is spelled)",
        ConnectError::TimedOut(_) => " (check the address, and what firewalls let through)",
        ConnectError::Lost(reason) => match &**reason {
            CloseReason::Frame(FrameError::Foreign(Foreign::Http2)) => GRPC,
            CloseReason::Tls(error) => tls(error),
            CloseReason::Unanswered => WANTS_TLS,
            _ => "",
        },
        ConnectError::Tls(error) => tls(error),
        ConnectError::Io { .. } | ConnectError::Addresses { .. } | ConnectError::Aborted => "",
    }
}

const fn tls(error: &TlsError) -> &'static str {
    match error {
        TlsError::UnknownIssuer => " (name its authority with tls_ca)",
        TlsError::WrongName { .. } => {
            " (tls_server_name says which name to ask for; brokers are known by the addresses \
             that nameservers tell)"
        }
        TlsError::NotTls | TlsError::HungUp => {
            " (it may not offer TLS, as with tls.server.mode=disabled: see its log, or leave tls \
             off)"
        }
        TlsError::ClientCertificate { .. } => " (see tls_cert and tls_key)",
        _ => "",
    }
}

/// Peers that say nothing, on ports that say something.
const fn by_port(port: u16, broker: bool) -> &'static str {
    match (port, broker) {
        (8081, _) => GRPC,
        (10909 | 10911, false) => {
            " (this is a broker's port by default; nameservers listen on 9876)"
        }
        (10912, _) => " (this is a broker's port for its slaves by default; clients use 10911)",
        _ => "",
    }
}
