//! The one integration binary: real control planes, the real program, stock tools.

mod cmd;
