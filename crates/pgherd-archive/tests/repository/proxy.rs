//! What may lie between a client and a bucket: throttling, answers that are lost or cut, a store that minds no condition.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What lies between a client and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Clear,
    /// Every other request is told to come more slowly, and not handed on.
    Throttled,
    /// Every third that writes is done, and its answer is lost.
    Forgetful,
    /// Every third answer to a reading one ends in its middle.
    Torn,
    /// What is put conditionally is put whatever is there.
    Careless,
}

/// Listens, and hands on as it is told; gives its port and how often it was in the way.
pub fn proxy(to: u16, way: Way) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (requests, faults) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let told = faults.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (requests, faults) = (requests.clone(), faults.clone());
            std::thread::spawn(move || hand_on(stream, to, way, &requests, &faults));
        }
    });
    (port, told)
}

/// One request of one connection.
fn hand_on(mut client: TcpStream, to: u16, way: Way, requests: &AtomicUsize, faults: &AtomicUsize) -> Option<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 64 << 10];
    let head = loop {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&buffer[..count]);
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    while request.len() < head + length.unwrap_or(0) {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&buffer[..count]);
    }
    let writes = !text.starts_with("get") && !text.starts_with("head");
    let counts = match way {
        Way::Clear | Way::Careless | Way::Throttled => true,
        Way::Forgetful => writes,
        Way::Torn => !writes,
    };
    let number = if counts { requests.fetch_add(1, Ordering::Relaxed) } else { 1 };
    if way == Way::Throttled && number % 2 == 0 {
        faults.fetch_add(1, Ordering::Relaxed);
        let body =
            "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        return client.write_all(answer.as_bytes()).ok();
    }
    let mut server = TcpStream::connect(("127.0.0.1", to)).ok()?;
    // One request a connection.
    let first = request.windows(2).position(|window| window == b"\r\n")? + 2;
    server.write_all(&request[..first]).ok()?;
    server.write_all(b"connection: close\r\n").ok()?;
    let condition = text.find("\r\nif-none-match: *").map(|at| at + 2).filter(|_| way == Way::Careless);
    if let Some(at) = condition {
        faults.fetch_add(1, Ordering::Relaxed);
        server.write_all(&request[first..at]).ok()?;
        server.write_all(&request[at + "if-none-match: *\r\n".len()..]).ok()?;
    } else {
        server.write_all(&request[first..]).ok()?;
    }
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    if way == Way::Forgetful && writes && number % 3 == 0 {
        faults.fetch_add(1, Ordering::Relaxed);
        return None;
    }
    let first = answer.windows(2).position(|window| window == b"\r\n")? + 2;
    client.write_all(&answer[..first]).ok()?;
    client.write_all(b"connection: close\r\n").ok()?;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let end = if way == Way::Torn && !writes && number % 3 == 0 && answer.len() > head + 1 {
        faults.fetch_add(1, Ordering::Relaxed);
        head + (answer.len() - head) / 2
    } else {
        answer.len()
    };
    client.write_all(&answer[first..end]).ok()
}
