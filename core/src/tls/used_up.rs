//! Keys that have encrypted as many records as they may.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::pki_types::ServerName;
use rustls::version::TLS12;
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, SupportedCipherSuite,
    Tls12CipherSuite,
};

use super::verify::AnyCertificate;
use super::{Filter, Handshake, certificates, key};
use crate::error::TlsError;

const CERTIFICATE: &[u8] = include_bytes!("../../../conformance/certificates/server.pem");
const KEY: &[u8] = include_bytes!("../../../conformance/certificates/server-key.pem");
/// Records of one key.
const FEW: u64 = 8;

/// TLS 1.2 with keys that are used up after a few records, and not after 2^24.
fn few() -> Arc<CryptoProvider> {
    let suite = cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let SupportedCipherSuite::Tls12(suite) = suite else { panic!("it is one of TLS 1.2") };
    let few = Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: suite.common.suite,
            hash_provider: suite.common.hash_provider,
            confidentiality_limit: FEW,
        },
        prf_provider: suite.prf_provider,
        kx: suite.kx,
        sign: suite.sign,
        aead_alg: suite.aead_alg,
    };
    let few = SupportedCipherSuite::Tls12(Box::leak(Box::new(few)));
    Arc::new(CryptoProvider { cipher_suites: vec![few], ..default_provider() })
}

fn filters() -> (Filter, Filter) {
    let client = ClientConfig::builder_with_provider(few())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(few())))
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(few())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates("", CERTIFICATE).unwrap(), key("", KEY).unwrap())
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(client), name).unwrap();
    let server = ServerConnection::new(Arc::new(server)).unwrap();
    (Filter::new(client.into()), Filter::new(server.into()))
}

fn read(from: &mut VecDeque<u8>, space: &mut [u8]) -> io::Result<usize> {
    let count = space.len().min(from.len());
    space.iter_mut().zip(from.drain(..count)).for_each(|(to, byte)| *to = byte);
    if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
}

fn write(to: &mut VecDeque<u8>, bytes: &[u8]) -> io::Result<usize> {
    to.extend(bytes);
    Ok(bytes.len())
}

#[test]
fn what_keys_that_are_used_up_do_not_encrypt_is_not_told_as_written() {
    let (client, server) = filters();
    let (mut up, mut down) = (VecDeque::new(), VecDeque::new());
    let mut shaken = 0;
    while shaken < 2 {
        let ours = client.handshake(|s| read(&mut down, s), |b| write(&mut up, b)).unwrap();
        let theirs = server.handshake(|s| read(&mut up, s), |b| write(&mut down, b)).unwrap();
        shaken += u32::from(ours == Handshake::Done && theirs == Handshake::Done);
    }
    let (mut gone, mut got, mut space) = (0, 0, [0; 64]);
    let error = loop {
        match client.write(&[IoSlice::new(b"x")], |bytes| write(&mut up, bytes)) {
            Ok(count) => gone += count,
            Err(error) => break error,
        }
        let came = server.read(&mut space, |s| read(&mut up, s), |b| write(&mut down, b));
        got += came.unwrap_or(0);
        assert_eq!(gone, got, "the peer has what was told as written");
    };
    assert!((1..=FEW as usize).contains(&gone), "{gone} went");
    let reason = TlsError::of(&error).map(ToString::to_string).unwrap_or_default();
    assert!(reason.contains("used up"), "{error}");
    // Whoever reads hears why.
    let end = client.read(&mut space, |_| Ok(0), |b| write(&mut up, b)).unwrap_err();
    assert_eq!(TlsError::of(&end).map(ToString::to_string), Some(reason));
}
