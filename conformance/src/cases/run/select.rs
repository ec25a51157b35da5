//! Which cases a run is of.

use crate::cases::case::{Case, Level};

/// A word that names cases: the begin of ids (`PULL`, `FAULT-07`), a pattern with `*`, or, behind
/// `!`, what is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selector {
    pattern: String,
    excludes: bool,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Selection {
    selectors: Vec<Selector>,
    /// The least level: cases below it are not selected.
    level: Level,
}

impl Selection {
    /// Of these words; without any, or with exclusions alone, everything.
    pub fn new<S: AsRef<str>>(words: &[S], level: Level) -> Self {
        let selector = |word: &S| {
            let word = word.as_ref();
            let excludes = word.starts_with('!');
            let pattern = word.trim_start_matches('!').to_ascii_uppercase();
            Selector { pattern, excludes }
        };
        Self { selectors: words.iter().map(selector).collect(), level }
    }

    /// The selected ones of these cases.
    pub fn of(&self, cases: impl Iterator<Item = &'static Case>) -> Vec<&'static Case> {
        let cases: Vec<&'static Case> = cases.collect();
        let exact = |selector: &Selector| cases.iter().any(|case| case.id == selector.pattern);
        let named = |case: &Case, selector: &Selector| match exact(selector) {
            // SEND-10 is a case, and not the begin of SEND-100.
            true => case.id == selector.pattern,
            false => matches(&selector.pattern, case.id),
        };
        let wanted = |case: &Case| {
            let (without, with): (Vec<_>, Vec<_>) =
                self.selectors.iter().partition(|selector| selector.excludes);
            case.level <= self.level
                && (with.is_empty() || with.iter().any(|selector| named(case, selector)))
                && !without.iter().any(|selector| named(case, selector))
        };
        cases.iter().copied().filter(|case| wanted(case)).collect()
    }
}

/// Whether an id is what a pattern says: its begin, or with `*` the whole of it.
fn matches(pattern: &str, id: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return id.starts_with(pattern) };
    let Some(id) = id.strip_prefix(begin) else { return false };
    if rest.is_empty() {
        return true;
    }
    let ends = (0..=id.len()).filter_map(|at| id.get(at..));
    if rest.contains('*') {
        ends.into_iter().any(|end| matches(rest, end))
    } else {
        id.ends_with(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(words: &[&str], level: Level) -> Vec<&'static str> {
        let selected = Selection::new(words, level).of(crate::cases::all());
        selected.into_iter().map(|case| case.id).collect()
    }

    #[test]
    fn a_selector_is_a_begin_a_pattern_or_an_exclusion() {
        let all = ids(&[], Level::Info);
        assert!(all.len() > 50);
        assert_eq!(ids(&["SEND-04"], Level::Info), ["SEND-04"]);
        let batch = ids(&["batch"], Level::Info);
        assert!(batch.len() >= 8 && batch.iter().all(|id| id.starts_with("BATCH-")), "{batch:?}");
        let sixth = ids(&["*-06"], Level::Info);
        assert!(sixth.len() > 9 && sixth.iter().all(|id| id.ends_with("-06")), "{sixth:?}");
        assert_eq!(ids(&["*O*N*14"], Level::Info), ["CONN-14"]);
        let others = ids(&["BATCH", "!BATCH-02"], Level::Info);
        assert!(others.len() + 1 == batch.len() && !others.contains(&"BATCH-02"), "{others:?}");
        assert_eq!(
            ids(&["!SEND"], Level::Info).len(),
            all.len() - ids(&["SEND"], Level::Info).len()
        );
        assert!(ids(&["NONE"], Level::Info).is_empty());
        assert!(!ids(&["SEND"], Level::Must).contains(&"SEND-24"));
    }

    #[test]
    fn a_whole_id_is_not_the_begin_of_another() {
        assert!(matches("SEND-10", "SEND-100"));
        static CASES: [Case; 2] =
            [Case::must("NS-10", "A rule.", "us"), Case::must("NS-100", "Another one.", "us")];
        let ids = |word| {
            let selected = Selection::new(&[word], Level::Info).of(CASES.iter());
            selected.iter().map(|case| case.id).collect::<Vec<_>>()
        };
        assert_eq!((ids("NS-1"), ids("NS-10")), (vec!["NS-10", "NS-100"], vec!["NS-10"]));
    }
}
