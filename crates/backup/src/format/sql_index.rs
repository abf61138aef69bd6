//! Index records of an SQL payload: the positions of its sections and of each table's rows, the
//! contents of each table, and the properties of the database.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A section of an SQL payload, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SqlSection {
    /// Definitions that must exist before the rows: types, functions, tables, ….
    PreData,
    /// Values of sequences: each statement is independent.
    Sequences,
    /// Contents of large objects: each statement is independent.
    LargeObjects,
    /// Definitions that come after the rows: indexes, constraints, triggers, ….
    PostData,
    /// Roles and tablespaces of the whole server.
    Globals,
    /// A section of a later version.
    #[serde(other)]
    Unknown,
}

/// Statements of an SQL payload, in one frame. A section may consist of several of these, one after
/// another; a statement may begin in one and end in the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SqlRecord {
    /// The section that they belong to.
    pub section: SqlSection,
    /// Their offset in the payload's plain bytes.
    pub at: u64,
    /// How many plain bytes they have there.
    pub len: u64,
}

impl SqlRecord {
    /// `len` bytes of `section` from `at` on.
    pub fn new(section: SqlSection, at: u64, len: u64) -> Self {
        Self { section, at, len }
    }
}

/// Some rows of a table: one complete `COPY … FROM stdin;` statement with its rows and the final
/// `\.`. If it is larger than one frame it continues in the following frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RowsRecord {
    /// The table's schema.
    pub schema: String,
    /// The table's name.
    pub name: String,
    /// How many rows.
    pub rows: u64,
    /// The offset of the statement in the payload's plain bytes.
    pub at: u64,
    /// How many plain bytes it has.
    pub len: u64,
}

impl RowsRecord {
    /// `rows` rows of a table, in `len` bytes from `at` on.
    pub fn new(schema: String, name: String, rows: u64, at: u64, len: u64) -> Self {
        Self { schema, name, rows, at, len }
    }
}

/// A table whose rows are all in the payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TableRecord {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The columns in the payload, in its order: a restored table may have another order.
    pub columns: Vec<String>,
    /// How many rows it has.
    pub rows: u64,
    /// The size of these in the payload, in bytes.
    pub bytes: u64,
    /// A hash of all its rows, independent of their order.
    pub hash: TableHash,
    /// The partitioned table through which its rows are loaded, as `"schema"."name"`, if a row may
    /// be in another partition after a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// Which of its rows belong to the user, as `WHERE …`: the others come from an extension.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub condition: String,
}

impl TableRecord {
    /// A table without rows.
    pub fn new(schema: String, name: String) -> Self {
        let (columns, hash) = (Vec::new(), TableHash::default());
        let condition = String::new();
        Self { schema, name, columns, rows: 0, bytes: 0, hash, through: None, condition }
    }
}

/// The sum, modulo 2^128, of the XXH3-128 of each row in COPY's text format without its newline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableHash(pub u128);

impl TableHash {
    /// Adds rows that were hashed separately.
    pub fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl fmt::Display for TableHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for TableHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TableHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The database in an SQL payload, with everything that its statements do not set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ServerRecord {
    /// The database's name.
    pub database: String,
    /// The server's version as a number: 150018 for 15.18.
    pub version: u32,
    /// The owner.
    pub owner: String,
    /// The encoding, such as `UTF8`.
    pub encoding: String,
    /// `LC_COLLATE`.
    pub collate: String,
    /// `LC_CTYPE`.
    pub ctype: String,
    /// The provider of the locale: `libc`, `icu` or `builtin`.
    pub provider: String,
    /// The locale of the provider `icu` or `builtin`.
    pub locale: Option<String>,
    /// ICU's collation rules.
    pub icu_rules: Option<String>,
    /// The version of the collation.
    pub collation_version: Option<String>,
    /// The default tablespace.
    pub tablespace: String,
    /// How many connections are allowed; -1 for no limit.
    pub connection_limit: i32,
    /// Whether every user may use it as a template.
    pub is_template: bool,
    /// The comment.
    pub comment: Option<String>,
    /// Privileges, if they are not the default.
    pub grants: Option<Vec<Grant>>,
    /// Settings of the database, for everybody or for one role in it.
    pub settings: Vec<Setting>,
    /// Names and versions of its extensions.
    pub extensions: Vec<(String, String)>,
    /// Large objects in the payload.
    pub large_objects: u64,
}

/// A privilege on a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Grant {
    /// The role that has it; `None` for `PUBLIC`.
    pub role: Option<String>,
    /// Its kind: `CONNECT`, `CREATE` or `TEMPORARY`.
    pub privilege: String,
    /// Whether that role may grant it to others.
    pub grantable: bool,
}

impl Grant {
    /// `privilege` for `role`.
    pub fn new(role: Option<String>, privilege: String, grantable: bool) -> Self {
        Self { role, privilege, grantable }
    }
}

/// A setting of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Setting {
    /// The role that it applies to; `None` for all roles.
    pub role: Option<String>,
    /// The parameter.
    pub name: String,
    /// Its value, as in the catalogue.
    pub value: String,
}

impl Setting {
    /// `name` is `value` for `role`.
    pub fn new(role: Option<String>, name: String, value: String) -> Self {
        Self { role, name, value }
    }
}
