//! A store in memory that holds the files below a folder, for benches: `s3_full FOLDER`. Prints its
//! address and serves the bucket `backups` until its input ends.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for the benches")]

use std::io::Read;

use seaworthy_tests::s3::{B2, B2Key, KEY_ID};

fn main() {
    let folder = std::env::args_os().nth(1).unwrap();
    let key = B2Key::new(KEY_ID, &["listBuckets", "listFiles", "readFiles"]);
    let server = B2::start_with(vec![key], folder.as_ref());
    println!("{}", server.url());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
