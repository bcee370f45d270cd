//! What goes on by itself is waited for, and nothing else is.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::lint::Intent;
use pgherd_core::plan::BUSY;
use pgherd_engine::free;
use pgherd_engine::provider::{ErrorKind, Provider as _, ProviderError};
use pgherd_engine::run::{self, Planned};
use pgherd_engine::settle::Patience;
use tokio::time::Instant;

use crate::provider::Client;
use crate::ran::{codes, spec};
use crate::shared::{client, saturday, target};
use crate::walked::{KINDS, wants};

const WORDS: &str = "database d is busy: modifying";

/// Databases, of which each look says what `seen` says of it: its place, how many looks at it there were, and what time it is.
struct Looked<S> {
    client: Client,
    began: Instant,
    looks: RefCell<Vec<u32>>,
    told: RefCell<Vec<(usize, String)>>,
    most: Cell<usize>,
    looking: Cell<usize>,
    seen: S,
}

/// What a look says.
enum Says {
    Free,
    Busy,
    Wrong,
    Fails(ErrorKind),
}

impl<S: Fn(usize, u32, Duration) -> Says> Looked<S> {
    fn new(databases: usize, seen: S) -> Self {
        let client = client(&target(&KINDS), &wants("small"));
        let looks = RefCell::new(vec![0; databases]);
        let (told, most, looking) = (RefCell::default(), Cell::default(), Cell::default());
        Self { client, began: Instant::now(), looks, told, most, looking, seen }
    }

    async fn plan(&self, place: usize) -> Result<Planned, ProviderError> {
        self.looking.set(self.looking.get() + 1);
        self.most.set(self.most.get().max(self.looking.get()));
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.looking.set(self.looking.get() - 1);
        let look = self.looks.borrow()[place];
        self.looks.borrow_mut()[place] += 1;
        let spec = spec([]);
        let timing = run::timing(&spec, saturday().now);
        let mut planned = run::observe_and_plan(&self.client, &spec, &timing, Intent::default()).await?;
        let said = &mut planned.plan.diagnostics;
        match (self.seen)(place, look, self.began.elapsed()) {
            Says::Free => {}
            Says::Busy => said.push(Diagnostic::error(BUSY, WORDS)),
            Says::Wrong => said.push(Diagnostic::error("no-encryption", "this target cannot encrypt")),
            Says::Fails(kind) => return Err(ProviderError::new(kind, "not now")),
        }
        Ok(planned)
    }

    fn patience(&self) -> Patience {
        self.client.until_free()
    }

    /// Waits for one: how it ends.
    async fn one(&self) -> Result<Planned, ProviderError> {
        let planned = self.plan(0).await?;
        let tell = |words: &str| self.told.borrow_mut().push((0, words.to_owned()));
        free::once_free(planned, &self.patience(), tell, || self.plan(0)).await
    }

