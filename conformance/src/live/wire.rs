//! One request and its answer by hand: the tool that sets brokers up must not lean on the client
//! that is tested against them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::{Map, Value, json};

/// The longest wait for each step of a call.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer longer than this is not one to our questions.
const LONGEST: usize = 16 << 20;
/// `MQVersion.Version.V5_3_3`; routes are plain JSON for clients from 4.9.4 on.
const VERSION: i32 = 479;

/// What the peer answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The response code, 0 for success.
    pub(super) code: i64,
    /// Why not, in the peer's words.
    pub(super) remark: String,
    pub(super) body: Vec<u8>,
    /// The peer's version, an ordinal of `MQVersion.Version`.
    pub(super) version: Option<i64>,
}

impl Answer {
    /// The code and the remark, for an error.
    pub(super) fn said(&self) -> String {
        format!("code {} {}", self.code, self.remark)
    }
}

/// Sends one request over a connection of its own and waits for the answer.
pub(super) fn call(address: &str, code: i32, fields: &[(&str, &str)]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&resolve(address)?, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&encode(code, fields))?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).map_err(hung_up)?;
    let length = u32::from_be_bytes(length) as usize;
    if !(4..=LONGEST).contains(&length) {
        return Err(invalid("the answer's length"));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).map_err(hung_up)?;
    decode(&frame)
}

fn resolve(address: &str) -> io::Result<SocketAddr> {
    address.to_socket_addrs()?.next().ok_or_else(|| invalid("the address"))
}

fn encode(code: i32, fields: &[(&str, &str)]) -> Vec<u8> {
    let pairs: Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let header = json!({
        "code": code, "flag": 0, "language": "OTHER", "opaque": 1,
        "serializeTypeCurrentRPC": "JSON", "version": VERSION, "extFields": pairs,
    })
    .to_string();
    // A header of ours is far below 16 MiB, so the first byte stays 0: JSON.
    let header_length = u32::try_from(header.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(8 + header.len());
    frame.extend(header_length.saturating_add(4).to_be_bytes());
    frame.extend(header_length.to_be_bytes());
    frame.extend(header.as_bytes());
    frame
}

/// `frame` is what follows the length.
fn decode(frame: &[u8]) -> io::Result<Answer> {
    let (word, rest) = frame.split_first_chunk::<4>().ok_or_else(|| invalid("the answer"))?;
    let [kind, a, b, c] = *word;
    let header_length = u32::from_be_bytes([0, a, b, c]) as usize;
    let (header, body) =
        rest.split_at_checked(header_length).ok_or_else(|| invalid("the header's length"))?;
    if kind != 0 {
        return Err(invalid("the header's form"));
    }
    let header: Value = serde_json::from_slice(header)?;
    Ok(Answer {
        code: header.get("code").and_then(Value::as_i64).ok_or_else(|| invalid("the code"))?,
        remark: header.get("remark").and_then(Value::as_str).unwrap_or_default().to_owned(),
        body: body.to_vec(),
        version: header.get("version").and_then(Value::as_i64),
    })
}

/// Brokers that want TLS hang up, for one.
fn hung_up(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "it hung up without an answer"),
        _ => error,
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{what} makes no sense"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_length_header_and_fields() {
        let frame = encode(105, &[("topic", "orders")]);
        assert_eq!(
            u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize,
            frame.len() - 4
        );
        let header: Value = serde_json::from_slice(&frame[8..]).expect("JSON");
        assert_eq!(header["code"], 105);
        assert_eq!(header["extFields"]["topic"], "orders");
    }

    #[test]
    fn an_answer_is_read_or_refused() {
        let mut frame = vec![0, 0, 0, 24];
        frame.extend(br#"{"code":17,"remark":"a"}"#);
        frame.extend(b"body");
        let answer = decode(&frame).expect("an answer");
        assert_eq!(
            (answer.code, answer.remark.as_str(), answer.body.as_slice()),
            (17, "a", &b"body"[..])
        );
        for broken in [&frame[..3], &frame[..20], &[1, 0, 0, 0][..], &[0, 0, 0, 2, b'{', b'}'][..]]
        {
            assert!(decode(broken).is_err());
        }
    }
}
