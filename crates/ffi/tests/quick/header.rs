//! The committed header is what the code says. `SEAWORTHY_BLESS=1 cargo test -p seaworthy-ffi --test
//! quick header` writes it again.

use std::{fs, path::Path};

/// What C calls the types.
const NAMES: [(&str, &str); 12] = [
    ("ContextHandle", "sw_ctx"),
    ("CancelHandle", "sw_cancel"),
    ("ErrorHandle", "sw_error"),
    ("StringHandle", "sw_string"),
    ("CallbackTable", "sw_callback"),
    ("CallTable", "sw_call"),
    ("OptionsTable", "sw_options"),
    ("SinkTable", "sw_sink"),
    ("SolverTable", "sw_solver"),
    ("NotifierTable", "sw_notifier"),
    ("PutTable", "sw_put_options"),
    ("InfoTable", "sw_object_info"),
];

const TOP: &str = "\
/* Seaworthy from C and everything that speaks it. Generated from crates/ffi/src: do not edit.
 *
 * Handles are opaque; the caller frees them; sw_…_free(NULL) does nothing. Every function except those, \
sw_version
 * and sw_abi_version returns 0 or one of SW_E_*. Text that goes in is a pointer and a length; text that comes out \
has a
 * NUL behind it too. A `const` handle may be used by several threads at once, another one by one only. */";

fn generated() -> String {
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        header: Some(TOP.into()),
        include_guard: Some("SEAWORTHY_H".into()),
        no_includes: true,
        sys_includes: vec!["stddef.h".into(), "stdint.h".into()],
        cpp_compat: true,
        style: cbindgen::Style::Both,
        documentation_style: cbindgen::DocumentationStyle::Doxy,
        usize_is_size_t: true,
        line_length: 100,
        ..cbindgen::Config::default()
    };
    config.export.rename =
        NAMES.iter().map(|(rust, c)| ((*rust).to_owned(), (*c).to_owned())).collect();
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.rs");
    fs::write(&table, functions_of_the_table()).unwrap();
    let header = cbindgen::Builder::new()
        .with_src(table)
        .with_crate(env!("CARGO_MANIFEST_DIR"))
        .with_config(config)
        .generate()
        .unwrap();
    let mut text = Vec::new();
    header.write(&mut text);
    String::from_utf8(text).unwrap().replace("# Safety\n", "The contract:\n")
}

/// The functions of the table of commands, written out: cbindgen expands no macros.
fn functions_of_the_table() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/command/mod.rs");
    let source = fs::read_to_string(file).unwrap();
    let (_, template) = source.split_once("pub unsafe extern \"C\" fn $name").unwrap();
    let (signature, _) = template.split_once('{').unwrap();
    let (_, table) = source.split_once("\ncommands! {\n").unwrap();
    let (table, _) = table.split_once("\n}\n").unwrap();
    let line = |line: &str| match line.trim().split_once(" => ") {
        Some((name, _)) if name.starts_with("sw_") => {
            format!("#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn {name}{signature}{{ 0 }}\n")
        }
        _ => format!("{}\n", line.trim()),
    };
    table.lines().map(line).collect()
}

#[test]
fn the_committed_header_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/seaworthy.h");
    let now = generated();
    if std::env::var_os("SEAWORTHY_BLESS").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == now, "the header is out of date; write it again with SEAWORTHY_BLESS=1");
}

#[test]
fn the_header_has_at_most_fifty_functions_and_each_says_who_may_call_it() {
    let header = generated();
    let mut functions = 0;
    for (name, comment) in declarations(&header) {
        functions += 1;
        if name.ends_with("_free") {
            continue;
        }
        let inherits = ["`sw_backup`", "`sw_ctx_open_file`", "`sw_pin`"]
            .iter()
            .any(|name| comment.contains(name));
        assert!(inherits || comment.contains("Any thread") || comment.contains("Any\n"), "{name}");
    }
    assert!((30..=50).contains(&functions), "{functions} functions");
}

/// The functions, each with the comment before it.
fn declarations(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut comment = String::new();
    for line in header.lines() {
        if line.starts_with("/**") {
            comment.clear();
        }
        comment.push_str(line.trim_start_matches([' ', '*', '/']));
        comment.push('\n');
        let name = line.split('(').next().unwrap_or_default();
        let name = name.rsplit([' ', '*']).next().unwrap_or_default();
        if line.contains('(')
            && !line.starts_with([' ', '/', '*', '#', '}'])
            && name.starts_with("sw_")
        {
            found.push((name.to_owned(), std::mem::take(&mut comment)));
        }
    }
    found
}
