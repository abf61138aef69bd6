//! Properties of the database itself, which the statements of a dump do not set: read and applied.

use seaworthy_core::Result;

use super::connect::session::{Session, literal, quote};
use crate::format::index::{Grant, ServerRecord, Setting};

/// The properties of the database that `session` is connected to.
pub(super) async fn read(session: &Session) -> Result<ServerRecord> {
    let version = session.version();
    let provider =
        "CASE d.datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END";
    let (provider, locale, collation_version) = match version {
        17_00_00.. => (provider, "d.datlocale", "d.datcollversion"),
        15_00_00.. => (provider, "d.daticulocale", "d.datcollversion"),
        _ => ("'libc'", "NULL", "NULL"),
    };
    let rules = if version >= 16_00_00 { "d.daticurules" } else { "NULL" };
    let sql = format!(
        "SELECT d.datname, pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding),
                d.datcollate::text, d.datctype::text, {provider}, {locale}::text, {rules}::text,
                {collation_version}::text, t.spcname, d.datconnlimit, d.datistemplate,
                shobj_description(d.oid, 'pg_database'), d.datacl IS NOT NULL, d.oid
         FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
         WHERE d.datname = current_database()"
    );
    let row = session.row(&sql, &[]).await?;
    let oid: u32 = row.get(14);
    let grants = if row.get(13) {
        let sql = "SELECT CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee)::text END,
                          a.privilege_type, a.is_grantable
                   FROM pg_database d, aclexplode(d.datacl) a WHERE d.oid = $1";
        let rows = session.rows(sql, &[&oid]).await?;
        Some(rows.iter().map(|row| Grant::new(row.get(0), row.get(1), row.get(2))).collect())
    } else {
        None
    };
    let sql = "SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole)::text END, c
               FROM pg_db_role_setting s, unnest(s.setconfig) WITH ORDINALITY u(c, n)
               WHERE s.setdatabase = $1 ORDER BY s.setrole, n";
    let setting = |row: &tokio_postgres::Row| {
        let (name, value) = row.get::<_, &str>(1).split_once('=')?;
        Some(Setting::new(row.get(0), name.to_owned(), value.to_owned()))
    };
    let settings = session.rows(sql, &[&oid]).await?.iter().filter_map(setting).collect();
    let sql = "SELECT extname, extversion FROM pg_extension ORDER BY extname";
    let extensions = session.rows(sql, &[]).await?;
    Ok(ServerRecord {
        database: row.get(0),
        version,
        owner: row.get(1),
        encoding: row.get(2),
        collate: row.get(3),
        ctype: row.get(4),
        provider: row.get(5),
        locale: row.get(6),
        icu_rules: row.get(7),
        collation_version: row.get(8),
        tablespace: row.get(9),
        connection_limit: row.get(10),
        is_template: row.get(11),
        comment: row.get(12),
        grants,
        settings,
        extensions: extensions.iter().map(|row| (row.get(0), row.get(1))).collect(),
        large_objects: 0,
    })
}

/// The statement that creates a database like `record`, under another name. `version` is that of
/// the server on which it runs.
pub(super) fn create(record: &ServerRecord, name: &str, version: u32) -> String {
    let mut sql = format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
        quote(name),
        literal(&record.encoding),
        literal(&record.collate),
        literal(&record.ctype),
    );
    if version >= 15_00_00 && !record.provider.is_empty() {
        sql.push_str(&format!(" LOCALE_PROVIDER {}", record.provider));
        if let Some(locale) = &record.locale {
            let keyword = match record.provider.as_str() {
                "icu" => Some("ICU_LOCALE"),
                "builtin" => Some("BUILTIN_LOCALE"),
                _ => None,
            };
            if let Some(keyword) = keyword {
                sql.push_str(&format!(" {keyword} {}", literal(locale)));
            }
        }
        if let Some(rules) = record.icu_rules.as_ref().filter(|_| version >= 16_00_00) {
            sql.push_str(&format!(" ICU_RULES {}", literal(rules)));
        }
    }
    sql
}

/// The statements that give the database `name` the properties in `record`, each run separately.
pub(super) fn properties(record: &ServerRecord, name: &str) -> Vec<String> {
    let name = quote(name);
    let mut sql = Vec::new();
    if record.tablespace != "pg_default" {
        sql.push(format!("ALTER DATABASE {name} SET TABLESPACE {}", quote(&record.tablespace)));
    }
    if let Some(comment) = &record.comment {
        sql.push(format!("COMMENT ON DATABASE {name} IS {}", literal(comment)));
    }
    if record.connection_limit != -1 {
        sql.push(format!("ALTER DATABASE {name} CONNECTION LIMIT {}", record.connection_limit));
    }
    if record.is_template {
        sql.push(format!("ALTER DATABASE {name} IS_TEMPLATE true"));
    }
    for setting in &record.settings {
        let change = format!("SET {} TO {}", setting_name(&setting.name), setting_value(setting));
        sql.push(match &setting.role {
            Some(role) => format!("ALTER ROLE {} IN DATABASE {name} {change}", quote(role)),
            None => format!("ALTER DATABASE {name} {change}"),
        });
    }
    sql.push(format!("ALTER DATABASE {name} OWNER TO {}", quote(&record.owner)));
    if let Some(grants) = &record.grants {
        let owner = quote(&record.owner);
        sql.push(format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC, {owner}"));
        for grant in grants {
            let role = grant.role.as_deref().map_or_else(|| "PUBLIC".to_owned(), quote);
            let option = if grant.grantable { " WITH GRANT OPTION" } else { "" };
            let privilege = &grant.privilege;
            sql.push(format!("GRANT {privilege} ON DATABASE {name} TO {role}{option}"));
        }
    }
    sql
}

/// `a.b` names an extension's parameter; each part is an identifier.
fn setting_name(name: &str) -> String {
    name.split('.').map(quote).collect::<Vec<_>>().join(".")
}

fn setting_value(setting: &Setting) -> String {
    /// The catalogue stores these as lists of identifiers, not as one string.
    const LISTS: [&str; 6] = [
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    ];
    if !LISTS.contains(&setting.name.to_lowercase().as_str()) {
        return literal(&setting.value);
    }
    let mut names = vec![String::new()];
    let mut quoted = false;
    let mut chars = setting.value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => {
                names.last_mut().into_iter().for_each(|name| name.push('"'));
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(String::new()),
            c if !quoted && c.is_whitespace() => {}
            c => names.last_mut().into_iter().for_each(|name| name.push(c)),
        }
    }
    names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_identifiers_are_taken_apart() {
        let value = |name: &str, value: &str| {
            setting_value(&Setting::new(None, name.to_owned(), value.to_owned()))
        };
        assert_eq!(
            value("search_path", r#""$user", public, "a,""b""#),
            r#"'$user', 'public', 'a,"b'"#
        );
        assert_eq!(value("search_path", r#""""#), "''");
        assert_eq!(value("work_mem", "it's"), "'it''s'");
    }
}
