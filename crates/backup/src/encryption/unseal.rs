//! Decrypting an object, whole or in part.

use std::{
    cell::OnceCell,
    io::{self, BufReader, Read, Seek, SeekFrom},
    iter,
    ops::Range,
};

use age::{DecryptError, Decryptor, stream::StreamReader};
use age_core::{
    format::{FileKey, Stanza},
    secrecy::ExposeSecret,
};
use bytes::Bytes;
use seaworthy_core::{Error, ErrorKind, Result};

use super::Opening;

/// The size of age's chunks in bytes, plain and encrypted.
const CHUNK: u64 = 64 << 10;
const SEALED_CHUNK: u64 = CHUNK + 16;

/// The longest header that is read, in bytes: hundreds of recipients.
const MAX_HEADER: u64 = 1 << 20;

/// Decrypts one object whose key was found.
pub(crate) struct Unsealer {
    /// Everything before the first chunk.
    header: Bytes,
    /// The object's size as stored.
    stored: u64,
    key: FileKey,
}

impl std::fmt::Debug for Unsealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unsealer").field("stored", &self.stored).finish_non_exhaustive()
    }
}

impl Unsealer {
    /// Opens the object of `stored` bytes that begins with `beginning`; `None` if that is too short
    /// for its header. Call it on a blocking thread: a passphrase takes a second.
    ///
    /// Fails with [`ErrorKind::InvalidInput`] if no identity matches.
    pub(crate) fn open(beginning: &[u8], stored: u64, opening: &Opening) -> Result<Option<Self>> {
        opening.check()?;
        let mut at = io::Cursor::new(beginning);
        let decryptor = match Decryptor::new(&mut at) {
            Err(DecryptError::Io(e))
                if e.kind() == io::ErrorKind::UnexpectedEof
                    && (beginning.len() as u64) < stored.min(MAX_HEADER) =>
            {
                return Ok(None);
            }
            decryptor => decryptor.map_err(|e| damaged("its age header").caused_by(e))?,
        };
        let finder = Finder { opening, found: OnceCell::new() };
        match decryptor.decrypt(iter::once(&finder as &dyn age::Identity)) {
            Ok(_) => {}
            Err(DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed) => {
                return Err(opening.wrong_identity());
            }
            Err(DecryptError::ExcessiveWork { .. }) => {
                let message = format!(
                    "decrypting {} needs too much memory and time (its passphrase has a \
                         very large work factor)",
                    opening.snapshot
                );
                return Err(Error::new(ErrorKind::Damaged, "decrypt", message));
            }
            Err(error) => return Err(damaged("its age header").caused_by(error)),
        }
        let key = finder.found.into_inner().ok_or_else(|| opening.wrong_identity())?;
        let header = usize::try_from(at.position()).unwrap_or_default();
        let header = Bytes::copy_from_slice(beginning.get(..header).unwrap_or_default());
        let unsealer = Self { header, stored, key };
        let last = unsealer.sealed() % SEALED_CHUNK;
        if unsealer.sealed() < 16 || (last > 0 && last < 16) {
            return Err(damaged("its size"));
        }
        Ok(Some(unsealer))
    }

    /// The size of all chunks as stored.
    fn sealed(&self) -> u64 {
        self.stored.saturating_sub(self.header.len() as u64)
    }

    /// Its decrypted size in bytes.
    pub(crate) fn size(&self) -> u64 {
        let sealed = self.sealed();
        sealed - 16 * sealed.div_ceil(SEALED_CHUNK)
    }

    /// The range of stored bytes that is needed to decrypt the bytes in `range`, which is not
    /// empty.
    pub(crate) fn stored_range(&self, range: &Range<u64>) -> Range<u64> {
        let start = self.header.len() as u64;
        let chunk_at = |n: u64| start.saturating_add(n.saturating_mul(SEALED_CHUNK));
        let end = range.end.saturating_sub(1) / CHUNK + 1;
        chunk_at(range.start / CHUNK).min(self.stored)..chunk_at(end).min(self.stored)
    }

