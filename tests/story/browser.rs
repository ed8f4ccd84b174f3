//! Reports in a real browser, Debian's Chromium driven by its ChromeDriver: they need no network, say nothing on the console, print,
//! and can be read by who does not see them. It is no part of what `make test` needs: `make test-tools` installs both, and
//! `make test-all` runs this.

mod driver;
mod samples;

use std::path::PathBuf;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use netdr::report::{self, drill};
use serde_json::json;

use crate::support::Home;
use driver::Driver;

/// What is wrong with a page for who reads it by ear or by keyboard, or sees little: one line each.
/// WCAG 2.2: 1.1.1, 1.3.1, 1.4.3, 2.1.1, 2.4.2, 2.4.6, 3.1.1, 4.1.2.
const ACCESSIBILITY: &str = include_str!("browser/accessibility.js");

/// A page of the file system, in the browser.
async fn opened(driver: &Driver, home: &Home, name: &str, html: &str) -> PathBuf {
    let file = home.path().join(name);
    std::fs::write(&file, html).unwrap();
    driver.open(&format!("file://{}", file.display())).await;
    file
}

async fn is_sound(driver: &Driver, home: &Home, name: &str, html: &str) {
    opened(driver, home, name, html).await;
    assert_eq!(driver.console().await, Vec::<String>::new(), "{name} says something on the console");
    let requests = driver.run("return performance.getEntriesByType('resource').map(one => one.name)").await;
    assert_eq!(requests, json!([]), "{name} asks for something");
    for scheme in ["light", "dark"] {
        driver.scheme(scheme).await;
        let wrong = driver.run(ACCESSIBILITY).await;
        assert_eq!(wrong, json!([]), "{name}, {scheme}");
    }
    let pdf = BASE64_STANDARD.decode(driver.print().await).unwrap();
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 10_000, "{name}: {} bytes", pdf.len());
    let wide = driver.run("return document.documentElement.scrollWidth <= window.innerWidth").await;
    assert_eq!(wide, json!(true), "{name} is wider than the window");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_read_offline_by_everybody_and_on_paper() {
    let home = Home::new();
    let driver = Driver::start(&home).await;
    is_sound(&driver, &home, "recovery.html", &report::html::render(&samples::restore())).await;
    is_sound(&driver, &home, "drill.html", &drill::html::render(&samples::drill())).await;
    // What the check is worth: it finds what is wrong.
    let broken = "<!doctype html><title>x</title><h1>a</h1><h3>b</h3><img src='data:,'><table><tr><td>1</table>\
        <p style='color:#bbb;background:#fff'>pale</p><div id=a></div><div id=a></div>";
    opened(&driver, &home, "broken.html", broken).await;
    let wrong = driver.run(ACCESSIBILITY).await;
    assert!(wrong.as_array().unwrap().len() >= 6, "{wrong:#}");
}
