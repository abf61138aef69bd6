//! The overhead of a call through the ABI: the same work in Rust, with the same JSON, next to
//! it. The aim is less than 5 µs for a call that does no I/O.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench fails by panicking")]

use std::{hint::black_box, ptr};

use criterion::{Criterion, criterion_group, criterion_main};
use seaworthy::command::{PlanRequest, plan_retention};
use seaworthy_ffi::{
    SW_E_INVALID_INPUT, SW_OK, sw_cancel_free, sw_cancel_new, sw_ctx_free, sw_ctx_open_text,
    sw_error_free, sw_plan_retention, sw_show, sw_string_data, sw_string_free,
};

const PLAN: &str = r#"{"keep":{"daily":7,"monthly":6},"now":"2026-11-22T12:00:00Z","snapshots":[
    {"id":"20261122T020000Z-aaaaaa"},{"id":"20261121T020000Z-aaaaaa"}]}"#;

fn plan_through_the_abi() -> usize {
    let (mut document, mut error) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the request is text, and the places are local variables.
    let code =
        unsafe { sw_plan_retention(PLAN.as_ptr().cast(), PLAN.len(), &mut document, &mut error) };
    assert_eq!(code, SW_OK);
    let (mut data, mut len) = (ptr::null(), 0);
    // SAFETY: the call has just made the document, and nobody else uses it.
    unsafe {
        sw_string_data(document, &mut data, &mut len);
        sw_string_free(document);
    }
    len
}

fn plan_in_rust() -> usize {
    let request: PlanRequest = serde_json::from_str(PLAN).unwrap();
    let reply = plan_retention(request);
    serde_json::to_string(&reply.document("plan retention")).unwrap().len()
}

fn calls(criterion: &mut Criterion) {
    assert_eq!(plan_in_rust(), plan_through_the_abi());
    let mut group = criterion.benchmark_group("plan retention");
    group.bench_function("in Rust, with its JSON", |b| b.iter(|| black_box(plan_in_rust())));
    group.bench_function("through the ABI", |b| b.iter(|| black_box(plan_through_the_abi())));
    group.finish();

    criterion.bench_function("a trigger, made and freed", |b| {
        b.iter(|| {
            let mut cancel = ptr::null_mut();
            // SAFETY: the place is a local variable; what is made is freed once.
            unsafe {
                sw_cancel_new(&mut cancel, ptr::null_mut());
                sw_cancel_free(black_box(cancel));
            }
        });
    });

    // A command goes to the context's threads and comes back: two wake-ups of the operating system.
    let folder = tempfile::tempdir().unwrap();
    let (config, base) = ("state = \"state\"\n", folder.path().to_str().unwrap());
    let mut ctx = ptr::null_mut();
    // SAFETY: text goes in, and the place is a local variable.
    let code = unsafe {
        sw_ctx_open_text(
            config.as_ptr().cast(),
            config.len(),
            base.as_ptr().cast(),
            base.len(),
            ptr::null(),
            &mut ctx,
            ptr::null_mut(),
        )
    };
    assert_eq!(code, SW_OK);
    let request = r#"{"snapshot":"/"}"#;
    criterion.bench_function("a command that is refused at once", |b| {
        b.iter(|| {
            let (mut document, mut error) = (ptr::null_mut(), ptr::null_mut());
            // SAFETY: as above; what is given is freed once.
            unsafe {
                let code = sw_show(
                    ctx,
                    request.as_ptr().cast(),
                    request.len(),
                    ptr::null(),
                    &mut document,
                    &mut error,
                );
                assert_eq!(code, SW_E_INVALID_INPUT);
                sw_string_free(document);
                sw_error_free(error);
            }
        });
    });
    // SAFETY: no call runs any more.
    unsafe { sw_ctx_free(ctx) };
}

criterion_group!(benches, calls);
criterion_main!(benches);
