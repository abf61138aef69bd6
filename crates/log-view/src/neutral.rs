//! Text that is safe to print on a terminal.

/// Appends `text` to `out` as valid UTF-8 that is safe to print on a terminal: control characters
/// except the tab, characters that change the direction of writing, and bytes that are not UTF-8
/// become visible escapes such as `\x1b`. Everything else stays as it is.
///
/// ```
/// let mut out = Vec::new();
/// seaworthy_log_view::neutralise(b"caf\xc3\xa9\t\x1b[2J\xff", &mut out);
/// assert_eq!(out, "café\t\\x1b[2J\\xff".as_bytes());
/// ```
pub fn neutralise(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text) {
        out.extend_from_slice(text);
        return;
    }
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            if obeyed(c) {
                escape(c, out);
            } else {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        for byte in chunk.invalid() {
            escape_byte(*byte, out);
        }
    }
}

/// Printable ASCII and tabs only: what nearly every line is.
fn is_plain(text: &[u8]) -> bool {
    // Without a branch for each byte, so that it is done many bytes at a time.
    text.iter()
        .fold(true, |plain, byte| plain & ((byte.wrapping_sub(0x20) < 0x5f) | (*byte == b'\t')))
}

fn obeyed(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || matches!(c, '\u{2028}' | '\u{2029}') || (c.is_control() && c != '\t')
}

fn escape(c: char, out: &mut Vec<u8>) {
    match u8::try_from(u32::from(c)) {
        Ok(byte) => escape_byte(byte, out),
        Err(_) => out.extend(c.escape_unicode().map(|c| c as u8)),
    }
}

fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend([b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn neutral(text: &[u8]) -> String {
        let mut out = Vec::new();
        neutralise(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_attacks_are_shown() {
        assert_eq!(neutral(b"\x1b]0;owned\x07"), r"\x1b]0;owned\x07");
        assert_eq!(neutral(b"a\rb\x08\x7f\0"), r"a\x0db\x08\x7f\x00");
        assert_eq!(neutral("x\u{9b}2J\u{202e}y".as_bytes()), r"x\x9b2J\u{202e}y");
        assert_eq!(neutral(b"\x9b2J"), r"\x9b2J");
    }

    proptest! {
        #[test]
        fn nothing_is_obeyed_whatever_the_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = neutral(&bytes);
            prop_assert!(!text.contains(obeyed), "{text:?}");
            prop_assert_eq!(neutral(text.as_bytes()), text);
        }

        #[test]
        fn harmless_text_stays_as_it_is(text in "[ -~\\täöü€😀]{0,80}") {
            prop_assert_eq!(neutral(text.as_bytes()), text);
        }
    }
}
