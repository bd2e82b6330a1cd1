//! An open SSTable: its components, and the ways into its data.
//!
//! Authority: `o.a.c.io.sstable.format.{SSTableReader,SSTableReaderLoadingBuilder}`.

use super::big::{KeyCache, PrimaryIndex, Summary};
use super::bti::Partitions;
use super::component::compression_info::CompressionInfo;
use super::component::filter::BloomFilter;
use super::component::statistics::{SerializationHeader, Statistics};
use super::data::{ChunkCache, DataFile, Fetch, Layout, Window, decode_key};
use super::descriptor::{Component, Descriptor};
use super::index::{Clusterings, Located, PartitionIndex, located_at};
use super::scan::Scan;
use super::version::Format;
use crate::io::{Mapped, Source};
use crate::model::StreamHeader;
use crate::partitioner::{DecoratedKey, Partitioner, Token, TokenRange};
use crate::schema::ClusteringColumn;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// How an SSTable is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Check the checksum of every chunk that is read.
    pub verify_checksums: bool,
    /// Where point reads keep decompressed chunks.
    pub cache: Option<Arc<ChunkCache>>,
    /// Where point reads keep the places of keys in Index.db.
    pub keys: Option<Arc<KeyCache>>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            verify_checksums: true,
            cache: None,
            keys: None,
        }
    }
}

/// An open SSTable. Opening reads Statistics.db and the head of CompressionInfo.db; nothing that grows with the data is
/// held in memory.
#[derive(Debug)]
pub struct SSTable {
    descriptor: Descriptor,
    components: BTreeSet<Component>,
    missing: Vec<Component>,
    statistics: Statistics,
    stream: Arc<StreamHeader>,
    partitioner: Partitioner,
    clusterings: Clusterings,
    data: Arc<DataFile>,
    index: OnceLock<Option<IndexFiles>>,
    filter: OnceLock<Option<BloomFilter<Mapped>>>,
    /// Its first and last key, if the index tells.
    ends: OnceLock<Option<Ends>>,
    keys: Option<Arc<KeyCache>>,
}

/// The mapped files of the index.
#[derive(Debug)]
enum IndexFiles {
    Big {
        index: Mapped,
        summary: Option<Mapped>,
    },
    Bti {
        partitions: Mapped,
        rows: Mapped,
    },
}

/// The first and the last key.
#[derive(Debug)]
struct Ends {
    first: Box<[u8]>,
    last: Box<[u8]>,
    /// Their tokens, where these are numbers.
    tokens: Option<(i64, i64)>,
}

/// Whether a key is there, as far as filter and index tell.
#[derive(Debug)]
pub enum Lookup<'a> {
    /// It is not.
    Absent,
    /// It is at this place or, if the index does not hold its key, nowhere.
    At(Located<'a>),
    /// The SSTable has no index.
    NoIndex,
}

