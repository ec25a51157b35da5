//! What an expression comes to, and how two such are compared (`ComparisonExpression`).

use std::cmp::Ordering;

/// What a part of an expression comes to for one message. Properties are texts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Truth(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    Text(&'a str),
}

/// An exception in Java: the message does not match, whatever stands around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thrown;

impl Value<'_> {
    /// What logic takes it for.
    pub(super) const fn truth(&self) -> Result<Option<bool>, Thrown> {
        match self {
            Value::Null => Ok(None),
            Value::Truth(truth) => Ok(Some(*truth)),
            _ => Err(Thrown),
        }
    }

    const fn of(truth: Option<bool>) -> Self {
        match truth {
            Some(truth) => Value::Truth(truth),
            None => Value::Null,
        }
    }

    /// Whether both are the same object, or equal ones of one class.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Double(a), Value::Double(b)) => doubles(*a, *b).is_eq(),
            _ => self == other,
        }
    }
}

impl From<Option<bool>> for Value<'_> {
    fn from(truth: Option<bool>) -> Self {
        Self::of(truth)
    }
}

/// `Double.compare`: every NaN is the same, and above all else; -0.0 is below 0.0.
fn doubles(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => a.total_cmp(&b),
    }
}

/// `String.compareTo`.
fn texts(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// `Double.valueOf(String)`, but for hexadecimal numbers.
pub(super) fn double(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c| c <= ' ');
    let (negative, number) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = match number {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        _ => {
            let digits = number.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(number);
            let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
            let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
            digits.parse().ok().filter(|_| begins && digits.chars().all(plain))?
        }
    };
    Some(if negative { -value } else { value })
}

/// `__compare`: which is greater, after one of them is made what the other is.
fn order(left: &Value<'_>, right: &Value<'_>) -> Result<Ordering, Thrown> {
    use Value::{Double, Int, Long, Null, Text, Truth};
    let whole = |text: &str| text.parse::<i32>().map_err(|_| Thrown);
    let long = |text: &str| text.parse::<i64>().map_err(|_| Thrown);
    let real = |text: &str| double(text).ok_or(Thrown);
    Ok(match (left, right) {
        (Null, _) | (_, Null) => return Err(Thrown),
        (Truth(a), Truth(b)) => a.cmp(b),
        (Text(a), Text(b)) => texts(a, b),
        (Int(a), Int(b)) => a.cmp(b),
        (Long(a), Long(b)) => a.cmp(b),
        (Double(a), Double(b)) => doubles(*a, *b),
        (Int(a), Long(b)) => i64::from(*a).cmp(b),
        (Long(a), Int(b)) => a.cmp(&i64::from(*b)),
        (Int(a), Double(b)) => doubles(f64::from(*a), *b),
        (Double(a), Int(b)) => doubles(*a, f64::from(*b)),
        (Long(a), Double(b)) => doubles(*a as f64, *b),
        (Double(a), Long(b)) => doubles(*a, *b as f64),
        (Text(a), Int(b)) => whole(a)?.cmp(b),
        (Int(a), Text(b)) => a.cmp(&whole(b)?),
        (Text(a), Long(b)) => long(a)?.cmp(b),
        (Long(a), Text(b)) => a.cmp(&long(b)?),
        (Text(a), Double(b)) => doubles(real(a)?, *b),
        (Double(a), Text(b)) => doubles(*a, real(b)?),
        // Any other text than "true" is false.
        (Text(a), Truth(b)) => a.eq_ignore_ascii_case("true").cmp(b),
        // It is cast to what it is not.
        (Truth(_), Text(_)) => return Err(Thrown),
        (Truth(_), _) | (_, Truth(_)) => Ordering::Less,
    })
}

/// `a = b`, and `a IS NULL` where the right one is none.
pub(super) fn equal(left: &Value<'_>, right: &Value<'_>) -> Result<Option<bool>, Thrown> {
    Ok(match (left, right) {
        (Value::Null, Value::Null) => Some(true),
        (Value::Null, _) => None,
        (_, Value::Null) => Some(false),
        _ if left.is_same(right) => Some(true),
        _ => Some(order(left, right)?.is_eq()),
    })
}

/// `a < b` and its like. Two texts are compared as numbers.
pub(super) fn compared(
    left: &Value<'_>,
    right: &Value<'_>,
    holds: impl Fn(Ordering) -> bool,
) -> Result<Option<bool>, Thrown> {
    let found = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return Ok(None),
        (Value::Text(a), Value::Text(b)) => {
            doubles(double(a).ok_or(Thrown)?, double(b).ok_or(Thrown)?)
        }
        _ => order(left, right)?,
    };
    Ok(Some(holds(found)))
}

/// Which of two constants is greater, as `BETWEEN` looks at them.
pub(super) fn greater(left: &Value<'_>, right: &Value<'_>) -> Result<bool, Thrown> {
    Ok(order(left, right)?.is_gt())
}
