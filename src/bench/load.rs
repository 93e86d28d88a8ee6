//! Sends requests over plain sockets and takes the time of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Error;

/// Connections that send at the same time.
pub(super) const CONNECTIONS: usize = 16;

/// Writes one request: into the buffer, the `n`th of all, on this connection.
pub(super) type Write = dyn Fn(&mut Vec<u8>, u64, usize) + Send + Sync;

/// One kind of request to one server.
pub(super) struct Aim {
    pub port: u16,
    write: Box<Write>,
    next: AtomicU64,
    /// After how many there is nobody left to ask about.
    most: u64,
}

impl Aim {
    pub fn new(port: u16, write: impl Fn(&mut Vec<u8>, u64, usize) + Send + Sync + 'static) -> Arc<Self> {
        Self::at_most(u64::MAX, port, write)
    }

    /// A kind of which only so many can be sent.
    pub fn at_most(
        most: u64,
        port: u16,
        write: impl Fn(&mut Vec<u8>, u64, usize) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (write, next) = (Box::new(write), AtomicU64::new(0));
        Arc::new(Self {
            port,
            write,
            next,
            most,
        })
    }

    /// Whether only few can be sent.
    pub const fn is_scarce(&self) -> bool {
        self.most < 20_000
    }

    /// The number of the next request, if there may be one.
    fn take(&self) -> Option<u64> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        (n < self.most).then_some(n)
    }
}

/// What was found of one kind of request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    /// Answers a second.
    pub per_second: f64,
    /// Half of the answers took no longer, in milliseconds.
    pub median_ms: f64,
    /// 99 of 100 answers took no longer, in milliseconds.
    pub p99_ms: f64,
}

/// Sends for a time over all connections. An answer that is no success is a failure of the measurement.
pub(super) async fn send(aim: &Arc<Aim>, time: Duration) -> Result<Found, Error> {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|number| tokio::spawn(one_connection(Arc::clone(aim), number, begun, time)))
        .collect();
    let mut took: Vec<u32> = Vec::new();
    for task in tasks {
        took.extend(task.await??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: usize| -> f64 {
        let place = took.len().saturating_mul(share) / 100;
        took.get(place)
            .or(took.last())
            .map_or(0.0, |micros| f64::from(*micros) / 1e3)
    };
    let answers = u32::try_from(took.len()).map_or(0.0, f64::from);
    Ok(Found {
        per_second: answers / seconds,
        median_ms: at(50),
        p99_ms: at(99),
    })
}

async fn one_connection(
    aim: Arc<Aim>,
    number: usize,
    begun: Instant,
    time: Duration,
) -> Result<Vec<u32>, Error> {
    let mut connection = Connection::to(aim.port).await?;
    let mut took = Vec::new();
    while begun.elapsed() < time {
        let at = Instant::now();
        if !connection.ask(&aim, number).await? {
            break;
        }
        took.push(u32::try_from(at.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(took)
}

/// A connection that is kept.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    into: Vec<u8>,
}

impl Connection {
    pub async fn to(port: u16) -> Result<Self, Error> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (out, into) = (Vec::with_capacity(4_096), Vec::with_capacity(65_536));
        Ok(Self { stream, out, into })
    }

    /// Sends the next request and reads the answer to its end; `false` when there is none to send.
    pub async fn ask(&mut self, aim: &Aim, number: usize) -> Result<bool, Error> {
        let Some(n) = aim.take() else {
            return Ok(false);
        };
        self.out.clear();
        (aim.write)(&mut self.out, n, number);
        self.stream.write_all(&self.out).await?;
        self.into.clear();
        let (head, length) = loop {
            if let Some(known) = head(&self.into)? {
                break known;
            }
            self.more().await?;
        };
        while self.into.len() < head.saturating_add(length) {
            self.more().await?;
        }
        if self.into.get(9) == Some(&b'2') {
            return Ok(true);
        }
        let said = String::from_utf8_lossy(&self.into).into_owned();
        let asked = String::from_utf8_lossy(&self.out);
        let asked = asked.lines().next().unwrap_or_default();
        Err(Error::Wrong(format!("{asked} was answered with {said}")))
    }

    /// The body of the last answer.
    pub fn body(&self) -> &[u8] {
        let end = head(&self.into).ok().flatten().map_or(0, |(end, _)| end);
        self.into.get(end..).unwrap_or_default()
    }

    async fn more(&mut self) -> Result<(), Error> {
        match self.stream.read_buf(&mut self.into).await? {
            0 => Err(Error::Wrong("the server ended a connection".to_owned())),
            _ => Ok(()),
        }
    }
}

/// Where the body begins and how long it is, once the head of an answer is there.
fn head(answer: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(answer.get(..end).unwrap_or_default());
    let mut length = 0;
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Error::Wrong("an answer came in chunks".to_owned()));
        }
    }
    Ok(Some((end.saturating_add(4), length)))
}

#[cfg(test)]
mod tests {
    use super::head;

    #[test]
    fn the_head_of_an_answer_is_read() {
        assert_eq!(head(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap(), None);
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello";
        assert_eq!(head(whole).unwrap(), Some((39, 12)));
        assert_eq!(head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), Some((27, 0)));
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
