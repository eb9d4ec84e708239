//! A small random number generator with the same stream on every machine and in every version: builds are reproducible.

/// splitmix64 (Steele, Lea and Flood, 2014): a counter and a mixing function.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// Begin the stream of a seed and a purpose; streams of other purposes are independent.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut rng = Self { state: seed ^ purpose.wrapping_mul(0xd605_1b59_3c83_5d2b) };
        rng.state = rng.next();
        rng
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Return a random integer below `limit`, which is not 0. Uniform but for one part in 2^32, for limits below 2^32.
    pub fn uniform_below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    /// Return an approximately normal random number with deviation 1: the sum of twelve uniform numbers, less six.
    pub fn normal(&mut self) -> f32 {
        let uniform = |rng: &mut Self| (rng.next() >> 40) as f32 / (1 << 24) as f32;
        (0..12).map(|_| uniform(self)).sum::<f32>() - 6.0
    }

    /// Sample `count` different integers below `total`, rising; all of them if `count` is not less.
    pub fn sample(&mut self, total: usize, count: usize) -> Vec<u32> {
        if count >= total {
            return (0..total as u32).collect();
        }
        let mut needed = count;
        let mut sample = Vec::with_capacity(count);
        for number in 0..total {
            // Selection sampling (Knuth, The Art of Computer Programming, 3.4.2, algorithm S).
            if self.uniform_below(total - number) < needed {
                sample.push(number as u32);
                needed -= 1;
            }
        }
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_distinct_sorted_and_spread() {
        let sample = Rng::new(1, 2).sample(10_000, 1000);
        assert_eq!(sample.len(), 1000);
        assert!(sample.is_sorted_by(|a, b| a < b) && sample[999] < 10_000);
        let mean = sample.iter().map(|&number| f64::from(number)).sum::<f64>() / 1000.0;
        assert!((mean - 5000.0).abs() < 300.0, "{mean}");
        assert_eq!(Rng::new(1, 2).sample(3, 9), [0, 1, 2]);
    }

    #[test]
    fn streams_depend_on_seed_and_purpose_only() {
        let first = |seed, purpose| Rng::new(seed, purpose).uniform_below(1 << 40);
        assert_eq!(first(5, 1), first(5, 1));
        assert!(first(5, 1) != first(5, 2) && first(5, 1) != first(6, 1));
    }

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let mut rng = Rng::new(0, 0);
        let draws: Vec<f32> = (0..20_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f32>() / 20_000.0;
        let square = draws.iter().map(|x| x * x).sum::<f32>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "{mean} {square}");
    }
}
