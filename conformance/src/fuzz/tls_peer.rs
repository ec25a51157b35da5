//! A server whose records are its own to make, and the bytes between it and a client.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use rocketry_core::config::Config;
use rocketry_core::name::Endpoint;
use rocketry_core::time::UnixMillis;
use rocketry_core::tls::{Authorities, Filter, Tls};
use rustls::crypto::cipher::{AeadKey, Iv, MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConfig, ServerConnection,
    SupportedCipherSuite,
};

use crate::certificates::{CA, SERVER, SERVER_KEY};

/// 2026-11-28.
const NOW: UnixMillis = UnixMillis(1_795_824_000_000);
/// Reads of the socket in one call of a filter, at most.
const READS: usize = 8;
/// New keys that clients take without a word between them.
const MANY: u32 = 32;
/// Bytes for the client that lie on the way, at most.
const DOWN: usize = 256 << 10;

/// A client that knows nothing of any other's sessions.
pub(super) fn client() -> Filter {
    let mut config = Config::default();
    config.tls = true;
    let tls = Tls::new(&config, Authorities::Pem(CA.into()), None, || NOW).expect("an authority");
    tls.filter(&Endpoint::parse("localhost:10911").expect("an address")).expect("a name")
}

/// What goes down to the client, and up from it, through a system that gives and takes so much.
pub(super) struct Wire {
    down: VecDeque<u8>,
    up: VecDeque<u8>,
    pub(super) gulp: usize,
    pub(super) room: usize,
    /// After what is on its way, nothing comes.
    pub(super) cut: bool,
    reads: usize,
    taken: usize,
    /// All that went up.
    pub(super) sent: usize,
}

impl Wire {
    pub(super) fn new(gulp: usize) -> Self {
        let (down, up, room, cut) = (VecDeque::new(), VecDeque::new(), usize::MAX, false);
        Self { down, up, gulp, room, cut, reads: 0, taken: 0, sent: 0 }
    }

    /// Puts bytes on their way down. False: there are too many.
    pub(super) fn put(&mut self, bytes: &[u8]) -> bool {
        let fits = !self.cut && self.down.len() + bytes.len() <= DOWN;
        if fits {
            self.down.extend(bytes);
        }
        fits || bytes.is_empty()
    }

    pub(super) fn is_dry(&self) -> bool {
        self.down.is_empty()
    }

    /// How much has moved so far.
    pub(super) const fn moved(&self) -> (usize, usize) {
        (self.taken, self.sent)
    }

    /// Lends the socket's calls to one call of a filter.
    pub(super) fn lend<T>(
        &mut self,
        call: impl FnOnce(
            &mut dyn FnMut(&mut [u8]) -> io::Result<usize>,
            &mut dyn FnMut(&[u8]) -> io::Result<usize>,
        ) -> T,
    ) -> T {
        self.reads = 0;
        let wire = std::cell::RefCell::new(self);
        call(&mut |space| wire.borrow_mut().read(space), &mut |bytes| {
            wire.borrow_mut().write(bytes)
        })
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        assert!(self.reads <= READS, "it reads without end");
        assert!(!space.is_empty(), "a read of nothing looks like the end");
        let count = space.len().min(self.gulp).min(self.down.len());
        if count == 0 && !self.cut {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        space.iter_mut().zip(self.down.drain(..count)).for_each(|(to, byte)| *to = byte);
        self.taken += count;
        Ok(count)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!bytes.is_empty(), "a write of nothing");
        let count = bytes.len().min(self.room.saturating_sub(self.up.len()));
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.up.extend(&bytes[..count]);
        self.sent += count;
        Ok(count)
    }
}

/// A server that keeps to the protocol, until it forges its first record.
pub(super) struct Peer {
    server: Option<Box<ServerConnection>>,
    forger: Option<Forger>,
    /// A record of its own had the type 0.
    pads: bool,
    /// How often it has replaced its keys.
    turns: u32,
}

