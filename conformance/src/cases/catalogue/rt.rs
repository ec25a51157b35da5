//! Runtimes.

use crate::cases::case::{CORE, Case, EMBEDDED};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "RT-01",
        "One script gives the same trace of outcomes and requests on all four runtimes.",
        "Rocketry, the same on every runtime",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "runtimes::alike::rt_01_one_script_gives_one_trace_whatever_is_drawn",
        "runtimes::alike::rt_01_tokio_gives_the_trace_of_virtual_time",
        "runtimes::alike::rt_01_tokio_on_one_thread_gives_the_trace_of_virtual_time",
        "runtimes::alike::rt_01_smol_gives_the_trace_of_virtual_time",
        "runtimes::alike::rt_01_async_std_gives_the_trace_of_virtual_time",
        "runtimes::alike::rt_01_threads_give_the_trace_of_virtual_time",
    ]),
    Case::must(
        "RT-02",
        "The client works on tokio's current-thread runtime and on its multi-thread one.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "runtimes::together::rt_02_both_flavours_of_tokio_produce_consume_and_shut_down",
        "runtimes::together::rt_02_a_task_and_a_thread_beside_a_current_thread_runtime_share_one_\
         client",
    ]),
    Case::must(
        "RT-03",
        "The client on plain threads brings no async runtime in its tree of crates.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&["runtimes::trees::rt_03_the_client_on_threads_brings_no_async_runtime"]),
    Case::must(
        "RT-04",
        "The client on smol does not bring async-std in its tree of crates.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&["runtimes::trees::rt_04_the_client_on_smol_brings_neither_async_std_nor_tokio"]),
    Case::must(
        "RT-05",
        "Futures are Send and 'static where that is promised, as the compiler checks.",
        "trybuild",
    )
    .on(CORE)
    .held_by(&["runtimes::bounds::rt_05_a_task_that_uses_every_handle_may_be_spawned"]),
    Case::should("RT-06", "Two runtimes in one process do not disturb each other.", "lapin")
        .on(EMBEDDED)
        .held_by(&[
            "runtimes::together::rt_06_every_runtime_at_once_in_one_process_and_one_that_ends_\
             stops_no_other",
            "runtimes::together::rt_06_a_runtime_dropped_under_its_client_leaves_the_client_of_\
             another_one_at_work",
        ]),
    Case::should(
        "RT-07",
        "On plain threads, callers that read their own answers keep nobody else waiting, however \
         they come and go.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "weather::callers::a_future_a_dropped_call_and_a_question_end_soon_after_calls_that_waited_\
         alone",
        "weather::callers::threads_that_come_and_go_never_wait_for_each_others_half",
        "weather::callers::a_consumer_hears_of_messages_soon_while_a_thread_sends_alone",
        "weather::callers::a_broker_that_goes_while_a_caller_reads_ends_its_call_by_the_deadline_\
         and_sends_flow_again",
        "reading::a_caller_that_waits_alone_still_reads_for_itself_after_many_calls",
    ]),
];
