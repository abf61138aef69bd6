//! Checks that a certificate, its key and its chain match.

use rustls::pki_types::{CertificateDer, UnixTime};
use seaworthy_core::{Error, ErrorKind, Result, Timestamp};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::{Identifier, IssuedChain, PrivateKey};

/// Checks that `key` is that of the certificate, that each certificate of the chain is signed by
/// the next, that it is valid at `now`, and that it covers all of `names`.
///
/// # Errors
/// [`ErrorKind::Damaged`], saying which of these checks failed.
pub fn check_pair(
    chain: &IssuedChain,
    key: &PrivateKey,
    names: &[Identifier],
    now: Timestamp,
) -> Result<()> {
    let damaged = |message: String| Error::new(ErrorKind::Damaged, "certificate.check", message);
    let leaf = chain.leaf();
    if !key.fits(leaf) {
        return Err(damaged("the certificate belongs to another key".to_owned()));
    }
    if let Some(missing) =
        names.iter().find(|name| !leaf.covers(name) && !leaf.names().contains(name))
    {
        return Err(damaged(format!("the certificate does not cover {missing}")));
    }
    let validity = leaf.validity();
    if now > validity.not_after {
        return Err(damaged(format!("the certificate expired {}", validity.not_after)));
    }
    let Some((top, between)) = chain.above().split_last() else { return Ok(()) };
    let broken = |e: webpki::Error| {
        damaged("the chain does not lead from the certificate to its authority".to_owned())
            .caused_by(e)
    };
    let top = CertificateDer::from(top.der());
    let anchor = anchor_from_trusted_cert(&top).map_err(broken)?;
    let between: Vec<_> = between.iter().map(|c| CertificateDer::from(c.der())).collect();
    let der = CertificateDer::from(leaf.der());
    // Clocks differ: accept one that becomes valid in a few minutes.
    let at = now.max(validity.not_before).as_unix();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at.unsigned_abs()));
    EndEntityCert::try_from(&der)
        .and_then(|leaf| {
            let usage = KeyUsage::server_auth();
            leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &[anchor], &between, at, usage, None, None)
                .map(drop)
        })
        .map_err(broken)
}
