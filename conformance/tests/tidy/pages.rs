//! The pages that users read: their length, their links, their programs, and the names they give.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Source, code_only, link_targets, sources, words};

/// README.md has fewer lines than this.
const README_LINES: usize = 250;
/// So has each page of docs/.
const PAGE_LINES: usize = 300;
/// CHANGELOG.md has at most so many for one version, the head of the page included.
const NEWS_LINES: usize = 25;
/// Where the names stand that other clients have.
const NAMES: &str = "docs/coming-from.md";
/// What those who come from elsewhere look for first: each is on that page.
const LOOKED_FOR: [&str; 58] = [
    "DefaultMQProducer",
    "setNamesrvAddr",
    "SendCallback",
    "sendOneway",
    "MessageQueueSelector",
    "SelectMessageQueueByHash",
    "setRetryTimesWhenSendFailed",
    "setSendMsgTimeout",
    "setVipChannelEnabled",
    "setSendLatencyFaultEnable",
    "DefaultMQPushConsumer",
    "MessageListenerConcurrently",
    "MessageListenerOrderly",
    "setConsumeFromWhere",
    "CONSUME_SUCCESS",
    "RECONSUME_LATER",
    "setConsumeThreadMin",
    "setPullBatchSize",
    "bySql",
    "setMessageModel",
    "DefaultLitePullConsumer",
    "poll",
    "seek",
    "TransactionMQProducer",
    "executeLocalTransaction",
    "setDelayTimeLevel",
    "request",
    "RPCHook",
    "AclClientRPCHook",
    "setUseTLS",
    "setUnitName",
    "setInstanceName",
    "setHeartbeatBrokerInterval",
    "setPollNameServerInterval",
    "setPersistConsumerOffsetInterval",
    "fetchSubscribeMessageQueues",
    "searchOffset",
    "viewMessage",
    "queryMessage",
    "shutdown",
    "MQAdminExt",
    "NewProducer",
    "WithNsResolver",
    "SendSync",
    "SendAsync",
    "SendOneWay",
    "NewPushConsumer",
    "WithConsumerModel",
    "ConsumeRetryLater",
    "WithRetry",
    "WithCredentials",
    "set_namesrv_addr",
    "set_session_credentials",
    "send_sync",
    "send_orderly_with_sharding_key",
    "set_thread_count",
    "set_message_model",
    "routing_strategy",
];

fn is_page(source: &Source) -> bool {
    source.path == "README.md" || (source.path.starts_with("docs/") && source.is("md"))
}

fn long_page(source: &Source) -> Vec<String> {
    let most = if source.path == "README.md" { README_LINES } else { PAGE_LINES };
    let lines = source.text.lines().count();
    let is_long = is_page(source) && lines >= most;
    is_long.then(|| source.at(most, format!("{lines} lines"))).into_iter().collect()
}

fn long_news(source: &Source) -> Vec<String> {
    if source.path != "CHANGELOG.md" {
        return Vec::new();
    }
    let text = format!("\n{}", source.text);
    let versions = text.split("\n## ").skip(1).enumerate();
    let head = text.split("\n## ").next().map_or(0, |head| head.trim_start().lines().count());
    let lines = versions.map(|(at, news)| news.lines().count() + if at == 0 { head } else { 0 });
    let long = lines.filter(|&lines| lines > NEWS_LINES);
    long.map(|lines| source.at(1, format!("{lines} lines for one version"))).collect()
}

/// The anchors of a page, by its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let line = line.trim_start_matches('#').trim().to_lowercase();
        let kept = line.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// Links to a part of a page that has no such part. `text_of` gives the page at a path.
fn dead_anchors(source: &Source, text_of: impl Fn(&str) -> Option<String>) -> Vec<String> {
    if !is_page(source) {
        return Vec::new();
    }
    let folder = Path::new(&source.path).parent().unwrap_or(Path::new(""));
    let targets = source.text.lines().enumerate().flat_map(|(at, line)| {
        link_targets(line).map(move |target| (at + 1, target)).collect::<Vec<_>>()
    });
    let dead = targets.filter_map(|(at, target)| {
        let (file, anchor) = target.split_once('#').filter(|(file, _)| !file.contains(':'))?;
        let path = folder.join(file);
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        let path = match parts.as_slice() {
            _ if file.is_empty() => source.path.clone(),
            [_, "..", rest @ ..] => rest.join("/"),
            rest => rest.join("/"),
        };
        let there = text_of(&path).is_some_and(|text| anchors(&text).contains(anchor));
        (!there).then(|| source.at(at, format!("link to {target}")))
    });
    dead.collect()
}

/// A page with programs that no doc test compiles.
fn uncompiled(source: &Source, facade: &str) -> Vec<String> {
    let has_programs = is_page(source) && source.text.contains("```rust");
    let included = facade.contains(&format!("include_str!(\"../{}\")", source.path));
    (has_programs && !included)
        .then(|| source.at(1, "programs that are not compiled"))
        .into_iter()
        .collect()
}

/// The cells of the tables' rows, each with its line.
fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<String>)> {
    let rows = text.lines().enumerate().filter(|(_, line)| line.starts_with("| `"));
    rows.map(|(at, line)| {
        let line = line.replace("\\|", "\u{1}");
        let cells = line.trim_matches('|').split('|');
        (at + 1, cells.map(|cell| cell.trim().replace('\u{1}', "|")).collect())
    })
}

