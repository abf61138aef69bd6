//! Many durations in little memory, for percentiles accurate to 5 %.

/// Each bucket is this much longer than the one before.
const GROWTH: f64 = 1.05;

/// The shortest duration that is distinguished, in seconds.
const SHORTEST: f64 = 0.000_1;

/// Counts durations in buckets of growing width.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durations {
    buckets: Vec<u32>,
    count: u64,
    sum: f64,
    max: f64,
}

impl Durations {
    pub(crate) fn add(&mut self, seconds: f64) {
        let bucket =
            ((seconds / SHORTEST).max(1.0).ln() / GROWTH.ln()).round().min(1_000.0) as usize;
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] = self.buckets[bucket].saturating_add(1);
        self.count += 1;
        self.sum += seconds;
        self.max = self.max.max(seconds);
    }

    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    pub(crate) fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }

    /// The duration that this fraction of them does not exceed.
    pub(crate) fn quantile(&self, part: f64) -> Option<f64> {
        let wanted = (self.count as f64 * part).ceil() as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        })?;
        (self.count > 0).then(|| (SHORTEST * GROWTH.powf(bucket as f64)).min(self.max))
    }
}
