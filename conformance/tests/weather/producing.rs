//! What a producer can do, on the embedded broker.

use crate::rig::{On, operating, packing, producing, sending};
use crate::{TOPIC, on_all, producer_cases, served};

macro_rules! embedded {
    ($($place:ident::$name:ident),* $(,)?) => {
        $(
            fn $name(on: On) {
                let served = served();
                $place::$name(on, &served.namesrv(), TOPIC);
            }
        )*

        on_all!($($name),*);
    };
}

producer_cases!(embedded);
