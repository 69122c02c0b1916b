//! What is here already of a file that is fetched.

use gannet_protocol::{HOLD_ABOVE, Have, How, Identity, Meta, Status, Version};

use crate::files::{
    Claim, Durability, Owner, Partial, Placing, Root, SourceFile, Which, is_worth_keeping,
};

use super::tree::Spot;

/// Where a file goes on this machine, and what is there already.
#[derive(Debug)]
pub(super) struct Local {
    root: Root,
    placing: Placing,
    owner: Owner,
    how: How,
    /// What an earlier transfer left.
    claim: Option<Claim>,
    /// What stands there.
    target: Option<SourceFile>,
}

impl Local {
    /// Looks at `spot`. Blocks on the disk.
    ///
    /// # Errors
    /// [`Status::Exists`] if it is there and must not be; as [`Spot::target`].
    pub(super) fn look(
        spot: &Spot,
        owner: Owner,
        how: How,
        durability: Durability,
    ) -> Result<Self, Status> {
        let (root, name) = spot.target()?;
        let target = root.open_source(&name);
        let placing = match &target {
            Ok(_) if how.no_clobber => return Err(Status::Exists),
            _ if how.no_clobber => Placing::Free(name),
            _ => Placing::Replace(name),
        };
        let mut claim = root.claim(&placing, owner, Which::Found)?;
        if let (true, Some(claim)) = (how.fresh, &mut claim) {
            claim.forget();
        }
        let target = target.ok().filter(|_| !how.fresh);
        if let Some(target) = &target
            && durability == Durability::Power
        {
            // It may turn out to be what is wanted.
            root.settle(placing.name(), target)?;
        }
        Ok(Self { root, placing, owner, how, claim, target })
    }

    /// If the file is still this, it need not be fetched.
    pub(super) fn unless(&self) -> Option<Version> {
        let target = self.target.as_ref().filter(|_| !self.how.check)?;
        target.has_telling_time().then(|| target.version())
    }

    /// What need not be sent if the file is still that. Whatever it is instead, groups of it may be here.
    pub(super) fn have(&self) -> Option<Have> {
        if let Some(held) = self.claim.as_ref().and_then(|claim| claim.held()) {
            let groups = held.groups.keys().map(|&index| index..index.saturating_add(1));
            return Some(Have { identity: held.header.identity, groups: groups.collect() });
        }
        // Of no identity, so that it is another for sure. What is short is compared only by wish.
        let least = if self.how.check { 0 } else { HOLD_ABOVE };
        let counts = self.target.as_ref()?.len() > least;
        counts.then(|| Have { identity: Identity::default(), groups: [].into_iter().collect() })
    }

    /// Removes what an earlier transfer left, if the file need not be fetched: nobody will go on with it. The disk is given its room
    /// back when this is dropped.
    pub(super) fn discard(&self) {
        if let Some(claim) = &self.claim {
            claim.discard();
        }
    }

    /// Prepares to receive it. Blocks on the disk.
    ///
    /// # Errors
    /// [`Status::Full`]; others of the system's.
    pub(super) fn begin(self, meta: &Meta) -> Result<Partial, Status> {
        let is_awaited = self.have().is_some();
        let Self { root, placing, owner, how, claim, target, .. } = self;
        let target = target.filter(|_| how.check || is_worth_keeping(meta.len));
        let claim = match claim {
            None => {
                let mut claim = root.claim(&placing, owner, Which::Any)?;
                // The server was told of no groups. Where it waits for hashes, it has to be told those of what is here after all.
                if let (true, Some(claim)) = (is_awaited, &mut claim) {
                    claim.offer();
                }
                claim
            }
            claim => claim,
        };
        match claim {
            Some(claim) => claim.begin(meta, target),
            None => root.create_partial(&placing, meta.len),
        }
    }
}
