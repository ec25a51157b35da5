//! The floors of `core`, as ARCHITECTURE.md tells them: which folder may name which.
//!
//! The table "Who may name whom" lists the floors from the ground up. A folder may name those of
//! the floors below it, and of its own floor where the table says so.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Source, code_only, find_word, line_of, sources};

/// Heads the table.
const HEAD: &str = "| floor | folders | may name each other |";

#[derive(Debug, PartialEq, Eq)]
struct Floor {
    height: usize,
    /// Whether folders of the floor may name each other.
    open: bool,
}

/// The floor of each folder, as the table has it.
fn floors(architecture: &str) -> BTreeMap<String, Floor> {
    let lines = architecture.lines().skip_while(|line| *line != HEAD).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|')).enumerate();
    let mut floors = BTreeMap::new();
    for (height, row) in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, _, folders, open, _] = cells[..] else { panic!("a row of another shape: {row}") };
        let open = open == "yes";
        for folder in folders.split_whitespace() {
            let name = folder.trim_matches('`').to_owned();
            assert!(floors.insert(name, Floor { height, open }).is_none(), "{folder} stands twice");
        }
    }
    floors
}

/// The folder, or file, of `core/src` that a path lies in.
fn folder(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("core/src/")?;
    let top = inner.split('/').next()?;
    Some(top.strip_suffix(".rs").unwrap_or(top)).filter(|top| *top != "lib")
}

/// What a file names by `crate::`, besides its tests: the first word of each path, and its line.
fn named(code: &str) -> Vec<(String, usize)> {
    let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let tops: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for top in tops {
            let top = top.trim();
            let end = top.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(top.len());
            if end > 0 {
                found.push((top[..end].to_owned(), line_of(code, at)));
            }
        }
    }
    found
}

/// Arrows that lead upward, or between folders of a floor that may not name each other.
fn upward(source: &Source, floors: &BTreeMap<String, Floor>) -> Vec<String> {
    let Some(own) = folder(&source.path) else { return Vec::new() };
    let Some(floor) = floors.get(own) else {
        return vec![source.at(1, format_args!("{own} stands on no floor of the table"))];
    };
    let mut wrong = Vec::new();
    for (name, line) in named(&code_only(&source.text)) {
        let Some(other) = floors.get(&name).filter(|_| name != own) else { continue };
        let below = other.height < floor.height;
        let beside = other.height == floor.height && floor.open;
        if !below && !beside {
            wrong.push(source.at(line, format_args!("{own} may not name {name}")));
        }
    }
    wrong
}

/// Rules of the protocol stand with the state they change: the engine's own methods in its folder.
fn engine_elsewhere(source: &Source) -> Vec<String> {
    let inner = source.path.starts_with("core/src/");
    if !inner || source.path.starts_with("core/src/engine/") {
        return Vec::new();
    }
    let code = code_only(&source.text);
    let lines = code.lines().enumerate();
    let found = lines.filter(|(_, line)| {
        let item = line.trim_start().starts_with("impl");
        item && find_word(line, "Engine") && !line.contains(" for ")
    });
    found.map(|(at, _)| source.at(at + 1, "an impl of Engine outside engine/")).collect()
}

/// Files of one folder that name each other in a circle by `super::`, by their modules.
fn circle(sources: &[Source], within: &str) -> Option<Vec<String>> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let Some(inner) = source.path.strip_prefix(within) else { continue };
        let Some(module) = inner.split('/').next() else { continue };
        let module = module.strip_suffix(".rs").unwrap_or(module).to_owned();
        let deep = inner.contains('/');
        let code = code_only(&source.text);
        let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let prefix = if deep { "super::super::" } else { "super::" };
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            arrows.entry(module.clone()).or_default().insert(rest[..end].to_owned());
        }
    }
    let known: BTreeSet<String> = arrows.keys().cloned().collect();
    let mut left = arrows;
    // Those that name none of the others that are left go, until nobody goes any more.
    loop {
        let names: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|own, to| to.iter().any(|to| to != own && names.contains(to)));
        if left.len() == before {
            break;
        }
    }
    assert!(!known.is_empty(), "nothing in {within} names anything");
    let ring: Vec<String> = left.into_keys().filter(|name| name != "mod").collect();
    (!ring.is_empty()).then_some(ring)
}

fn table() -> BTreeMap<String, Floor> {
    let sources = sources();
    let architecture = sources.iter().find(|source| source.path == "ARCHITECTURE.md");
    floors(&architecture.expect("ARCHITECTURE.md").text)
}

#[test]
fn no_folder_of_the_core_names_one_above_it() {
    let floors = table();
    crate::check(|source| upward(source, &floors));
}

#[test]
fn the_table_names_the_folders_there_are() {
    let sources = sources();
    let there: BTreeSet<&str> = sources.iter().filter_map(|source| folder(&source.path)).collect();
    let floors = table();
    let named: BTreeSet<&str> = floors.keys().map(String::as_str).collect();
    assert_eq!(named, there);
}

#[test]
fn the_engine_stands_in_its_folder() {
    crate::check(engine_elsewhere);
}

#[test]
fn the_files_of_the_client_name_each_other_in_no_circle() {
    assert_eq!(circle(&sources(), "core/src/client/"), None);
}

#[test]
fn an_upward_arrow_is_caught() {
    let table =
        format!("{HEAD}\n|---|---|---|\n| a | `x` `y` | yes |\n| b | `p` `q` | no |\n\nend");
    let floors = floors(&table);
    assert_eq!(floors.len(), 4);
    let wrong = |path: &str, text: &str| upward(&Source::new(path, text), &floors);
    assert!(wrong("core/src/p/mod.rs", "use crate::x::A;\nuse crate::y;").is_empty());
    assert!(wrong("core/src/x.rs", "use crate::{y::B, x};").is_empty());
    assert_eq!(wrong("core/src/x.rs", "\nuse crate::p::A;"), ["core/src/x.rs:2: x may not name p"]);
    assert_eq!(wrong("core/src/p/mod.rs", "fn f(a: crate::q::A) {}").len(), 1);
    assert_eq!(wrong("core/src/x.rs", "use crate::{y, q::C};").len(), 1);
    assert_eq!(wrong("core/src/z.rs", "").len(), 1);
    assert!(wrong("core/src/x.rs", "// crate::p\n\"crate::p\";").is_empty());
    assert!(wrong("core/src/x.rs", "\n#[cfg(test)]\nmod tests { use crate::p; }").is_empty());
}

#[test]
fn an_engine_elsewhere_is_caught() {
    let wrong = |path: &str, text: &str| engine_elsewhere(&Source::new(path, text)).len();
    assert_eq!(wrong("core/src/route/mod.rs", "impl Engine {}"), 1);
    assert_eq!(wrong("core/src/route/mod.rs", "impl super::Engine {}"), 1);
    assert_eq!(wrong("core/src/engine/mod.rs", "impl Engine {}"), 0);
    assert_eq!(wrong("core/src/client/mod.rs", "impl From<&Engine> for X {}\nimpl EngineX {}"), 0);
}

#[test]
fn a_circle_is_caught() {
    let file = |name: &str, text: &str| Source::new(&format!("c/{name}.rs"), text);
    let straight = [file("a", "use super::b::X;"), file("b", "use super::d;"), file("d", "")];
    assert_eq!(circle(&straight, "c/"), None);
    let round =
        [file("a", "use super::b::X;"), file("b", "use super::d;"), file("d", "super::a()")];
    assert_eq!(circle(&round, "c/"), Some(vec!["a".into(), "b".into(), "d".into()]));
}
