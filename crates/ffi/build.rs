//! Names the shared library as programs look for it: plain cargo gives it no soname.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The number is that of `SW_ABI_VERSION`.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libseaworthy.so.1");
}
