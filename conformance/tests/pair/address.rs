//! The address server: where the list of nameservers comes from, and what a bad one changes.

use bytes::Bytes;
use rocketry_conformance::broker::ListenerId;
use rocketry_conformance::sim::{ClientId, Door, Host, Page, World};
use rocketry_core::config::Config;
use rocketry_core::engine::Note;
use rocketry_core::error::{SendError, Stored};
use rocketry_core::fetch::FetchError;
use rocketry_core::frame::Request;
use rocketry_core::frame::request::PlainRequest;
use rocketry_core::query::{Call, Query, Target};

use crate::setting::*;

const URL: &str = "http://pages:8080/rocketmq/nsaddr";
const OTHER: &str = "ns2:9876";

/// A client that knows nothing but the address server.
fn listed(seed: u64, page: Page) -> (World, ClientId) {
    let mut world = world(seed, 4);
    world.host(OTHER, Host::Cluster(ListenerId::Nameserver));
    world.page(URL, page);
    let client = world.client(Config::new(URL).unwrap());
    (world, client)
}

fn says(servers: &str) -> Page {
    Page::Says(servers.to_owned())
}

fn not_found() -> Page {
    Page::Fails(FetchError::Status { status: 404, reason: "Not Found".into() })
}

fn fetches(world: &World) -> usize {
    world.trace().count(" Fetch {")
}

#[test]
fn ns_10_the_list_is_fetched_at_the_start_and_every_two_minutes() {
    for seed in 0..5 {
        let (mut world, client) = listed(seed, says(" ns:9876\r\n"));
        store(&mut world, client, "x");
        assert_eq!((fetches(&world), world.elapsed() < ms(50)), (1, true));
        // Give or take a quarter, each time.
        world.run_for(600 * SECOND);
        assert!((5..=7).contains(&(fetches(&world))), "{}", fetches(&world));
        let told = |note: &&Note| matches!(note, Note::NameServers { .. });
        assert_eq!(world.notes(client).filter(told).count(), 1, "it never changed");
    }
}

#[test]
fn ns_10_a_bad_or_empty_reply_keeps_the_old_list() {
    let bad = [
        says(""),
        says("\r\n"),
        says("<html>sorry</html>"),
        says("ns2:9876;no address"),
        Page::Silent,
        not_found(),
    ];
    for page in bad {
        let (mut world, client) = listed(1, says(NS));
        store(&mut world, client, "x");
        world.page(URL, page.clone());
        world.run_for(600 * SECOND);
        let failed = |note: &&Note| matches!(note, Note::FetchFailed { .. });
        assert_eq!(world.notes(client).filter(failed).count(), 1, "{page:?}");
        assert!(fetches(&world) < 30, "{page:?}: {}", fetches(&world));
        world.cut_all(NS);
        world.cut_all(BROKER);
        store(&mut world, client, "y");
        assert_eq!(world.open_links(OTHER), 0, "{page:?}");
    }
}

#[test]
fn ns_10_a_changed_list_is_adopted_and_the_current_server_stays_while_it_is_listed() {
    let (mut world, client) = listed(1, says(NS));
    store(&mut world, client, "x");
    world.page(URL, says("ns2:9876;ns:9876"));
    world.run_for(300 * SECOND);
    assert_eq!((world.open_links(NS), world.open_links(OTHER)), (1, 0));
    world.page(URL, says(OTHER));
    world.run_for(300 * SECOND);
    assert_eq!((world.open_links(NS), world.open_links(OTHER)), (0, 1));
    // Nobody is left at the old address, and nothing is lost by it.
    world.door(NS, Door::BlackHole);
    for i in 0..20 {
        store(&mut world, client, &i.to_string());
        world.run_for(30 * SECOND);
    }
    let closed = world.notes(client).map(Note::to_string);
    let closed: Vec<String> = closed.filter(|note| note.contains("no longer lists")).collect();
    assert_eq!(
        closed,
        ["connection to nameserver ns:9876 is gone: the address server no longer lists it"]
    );
}

