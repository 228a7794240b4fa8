//! limitador in memory: a fixed window for each key, which an expression finds in the request.

use std::collections::HashMap;
use std::hint::black_box;

use limitador::RateLimiter;
use limitador::limit::{Context, Limit, Namespace};

use super::Quota;
use crate::measure::Check;

/// A limiter with one limit on the variable `client`.
pub struct Limitador {
    limiter: RateLimiter,
    namespace: Namespace,
}

impl Limitador {
    /// With room for `keys` keys.
    pub fn new(quota: Quota, keys: u64) -> Self {
        let namespace = Namespace::from("versus");
        let variable = "client".try_into().expect("a name is an expression");
        let none: [limitador::limit::Predicate; 0] = [];
        let (units, period_s) = (u64::from(quota.units), quota.period.as_secs());
        let limit = Limit::new(namespace.clone(), units, period_s, none, [variable]);
        let limiter = RateLimiter::new(keys.max(1_000));
        limiter.add_limit(limit);
        Self { limiter, namespace }
    }
}

impl Check<String> for Limitador {
    #[inline]
    fn check(&self, key: &String) -> bool {
        let request = HashMap::from([("client".to_owned(), key.clone())]);
        let context = Context::from(request);
        let answer = self
            .limiter
            .check_rate_limited_and_update(&self.namespace, &context, 1);
        !black_box(answer)
            .expect("the expression finds the client")
            .limited
    }
}
