//! Redis over loopback with a Lua script, as a central limiter is usually built.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::keys::{Numbered, Random};
use crate::measure::{quantile, wall_ns};

const SCRIPT: &str = include_str!("redis.lua");
const KEYS: u64 = 100_000;
/// Ten a second, ten at once.
const BURST: &str = "10";
const EACH_US: &str = "100000";
const PIPELINED: usize = 32;

/// One question at a time, then many in one write; so many seconds of each.
pub fn measure(seconds: u64) -> Result<Value, String> {
    let server = Server::start()?;
    let mut client = server.client()?;
    client.load()?;
    let single = client.walk(1, seconds)?;
    let pipelined = client.walk(PIPELINED, seconds)?;
    Ok(json!({"single": single, "pipelined": pipelined}))
}

/// A server of our own, on a free port; it ends with this.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Result<Self, String> {
        let program = installed().ok_or("no `redis-server` in PATH")?;
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = address.map_err(|error| error.to_string())?;
        let port = address.port().to_string();
        let child = Command::new(program)
            .args([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdout(Stdio::null())
            .spawn();
        let child = child.map_err(|error| error.to_string())?;
        Ok(Self { child, address })
    }

    fn client(&self) -> Result<Client, String> {
        let mut failure = String::new();
        for _ in 0..100 {
            match TcpStream::connect(self.address) {
                Ok(stream) => return Client::new(stream).map_err(|error| error.to_string()),
                Err(error) => failure = error.to_string(),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(failure)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _none = self.child.wait();
    }
}

fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let programs = std::env::split_paths(&path).map(|folder| folder.join("redis-server"));
    { programs }.find(|program| program.is_file())
}

/// A connection that knows as much of the protocol as is needed here.
struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
    script: String,
}

impl Client {
    fn new(stream: TcpStream) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::new(stream.try_clone()?),
            writer: stream,
            script: String::new(),
        })
    }

    fn load(&mut self) -> Result<(), String> {
        let command = command(&["SCRIPT", "LOAD", SCRIPT]);
        self.writer
            .write_all(&command)
            .map_err(|error| error.to_string())?;
        self.script = self.answer()?;
        Ok(())
    }

    /// Batches of so many questions, each batch sent at once and waited for.
    fn walk(&mut self, batch: usize, seconds: u64) -> Result<Value, String> {
        let mut random = Random::new(3);
        let mut took_us = Vec::new();
        let (begun_ns, mut allowed) = (wall_ns(), 0_u64);
        while wall_ns() - begun_ns < seconds * 1_000_000_000 {
            let mut questions = Vec::new();
            for _ in 0..batch {
                let key = String::numbered(random.below(KEYS));
                let words = ["EVALSHA", &self.script, "1", &key, BURST, EACH_US];
                questions.extend(command(&words));
            }
            let asked_ns = wall_ns();
            self.writer
                .write_all(&questions)
                .map_err(|error| error.to_string())?;
            for _ in 0..batch {
                allowed += u64::from(self.answer()?.starts_with('1'));
            }
            took_us.push((wall_ns() - asked_ns) as f64 / 1e3);
        }
        let checks = (took_us.len() * batch) as f64;
        let whole_ns = (wall_ns() - begun_ns) as f64;
        Ok(json!({
            "checks_in_flight": batch,
            "ns_per_check": whole_ns / checks,
            "p50_us": quantile(&mut took_us, 0.5),
            "p99_us": quantile(&mut took_us, 0.99),
            "allowed": allowed as f64 / checks,
        }))
    }

    /// One answer; of a list its items, with spaces between.
    fn answer(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line);
        read.map_err(|error| error.to_string())?;
        let line = line.trim_end();
        match line.split_at_checked(1) {
            Some(("+" | ":", text)) => Ok(text.to_owned()),
            Some(("$", length)) => self.bulk(length.parse().map_err(|_| line.to_owned())?),
            Some(("*", count)) => {
                let count: usize = count.parse().map_err(|_| line.to_owned())?;
                let items: Result<Vec<_>, _> = (0..count).map(|_| self.answer()).collect();
                Ok(items?.join(" "))
            }
            _ => Err(format!("the server says {line:?}")),
        }
    }

    fn bulk(&mut self, length: usize) -> Result<String, String> {
        let mut bytes = vec![0; length + 2];
        let read = self.reader.read_exact(&mut bytes);
        read.map_err(|error| error.to_string())?;
        bytes.truncate(length);
        String::from_utf8(bytes).map_err(|error| error.to_string())
    }
}

/// Words as the protocol frames them.
fn command(words: &[&str]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text += &format!("${}\r\n{word}\r\n", word.len());
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_framed() {
        assert_eq!(command(&["GET", "a"]), b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    }
}
