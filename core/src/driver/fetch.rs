//! One page by HTTP/1.1, byte for byte: what to write, and what came. No connection is kept, no
//! redirect followed, nothing longer than [`PAGE_MAX`] read.

use std::io;

use bytes::Bytes;

use crate::fetch::{FetchError, PAGE_MAX, Url};

/// Longest status line and headers.
const HEAD_MAX: usize = 16 << 10;
/// Headers of one answer.
const HEADERS: usize = 64;

/// How an answer's body ends.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// After so many bytes.
    Length(usize),
    /// After the last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// The request for a page, to be written whole.
pub fn request(url: &Url) -> Vec<u8> {
    let (path, host, version) = (url.path(), url.host(), env!("CARGO_PKG_VERSION"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: rocketry/{version}\r\n\
         Accept: text/plain, */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    );
    request.into_bytes()
}

/// The answer, as far as it has come.
#[derive(Debug, Default)]
pub struct Download {
    /// What has come and is not read yet: the head, then the rest of the body.
    bytes: Vec<u8>,
    body: Option<Body>,
    /// Chunks that are whole.
    page: Vec<u8>,
}

impl Download {
    /// Takes bytes in. The page, once it is whole.
    ///
    /// # Errors
    ///
    /// When the answer is no page: the connection is of no further use.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<Bytes>, FetchError> {
        self.bytes.extend_from_slice(bytes);
        while self.body.is_none() {
            if !self.head()? {
                return Ok(None);
            }
        }
        match self.body {
            Some(Body::Length(length)) if self.bytes.len() >= length => {
                self.bytes.truncate(length);
                Ok(Some(std::mem::take(&mut self.bytes).into()))
            }
            Some(Body::Chunked) => self.chunks(),
            Some(Body::Length(_) | Body::UntilClose) | None if self.bytes.len() > PAGE_MAX => {
                Err(FetchError::TooLong(PAGE_MAX))
            }
            Some(Body::Length(_) | Body::UntilClose) | None => Ok(None),
        }
    }

    /// The connection has ended: the page, if that was its end.
    ///
    /// # Errors
    ///
    /// When something is missing.
    pub fn end(&mut self) -> Result<Bytes, FetchError> {
        match self.body {
            Some(Body::UntilClose) => Ok(std::mem::take(&mut self.bytes).into()),
            Some(Body::Length(_) | Body::Chunked) | None => Err(FetchError::Short),
        }
    }

    /// Reads the head, if it is whole, and takes it out; one that only says that another one comes
    /// is passed over.
    fn head(&mut self) -> Result<bool, FetchError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(&self.bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if self.bytes.len() > HEAD_MAX => {
                return Err(FetchError::TooLong(HEAD_MAX));
            }
            Ok(httparse::Status::Partial) => return Ok(false),
            Err(error) => return Err(FetchError::NotHttp(error.to_string().into())),
        };
        let status = head.code.unwrap_or_default();
        let value = |name: &str| {
            let found = head.headers.iter().find(|one| one.name.eq_ignore_ascii_case(name));
            found.map(|one| String::from_utf8_lossy(one.value).trim().to_owned())
        };
        let body = match (status, value("location")) {
            (100..=199, _) => None,
            (200, _) => Some(body_of(value("transfer-encoding"), value("content-length"))?),
            (300..=399, Some(to)) => {
                let to = to.chars().take(256).collect::<String>().into();
                return Err(FetchError::Moved { status, to });
            }
            (_, _) => {
                let reason = head.reason.unwrap_or_default().into();
                return Err(FetchError::Status { status, reason });
            }
        };
        self.body = body;
        self.bytes.drain(..length);
        Ok(true)
    }

    /// Takes whole chunks out.
    fn chunks(&mut self) -> Result<Option<Bytes>, FetchError> {
        loop {
            let (start, size) = match httparse::parse_chunk_size(&self.bytes) {
                Ok(httparse::Status::Complete(found)) => found,
                Ok(httparse::Status::Partial) if self.bytes.len() > HEAD_MAX => {
                    return Err(FetchError::TooLong(HEAD_MAX));
                }
                Ok(httparse::Status::Partial) => return Ok(None),
                Err(_) => return Err(FetchError::NotHttp("invalid chunk size".into())),
            };
            // What may follow the last chunk is of no use here.
            if size == 0 {
                return Ok(Some(std::mem::take(&mut self.page).into()));
            }
            let room = (PAGE_MAX - self.page.len()) as u64;
            let size = usize::try_from(size.min(room + 1)).unwrap_or(usize::MAX);
            if size as u64 > room {
                return Err(FetchError::TooLong(PAGE_MAX));
            }
            let Some(chunk) = self.bytes.get(start..start + size + 2) else { return Ok(None) };
            if !chunk.ends_with(b"\r\n") {
                return Err(FetchError::NotHttp("a chunk is longer than it says".into()));
            }
            self.page.extend_from_slice(&chunk[..size]);
            self.bytes.drain(..start + size + 2);
        }
    }
}

