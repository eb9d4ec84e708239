//! A small generator of random numbers that is the same on every machine and for ever: builds are reproducible.

/// splitmix64: a counter, well mixed.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A stream for this seed and purpose; streams of other purposes are unrelated.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut random = Self { state: seed ^ purpose.wrapping_mul(0xd605_1b59_3c83_5d2b) };
        random.state = random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A whole number below `limit`, which is not 0; uniform but for one part in 2^32 at most, for limits below 2^32.
    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    /// Roughly normal with deviation 1: the sum of twelve uniform numbers, less six.
    pub fn normal(&mut self) -> f32 {
        let uniform = |random: &mut Self| (random.next() >> 40) as f32 / (1 << 24) as f32;
        (0..12).map(|_| uniform(self)).sum::<f32>() - 6.0
    }

    /// `count` different numbers below `total`, rising; all of them if there are no more.
    pub fn sample(&mut self, total: usize, count: usize) -> Vec<u32> {
        if count >= total {
            return (0..total as u32).collect();
        }
        let mut left = count;
        let mut chosen = Vec::with_capacity(count);
        for number in 0..total {
            // Each number is taken with the share that is still wanted of those still to come.
            if self.below(total - number) < left {
                chosen.push(number as u32);
                left -= 1;
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_distinct_sorted_and_spread() {
        let sample = Random::new(1, 2).sample(10_000, 1000);
        assert_eq!(sample.len(), 1000);
        assert!(sample.is_sorted_by(|a, b| a < b) && sample[999] < 10_000);
        let mean = sample.iter().map(|&number| f64::from(number)).sum::<f64>() / 1000.0;
        assert!((mean - 5000.0).abs() < 300.0, "{mean}");
        assert_eq!(Random::new(1, 2).sample(3, 9), [0, 1, 2]);
    }

    #[test]
    fn streams_differ_by_seed_and_purpose_and_never_otherwise() {
        let first = |seed, purpose| Random::new(seed, purpose).below(1 << 40);
        assert_eq!(first(5, 1), first(5, 1));
        assert!(first(5, 1) != first(5, 2) && first(5, 1) != first(6, 1));
    }

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let mut random = Random::new(0, 0);
        let draws: Vec<f32> = (0..20_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f32>() / 20_000.0;
        let square = draws.iter().map(|x| x * x).sum::<f32>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "{mean} {square}");
    }
}
