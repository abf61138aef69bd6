//! Words for a POSIX shell.

use seaworthy_core::CommandLine;

/// `word` quoted so that a shell reads it back unchanged.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@+=".contains(c);
    // A first word with an equals sign would be an assignment.
    if !word.is_empty() && word.chars().all(plain) && !word.contains('=') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A command line for a shell.
pub(crate) fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// The words of a command line.
pub(crate) fn words(command: &CommandLine) -> impl Iterator<Item = &str> {
    std::iter::once(command.program()).chain(command.arguments().iter().map(String::as_str))
}
