//! Marks of merge conflicts that were committed: in a page, a test list or a document no compiler would notice them.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Looks through every tracked text file.
///
/// # Errors
/// Names each place as `file:line`. Also where git cannot list the files.
pub(crate) fn refuse(root: &Path) -> Result<()> {
    let mut places = Vec::new();
    for file in tracked(root)? {
        // A file that was deleted and not committed yet is listed too; what is no UTF-8 is no text.
        let Ok(text) = std::fs::read_to_string(root.join(&file)) else { continue };
        places.extend(marks(&text).into_iter().map(|line| format!("{file}:{line}")));
    }
    if !places.is_empty() {
        bail!("left over from a merge, resolve it: {}", places.join(", "));
    }
    Ok(())
}

/// Whether this is a checkout of git, and not an unpacked archive.
pub(crate) fn can_look(root: &Path) -> bool {
    root.join(".git").exists()
}

fn tracked(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("git ls-files")?;
    if !output.status.success() {
        bail!("git ls-files: {}", output.status);
    }
    let names = String::from_utf8(output.stdout).context("git ls-files")?;
    Ok(names.split_terminator('\0').map(str::to_owned).collect())
}

/// Numbers of the lines, from 1, that git has written between two versions. Seven signs of equality underline headings too:
/// they count after the beginning of a conflict alone, up to its end.
fn marks(text: &str) -> Vec<usize> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let (begins, ends) = (line.starts_with("<<<<<<< "), line.starts_with(">>>>>>> "));
        let divides = is_inside && (line == "=======" || line.starts_with("||||||| "));
        if begins || ends || divides {
            found.push(number);
        }
        is_inside = begins || (is_inside && !ends);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_leaves_between_two_versions_is_found() {
        let merged = "a\n<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> other\nb\n";
        assert_eq!(marks(merged), [2, 4, 6]);
        let three = "<<<<<<< HEAD\r\nours\r\n||||||| base\r\nwas\r\n=======\r\ntheirs\r\n>>>>>>> other\r\n";
        assert_eq!(marks(three), [1, 3, 5, 7]);
        assert_eq!(marks("half resolved\n>>>>>>> other\n"), [2]);
    }

    #[test]
    fn headings_shifts_and_what_is_said_of_marks_are_none() {
        for text in [
            "Heading\n=======\n\ntext\n",
            "    <<<<<<< HEAD\n",
            "<<<<<<<<< 9\n",
            "a >>>>>>> b\n",
            "|||||||\n",
            ">>>>>>>\n",
        ] {
            assert_eq!(marks(text), [0; 0], "{text}");
        }
    }
}
