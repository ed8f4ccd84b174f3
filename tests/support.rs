//! What stories stand on: control planes and what is on them, programs in a clean home, a repository, waiting for a
//! condition, faults.

mod audit;
mod certificates;
mod document;
mod faults;
mod forge;
mod git_server;
mod glacier;
mod helm_controller;
mod home;
mod hook;
mod kinds;
mod kubelet;
mod library;
mod monitoring;
mod objects;
mod operator;
mod pages;
mod picture;
mod planes;
mod pushgateway;
mod s3;
mod smtp;
mod store;
mod tls;
mod wait;
mod webhook;

pub(crate) use audit::{Audit, Write};
pub(crate) use certificates::tls_secret;
pub(crate) use document::{documented, kept};
pub(crate) use faults::{Fault, Faults};
pub(crate) use forge::{Forge, PLAN, plans_shop, shop};
pub(crate) use git_server::git_server;
pub(crate) use glacier::{Glacier, Moment, Trouble};
pub(crate) use helm_controller::HelmController;
pub(crate) use home::{Home, Outcome, kubeconfig_of, send};
pub(crate) use hook::Hook;
pub(crate) use kinds::{frozen, kinds, unfrozen};
pub(crate) use kubelet::Kubelets;
pub(crate) use library::Library;
pub(crate) use monitoring::{expressions, groups, monitoring, panels, rules};
pub(crate) use objects::{Dump, NODES, Objects, POLICIES, touched};
pub(crate) use operator::{Operator, acts, corrupted};
pub(crate) use pages::{Block, block, pages};
pub(crate) use picture::{picture, pictured};
pub(crate) use planes::{
    MARKER, Plane, audit_log, audited, built, cert_manager, everything, fresh, programs, shared,
};
pub(crate) use pushgateway::Pushgateway;
pub(crate) use s3::{S3, SECRET, credentials};
pub(crate) use smtp::Mail;
pub(crate) use store::{NODE, Store, content, digest, says};
pub(crate) use tls::{Pair, Server, own_address};
pub(crate) use wait::eventually;
pub(crate) use webhook::{DENIAL, Denying};
