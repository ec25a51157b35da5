//! NS-10 over sockets: the page of an address server, however it is sent, on each runtime.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rocketry::{Config, Message, SendError, Topic};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;

use crate::place::{ALL, Place};

const TOPIC: &str = "pages";

/// A web server that gives one answer after the other, the last one for ever.
struct Web {
    url: String,
    asked: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Web {
    fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let at = listener.local_addr().expect("an address");
        let (asked, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (own, ends, kept) = (asked.clone(), stop.clone(), requests.clone());
        let thread = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let number = own.fetch_add(1, Ordering::Relaxed);
                let answer = &answers[number.min(answers.len() - 1)];
                kept.lock().expect("no panic").push(give(stream, answer));
            }
        });
        let url = format!("http://{at}/rocketmq/nsaddr");
        Self { url, asked, requests, stop, thread: Some(thread) }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let at = self.url.trim_start_matches("http://").split('/').next().unwrap_or_default();
        drop(TcpStream::connect(at));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Reads a request and answers it in three pieces; gives the request.
fn give(mut stream: TcpStream, answer: &str) -> String {
    let mut request = Vec::new();
    let mut space = [0; 1024];
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a limit");
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut space) {
            Ok(0) | Err(_) => break,
            Ok(count) => request.extend_from_slice(&space[..count]),
        }
    }
    for piece in answer.as_bytes().chunks(answer.len().div_ceil(3).max(1)) {
        // A client that has read enough is gone.
        let _ = stream.write_all(piece);
        thread::sleep(Duration::from_millis(5));
    }
    String::from_utf8_lossy(&request).into_owned()
}

fn by_length(page: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len())
}

fn by_chunks(page: &str) -> String {
    let (first, second) = page.split_at(page.len() / 2);
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    format!("{head}{:x}\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len())
}

fn by_close(page: &str) -> String {
    format!("HTTP/1.0 200 OK\r\n\r\n{page}")
}

fn served() -> Served {
    Served::start(ClusterConfig::default().topic(TOPIC, 4)).expect("a served cluster")
}

/// Sends one message with nothing but the page to go by.
fn send(place: Place, url: &str, within: Duration) -> Result<(), SendError> {
    let mut config = Config::new(url).expect("settings that work");
    config.send_timeout = within;
    place.run(config, async |client| {
        let producer = client.producer("pages").expect("a producer");
        let message = Message::new(Topic::new(TOPIC).expect("a topic"), "x");
        let sent = place.end(producer.send(message)).await;
        place.end(client.shutdown()).await.expect("an end");
        sent.map(drop)
    })
}

#[test]
fn ns_10_a_page_is_read_however_it_is_sent_on_every_runtime() {
    let served = served();
    let page = format!(" {}; {}\r\n", served.namesrv(), served.namesrv());
    for place in ALL {
        for answer in [by_length(&page), by_chunks(&page), by_close(&page)] {
            let web = Web::start(vec![answer.clone()]);
            send(place, &web.url, Duration::from_secs(30)).unwrap_or_else(|error| {
                panic!("{place:?}, {answer:?}: {error}");
            });
            let requests = web.requests.lock().expect("no panic");
            assert!(requests[0].starts_with("GET /rocketmq/nsaddr HTTP/1.1\r\nHost: 127.0.0.1:"));
        }
    }
}

#[test]
fn ns_10_a_page_that_is_bad_at_first_is_asked_for_again_on_every_runtime() {
    let served = served();
    let bad = [
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned(),
        by_length(""),
        by_length("nobody"),
        String::new(),
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n".to_owned(),
    ];
    for place in ALL {
        let mut answers = bad.to_vec();
        answers.push(by_length(&served.namesrv()));
        let web = Web::start(answers);
        send(place, &web.url, Duration::from_secs(60)).expect("stored");
        assert_eq!(web.asked.load(Ordering::Relaxed), 6, "{place:?}");
    }
}

#[test]
fn ns_10_without_a_page_a_call_ends_by_its_deadline_and_says_why_on_every_runtime() {
    for place in ALL {
        let refused = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();
        let web = Web::start(vec![refused]);
        let error = send(place, &web.url, Duration::from_millis(900)).expect_err("no nameserver");
        let text = error.to_string();
        assert!(text.contains(&format!("{}: answered 404 Not Found", web.url)), "{text}");
        let url = web.url.clone();
        drop(web);
        let error = send(place, &url, Duration::from_millis(900)).expect_err("no nameserver");
        assert!(error.to_string().contains("onnection refused"), "{place:?}: {error}");
    }
}

/// A server that takes the request and says nothing must not keep a stopping client.
#[test]
fn ns_10_a_silent_server_ends_with_the_client_on_every_runtime() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let url = format!("http://{}/nsaddr", listener.local_addr().expect("an address"));
    for place in ALL {
        let error = send(place, &url, Duration::from_millis(400)).expect_err("no nameserver");
        assert!(error.to_string().contains("no answer within"), "{place:?}: {error}");
        let (mut stream, _) = listener.accept().expect("the client's connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        let mut all = Vec::new();
        // The end of the stream: the client's task or thread has let go of it.
        let ended = stream.read_to_end(&mut all);
        assert!(ended.is_ok() && !all.is_empty(), "{place:?}: {ended:?}");
    }
}
