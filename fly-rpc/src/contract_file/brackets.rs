//! A contract's text by its brackets, and which of them are broken over several lines.

/// Text, or something in brackets.
#[derive(Debug)]
pub(super) enum Piece<'t> {
    Text(&'t str),
    Group(Group<'t>),
}

#[derive(Debug)]
pub(super) struct Group<'t> {
    /// As it is on one line, with its brackets.
    pub(super) flat: &'t str,
    pub(super) items: Vec<Vec<Piece<'t>>>,
    pub(super) form: Form,
}

/// How a group is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Flat,
    /// Broken inside of its only element.
    Close,
    /// An element on each line.
    Spread,
}

/// What becomes of a parameter, field or variant that has no other beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    Stays,
    Breaks,
}

/// The text by its brackets; `None` if they do not fit each other, or are nested too deep.
pub(super) fn pieces(text: &str, alone: Alone) -> Option<Vec<Piece<'_>>> {
    let bytes = text.as_bytes();
    let mut open = vec![Open::default()];
    for (at, byte) in text.bytes().enumerate() {
        let depth = open.len();
        let inner = open.last_mut()?;
        let follows = bytes.get(at + 1).copied();
        match byte {
            b'(' | b'[' | b'{' | b'<' => {
                if depth > MAX_NESTING {
                    return None;
                }
                inner.text(text, at);
                open.push(Open::at(at, at + 1));
            }
            b'>' if bytes[..at].last() == Some(&b'-') => {} // an arrow
            b')' | b']' | b'}' | b'>' => {
                let group = open.pop()?;
                let outer = open.last_mut()?;
                if (bytes[group.at], byte) != pair(byte) {
                    return None;
                }
                // The first thing in brackets at all are the parameters.
                let are_parameters = depth == 2 && outer.item.len() < 2;
                outer
                    .item
                    .push(Piece::Group(group.close(text, at, are_parameters, alone)));
                outer.from = at + 1;
            }
            b',' if depth > 1 && follows == Some(b' ') => inner.end_item(text, at, at + 2),
            b'|' if depth > 1 && follows == Some(b' ') && bytes[..at].last() == Some(&b' ') => {
                inner.end_item(text, at, at + 2);
            }
            _ => {}
        }
    }
    let mut whole = open.pop().filter(|_| open.is_empty())?;
    whole.text(text, text.len());
    Some(whole.item)
}

/// A bracket that is not closed yet.
#[derive(Default)]
struct Open<'t> {
    at: usize,
    items: Vec<Vec<Piece<'t>>>,
    item: Vec<Piece<'t>>,
    /// Where the text that belongs to no piece yet begins.
    from: usize,
}

impl<'t> Open<'t> {
    fn at(at: usize, inside: usize) -> Self {
        Self {
            at,
            from: inside,
            ..Self::default()
        }
    }

    fn text(&mut self, text: &'t str, to: usize) {
        if self.from < to {
            self.item.push(Piece::Text(&text[self.from..to]));
        }
    }

    fn end_item(&mut self, text: &'t str, to: usize, next: usize) {
        self.text(text, to);
        self.items.push(std::mem::take(&mut self.item));
        self.from = next;
    }

    /// The group from the bracket to the one at `end`.
    fn close(mut self, text: &'t str, end: usize, are_parameters: bool, alone: Alone) -> Group<'t> {
        let padded = text[self.at..].starts_with("{ ");
        self.text(text, end);
        let mut items = self.items;
        if !self.item.is_empty() {
            items.push(self.item);
        }
        items.iter_mut().for_each(trim);
        items.retain(|item| !item.is_empty());
        let flat = &text[self.at..=end];
        let is_broken =
            |piece: &Piece<'_>| matches!(piece, Piece::Group(group) if group.form != Form::Flat);
        let holds_broken = items.iter().flatten().any(is_broken);
        let (several, named) = (items.len() > 1, padded || are_parameters);
        let breaks = several || alone == Alone::Breaks && !items.is_empty();
        let form = if named && breaks || several && flat.chars().count() > WIDE {
            Form::Spread
        } else if !holds_broken {
            Form::Flat
        } else if several || padded {
            Form::Spread
        } else {
            Form::Close
        };
        Group { flat, items, form }
    }
}

/// Takes away the spaces between brackets and what they hold.
fn trim(item: &mut Vec<Piece<'_>>) {
    if let Some(Piece::Text(first)) = item.first_mut() {
        *first = first.trim_start();
    }
    if let Some(Piece::Text(last)) = item.last_mut() {
        *last = last.trim_end();
    }
    item.retain(|piece| !matches!(piece, Piece::Text("")));
}

/// The brackets of which this is the closing one.
fn pair(closing: u8) -> (u8, u8) {
    let opening = match closing {
        b')' => b'(',
        b']' => b'[',
        b'}' => b'{',
        _ => b'<',
    };
    (opening, closing)
}

/// Tuples and the like are left on one line up to so many characters: about half of what an editor shows.
const WIDE: usize = 60;

/// Deeper brackets are not laid out. Contracts are 128 types deep at most, and nobody reads one that is.
const MAX_NESTING: usize = 128;