    /// The bytes in `range`, which is not empty, out of the stored ones that
    /// [`stored_range`](Self::stored_range) named.
    pub(crate) fn decrypt(&self, range: &Range<u64>, stored: Bytes) -> Result<Vec<u8>> {
        let wanted = self.stored_range(range);
        let len = range.end.saturating_sub(range.start);
        if range.end > self.size() || wanted.end - wanted.start != stored.len() as u64 {
            return Err(damaged("it is too short for its content"));
        }
        let window =
            Window { header: self.header.clone(), body: stored, body_at: wanted.start, at: 0 };
        let mut reader = self.stream(window)?;
        let mut plain = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
        let read = (|| {
            let first = range.start / CHUNK * CHUNK;
            if first > 0 {
                // One byte after its beginning: at the very beginning of a chunk the reader would
                // look for the end of the object, which is not here.
                reader.seek(SeekFrom::Start(first + 1))?;
            }
            reader.seek(SeekFrom::Start(range.start))?;
            (&mut reader).take(len).read_to_end(&mut plain)?;
            // The last chunk is marked as the last.
            if range.end == self.size() { reader.read(&mut [0]) } else { Ok(0) }
        })();
        match read {
            Ok(0) if plain.len() as u64 == len => Ok(plain),
            Ok(_) => Err(damaged("it does not end where it should")),
            Err(error) => Err(damaged("it cannot be decrypted").caused_by(error)),
        }
    }

    /// Decrypts the whole object; `stored` yields all of its bytes.
    pub(crate) fn reader<R: Read + Send + 'static>(
        &self,
        stored: R,
    ) -> Result<Box<dyn Read + Send>> {
        let stored = BufReader::with_capacity(128 << 10, stored);
        Ok(Box::new(self.stream(stored)?))
    }

    fn stream<R: Read>(&self, stored: R) -> Result<StreamReader<R>> {
        let header = |e: DecryptError| match e {
            DecryptError::Io(e) => match e.downcast::<Error>() {
                Ok(error) => error,
                Err(e) => damaged("its age header").caused_by(e),
            },
            e => damaged("its age header").caused_by(e),
        };
        let decryptor = Decryptor::new(stored).map_err(header)?;
        decryptor.decrypt(iter::once(&Known(&self.key) as &dyn age::Identity)).map_err(header)
    }
}

fn damaged(what: &str) -> Error {
    let message = if what.starts_with("it ") {
        format!("an encrypted object is damaged: {what}")
    } else {
        format!("an encrypted object is damaged: {what} is wrong")
    };
    Error::new(ErrorKind::Damaged, "decrypt", message)
}

/// Tries every identity, and keeps the key that one finds: finding it again may take a second.
struct Finder<'a> {
    opening: &'a Opening,
    found: OnceCell<FileKey>,
}

impl age::Identity for Finder<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let mut failed = None;
        for identity in self.opening.identities.each() {
            match identity.unwrap_stanzas(stanzas) {
                Some(Ok(key)) => {
                    let _ = self.found.set(copy(&key));
                    return Some(Ok(key));
                }
                Some(Err(error)) => failed = failed.or(Some(Err(error))),
                None => {}
            }
        }
        failed
    }
}

/// The key of an object, found before.
struct Known<'a>(&'a FileKey);

impl age::Identity for Known<'_> {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        Some(Ok(copy(self.0)))
    }
}

fn copy(key: &FileKey) -> FileKey {
    FileKey::init_with_mut(|copy| copy.copy_from_slice(key.expose_secret()))
}

