//! Excerpts of dbt's texts, without terminal colours.

use model::Excerpt;

/// The text without terminal control sequences.
pub(super) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// The beginning of the text, at most `max_bytes`.
pub(super) fn head(text: &str, max_bytes: usize) -> Excerpt {
    let end = text.floor_char_boundary(max_bytes);
    Excerpt {
        text: text[..end].to_owned(),
        is_cut: end < text.len(),
    }
}

/// The end of the text, at most `max_bytes`; whole lines if it includes a line break.
pub(super) fn tail(text: &str, max_bytes: usize) -> Excerpt {
    let text = text.trim_end();
    let start = text.ceil_char_boundary(text.len().saturating_sub(max_bytes));
    let is_whole = start == 0 || text[..start].ends_with('\n');
    let line = text[start..].find('\n').filter(|_| !is_whole);
    let start = line.map_or(start, |end_of_part| start + end_of_part + 1);
    Excerpt {
        text: text[start..].to_owned(),
        is_cut: start > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(excerpt: &Excerpt) -> (&str, bool) {
        (&excerpt.text, excerpt.is_cut)
    }

    #[test]
    fn terminal_colours_and_links_are_removed() {
        let coloured = "\u{1b}[0m12:00:01  1 of 2 \u{1b}[31mERROR\u{1b}[0m é\n\u{1b}]8;;https://dbt.test\u{7}more\u{1b}]8;;\u{7}\r\n\tend";
        assert_eq!(plain(coloured), "12:00:01  1 of 2 ERROR é\nmore\r\n\tend");
    }

    #[test]
    fn the_tail_of_a_text_starts_with_a_whole_line() {
        assert_eq!(parts(&tail("one\ntwo\nthree\n", 100)), ("one\ntwo\nthree", false));
        assert_eq!(parts(&tail("one\ntwo\nthree\n", 9)), ("two\nthree", true));
        assert_eq!(parts(&tail("one\ntwo\nthree\n", 8)), ("three", true));
        assert_eq!(parts(&tail("one line of äöü", 4)), ("öü", true));
        assert_eq!(parts(&tail("one line of äöü", 3)), ("ü", true));
        assert_eq!(parts(&tail("", 3)), ("", false));
    }

    #[test]
    fn the_head_of_a_text_ends_with_a_whole_character() {
        assert_eq!(parts(&head("äöü", 6)), ("äöü", false));
        assert_eq!(parts(&head("äöü", 5)), ("äö", true));
        assert_eq!(parts(&head("äöü", 1)), ("", true));
    }
}
