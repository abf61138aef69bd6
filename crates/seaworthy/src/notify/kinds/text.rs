//! Text within the limits of a service.

/// The beginning of `text`: at most `most`, where `size` is the size of a character. A truncation
/// is marked.
pub(super) fn cut(text: &str, most: usize, size: impl Fn(char) -> usize) -> String {
    const MARK: char = '…';
    if text.chars().map(&size).sum::<usize>() <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(size(MARK));
    let mut out = String::new();
    for c in text.chars() {
        match left.checked_sub(size(c)) {
            Some(rest) => left = rest,
            None => break,
        }
        out.push(c);
    }
    if size(MARK) <= most {
        out.push(MARK);
    }
    out
}

/// At most `most` UTF-16 units, which is how services in JavaScript count.
pub(super) fn cut_utf16(text: &str, most: usize) -> String {
    cut(text, most, char::len_utf16)
}

/// At most `most` bytes.
pub(super) fn cut_bytes(text: &str, most: usize) -> String {
    cut(text, most, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters_and_marked() {
        assert_eq!(cut_bytes("short", 5), "short");
        assert_eq!(cut_bytes("ééé", 5), "é…");
        assert_eq!(cut_utf16("😀😀", 4), "😀😀");
        assert_eq!(cut_utf16("😀😀😀", 4), "😀…");
        assert_eq!(cut_bytes("abc", 2), "");
    }
}
