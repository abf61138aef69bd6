//! Names the shared library as programs look for it, and hides what libraries below it would show.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The number is that of `SW_ABI_VERSION`.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libseaworthy.so.1");
    // Some crates export C functions of their own.
    println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
}
