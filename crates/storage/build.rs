//! `sqlx::migrate!` reads the folder at compile time; cargo has to be told that it is one of our sources.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
