//! The index of a snapshot: one JSON record per line, in payload order.
//!
//! A [`PayloadRecord`] opens a payload; a [`FrameRecord`] says where a frame is; the entries that
//! begin in that frame follow it. So one pass in order finds the frames of any entry, and nothing
//! has to be kept in memory completely.

use std::{borrow::Cow, fmt, path::Path};

use seaworthy_core::Name;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Codec, Digest256};

pub use super::sql_index::{
    Grant, RowsRecord, ServerRecord, Setting, SqlRecord, SqlSection, TableHash, TableRecord,
};

/// One line of the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Record {
    /// A payload begins.
    Payload(PayloadRecord),
    /// A frame, followed by the entries that begin in it.
    Frame(FrameRecord),
    /// A file, a folder, a link, … in a tar payload.
    File(FileRecord),
    /// A whole database in a payload.
    Database(DatabaseRecord),
    /// The properties of the database in an SQL payload.
    Server(Box<ServerRecord>),
    /// Statements in an SQL payload.
    Sql(SqlRecord),
    /// Rows of a table in an SQL payload.
    Rows(RowsRecord),
    /// A table whose rows are all in the payload.
    Table(TableRecord),
    /// Something that is not in the payload as the user would expect.
    Loss(LossRecord),
    /// A record of a later version, which this one ignores.
    #[serde(other)]
    Unknown,
}

/// A payload begins: the records up to the next one of this kind belong to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PayloadRecord {
    /// Its source.
    pub source: Name,
    /// Its kind: `tar`, `sqlite`, ….
    pub kind: String,
    /// How its frames are compressed.
    pub codec: Codec,
}

impl PayloadRecord {
    /// The payload of `source`.
    pub fn new(source: Name, kind: impl Into<String>, codec: Codec) -> Self {
        Self { source, kind: kind.into(), codec }
    }
}

/// Where a frame is, with its size and hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FrameRecord {
    /// The object that contains it, relative to the snapshot's folder.
    pub object: String,
    /// The offset of its stored bytes in the object (before encryption).
    pub offset: u64,
    /// How many stored bytes it has.
    pub stored: u64,
    /// The offset of its plain bytes in the payload.
    pub plain_offset: u64,
    /// How many plain bytes it contains.
    pub plain: u64,
    /// The SHA-256 of its stored bytes (before encryption).
    pub sha256: Digest256,
}

/// The kind of a tar entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileType {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A hard link to a file earlier in the payload.
    Hardlink,
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// A file, folder, link, … of a tar payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileRecord {
    /// Its name in the archive: the absolute path without its leading slash.
    pub path: PathBytes,
    /// What it is.
    #[serde(rename = "type")]
    pub file_type: FileType,
    /// The size of the file in bytes, including holes; 0 for entries without content.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// The owner's id.
    pub uid: u64,
    /// The group's id.
    pub gid: u64,
    /// The modification time: whole seconds since 1970.
    pub mtime: i64,
    /// Where a link points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<PathBytes>,
    /// The offset of its headers in the payload's plain bytes.
    pub at: u64,
    /// How many plain bytes it has there, including headers and padding.
    pub len: u64,
}

impl FileRecord {
    /// An entry for `path` with `len` plain bytes from `at` on; everything else is zero.
    pub fn new(path: PathBytes, file_type: FileType, at: u64, len: u64) -> Self {
        Self { path, file_type, size: 0, mode: 0, uid: 0, gid: 0, mtime: 0, link: None, at, len }
    }
}

/// A complete database in a payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DatabaseRecord {
    /// Its original path.
    pub path: PathBytes,
    /// Its size in bytes.
    pub size: u64,
    /// Permission bits of its file; 0 where mode and owner are unknown.
    #[serde(default)]
    pub mode: u32,
    /// The owner's id.
    #[serde(default)]
    pub uid: u32,
    /// The group's id.
    #[serde(default)]
    pub gid: u32,
    /// Rows that refer to missing rows.
    #[serde(default)]
    pub foreign_key_violations: u64,
    /// Its offset in the payload's plain bytes.
    pub at: u64,
    /// How many plain bytes it has there.
    pub len: u64,
}

impl DatabaseRecord {
    /// A database of `size` bytes that begins the payload.
    pub fn new(path: PathBytes, size: u64) -> Self {
        Self {
            path,
            size,
            mode: 0o600,
            uid: 0,
            gid: 0,
            foreign_key_violations: 0,
            at: 0,
            len: size,
        }
    }
}

/// Why something is not in the payload as the user would expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Loss {
    /// It could not be read, and is missing.
    Unreadable,
    /// It was gone when it should be read, and is missing.
    Vanished,
    /// It changed while it was read: it is stored, but may be inconsistent.
    Changed,
    /// A socket: nothing to store.
    Socket,
}

/// Something that is not in the payload as the user would expect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LossRecord {
    /// What it is about.
    pub path: PathBytes,
    /// What happened.
    pub loss: Loss,
    /// As text, such as `Permission denied`.
    pub why: String,
}

