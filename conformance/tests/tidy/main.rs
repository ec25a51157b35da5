//! The repository keeps its own rules: sizes, names, leftovers, links and lints.
//!
//! Each rule reads one file and returns what is wrong with it, and has a test that shows it a
//! sample it must catch. Nothing is built or started, so this stays a matter of milliseconds.

mod examples;
mod floors;
mod pages;

use std::fs;
use std::path::{Path, PathBuf};

/// Files longer than this want to be split.
const FILE_LINES: usize = 600;
/// Functions longer than this want to be split, counted from `fn` to the closing brace.
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;

/// Tables, which are easier to read in one piece than in several.
const TABLES: [&str; 0] = [];

/// What may stand in the top folder beside dotfiles.
const TOP: [&str; 20] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONFIG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "conformance",
    "core",
    "deny.toml",
    "docs",
    "examples",
    "runtime-async-std",
    "runtime-std",
    "runtime-tokio",
    "rustfmt.toml",
    "src",
    "target",
];

/// Ends of type names that say nothing about what the type is.
const EMPTY_ENDS: [&str; 6] = ["Manager", "Service", "Helper", "Util", "Utils", "Impl"];

/// Split so that this file does not trip over itself.
const LEFTOVERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const LEFTOVER_MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];
const MACHINE_PATHS: [&str; 3] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// A text of the repository, its path relative to the top.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    fn at(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

fn top() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.parent().expect("the crate lies in the workspace").to_owned()
}

/// Every .rs, .md and .toml file, and the scripts of the dot folders; nothing that is built.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![top()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && name != ".git" {
                    folders.push(path);
                }
                continue;
            }
            let relative = path.strip_prefix(top()).expect("below the top").to_string_lossy();
            let known = [".rs", ".md", ".toml"].iter().any(|end| name.ends_with(end));
            if known || relative.starts_with(".ci/") {
                let text = fs::read_to_string(&path).expect("a text file");
                found.push(Source::new(&relative, &text));
            }
        }
    }
    assert!(found.len() > 20, "the walk found only {} files", found.len());
    found
}

fn check(rule: impl Fn(&Source) -> Vec<String>) {
    let mut wrong: Vec<String> = sources().iter().flat_map(rule).collect();
    wrong.sort();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

// ---- a view of Rust code without its strings, characters and comments ----

/// The same lines with every string, character and comment turned into blanks.
fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the string, character or comment that begins at `at` ends; `at` if none begins there.
fn skipped(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or(' ');
    let in_word = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next(1) == '/' => find(chars, at, |rest| rest[0] == '\n'),
        '/' if next(1) == '*' => comment_end(chars, at),
        '"' => string_end(chars, at + 1),
        'r' if !in_word || chars[at - 1] == 'b' || chars[at - 1] == 'c' => raw_end(chars, at),
        '\'' if next(1) == '\\' => find(chars, at + 3, |rest| rest[0] == '\'') + 1,
        '\'' if next(2) == '\'' => at + 3,
        _ => at,
    }
    .min(chars.len())
}

fn find(chars: &[char], from: usize, is_end: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|&at| is_end(&chars[at..])).unwrap_or(chars.len())
}

fn comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut here = at;
    while here < chars.len() {
        match (chars[here], chars.get(here + 1)) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => {
                here += 1;
                continue;
            }
        }
        here += 2;
        if depth == 0 {
            break;
        }
    }
    here
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// `r"..."` and `r#"..."#`; not `r#type`, which is a name.
fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let closes = |rest: &[char]| {
        rest[0] == '"' && rest.len() > hashes && rest[1..=hashes].iter().all(|&c| c == '#')
    };
    find(chars, open + 1, closes) + 1 + hashes
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The words of a text, each with its byte offset.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c| !is_word(c))
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

