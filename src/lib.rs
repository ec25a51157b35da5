//! Rocketry
