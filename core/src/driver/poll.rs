//! Loops that poll: for every runtime of tasks.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::page;
use super::reader::Reader;
use crate::client::adapter::{Shared, Sink, Step, Work, WriteTurn, Writer, Written};
use crate::dial::{Dial, Dialled, Dialling};
use crate::error::{CloseReason, ConnectError};
use crate::id::ConnectionId;
use crate::name::Endpoint;
use crate::time::Instant;

/// Reads done before other tasks get their turn.
const READS: usize = 16;

/// What a runtime of tasks lends the pump, besides its client's
/// [`Host`](crate::client::adapter::Host), which spawns.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A connected stream.
    type Socket: Socket;
    /// One timer.
    type Timer: Timer;

    /// Looks the name up, anew each time: addresses change. Dropping the future gives up.
    fn resolve(
        &self,
        endpoint: Endpoint,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static;

    /// Connects to one address. Dropping the future gives up.
    fn dial(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Socket>> + Send + 'static;

    /// The monotonic clock.
    fn now(&self) -> Instant;

    /// A timer that is not set.
    fn timer(&self) -> Self::Timer;
}

/// A connected stream of a runtime of tasks.
pub trait Socket: Sink {
    /// Reads into `space`; 0 is the end.
    fn poll_read(&self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Ready when [`Sink::try_write`] may take something again.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A timer of a runtime of tasks.
pub trait Timer: Send + Unpin + 'static {
    /// Ready once `at` has come, where it is `now` now.
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Instant, now: Instant) -> Poll<()>;
}

/// Ends the client's calls with an error if the runtime is dropped before the client has stopped.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Runs a client until it has stopped and its connections are closed: connects, keeps time, and
/// spawns a reader and a writer for each connection by the client's
/// [`Host`](crate::client::adapter::Host).
///
/// A runtime may be dropped before it has polled this once: the calls end then as well.
pub fn pump<R: Runtime>(
    shared: Arc<Shared>,
    runtime: R,
) -> impl Future<Output = ()> + Send + 'static {
    driving(shared.clone(), run(Guard(shared), runtime))
}

fn spawn(shared: &Arc<Shared>, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    shared.host().spawn(Work::Task(Box::pin(driving(shared.clone(), task))))
}

/// A task of the client's own: while it is polled, nobody it calls may wait for the client.
async fn driving(shared: Arc<Shared>, task: impl Future<Output = ()>) {
    let mut task = pin!(task);
    poll_fn(|cx| {
        let _driving = shared.driving();
        task.as_mut().poll(cx)
    })
    .await;
}

