//! `serve`: figures for those who fetch them from time to time.

use std::sync::Arc;

use anyhow::Result;

use super::{check::stop_flag, exit::CliError, flags::ServeFlags, output};
use crate::{
    feed::Metered,
    pipeline::top::{Meter, Plan},
    serve::Listener,
    words,
};

pub(super) fn run(flags: &ServeFlags) -> Result<()> {
    output::log_to_stderr(flags.verbose);
    if flags.top == 0 {
        return Err(CliError::Usage("bad --top '0': give how many have figures of their own, like 50".into()).into());
    }
    let address = flags.listen.parse()?;
    let (request, spec) = flags.request()?;
    let listener = Listener::bind(&address)?;
    let stop = stop_flag()?;
    let meter = Arc::new(Meter::begin(request, Plan { spec, by: flags.by(), most: flags.top })?);
    output::say(&words::serving(&listener.address().to_string()));
    let served = listener.serve(Arc::clone(&meter) as Arc<dyn Metered>, &stop);
    let is_over = meter.is_over();
    // An error of the measurement comes first: it explains more. Nobody is answered any more.
    if let Some(meter) = Arc::into_inner(meter) {
        meter.end()?;
    }
    if is_over {
        output::say(words::TARGETS_GONE);
    }
    served.map_err(Into::into)
}
