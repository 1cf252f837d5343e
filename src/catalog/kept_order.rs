//! Orders of all rows of the index, kept when they are asked for again: people and programs go through page after page, and
//! no page then ranks all runs anew. In memory only, and only as long as the index is.

use crate::env::sync::{Mutex, MutexGuard};
use crate::search::Term;
use std::sync::{Arc, PoisonError};

/// Most bytes of all orders of an index; the one asked for last is kept even when it takes more.
const MAX_BYTES: usize = 8 << 20;
/// Most orders that are remembered.
const MAX_ORDERS: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct KeptOrders(Mutex<Vec<Asked>>);

#[derive(Debug)]
struct Asked {
    terms: Vec<Term>,
    /// `None` when it was asked for once.
    rows: Option<Arc<[u32]>>,
}

impl KeptOrders {
    fn lock(&self) -> MutexGuard<'_, Vec<Asked>> {
        // What is there holds whoever stopped in between.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows in an order; `None` when it is asked for the first time and not `surely` again: to find a few first ones is
    /// cheaper than to sort all.
    pub(super) fn ask(&self, terms: &[Term], surely: bool, sort: impl FnOnce() -> Vec<u32>) -> Option<Arc<[u32]>> {
        let is_known = {
            let mut orders = self.lock();
            let known = orders.iter().position(|asked| asked.terms == terms).map(|at| orders.remove(at));
            let is_known = known.is_some();
            let asked = known.unwrap_or_else(|| Asked { terms: terms.to_vec(), rows: None });
            let rows = asked.rows.clone();
            if orders.len() >= MAX_ORDERS {
                orders.remove(0);
            }
            orders.push(asked);
            if rows.is_some() {
                return rows;
            }
            is_known
        };
        if !is_known && !surely {
            return None;
        }
        // Not under the lock: others that search go on.
        let rows: Arc<[u32]> = sort().into();
        let mut orders = self.lock();
        let mut left = MAX_BYTES.saturating_sub(size_of_val(&*rows));
        if let Some(asked) = orders.iter_mut().find(|asked| asked.terms == terms) {
            asked.rows = Some(Arc::clone(&rows));
        }
        for asked in orders.iter_mut().rev().filter(|asked| asked.terms != terms) {
            let taken = asked.rows.as_ref().map_or(0, |rows| size_of_val(&**rows));
            match left.checked_sub(taken) {
                Some(rest) => left = rest,
                None => asked.rows = None,
            }
        }
        Some(rows)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::search::Field;

    fn terms(name: usize) -> Vec<Term> {
        vec![Term { field: Field::Param(name.to_string()), descending: false }]
    }

    #[test]
    fn an_order_is_kept_when_it_is_asked_for_again() {
        let orders = KeptOrders::default();
        let sort = || vec![2, 0, 1];
        assert_eq!(orders.ask(&terms(1), false, sort), None);
        assert_eq!(orders.ask(&terms(2), true, sort).as_deref(), Some(&[2, 0, 1][..]));
        assert_eq!(orders.ask(&terms(1), false, || vec![1, 0, 2]).as_deref(), Some(&[1, 0, 2][..]));
        let never = || panic!("it is kept");
        assert_eq!(orders.ask(&terms(2), false, never).as_deref(), Some(&[2, 0, 1][..]));
        assert_eq!(orders.ask(&terms(1), false, never).as_deref(), Some(&[1, 0, 2][..]));
    }

    #[test]
    fn what_was_not_asked_for_lately_makes_room() {
        let orders = KeptOrders::default();
        let third = || vec![0; MAX_BYTES / 12];
        for name in [0, 1, 2, 0, 3] {
            assert!(orders.ask(&terms(name), true, third).is_some());
        }
        assert_eq!(orders.ask(&terms(0), true, || panic!("it was asked for lately")).unwrap().len(), MAX_BYTES / 12);
        assert_eq!(orders.ask(&terms(1), true, || vec![7]).as_deref(), Some(&[7][..]));
        let large = orders.ask(&terms(4), true, || vec![0; MAX_BYTES]).unwrap();
        assert_eq!(orders.ask(&terms(4), true, || panic!("the last one stays")), Some(large));
        assert!((10..10 + MAX_ORDERS).all(|name| orders.ask(&terms(name), false, Vec::new).is_none()));
        assert_eq!(orders.ask(&terms(4), false, || vec![8]), None);
    }
}