async fn run<R: Runtime>(guard: Guard, runtime: R) {
    let shared = &guard.0;
    let mut timer = runtime.timer();
    poll_fn(|cx| {
        loop {
            match shared.step(cx.waker()) {
                Step::Connect(conn, endpoint) => {
                    let task = connect(shared.clone(), runtime.clone(), conn, endpoint);
                    if let Err(error) = spawn(shared, task) {
                        shared.connect_failed(conn, error.into());
                    }
                }
                Step::Fetch(fetch, url) => {
                    let task = page::fetch(shared.clone(), runtime.clone(), fetch, url);
                    if let Err(error) = spawn(shared, task) {
                        shared.fetched(fetch, Err(error.into()));
                    }
                }
                Step::Wait(at) => {
                    // The clock is asked before the timer: a runtime may hide that a timer is due.
                    let now = shared.now();
                    if at > now && timer.poll_at(cx, at, now).is_pending() {
                        return Poll::Pending;
                    }
                    if shared.tick() {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Step::Done => return Poll::Ready(()),
            }
        }
    })
    .await;
}

/// Connects to the first of the addresses that answers, and drops the other attempts; `watch` sees
/// how it goes. [`Dialling`] decides, the runtime only dials.
///
/// # Errors
///
/// When every address has failed, with what became of each.
pub async fn dial_first<R: Runtime>(
    runtime: &R,
    addresses: Vec<SocketAddr>,
    within: Duration,
    mut watch: impl FnMut(&Dial),
) -> Result<R::Socket, ConnectError> {
    let mut dialling = Dialling::new(Dial::new(addresses, within));
    let mut timer = runtime.timer();
    poll_fn(|cx| {
        loop {
            let now = runtime.now();
            let begin = |address| Ok(Box::pin(runtime.dial(address)));
            let due = match dialling.step(now, begin, |attempt| attempt.as_mut().poll(cx)) {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(Dialled::Connected(socket)) => return Poll::Ready(Ok(socket)),
                Ok(Dialled::Wait(due)) => due,
            };
            watch(dialling.dial());
            if due == Instant::FAR || timer.poll_at(cx, due, now).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Makes a connection, until it is no longer wanted.
async fn open<R: Runtime>(
    shared: &Shared,
    runtime: &R,
    conn: ConnectionId,
    endpoint: Endpoint,
) -> Result<R::Socket, ConnectError> {
    let opening = async {
        let addresses = runtime.resolve(endpoint).await.map_err(ConnectError::unresolved)?;
        let watch = |dial: &Dial| _ = shared.dialling(conn, dial);
        dial_first(runtime, addresses, shared.connect_timeout(), watch).await
    };
    wanted(shared, conn, opening).await
}

/// Does a part of connecting, until that is no longer wanted.
async fn wanted<T>(
    shared: &Shared,
    conn: ConnectionId,
    opening: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let mut opening = pin!(opening);
    poll_fn(|cx| match opening.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => shared.poll_aborted(conn, cx).map(|()| Err(ConnectError::Aborted)),
    })
    .await
}

/// Makes one connection and runs its two halves.
async fn connect<R: Runtime>(
    shared: Arc<Shared>,
    runtime: R,
    conn: ConnectionId,
    endpoint: Endpoint,
) {
    let opened = open(&shared, &runtime, conn, endpoint.clone()).await;
    match (opened, shared.tls()) {
        (Err(error), _) | (_, Err(error)) => shared.connect_failed(conn, error),
        (Ok(socket), Ok(None)) => carry(shared, conn, socket).await,
        #[cfg(not(feature = "tls"))]
        (Ok(_), Ok(Some(never))) => match *never {},
        #[cfg(feature = "tls")]
        (Ok(socket), Ok(Some(tls))) => {
            shared.securing(conn);
            let secured = super::secured::Secured::open(tls, &endpoint, socket);
            match wanted(&shared, conn, secured).await {
                Err(error) => shared.connect_failed(conn, error),
                Ok(socket) => carry(shared, conn, socket).await,
            }
        }
    }
}

/// Runs the two halves of a connection.
async fn carry<S: Socket>(shared: Arc<Shared>, conn: ConnectionId, socket: S) {
    let socket = Arc::new(socket);
    if !shared.connected(conn, socket.clone()) {
        return;
    }
    let writing = Writing {
        shared: shared.clone(),
        conn,
        socket: socket.clone(),
        writer: None,
        yielded: false,
    };
    if spawn(&shared, writing).is_err() {
        // Nobody writes: the reader sees the end.
        socket.shutdown();
    }
    read(shared, conn, socket).await;
}

/// Reads until the end of the stream.
async fn read<S: Socket>(shared: Arc<Shared>, conn: ConnectionId, socket: Arc<S>) {
    let mut reader = Reader::new(shared.clone(), conn);
    let reason = poll_fn(|cx| {
        for _ in 0..READS {
            let reason = match socket.poll_read(cx, reader.space()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => reader.end(&*socket),
                Poll::Ready(Ok(count)) if reader.filled(count) => continue,
                Poll::Ready(Ok(_)) => CloseReason::Ended,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Poll::Ready(Err(error)) => reader.failure(&*socket, error),
            };
            return Poll::Ready(reason);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    socket.shutdown();
    shared.ended(conn, reason);
}

/// Writes until the connection is gone.
struct Writing<S> {
    shared: Arc<Shared>,
    conn: ConnectionId,
    socket: Arc<S>,
    /// Held while the system takes no more.
    writer: Option<Box<Writer>>,
    yielded: bool,
}

impl<S: Socket> Future for Writing<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(mut writer) = self.writer.take() {
                let mut wrote = Written::Done;
                match writer.write(&*self.socket) {
                    Ok(true) => {}
                    Ok(false) => match self.socket.poll_writable(cx) {
                        Poll::Ready(Ok(())) => {
                            self.writer = Some(writer);
                            continue;
                        }
                        Poll::Ready(Err(_)) => wrote = Written::Broken,
                        Poll::Pending => {
                            self.writer = Some(writer);
                            return Poll::Pending;
                        }
                    },
                    Err(_) => wrote = Written::Broken,
                }
                self.shared.wrote(self.conn, writer, wrote);
                if wrote == Written::Broken {
                    // The reader sees the end, and tells the engine what was not written.
                    self.socket.shutdown();
                    return Poll::Ready(());
                }
            }
            let yielded = std::mem::take(&mut self.yielded);
            match self.shared.turn(self.conn, cx.waker(), yielded) {
                WriteTurn::Write(writer) => self.writer = Some(writer),
                WriteTurn::Wait => return Poll::Pending,
                WriteTurn::Gone => return Poll::Ready(()),
                WriteTurn::Yield { oneway: _ } => {
                    self.yielded = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<S> Drop for Writing<S> {
    fn drop(&mut self) {
        // The runtime was dropped in the middle of a write: nobody else may wait for the writer.
        if let Some(writer) = self.writer.take() {
            self.shared.wrote(self.conn, writer, Written::Done);
        }
    }
}
