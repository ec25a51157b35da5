//! Expressions read as the broker's grammar has them (`SelectorParser.jj`), with what its classes
//! refuse when they are made.

use super::token::{Token, Words};
use super::value::{Value, double, greater};

/// So deep may an expression be nested. Java's stack takes some thousand parentheses.
const DEPTH: u32 = 200;

/// Why a text is no expression: one reason for all, as brokers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invalid;

type Read<T> = Result<T, Invalid>;

/// A constant that stands in an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    Null,
    Truth(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    Text(String),
}

impl Constant {
    pub(super) const fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Truth(truth) => Value::Truth(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Long(number) => Value::Long(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Text(text) => Value::Text(text.as_str()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    Contains,
    Starts,
    Ends,
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Constant(Constant),
    Property(String),
    Negated(Box<Part>),
    Equal(Box<Part>, Box<Part>),
    Compared(Order, Box<Part>, Box<Part>),
    /// Whether the first one is from the second one to the third one, or is not.
    Between {
        parts: Box<[Part; 3]>,
        is: bool,
    },
    /// Whether the text is in what is left of it, or is not.
    Searched {
        of: Box<Part>,
        search: Search,
        text: String,
        is: bool,
    },
    /// Whether the property is one of them, or is not.
    OneOf {
        name: String,
        list: Vec<String>,
        is: bool,
    },
    Not(Box<Part>),
    /// A property where a truth is needed.
    Cast(Box<Part>),
    All(Vec<Part>),
    Any(Vec<Part>),
}

impl Part {
    /// What can stand where a truth is needed (`asBooleanExpression`).
    fn into_truth(self) -> Read<Self> {
        match self {
            Self::Property(_) => Ok(Self::Cast(Box::new(self))),
            _ if self.is_truth() => Ok(self),
            _ => Err(Invalid),
        }
    }

    /// A `BooleanExpression`.
    const fn is_truth(&self) -> bool {
        match self {
            Self::Constant(constant) => matches!(constant, Constant::Null | Constant::Truth(_)),
            Self::Property(_) | Self::Negated(_) => false,
            _ => true,
        }
    }

    /// Whether it can be less or greater than something (`checkLessThanOperand`).
    fn orders(self) -> Read<Self> {
        let number = matches!(
            self,
            Self::Constant(Constant::Int(_) | Constant::Long(_) | Constant::Double(_))
        );
        let constant = matches!(self, Self::Constant(_));
        if if constant { number } else { !self.is_truth() } { Ok(self) } else { Err(Invalid) }
    }

    fn compared(order: Order, left: Self, right: Self) -> Read<Self> {
        Ok(Self::Compared(order, Box::new(left.orders()?), Box::new(right.orders()?)))
    }

    fn equal(left: Self, right: Self) -> Read<Self> {
        match (&left, &right) {
            (Self::Constant(Constant::Null), _) | (_, Self::Constant(Constant::Null)) => {
                return Err(Invalid);
            }
            (Self::Constant(_), Self::Constant(_)) if left.is_truth() && !right.is_truth() => {
                return Err(Invalid);
            }
            _ => {}
        }
        Ok(Self::Equal(Box::new(left), Box::new(right)))
    }

    fn null(of: Self) -> Self {
        Self::Equal(Box::new(of), Box::new(Self::Constant(Constant::Null)))
    }

    /// `is`: two constants have to be in order.
    fn between(of: Self, low: Self, high: Self, is: bool) -> Read<Self> {
        if let (true, Self::Constant(low), Self::Constant(high)) = (is, &low, &high)
            && greater(&low.value(), &high.value()).map_err(|_| Invalid)?
        {
            return Err(Invalid);
        }
        let parts = Box::new([of.orders()?, low.orders()?, high.orders()?]);
        Ok(Self::Between { parts, is })
    }
}

/// Reads a whole expression. As in Java nothing has to end where it does: what follows is not
/// looked at, but for its first word.
pub(super) fn parse(text: &str, searches: bool) -> Read<Part> {
    let mut words = Words::new(text, searches);
    let next = words.next().ok_or(Invalid)?;
    Parser { words, next, depth: 0, height: 0 }.any()?.into_truth()
}

struct Parser<'a> {
    words: Words<'a>,
    next: Token,
    /// How deep it is in the expression.
    depth: u32,
    /// How high the part is that was read last.
    height: u32,
}

impl Parser<'_> {
    fn take(&mut self) -> Read<Token> {
        let next = self.words.next().ok_or(Invalid)?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Takes that word or sign, if it is next.
    fn takes(&mut self, token: &Token) -> Read<bool> {
        let is = self.next == *token;
        if is {
            self.take()?;
        }
        Ok(is)
    }

    fn word(&mut self, word: &'static str) -> Read<bool> {
        self.takes(&Token::Word(word))
    }

    fn sign(&mut self, sign: &'static str) -> Read<bool> {
        self.takes(&Token::Sign(sign))
    }

    fn must(&self, taken: bool) -> Read<()> {
        if taken { Ok(()) } else { Err(Invalid) }
    }

    /// What was read last, and something of that height, are put into one.
    fn wrap(&mut self, height: u32) -> Read<u32> {
        self.height = self.height.max(height) + 1;
        self.must(self.height <= DEPTH)?;
        Ok(self.height)
    }

    fn any(&mut self) -> Read<Part> {
        let first = self.all()?;
        if self.next != Token::Word("OR") {
            return Ok(first);
        }
        let (mut parts, mut height) = (vec![first.into_truth()?], self.height);
        while self.word("OR")? {
            parts.push(self.all()?.into_truth()?);
            height = height.max(self.height);
        }
        self.wrap(height)?;
        Ok(Part::Any(parts))
    }

    fn all(&mut self) -> Read<Part> {
        let first = self.equality()?;
        if self.next != Token::Word("AND") {
            return Ok(first);
        }
        let (mut parts, mut height) = (vec![first.into_truth()?], self.height);
        while self.word("AND")? {
            parts.push(self.equality()?.into_truth()?);
            height = height.max(self.height);
        }
        self.wrap(height)?;
        Ok(Part::All(parts))
    }

    fn equality(&mut self) -> Read<Part> {
        let mut left = self.comparison()?;
        let mut height = self.height;
        loop {
            left = if self.sign("=")? {
                Part::equal(left, self.comparison()?)?
            } else if self.sign("<>")? {
                Part::Not(Box::new(Part::equal(left, self.comparison()?)?))
            } else if self.word("IS")? {
                let not = self.word("NOT")?;
                let null = self.word("NULL")?;
                self.must(null)?;
                let null = Part::null(left);
                if not { Part::Not(Box::new(null)) } else { null }
            } else {
                self.height = height;
                return Ok(left);
            };
            height = self.wrap(height)?;
        }
    }

    fn comparison(&mut self) -> Read<Part> {
        let mut left = self.unary()?;
        let mut height = self.height;
        loop {
            let next = match &self.next {
                Token::Sign(sign) => order(sign),
                _ => None,
            };
            left = if let Some(order) = next {
                self.take()?;
                Part::compared(order, left, self.unary()?)?
            } else {
                let is = !self.word("NOT")?;
                match self.tested(left, is)? {
                    Ok(tested) => tested,
                    Err(left) => {
                        self.must(is)?;
                        self.height = height;
                        return Ok(left);
                    }
                }
            };
            height = self.wrap(height)?;
        }
    }

    /// What is said of `left` by a word, if one is next.
    fn tested(&mut self, left: Part, is: bool) -> Read<Result<Part, Part>> {
        let search = match &self.next {
            Token::Word("CONTAINS") => Some(Search::Contains),
            Token::Word("STARTSWITH") => Some(Search::Starts),
            Token::Word("ENDSWITH") => Some(Search::Ends),
            _ => None,
        };
        if let Some(search) = search {
            self.take()?;
            let (of, text) = (Box::new(left), self.text()?);
            return Ok(Ok(Part::Searched { of, search, text, is }));
        }
        if self.word("BETWEEN")? {
            let low = self.unary()?;
            let and = self.word("AND")?;
            self.must(and)?;
            let high = self.unary()?;
            return Part::between(left, low, high, is).map(Ok);
        }
        if !self.word("IN")? {
            return Ok(Err(left));
        }
        let list = self.list()?;
        match left {
            Part::Property(name) => Ok(Ok(Part::OneOf { name, list, is })),
            _ => Err(Invalid),
        }
    }

    fn list(&mut self) -> Read<Vec<String>> {
        let begun = self.sign("(")?;
        self.must(begun)?;
        let mut list = vec![self.text()?];
        while self.sign(",")? {
            list.push(self.text()?);
        }
        let ended = self.sign(")")?;
        self.must(ended)?;
        Ok(list)
    }

    fn text(&mut self) -> Read<String> {
        match self.take()? {
            Token::Text(text) => Ok(text),
            _ => Err(Invalid),
        }
    }

    fn unary(&mut self) -> Read<Part> {
        self.depth += 1;
        self.must(self.depth <= DEPTH)?;
        let read = if self.sign("+")? {
            self.unary()?
        } else if self.sign("-")? {
            let negated = Part::Negated(Box::new(self.unary()?));
            self.wrap(0)?;
            negated
        } else if self.word("NOT")? {
            let not = Part::Not(Box::new(self.unary()?.into_truth()?));
            self.wrap(0)?;
            not
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(read)
    }

    fn primary(&mut self) -> Read<Part> {
        self.height = 1;
        let constant = match self.take()? {
            Token::Name(name) => return Ok(Part::Property(name)),
            Token::Sign("(") => {
                let inner = self.any()?;
                let closed = self.sign(")")?;
                return self.must(closed).map(|()| inner);
            }
            Token::Text(text) => Constant::Text(text),
            Token::Whole(digits) => whole(&digits)?,
            Token::Float(digits) => float(&digits)?,
            Token::Word("TRUE") => Constant::Truth(true),
            Token::Word("FALSE") => Constant::Truth(false),
            Token::Word("NULL") => Constant::Null,
            Token::Word(_) | Token::Sign(_) | Token::End => return Err(Invalid),
        };
        Ok(Part::Constant(constant))
    }
}

fn order(sign: &str) -> Option<Order> {
    Some(match sign {
        "<" => Order::Less,
        "<=" => Order::LessOrEqual,
        ">" => Order::Greater,
        ">=" => Order::GreaterOrEqual,
        _ => return None,
    })
}

/// `createFromDecimal`: what is no `long` is refused.
fn whole(digits: &str) -> Read<Constant> {
    let number: i64 = digits.parse().map_err(|_| Invalid)?;
    Ok(i32::try_from(number).map_or(Constant::Long(number), Constant::Int))
}

/// `createFloat`: zero is less than `Double.MIN_VALUE`, and so refused.
fn float(digits: &str) -> Read<Constant> {
    let number = double(digits).filter(|number| number.is_finite() && *number > 0.0);
    number.map(Constant::Double).ok_or(Invalid)
}
