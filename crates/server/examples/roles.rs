//! Prints `docs/roles.md`: which role every operation needs. `./dev roles` keeps what it prints.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(server::roles_table().as_bytes())
}
