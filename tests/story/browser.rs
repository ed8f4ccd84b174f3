//! Reports in a real browser, Debian's Chromium driven by its ChromeDriver: they need no network, say nothing on the console, print,
//! and can be read by who does not see them. It is no part of what `make test` needs: `make test-tools` installs both, and
//! `make test-all` runs this.

mod driver;
mod samples;

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use netdr::report::{self, drill};
use serde_json::json;

use super::drills::{custody, drill, memory};
use crate::support::{Home, says};
use driver::Driver;

/// What is wrong with a page for who reads it by ear or by keyboard, or sees little: one line each.
/// WCAG 2.2: 1.1.1, 1.3.1, 1.4.3, 2.1.1, 2.4.2, 2.4.6, 3.1.1, 4.1.2.
const ACCESSIBILITY: &str = include_str!("browser/accessibility.js");

/// How far down the page its drawings of earlier drills go.
const UNTIL_THE_NUMBERS: &str = "return Math.round([...document.querySelectorAll('caption')]\
    .find(one => one.textContent.startsWith('Recovery time')).getBoundingClientRect().top - 16)";

/// A phone's width, in CSS pixels.
const PHONE: u32 = 375;

/// What a phone cuts: a page that is wider than its screen; words that are cut, and no scrolling to them; and of what scrolls
/// by itself (tables, drawings) what is said above it, or a drawing too small to be read.
const CUT: &str = r"
const screen = document.documentElement.clientWidth, wrong = [];
const all = (selector) => Array.from(document.querySelectorAll(selector));
const wide = document.documentElement.scrollWidth;
if (wide > screen) wrong.push(`the page is ${wide} wide`);
if (screen !== 375) wrong.push(`the screen is ${screen} wide`);
const right = (node) => {
  const range = document.createRange();
  range.selectNodeContents(node);
  return Math.max(...Array.from(range.getClientRects()).map((one) => one.right));
};
all('h1,h2,h3,p,li,dt,dd,caption,figcaption').filter((one) => !one.closest('td') && right(one) > screen)
  .forEach((one) => wrong.push(`cut: ${one.textContent.slice(0, 60)}`));
all('table').filter((one) => !one.closest('.wide') && one.getBoundingClientRect().right > screen)
  .forEach((one) => wrong.push(`a table is cut: ${one.caption.textContent}`));
all('td').filter((one) => one.textContent.length > 12 && one.getBoundingClientRect().width < 64)
  .forEach((one) => wrong.push(`a cell is ${one.getBoundingClientRect().width} wide: ${one.textContent.slice(0, 60)}`));
all('svg text').filter((one) => one.getBoundingClientRect().height < 9)
  .forEach((one) => wrong.push(`too small: ${one.textContent}`));
return wrong;
";

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
    driver.phone(PHONE).await;
    for scheme in ["light", "dark"] {
        driver.scheme(scheme).await;
        assert_eq!(driver.run(CUT).await, json!([]), "{name}, {scheme}, on a phone");
        assert_eq!(driver.run(ACCESSIBILITY).await, json!([]), "{name}, {scheme}, on a phone");
    }
    driver.desktop().await;
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
    // As reports were before: a caption as wide as its table, a table that nothing scrolls, a drawing shrunk to the page.
    let cut = "<!doctype html><meta name=viewport content='width=device-width'><title>x</title><div style='overflow-x:auto'>\
        <table style='width:40rem'><caption>what a reader of a phone does not see the end of, for it is as wide as its table\
        <tr><td>1</table></div><table style='width:40rem'><caption>a<tr><td>1</table>\
        <svg viewBox='0 0 960 20' width='100%'><text y=12 font-size=12>small</text></svg>";
    opened(&driver, &home, "cut.html", cut).await;
    driver.phone(PHONE).await;
    let wrong = driver.run(CUT).await.to_string();
    says(&wrong, &["cut: what a reader", "a table is cut: a", "too small: small", "the page is"]);
}

/// docs/pictures/report.png, which README.md shows: the report of a real drill of every plan, the third one.
/// `NETDR_UPDATE=1` takes it anew.
#[tokio::test(flavor = "multi_thread")]
async fn the_picture_of_a_report_is_there_and_small() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures/report.png");
    if std::env::var_os("NETDR_UPDATE").is_some() {
        let (home, memory) = (custody().await, memory());
        let mut drilled = json!(null);
        for _ in 0..3 {
            drilled = drill(&home, memory.path(), &["--all"]).await.json(0);
        }
        let report = format!("repo/reports/{}.html", drilled["report"].as_str().unwrap());
        let html = fs::read_to_string(home.path().join(report)).unwrap();
        let driver = Driver::start(&home).await;
        is_sound(&driver, &home, "drill.html", &html).await;
        driver.scheme("light").await;
        let height = driver.run(UNTIL_THE_NUMBERS).await.as_u64().unwrap();
        let picture = driver.picture(1080, height.try_into().unwrap()).await;
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, BASE64_STANDARD.decode(picture).unwrap()).unwrap();
    }
    let bytes = fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() < 256 << 10, "{} bytes", bytes.len());
}
