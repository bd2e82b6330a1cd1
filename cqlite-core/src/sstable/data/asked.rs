//! How much of a column a query asks for: what it does not ask for is read only as far as it shows that a row is there.
//!
//! Authority: `o.a.c.db.filter.{ColumnFilter,ColumnSubselection}`.

use crate::types::CqlType;

/// How much of a column a query asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    #[default]
    Nothing,
    /// Of a set or map the elements whose keys lie in one of these ranges. Of ranges that begin with the same key Cassandra
    /// knows only one, and loses elements of the others; here all of them count.
    Elements(Vec<KeyRange>),
    /// All of it.
    Everything,
}

/// Keys of a map, or elements of a set, between two of them, both included. A range that is the wrong way round is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first, as bytes of its type.
    pub from: Option<Vec<u8>>,
    /// The last.
    pub to: Option<Vec<u8>>,
}

impl Asked {
    /// Asks for a range of elements besides, without any for the whole column.
    pub fn add(&mut self, range: Option<KeyRange>) {
        match (&mut *self, range) {
            (Asked::Everything, _) => {}
            (Asked::Elements(ranges), Some(range)) => ranges.push(range),
            (Asked::Nothing, Some(range)) => *self = Asked::Elements(vec![range]),
            (_, None) => *self = Asked::Everything,
        }
    }
}

impl KeyRange {
    /// Just one key.
    pub fn of_key(key: Vec<u8>) -> Self {
        KeyRange {
            from: Some(key.clone()),
            to: Some(key),
        }
    }

    /// Whether a key of type `ty` lies in it.
    pub fn contains(&self, ty: &CqlType, key: &[u8]) -> bool {
        let is_from = |from: &Vec<u8>| ty.compare(key, from).is_ge();
        let is_to = |to: &Vec<u8>| ty.compare(key, to).is_le();
        self.from.as_ref().is_none_or(is_from) && self.to.as_ref().is_none_or(is_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: Option<i32>, to: Option<i32>) -> KeyRange {
        let bytes = |n: i32| n.to_be_bytes().to_vec();
        KeyRange {
            from: from.map(bytes),
            to: to.map(bytes),
        }
    }

    #[test]
    fn bounds_are_included_and_ordered_by_the_type() {
        let keys_in = |range: KeyRange| -> Vec<i32> {
            let is_in = |n: &i32| range.contains(&CqlType::Int, &n.to_be_bytes());
            (-3..=3).filter(is_in).collect()
        };
        assert_eq!(keys_in(range(Some(-2), Some(1))), [-2, -1, 0, 1]);
        assert_eq!(keys_in(range(Some(2), None)), [2, 3]);
        assert_eq!(keys_in(range(None, Some(-3))), [-3]);
        assert_eq!(keys_in(range(None, None)).len(), 7);
        assert_eq!(keys_in(range(Some(1), Some(-2))), [0; 0]);
        assert_eq!(keys_in(KeyRange::of_key(vec![0, 0, 0, 2])), [2]);
    }

    #[test]
    fn elements_are_added_until_everything_is_asked_for() {
        let mut asked = Asked::Nothing;
        for n in 0..2 {
            asked.add(Some(range(Some(n), Some(n))));
        }
        assert!(matches!(&asked, Asked::Elements(ranges) if ranges.len() == 2));
        asked.add(None);
        asked.add(Some(range(None, None)));
        assert_eq!(asked, Asked::Everything);
    }
}
