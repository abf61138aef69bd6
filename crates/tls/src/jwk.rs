//! Private keys in JSON (RFC 7517), converted to PKCS#8.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use seaworthy_core::Secret;
use serde::Deserialize;

use crate::pem;

/// The part of a P-256 key in PKCS#8 before the private number, and between it and the public point.
const P256_BEFORE: &[u8] = &[
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02,
    0x01, 0x01, 0x04, 0x20,
];
const P256_BETWEEN: &[u8] = &[0xa1, 0x44, 0x03, 0x42, 0x00, 0x04];
/// The algorithm `rsaEncryption`, without parameters.
const RSA_ENCRYPTION: &[u8] =
    &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// A private key in JSON.
#[derive(Deserialize)]
#[serde(tag = "kty")]
pub(crate) enum Jwk {
    /// RSA.
    #[serde(rename = "RSA")]
    Rsa {
        n: String,
        e: String,
        d: String,
        p: String,
        q: String,
        dp: String,
        dq: String,
        qi: String,
    },
    /// On an elliptic curve.
    #[serde(rename = "EC")]
    Curve { crv: String, d: String, x: String, y: String },
    /// Of another kind.
    #[serde(other)]
    Other,
}

impl Jwk {
    /// Whether it is a key on the curve P-256.
    pub(crate) fn is_p256(&self) -> bool {
        matches!(self, Self::Curve { crv, .. } if crv == "P-256")
    }

    /// PKCS#8 in PEM; `None` for kinds other than RSA and P-256, and for damaged keys.
    pub(crate) fn pem(&self) -> Option<Secret> {
        let decode = |part: &String| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        let der = match self {
            Self::Rsa { n, e, d, p, q, dp, dq, qi } => {
                let mut key = element(INTEGER, &[0]);
                for part in [n, e, d, p, q, dp, dq, qi] {
                    key.extend(integer(&decode(part)?));
                }
                let key = element(OCTET_STRING, &element(SEQUENCE, &key));
                let version = element(INTEGER, &[0]);
                let whole = [version, element(SEQUENCE, RSA_ENCRYPTION), key].concat();
                element(SEQUENCE, &whole)
            }
            Self::Curve { d, x, y, .. } if self.is_p256() => {
                let [d, x, y] = [decode(d)?, decode(x)?, decode(y)?];
                if [&d, &x, &y].iter().any(|part| part.len() != 32) {
                    return None;
                }
                [P256_BEFORE, &d, P256_BETWEEN, &x, &y].concat()
            }
            _ => return None,
        };
        Some(Secret::new(pem::encode("PRIVATE KEY", &der)))
    }
}

/// A number without leading zeros.
pub(crate) fn without_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]
}

/// A non-negative number.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let number = without_zeros(bytes);
    // A set first bit would make it negative.
    let sign: &[u8] = if number.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, number].concat())
}

/// One element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = without_zeros(&length);
    let mut out = vec![tag];
    match length {
        [] => out.push(0),
        [short @ 0..0x80] => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Jwk {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn lengths_are_written_as_der_wants_them() {
        assert_eq!(element(4, &[]), [4, 0]);
        assert_eq!(element(4, &[7; 127])[..2], [4, 127]);
        assert_eq!(element(4, &[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(element(4, &[7; 256])[..4], [4, 0x82, 1, 0]);
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0]), [2, 1, 0]);
    }

    #[test]
    fn other_kinds_and_damage_are_no_key() {
        let other = read(r#"{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}"#);
        assert!(other.pem().is_none() && !other.is_p256());
        let short = read(r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}"#);
        assert!(short.pem().is_none() && short.is_p256());
        let curve = read(r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA","d":"AA"}"#);
        assert!(curve.pem().is_none() && !curve.is_p256());
    }

    #[test]
    #[cfg(feature = "manage")]
    fn a_p256_key_becomes_pkcs8() {
        // The pair of RFC 7515, appendix A.3.
        let key = read(
            r#"{"kty":"EC","crv":"P-256",
                "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                "d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#,
        );
        crate::PrivateKey::from_pem(key.pem().unwrap().expose()).unwrap();
    }
}
