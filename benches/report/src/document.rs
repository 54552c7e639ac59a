//! `BENCHMARKS.md`: its words are written by hand, its tables between markers by this program.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The document, read.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
    /// Where it is written to, and its plots below.
    target: PathBuf,
}

impl Document {
    /// That of the repository which this program was built from.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let path = target.join(NAME);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Self { text, target })
    }

    /// The same, to be written where nobody takes its figures for any.
    pub(crate) fn for_trial() -> anyhow::Result<Self> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/smoke");
        fs::create_dir_all(&target)?;
        let Self { text, .. } = Self::open()?;
        Ok(Self { text, target })
    }

    /// Puts `content` between the markers of this name.
    pub(crate) fn replace(&mut self, name: &str, content: &str) -> anyhow::Result<()> {
        self.text = replaced(&self.text, name, content)
            .with_context(|| format!("{NAME} has no markers for {name}"))?;
        Ok(())
    }

    /// Writes plots beside the benches.
    pub(crate) fn draw(&self, plots: &[(&str, String)]) -> anyhow::Result<()> {
        let directory = self.target.join("benches/plots");
        fs::create_dir_all(&directory)?;
        for (name, plot) in plots {
            fs::write(directory.join(format!("{name}.svg")), plot)?;
        }
        Ok(())
    }

    /// Writes it back.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        let path = self.target.join(NAME);
        fs::write(&path, &self.text).with_context(|| path.display().to_string())
    }
}

fn replaced(text: &str, name: &str, content: &str) -> Option<String> {
    let (before, rest) = text.split_once(&format!("<!-- {name} -->"))?;
    let (_, after) = rest.split_once(&format!("<!-- /{name} -->"))?;
    let content = content.trim();
    Some(format!(
        "{before}<!-- {name} -->\n\n{content}\n\n<!-- /{name} -->{after}"
    ))
}

const NAME: &str = "BENCHMARKS.md";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let text = "a\n<!-- near -->\nold\n<!-- /near -->\nb\n";
        let once = replaced(text, "near", "new\n").expect("the markers are there");
        assert_eq!(once, "a\n<!-- near -->\n\nnew\n\n<!-- /near -->\nb\n");
        assert_eq!(replaced(&once, "near", "new").as_ref(), Some(&once));
        assert_eq!(replaced(text, "far", "new"), None);
    }

    #[test]
    fn the_document_has_a_place_for_every_part() -> anyhow::Result<()> {
        let mut document = Document::open()?;
        for name in [
            "targets", "machine", "losses", "near", "far", "node", "price",
        ] {
            document.replace(name, "")?;
        }
        Ok(())
    }
}
