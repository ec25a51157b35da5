//! Every public method of the handles has an example that compiles: a doc test of its own, or a
//! word about the one of its neighbour, which calls it.

use crate::{Source, sources};

/// Those of `core/src/client/` that users hold. The others are for adapters.
const HANDLES: [&str; 16] = [
    "admin.rs",
    "batch.rs",
    "consumer.rs",
    "control.rs",
    "delivery.rs",
    "mod.rs",
    "pending.rs",
    "polling/builder.rs",
    "polling/consumer.rs",
    "polling/control.rs",
    "producer.rs",
    "producing.rs",
    "received.rs",
    "run/handle.rs",
    "running.rs",
    "subscribing.rs",
];

/// What adapters make a client by.
const OF_ADAPTERS: &str = "pub fn new(shared: Arc<Shared>) -> Self {";

fn name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub fn ").or_else(|| line.strip_prefix("pub const fn "))?;
    rest.split(['(', '<']).next()
}

/// The code in the doc comments of a file.
fn examples(text: &str) -> String {
    let mut inside = false;
    let mut found = String::new();
    for line in text.lines().filter_map(|line| line.trim_start().strip_prefix("///")) {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            found.push_str(line);
            found.push('\n');
        }
    }
    found
}

/// Public methods whose docs show no call of them, and name no example that has one.
fn without_example(source: &Source) -> Vec<String> {
    let shown = examples(&source.text);
    let (mut wrong, mut docs) = (Vec::new(), String::new());
    for (at, line) in source.text.lines().map(str::trim).enumerate() {
        if let Some(doc) = line.strip_prefix("///") {
            docs.push_str(doc);
            docs.push('\n');
        } else if let Some(name) = name(line).filter(|_| line != OF_ADAPTERS) {
            let call = format!(".{name}(");
            let own = examples(&docs.lines().map(|doc| format!("///{doc}\n")).collect::<String>());
            let told = docs.contains("example](") || docs.contains("See the example of ");
            let has = own.contains(&call) || (told && shown.contains(&call));
            if !has {
                wrong.push(source.at(at + 1, format_args!("{name} has no example")));
            }
            docs.clear();
        } else if !line.starts_with('#') && !line.starts_with(")]") {
            docs.clear();
        }
    }
    wrong
}

#[test]
fn every_method_of_the_handles_has_an_example() {
    let sources = sources();
    let is_handle = |source: &&Source| {
        source.path.strip_prefix("core/src/client/").is_some_and(|file| HANDLES.contains(&file))
    };
    let handles: Vec<_> = sources.iter().filter(is_handle).collect();
    assert_eq!(handles.len(), HANDLES.len(), "a file of the handles is not there");
    let wrong: Vec<String> = handles.into_iter().flat_map(without_example).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn a_method_without_an_example_is_caught() {
    let own = "/// Sends.\n/// ```\n/// producer.send(message);\n/// ```\n#[doc(alias = \"s\")]\n\
               pub fn send<T>(&self) {}\n";
    let told = "/// See the example of [`send`](Self::send).\npub const fn wait(&self) {}\n";
    let called = own.replace("message);", "message).wait();");
    let caught = |text: &str| without_example(&Source::new("core/src/client/a.rs", text));
    assert_eq!(caught(own), Vec::<String>::new());
    assert_eq!(caught(&format!("{called}{told}")), Vec::<String>::new());
    assert_eq!(caught(&format!("{own}{told}")), ["core/src/client/a.rs:8: wait has no example"]);
    assert_eq!(caught("/// Sends.\npub fn send(&self) {}\n").len(), 1);
    assert_eq!(caught("/// ```\n/// a.send()\n/// ```\nfn x() {}\npub fn send() {}").len(), 1);
}
