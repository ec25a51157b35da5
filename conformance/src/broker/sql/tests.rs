use super::*;

/// Properties in their wire form.
fn wire(all: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(name, value): &(&str, &str)| format!("{name}\u{1}{value}\u{2}").into_bytes();
    all.iter().flat_map(entry).collect()
}

/// Whether a message matches; `None` where the expression can't be read.
fn of(sql: &str, all: &[(&str, &str)]) -> Option<bool> {
    Sql::parse(sql, true).map(|sql| sql.matches(Properties::new(&wire(all))))
}

const ALL: &[(&str, &str)] = &[
    ("a", "5"),
    ("b", "2.5"),
    ("name", "O'Neil"),
    ("yes", "TRUE"),
    ("no", "no"),
    ("big", "9223372036854775807"),
    ("AND2", "x"),
];

fn hold(sqls: &[&str]) {
    for sql in sqls {
        assert_eq!(of(sql, ALL), Some(true), "{sql}");
    }
}

fn fail(sqls: &[&str]) {
    for sql in sqls {
        assert_eq!(of(sql, ALL), Some(false), "{sql}");
    }
}

fn refused(sqls: &[&str]) {
    for sql in sqls {
        assert_eq!(of(sql, ALL), None, "{sql}");
    }
}

#[test]
fn numbers_texts_and_truths_are_compared_as_java_compares_them() {
    hold(&[
        "a > 4",
        "4 < a",
        "a>=5 AND a<=5 AND a=5 AND a<>6",
        "a > -1",
        "a = 5L",
        "b > 2.4",
        "b = 25e-1",
        "a > 4.5",
        "big > 9223372036854775806",
        "a > b",
        "name = 'O''Neil'",
        "name <> 'x'",
        "yes = TRUE",
        "no = FALSE",
        "a BETWEEN 5 AND 6",
        "a NOT BETWEEN 6 AND 7",
        "name IN ('x', 'O''Neil')",
        "name NOT IN ('x')",
        "AND2 = 'x'",
        "- -a IS NULL",
    ]);
    fail(&[
        "a > 5",
        // A text that is no whole number, compared with one: an exception.
        "b > 2",
        "NOT (b > 2)",
        "b > 2 OR b > 2.4",
        "big = 1",
        "name = 5",
        "name <> 5",
        "TRUE = yes",
        "a",
        "yes",
    ]);
    // An exception in what is looked at first hides the rest; what decides before it does not.
    hold(&["b > 2.4 OR b > 2"]);
}

#[test]
fn logic_has_three_values() {
    hold(&[
        "none IS NULL",
        "a IS NOT NULL",
        "none = gone",
        "a = 5 OR none = 1",
        "NOT (a = 6)",
        "(none > 1) IS NULL",
        "NOT (a = 6 AND none = 1)",
        "NOT none IS NOT NULL OR TRUE",
        "NULL IS NULL",
    ]);
    fail(&[
        "none = 1",
        "none <> 1",
        "NOT (none = 1)",
        "none NOT IN ('x')",
        "none NOT BETWEEN 1 AND 2",
        "a = 5 AND none = 1",
        "a = none",
        "NULL",
        "NOT NULL",
        "none",
        "NOT none",
    ]);
    assert_eq!(of("NOT a", ALL), Some(true), "a text is not true");
}

#[test]
fn texts_are_searched_from_one_version_on() {
    hold(&[
        "name CONTAINS 'Nei'",
        "name STARTSWITH 'O'''",
        "name ENDSWITH 'il'",
        "name NOT CONTAINS 'x'",
        "name not startswith 'x' and name not endswith 'x'",
    ]);
    fail(&["name CONTAINS ''", "name NOT CONTAINS ''", "none NOT CONTAINS 'x'", "5 CONTAINS '5'"]);
    assert_eq!(Sql::parse("name CONTAINS 'Nei'", false), Sql::parse("name", false));
    refused(&["name CONTAINS 5", "name NOT 'x'"]);
}

#[test]
fn what_follows_is_not_read_and_what_cannot_be_is_refused() {
    hold(&["a = 5 b", "a = 5 )", "a = 5 /* a comment * */", "a = -- of a line\n 5"]);
    fail(&["a = 007", "a = 0L"]);
    refused(&[
        "",
        "()",
        "a =",
        "a = 5 #",
        "a = 5 'text",
        "a == 5",
        "a > 'x'",
        "a > TRUE",
        "a = NULL",
        "TRUE = 5",
        "5",
        "'x'",
        "-a",
        "NOT a > 5",
        "NOT a IN ('x')",
        "a IN ()",
        "a IN (1)",
        "5 IN ('x')",
        "a BETWEEN 6 AND 5",
        "a = 0.0",
        "a = 1e999",
        "a = 9223372036854775808",
        "a IS 5",
        "(a = 5",
        "ä = 5",
    ]);
    // These end before what is not known.
    fail(&["a + 1 = 6", "a - 1 < 0 OR TRUE", "a LIKE 'x'"]);
    hold(&["5 = 5", "a NOT BETWEEN 9 AND 6", "a BETWEEN -(-5) AND 6"]);
}

#[test]
fn a_text_ends_at_its_last_quote_that_can_end_it() {
    hold(&["name = 'O''Neil' 'x'' OR", "'x''' = 'x'''", "'x'' y' = 'x'' y' ''"]);
    fail(&["name'x'' OR", "name 'a''b''"]);
    refused(&["'x", "name = 'x' '"]);
}

#[test]
fn filt_15_what_is_nested_without_end_is_refused_and_long_lists_are_not() {
    for nested in ["(", "-", "+", "NOT ", "NOT(", "-(a BETWEEN 1 AND "] {
        assert_eq!(of(&nested.repeat(10_000), ALL), None, "{nested}");
    }
    let closed = |depth: usize| format!("{}a = 5{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(of(&closed(100), ALL), Some(true));
    assert_eq!(of(&closed(10_000), ALL), None);
    // Parts that wrap each other are as high as they are many, wherever they stand.
    let wrapped =
        (0..100).fold("a".to_owned(), |inner, _| format!("({inner}) {}", "IS NULL ".repeat(100)));
    assert_eq!(of(&wrapped, ALL), None);
    let long = format!("a = 6{}", " OR a = 5".repeat(5_000));
    assert_eq!(of(&long, ALL), Some(true));
    assert_eq!(of(&format!("a = 5{}", " ".repeat(SIZE)), ALL), None);
}
