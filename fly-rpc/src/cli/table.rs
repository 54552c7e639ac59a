//! Tables for people: aligned, never wider than a terminal of 80 columns, and nothing in them that a terminal obeys.

use super::json::is_obeyed;

/// What a cell says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Style {
    #[default]
    Plain,
    Bold,
    Dim,
    Good,
    Doubtful,
    Bad,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "31",
        }
    }

    /// The text in this style, if there are colours.
    pub(super) fn paint(self, text: &str, colour: bool) -> String {
        match self.code() {
            code if colour && !code.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self {
            text: clean(text.as_ref()),
            style,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Style::Plain)
    }
}

/// A column: its title, whether it is for numbers, and how narrow it may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    title: &'a str,
    numbers: bool,
    least: usize,
    /// It is its end that tells texts apart.
    tail: bool,
}

impl<'a> Column<'a> {
    /// One of texts that are cut, with `…`, if there is no room: to so many letters at least.
    pub(super) const fn of(title: &'a str, least: usize) -> Self {
        Self {
            title,
            numbers: false,
            least,
            tail: false,
        }
    }

    /// The same, but it is the beginning that is cut: of images, the end says which.
    pub(super) const fn tail(title: &'a str, least: usize) -> Self {
        Self {
            tail: true,
            ..Self::of(title, least)
        }
    }

    /// One of texts that are never cut.
    pub(super) const fn whole(title: &'a str) -> Self {
        Self::of(title, usize::MAX)
    }

    /// One of numbers.
    pub(super) const fn numbers(title: &'a str) -> Self {
        Self {
            title,
            numbers: true,
            least: usize::MAX,
            tail: false,
        }
    }
}

/// The table, a line for each row.
pub(super) fn render(columns: &[Column<'_>], rows: &[Vec<Cell>], colour: bool) -> String {
    let titles: Vec<Cell> = columns
        .iter()
        .map(|column| Cell::new(column.title, Style::Bold))
        .collect();
    let widths = widths(columns, &titles, rows);
    let mut text = String::new();
    for row in [&titles].into_iter().chain(rows) {
        let mut line = String::new();
        let mut blanks = 0;
        for ((cell, column), &width) in row.iter().zip(columns).zip(&widths) {
            let shown = match column.tail {
                true => cut_tail(&cell.text, width),
                false => cut(&cell.text, width),
            };
            let left = width.saturating_sub(self::width(&shown));
            let before = if column.numbers { left } else { 0 };
            // What ends a line is not filled up.
            if !shown.is_empty() {
                line.extend(std::iter::repeat_n(' ', blanks + before));
                line += &cell.style.paint(&shown, colour);
                blanks = left - before + GAP.len();
            } else {
                blanks += width + GAP.len();
            }
        }
        text += &line;
        text.push('\n');
    }
    text
}

/// The width of each column, so that all of them fit, if they can.
fn widths(columns: &[Column<'_>], titles: &[Cell], rows: &[Vec<Cell>]) -> Vec<usize> {
    let mut widths = vec![0; columns.len()];
    for row in rows.iter().map(Vec::as_slice).chain([titles]) {
        for (most, cell) in widths.iter_mut().zip(row) {
            *most = width(&cell.text).max(*most);
        }
    }
    loop {
        let gaps = GAP.len() * columns.len().saturating_sub(1);
        if widths.iter().sum::<usize>() + gaps <= WIDTH {
            return widths;
        }
        let room = |place: &usize| {
            widths[*place] > columns[*place].least.max(width(columns[*place].title))
        };
        let widest = (0..columns.len())
            .filter(room)
            .max_by_key(|place| widths[*place]);
        match widest {
            Some(place) => widths[place] -= 1,
            None => return widths,
        }
    }
}

/// A text of at most so many columns.
pub(super) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut taken = 1;
    for letter in text.chars() {
        taken += width_of(letter);
        if taken > most {
            break;
        }
        shown.push(letter);
    }
    shown.push('…');
    shown
}

/// The same of its end.
fn cut_tail(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mirrored: String = text.chars().rev().collect();
    cut(&mirrored, most).chars().rev().collect()
}

/// Lines of at most 80 columns, all but the first behind so many blanks.
pub(super) fn wrap(text: &str, indent: usize) -> String {
    let text = clean(text);
    let mut wrapped = String::new();
    let mut taken = indent;
    for (place, word) in text.split_whitespace().enumerate() {
        let room = width(word);
        if place > 0 && taken + 1 + room > WIDTH {
            wrapped += &format!("\n{:indent$}", "");
            taken = indent;
        } else if place > 0 {
            wrapped.push(' ');
            taken += 1;
        }
        wrapped += word;
        taken += room;
    }
    wrapped
}

/// A text that a terminal shows and does not obey: it may come from any node.
pub(super) fn clean(text: &str) -> String {
    let clean = text.chars();
    clean
        .map(|letter| {
            if is_obeyed(letter) {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// Columns of a letter: those of East Asia, and pictures, take two.
fn width_of(letter: char) -> usize {
    match letter {
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' => 2,
        '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' => 2,
        '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

const WIDTH: usize = 80;
const GAP: &str = "  ";

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column<'_>; 3] = [
        Column::of("NODE", 8),
        Column::numbers("ROUND TRIP"),
        Column::tail("BUILD", 10),
    ];

    #[test]
    fn columns_are_aligned_and_lines_end_where_their_text_does() {
        let rows = [
            vec!["a".into(), "1.0 ms".into(), "v1".into()],
            vec!["bbbbbb".into(), "".into(), "".into()],
        ];
        let expected = "NODE    ROUND TRIP  BUILD\na           1.0 ms  v1\nbbbbbb\n";
        assert_eq!(render(&COLUMNS, &rows, false), expected);
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let long = "registry.fly.io/guestbook:deployment-01JB6T5YJ3Z7Q2W8".repeat(2);
        let rows = [vec![
            Cell::from("x".repeat(63)),
            "1.0 ms".into(),
            Cell::from(&long),
        ]];
        let text = render(&COLUMNS, &rows, false);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(text.contains('…') && text.contains("YJ3Z7Q2W8\n"), "{text}");
        assert!(
            wrap(&long.replace('-', " "), 4)
                .lines()
                .all(|line| line.chars().count() <= 80)
        );
    }

    #[test]
    fn a_terminal_obeys_no_cell() {
        let rows = [vec!["\x1b[2J".into(), "日本".into(), "\u{202e}x".into()]];
        assert!(!render(&COLUMNS, &rows, false).contains(['\x1b', '\u{202e}']));
        assert!(render(&COLUMNS, &[], true).contains("\x1b[1mNODE\x1b[0m"));
    }
}
