//! Order while members of a group come and go, are killed and stopped, and its broker is killed.

mod plot;
pub(super) mod verdict;

pub(super) use plot::first_deliveries_come_in_order_whatever_becomes_of_members_and_broker;
