//! What the index says of a payload of SQL: where its sections and each table's rows lie, what
//! each table held, and what the database was like.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A part of a payload of SQL. The parts stand in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SqlSection {
    /// Definitions that must exist before the rows: types, functions, tables, ….
    PreData,
    /// Values of sequences: each statement stands for itself.
    Sequences,
    /// Contents of large objects: each statement stands for itself.
    LargeObjects,
    /// Definitions that come after the rows: indexes, constraints, triggers, ….
    PostData,
    /// Roles and tablespaces of the whole server.
    Globals,
    /// Something that a later version added.
    #[serde(other)]
    Unknown,
}

/// Statements of a payload of SQL, within one frame. A section may take several of these, one
/// after another; a statement may begin in one and end in the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SqlRecord {
    /// The section that they belong to.
    pub section: SqlSection,
    /// Where they begin in the payload's plain bytes.
    pub at: u64,
    /// How many plain bytes they take there.
    pub len: u64,
}

impl SqlRecord {
    /// `len` bytes of `section` from `at` on.
    pub fn new(section: SqlSection, at: u64, len: u64) -> Self {
        Self { section, at, len }
    }
}

/// Some rows of a table: one whole `COPY … FROM stdin;` statement with its rows and the final
/// `\.`. Only where it takes more than one frame does it go on in the frames that follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RowsRecord {
    /// The table's schema.
    pub schema: String,
    /// The table's name.
    pub name: String,
    /// How many rows.
    pub rows: u64,
    /// Where the statement begins in the payload's plain bytes.
    pub at: u64,
    /// How many plain bytes it takes.
    pub len: u64,
}

impl RowsRecord {
    /// `rows` rows of a table, in `len` bytes from `at` on.
    pub fn new(schema: String, name: String, rows: u64, at: u64, len: u64) -> Self {
        Self { schema, name, rows, at, len }
    }
}

/// A table of which all rows stand in the payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TableRecord {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The columns that the payload holds, in its order: a restored table may have another order.
    pub columns: Vec<String>,
    /// How many rows it has.
    pub rows: u64,
    /// How many bytes these have in the payload.
    pub bytes: u64,
    /// A hash of all its rows, whatever their order.
    pub hash: TableHash,
    /// The partitioned table through which its rows are loaded, as `"schema"."name"`, where a row's
    /// partition may be another one after a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// Which of its rows are the user's, as `WHERE …`: an extension brings the others.
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
    /// Adds rows that were hashed elsewhere.
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

/// The database that a payload of SQL holds, with everything that no statement in it sets.
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
    /// Who provides the locale: `libc`, `icu` or `builtin`.
    pub provider: String,
    /// The locale of the provider `icu` or `builtin`.
    pub locale: Option<String>,
    /// ICU's collation rules.
    pub icu_rules: Option<String>,
    /// The version of the collation.
    pub collation_version: Option<String>,
    /// The default tablespace.
    pub tablespace: String,
    /// How many connections are allowed; -1 for any number.
    pub connection_limit: i32,
    /// Whether it may be used as a template by anybody.
    pub is_template: bool,
    /// The comment.
    pub comment: Option<String>,
    /// Privileges, where they are not the usual ones.
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
    /// Who has it; nobody in particular is `PUBLIC`.
    pub role: Option<String>,
    /// What it is: `CONNECT`, `CREATE` or `TEMPORARY`.
    pub privilege: String,
    /// Whether that role may pass it on.
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
    /// The role that it is for; everybody where there is none.
    pub role: Option<String>,
    /// The parameter.
    pub name: String,
    /// Its value, as the catalogue has it.
    pub value: String,
}

impl Setting {
    /// `name` is `value` for `role`.
    pub fn new(role: Option<String>, name: String, value: String) -> Self {
        Self { role, name, value }
    }
}