impl LossRecord {
    /// `loss` happened to `path`.
    pub fn new(path: PathBytes, loss: Loss, why: impl Into<String>) -> Self {
        Self { path, loss, why: why.into() }
    }
}

/// A source's description of the bytes in a segment. Offsets count from the segment's first byte;
/// the frame writer turns them into offsets of the payload.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Entry {
    /// An entry of a tar payload.
    File(FileRecord),
    /// A whole database.
    Database(DatabaseRecord),
    /// The database in an SQL payload; it has no bytes.
    Server(Box<ServerRecord>),
    /// Statements.
    Sql(SqlRecord),
    /// Rows of a table.
    Rows(RowsRecord),
    /// A table of which all rows were sent; it has no bytes.
    Table(TableRecord),
    /// A loss; it has no bytes.
    Loss(LossRecord),
}

impl Entry {
    /// The record of this entry in a segment that begins at `base` in the payload.
    pub(crate) fn into_record(self, base: u64) -> Record {
        match self {
            Self::File(mut file) => {
                file.at += base;
                Record::File(file)
            }
            Self::Database(mut database) => {
                database.at += base;
                Record::Database(database)
            }
            Self::Sql(mut sql) => {
                sql.at += base;
                Record::Sql(sql)
            }
            Self::Rows(mut rows) => {
                rows.at += base;
                Record::Rows(rows)
            }
            Self::Server(server) => Record::Server(server),
            Self::Table(table) => Record::Table(table),
            Self::Loss(loss) => Record::Loss(loss),
        }
    }
}

/// A path as in the operating system: any bytes except NUL.
///
/// In JSON it is a string if it is UTF-8, else `{"hex": "…"}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathBytes(pub Vec<u8>);

impl PathBytes {
    /// The bytes of `path`.
    pub fn from_path(path: &Path) -> Self {
        use std::os::unix::ffi::OsStrExt as _;
        Self(path.as_os_str().as_bytes().to_vec())
    }

    /// The path with these bytes.
    pub fn as_path(&self) -> &Path {
        use std::os::unix::ffi::OsStrExt as _;
        Path::new(std::ffi::OsStr::from_bytes(&self.0))
    }

    /// The same path without leading slashes, as in archives.
    #[must_use]
    pub fn without_root(mut self) -> Self {
        let slashes = self.0.iter().take_while(|byte| **byte == b'/').count();
        self.0.drain(..slashes);
        self
    }

    /// Whether this path is `ancestor` or below it.
    pub fn is_within(&self, ancestor: &[u8]) -> bool {
        let ancestor = ancestor.strip_suffix(b"/").unwrap_or(ancestor);
        let path = self.0.strip_suffix(b"/").unwrap_or(&self.0);
        match path.strip_prefix(ancestor) {
            Some(rest) => ancestor.is_empty() || rest.is_empty() || rest.starts_with(b"/"),
            None => false,
        }
    }
}

/// For people: control characters and bytes that are not UTF-8 are escaped.
impl fmt::Display for PathBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() {
                    write!(f, "{}", c.escape_default())?
                } else {
                    write!(f, "{c}")?
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PathBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for PathBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let hex = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
                Shape::Bytes { hex }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for PathBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Shape::deserialize(deserializer)? {
            Shape::Text(text) => Ok(Self(text.into_owned().into_bytes())),
            Shape::Bytes { hex } => {
                let pair = |pair: &[u8]| {
                    let text = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
                    u8::from_str_radix(text, 16).ok()
                };
                let bytes = hex.as_bytes().chunks(2).map(pair).collect::<Option<Vec<u8>>>();
                bytes.map(Self).ok_or_else(|| serde::de::Error::custom("not hexadecimal digits"))
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Shape<'a> {
    Text(Cow<'a, str>),
    Bytes { hex: String },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_path_survives_json(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let path = PathBytes(bytes);
            let json = serde_json::to_string(&path).unwrap();
            prop_assert_eq!(serde_json::from_str::<PathBytes>(&json).unwrap(), path);
        }
    }

    #[test]
    fn within_counts_whole_names() {
        let path = PathBytes(b"srv/uploads/a".to_vec());
        for ancestor in ["", "srv", "srv/", "srv/uploads", "srv/uploads/a", "srv/uploads/a/"] {
            assert!(path.is_within(ancestor.as_bytes()), "{ancestor:?}");
        }
        for other in ["srv/up", "uploads", "srv/uploads/a/b", "/srv"] {
            assert!(!path.is_within(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn records_keep_their_spelling() {
        let file = FileRecord::new(PathBytes(b"a\xff".to_vec()), FileType::Symlink, 1, 2);
        let json = serde_json::to_string(&Record::File(file)).unwrap();
        assert_eq!(
            json,
            r#"{"record":"file","path":{"hex":"61ff"},"type":"symlink","size":0,"mode":0,"uid":0,"gid":0,"mtime":0,"at":1,"len":2}"#
        );
    }
}
