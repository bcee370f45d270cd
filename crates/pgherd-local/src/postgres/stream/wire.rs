//! As much of PostgreSQL's protocol as a backup needs: one user who is who the system says, simple queries, copies out.

use std::io::{self, BufReader, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const VERSION: u32 = 3 << 16;
/// What a server sends at once is 32 KiB at the most, except for an error or a notice.
const LONGEST_MESSAGE_BYTES: usize = 16 << 20;
const BUFFER_BYTES: usize = 256 << 10;
/// So much is sent at once.
const PIECE_BYTES: usize = 64 << 10;
/// A server that says nothing for so long hangs. The checkpoint that a backup begins with is the longest it is silent for.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// A connection.
#[derive(Debug)]
pub struct Wire {
    from: BufReader<UnixStream>,
    /// The process that serves it.
    pub server_pid: Option<i32>,
    /// Whether it is 15 or later, where pieces of a copy say what they are, and can be compressed.
    pub is_new: bool,
}

/// What matters of what a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A copy follows.
    CopyBegins,
    /// A piece of it.
    CopyData,
    /// No more of it.
    CopyEnds,
    /// A table: no copy follows any more.
    Rows,
}

/// A row of text.
pub type Row = Vec<Option<String>>;

impl Wire {
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        Ok(Self { from: BufReader::with_capacity(BUFFER_BYTES, stream), server_pid: None, is_new: false })
    }

    pub fn handle(&self) -> io::Result<UnixStream> {
        self.from.get_ref().try_clone()
    }

    /// Says who we are; the system confirms it.
    pub fn start(&mut self, user: &str) -> io::Result<()> {
        let mut body = VERSION.to_be_bytes().to_vec();
        let words = ["user", user, "replication", "true", "application_name", "pgherd", "client_encoding", "UTF8"];
        for word in words {
            body.extend(word.as_bytes());
            body.push(0);
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
        let all = [length.to_be_bytes().as_slice(), &body].concat();
        self.from.get_mut().write_all(&all)?;
        let mut body = Vec::new();
        loop {
            match self.message(&mut body)? {
                b'R' if body != [0; 4] => return Err(io::Error::other("the server asks for a password")),
                b'K' => {
                    let pid = body.get(..4).and_then(|pid| pid.try_into().ok()).map(i32::from_be_bytes);
                    self.server_pid = pid;
                }
                b'S' => {
                    let version = body.strip_prefix(b"server_version\0").map(String::from_utf8_lossy);
                    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
                    let major = version.and_then(|text| digits(&text).parse::<u32>().ok());
                    self.is_new |= major.is_some_and(|major| major >= 15);
                }
                b'Z' => return Ok(()),
                _ => {}
            }
        }
    }

    pub fn query(&mut self, text: &str) -> io::Result<()> {
        let length = u32::try_from(text.len() + 5).map_err(io::Error::other)?;
        let all = [b"Q".as_slice(), &length.to_be_bytes(), text.as_bytes(), b"\0"].concat();
        self.from.get_mut().write_all(&all)
    }

    /// Has the server take something in.
    pub fn upload(&mut self, order: &str, content: &[u8]) -> io::Result<()> {
        self.query(order)?;
        let mut body = Vec::new();
        while self.message(&mut body)? != b'G' {}
        for piece in content.chunks(PIECE_BYTES) {
            let length = u32::try_from(piece.len() + 4).map_err(io::Error::other)?;
            self.from.get_mut().write_all(&[b"d".as_slice(), &length.to_be_bytes(), piece].concat())?;
        }
        self.from.get_mut().write_all(b"c\0\0\0\x04")?;
        self.until_ready()
    }

    /// The rows of the next answer.
    pub fn rows(&mut self) -> io::Result<Vec<Row>> {
        let (mut rows, mut body) = (Vec::new(), Vec::new());
        loop {
            match self.message(&mut body)? {
                b'D' => rows.push(row(&body).ok_or_else(|| io::Error::other("the server's answer makes no sense"))?),
                b'C' => return Ok(rows),
                b'H' | b'Z' => return Err(io::Error::other("the server's answer is not complete")),
                _ => {}
            }
        }
    }

    /// The next of what matters; a piece of a copy is in `body`.
    pub fn next(&mut self, body: &mut Vec<u8>) -> io::Result<Message> {
        loop {
            return Ok(match self.message(body)? {
                b'H' => Message::CopyBegins,
                b'd' => Message::CopyData,
                b'c' => Message::CopyEnds,
                b'T' => Message::Rows,
                b'Z' => return Err(io::Error::other("the server ended the backup")),
                _ => continue,
            });
        }
    }

    /// Reads until the server waits for a query, after an error as well; an error that comes before that is ours.
    pub fn until_ready(&mut self) -> io::Result<()> {
        let mut body = Vec::new();
        while self.message(&mut body)? != b'Z' {}
        Ok(())
    }

    /// The kind of the next message. What the server refuses is an error.
    fn message(&mut self, body: &mut Vec<u8>) -> io::Result<u8> {
        let mut head = [0; 5];
        self.from.read_exact(&mut head).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => io::Error::new(
                io::ErrorKind::TimedOut,
                format!("it said nothing for {} minutes", SILENCE.as_secs() / 60),
            ),
            _ => error,
        })?;
        let [kind, length @ ..] = head;
        let length = (u32::from_be_bytes(length) as usize).checked_sub(4);
        let length = length.filter(|length| *length <= LONGEST_MESSAGE_BYTES);
        body.resize(length.ok_or_else(|| io::Error::other("the server's answer makes no sense"))?, 0);
        self.from.read_exact(body)?;
        if kind == b'E' { Err(io::Error::other(said(body))) } else { Ok(kind) }
    }
}

fn row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_at_checked(2)?;
    let count = u16::from_be_bytes(count.try_into().ok()?);
    let mut row = Vec::new();
    for _ in 0..count {
        let (length, behind) = rest.split_at_checked(4)?;
        let length = i32::from_be_bytes(length.try_into().ok()?);
        rest = behind;
        let Ok(length) = usize::try_from(length) else {
            row.push(None);
            continue;
        };
        let (text, behind) = rest.split_at_checked(length)?;
        row.push(Some(String::from_utf8_lossy(text).into_owned()));
        rest = behind;
    }
    Some(row)
}

/// The message in an error, with its detail.
fn said(body: &[u8]) -> String {
    let fields = body.split(|byte| *byte == 0).filter_map(|field| field.split_first());
    let texts = fields.filter(|(kind, _)| matches!(**kind, b'M' | b'D'));
    texts.map(|(_, text)| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_and_one_that_is_cut_short_is_not() {
        let bytes = [0, 2, 255, 255, 255, 255, 0, 0, 0, 2, b'0', b'/'];
        assert_eq!(row(&bytes), Some(vec![None, Some("0/".to_owned())]));
        for length in 0..bytes.len() {
            assert_eq!(row(&bytes[..length]), None);
        }
    }

    #[test]
    fn an_error_says_what_the_server_said() {
        assert_eq!(
            said(b"SERROR\0C58P01\0Mrequested file is gone\0Dit was removed\0\0"),
            "requested file is gone: it was removed"
        );
    }
}
