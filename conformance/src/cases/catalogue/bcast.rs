//! Broadcasting consumers.

use crate::cases::case::{CORE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "BCAST-01",
        "Two broadcasting consumers of a group both get all messages.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "BCAST-02",
        "A broadcasting consumer that starts later gets the messages from its starting point on.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "BCAST-03",
        "A broadcasting consumer that crashes does not affect another one, and goes on from its \
         own file when it is started again.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "BCAST-04",
        "A message that a broadcasting consumer fails to handle goes back to no broker: it comes \
         again here as often as is set, then it is dropped, and that is reported.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::should(
        "BCAST-05",
        "The file of a broadcasting consumer's offsets has the layout of Java's offsets.json, so \
         that Java can go on from it, and the reverse.",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "BCAST-06",
        "When the file of a broadcasting consumer's offsets is cut, empty or no JSON, its backup \
         is read, or else the starting point is used, without a panic.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "pair::broadcasting::bcast_06_a_torn_file_has_its_backup_read_and_a_torn_backup_begi\
         ns_anew",
        "rocketry_core::offsets::restore::bcast_06_a_damaged_file_gives_its_backup_or_else_n\
         othing_and_says_so",
        "offset_files::bcast_06_a_file_that_is_cut_has_its_backup_read_and_never_becomes_the\
         _backup",
    ]),
    Case::must(
        "BCAST-07",
        "After a kill -9 in the middle of writing, the old or the new file of offsets is there \
         whole.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&["offset_files::bcast_07_whenever_the_process_is_killed_the_file_is_whole"]),
    Case::must(
        "BCAST-08",
        "A broadcasting consumer keeps its offsets of a broker that is absent for a while.",
        "apache/rocketmq issue 4016",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .held_by(&["pair::broadcasting::bcast_08_offsets_of_a_broker_that_is_absent_stay"]),
];