/// How the body ends, as the headers say.
fn body_of(encoding: Option<String>, length: Option<String>) -> Result<Body, FetchError> {
    match (encoding, length) {
        (Some(encoding), _) if encoding.eq_ignore_ascii_case("chunked") => Ok(Body::Chunked),
        (Some(encoding), _) => {
            let why = format!("transfer encoding {encoding:.64} is not known");
            Err(FetchError::NotHttp(why.into()))
        }
        (None, Some(length)) => {
            let length = length.bytes().all(|byte| byte.is_ascii_digit()).then_some(length);
            match length.map(|length| length.parse::<usize>()) {
                Some(Ok(length)) if length <= PAGE_MAX => Ok(Body::Length(length)),
                Some(_) => Err(FetchError::TooLong(PAGE_MAX)),
                None => Err(FetchError::NotHttp("invalid content length".into())),
            }
        }
        (None, None) => Ok(Body::UntilClose),
    }
}

impl Download {
    /// As [`read`](Self::read), or as [`end`](Self::end) where nothing was read: for loops that
    /// have just read into `bytes`.
    ///
    /// # Errors
    ///
    /// As theirs, and what the read itself failed with.
    pub fn step(&mut self, read: io::Result<&[u8]>) -> Result<Option<Bytes>, FetchError> {
        match read {
            Ok([]) => self.end().map(Some),
            Ok(bytes) => self.read(bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an answer in pieces of each length.
    fn read(answer: &str) -> Result<String, FetchError> {
        let all = |piece: usize| {
            let mut download = Download::default();
            for bytes in answer.as_bytes().chunks(piece) {
                if let Some(page) = download.read(bytes)? {
                    return Ok(page);
                }
            }
            download.end()
        };
        let whole = all(answer.len().max(1));
        for piece in 1..answer.len().min(64) {
            assert_eq!(all(piece), whole, "in pieces of {piece}");
        }
        whole.map(|page| String::from_utf8_lossy(&page).into_owned())
    }

    #[test]
    fn a_page_ends_by_its_length_by_its_last_chunk_or_with_the_connection() {
        let page = Ok("a:1;b:2".to_owned());
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\na:1;b:2 and more"), page);
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(read(&format!("{head}3\r\na:1\r\n4;x=y\r\n;b:2\r\n0\r\nA: b\r\n\r\n")), page);
        assert_eq!(read("HTTP/1.0 200 OK\r\n\r\na:1;b:2"), page);
        assert_eq!(read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\na:1;b:2"), page);
    }

    #[test]
    fn what_is_no_page_says_why() {
        let moved = read("HTTP/1.1 302 Found\r\nLocation: http://other/x\r\n\r\n");
        assert_eq!(moved, Err(FetchError::Moved { status: 302, to: "http://other/x".into() }));
        let missing = read("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(missing, Err(FetchError::Status { status: 404, reason: "Not Found".into() }));
        assert!(matches!(read("SSH-2.0-OpenSSH\r\n"), Err(FetchError::NotHttp(_))));
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na:1"), Err(FetchError::Short));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(&format!("{chunked}3\r\na:1\r\n")), Err(FetchError::Short));
        let longer = "3\r\na:1;;4\r\n;b:2\r\n0\r\n\r\n";
        for wrong in ["x\r\n", "3\r\na:1;b:2\r\n", longer] {
            assert!(matches!(read(&format!("{chunked}{wrong}")), Err(FetchError::NotHttp(_))));
        }
        let odd = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n";
        assert!(matches!(read(odd), Err(FetchError::NotHttp(_))));
    }

    #[test]
    fn nothing_longer_than_the_limit_is_kept() {
        let long = "x".repeat(PAGE_MAX + 1);
        let too_long = Err(FetchError::TooLong(PAGE_MAX));
        let length = "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n";
        assert_eq!(read(length), too_long);
        assert_eq!(
            read("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
            too_long
        );
        let mut download = Download::default();
        let begun = download.read(format!("HTTP/1.1 200 OK\r\n\r\n{long}").as_bytes());
        assert_eq!(begun, Err(FetchError::TooLong(PAGE_MAX)));
        let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n";
        assert_eq!(read(chunk), too_long);
        let huge = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n";
        assert_eq!(read(huge), too_long);
        let mut download = Download::default();
        let head = download.read(format!("HTTP/1.1 200 OK\r\nA: {long}").as_bytes());
        assert_eq!(head, Err(FetchError::TooLong(HEAD_MAX)));
    }

    #[test]
    fn the_request_names_host_and_path() {
        let url = Url::parse("http://[::1]:8080/rocketmq/nsaddr-blue?nofix=1").unwrap();
        let text = String::from_utf8(request(&url)).unwrap();
        assert!(text.starts_with("GET /rocketmq/nsaddr-blue?nofix=1 HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("\r\nHost: [::1]:8080\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    }
}
