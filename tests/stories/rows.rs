//! Every behaviour that was promised has a story that carries its row in its name: `h7_…`, `f2_8_h10_…`.

use std::collections::BTreeSet;
use std::path::Path;

/// `(part, numbers)`: what is served today. Rows of later parts join with them.
const PROMISED: &[(&str, &[u32])] = &[
    ("h", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
    ("f1", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20]),
    ("f2", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
    ("f3", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
    ("f5", &[1, 2, 3, 4, 5, 6, 7, 9, 10]),
    ("f6", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
    ("f7", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("f8", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
];

#[test]
fn every_promised_row_has_a_story_by_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut told = BTreeSet::new();
    for file in std::fs::read_dir(folder).expect("the stories") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("readable");
        told.extend(stories(&text).flat_map(rows));
    }
    let promised =
        PROMISED.iter().flat_map(|(part, numbers)| numbers.iter().map(|number| row(part, *number)));
    let untold: Vec<String> = promised.filter(|row| !told.contains(row)).collect();
    assert!(untold.is_empty(), "no story is named for {untold:?}");
}

#[test]
fn a_name_tells_its_rows() {
    let source = "async fn f2_8_h10_a_private_post(e: E) {\n    fn inner_h9() {}\n#[test]\nfn h13_it_ends() {}\nfn h_1() {}";
    let found: Vec<String> = stories(source).flat_map(rows).collect();
    assert_eq!(found, ["f2_8", "h10", "h13"]);
}

/// Names of functions that stand at the margin.
fn stories(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let name = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
        name.split('(').next()
    })
}

/// The rows at the beginning of a name: `h` and a number, or `f`, a number and another.
fn rows(name: &str) -> Vec<String> {
    let mut words = name.split('_');
    let mut rows = Vec::new();
    while let Some(word) = words.next() {
        let found = match (number_after(word, 'h'), number_after(word, 'f')) {
            (Some(number), _) => Some(row("h", number)),
            (_, Some(part)) => {
                words.next().and_then(|word| word.parse().ok()).map(|number| row(&format!("f{part}"), number))
            }
            _ => None,
        };
        match found {
            Some(found) => rows.push(found),
            None => break,
        }
    }
    rows
}

fn number_after(word: &str, letter: char) -> Option<u32> {
    word.strip_prefix(letter)?.parse().ok()
}

fn row(part: &str, number: u32) -> String {
    if part == "h" { format!("h{number}") } else { format!("{part}_{number}") }
}
