//! What PostgreSQL spells differently from the statements of the aggregates.

/// Lower-case names of columns that are words of the language here.
const RESERVED: [&str; 2] = ["user", "offset"];

/// The statement with `$1` for `?1`, and reserved names quoted; what stands between apostrophes stays.
pub(super) fn translated(sql: &str) -> String {
    let mut written = String::with_capacity(sql.len() + 16);
    for (place, part) in sql.split('\'').enumerate() {
        if place > 0 {
            written.push('\'');
        }
        if place % 2 == 0 { translate(part, &mut written) } else { written.push_str(part) }
    }
    written
}

fn translate(sql: &str, written: &mut String) {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut rest = sql;
    while let Some(start) = rest.find(|letter| is_word(letter) || letter == '?') {
        written.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix('?') {
            written.push('$');
            rest = after;
            continue;
        }
        let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if RESERVED.contains(&word) {
            written.extend(["\"", word, "\""]);
        } else {
            written.push_str(word);
        }
        rest = after;
    }
    written.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::translated;

    #[test]
    fn parameters_and_reserved_names_are_spelled_anew() {
        for (ours, theirs) in [
            (
                "SELECT user FROM m WHERE user=?1 AND u.id>?12",
                "SELECT \"user\" FROM m WHERE \"user\"=$1 AND u.id>$12",
            ),
            (
                "SELECT users, user_id FROM log ORDER BY offset",
                "SELECT users, user_id FROM log ORDER BY \"offset\"",
            ),
            ("n.user = ?1", "n.\"user\" = $1"),
            ("state != 'user?1' AND user = 'it''s user'", "state != 'user?1' AND \"user\" = 'it''s user'"),
        ] {
            assert_eq!(translated(ours), theirs);
        }
    }
}
