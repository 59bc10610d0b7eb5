//! `calibrate`: what things cost on this machine, shown and kept.

use std::{
    io::{IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{exit::CliError, flags::CalibrateFlags, output};
use crate::{
    calibrate::{self, Calibration, VolumeCalibration, cache},
    report::calibration,
};

/// What a message says was being done.
const FAILED: &str = "the calibration failed";

pub(super) fn run(flags: &CalibrateFlags) -> Result<()> {
    if let Some(named) = &flags.runtime {
        return super::runtime::run(named, flags.json);
    }
    if let Some(dir) = &flags.file {
        return volume(dir, flags.json);
    }
    if let Some(dir) = flags.dir.as_deref().filter(|dir| !dir.is_dir()) {
        bail!(CliError::Usage(format!("--dir {}: no such folder", dir.display())));
    }
    let (essentials, full) = if flags.quick {
        (calibrate::measure(Duration::MAX).context(FAILED)?, None)
    } else {
        let terminal = std::io::stderr().is_terminal();
        let result = calibrate::measure_all(flags.dir.as_deref(), &mut |part| {
            if terminal {
                let _ = write!(std::io::stderr(), "\r\x1b[Kcalibrating: {part}");
            }
        });
        if terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        let (essentials, full) = result.context(FAILED)?;
        (essentials, Some(full))
    };
    // What an earlier, longer run found out still holds: same kernel, same machine, same version.
    let rest = full.clone().or_else(|| cache::load().ok()?.full);
    let kept = cache::store(&Calibration::new(essentials.clone(), rest));
    let measured = Calibration::new(essentials, full);
    output::print(&if flags.json { calibration::json(&measured) } else { calibration::text(&measured) })?;
    output::tell_kept(kept);
    Ok(())
}

/// What requests past the page cache cost on one file system, shown and kept.
fn volume(dir: &Path, json: bool) -> Result<()> {
    if !dir.is_dir() {
        bail!(CliError::Usage(format!("--file {}: no such folder", dir.display())));
    }
    let found = VolumeCalibration::measure(dir).map_err(|why| CliError::Usage(format!("--file {why}")))?;
    let kept = found.store();
    output::print(&if json { calibration::volume_json(&found) } else { calibration::volume_text(&found) })?;
    output::tell_kept(kept);
    Ok(())
}
