//! Confinement by Landlock (Linux 5.13, `landlock(7)`).

use std::{fs, io, path::PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, PathFd, RestrictSelfAttr, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::confine::{Confined, Confinement, Lack};

/// The newest version whose rights on files we know and do not need.
const FILES: ABI = ABI::V9;
/// TCP is what no part of a server needs. Rights on UDP came later, and are needed.
const TCP: ABI = ABI::V4;
/// Signals to, and abstract sockets of, processes outside.
const SCOPES: ABI = ABI::V6;

/// As [`Confinement::confine`].
pub(crate) fn confine(confinement: &Confinement) -> io::Result<Confined> {
    rustix::thread::set_no_new_privs(true)?;
    let alone = fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    let writable: Result<_, _> = confinement.writable.iter().map(PathFd::new).collect();
    let status = restrict(writable.map_err(io::Error::other)?, &confinement.readable, alone)
        .map_err(io::Error::other)?;
    Ok(match (status.ruleset, status.landlock) {
        (
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
            LandlockStatus::Available { effective_abi, .. },
        ) => Confined::Files {
            version: effective_abi as u32,
            all_threads: alone || status.all_threads,
        },
        (_, LandlockStatus::NotEnabled) => Confined::PrivilegesOnly(Lack::SwitchedOff),
        _ => Confined::PrivilegesOnly(Lack::Kernel),
    })
}

fn restrict(
    writable: Vec<PathFd>,
    readable: &[PathBuf],
    alone: bool,
) -> Result<RestrictionStatus, RulesetError> {
    let mut rules = Ruleset::default()
        // Without it every rename from one directory to another fails, as in the first version: then rather no rules.
        .set_compatibility(CompatLevel::SoftRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(FILES))?
        .handle_access(AccessNet::from_all(TCP))?
        .scope(Scope::from_all(SCOPES))?
        .create()?;
    for path in writable {
        rules = rules.add_rule(PathBeneath::new(path, writing()))?;
    }
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    rules = rules.add_rules(path_beneath_rules(readable, reading))?;
    if !alone {
        rules = rules.all_threads(true)?;
    }
    rules.restrict_self()
}

/// All but running programs, making and using devices, and talking to services.
fn writing() -> BitFlags<AccessFs> {
    let without = AccessFs::Execute
        | AccessFs::MakeChar
        | AccessFs::MakeBlock
        | AccessFs::IoctlDev
        | AccessFs::ResolveUnix;
    AccessFs::from_all(FILES) & !without
}