/// The header of an object and some of its chunks, as if the whole object were here.
struct Window {
    header: Bytes,
    body: Bytes,
    /// The offset of the chunks in the object.
    body_at: u64,
    at: u64,
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let header = self.header.len() as u64;
        let (part, start) =
            if self.at < header { (&self.header, 0) } else { (&self.body, self.body_at) };
        let from = self.at.checked_sub(start).and_then(|from| usize::try_from(from).ok());
        let rest = from.and_then(|from| part.get(from..)).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        encryption::{Identities, Recipients, Sealer},
        format::ManifestEncryption,
    };
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static KEYS: LazyLock<(Recipients, Opening)> = LazyLock::new(|| {
        let (private, public) = Identities::generate();
        let opening = Opening {
            snapshot: "x".into(),
            encryption: ManifestEncryption::age(vec![public.clone()]),
            identities: Identities::from_text(&private, "x").unwrap(),
        };
        (Recipients::new([public]).unwrap(), opening)
    });

    fn plain(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n ^ (n >> 8) ^ (n >> 16)) as u8).collect()
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::begin(&KEYS.0).unwrap();
        let mut out = Vec::new();
        for part in plain.chunks(100_003) {
            sealer.write(part).unwrap();
            out.extend_from_slice(&sealer.take());
        }
        out.extend_from_slice(&sealer.finish().unwrap());
        out
    }

    fn opened(sealed: &[u8]) -> Unsealer {
        let beginning = &sealed[..sealed.len().min(500)];
        Unsealer::open(beginning, sealed.len() as u64, &KEYS.1).unwrap().unwrap()
    }

    fn read(unsealer: &Unsealer, sealed: &[u8], range: Range<u64>) -> Result<Vec<u8>> {
        let stored = unsealer.stored_range(&range);
        let stored = &sealed[stored.start as usize..stored.end as usize];
        unsealer.decrypt(&range, Bytes::copy_from_slice(stored))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn every_range_reads_back_from_its_own_chunks(
            chunks in 0_usize..5, around in -2_i64..3, from in 0.0..1.0, to in 0.0..1.0, edge in any::<bool>(),
        ) {
            let len = ((chunks as i64 * CHUNK as i64) + around).max(1) as usize;
            let plain = plain(len);
            let sealed = sealed(&plain);
            let unsealer = opened(&sealed);
            prop_assert_eq!(unsealer.size(), len as u64);
            let mut start = (from * len as f64) as usize;
            if edge {
                start = start / CHUNK as usize * CHUNK as usize;
            }
            let start = start.min(len - 1);
            let end = (start + 1 + (to * (len - start) as f64) as usize).min(len);
            let range = start as u64..end as u64;
            let stored = unsealer.stored_range(&range);
            prop_assert!(stored.end - stored.start <= (range.end - range.start) / CHUNK * SEALED_CHUNK + 2 * SEALED_CHUNK);
            prop_assert_eq!(&read(&unsealer, &sealed, range).unwrap(), &plain[start..end]);
            let mut whole = Vec::new();
            unsealer.reader(io::Cursor::new(sealed)).unwrap().read_to_end(&mut whole).unwrap();
            prop_assert_eq!(whole, plain);
        }
    }

    #[test]
    fn a_flipped_or_cut_byte_is_damage_never_other_bytes() {
        let plain = plain(2 * CHUNK as usize + 10);
        let whole = sealed(&plain);
        let unsealer = opened(&whole);
        let all = 0..plain.len() as u64;
        let header = unsealer.header.len();
        for at in (header..whole.len()).step_by(997).chain([whole.len() - 1]) {
            let mut wrong = whole.clone();
            wrong[at] ^= 4;
            let error = read(&unsealer, &wrong, all.clone()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged);
        }
        // Chunks in another order, or of another place.
        let mut swapped = whole.clone();
        let chunk = SEALED_CHUNK as usize;
        swapped[header..header + 2 * chunk].rotate_left(chunk);
        assert!(read(&unsealer, &swapped, all.clone()).is_err());
        // Cut at the end of a chunk: every chunk is sound, and the last one is missing.
        let cut = &whole[..header + 2 * chunk];
        let unsealer = opened(cut);
        assert_eq!(unsealer.size(), 2 * CHUNK);
        assert_eq!(read(&unsealer, cut, 0..2 * CHUNK).unwrap_err().kind(), ErrorKind::Damaged);
        assert!(read(&unsealer, cut, 0..CHUNK).is_ok());
        let mut rest = Vec::new();
        let whole = unsealer.reader(io::Cursor::new(cut.to_vec())).unwrap().read_to_end(&mut rest);
        assert!(whole.is_err());
    }

    #[test]
    fn nothing_at_all_is_an_object_too() {
        let sealed = sealed(b"");
        assert_eq!(opened(&sealed).size(), 0);
    }

    #[test]
    fn a_damaged_header_is_damage_and_a_wrong_identity_is_not() {
        let sealed = sealed(b"hello");
        let open = |sealed: &[u8], opening| Unsealer::open(sealed, sealed.len() as u64, opening);
        for at in 0..opened(&sealed).header.len() - 16 {
            let mut wrong = sealed.clone();
            wrong[at] ^= 1;
            // Where the stanza itself was changed it looks like one for somebody else.
            let error = open(&wrong, &KEYS.1).map(drop).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::InvalidInput), "{at}");
        }
        let (other, _) = Identities::generate();
        let identities = Identities::from_text(&other, "x").unwrap();
        let other = Opening { identities, ..KEYS.1.clone() };
        let error = open(&sealed, &other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.remedy().unwrap().contains(&KEYS.1.encryption.recipients[0]), "{error:?}");
        let nobody = Opening { identities: Identities::new(), ..KEYS.1.clone() };
        assert!(open(&sealed, &nobody).unwrap_err().to_string().contains("no identity was given"));
    }

    #[test]
    fn a_long_header_is_asked_for_in_full() {
        let (_, public) = Identities::generate();
        let recipients = Recipients::new(vec![public; 40]).unwrap();
        let mut sealer = Sealer::begin(&recipients).unwrap();
        sealer.write(b"x").unwrap();
        let sealed = sealer.finish().unwrap();
        let open = |n: usize| Unsealer::open(&sealed[..n], sealed.len() as u64, &KEYS.1);
        assert!(open(1000).unwrap().is_none());
        assert_eq!(open(sealed.len()).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}