#[test]
fn ns_10_a_call_waits_for_the_first_list_to_its_deadline_and_names_the_page() {
    let refused = "not connected: connection refused";
    let cases = [
        (Page::Silent, "no answer within 3s"),
        (not_found(), "answered 404 Not Found"),
        (says(""), "the page is empty"),
        (Page::Fails(FetchError::Connect(connection_refused())), refused),
    ];
    for (page, why) in cases {
        let (mut world, client) = listed(1, page);
        let op = send(&mut world, client, "x");
        let asked = world.query(client, Query::Queues(topic(TOPIC))).unwrap();
        let called = world.query(client, call()).unwrap();
        let (took, result) = world.end_of(client, op);
        let error = result.unwrap_err();
        assert!(matches!(error, SendError::NoRoute { .. }), "{error}");
        assert_eq!((took, error.stored()), (3 * SECOND, Stored::No), "{why}");
        for query in [asked, called] {
            let ended = world.answer(client, query).map(|ended| ended.result.clone());
            let text = ended.unwrap().unwrap_err().to_string();
            assert!(text.contains(URL) && text.contains(why), "{text}");
        }
        let text = error.to_string();
        assert!(text.contains("address server pages:8080: http://pages:8080/"), "{text}");
        assert!(text.contains(why), "{text}");
    }
}

fn connection_refused() -> rocketry_core::error::ConnectError {
    std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into()
}

/// A question to whatever nameserver there is.
fn call() -> Query {
    let request = Request::TopicList(PlainRequest::default());
    Query::Call(Box::new(Call { target: Target::NameServer, request, body: Bytes::new() }))
}

#[test]
fn ns_10_calls_go_on_as_soon_as_the_first_list_is_there() {
    for page in [not_found(), Page::Silent] {
        let (mut world, client) = listed(1, page.clone());
        world.later(SECOND, |world| world.page(URL, says(NS)));
        let within = 10 * SECOND;
        let op = world.send_within(client, message("x"), within).unwrap();
        let called = world.query(client, call()).unwrap();
        let (took, result) = world.end_of(client, op);
        result.unwrap();
        // What is not answered is asked again after `request_timeout`.
        let most = if page == Page::Silent { ms(3500) } else { ms(2500) };
        assert!(SECOND < took && took < most, "{took:?} after {page:?}");
        if page != Page::Silent {
            assert!(world.answer(client, called).unwrap().result.is_ok());
        }
    }
}

#[test]
fn ns_10_given_nameservers_serve_until_the_list_is_there() {
    let mut world = world(1, 4);
    world.host(OTHER, Host::Cluster(ListenerId::Nameserver));
    let mut config = config();
    config.address_server = Config::new(URL).unwrap().address_server;
    config.unit_name = Some("blue".to_owned());
    let client = world.client(config);
    store(&mut world, client, "x");
    assert_eq!((world.open_links(NS), world.open_links(OTHER)), (1, 0));
    // The page is that of the unit.
    world.page(URL, says("nobody:1"));
    world.page("http://pages:8080/rocketmq/nsaddr-blue?nofix=1", says(OTHER));
    world.run_for(300 * SECOND);
    store(&mut world, client, "y");
    assert_eq!((world.open_links(NS), world.open_links(OTHER)), (0, 1));
}

#[test]
fn ns_10_a_client_that_never_got_a_list_shuts_down_at_once_and_asks_no_more() {
    for page in [not_found(), Page::Silent] {
        let (mut world, client) = listed(1, page);
        world.run_for(5 * SECOND);
        let asked = world.now();
        world.shutdown(client);
        world.run_until(SECOND, |world| world.stopped_at(client).is_some()).unwrap();
        assert_eq!(world.now(), asked);
        let before = fetches(&world);
        world.run_for(600 * SECOND);
        assert_eq!(fetches(&world), before);
    }
}
