//! A peer that lies: nameserver and broker on one port, each answer made by a script.
//!
//! It lives in another process than the client it attacks, so that its own memory and work are not
//! measured.

use std::collections::HashMap;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::body::Heartbeat;
use rocketry_core::frame::{
    Content, Frame, Inbound, Limits, Opaque, OutFrame, Outbound, ReplyFields, Request, RequestCode,
    ResponseCode,
};

/// One request, as a script sees it.
pub(super) struct Asked<'a> {
    pub(super) code: RequestCode,
    pub(super) opaque: Opaque,
    pub(super) request: Option<&'a Request>,
    /// Requests of this code that came before it, on any connection.
    pub(super) before: u64,
    /// Where the peer listens.
    pub(super) at: SocketAddr,
    /// The id of the client that was heard last.
    pub(super) client_id: &'a str,
}

impl Asked<'_> {
    /// An answer without a body.
    pub(super) fn answer(&self, code: ResponseCode, fields: ReplyFields) -> OutFrame {
        self.answer_with(code, fields, Bytes::new())
    }

    pub(super) fn answer_with(
        &self,
        code: ResponseCode,
        fields: ReplyFields,
        body: Bytes,
    ) -> OutFrame {
        OutFrame::reply(self.opaque, code, fields, body)
    }
}

/// What a script makes of a request.
pub(super) enum Deed {
    /// These frames are written.
    Frames(Vec<OutFrame>),
    /// This is written byte by byte, with a pause after each.
    Trickle(OutFrame, Duration),
}

pub(super) type Script = dyn Fn(&Asked<'_>) -> Deed + Send + Sync;

struct State {
    at: SocketAddr,
    script: Box<Script>,
    asked: Mutex<HashMap<RequestCode, u64>>,
    client_id: Mutex<String>,
    sockets: Mutex<Vec<TcpStream>>,
    connections: AtomicU64,
    shut: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The peer. Dropping it closes its sockets and ends its threads.
pub(super) struct Foe {
    state: Arc<State>,
    door: Option<JoinHandle<()>>,
}

impl Foe {
    /// Listens on a free port of 127.0.0.1.
    pub(super) fn start(script: Box<Script>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let state = Arc::new(State {
            at: listener.local_addr()?,
            script,
            asked: Mutex::default(),
            client_id: Mutex::default(),
            sockets: Mutex::default(),
            connections: AtomicU64::new(0),
            shut: AtomicBool::new(false),
        });
        let inside = state.clone();
        let door = thread::Builder::new().name("foe".to_owned()).spawn(move || {
            for socket in listener.incoming().flatten() {
                if inside.shut.load(Ordering::SeqCst) {
                    return;
                }
                inside.admit(socket);
            }
        })?;
        Ok(Self { state, door: Some(door) })
    }

    /// Where it listens.
    pub(super) fn at(&self) -> SocketAddr {
        self.state.at
    }

    /// Connections that were made to it.
    pub(super) fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Requests that came to it.
    pub(super) fn requests(&self) -> u64 {
        locked(&self.state.asked).values().sum()
    }
}

impl Drop for Foe {
    fn drop(&mut self) {
        self.state.shut.store(true, Ordering::SeqCst);
        for socket in locked(&self.state.sockets).drain(..) {
            // A socket that is gone already is what is wanted.
            drop(socket.shutdown(Shutdown::Both));
        }
        // Accept has no timeout: a connection of our own ends it.
        let woken = TcpStream::connect_timeout(&self.state.at, Duration::from_secs(1));
        if let (true, Some(door)) = (woken.is_ok(), self.door.take()) {
            drop(door.join());
        }
    }
}

impl State {
    fn admit(self: &Arc<Self>, socket: TcpStream) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let Ok(kept) = socket.try_clone() else { return };
        let mut sockets = locked(&self.sockets);
        // A storm of connections must not fill this process either.
        sockets.retain(|socket| socket.peer_addr().is_ok());
        sockets.push(kept);
        drop(sockets);
        let state = self.clone();
        let serve = move || drop(state.serve(socket));
        // Without a thread the connection is closed: one more way to be hostile.
        drop(thread::Builder::new().name("foe-peer".to_owned()).spawn(serve));
    }

    fn serve(&self, mut socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let mut inbound = Inbound::new(Limits::default());
        loop {
            let count = socket.read(inbound.space())?;
            if count == 0 {
                return Ok(());
            }
            inbound.filled(count);
            while let Some(frame) = inbound.next_frame().map_err(io::Error::other)? {
                match self.judge(&frame) {
                    Some(Deed::Frames(frames)) => write_all(&mut socket, &frames)?,
                    Some(Deed::Trickle(frame, pause)) => trickle(&mut socket, &frame, pause)?,
                    None => {}
                }
            }
        }
    }

    fn judge(&self, frame: &Frame) -> Option<Deed> {
        let Content::Request { request, oneway: false, code } = &frame.content else { return None };
        if *code == RequestCode::HEART_BEAT
            && let Ok(heartbeat) = Heartbeat::parse(&frame.body)
        {
            *locked(&self.client_id) = heartbeat.client_id;
        }
        let before = {
            let mut asked = locked(&self.asked);
            let count = asked.entry(*code).or_default();
            *count += 1;
            *count - 1
        };
        let client_id = locked(&self.client_id).clone();
        Some((self.script)(&Asked {
            code: *code,
            opaque: frame.opaque,
            request: request.as_ref().ok(),
            before,
            at: self.at,
            client_id: &client_id,
        }))
    }
}

fn encoded(frames: &[OutFrame]) -> io::Result<Outbound> {
    let mut outbound = Outbound::with_limits(Limits::default());
    frames.iter().try_for_each(|frame| outbound.push(frame)).map_err(io::Error::other)?;
    Ok(outbound)
}

fn write_all(socket: &mut TcpStream, frames: &[OutFrame]) -> io::Result<()> {
    let mut outbound = encoded(frames)?;
    while !outbound.is_empty() {
        let mut slices = [IoSlice::new(&[]); 16];
        let used = outbound.slices(&mut slices);
        let written = socket.write_vectored(&slices[..used])?;
        outbound.advance(written);
    }
    Ok(())
}

fn trickle(socket: &mut TcpStream, frame: &OutFrame, pause: Duration) -> io::Result<()> {
    let mut outbound = encoded(std::slice::from_ref(frame))?;
    while !outbound.is_empty() {
        let mut slices = [IoSlice::new(&[]); 1];
        outbound.slices(&mut slices);
        socket.write_all(slices[0].get(..1).unwrap_or_default())?;
        outbound.advance(1);
        thread::sleep(pause);
    }
    Ok(())
}
