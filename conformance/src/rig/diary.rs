//! What members of a group write down of each message that they handle, in a file that outlives
//! whoever is killed: what was written to the system is not lost with its process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Bytes of an entry: none lies across two pages, so that a kill tears none.
const SIZE: usize = 32;

/// The clock of this machine, in nanoseconds: the same in each of its processes, and it goes on
/// while they stand still.
pub fn clock() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What an entry says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A handler was given it.
    Begun,
    /// The handler is done with it.
    Done,
    /// The handler gives it back, to come again.
    Back,
}

/// A line of a diary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What became of the message.
    pub mark: Mark,
    /// Its queue.
    pub queue: u32,
    /// Its place there.
    pub offset: u64,
    /// Its number among all.
    pub number: u32,
    /// How long the queue's lock lasts from now on, by the client's clock.
    pub left: Duration,
    /// When, by the [`clock`] of the machine.
    pub at: u64,
}

impl Entry {
    fn to_bytes(self) -> [u8; SIZE] {
        let left = self.left.as_millis().min(u128::from(u32::MAX)) as u64;
        let words = [
            u64::from(self.queue) << 8 | self.mark as u64,
            self.offset,
            u64::from(self.number) << 32 | left,
            self.at,
        ];
        let mut bytes = [0; SIZE];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let word = |at: usize| {
            let bytes = bytes.get(at * 8..at * 8 + 8).expect("a whole entry");
            u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
        };
        let mark = match word(0) as u8 {
            0 => Mark::Begun,
            1 => Mark::Done,
            2 => Mark::Back,
            other => panic!("an entry of the kind {other}"),
        };
        Self {
            mark,
            queue: (word(0) >> 8) as u32,
            offset: word(1),
            number: (word(2) >> 32) as u32,
            left: Duration::from_millis(word(2) & u64::from(u32::MAX)),
            at: word(3),
        }
    }
}

/// A diary that is written.
#[derive(Debug)]
pub struct Diary(File);

impl Diary {
    /// A new one.
    pub fn create(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create_new(true).append(true).open(path).map(Self)
    }

    /// One that is there, to be gone on with.
    pub fn append(path: &Path) -> io::Result<Self> {
        OpenOptions::new().append(true).open(path).map(Self)
    }

    /// Writes an entry down: the system has it once this returns.
    pub fn write(&self, entry: Entry) -> io::Result<()> {
        (&self.0).write_all(&entry.to_bytes())
    }
}

/// Reads a diary while it is written.
#[derive(Debug)]
pub struct Reader(File);

impl Reader {
    /// Opens a diary that is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    /// What is new.
    pub fn read(&mut self) -> io::Result<Vec<Entry>> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes)?;
        let rest = bytes.len() % SIZE;
        self.0.seek(SeekFrom::Current(-(rest as i64)))?;
        Ok(bytes.chunks_exact(SIZE).map(Entry::from_bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_they_were_written_and_half_of_one_waits_for_its_rest() {
        let path = std::env::temp_dir().join(format!("rocketry-diary-{}", std::process::id()));
        let diary = Diary::create(&path).expect("a file");
        let entry = |mark, number| {
            let left = Duration::from_millis(29_999);
            Entry { mark, queue: 15, offset: 1 << 40, number, left, at: clock() }
        };
        let entries = [entry(Mark::Begun, 7), entry(Mark::Back, 7), entry(Mark::Done, u32::MAX)];
        let mut reader = Reader::open(&path).expect("it is there");
        diary.write(entries[0]).expect("written");
        assert_eq!(reader.read().expect("read"), entries[..1]);
        diary.write(entries[1]).expect("written");
        let (head, tail) =
            (entries[2].to_bytes()[..9].to_vec(), entries[2].to_bytes()[9..].to_vec());
        (&diary.0).write_all(&head).expect("written");
        assert_eq!(reader.read().expect("read"), entries[1..2]);
        assert_eq!(reader.read().expect("read"), []);
        (&diary.0).write_all(&tail).expect("written");
        assert_eq!(reader.read().expect("read"), entries[2..]);
        std::fs::remove_file(path).expect("removed");
    }
}
