//! `serve`: figures for those who fetch them from time to time.

use std::sync::Arc;

use anyhow::Result;

use super::{check::stop_flag, exit::CliError, flags::ServeFlags, output};
use crate::{
    feed::Metered,
    pipeline::{
        profiles::Profiles,
        top::{Meter, Plan},
    },
    serve::{Listener, Source, Token},
    words,
};

pub(super) fn run(flags: &ServeFlags) -> Result<()> {
    output::log_to_stderr(flags.verbose);
    if flags.top == 0 {
        return Err(CliError::Usage("bad --top '0': give how many have figures of their own, like 50".into()).into());
    }
    let address = flags.listen.parse()?;
    let token = flags.token_file.as_deref().map(Token::read).transpose()?;
    let (request, wanted) = flags.request()?;
    let listener = Listener::bind(&address)?;
    let stop = stop_flag()?;
    let plan = Plan { wanted, by: flags.by(), most: flags.top, renew: Plan::RENEW };
    let everyone = plan.wanted.is_everyone();
    let meter = Arc::new(Meter::begin(request.clone(), plan)?);
    let profiler = Arc::new(Profiles::new(&request, &meter, everyone));
    output::say(&words::serve::serving(&listener.address().to_string()));
    let metered = Arc::clone(&meter) as Arc<dyn Metered>;
    let served = listener.serve(Source { metered, profiler, token }, &stop);
    let is_over = meter.is_over();
    // An error of the measurement comes first: it explains more. Nobody is answered any more.
    if let Some(meter) = Arc::into_inner(meter) {
        meter.end()?;
    }
    if is_over {
        output::say(words::serve::TARGETS_GONE);
    }
    served.map_err(Into::into)
}
