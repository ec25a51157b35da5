//! What a producer can do, on a live broker.

use crate::rig::{On, operating, packing, producing, sending};
use crate::{live_on_all, new_topic, producer_cases, shared};

macro_rules! live {
    ($($place:ident::$name:ident),* $(,)?) => {
        $(
            fn $name(on: On) {
                $place::$name(on, &shared().0, &new_topic(8));
            }
        )*

        live_on_all!($($name),*);
    };
}

producer_cases!(live);
