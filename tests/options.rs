//! OPTIONS.md is made from the code, and is what the code says.

use std::fs;

use kavka::config::{AdminConfig, CommonConfig, ConsumerConfig, ProducerConfig, markdown_table};

#[test]
fn the_document_is_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/OPTIONS.md");
    let expected = format!(
        "# Options\n\nMade from the code: `KAVKA_WRITE=1 cargo test --test options` writes it anew. Times are whole \
         milliseconds in strings\nand a `Duration` in Rust; sizes are bytes.\n\n## All clients\n\n{}\n## Producer\n\n{}\n\
         ## Consumer\n\n{}\n## Admin client\n\n{}",
        markdown_table(CommonConfig::OPTIONS),
        markdown_table(ProducerConfig::OPTIONS),
        markdown_table(ConsumerConfig::OPTIONS),
        markdown_table(AdminConfig::OPTIONS),
    );
    if std::env::var_os("KAVKA_WRITE").is_some() {
        fs::write(path, &expected).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "OPTIONS.md is out of date: run KAVKA_WRITE=1 cargo test --test options");
}