    /// Waits for all of them: the codes of what is in the way of each then.
    async fn all(&self) -> Result<Vec<Vec<&'static str>>, ProviderError> {
        let mut planned = Vec::new();
        let databases = self.looks.borrow().len();
        for place in 0..databases {
            planned.push(self.plan(place).await?);
        }
        let tell = |place: usize, words: &str| self.told.borrow_mut().push((place, words.to_owned()));
        let planned = free::once_all_free(planned, |_| self.patience(), 8, tell, |place| self.plan(place)).await?;
        let said = planned.iter().map(|one| one.plan.diagnostics.iter().map(|one| one.code).collect());
        Ok(said.collect())
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_by_itself_is_waited_for_and_nothing_else_is() {
    let looked = Looked::new(1, |_, look, _| if look < 3 { Says::Busy } else { Says::Free });
    assert!(!looked.one().await.expect("it passes").plan.is_refused());
    assert_eq!(*looked.told.borrow(), [(0, WORDS.to_owned())], "told once");
    let looked = Looked::new(1, |_, _, _| Says::Wrong);
    assert!(looked.one().await.expect("nothing fails").plan.is_refused());
    assert_eq!((looked.looks.take(), looked.told.take()), (vec![1], vec![]), "waiting is of no use");
    let looked = Looked::new(1, |_, look, _| if look < 2 { Says::Busy } else { Says::Wrong });
    assert_eq!(codes(&looked.one().await.expect("nothing fails").plan.diagnostics), ["no-encryption"]);
}

#[tokio::test(start_paused = true)]
async fn when_patience_ends_the_plan_says_what_is_in_the_way() {
    let looked = Looked::new(1, |_, _, _| Says::Busy);
    let planned = looked.one().await.expect("nothing fails");
    assert_eq!(codes(&planned.plan.diagnostics), [BUSY]);
    let (deadline, moment) = (looked.patience().deadline, Duration::from_secs(1));
    let took = looked.began.elapsed();
    assert!((deadline..deadline + moment).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_in_passing_ends_no_wait() {
    let fails_at = async |nth: u32, kind: ErrorKind| {
        let looked = Looked::new(1, |_, look, _| match look {
            _ if look == nth => Says::Fails(kind),
            0..4 => Says::Busy,
            _ => Says::Free,
        });
        looked.one().await.map(|planned| planned.plan.is_refused()).map_err(|error| error.kind)
    };
    for nth in [1, 2] {
        assert_eq!(fails_at(nth, ErrorKind::Throttled).await, Ok(false));
        assert_eq!(fails_at(nth, ErrorKind::Denied).await, Err(ErrorKind::Denied));
    }
    assert_eq!(fails_at(0, ErrorKind::Throttled).await, Err(ErrorKind::Throttled), "nothing is known yet");
}

#[tokio::test(start_paused = true)]
async fn several_that_are_busy_are_waited_for_side_by_side_and_then_all_are_planned() {
    // The second is free first; the third never was busy.
    let looked = Looked::new(3, |place, _, since| match place {
        0 if since < Duration::from_secs(300) => Says::Busy,
        1 if since < Duration::from_secs(60) => Says::Busy,
        _ => Says::Free,
    });
    assert_eq!(looked.all().await.expect("it passes"), vec![vec![""; 0]; 3]);
    assert_eq!(*looked.told.borrow(), [(0, WORDS.to_owned()), (1, WORDS.to_owned())]);
    assert!(looked.began.elapsed() < Duration::from_secs(320), "{:?}", looked.began.elapsed());
    assert_eq!(looked.looks.borrow()[2], 2, "before the wait, and after");
}

#[tokio::test(start_paused = true)]
async fn nine_that_are_busy_share_one_patience() {
    let looked = Looked::new(9, |_, _, _| Says::Busy);
    assert_eq!(looked.all().await.expect("nothing fails"), vec![vec![BUSY]; 9]);
    let (deadline, took) = (looked.patience().deadline, looked.began.elapsed());
    assert!((deadline..deadline + Duration::from_secs(3)).contains(&took), "{took:?}");
    assert!((2..=8).contains(&looked.most.get()), "{} looks side by side", looked.most.get());
}

#[tokio::test(start_paused = true)]
async fn what_is_busy_again_whenever_all_are_planned_is_neither_asked_without_end_nor_without_a_pause() {
    // Free when it is waited for, busy when all are planned.
    let looked = Looked::new(2, |place, look, _| if place == 0 && look % 2 == 0 { Says::Busy } else { Says::Free });
    assert_eq!(looked.all().await.expect("nothing fails"), [vec![BUSY], vec![]]);
    let deadline = looked.patience().deadline;
    assert!(looked.began.elapsed() < deadline + Duration::from_secs(10), "{:?}", looked.began.elapsed());
    let most = 2 * deadline.as_secs() / looked.patience().first_pause.as_secs();
    assert!(u64::from(looked.looks.borrow()[0]) <= most + 4, "{:?}", looked.looks);
}

#[tokio::test(start_paused = true)]
async fn planning_again_that_fails_in_passing_ends_no_wait() {
    let looked = Looked::new(2, |place, look, _| match (place, look) {
        (0, 0) => Says::Busy,
        (1, 1..=2) => Says::Fails(ErrorKind::Unavailable),
        _ => Says::Free,
    });
    assert_eq!(looked.all().await.expect("it passes"), vec![vec![""; 0]; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_mistake_that_is_seen_while_waiting_ends_the_wait_for_all() {
    let looked = Looked::new(2, |place, look, _| if place == 1 && look > 0 { Says::Wrong } else { Says::Busy });
    assert_eq!(looked.all().await.expect("nothing fails"), [vec![BUSY], vec!["no-encryption"]]);
    assert!(looked.began.elapsed() < Duration::from_secs(60), "{:?}", looked.began.elapsed());
}
