use proptest::prelude::*;

use super::*;

/// The result of a response that arrives in these pieces, and how much of it was consumed.
fn read(to_head: bool, pieces: &[&[u8]]) -> Result<Option<Whole>, &'static str> {
    let mut reading = Reading::default();
    reading.begin(to_head);
    for (number, piece) in pieces.iter().enumerate() {
        if piece.is_empty() {
            continue;
        }
        if let Some(mut whole) = reading.take(piece)? {
            // Bytes for the next reads are surplus, too.
            whole.again &= pieces[number + 1..].iter().all(|piece| piece.is_empty());
            return Ok(Some(whole));
        }
    }
    Ok(None)
}

/// The same, if the server closes the connection after it.
fn closed(text: &[u8]) -> Result<Whole, &'static str> {
    let mut reading = Reading::default();
    reading.begin(false);
    match reading.take(text)? {
        Some(whole) => Ok(whole),
        None => reading.close(),
    }
}

fn whole(status: u16, bytes: u64, again: bool) -> Whole {
    Whole { answer: Answer { status, bytes }, again }
}

/// Responses, and the expected result of each.
const ANSWERS: [(&str, u16, u64, bool); 18] = [
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, 2, true),
    ("HTTP/1.1 200\r\nContent-Length: 2, 2\r\n\r\nok", 200, 2, true),
    ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, 0, true),
    ("HTTP/1.1 200 OK\r\nCONNECTION: x, Close\r\ncontent-length: 2\r\n\r\nok", 200, 2, false),
    ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, 2, false),
    ("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nok", 200, 2, true),
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", 200, 2, false),
    ("HTTP/1.1 204 None\r\n\r\n", 204, 0, true),
    ("HTTP/1.1 204 None\r\n\r\nsurplus", 204, 0, false),
    ("HTTP/1.1 304 Same\r\ncontent-length: 50\r\n\r\n", 304, 0, true),
    (
        "HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 201 Made\r\ncontent-length: 1\r\n\r\n!",
        201,
        1,
        true,
    ),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, 2, true),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n0000A ;a=\"b\"\r\n0123456789\r\n1\r\n\r\r\n00\r\nDigest: x\r\nA:\r\n\r\n",
        200,
        11,
        true,
    ),
    ("HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nsurplus", 500, 0, false),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
        200,
        0,
        false,
    ),
    (
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        200,
        0,
        false,
    ),
    ("HTTP/1.1 200 \r\ncontent-length: 4\r\n\r\n\r\n\r\n", 200, 4, true),
    ("HTTP/1.1 404 été\r\nx: é\r\ncontent-length: 1\r\n\r\n\n", 404, 1, true),
];

#[test]
fn answers_are_the_same_wherever_they_are_split() {
    for (text, status, bytes, again) in ANSWERS {
        let (text, should) = (text.as_bytes(), Ok(Some(whole(status, bytes, again))));
        assert_eq!(read(false, &[text]), should, "{}", text.escape_ascii());
        for at in 0..=text.len() {
            let (first, second) = text.split_at(at);
            assert_eq!(read(false, &[first, second]), should, "{}", first.escape_ascii());
        }
        let each: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(false, &each), should, "{}", text.escape_ascii());
    }
}

#[test]
fn answers_to_head_have_no_body() {
    for length in ["content-length: 2", "transfer-encoding: chunked", "x: y"] {
        let text = format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n");
        assert_eq!(read(true, &[text.as_bytes()]), Ok(Some(whole(200, 0, true))), "{length}");
    }
}

#[test]
fn a_connection_that_is_closed_ends_only_what_has_no_other_end() {
    for head in ["x: y", "transfer-encoding: gzip", "connection: keep-alive"] {
        let text = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nto the end");
        assert_eq!(closed(text.as_bytes()), Ok(whole(200, 10, false)), "{head}");
    }
    for (text, _, _, _) in ANSWERS.iter().filter(|(_, _, _, again)| *again) {
        for at in 0..text.len() {
            assert_eq!(closed(&text.as_bytes()[..at]), Err(CLOSED), "{:?} of {text:?}", at);
        }
    }
}

