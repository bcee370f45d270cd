//! The attempts of one call: each in its turn, counted, and whoever waits is told when calls are refused for long.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep, timeout_at};

use crate::pace::Pace;
use crate::retry::{self, Next, Outcome, Policy, Safety, Tried};

/// So long calls are refused in silence: most of it passes within seconds.
const SILENT: Duration = Duration::from_secs(15);

/// How refusals for asking too often are borne: for how long, by whom, and who is told.
#[derive(Debug, Clone, Default)]
pub struct Endurance {
    policy: Policy,
    /// When the first of the calls was refused that have one patience together; `None`: each call has its own.
    together: Option<Arc<OnceLock<Instant>>>,
    teller: Arc<OnceLock<Teller>>,
}

impl Endurance {
    /// Each call for itself.
    pub fn of_each(policy: Policy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// The same with this policy for all calls together, counted from the first that is refused.
    #[must_use]
    pub fn together(&self, policy: Policy) -> Self {
        Self { policy, together: Some(Arc::default()), teller: Arc::clone(&self.teller) }
    }

    /// Tells whoever waits, in this way, what holds calls up, and until when. The first way stays.
    pub fn tells(&self, tell: impl Fn(HeldUp, Timestamp) + Send + Sync + 'static) {
        self.teller.get_or_init(|| Teller { tell: Box::new(tell), told: Mutex::default() });
    }

    /// How often and how long.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// Why calls wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldUp {
    /// There are too many. They are tried until the time that is told.
    Refused,
    /// The server fails, and says when it is to be asked again.
    Failing,
}

/// Tells whoever waits.
struct Teller {
    tell: Box<dyn Fn(HeldUp, Timestamp) + Send + Sync>,
    /// Until then it was told, for each reason.
    told: Mutex<[Option<Instant>; 2]>,
}

impl Teller {
    /// Once for all calls that are held up in the same storm.
    fn held_up(&self, why: HeldUp, until: Instant) {
        let now = Instant::now();
        {
            let told = &mut self.told.lock().unwrap_or_else(PoisonError::into_inner)[why as usize];
            if told.is_some_and(|told| now < told) {
                return;
            }
            *told = Some(until);
        }
        let left = SignedDuration::try_from(until.saturating_duration_since(now)).unwrap_or_default();
        (self.tell)(why, Timestamp::now().saturating_add(left).unwrap_or(Timestamp::MAX));
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").finish_non_exhaustive()
    }
}

/// One call on its way to an answer.
#[derive(Debug)]
pub struct Attempts<'a> {
    endurance: &'a Endurance,
    safety: Safety,
    pace: &'a Pace,
    tried: Tried,
    /// When this call was first refused or sent away, or the first of those it shares its patience with.
    since: Option<Instant>,
    /// When it was its turn.
    turn: Instant,
}

impl<'a> Attempts<'a> {
    /// Waits for the turn of the first attempt.
    pub async fn begin(endurance: &'a Endurance, safety: Safety, pace: &'a Pace) -> Self {
        let since = endurance.together.as_ref().and_then(|together| together.get().copied());
        let now = Instant::now();
        let mut attempts = Self { endurance, safety, pace, tried: Tried::default(), since, turn: now };
        if let Some(together) = &endurance.together
            && !pace.is_free()
        {
            attempts.since = Some(*together.get_or_init(|| now));
        }
        match pace.at_once() {
            Some(turn) => attempts.turn = turn,
            // Held up because others were refused: that uses up no patience of its own.
            None => attempts.wait_telling(HeldUp::Refused, Instant::now(), Duration::ZERO).await,
        }
        attempts
    }

    /// Since when patience is counted, where something was refused now, or failed with a wish to be left alone.
    fn refused_since(&mut self, now: Instant) -> Instant {
        let endurance = self.endurance;
        let together = || endurance.together.as_ref().map(|together| *together.get_or_init(|| now));
        *self.since.get_or_insert_with(|| together().unwrap_or(now))
    }

