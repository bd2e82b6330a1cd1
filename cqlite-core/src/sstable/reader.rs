//! An open SSTable: its components, and the ways into its data.
//!
//! Authority: `o.a.c.io.sstable.format.{SSTableReader,SSTableReaderLoadingBuilder}`.

use super::component::compression_info::CompressionInfo;
use super::component::statistics::{SerializationHeader, Statistics};
use super::data::{ChunkCache, DataFile, Fetch, Layout};
use super::descriptor::{Component, Descriptor};
use super::scan::Scan;
use crate::io::{Mapped, Source};
use crate::model::StreamHeader;
use crate::schema::{ClusteringColumn, Column};
use crate::types::CqlType;
use crate::{Error, ErrorKind, Result};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// How an SSTable is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Check the checksum of every chunk that is read.
    pub verify_checksums: bool,
    /// Where point reads keep decompressed chunks.
    pub cache: Option<Arc<ChunkCache>>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            verify_checksums: true,
            cache: None,
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
    data: Arc<DataFile>,
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
        let components = discover(&descriptor)?;
        let listed = read_toc(&descriptor, &components)?;
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
        Ok(Arc::new(SSTable {
            descriptor,
            components,
            missing,
            statistics,
            stream: Arc::new(stream),
            data: Arc::new(data),
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

/// The components of an SSTable that exist in its directory.
fn discover(descriptor: &Descriptor) -> Result<BTreeSet<Component>> {
    let directory = match descriptor.directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => &descriptor.directory,
    };
    let prefix = descriptor.base_name() + "-";
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(directory).map_err(|e| Error::io(directory, e))? {
        let entry = entry.map_err(|e| Error::io(directory, e))?;
        let name = entry.file_name();
        if let Some(component) = name.to_str().and_then(|n| n.strip_prefix(&prefix))
            && !component.ends_with(".tmp")
        {
            found.insert(Component::parse(component));
        }
    }
    if found.is_empty() {
        return Err(Error::not_found("there is no such SSTable")
            .in_file(&descriptor.path(&Component::Data)));
    }
    Ok(found)
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

fn missing_components(
    descriptor: &Descriptor,
    found: &BTreeSet<Component>,
    listed: &BTreeSet<Component>,
) -> Vec<Component> {
    use super::version::Format;
    let mut expected: BTreeSet<Component> = listed.clone();
    expected.extend([Component::Digest, Component::Toc]);
    expected.extend(match descriptor.format() {
        Format::Big => [Component::Index, Component::Summary],
        Format::Bti => [Component::Partitions, Component::Rows],
    });
    expected.difference(found).cloned().collect()
}

/// The columns of a serialization header. Names of key columns are not stored: these are made up.
fn stream_of(header: &SerializationHeader) -> Result<StreamHeader> {
    let columns = |list: &[(Vec<u8>, String)]| {
        list.iter()
            .map(|(name, ty)| {
                Ok(Column {
                    name: String::from_utf8_lossy(name).into(),
                    ty: CqlType::parse_marshal(ty)?.0,
                })
            })
            .collect::<Result<Vec<_>>>()
    };
    let clustering = header
        .clustering_types
        .iter()
        .enumerate()
        .map(|(i, ty)| {
            let (ty, descending) = CqlType::parse_marshal(ty)?;
            let name = match i {
                0 => "clustering".into(),
                _ => format!("clustering{}", i + 1).into(),
            };
            Ok(ClusteringColumn {
                name,
                ty,
                descending,
            })
        })
        .collect::<Result<Vec<_>>>();
    let build = || {
        Ok(StreamHeader {
            key_type: CqlType::parse_marshal(&header.key_type)?.0,
            clustering: clustering?,
            statics: columns(&header.statics)?,
            regulars: columns(&header.regulars)?,
        })
    };
    // A type's name comes from the file: what is wrong with it is the file's fault.
    build().map_err(|e: Error| match e.kind() {
        ErrorKind::Unsupported => e,
        _ => Error::corrupt(e.message()).in_component("Statistics.db HEADER"),
    })
}
