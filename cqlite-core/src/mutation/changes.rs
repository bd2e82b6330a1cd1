//! What a statement changes, kept until all of it is known to be right.

use crate::Result;
use crate::merge::OwnedRow;
use crate::model::{DeletionTime, RowRef, Slice};
use crate::sstable::builder::ChangeSink;

/// Changes of partitions, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    list: Vec<(Vec<u8>, Changed)>,
}

/// A change of a partition.
#[derive(Debug)]
pub(crate) enum Changed {
    /// All of it is deleted.
    Partition(DeletionTime),
    /// A row, or the static one.
    Row(OwnedRow),
    /// Some of its rows are deleted.
    Range(Slice, DeletionTime),
}

impl Changes {
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// The raw keys of the partitions, again for each change.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.list.iter().map(|(key, _)| key.as_slice())
    }

    /// The rows, with the raw keys of their partitions.
    pub fn rows(&mut self) -> impl Iterator<Item = (&[u8], &mut OwnedRow)> {
        self.list
            .iter_mut()
            .filter_map(|(key, changed)| match changed {
                Changed::Row(row) => Some((key.as_slice(), row)),
                Changed::Partition(_) | Changed::Range(..) => None,
            })
    }

    /// Hands all of them on.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn drain_into(&mut self, sink: &mut impl ChangeSink) -> Result<()> {
        for (key, changed) in self.list.drain(..) {
            match changed {
                Changed::Partition(deletion) => sink.delete_partition(&key, deletion)?,
                Changed::Row(row) => sink.add_row(&key, row.get())?,
                Changed::Range(slice, deletion) => sink.delete_range(&key, &slice, deletion)?,
            }
        }
        Ok(())
    }
}

impl ChangeSink for Changes {
    fn delete_partition(&mut self, key: &[u8], deletion: DeletionTime) -> Result<()> {
        self.list.push((key.to_vec(), Changed::Partition(deletion)));
        Ok(())
    }

    fn add_row(&mut self, key: &[u8], row: RowRef<'_>) -> Result<()> {
        let row = OwnedRow::of(row);
        self.list.push((key.to_vec(), Changed::Row(row)));
        Ok(())
    }

    fn delete_range(&mut self, key: &[u8], slice: &Slice, deletion: DeletionTime) -> Result<()> {
        let changed = Changed::Range(slice.clone(), deletion);
        self.list.push((key.to_vec(), changed));
        Ok(())
    }
}
