//! TLS by Mozilla's guideline 6.0, for the installed nginx and OpenSSL.

use super::Job;
use crate::{
    model::TlsProfile,
    syntax::{Node, set},
    target::Version,
};

const INTERMEDIATE_CIPHERS: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
     ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
     ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
const CURVES: &str = "X25519:prime256v1:secp384r1";

impl Job<'_> {
    /// Which clients can connect. In every server, because the default server's versions apply
    /// before the name is known.
    pub(super) fn tls_profile(&self) -> Vec<Node> {
        let mut nodes = match self.web.proxy.tls {
            TlsProfile::Intermediate => vec![
                Node::new("ssl_protocols", ["TLSv1.2", "TLSv1.3"]),
                set("ssl_ciphers", INTERMEDIATE_CIPHERS),
            ],
            TlsProfile::Modern => vec![set("ssl_protocols", "TLSv1.3")],
        };
        nodes.push(
            set("ssl_prefer_server_ciphers", "off")
                .because("all of them are good: clients know which is fast for them"),
        );
        let hybrid = self.target.openssl.is_some_and(|openssl| openssl >= Version::new(3, 5, 0));
        let curves = if hybrid { format!("X25519MLKEM768:{CURVES}") } else { CURVES.to_owned() };
        nodes.push(set("ssl_ecdh_curve", curves));
        nodes.push(set("ssl_session_cache", "shared:seaworthy:10m"));
        nodes.push(set("ssl_session_timeout", "1d"));
        if !self.target.since(1, 23, 2) {
            nodes.push(
                set("ssl_session_tickets", "off")
                    .because("this nginx never changes the key of its tickets"),
            );
        }
        nodes
    }
}
