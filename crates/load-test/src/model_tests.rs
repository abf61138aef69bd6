//! Tests on a paused clock: the measurement follows from the simulated server alone, and a model
//! says what it must be.

use std::{sync::Arc, time::Duration};

use seaworthy_core::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    LoadConfig, LoadTest, Report, Verdict,
    dial::{Dial, Dialled, Stream},
    prepare::Base,
};

/// When the server responds to a request that came this long after its start.
type Answers = fn(Duration) -> (Duration, u16);

/// A server in memory.
#[derive(Debug)]
struct Server {
    start: Instant,
    answers: Answers,
}

impl Dial for Server {
    fn dial(&self) -> Dialled<'_> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            tokio::spawn(serve(theirs, self.start, self.answers));
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

async fn serve(mut stream: DuplexStream, start: Instant, answers: Answers) {
    let mut request = Vec::new();
    loop {
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => return,
            }
        }
        request.clear();
        let (at, status) = answers(start.elapsed());
        sleep_until(start + at).await;
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn run(config: &str, answers: Answers) -> Report {
    let text = format!("base = \"http://127.0.0.1\"\n{config}");
    let config = LoadConfig::from_toml(&text, "plan.toml".as_ref()).unwrap();
    let base = Base::new(&config.base).unwrap();
    let dial = Arc::new(Server { start: Instant::now(), answers });
    let test = LoadTest::with_dial(&config, &base, &|_| None, dial, 1).unwrap();
    let test = Arc::new(test);
    test.clone().run_shard(0, &Context::new()).await.unwrap();
    test.report()
}

#[track_caller]
fn near(is: f64, should: f64) {
    assert!((is - should).abs() <= should * 0.05, "{is} instead of {should}");
}

/// Responds immediately, but stalls in the first half second of every two.
fn stalls(at: Duration) -> (Duration, u16) {
    let period = Duration::from_secs(2).as_nanos();
    let into = Duration::from_nanos((at.as_nanos() % period).try_into().unwrap());
    (at + Duration::from_millis(500).saturating_sub(into), 200)
}

/// A quarter of the requests is due while the server stalls, and waits for the rest of the half
/// second: the part that waits longer than t is (1 - t / 500 ms) / 4.
#[tokio::test(start_paused = true)]
async fn percentiles_of_a_server_that_stalls_agree_with_the_model() {
    for connections in [1, 4, 1_000] {
        let config = format!(
            "rate = 1000.0\nduration = \"60s\"\nconcurrency = {connections}\n[[endpoints]]\npath = \"/\"\n"
        );
        let report = run(&config, stalls).await;
        assert_eq!((report.total.requests, report.total.bad), (60_000, 0));
        let times = report.total.response;
        let model = |part: f64| 500.0 * (1.0 - (1.0 - part) * 4.0);
        assert!(times.p50 < 3.0, "{times:?}");
        for (is, part) in
            [(times.p90, 0.9), (times.p95, 0.95), (times.p99, 0.99), (times.p999, 0.999)]
        {
            near(is, model(part));
        }
        near(times.max, 500.0);
        near(times.average, 62.5);
        near(report.total.rate, 1000.0);
        if connections == 1 {
            // What a tester that waits for each response would report: one slow request per stall.
            assert!(report.total.service.p99 < 5.0, "{:?}", report.total.service);
        }
    }
}

/// A server that takes 20 ms and gets twice as many requests as one connection can serve: the queue
/// grows, and so do the response times.
#[tokio::test(start_paused = true)]
async fn a_queue_that_grows_is_seen() {
    let config = "rate = 100.0\nrequests = 1000\nconcurrency = 1\n[[endpoints]]\npath = \"/\"\n";
    let report = run(config, |at| (at + Duration::from_millis(20), 200)).await;
    // Request n is due at n · 10 ms and answered at (n + 1) · 20 ms.
    let times = report.total.response;
    for (is, part) in [(times.p50, 0.5), (times.p90, 0.9), (times.p99, 0.99)] {
        near(is, 20.0 + part * 10_000.0);
    }
    near(report.total.service.p99, 20.0);
}

#[tokio::test(start_paused = true)]
async fn the_closed_model_keeps_its_concurrency() {
    let config = "requests = 100\nconcurrency = 20\n[[endpoints]]\npath = \"/\"\n";
    let report = run(config, |at| (at + Duration::from_millis(100), 200)).await;
    assert_eq!(report.total.requests, 100);
    // 100 requests, 20 at a time, 100 ms each.
    near(report.total.rate, 200.0);
    near(report.total.response.p50, 100.0);
}

#[tokio::test(start_paused = true)]
async fn a_warm_up_is_not_measured_and_a_ramp_rises() {
    // Slow and failing in its first two seconds.
    let cold = |at: Duration| {
        if at < Duration::from_secs(2) { (at + Duration::from_millis(50), 503) } else { (at, 200) }
    };
    let config = "rate = 100.0\nwarm_up = \"3s\"\nduration = \"5s\"\n[[endpoints]]\npath = \"/\"\n";
    let report = run(config, cold).await;
    assert_eq!((report.total.requests, report.verdict), (500, Verdict::Pass));
    assert!(report.total.response.max < 5.0);
    let config = "concurrency = 2\nwarm_up = \"3s\"\nrequests = 7\n[[endpoints]]\npath = \"/\"\n";
    let report = run(config, |at| (at + Duration::from_millis(50), 200)).await;
    assert_eq!(report.total.requests, 7);
    let config = "rate = 100.0\nramp = \"4s\"\nduration = \"4s\"\n[[endpoints]]\npath = \"/\"\n";
    let report = run(config, |at| (at, 200)).await;
    let seconds: Vec<_> = report.seconds.iter().map(|second| second.requests).collect();
    assert_eq!(report.total.requests, 200);
    assert!(seconds.windows(2).all(|pair| pair[0] < pair[1]), "{seconds:?}");
}

#[tokio::test(start_paused = true)]
async fn verdicts_follow_the_thresholds() {
    // A share of the responses fails, chosen by the last digits of the time.
    fn failing(percent: u128) -> impl Fn(Duration) -> u16 {
        move |at| if at.as_millis() / 10 % 100 < percent { 500 } else { 200 }
    }
    let plan = "rate = 100.0\nduration = \"10s\"\n[[endpoints]]\npath = \"/\"\n";
    for (answers, verdict) in [
        ((|at| (at, failing(4)(at))) as Answers, Verdict::Pass),
        ((|at| (at, failing(7)(at))) as Answers, Verdict::Warning),
        ((|at| (at, failing(20)(at))) as Answers, Verdict::Fail),
    ] {
        let report = run(plan, answers).await;
        assert_eq!(report.verdict, verdict, "{:?}", report.total);
        assert_eq!(report.reasons.is_empty(), verdict == Verdict::Pass);
        assert_eq!(report.total.errors["status 500"], report.total.bad);
    }
    let slow = format!("thresholds = {{ p95 = \"30ms\" }}\n{plan}");
    let report = run(&slow, |at| (at + Duration::from_millis(40), 200)).await;
    assert_eq!(report.verdict, Verdict::Fail);
    let expected = format!("{plan}expect = [404]\n");
    assert_eq!(run(&expected, |at| (at, 404)).await.verdict, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_an_error_and_the_next_ones_go_on() {
    let config = "timeout = \"1s\"\nrequests = 20\nconcurrency = 1\n[[endpoints]]\npath = \"/\"\n";
    let report = run(config, |at| {
        let hangs = at < Duration::from_secs(1);
        (if hangs { at + Duration::from_secs(3_600) } else { at }, 200)
    })
    .await;
    assert_eq!(report.total.errors["timed out"], 1);
    assert_eq!((report.total.good, report.total.bad), (19, 1));
    near(report.total.response.max, 1000.0);
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_measured_by_themselves_and_in_turn_where_asked() {
    let plan = "in_turn = true\n\
        [[endpoints]]\npath = \"/health\"\nrequests = 100\nconcurrency = 20\n\
        [[endpoints]]\npath = \"/users\"\nrequests = 50\nconcurrency = 10\n";
    let answers: Answers = |at| (at + Duration::from_millis(100), 200);
    let report = run(plan, answers).await;
    let requests: Vec<_> = report.endpoints.iter().map(|one| one.figures.requests).collect();
    assert_eq!(requests, [100, 50]);
    near(report.endpoints[0].figures.rate, 200.0);
    near(report.endpoints[1].figures.rate, 100.0);
    near(report.total.rate, 150.0);
    let at_once = run(&plan.replace("in_turn = true\n", ""), answers).await;
    near(at_once.total.rate, 300.0);
}

#[tokio::test(start_paused = true)]
async fn cancelling_keeps_what_was_measured() {
    let config = LoadConfig::from_toml(
        "base = \"http://127.0.0.1\"\nconcurrency = 2\nduration = \"1h\"\n[[endpoints]]\npath = \"/\"\n",
        "plan.toml".as_ref(),
    )
    .unwrap();
    let base = Base::new(&config.base).unwrap();
    let answers: Answers = |at| (at + Duration::from_millis(100), 200);
    let dial = Arc::new(Server { start: Instant::now(), answers });
    let test = Arc::new(LoadTest::with_dial(&config, &base, &|_| None, dial, 1).unwrap());
    let cx = Context::new();
    let running = tokio::spawn({
        let (test, cx) = (test.clone(), cx.clone());
        async move { test.run_shard(0, &cx).await }
    });
    sleep(Duration::from_millis(10_050)).await;
    cx.cancel().trigger();
    running.await.unwrap().unwrap();
    assert_eq!(test.report().total.requests, 200);
    assert_eq!(test.live().requests, 200);
}

#[tokio::test(start_paused = true)]
async fn the_page_stands_alone_and_nothing_in_it_is_obeyed() {
    let config =
        "requests = 10\n[[endpoints]]\nname = \"<script>alert(1)</script>\"\npath = \"/\"\n";
    let page = run(config, |at| (at, 500)).await.html("http://127.0.0.1/?a=<b>");
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
    for outside in ["http-equiv", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("<svg") && page.contains("status 500") && page.contains("FAIL"));
}
