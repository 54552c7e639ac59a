//! The one number that most of these figures are: a quantile.

/// The smallest of `sorted` that a share of `of` does not exceed; the type's default, which is
/// zero, if there is none.
pub(crate) fn quantile<T: Copy + Default>(sorted: &[T], of: f64) -> T {
    let rank = (sorted.len() as f64 * of).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_the_ninety_ninth_is_p99() {
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!(quantile(&sorted, 0.99), 99);
        assert_eq!(quantile(&sorted, 0.5), 50);
        assert_eq!(quantile(&sorted, 1.0), 100);
        assert_eq!(quantile::<u32>(&[], 0.5), 0);
    }
}
