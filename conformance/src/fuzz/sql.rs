//! Filters in SQL, as the embedded broker reads them.

use rocketry_core::message::Properties;

use super::supply::Supply;
use crate::broker::sql::Sql;

/// Any text is read in bounded depth, or refused; what matches does not match its opposite, and a
/// reading says the same each time.
pub fn sql(data: &[u8]) {
    let mut supply = Supply::new(data);
    let (searches, text) = (supply.byte().is_multiple_of(2), supply.long_chunk());
    let text = String::from_utf8_lossy(text);
    let properties = Properties::new(supply.rest());
    let Some(read) = Sql::parse(&text, searches) else { return };
    let matches = read.matches(properties);
    let again = Sql::parse(&text, searches).map(|read| read.matches(properties));
    assert_eq!(again, Some(matches));
    // Another one may close what is opened here.
    if text.contains(')') {
        return;
    }
    if let Some(opposite) = Sql::parse(&format!("NOT ({text}\n)"), searches) {
        assert!(!(matches && opposite.matches(properties)), "{text:?} matches, and so does NOT");
    }
}
