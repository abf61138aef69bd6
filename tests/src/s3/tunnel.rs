//! A proxy of the kind that companies have: it connects, where the password is right.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

/// A proxy that understands `CONNECT` alone. Serves until it is dropped.
#[derive(Debug)]
pub struct TunnelProxy {
    address: SocketAddr,
    tunnels: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TunnelProxy {
    /// Asks for `authorization`, as the header `Proxy-Authorization` has it.
    pub fn start(authorization: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tunnels, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (counted, stopped) = (tunnels.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (client, counted) = (client.unwrap(), counted.clone());
                // Connections end in every way; each thread ends with its own.
                std::thread::spawn(move || {
                    let _ = tunnel(client, authorization, &counted);
                });
            }
        });
        Self { address, tunnels, stop, thread: Some(thread) }
    }

    /// Where it listens: `host:port`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many tunnels it has opened.
    pub fn tunnels(&self) -> usize {
        self.tunnels.load(Ordering::SeqCst)
    }
}

impl Drop for TunnelProxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes it.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn tunnel(client: TcpStream, authorization: &str, tunnels: &AtomicUsize) -> std::io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut is_known = false;
    for line in lines.by_ref() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let is_it = |(name, value): (&str, &str)| {
            name.eq_ignore_ascii_case("proxy-authorization") && value.trim() == authorization
        };
        is_known |= line.split_once(':').is_some_and(is_it);
    }
    let mut client = client;
    let Some(target) = request.strip_prefix("CONNECT ").filter(|_| is_known) else {
        return client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    };
    let mut server = TcpStream::connect(target.split(' ').next().unwrap_or_default())?;
    tunnels.fetch_add(1, Ordering::SeqCst);
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let up = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        to.shutdown(std::net::Shutdown::Write)
    });
    std::io::copy(&mut server, &mut client)?;
    client.shutdown(std::net::Shutdown::Both)?;
    let _ = up.join();
    Ok(())
}
