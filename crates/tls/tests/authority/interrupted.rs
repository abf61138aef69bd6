//! An order that is interrupted while its answers are shown.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use seaworthy_core::{Context, ErrorKind, Name};
use seaworthy_tls::manage::RunOptions;
use tokio::sync::Notify;

use crate::{
    faults::provider_at,
    lab::Lab,
    proxy::{Fate, Proxy},
};

/// An authority that stops at the moment at which it is told that the answers are there.
struct Stopping {
    lab: Lab,
    proxy: Proxy,
    stops: Arc<AtomicBool>,
    told: Arc<Notify>,
    orders: Arc<AtomicU64>,
}

impl Stopping {
    async fn new() -> Self {
        let lab = Lab::new().await;
        let (stops, told) = (Arc::new(AtomicBool::new(true)), Arc::new(Notify::new()));
        let orders = Arc::new(AtomicU64::new(0));
        let rule = (stops.clone(), told.clone(), orders.clone());
        let proxy = Proxy::start(&lab, move |asked| {
            let (stops, told, orders) = &rule;
            if asked.path == "/order-plz" {
                orders.fetch_add(1, Ordering::SeqCst);
            }
            if asked.path.starts_with("/chalZ/") && stops.load(Ordering::SeqCst) {
                told.notify_one();
                return Fate::Stall;
            }
            Fate::Pass
        })
        .await;
        Self { lab, proxy, stops, told, orders }
    }

    /// How many answers visitors can see.
    fn answers(&self) -> usize {
        let folder = self.lab.path("www/.well-known/acme-challenge");
        std::fs::read_dir(folder).unwrap().count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_interrupts_leaves_no_answer_behind() {
    let stopping = Stopping::new().await;
    let (lab, solver) = (&stopping.lab, stopping.lab.webroot());
    let provider = provider_at(lab, &stopping.proxy.directory(), solver);
    let names = ["a.test.example", "b.test.example"];
    let certificate = lab.certificate("api", &names, provider);
    let (manager, cx) = (lab.manager(), Context::new());
    let options = RunOptions::default();
    let interrupt = async {
        stopping.told.notified().await;
        let shown = stopping.answers();
        cx.cancel().trigger();
        shown
    };
    let (report, shown) = tokio::join!(manager.run(&certificate, &options, &cx), interrupt);
    assert_eq!(shown, 2);
    assert_eq!(report.error.unwrap().kind(), ErrorKind::Cancelled);
    assert_eq!(stopping.answers(), 0);
    // It is not a failure: the next run does not wait, and continues the order.
    assert_eq!(manager.history(&Name::new("api").unwrap()).unwrap().failures, 0);
    stopping.stops.store(false, Ordering::SeqCst);
    let report = manager.run(&certificate, &options, &Context::new()).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    assert_eq!((stopping.answers(), stopping.orders.load(Ordering::SeqCst)), (0, 1));
}

/// As by kill -9, or by a program that drops the future.
#[tokio::test(flavor = "multi_thread")]
async fn answers_of_a_run_that_was_killed_go_with_the_next_one() {
    for resumes in [true, false] {
        let stopping = Stopping::new().await;
        let (lab, solver) = (&stopping.lab, stopping.lab.webroot());
        let provider = || provider_at(lab, &stopping.proxy.directory(), solver.clone());
        let certificate = lab.certificate("api", &["a.test.example", "b.test.example"], provider());
        let (manager, cx) = (lab.manager(), Context::new());
        let options = RunOptions::default();
        tokio::select! {
            report = manager.run(&certificate, &options, &cx) => panic!("{report:?}"),
            () = stopping.told.notified() => {}
        }
        assert_eq!(stopping.answers(), 2, "what is to be tidied up");

        stopping.stops.store(false, Ordering::SeqCst);
        // With other names the order is useless, and its remains are still removed.
        let names = ["a.test.example", if resumes { "b.test.example" } else { "c.test.example" }];
        let certificate = lab.certificate("api", &names, provider());
        let report = lab.manager().run(&certificate, &options, &cx).await;
        assert!(report.error.is_none(), "{:?}", report.error);
        assert_eq!(stopping.answers(), 0);
        assert_eq!(stopping.orders.load(Ordering::SeqCst), if resumes { 1 } else { 2 });
    }
}
