//! Ids as slot and generation: an id that outlived its object names nothing, at the cost of one
//! comparison.

use std::fmt;
use std::marker::PhantomData;

/// A place in a [`Slots`] and how often that place had been used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    slot: u32,
    generation: u32,
}

impl Key {
    /// The place; at most one living object has it.
    pub const fn slot(self) -> u32 {
        self.slot
    }
}

/// A typed [`Key`].
pub trait Id: Copy {
    /// The id of the object at `key`.
    fn from_key(key: Key) -> Self;
    /// Where the object lives.
    fn key(self) -> Key;
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Key);

        impl Id for $name {
            fn from_key(key: Key) -> Self {
                Self(key)
            }
            fn key(self) -> Key {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}.{})"), self.0.slot, self.0.generation)
            }
        }
    };
}

id! {
    /// One socket, from its `Connect` to its `Closed`. A reconnect is another id.
    ConnectionId
}
id! {
    /// One call of the application: a send, a query.
    OpId
}
id! {
    /// One consumer, from `subscribe` until it has left its group.
    SubscriptionId
}
id! {
    /// One queue assigned to a consumer; the same queue assigned again is another id.
    QueueKey
}
id! {
    /// One topic of a consumer, from subscribing to it until unsubscribing; the same topic
    /// subscribed to again is another id.
    TopicKey
}
id! {
    /// One request of a peer that waits for our answer.
    RequestId
}
id! {
    /// A broker's question how a half message ended, which the application is to answer.
    CheckId
}

/// One message that a consumer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageKey {
    /// The queue, as assigned this time.
    pub(crate) queue: QueueKey,
    /// The number of its batch there.
    pub(crate) batch: u64,
    /// Its place in the batch.
    pub(crate) index: u32,
}

/// A broker by its name; dense, and the same as long as anything names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerId(pub(crate) u32);

/// One queue of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RouteQueue {
    /// The broker group it is on.
    pub(crate) broker: BrokerId,
    /// The queue's number there, from 0.
    pub(crate) queue: u32,
}

impl RouteQueue {
    /// Before every other queue in order.
    pub(crate) const FIRST: Self = Self { broker: BrokerId(0), queue: 0 };
}

/// A peer to connect to, by its address and lane; small, dense, and the same for the life of the
/// engine, however often its connection is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(crate) u32);

struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

/// Objects by generational id. Insert, look up and remove in O(1); walks go in slot order.
pub struct Slots<I, T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    id: PhantomData<fn() -> I>,
}

impl<I: Id, T> Default for Slots<I, T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), id: PhantomData }
    }
}

impl<I: Id, T> Slots<I, T> {
    /// Keeps `value` and says under which id.
    pub fn insert(&mut self, value: T) -> I {
        self.insert_with(|_| value)
    }

    /// Keeps the value made for the id it gets.
    pub fn insert_with(&mut self, make: impl FnOnce(I) -> T) -> I {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { generation: 0, value: None });
            (self.entries.len() - 1) as u32
        });
        let entry = &mut self.entries[slot as usize];
        let id = I::from_key(Key { slot, generation: entry.generation });
        entry.value = Some(make(id));
        id
    }

    /// The object of `id`, if it still lives.
    pub fn get(&self, id: I) -> Option<&T> {
        let key = id.key();
        let entry = self.entries.get(key.slot as usize)?;
        if entry.generation == key.generation { entry.value.as_ref() } else { None }
    }

    /// The object of `id`, to change it.
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        let key = id.key();
        let entry = self.entries.get_mut(key.slot as usize)?;
        if entry.generation == key.generation { entry.value.as_mut() } else { None }
    }

    /// Takes the object out; its id names nothing from now on.
    pub fn remove(&mut self, id: I) -> Option<T> {
        let key = id.key();
        let entry = self.entries.get_mut(key.slot as usize)?;
        if entry.generation != key.generation {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(key.slot);
        Some(value)
    }

    /// How many objects live.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether none lives.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All living objects, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.entries.iter().enumerate().filter_map(|(slot, entry)| {
            let key = Key { slot: slot as u32, generation: entry.generation };
            Some((I::from_key(key), entry.value.as_ref()?))
        })
    }

    /// All living objects, in slot order, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.entries.iter_mut().enumerate().filter_map(|(slot, entry)| {
            let key = Key { slot: slot as u32, generation: entry.generation };
            Some((I::from_key(key), entry.value.as_mut()?))
        })
    }

    /// The ids of all living objects, in slot order: a copy, so that the objects may change.
    pub fn ids(&self) -> Vec<I> {
        self.iter().map(|(id, _)| id).collect()
    }
}

impl<I, T> fmt::Debug for Slots<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({} of {})", self.entries.len() - self.free.len(), self.entries.len())
    }
}

/// Objects by ids that another table has given out, in its order.
pub(crate) struct Table<I, T> {
    entries: Vec<Option<(u32, T)>>,
    len: usize,
    id: PhantomData<fn() -> I>,
}

impl<I: Id, T> Default for Table<I, T> {
    fn default() -> Self {
        Self { entries: Vec::new(), len: 0, id: PhantomData }
    }
}

impl<I: Id, T> Table<I, T> {
    /// Keeps `value` under an id that was given out just now.
    pub(crate) fn insert(&mut self, id: I, value: T) {
        let Key { slot, generation } = id.key();
        let slot = slot as usize;
        if self.entries.len() <= slot {
            self.entries.resize_with(slot + 1, || None);
        }
        let before = self.entries[slot].replace((generation, value));
        self.len += usize::from(before.is_none());
    }

    /// The object of `id`, if it still lives.
    pub(crate) fn get(&self, id: I) -> Option<&T> {
        let Key { slot, generation } = id.key();
        let (own, value) = self.entries.get(slot as usize)?.as_ref()?;
        (*own == generation).then_some(value)
    }

    /// The object of `id`, to change it.
    pub(crate) fn get_mut(&mut self, id: I) -> Option<&mut T> {
        let Key { slot, generation } = id.key();
        let (own, value) = self.entries.get_mut(slot as usize)?.as_mut()?;
        (*own == generation).then_some(value)
    }

    /// Takes the object out.
    pub(crate) fn remove(&mut self, id: I) -> Option<T> {
        let Key { slot, generation } = id.key();
        let entry = self.entries.get_mut(slot as usize)?;
        let (_, value) = entry.take_if(|(own, _)| *own == generation)?;
        self.len -= 1;
        Some(value)
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// All of them, in the order of the table that gives the ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.entries.iter().enumerate().filter_map(|(slot, entry)| {
            let (generation, value) = entry.as_ref()?;
            Some((I::from_key(Key { slot: slot as u32, generation: *generation }), value))
        })
    }
}

impl<I: Id, T: fmt::Debug> fmt::Debug for Table<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().flatten().map(|(_, value)| value)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_nothing_once_its_object_is_gone() {
        let mut slots: Slots<OpId, &str> = Slots::default();
        let first = slots.insert("first");
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert("second");
        assert_eq!(first.key().slot(), second.key().slot());
        assert_eq!((slots.get(first), slots.get(second)), (None, Some(&"second")));
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.len(), 1);
    }
}