struct Forger {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Peer {
    /// One with TLS 1.3, or 1.2.
    pub(super) fn new(older: bool) -> Self {
        let server = ServerConnection::new(config(older)).expect("random numbers");
        Self { server: Some(Box::new(server)), forger: None, pads: false, turns: 0 }
    }

    /// Takes what has come up.
    pub(super) fn hear(&mut self, wire: &mut Wire) {
        let Some(server) = &mut self.server else { return wire.up.clear() };
        let mut bytes: &[u8] = wire.up.make_contiguous();
        while !bytes.is_empty() {
            // After an error, or the client's last word, it listens no more.
            let heard = server.read_tls(&mut bytes).is_ok_and(|count| count > 0);
            if !heard || server.process_new_packets().is_err() {
                break;
            }
            let _ = io::copy(&mut server.reader(), &mut io::sink());
        }
        wire.up.clear();
    }

    /// What it has to say by now.
    pub(super) fn speak(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(server) = &mut self.server {
            while server.wants_write() {
                server.write_tls(&mut bytes).expect("a vector takes everything");
            }
        }
        bytes
    }

    /// Encrypts data, as the protocol has it. Gives what of it.
    pub(super) fn say<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let server = self.server.as_mut().filter(|server| !server.is_handshaking());
        let said = server.and_then(|server| server.writer().write(data).ok());
        &data[..said.unwrap_or(0)]
    }

    /// Replaces its keys, or ends. False: data said later does not count, after an end, or after
    /// more keys than a client puts up with.
    pub(super) fn turn(&mut self, ends: bool) -> bool {
        let Some(server) = &mut self.server else { return true };
        if ends {
            server.send_close_notify();
        } else {
            // Those of TLS 1.2 stay.
            let _ = server.refresh_traffic_keys();
            self.turns += 1;
        }
        !ends && self.turns < MANY
    }

    /// Whether a record of its own had the type 0, which the client reads otherwise.
    pub(super) const fn pads(&self) -> bool {
        self.pads
    }

    /// A record of any type and content, rightly encrypted; none without a handshake.
    pub(super) fn forge(&mut self, kind: u8, payload: &[u8]) -> Option<Vec<u8>> {
        if let Some(server) = self.server.take() {
            self.forger = Forger::of(*server);
        }
        let forger = self.forger.as_mut()?;
        self.pads |= kind == 0;
        let message = OutboundPlainMessage {
            typ: ContentType::from(kind),
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(payload),
        };
        let record = forger.encrypter.encrypt(message, forger.sequence).ok()?;
        forger.sequence += 1;
        Some(record.encode())
    }
}

impl Forger {
    fn of(server: ServerConnection) -> Option<Self> {
        let suite = server.negotiated_cipher_suite()?;
        let (sequence, secrets) = server.dangerous_extract_secrets().ok()?.tx;
        let (key, iv) = parts(secrets)?;
        let encrypter = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => {
                let fixed = suite.aead_alg.key_block_shape().fixed_iv_len;
                let (iv, extra) = iv.as_ref().split_at(fixed);
                suite.aead_alg.encrypter(key, iv, extra)
            }
        };
        Some(Self { encrypter, sequence })
    }
}

fn parts(secrets: ConnectionTrafficSecrets) -> Option<(AeadKey, Iv)> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => Some((key, iv)),
        _ => None,
    }
}

fn config(older: bool) -> Arc<ServerConfig> {
    static CONFIGS: [OnceLock<Arc<ServerConfig>>; 2] = [OnceLock::new(), OnceLock::new()];
    let config = CONFIGS[usize::from(older)].get_or_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = CertificateDer::pem_slice_iter(SERVER.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(SERVER_KEY.as_bytes()).expect("a key");
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[if older { &TLS12 } else { &TLS13 }])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(chain.collect::<Result<_, _>>().expect("certificates"), key);
        let mut config = config.expect("a key of its certificate");
        config.enable_secret_extraction = true;
        Arc::new(config)
    });
    config.clone()
}
