//! Prints the OpenAPI document, as `/openapi.json` serves it.

fn main() -> std::io::Result<()> {
    use std::io::Write as _;

    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &server::document())?;
    writeln!(out)
}
