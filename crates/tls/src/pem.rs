//! PEM: base64 between two lines.

use base64::{Engine, prelude::BASE64_STANDARD};

/// `der` as a block with this label, ending with a newline.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// The blocks with this label, in order. Text between them is ignored; `None` if one is broken.
pub(crate) fn decode(label: &str, text: &str) -> Option<Vec<Vec<u8>>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&begin) {
        let (inner, next) = after.split_once(&end)?;
        blocks.push(unpack(inner)?);
        rest = next;
    }
    Some(blocks)
}

/// The first block with this label.
pub(crate) fn first(label: &str, text: &str) -> Option<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let (_, after) = text.split_once(&begin)?;
    unpack(after.split_once(&end)?.0)
}

fn unpack(inner: &str) -> Option<Vec<u8>> {
    let packed: String = inner.split_ascii_whitespace().collect();
    BASE64_STANDARD.decode(packed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (first, second) = (vec![7; 100], b"x".to_vec());
        let text = format!("# a comment\n{}{}", encode("THING", &first), encode("THING", &second));
        assert_eq!(super::first("THING", &text), Some(first.clone()));
        assert_eq!(decode("THING", &text), Some(vec![first, second]));
        assert_eq!(decode("THING", "-----BEGIN THING-----\n!!\n-----END THING-----"), None);
        assert_eq!(decode("THING", "-----BEGIN THING-----\nAAAA"), None);
    }
}
