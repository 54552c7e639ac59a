//! Tables in markdown, padded so that they read as well in a terminal.

use std::fmt;

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table: a head, and rows of as many cells. Shown as markdown.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<String>,
    align: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table. The first column is of words, the others are of numbers.
    pub fn new<C: Into<String>>(head: impl IntoIterator<Item = C>) -> Self {
        let head: Vec<String> = head.into_iter().map(Into::into).collect();
        let mut align = vec![Align::Right; head.len()];
        if let Some(first) = align.first_mut() {
            *first = Align::Left;
        }
        Self {
            head,
            align,
            rows: Vec::new(),
        }
    }

    /// What is known of one thing: a name and a value in each row, which have no head of their own.
    pub fn of<C: Into<String>>(
        thing: impl Into<String>,
        known: impl IntoIterator<Item = (C, String)>,
    ) -> Self {
        let mut table = Self::new([thing.into(), String::new()]);
        for (name, value) in known {
            table.row([name.into(), value]);
        }
        table
    }

    /// Says otherwise of a column.
    pub fn align(mut self, column: usize, align: Align) -> Self {
        if let Some(place) = self.align.get_mut(column) {
            *place = align;
        }
        self
    }

    /// Adds a row. Cells that it lacks are empty, cells that it has too many are left out.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.head.len(), String::new());
        // A bar would end the cell.
        let cells = cells.into_iter().map(|cell| cell.replace('|', "\\|"));
        self.rows.push(cells.collect());
    }

    /// True if it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().chain([&self.head]);
        let widths = cells.map(|row| row[column].chars().count());
        widths.max().unwrap_or_default().max(3)
    }

    fn line(&self, f: &mut fmt::Formatter<'_>, cells: &[String]) -> fmt::Result {
        for (column, (cell, align)) in cells.iter().zip(&self.align).enumerate() {
            let width = self.width(column);
            match align {
                Align::Left => write!(f, "| {cell:<width$} ")?,
                Align::Right => write!(f, "| {cell:>width$} ")?,
            }
        }
        writeln!(f, "|")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line(f, &self.head)?;
        for (column, align) in self.align.iter().enumerate() {
            let dashes = "-".repeat(self.width(column) + 1);
            match align {
                Align::Left => write!(f, "|{dashes}-")?,
                Align::Right => write!(f, "|{dashes}:")?,
            }
        }
        writeln!(f, "|")?;
        for row in &self.rows {
            self.line(f, row)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_that_lines_up() {
        let mut table = Table::new(["peer", "calls/s"]);
        table.row(["fly-rpc", "408 k"]);
        table.row(["a|b"]);
        let text = "\
| peer    | calls/s |
|---------|--------:|
| fly-rpc |   408 k |
| a\\|b    |         |
";
        assert_eq!(table.to_string(), text);
    }
}
