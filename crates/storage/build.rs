//! `sqlx::migrate!` reads the folder at compile time, which cargo does not detect.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