/// What stands between backticks.
fn spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Rows that lead nowhere: no name of ours and no "not yet", or a name that `known` denies.
fn lost_names(source: &Source, known: impl Fn(&[&str]) -> bool) -> Vec<String> {
    if source.path != NAMES {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (at, cells) in rows(&source.text) {
        let [there, here, how] = cells.as_slice() else {
            wrong.push(source.at(at, format!("{} cells", cells.len())));
            continue;
        };
        if !here.contains("**not yet**") && spans(here).next().is_none() {
            wrong.push(source.at(at, format!("{there} leads nowhere")));
        }
        let path = |span: &&str| span.contains("::") && !span.contains('(');
        let names = spans(here).chain(spans(how).filter(path));
        for name in names {
            let parts: Vec<&str> = name.split("::").collect();
            if !known(&parts) {
                wrong.push(source.at(at, format!("{name} is not there")));
            }
        }
    }
    wrong
}

/// The words of each file that an application builds with.
fn words_of_the_client() -> Vec<BTreeSet<String>> {
    let is_client = |source: &Source| {
        let folders = ["core/src/", "src/", "runtime-std/src/", "runtime-tokio/src/"];
        source.is("rs") && folders.iter().any(|folder| source.path.starts_with(folder))
    };
    let words =
        |source: Source| words(&code_only(&source.text)).map(|(_, word)| word.to_owned()).collect();
    sources().into_iter().filter(is_client).map(words).collect()
}

fn text_of(path: &str) -> Option<String> {
    std::fs::read_to_string(super::top().join(path)).ok()
}

#[test]
fn pages_are_short() {
    super::check(long_page);
    super::check(long_news);
}

#[test]
fn parts_of_pages_are_there() {
    super::check(|source| dead_anchors(source, text_of));
}

#[test]
fn programs_of_pages_are_compiled() {
    let facade = text_of("src/lib.rs").expect("the facade");
    super::check(|source| uncompiled(source, &facade));
}

#[test]
fn names_of_other_clients_lead_to_ours() {
    let files = words_of_the_client();
    let known =
        |name: &[&str]| files.iter().any(|words| name.iter().all(|part| words.contains(*part)));
    super::check(|source| lost_names(source, known));
}

#[test]
fn what_others_look_for_is_on_the_page() {
    let text = text_of(NAMES).expect("the page");
    let there: Vec<String> = rows(&text).map(|(_, cells)| cells[0].clone()).collect();
    let found = |name: &&str| there.iter().any(|cell| words(cell).any(|(_, word)| word == *name));
    let missing: Vec<&str> = LOOKED_FOR.into_iter().filter(|name| !found(name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_long_page_is_caught() {
    let page = |path: &str, lines: usize| Source::new(path, &"\n".repeat(lines));
    assert_eq!(long_page(&page("README.md", 249)).len(), 0);
    assert_eq!(long_page(&page("README.md", 250)).len(), 1);
    assert_eq!(long_page(&page("docs/a.md", 299)).len(), 0);
    assert_eq!(long_page(&page("docs/a.md", 300)).len(), 1);
    let news = |first: usize, second: usize| {
        let lines = |count: usize| "- a\n".repeat(count);
        let text = format!("# News\n\n## [2]\n{}## [1]\n{}", lines(first), lines(second));
        long_news(&Source::new("CHANGELOG.md", &text)).len()
    };
    assert_eq!((news(23, 24), news(24, 24), news(23, 25)), (0, 1, 1));
}

#[test]
fn a_dead_anchor_is_caught() {
    let text = "## Here it's\n[a](#here-its) [b](#there) [c](b.md#more) [d](../c.md#none)\n";
    let page = |path: &str| (path != "docs/a.md").then(|| "# More\n".to_owned());
    let own = |path: &str| page(path).or_else(|| Some(text.to_owned()));
    let caught = dead_anchors(&Source::new("docs/a.md", text), own);
    assert_eq!(caught, ["docs/a.md:2: link to #there", "docs/a.md:2: link to ../c.md#none"]);
}

#[test]
fn an_uncompiled_program_is_caught() {
    let page = Source::new("docs/a.md", "```rust\nfn main() {}\n```\n");
    assert_eq!(uncompiled(&page, "").len(), 1);
    assert_eq!(uncompiled(&page, "#[doc = include_str!(\"../docs/a.md\")]").len(), 0);
    assert_eq!(uncompiled(&Source::new("docs/a.md", "```sh\n```\n"), "").len(), 0);
}

#[test]
fn a_lost_name_is_caught() {
    let text = "| Java | here | how |\n|---|---|---|\n| `a` | `A::b` | |\n\
                | `c` | `A::gone` | |\n\
                | `d` | **not yet** | see `A::gone` |\n| `e` | maybe | |\n\
                | `f \\| g` | `A::b` | |\n";
    let known = |name: &[&str]| name == ["A", "b"];
    let caught = lost_names(&Source::new(NAMES, text), known);
    let wrong = [4, 5].map(|at| format!("{NAMES}:{at}: A::gone is not there"));
    let all = [&wrong[..], &[format!("{NAMES}:6: `e` leads nowhere")]].concat();
    assert_eq!(caught, all);
}