impl SSTable {
    /// Opens the SSTable that `path`, the file of any of its components, belongs to.
    ///
    /// # Errors
    /// `NotFound` without Data.db or Statistics.db, `Unsupported` for other versions and compressors, `Corrupt` for
    /// components that contradict themselves or each other.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Arc<Self>> {
        let (descriptor, _) = Descriptor::parse(path)?;
        Self::open_descriptor(descriptor, options)
    }

    /// Opens an SSTable by its name.
    pub fn open_descriptor(descriptor: Descriptor, options: &OpenOptions) -> Result<Arc<Self>> {
        let (components, listed) = discover(&descriptor)?;
        let listed = listed?;
        let missing = missing_components(&descriptor, &components, &listed);

        let required = |component: &Component| {
            Error::not_found(format!("the SSTable has no {component}"))
                .advise("restore the file: the data cannot be read without it")
                .in_file(&descriptor.path(component))
        };
        for component in [Component::Data, Component::Statistics] {
            if !components.contains(&component) {
                return Err(required(&component));
            }
        }
        let version = descriptor.version;
        let statistics = Statistics::parse(
            &Mapped::open(&descriptor.path(&Component::Statistics))?,
            version,
        )?;
        let stream = stream_of(&statistics.header)
            .map_err(|e| e.in_file(&descriptor.path(&Component::Statistics)))?;
        let source = Source::open(&descriptor.path(&Component::Data))?;
        let compressed = Component::CompressionInfo;
        let data = if components.contains(&compressed) {
            let info =
                CompressionInfo::parse(Mapped::open(&descriptor.path(&compressed))?, version)?;
            DataFile::compressed(source, info)
        } else {
            // Without it compressed bytes would be taken for plain ones.
            let ratio = statistics.stats.as_ref().map(|s| s.compression_ratio);
            if listed.contains(&compressed) || ratio.is_some_and(|r| r > 0.0) {
                return Err(required(&compressed));
            }
            let crc = match components.contains(&Component::Crc) {
                true => Some(Mapped::open(&descriptor.path(&Component::Crc))?),
                false => None,
            };
            DataFile::plain(source, crc)?
        };
        let mut data = data.verify_checksums(options.verify_checksums);
        if let Some(cache) = &options.cache {
            data = data.cached(cache.clone());
        }
        let partitioner = match &statistics.validation {
            Some(validation) => {
                Partitioner::from_class_name(&validation.partitioner, &stream.key_type)
                    .map_err(|e| e.in_file(&descriptor.path(&Component::Statistics)))?
            }
            None => Partitioner::Murmur3,
        };
        Ok(Arc::new(SSTable {
            descriptor,
            components,
            missing,
            statistics,
            clusterings: Clusterings::new(&stream.clustering),
            stream: Arc::new(stream),
            partitioner,
            data: Arc::new(data),
            index: OnceLock::new(),
            filter: OnceLock::new(),
            ends: OnceLock::new(),
            keys: options.keys.clone(),
        }))
    }

    /// Its name.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The components that exist.
    pub fn components(&self) -> &BTreeSet<Component> {
        &self.components
    }

    /// Components that it should have and that do not exist.
    pub fn missing(&self) -> &[Component] {
        &self.missing
    }

    /// Statistics.db.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// The columns of its serialization header, with made-up names for those of the key.
    pub fn stream(&self) -> &Arc<StreamHeader> {
        &self.stream
    }

    /// Data.db.
    pub fn data(&self) -> &Arc<DataFile> {
        &self.data
    }

    /// The partitioner that its keys are ordered by.
    pub fn partitioner(&self) -> &Partitioner {
        &self.partitioner
    }

    /// Its clustering columns, ready for searches in row indexes.
    pub fn clusterings(&self) -> &Clusterings {
        &self.clusterings
    }

    fn mapped(&self, component: &Component) -> Result<Option<Mapped>> {
        if !self.components.contains(component) {
            return Ok(None);
        }
        Mapped::open(&self.descriptor.path(component)).map(Some)
    }

    fn index_files(&self) -> Result<Option<&IndexFiles>> {
        if let Some(files) = self.index.get() {
            return Ok(files.as_ref());
        }
        let files = match self.descriptor.format() {
            Format::Big => match self.mapped(&Component::Index)? {
                Some(index) => Some(IndexFiles::Big {
                    index,
                    summary: self.mapped(&Component::Summary)?,
                }),
                None => None,
            },
            Format::Bti => match self.mapped(&Component::Partitions)? {
                // Rows.db without any row index is an empty file, and may be lost unnoticed.
                Some(partitions) => Some(IndexFiles::Bti {
                    partitions,
                    rows: self.mapped(&Component::Rows)?.unwrap_or_else(|| {
                        Mapped::from_vec(&self.descriptor.path(&Component::Rows), Vec::new())
                    }),
                }),
                None => None,
            },
        };
        if let Some(files) = &files {
            self.check_belongs(files)?;
        }
        Ok(self.index.get_or_init(|| files).as_ref())
    }

    /// That an index begins with the key that Data.db begins with: one of another SSTable would lead astray, since later
    /// lookups go by its blocks without reading heads of partitions.
    fn check_belongs(&self, files: &IndexFiles) -> Result<()> {
        let index = self.view(files)?;
        let first = index.first_key().map_err(|e| self.in_index(e))?;
        let mut window = Window::new(self.data.clone(), Fetch::Point);
        // Data.db that cannot be read, is cut short or empty: whoever reads it will tell.
        while let Ok(true) = window.more(0) {
            match decode_key(window.bytes(0)) {
                Ok(key) if first == Some(key) => return Ok(()),
                Ok(key) => {
                    let file = match files {
                        IndexFiles::Big { index, .. } => index.path(),
                        IndexFiles::Bti { partitions, .. } => partitions.path(),
                    };
                    return Err(Error::corrupt("it begins with another key than Data.db")
                        .advise("it does not belong to Data.db: move it away, the data can be read without it")
                        .in_partition(key)
                        .in_file(file));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// A view of the index of its partitions; `None` if the file is missing.
    ///
    /// # Errors
    /// `Corrupt`; the data can be scanned without the index.
    pub fn partition_index(&self) -> Result<Option<PartitionIndex<'_>>> {
        self.index_files()?
            .map(|files| self.view(files))
            .transpose()
    }

    fn view<'a>(&self, files: &'a IndexFiles) -> Result<PartitionIndex<'a>> {
        Ok(match files {
            IndexFiles::Big { index, summary } => {
                let summary = match summary {
                    Some(file) => Some(Summary::open(file).map_err(|e| e.in_file(file.path()))?),
                    None => None,
                };
                PartitionIndex::Big {
                    primary: PrimaryIndex::new(index, summary),
                    has_uint_deletion_time: self.descriptor.version.has_uint_deletion_time(),
                }
            }
            IndexFiles::Bti { partitions, rows } => PartitionIndex::Bti {
                partitions: Partitions::open(partitions)
                    .map_err(|e| e.in_file(partitions.path()))?,
                rows,
            },
        })
    }

    /// The bloom filter; `None` if the file is missing.
    ///
    /// # Errors
    /// `Corrupt`; the data can be read without the filter.
    #[inline]
    pub fn filter(&self) -> Result<Option<&BloomFilter<Mapped>>> {
        if let Some(filter) = self.filter.get() {
            return Ok(filter.as_ref());
        }
        self.open_filter()
    }

    #[cold]
    fn open_filter(&self) -> Result<Option<&BloomFilter<Mapped>>> {
        let filter = match self.mapped(&Component::Filter)? {
            Some(file) => {
                let path = file.path().to_owned();
                let old_format = self.descriptor.version.has_old_bloom_filter();
                Some(BloomFilter::open(file, old_format).map_err(|e| {
                    e.advise("move it away: the data can be read without it")
                        .in_file(&path)
                })?)
            }
            None => None,
        };
        Ok(self.filter.get_or_init(|| filter).as_ref())
    }

    /// Whether the bloom filter, if there is one, lets a key through.
    ///
    /// # Errors
    /// `Corrupt` when the filter is.
    #[inline]
    pub fn might_contain(&self, key: &DecoratedKey<'_>) -> Result<bool> {
        Ok(self.filter()?.is_none_or(|f| f.might_contain(key.hash)))
    }

    #[inline]
    fn ends(&self) -> Option<&Ends> {
        match self.ends.get() {
            Some(ends) => ends.as_ref(),
            None => self.find_ends(),
        }
    }

    #[cold]
    fn find_ends(&self) -> Option<&Ends> {
        let ends = self.ends.get_or_init(|| {
            // An index that cannot be read says so to whoever looks a key up.
            let index = self.partition_index().ok().flatten()?;
            let (first, last) = index.first_and_last_key().ok().flatten()?;
            let token = |key| match self.partitioner.token(key) {
                Token::Long(token) => Some(token),
                _ => None,
            };
            Some(Ends {
                tokens: token(first).zip(token(last)),
                first: first.into(),
                last: last.into(),
            })
        });
        ends.as_ref()
    }

    /// Whether a key lies between the first and the last one.
    #[inline]
    pub fn may_hold(&self, key: &DecoratedKey<'_>) -> bool {
        let Some(ends) = self.ends() else {
            return true;
        };
        match (key.token, ends.tokens) {
            (Token::Long(token), Some((first, last))) => first <= token && token <= last,
            _ => {
                let is_before = |a, b| self.partitioner.compare_keys(a, b).is_lt();
                !is_before(key.key, &ends.first) && !is_before(&ends.last, key.key)
            }
        }
    }

    /// Whether some key between the first and the last one may lie in a range.
    pub fn may_meet(&self, range: &TokenRange) -> bool {
        self.ends().is_none_or(|ends| {
            range.locate(&self.partitioner, &ends.first).is_le()
                && range.locate(&self.partitioner, &ends.last).is_ge()
        })
    }

    /// Bytes of the mapped filter, and of the mapped index, as far as they are open.
    pub fn mapped_bytes(&self) -> (u64, u64) {
        let filter = self.filter.get().and_then(Option::as_ref);
        let index = match self.index.get().and_then(Option::as_ref) {
            Some(IndexFiles::Big { index, summary }) => {
                index.len() + summary.as_ref().map_or(0, |summary| summary.len())
            }
            Some(IndexFiles::Bti { partitions, rows }) => partitions.len() + rows.len(),
            None => 0,
        };
        (
            filter.map_or(0, |filter| filter.bit_count() / 8),
            index as u64,
        )
    }

    /// Looks a key up in the index.
    ///
    /// # Errors
    /// `Corrupt` when the index is.
    pub fn locate(&self, key: &DecoratedKey<'_>) -> Result<Lookup<'_>> {
        let Some(files) = self.index_files()? else {
            return Ok(Lookup::NoIndex);
        };
        let keys = match (&self.keys, files) {
            (Some(keys), IndexFiles::Big { index, .. }) => Some((keys, index)),
            _ => None,
        };
        let identity = self.data.identity();
        if let Some((keys, index)) = keys
            && let Some(position) = keys.get(identity, key.key)
        {
            let has_uint = self.descriptor.version.has_uint_deletion_time();
            let found = located_at(index, position, key.key, has_uint);
            if let Some(found) = found.map_err(|e| self.in_index(e))? {
                return Ok(Lookup::At(found));
            }
        }
        let found = self
            .view(files)?
            .lookup(&self.partitioner, key)
            .map_err(|e| self.in_index(e))?;
        if let (Some((keys, _)), Some(found)) = (keys, &found)
            && let Some(position) = found.entry_position
        {
            keys.insert(identity, key.key, position);
        }
        Ok(found.map_or(Lookup::Absent, Lookup::At))
    }

    /// Looks a key up in the bloom filter and the index.
    ///
    /// # Errors
    /// `Corrupt` when one of them is.
    pub fn lookup(&self, key: &DecoratedKey<'_>) -> Result<Lookup<'_>> {
        match self.might_contain(key)? {
            true => self.locate(key),
            false => Ok(Lookup::Absent),
        }
    }

    /// Names the index file of an error that only knows its component.
    #[cold]
    pub(crate) fn in_index(&self, e: Error) -> Error {
        match e.location().component {
            Some(name) => {
                let path = self.descriptor.path(&Component::parse(name));
                e.in_file(&path)
            }
            None => e,
        }
    }

    /// The layout whose stream has just the columns of the serialization header.
    pub fn layout(&self) -> Result<Arc<Layout>> {
        let (header, version) = (&self.statistics.header, self.descriptor.version);
        Layout::of_header(header, version, self.stream.clone()).map(Arc::new)
    }

    /// A cursor over all partitions, with the columns of the serialization header.
    pub fn scan(self: &Arc<Self>) -> Result<Scan> {
        let end = self.data.len();
        Ok(Scan::new(self.clone(), self.layout()?, 0..end, Fetch::Scan))
    }
}

impl Drop for SSTable {
    fn drop(&mut self) {
        if let Some(keys) = &self.keys {
            keys.forget(self.data.identity());
        }
    }
}

/// The components of an SSTable that exist, and those that TOC.txt lists, if it can be read. What exists is asked for by
/// name, since a directory may hold many thousand files: what is known, and of others what is listed.
pub(super) fn discover(
    descriptor: &Descriptor,
) -> Result<(BTreeSet<Component>, Result<BTreeSet<Component>>)> {
    // A link that leads nowhere is there, too: opening it tells what is wrong.
    let exists = |component: &Component| descriptor.path(component).symlink_metadata().is_ok();
    let known = Component::KNOWN.into_iter();
    let mut found: BTreeSet<Component> = known.filter(exists).collect();
    let listed = read_toc(descriptor, &found);
    if let Ok(listed) = &listed {
        found.extend(listed.iter().filter(|c| exists(c)).cloned());
    }
    if found.is_empty() {
        return Err(Error::not_found("there is no such SSTable")
            .in_file(&descriptor.path(&Component::Data)));
    }
    Ok((found, listed))
}

/// The components that TOC.txt lists; none if there is no TOC.txt.
fn read_toc(descriptor: &Descriptor, found: &BTreeSet<Component>) -> Result<BTreeSet<Component>> {
    if !found.contains(&Component::Toc) {
        return Ok(BTreeSet::new());
    }
    let path = descriptor.path(&Component::Toc);
    let bytes = Mapped::open(&path)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Error::corrupt("it is not a list of file names").in_file(&path))?;
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(Component::parse)
        .collect())
}

pub(super) fn missing_components(
    descriptor: &Descriptor,
    found: &BTreeSet<Component>,
    listed: &BTreeSet<Component>,
) -> Vec<Component> {
    let mut expected: BTreeSet<Component> = listed.clone();
    expected.extend([Component::Digest, Component::Toc]);
    expected.extend(match descriptor.format() {
        Format::Big => [Component::Index, Component::Summary],
        Format::Bti => [Component::Partitions, Component::Rows],
    });
    expected.difference(found).cloned().collect()
}

/// The columns of a serialization header. Names of key columns are not stored: these are made up.
pub(super) fn stream_of(header: &SerializationHeader) -> Result<StreamHeader> {
    let types = header.types()?;
    let clustering = types.clustering.into_iter().enumerate();
    Ok(StreamHeader {
        key_type: types.key,
        clustering: clustering
            .map(|(i, (ty, descending))| ClusteringColumn {
                name: match i {
                    0 => "clustering".into(),
                    _ => format!("clustering{}", i + 1).into(),
                },
                ty,
                descending,
            })
            .collect(),
        statics: types.statics,
        regulars: types.regulars,
    })
}
