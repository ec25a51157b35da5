//! What is known of some peers, each found at once: every pull asks several times.

use crate::id::PeerId;

/// A value for each of some peers. Their ids are small and dense: it is a list.
#[derive(Debug)]
pub(super) struct ByPeer<T>(Vec<Option<T>>);

impl<T> Default for ByPeer<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByPeer<T> {
    pub(super) fn get(&self, peer: PeerId) -> Option<&T> {
        self.0.get(peer.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, peer: PeerId) -> Option<&mut T> {
        self.0.get_mut(peer.0 as usize)?.as_mut()
    }

    pub(super) fn remove(&mut self, peer: PeerId) {
        if let Some(place) = self.0.get_mut(peer.0 as usize) {
            *place = None;
        }
    }
}

impl<T: Default> ByPeer<T> {
    /// The one of that peer, which is made where there is none.
    pub(super) fn of(&mut self, peer: PeerId) -> &mut T {
        let place = peer.0 as usize;
        if self.0.len() <= place {
            self.0.resize_with(place + 1, || None);
        }
        self.0[place].get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_its_own_until_it_is_removed() {
        let mut known = ByPeer::default();
        *known.of(PeerId(3)) = 7;
        assert_eq!((known.get(PeerId(3)), known.get(PeerId(2))), (Some(&7), None));
        assert_eq!(known.get(PeerId(4)), None);
        assert_eq!(*known.of(PeerId(1)), 0);
        known.remove(PeerId(3));
        known.remove(PeerId(9));
        assert_eq!(known.get_mut(PeerId(3)), None);
        assert_eq!(known.get_mut(PeerId(1)), Some(&mut 0));
        assert_eq!(*known.of(PeerId(3)), 0);
    }
}