#[test]
fn what_is_not_http_is_said_to_be_none() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let many = "a: b\r\n".repeat(MOST_HEADERS + 1);
    for text in [
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "HTTP/2 200 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 20x OK\r\n\r\n".to_owned(),
        "HTTP/1.1 101 Switching\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        format!("{chunked}\r\n"),
        format!("{chunked}x\r\n"),
        format!("{chunked}2\nok\r\n"),
        format!("{chunked}2\r\nok!\r\n"),
        format!("{chunked}10000000000000000\r\n"),
        format!("{chunked}0\r\n\n"),
        format!("{chunked};a=b\r\n"),
        format!("{chunked}1;{}\r\n!\r\n", "a".repeat(70_000)),
        format!("{chunked}0\r\n{}\r\n", "a: b\r\n".repeat(20_000)),
    ] {
        let shown = &text[..text.len().min(120)];
        assert_eq!(read(false, &[text.as_bytes()]), Err(NOT_HTTP), "{shown:?}");
        let each: Vec<&[u8]> = text.as_bytes().chunks(7).collect();
        assert_eq!(read(false, &each), Err(NOT_HTTP), "{shown:?}");
    }
}

#[test]
fn a_head_without_end_is_given_up() {
    let endless = [b"HTTP/1.1 200 OK\r\nx: ", [b'a'; 1 << 17].as_slice()].concat();
    let interim = b"HTTP/1.1 102 Wait\r\n\r\n".repeat(10_000);
    for text in [endless, interim] {
        assert_eq!(read(false, &[&text]), Err(LONG_HEAD));
        let pieces: Vec<&[u8]> = text.chunks(1000).collect();
        assert_eq!(read(false, &pieces), Err(LONG_HEAD));
    }
    // A head that is just short enough is accepted, with a body that is longer than a head may be.
    let most = MOST_HEAD - b"HTTP/1.1 200 OK\r\nx: \r\ncontent-length: 200000\r\n\r\n".len();
    let long =
        format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 200000\r\n\r\n", "a".repeat(most));
    let text = [long.as_bytes(), &[b'b'; 200_000]].concat();
    for size in [text.len(), 65_000, 1000] {
        let pieces: Vec<&[u8]> = text.chunks(size).collect();
        assert_eq!(read(false, &pieces), Ok(Some(whole(200, 200_000, true))), "{size}");
    }
}

proptest! {
    #[test]
    fn bodies_of_any_chunks_are_counted_in_any_pieces(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..6),
        sizes in prop::collection::vec(1usize..50, 1..20),
        trailer in prop::option::of("[a-z]{1,9}: [ -~]{0,20}\r\n"),
    ) {
        let mut text = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for chunk in &chunks {
            text.extend(format!("{:x}\r\n", chunk.len()).bytes());
            text.extend(chunk);
            text.extend(b"\r\n");
        }
        text.extend(b"0\r\n");
        text.extend(trailer.unwrap_or_default().bytes());
        text.extend(b"\r\n");
        let mut pieces = Vec::new();
        let mut rest = &text[..];
        for size in sizes.iter().cycle() {
            let (piece, others) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = others;
            if rest.is_empty() {
                break;
            }
        }
        let bytes = chunks.iter().map(Vec::len).sum::<usize>() as u64;
        prop_assert_eq!(read(false, &pieces), Ok(Some(whole(200, bytes, true))));
    }

    #[test]
    fn no_bytes_are_read_differently_in_pieces(
        text in prop_oneof![
            prop::collection::vec(any::<u8>(), 1..200),
            "HTTP/1\\.[01] (200|204|100)( OK)?\r\n(connection: close\r\n|content-length: [0-9]{1,2}\r\n|transfer-encoding: chunked\r\n|[a-z]{1,3}: x\r\n){0,3}\r\n[0-9a-f\r\n]{0,40}"
                .prop_map(String::into_bytes),
        ],
        at in any::<prop::sample::Index>(),
    ) {
        let (first, second) = text.split_at(at.index(text.len()));
        prop_assert_eq!(read(false, &[first, second]), read(false, &[&text]));
    }
}
