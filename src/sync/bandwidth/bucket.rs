// SPDX-License-Identifier: GPL-3.0-or-later
//! The token bucket itself: numbers only. Whoever has read takes what it has read, and may read on when that is paid for.
//! What is taken is paid for in the order in which it was taken: with many readers none of them starves.

/// What may be read at once after a pause: what comes in so many parts of a second.
const BURST_PARTS: u64 = 4;
const NANOS: u128 = 1_000_000_000;
/// No one owes more; a bucket that says so is damaged.
const LARGEST_DEBT: u64 = 1 << 30;

/// What was read, how much of it is paid for, and until when that was reckoned. A rate is in octets a second and may
/// be another at any time; moments are nanoseconds of a clock that all readers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bucket {
    /// All octets that were ever read.
    taken: u64,
    /// How many of them are paid for; more than there are after a pause.
    paid: u64,
    /// Until when payments are reckoned.
    at: u64,
}

impl Bucket {
    /// The octets of its file.
    pub(super) const SIZE: usize = 24;

    /// An empty one.
    pub(super) fn new(now: u64) -> Self {
        Self {
            at: now,
            ..Self::default()
        }
    }

    /// Pays for what the time since the last reckoning brought.
    pub(super) fn reckon(&mut self, now: u64, rate: u64) {
        let most = self.taken.saturating_add(rate / BURST_PARTS);
        // The clock starts again with the machine.
        let elapsed = now.saturating_sub(self.at);
        let earned = u128::from(elapsed) * u128::from(rate) / NANOS;
        let paid = u64::try_from(earned)
            .unwrap_or(u64::MAX)
            .saturating_add(self.paid);
        if paid >= most || now < self.at {
            self.paid = paid.min(most);
            self.at = now;
        } else {
            self.paid = paid;
            // What is left of the time is reckoned next time.
            let reckoned = earned * NANOS / u128::from(rate.max(1));
            self.at += u64::try_from(reckoned).unwrap_or(elapsed).min(elapsed);
        }
    }

    /// Takes octets; the position at which they are paid for.
    pub(super) fn take(&mut self, octets: u64) -> u64 {
        self.taken = self.taken.saturating_add(octets);
        self.taken
    }

    /// How many nanoseconds it takes at this rate until all up to a position is paid for.
    pub(super) fn wait(&self, position: u64, rate: u64) -> u64 {
        // A bucket that was started again knows nothing of that position.
        if self.taken < position {
            return 0;
        }
        let owed = u128::from(position.saturating_sub(self.paid));
        u64::try_from((owed * NANOS).div_ceil(u128::from(rate.max(1)))).unwrap_or(u64::MAX)
    }

    /// What its file holds.
    pub(super) fn encode(&self) -> [u8; Self::SIZE] {
        let mut octets = [0; Self::SIZE];
        let numbers = [self.taken, self.paid, self.at];
        for (place, number) in octets.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        octets
    }

    /// Reads what a file holds; `None` where that is not a bucket.
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let octets: &[u8; Self::SIZE] = octets.try_into().ok()?;
        let mut numbers = octets
            .chunks_exact(8)
            .map(|part| Some(u64::from_le_bytes(part.try_into().ok()?)));
        let mut number = || numbers.next().flatten();
        let bucket = Self {
            taken: number()?,
            paid: number()?,
            at: number()?,
        };
        (bucket.taken.saturating_sub(bucket.paid) <= LARGEST_DEBT).then_some(bucket)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Reads at a rate until `octets` are read, in pieces, as the only one; when it ends.
    fn read(bucket: &mut Bucket, mut now: u64, octets: u64, piece: u64, rate: u64) -> u64 {
        let mut left = octets;
        while left > 0 {
            let position = bucket.take(piece.min(left));
            left -= piece.min(left);
            bucket.reckon(now, rate);
            now += bucket.wait(position, rate);
        }
        now
    }

