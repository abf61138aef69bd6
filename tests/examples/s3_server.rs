//! The S3 server of the tests by itself, for races: `s3_server FOLDER`. Prints its address and
//! serves the bucket `backups` until its input ends.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for the benches")]

use std::io::Read;

use seaworthy_tests::s3::FilesServer;

fn main() {
    let folder = std::env::args_os().nth(1).unwrap();
    let server = FilesServer::start_in(folder.as_ref());
    println!("{}", server.url());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
