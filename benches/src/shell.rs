//! Quoting for a POSIX shell. Source: POSIX.1-2024, "Shell Command Language", 2.2.

/// Returns the words as one command that a shell splits into the same words.
pub fn quote<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote_word(word.as_ref())).collect();
    words.join(" ")
}

fn quote_word(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "_@%+=:,./-".contains(character);
    // as the first word NAME=VALUE would be an assignment
    let is_assignment = !word.starts_with('-') && word.contains('=');
    if !word.is_empty() && word.chars().all(is_plain) && !is_assignment {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn plain_words_stay_as_they_are() {
        let words = ["/bin/sift-bench", "compare", "--levels=3,5", "--scale", "0.1"];
        assert_eq!(quote(&words), words.join(" "));
        assert_eq!(quote(&["--where", "price > 490"]), "--where 'price > 490'");
    }

    #[test]
    fn a_shell_gets_the_same_words_back() {
        let words = [
            "", "a b", "it's", "\"", "$HOME", "`id`", "*", "~", "#", "a\nb", "\\", "!", "a=b", "é",
            "'", "''", "&|;<>()", "\t", "-", "%", "[a]", "{a,b}",
        ];
        let script = format!("printf '%s\\0' {}", quote(&words));
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.strip_suffix('\0').unwrap().split('\0').collect::<Vec<_>>(), words);
        // the first word is a command, not an assignment
        assert_eq!(quote(&["a=b"]), "'a=b'");
    }
}