    /// Whether there is another attempt after one that ended so, and if so, waits until it is its turn.
    pub async fn again(&mut self, outcome: &Outcome) -> bool {
        let now = Instant::now();
        let held_up = match outcome {
            Outcome::Throttled(wish) => {
                self.pace.throttled(self.turn, *wish);
                Some(HeldUp::Refused)
            }
            Outcome::Failed(Some(_)) => Some(HeldUp::Failing),
            Outcome::Failed(None)
            | Outcome::Final
            | Outcome::Foreign
            | Outcome::NotSent
            | Outcome::NoAnswer
            | Outcome::Corrected => None,
        };
        let held_up = held_up.map(|why| (why, self.refused_since(now)));
        let since = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        match retry::next(&self.endurance.policy, self.safety, &mut self.tried, outcome, since, chance()) {
            Next::End => false,
            Next::Again(wait) => {
                match held_up {
                    Some((why, since)) => self.wait_telling(why, since, wait).await,
                    None => self.wait(wait).await,
                }
                true
            }
        }
    }

    /// The same wait, in which whoever waits is told once it lasts.
    async fn wait_telling(&mut self, why: HeldUp, since: Instant, wait: Duration) {
        let Endurance { policy, teller, .. } = self.endurance;
        let Some(teller) = teller.get() else { return self.wait(wait).await };
        let asked_again = Instant::now() + wait;
        let until = match why {
            HeldUp::Refused => asked_again.max(since + policy.throttled_for),
            HeldUp::Failing => asked_again,
        };
        let mut waited = pin!(self.wait(wait));
        if timeout_at(since + SILENT / policy.hurry, &mut waited).await.is_err() {
            teller.held_up(why, until);
            waited.await;
        }
    }

    /// Waits so long, and then for one's turn: for no longer than the longest time that a server may have anybody stay away.
    async fn wait(&mut self, wait: Duration) {
        // Even a sleep of no time takes a turn of the event loop.
        if !wait.is_zero() {
            sleep(wait).await;
        }
        let end = self.since.unwrap_or_else(Instant::now) + self.endurance.policy.obeyed_for;
        self.turn = timeout_at(end, self.pace.before()).await.unwrap_or_else(|_| Instant::now());
    }
}

