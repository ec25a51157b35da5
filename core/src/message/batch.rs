//! The body of a batch send (code 320): several messages of one topic, one behind the other.
//!
//! The same form is stored as one record in batch queues; see
//! [`RecordList::cut`](super::RecordList::cut).

use super::properties::Properties;
use super::record::bytes_at;

/// Bytes of an element beside its body and properties.
pub(super) const FIXED: usize = 22;

/// Why an element of a batch can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The element's size can't be true.
    #[error("element {index}, at byte {at}, says it has {found} bytes, where {left} are left")]
    Size {
        /// Which element, from 0.
        index: usize,
        /// Where it begins in the batch.
        at: usize,
        /// The size field; 0 when not even that is there.
        found: u32,
        /// Bytes left.
        left: usize,
    },
    /// The body or the properties would end behind the element.
    #[error("element {index}, at byte {at}, has a length of {found} where {left} bytes are left")]
    Length {
        /// Which element, from 0.
        index: usize,
        /// Where it begins in the batch.
        at: usize,
        /// The length of the body or of the properties, unsigned.
        found: u32,
        /// Bytes left in the element.
        left: usize,
    },
    /// To be written, the element has a body or properties longer than their length can say.
    #[error("the element has {body} bytes of body and {properties} of properties")]
    TooLong {
        /// Bytes of body; less than 2 GiB fit.
        body: usize,
        /// Bytes of properties; 32,767 fit.
        properties: usize,
    },
}

/// One message of a batch, where it lies. The topic, and all else, is that of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batched<'a> {
    /// The producer's own 32 bits.
    pub flag: i32,
    /// The body, never compressed.
    pub body: &'a [u8],
    /// The properties.
    pub properties: Properties<'a>,
}

impl<'a> Batched<'a> {
    /// Appends the element as brokers and Java clients read it (`MessageDecoder.encodeMessage`).
    /// The properties must already hold the message's `UNIQ_KEY`.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), BatchError> {
        self.encode_with(&[], out)
    }

    /// As [`encode_into`](Self::encode_into), with `more` properties behind its own.
    pub(super) fn encode_with(&self, more: &[u8], out: &mut Vec<u8>) -> Result<(), BatchError> {
        let own = self.properties.as_bytes();
        let properties = own.len() + more.len();
        let size = FIXED + self.body.len() + properties;
        let (Ok(length), Ok(total)) = (i16::try_from(properties), i32::try_from(size)) else {
            return Err(BatchError::TooLong { body: self.body.len(), properties });
        };
        out.reserve(size);
        out.extend_from_slice(&total.to_be_bytes());
        // Magic number and checksum: the broker writes its own.
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&self.flag.to_be_bytes());
        out.extend_from_slice(&(self.body.len() as u32).to_be_bytes());
        out.extend_from_slice(self.body);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(own);
        out.extend_from_slice(more);
        Ok(())
    }
}

/// Reads the messages of a batch body, each cut by its own size, and ends after the first error:
/// behind an element that lies about its size nothing can be found.
#[derive(Clone, Debug)]
pub struct BatchBody<'a> {
    whole: &'a [u8],
    at: usize,
    index: usize,
}

impl<'a> BatchBody<'a> {
    /// Any bytes will do.
    pub const fn new(body: &'a [u8]) -> Self {
        Self { whole: body, at: 0, index: 0 }
    }

    /// The bytes not read yet: from the element that could not be read, after an error.
    pub fn rest(&self) -> &'a [u8] {
        &self.whole[self.at..]
    }

    fn read(&self) -> Result<(Batched<'a>, usize), BatchError> {
        let (index, at, rest) = (self.index, self.at, self.rest());
        let found = bytes_at(rest, 0).map_or(0, u32::from_be_bytes);
        let size = found as usize;
        let raw = rest.get(..size).filter(|raw| raw.len() >= FIXED);
        let raw = raw.ok_or(BatchError::Size { index, at, found, left: rest.len() })?;
        let flag = bytes_at(raw, 12).map_or(0, i32::from_be_bytes);
        let found = bytes_at(raw, 16).map_or(0, u32::from_be_bytes);
        let behind = &raw[20..];
        let left = behind.len() - 2;
        let too_long = |found, left| BatchError::Length { index, at, found, left };
        if found as usize > left {
            return Err(too_long(found, left));
        }
        let (body, behind) = behind.split_at(found as usize);
        let found = bytes_at(behind, 0).map_or(0, u16::from_be_bytes);
        let properties = behind[2..].get(..usize::from(found));
        let properties = properties.ok_or(too_long(found.into(), behind.len() - 2))?;
        Ok((Batched { flag, body, properties: Properties::new(properties) }, size))
    }
}

impl<'a> Iterator for BatchBody<'a> {
    type Item = Result<Batched<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        // `usize::MAX` elements don't fit into memory: it marks that an error was given.
        if self.at == self.whole.len() || self.index == usize::MAX {
            return None;
        }
        match self.read() {
            Ok((message, size)) => {
                self.at += size;
                self.index += 1;
                Some(Ok(message))
            }
            Err(error) => {
                self.index = usize::MAX;
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(flag: i32, body: &[u8], properties: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let properties = Properties::new(properties);
        Batched { flag, body, properties }.encode_into(&mut out).unwrap();
        out
    }

    #[test]
    fn messages_come_back_in_order() {
        let body = [element(1, b"one", b"A\x01a\x02"), element(-2, b"", b"")].concat();
        let read: Vec<_> = BatchBody::new(&body).map(Result::unwrap).collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].flag, read[0].body), (1, &b"one"[..]));
        assert_eq!(read[0].properties.get("A"), Some("a"));
        assert_eq!((read[1].flag, read[1].body), (-2, &b""[..]));
        assert_eq!(BatchBody::new(b"").count(), 0);
    }

    #[test]
    fn bad_14_an_element_that_lies_is_named_and_ends_the_batch() {
        let good = element(1, b"one", b"");
        for size in [0, 21, 26, u32::MAX] {
            let mut bad = element(2, b"two", b"");
            bad[..4].copy_from_slice(&size.to_be_bytes());
            let body = [&good[..], &bad].concat();
            let mut batch = BatchBody::new(&body);
            assert!(batch.next().unwrap().is_ok());
            let error = BatchError::Size { index: 1, at: 25, found: size, left: 25 };
            assert_eq!(batch.next(), Some(Err(error)));
            assert_eq!((batch.next(), batch.rest()), (None, &bad[..]));
        }
        let mut bad = good.clone();
        bad[19] = 4;
        let error = BatchError::Length { index: 0, at: 0, found: 4, left: 3 };
        assert_eq!(BatchBody::new(&bad).next(), Some(Err(error)));
        let mut bad = good;
        bad[24] = 1;
        let error = BatchError::Length { index: 0, at: 0, found: 1, left: 0 };
        assert_eq!(BatchBody::new(&bad).next(), Some(Err(error)));
    }

    #[test]
    fn properties_longer_than_their_length_can_say_are_refused() {
        let properties = vec![b'x'; 32_768];
        let message = Batched { flag: 0, body: b"x", properties: Properties::new(&properties) };
        let refused = message.encode_into(&mut Vec::new());
        assert_eq!(refused, Err(BatchError::TooLong { body: 1, properties: 32_768 }));
    }
}