fn find_word(text: &str, wanted: &str) -> bool {
    words(text).any(|(_, word)| word == wanted)
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

// ---- the rules ----

fn long_file(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let is_long = lines > FILE_LINES && !TABLES.contains(&source.path.as_str());
    is_long
        .then(|| source.at(FILE_LINES, format!("{lines} lines in one file")))
        .into_iter()
        .collect()
}

fn long_lines(source: &Source) -> Vec<String> {
    let lines = source.text.lines().enumerate().filter(|_| source.is("rs"));
    let long = lines.filter(|(_, line)| line.chars().count() > COLUMNS);
    long.map(|(at, line)| source.at(at + 1, format!("{} columns", line.chars().count()))).collect()
}

fn long_functions(source: &Source) -> Vec<String> {
    if !source.is("rs") {
        return Vec::new();
    }
    let code = code_only(&source.text);
    let mut wrong = Vec::new();
    let all: Vec<(usize, &str)> = words(&code).collect();
    for pair in all.windows(2) {
        let ((at, keyword), (name_at, name)) = (pair[0], pair[1]);
        // Between the word and the name stands at most a blank or a `$`: else it is `fn(...)`.
        let is_item = keyword == "fn" && code[at + 2..name_at].trim().trim_matches('$').is_empty();
        let Some(end) = is_item.then(|| body_end(&code, name_at)).flatten() else { continue };
        let lines = line_of(&code, end) - line_of(&code, at) + 1;
        if lines > FUNCTION_LINES {
            wrong.push(source.at(line_of(&code, at), format!("{lines} lines in fn {name}")));
        }
    }
    wrong
}

/// The offset of the brace that closes the function whose name begins at `from`; `None` for a
/// declaration without a body.
fn body_end(code: &str, from: usize) -> Option<usize> {
    let (mut parens, mut braces) = (0, 0);
    for (at, c) in code[from..].char_indices() {
        match c {
            '(' | '[' => parens += 1,
            ')' | ']' => parens -= 1,
            ';' if parens == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces <= 1 => return Some(from + at),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}

fn empty_names(source: &Source) -> Vec<String> {
    if !source.is("rs") {
        return Vec::new();
    }
    let code = code_only(&source.text);
    let all: Vec<(usize, &str)> = words(&code).collect();
    let named = all.windows(2).filter(|pair| {
        let name = pair[1].1;
        match pair[0].1 {
            "struct" | "enum" | "trait" | "type" | "union" => {
                EMPTY_ENDS.iter().any(|end| name.ends_with(end)) || name.starts_with("Default")
            }
            // `get_mut` is the standard library's word for what it does.
            "fn" => name.starts_with("do_") || (name.starts_with("get_") && name != "get_mut"),
            _ => false,
        }
    });
    named.map(|pair| source.at(line_of(&code, pair[1].0), format!("name {}", pair[1].1))).collect()
}

fn leftovers(source: &Source) -> Vec<String> {
    let marks = words(&source.text).filter(|(_, word)| LEFTOVERS.contains(word));
    let mut wrong: Vec<String> =
        marks.map(|(at, word)| source.at(line_of(&source.text, at), word)).collect();
    if source.is("rs") {
        let code = code_only(&source.text);
        let macros = words(&code).filter(|(at, word)| {
            LEFTOVER_MACROS.contains(word) && code[at + word.len()..].starts_with('!')
        });
        wrong.extend(macros.map(|(at, word)| source.at(line_of(&code, at), format!("{word}!"))));
    }
    wrong
}

fn machine_paths(source: &Source) -> Vec<String> {
    let found = MACHINE_PATHS.iter().flat_map(|path| source.text.match_indices(path));
    found.map(|(at, path)| source.at(line_of(&source.text, at), path)).collect()
}

fn dead_links(source: &Source, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    if !source.is("md") {
        return Vec::new();
    }
    let folder = Path::new(&source.path).parent().unwrap_or(Path::new(""));
    let mut wrong = Vec::new();
    let mut in_code = false;
    for (at, line) in source.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in link_targets(line) {
            let file = target.split('#').next().unwrap_or_default();
            let elsewhere = file.contains(':');
            if !file.is_empty() && !elsewhere && !exists(&folder.join(file)) {
                wrong.push(source.at(at + 1, format!("link to {file}")));
            }
        }
    }
    wrong
}

/// What `[text](target)` and `[name]: target` point to.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let defined = line.starts_with('[').then(|| line.split_once("]: ")).flatten();
    let all = inline.chain(defined.map(|(_, target)| target));
    all.filter_map(|target| target.split_whitespace().next())
}

/// Every crate takes the lints of the workspace, which forbid unsafe code; a workspace of its own
/// (fuzzing) must say so itself.
fn lax_crate(source: &Source) -> Vec<String> {
    let is_manifest = source.path == "Cargo.toml" || source.path.ends_with("/Cargo.toml");
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let has = |line: &str| lines.contains(&line);
    if !is_manifest || !has("[package]") {
        return Vec::new();
    }
    let inherits = lines.windows(2).any(|pair| pair == ["[lints]", "workspace = true"]);
    let own_workspace = has("[workspace]");
    let forbids = has("unsafe_code = \"forbid\"");
    let wrong = if own_workspace { !forbids } else { !inherits };
    wrong.then(|| source.at(1, "unsafe code is not forbidden")).into_iter().collect()
}

fn strangers(names: &[String]) -> Vec<String> {
    let known = |name: &str| name.starts_with('.') || TOP.contains(&name);
    names
        .iter()
        .filter(|name| !known(name))
        .map(|name| format!("{name} in the top folder"))
        .collect()
}

// ---- the repository, held against each rule ----

#[test]
fn files_are_short() {
    check(long_file);
}

#[test]
fn lines_are_short() {
    check(long_lines);
}

#[test]
fn functions_are_short() {
    check(long_functions);
}

#[test]
fn names_say_something() {
    check(empty_names);
}

#[test]
fn nothing_is_left_over() {
    check(leftovers);
}

#[test]
fn no_machine_is_named() {
    check(machine_paths);
}

#[test]
fn links_lead_somewhere() {
    check(|source| dead_links(source, |path| top().join(path).exists()));
}

#[test]
fn every_crate_forbids_unsafe_code() {
    check(lax_crate);
}

#[test]
fn the_top_folder_holds_only_what_belongs_there() {
    let entries = fs::read_dir(top()).expect("a readable folder").flatten();
    let names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(strangers(&names), Vec::<String>::new());
}

// ---- each rule, held against a sample ----

fn rust(text: &str) -> Source {
    Source::new("sample.rs", text)
}

#[test]
fn a_long_file_is_caught() {
    assert_eq!(long_file(&rust(&"\n".repeat(600))).len(), 0);
    assert_eq!(long_file(&rust(&"\n".repeat(601))).len(), 1);
}

#[test]
fn a_long_line_is_caught() {
    assert_eq!(long_lines(&rust(&"é".repeat(100))).len(), 0);
    assert_eq!(long_lines(&rust(&format!("\n{}", "a".repeat(101)))), ["sample.rs:2: 101 columns"]);
    assert_eq!(long_lines(&Source::new("a.md", &"a".repeat(101))).len(), 0);
}

#[test]
fn a_long_function_is_caught() {
    let function =
        |lines: usize| format!("fn long(a: fn(u8) -> [u8; 2]) {{{}}}", "\n".repeat(lines));
    assert_eq!(long_functions(&rust(&function(69))).len(), 0);
    let caught = long_functions(&rust(&format!("fn f() {{}}\n{}", function(70))));
    assert_eq!(caught, ["sample.rs:2: 71 lines in fn long"]);
    let declared = format!("trait T {{ fn f(&self) -> [u8; 2];{}}}", "\n".repeat(99));
    assert_eq!(long_functions(&rust(&declared)).len(), 0);
}

#[test]
fn braces_in_strings_and_comments_do_not_count() {
    for inside in
        [r#""}""#, r##"r#"}"}"#"##, "'}'", "// }", "/* } /* } */ */", r"'\''; '}'", r#"b"\"}""#]
    {
        let text = format!("fn long<'a>() {{ {inside}\n;{}}}\nfn next() {{}}", "\n".repeat(70));
        assert_eq!(long_functions(&rust(&text)).len(), 1, "{inside}");
    }
}

#[test]
fn an_empty_name_is_caught() {
    let bad = [
        "struct OffsetManager;",
        "pub enum SendService {}",
        "trait RouteHelper {}",
        "type Utils = u8;",
        "struct ClientImpl<T>(T);",
        "struct DefaultProducer;",
        "fn get_route() {}",
        "fn do_send() {}",
    ];
    for text in bad {
        assert_eq!(empty_names(&rust(text)).len(), 1, "{text}");
    }
    let good =
        "// struct AManager;\nfn get_mut() {} fn done() {} struct Implied; impl Default for A {}";
    assert_eq!(empty_names(&rust(good)), Vec::<String>::new());
}

#[test]
fn a_leftover_is_caught() {
    for mark in LEFTOVERS {
        assert_eq!(leftovers(&Source::new("a.toml", &format!("# {mark}: later"))).len(), 1);
        assert_eq!(leftovers(&rust(&format!("fn f() {{}} // see A{mark}B"))).len(), 0);
    }
    for name in LEFTOVER_MACROS {
        assert_eq!(leftovers(&rust(&format!("fn f() {{ {name}!() }}"))).len(), 1);
        assert_eq!(leftovers(&rust(&format!("// {name}!()\nfn {name}() {{}}"))).len(), 0);
    }
}

#[test]
fn a_machine_path_is_caught() {
    for path in MACHINE_PATHS {
        assert_eq!(machine_paths(&Source::new("a.md", &format!("see {path}there"))).len(), 1);
    }
    assert_eq!(machine_paths(&rust("// the network/home page")).len(), 0);
}

#[test]
fn a_dead_link_is_caught() {
    let text = "[a](here.md#part) and [b](gone.md)\n[c]: gone/too.md\n[d](https://e.org) [e](#f)\n\
                ```\n[g](gone.md)\n```\n";
    let caught =
        dead_links(&Source::new("doc/a.md", text), |path| path == Path::new("doc/here.md"));
    assert_eq!(caught, ["doc/a.md:1: link to gone.md", "doc/a.md:2: link to gone/too.md"]);
}

#[test]
fn a_lax_crate_is_caught() {
    let manifest = |rest: &str| Source::new("a/Cargo.toml", &format!("[package]\n{rest}"));
    assert_eq!(lax_crate(&manifest("")).len(), 1);
    assert_eq!(lax_crate(&manifest("[lints]\nworkspace = true\n")).len(), 0);
    assert_eq!(lax_crate(&manifest("[workspace]\n")).len(), 1);
    let own = "[workspace]\n[lints.rust]\nunsafe_code = \"forbid\"\n";
    assert_eq!(lax_crate(&manifest(own)).len(), 0);
}

#[test]
fn a_stranger_in_the_top_folder_is_caught() {
    let names = ["src", ".ci", "notes.txt"].map(str::to_owned);
    assert_eq!(strangers(&names), ["notes.txt in the top folder"]);
}
