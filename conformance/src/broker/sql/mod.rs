//! Expressions in SQL92 over the properties of messages, by the broker's rules
//! (`org.apache.rocketmq.filter`), its odd ones included:
//!
//! - what follows an expression is not read: `a = 1 b` is `a = 1`, and `a = 007` is `a = 0`;
//! - `0.0` is refused, since it is less than the least number above zero;
//! - `NOT` binds to what is next to it: `NOT a > 5` is refused, `NOT (a > 5)` is not;
//! - two properties that a message lacks are equal; a property by itself is never true;
//! - an exception, as over a text that is no number, has the message not match, whatever stands
//!   around it;
//! - a text is compared with a whole number as a whole number: `1.5` is not greater than 1, but
//!   an exception.
//!
//! Beyond Java's, an expression has a bound of depth and of size.

mod parse;
mod token;
mod value;

use std::cmp::Ordering;
use std::collections::HashMap;

use parse::{Invalid, Order, Part, Search, parse};
use rocketry_core::message::properties::Properties;
use value::{Thrown, Value, compared, equal};

/// Bytes of an expression.
const SIZE: usize = 64 << 10;

/// An expression, as it was read once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sql(Part);

impl Sql {
    /// Reads an expression. `searches`: `CONTAINS`, `STARTSWITH` and `ENDSWITH` are known. `None`
    /// where it can't be read (`Invalid MessageSelector`).
    pub(crate) fn parse(text: &str, searches: bool) -> Option<Self> {
        let whole = if text.len() <= SIZE { parse(text, searches) } else { Err(Invalid) };
        whole.ok().map(Self)
    }

    /// Whether a message with these properties matches.
    pub(crate) fn matches(&self, properties: Properties<'_>) -> bool {
        let all: Known<'_> = properties.iter().collect();
        matches!(eval(&self.0, &all), Ok(Value::Truth(true)))
    }
}

/// The last one of a name counts.
type Known<'a> = HashMap<&'a str, &'a str>;

fn eval<'a>(part: &'a Part, known: &Known<'a>) -> Result<Value<'a>, Thrown> {
    let truth = match part {
        Part::Constant(constant) => return Ok(constant.value()),
        Part::Property(name) => {
            return Ok(known.get(name.as_str()).map_or(Value::Null, |text| Value::Text(text)));
        }
        Part::Negated(of) => return Ok(negated(eval(of, known)?)),
        Part::Equal(left, right) => equal(&eval(left, known)?, &eval(right, known)?)?,
        Part::Compared(order, left, right) => {
            let (left, right) = (eval(left, known)?, eval(right, known)?);
            compared(&left, &right, |found| holds(*order, found))?
        }
        Part::Between { parts, is } => {
            let [of, low, high] = &**parts;
            let of = eval(of, known)?;
            between(&of, (low, high), known, *is)?
        }
        Part::Searched { of, search, text, is } => {
            Some(searched(&eval(of, known)?, *search, text, *is))
        }
        Part::OneOf { name, list, is } => {
            let value = known.get(name.as_str());
            value.map(|value| list.iter().any(|one| one == value) == *is)
        }
        Part::Not(of) => eval(of, known)?.truth()?.map(|truth| !truth),
        // It is a text, or nothing.
        Part::Cast(of) => match eval(of, known)? {
            Value::Null => None,
            value => Some(value == Value::Truth(true)),
        },
        Part::All(parts) => joined(parts, known, false)?,
        Part::Any(parts) => joined(parts, known, true)?,
    };
    Ok(truth.into())
}

/// As two comparisons that are joined: the second one is not made where the first one decides.
fn between(
    of: &Value<'_>,
    (low, high): (&Part, &Part),
    known: &Known<'_>,
    is: bool,
) -> Result<Option<bool>, Thrown> {
    let below = compared(of, &eval(low, known)?, Ordering::is_lt)?;
    if below == Some(true) {
        return Ok(Some(!is));
    }
    match (below, compared(of, &eval(high, known)?, Ordering::is_gt)?) {
        (_, Some(true)) => Ok(Some(!is)),
        (Some(false), Some(false)) => Ok(Some(is)),
        _ => Ok(None),
    }
}

/// One that is `decides` decides for all; else one that is unknown has all be so.
fn joined(parts: &[Part], known: &Known<'_>, decides: bool) -> Result<Option<bool>, Thrown> {
    let mut whole = Some(!decides);
    for part in parts {
        match eval(part, known)?.truth()? {
            Some(truth) if truth == decides => return Ok(Some(decides)),
            Some(_) => {}
            None => whole = None,
        }
    }
    Ok(whole)
}

const fn negated(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Int(number) => Value::Int(number.wrapping_neg()),
        Value::Long(number) => Value::Long(number.wrapping_neg()),
        Value::Double(number) => Value::Double(-number),
        Value::Null | Value::Truth(_) | Value::Text(_) => Value::Null,
    }
}

fn holds(order: Order, found: Ordering) -> bool {
    match order {
        Order::Less => found.is_lt(),
        Order::LessOrEqual => found.is_le(),
        Order::Greater => found.is_gt(),
        Order::GreaterOrEqual => found.is_ge(),
    }
}

/// Nothing is searched for an empty text, nor in what is no text: that is false, with `NOT` too.
fn searched(of: &Value<'_>, search: Search, text: &str, is: bool) -> bool {
    let Value::Text(of) = of else { return false };
    let found = match search {
        Search::Contains => of.contains(text),
        Search::Starts => of.starts_with(text),
        Search::Ends => of.ends_with(text),
    };
    !text.is_empty() && found == is
}

#[cfg(test)]
mod tests;
