//! The smallest form of the suite, for CI: no daemon, no image; a root folder that has the
//! machine's own programs, and namespaces of `unshare`. Every language's bytes and work are held
//! against each other, and one row is predicted and measured. No timing is checked.

use std::{path::Path, rc::Rc};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    SUITE,
    engine::{Engine, Roots},
    folder::Folder,
    languages::Image,
};
use crate::{
    harness::workload::{END_WITHIN, READY_WITHIN, answer, number},
    host::{
        child::{self, Running, wait_until},
        package,
    },
    pairs::needs::{Need, Place},
};
