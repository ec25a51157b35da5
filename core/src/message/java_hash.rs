//! Java's `String.hashCode`, by which brokers filter tags and Java clients pick queues.

/// `String.hashCode()`: 31-polynomial over the UTF-16 units, wrapping at 32 bits.
pub fn java_string_hash(text: &str) -> i32 {
    text.encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_that_java_prints() {
        assert_eq!(java_string_hash("TagA"), 2_598_919);
        assert_eq!(java_string_hash("标签"), 857_175);
        assert_eq!(java_string_hash("😀"), 1_772_899);
        let mut rows = 0;
        for line in include_str!("../../../conformance/golden/hashes.jsonl").lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let hash = java_string_hash(row["key"].as_str().unwrap());
            assert_eq!(i64::from(hash), row["java_hash"].as_i64().unwrap(), "{line}");
            rows += 1;
        }
        assert_eq!(rows, 80);
    }
}
