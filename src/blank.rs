//! Text that shows nothing.
//!
//! A leaf: names are judged in `auth` and `store`, what people write in `social`, and all mean the same by it.

/// Whether a text shows nothing: it is empty, or all of it is [invisible](is_invisible).
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// Whether a character shows nothing: white space, the empty braille pattern, and what a reader's program ignores where it
/// cannot draw it (`Default_Ignorable_Code_Point` of the Unicode Character Database): people write empty lines with them.
pub fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_is_blank() {
        for blank in ["", " ", "\n\t\n", "\u{3000}", "\u{200b}", "\u{feff}\u{2060} ", "\u{3164}", "\u{e0041}"]
        {
            assert!(is_blank(blank), "{blank:?}");
        }
        for shown in ["a", "\u{200b}a", ".", "👩\u{200d}👩", "\u{301}"] {
            assert!(!is_blank(shown), "{shown:?}");
        }
    }
}
