//! The roots that programs see: folders with our programs in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::languages::Image;
use crate::pairs::needs::Place;

/// Folders with what the two images have in them.
pub(super) struct Roots {
    pub(super) alone: PathBuf,
    pub(super) debian: PathBuf,
}

impl Roots {
    /// Puts our programs into the roots. `debian` is the folder of one.
    pub(super) fn fill(place: &Place, debian: PathBuf) -> Result<Self> {
        let roots = Self { alone: place.folder.join("static"), debian };
        for language in ["c", "cpp", "go"] {
            copy(&place.folder.join(language).join("lab"), &roots.alone.join(language))?;
        }
        fs::create_dir_all(roots.alone.join("proc")).context("making the root of static programs")?;
        let inside = roots.debian.join("languages");
        if roots.debian.exists() {
            copy(&place.load, &inside.join("rust"))?;
            copy(&place.sources.join("python/lab.py"), &inside.join("python"))?;
            let classes = place.folder.join("java");
            let classes = fs::read_dir(&classes).into_iter().flatten().flatten().map(|entry| entry.path());
            let classes = classes.filter(|path| path.extension().is_some_and(|end| end == "class"));
            classes.into_iter().try_for_each(|path| copy(&path, &inside.join("java")))?;
        }
        Ok(roots)
    }

    pub(super) fn path(&self, image: Image) -> &Path {
        match image {
            Image::Static => &self.alone,
            Image::Debian => &self.debian,
        }
    }
}

/// Copies a file into a folder. What was not built is not there: its rows say why.
fn copy(file: &Path, folder: &Path) -> Result<()> {
    let Some(name) = file.file_name().filter(|_| file.exists()) else { return Ok(()) };
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let to = folder.join(name);
    // A program that still runs from there keeps its file.
    let _ = fs::remove_file(&to);
    fs::copy(file, &to).with_context(|| format!("copying {}", file.display()))?;
    Ok(())
}