    #[test]
    fn what_is_read_takes_as_long_as_the_rate_says() {
        let mut bucket = Bucket::new(5 * SECOND);
        let end = read(&mut bucket, 5 * SECOND, 10_000, 100, 1000);
        assert_eq!(end, 15 * SECOND);
        // After an hour of nothing a quarter of a second comes at once, and no more.
        let later = end + 3600 * SECOND;
        bucket.reckon(later, 1000);
        assert_eq!(read(&mut bucket, later, 1000, 100, 1000), later + SECOND * 3 / 4);
    }

    #[test]
    fn another_rate_counts_for_what_is_owed_as_well() {
        let mut bucket = Bucket::new(0);
        let position = bucket.take(3600 * 1024);
        bucket.reckon(SECOND, 1024);
        assert_eq!(bucket.wait(position, 1024), 3599 * SECOND);
        // A thousand times as much: the rest of the hour is over in four seconds.
        assert!(bucket.wait(position, 1024 * 1024) < 4 * SECOND);
        bucket.reckon(5 * SECOND, 1024 * 1024);
        assert_eq!(bucket.wait(position, 1024 * 1024), 0);
    }

    #[test]
    fn readers_get_on_in_the_order_in_which_they_took() {
        let mut bucket = Bucket::new(0);
        let (first, second) = (bucket.take(1000), bucket.take(1000));
        bucket.reckon(SECOND, 1000);
        assert_eq!((bucket.wait(first, 1000), bucket.wait(second, 1000)), (0, SECOND));
        // Whoever comes now stands behind, and keeps no one longer.
        let third = bucket.take(5000);
        assert_eq!(
            (bucket.wait(second, 1000), bucket.wait(third, 1000)),
            (SECOND, 6 * SECOND)
        );
    }

    #[test]
    fn a_clock_or_a_bucket_that_begins_anew_holds_no_one() {
        let mut bucket = Bucket::new(1000 * SECOND);
        let position = bucket.take(500);
        bucket.reckon(SECOND, 1000);
        bucket.reckon(2 * SECOND, 1000);
        assert_eq!(bucket.wait(position, 1000), 0, "the machine was started again");
        assert_eq!(Bucket::new(0).wait(position, 1000), 0, "its file is another one");
    }

    #[test]
    fn what_no_bucket_is_is_none() {
        let mut bucket = Bucket::new(77);
        bucket.take(1 << 20);
        bucket.reckon(SECOND, 12_345);
        assert_eq!(Bucket::decode(&bucket.encode()), Some(bucket));
        for damaged in [&[][..], &[0; 23], &[0; 25], b"garbage"] {
            assert_eq!(Bucket::decode(damaged), None);
        }
        let absurd = Bucket {
            taken: u64::MAX,
            ..Bucket::new(0)
        };
        assert_eq!(
            Bucket::decode(&absurd.encode()),
            None,
            "no one would ever read again"
        );
    }

    proptest! {
        /// However many read, in whatever pieces and however often is looked: never more than the rate and one burst.
        #[test]
        fn no_more_comes_than_the_rate_allows(
            rate in 1024_u64..100_000_000,
            pieces in prop::collection::vec((0_usize..4, 1_u64..100_000, 0_u64..SECOND), 1..60),
        ) {
            let mut bucket = Bucket::new(0);
            let (mut now, mut through, mut owed) = (0, 0, [(0, 0); 4]);
            for (reader, octets, pause) in pieces {
                let (position, taken) = owed[reader];
                now += pause;
                bucket.reckon(now, rate);
                now += bucket.wait(position, rate);
                bucket.reckon(now, rate);
                prop_assert_eq!(bucket.wait(position, rate), 0);
                through += taken;
                let allowed = u128::from(now) * u128::from(rate) / NANOS + u128::from(rate / BURST_PARTS);
                prop_assert!(u128::from(through) <= allowed + 1, "{} of {}", through, allowed);
                owed[reader] = (bucket.take(octets), octets);
            }
        }

        #[test]
        fn numbers_of_any_size_do_no_harm(numbers: [u64; 5], octets: u64) {
            let [taken, paid, at, now, rate] = numbers;
            let mut bucket = Bucket { taken, paid, at };
            bucket.reckon(now, rate);
            let position = bucket.take(octets);
            bucket.wait(position, rate);
        }
    }
}
