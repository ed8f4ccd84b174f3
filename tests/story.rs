//! Stories, each about what one person wants from netdr.

mod access;
mod capture;
mod crash;
mod custody;
mod damage;
mod failures;
mod faults;
mod forbidden;
mod forged;
mod keys;
mod latest;
mod leaks;
mod limits;
mod odd;
mod plane;
mod program;
mod reading;
mod reissue;
mod repository;
mod restore;
mod s3;
mod schedules;
mod signals;
mod sshd;
mod stock_tools;
mod trust;
