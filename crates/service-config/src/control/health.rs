//! Whether an instance is healthy: it responds.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::model::UrlPath;

/// An instance that does not respond within this time is not healthy.
const PATIENCE: Duration = Duration::from_secs(5);

/// `Err` with the reason if the server at `address` does not respond to `path` with 200; without a
/// path it is enough that it accepts a connection.
pub(crate) async fn is_well(address: SocketAddr, path: Option<&UrlPath>) -> Result<(), String> {
    let work = async {
        let mut stream = TcpStream::connect(address).await?;
        let Some(path) = path else { return Ok(None) };
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = [0; 64];
        let mut length = 0;
        while length < head.len() && !head[..length].contains(&b'\n') {
            match stream.read(&mut head[length..]).await? {
                0 => break,
                n => length += n,
            }
        }
        let line = String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or("").to_owned();
        Ok::<_, std::io::Error>((line.split(' ').nth(1) != Some("200")).then_some(line))
    };
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(None)) => Ok(()),
        Ok(Ok(Some(line))) => Err(format!("it answers {line:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}