/// Between 0 and 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without chance all waits are the longest, which is no harm.
    if getrandom::fill(&mut bytes).is_err() {
        return 1.0;
    }
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::future::{join, join_all, join3};

    use super::*;

    const THROTTLED: Outcome = Outcome::Throttled(None);

    /// A call that is refused every time. Says how long that took, in seconds.
    async fn refused(endurance: &Endurance, pace: &Pace) -> u64 {
        let began = Instant::now();
        let mut attempts = Attempts::begin(endurance, Safety::Repeatable, pace).await;
        while attempts.again(&THROTTLED).await {}
        began.elapsed().as_secs()
    }

    /// Notes after how many seconds something is told.
    fn listening(endurance: &Endurance) -> Arc<Mutex<Vec<u64>>> {
        let heard: Arc<Mutex<Vec<u64>>> = Arc::default();
        let (began, hears) = (Instant::now(), Arc::clone(&heard));
        endurance.tells(move |_, _| hears.lock().expect("nobody panicked").push(began.elapsed().as_secs()));
        heard
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_are_refused_all_the_time_end_however_slow_the_pace() {
        let pace = Pace::default();
        let endurance = Endurance::default();
        let took = join_all((0..24).map(|_| refused(&endurance, &pace))).await;
        // As long as a server may have anybody stay away is waited for the first turn, and as long for the last.
        assert!(took.iter().all(|s| (120..=600).contains(s)), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_with_one_patience_use_it_up_together() {
        let (pace, each) = (Pace::default(), Endurance::default());
        let look = each.together(each.policy().looking());
        assert_eq!(refused(&look, &pace).await, 60);
        assert!(refused(&look, &pace).await <= 2, "asked once more, and no longer");
        let another = each.together(each.policy().sparing());
        assert!((20..=25).contains(&refused(&another, &pace).await));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_after_a_while_and_once() {
        let each = Endurance::default();
        let heard = listening(&each);
        let pace = Pace::default();
        let together = each.together(Policy::default());
        join_all((0..3).map(|_| refused(&together, &pace))).await;
        assert_eq!(*heard.lock().expect("nobody panicked"), [15]);
        // Another storm is told again.
        refused(&each, &pace).await;
        assert_eq!(heard.lock().expect("nobody panicked").len(), 2);
    }

    /// The server fails and wants to be left alone for so long, each time. Says after how many seconds that is handed on, and what was told.
    async fn failing(endurance: &Endurance, wish_s: u64) -> (u64, Vec<(HeldUp, u64)>) {
        let heard: Arc<Mutex<Vec<_>>> = Arc::default();
        let (began, hears) = (Instant::now(), Arc::clone(&heard));
        endurance.tells(move |why, _| hears.lock().expect("nobody panicked").push((why, began.elapsed().as_secs())));
        let pace = Pace::default();
        let mut attempts = Attempts::begin(endurance, Safety::Repeatable, &pace).await;
        while attempts.again(&Outcome::Failed(Some(Duration::from_secs(wish_s)))).await {}
        let heard = heard.lock().expect("nobody panicked").clone();
        (began.elapsed().as_secs(), heard)
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_asks_for_time_has_one_patience_and_is_told() {
        let look = || Endurance::default().together(Policy::default().looking());
        assert_eq!(
            failing(&Endurance::default(), 140).await,
            (280, vec![(HeldUp::Failing, 15), (HeldUp::Failing, 140)])
        );
        assert_eq!(failing(&look(), 40).await, (40, vec![(HeldUp::Failing, 15)]));
        assert_eq!(failing(&look(), 4).await, (12, vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_soon_is_not_told() {
        let endurance = Endurance::default();
        let heard = listening(&endurance);
        let pace = Pace::default();
        let mut attempts = Attempts::begin(&endurance, Safety::LookFirst, &pace).await;
        for _ in 0..4 {
            assert!(attempts.again(&THROTTLED).await);
        }
        assert!(!attempts.again(&Outcome::Final).await);
        assert_eq!(*heard.lock().expect("nobody panicked"), [0; 0]);
    }

    /// One is told to stay away for longer than patience lasts, which holds for the others as well.
    #[tokio::test(start_paused = true)]
    async fn who_is_held_up_by_the_wish_that_another_was_told_outlasts_it() {
        let (pace, endurance) = (Pace::default(), Endurance::default());
        let began = Instant::now();
        let mut refused = Attempts::begin(&endurance, Safety::LookFirst, &pace).await;
        let mut sent_away = Attempts::begin(&endurance, Safety::LookFirst, &pace).await;
        let wish = Outcome::Throttled(Some(Duration::from_secs(200)));
        let (asked_again, ..) = join3(
            join(refused.again(&THROTTLED), sent_away.again(&wish)),
            Attempts::begin(&endurance, Safety::LookFirst, &pace),
            Attempts::begin(&endurance, Safety::LookFirst, &pace),
        )
        .await;
        assert_eq!(asked_again, (true, true));
        assert!((200..=210).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        let mut late = Attempts::begin(&endurance, Safety::LookFirst, &pace).await;
        assert!(late.again(&THROTTLED).await, "its patience begins with its own refusal");
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_of_fifty_seconds_is_outlasted_by_a_look() {
        let each = Endurance::default();
        let look = each.together(each.policy().looking());
        let pace = Pace::default();
        let began = Instant::now();
        let calls = (0..8).map(async |_| {
            let mut attempts = Attempts::begin(&look, Safety::Repeatable, &pace).await;
            while began.elapsed() < Duration::from_secs(50) {
                assert!(attempts.again(&THROTTLED).await, "{:?}", began.elapsed());
            }
            began.elapsed().as_secs()
        });
        assert!(join_all(calls).await.iter().all(|s| (50..=60).contains(s)));
    }
}
