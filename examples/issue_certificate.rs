//! Gets a certificate from an ACME authority. For example from Pebble:
//!
//!     cargo run --example issue_certificate -- https://127.0.0.1:14000/dir ca.pem a.example 5002
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::sync::Arc;

use seaworthy_core::{Context, Result};
use seaworthy_tls::{
    CertificateProvider, CertificateRequest, KeyType, PrivateKey,
    acme::{AcmeAuthority, AcmeOptions, AcmeProvider},
    solver::Standalone,
};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, roots, name, port] = arguments.as_slice() else {
        eprintln!("usage: issue_certificate DIRECTORY ROOTS NAME PORT");
        std::process::exit(2);
    };
    let mut options = AcmeOptions::new(directory, "account");
    options.agree_tos = true;
    options.roots = std::fs::read_to_string(roots).ok();
    let address = format!("127.0.0.1:{port}").parse().expect("a port");
    let solver = Arc::new(Standalone::new(address));
    let provider = AcmeProvider::new(AcmeAuthority::new(options)?, solver);

    let key = PrivateKey::generate(KeyType::P256)?;
    let request = CertificateRequest::new([name.parse()?]);
    let chain = provider.issue(&request, &key, &Context::new()).await?;
    println!("{}until {}", chain.pem(), chain.leaf().validity().not_after);
    Ok(())
}
