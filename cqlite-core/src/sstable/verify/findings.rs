//! What a check finds, told as soon as it is found.

use crate::Error;
use crate::sstable::descriptor::{Component, Descriptor};

/// What a check found.
#[derive(Debug, Clone)]
pub enum Finding {
    /// The files are not as they must be.
    Fault(Error),
    /// Something that is told and is no fault: an optional component that is missing, or what could not be checked.
    Note(Error),
}

/// Hands findings on and counts them.
pub(crate) struct Findings<'f> {
    descriptor: &'f Descriptor,
    tell: &'f mut dyn FnMut(Finding),
    faults: u64,
}

impl<'f> Findings<'f> {
    pub fn new(descriptor: &'f Descriptor, tell: &'f mut dyn FnMut(Finding)) -> Self {
        Findings {
            descriptor,
            tell,
            faults: 0,
        }
    }

    /// Count of faults so far.
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// A fault of `component`, unless the error names another.
    #[cold]
    pub fn fault(&mut self, component: &'static str, e: impl Into<Error>) {
        self.faults += 1;
        let e = self.placed(component, e.into());
        (self.tell)(Finding::Fault(e));
    }

    /// A fault of `component` that `what` says, at a byte offset of it.
    #[cold]
    pub fn fault_at(&mut self, component: &'static str, offset: u64, what: impl Into<String>) {
        self.fault(component, Error::corrupt(what).at(offset));
    }

    /// Something about `component` that is no fault.
    #[cold]
    pub fn note(&mut self, component: &'static str, e: impl Into<Error>) {
        let e = self.placed(component, e.into());
        (self.tell)(Finding::Note(e));
    }

    fn placed(&self, component: &'static str, e: Error) -> Error {
        let e = e.in_component(component);
        // `Statistics.db STATS` lies in Statistics.db.
        let name = e.location().component.unwrap_or(component);
        let file = name.split(' ').next().unwrap_or(name);
        let path = self.descriptor.path(&Component::parse(file));
        e.in_file(&path)
    }
}
