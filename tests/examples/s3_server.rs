//! An S3 server by itself, for races: `s3_server [--discard]`. Prints its address and serves the
//! bucket `backups` until its input ends; large bodies are not kept where they are to be discarded.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for the benches")]

use std::io::Read;

use seaworthy_tests::s3::MemoryServer;

fn main() {
    let discard = std::env::args().any(|argument| argument == "--discard");
    let server = MemoryServer::start(!discard);
    println!("{}", server.url());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
