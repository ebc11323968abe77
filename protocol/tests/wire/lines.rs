//! The file of frozen lines: a heading, a JSON line and a hex line for each sample.

/// The frozen wire. It changes only where the protocol is meant to change, and then by hand or by `WIRE_PRINT=1 cargo
/// test --test wire -- --nocapture`, which prints what the types encode to now.
pub(crate) const FROZEN: &str = include_str!("frozen.txt");

/// One sample, frozen.
pub(crate) struct Line<'a> {
    pub(crate) heading: &'a str,
    pub(crate) json: &'a str,
    pub(crate) hex: &'a str,
}

impl Line<'_> {
    pub(crate) fn msgpack(&self) -> Vec<u8> {
        bytes_of(self.hex)
    }
}

/// All samples of [`FROZEN`].
pub(crate) fn frozen() -> Vec<Line<'static>> {
    let mut lines = FROZEN.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut frozen = Vec::new();
    while let Some(heading) = lines.next() {
        let json = lines.next().expect("a JSON line follows each heading");
        let hex = lines.next().expect("a hex line follows each JSON line");
        frozen.push(Line { heading, json, hex });
    }
    frozen
}

pub(crate) fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn bytes_of(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "half a byte in {hex}");
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("hex is ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("two hex digits")).collect()
}
