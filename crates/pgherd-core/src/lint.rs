//! A finished plan looked over for data loss, downtime and protection.
