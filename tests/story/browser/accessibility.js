// Returns what is wrong with the page, a line each. Own rules, because no library for it may be fetched here.
const wrong = [];
const say = (rule, element) => wrong.push(`${rule}: ${(element.outerHTML || '').slice(0, 120)}`);
const all = (selector) => Array.from(document.querySelectorAll(selector));
const named = (element) => {
  const by = (element.getAttribute('aria-labelledby') || '').split(/\s+/).filter(Boolean);
  const texts = by.map((id) => document.getElementById(id)).map((one) => (one ? one.textContent : ''));
  return (element.getAttribute('aria-label') || texts.join(' ')).trim();
};

if (!document.documentElement.lang) say('the page has no language', document.documentElement);
if (!document.title.trim()) say('the page has no title', document.head);
if (all('main').length !== 1) say('there is not one main', document.body);

const headings = all('h1,h2,h3,h4,h5,h6');
if (headings.filter((one) => one.tagName === 'H1').length !== 1) say('there is not one h1', document.body);
headings.reduce((before, heading) => {
  const level = Number(heading.tagName[1]);
  if (level > before + 1) say('a heading skips a level', heading);
  if (!heading.textContent.trim()) say('a heading is empty', heading);
  return level;
}, 0);

all('img').filter((one) => !one.hasAttribute('alt')).forEach((one) => say('an image has no text', one));
all('svg').forEach((one) => {
  if (one.getAttribute('role') !== 'img' || !named(one)) say('a drawing has no name', one);
});
all('[role=region],[role=group]').filter((one) => !named(one)).forEach((one) => say('a region has no name', one));
const regions = all('[role=region]').map(named);
if (new Set(regions).size !== regions.length) say('two regions have the same name', document.body);

all('table').forEach((table) => {
  if (!table.caption) say('a table has no caption', table);
  if (!table.querySelector('thead th[scope=col]')) say('a table has no column headers', table);
  Array.from(table.tBodies).flatMap((body) => Array.from(body.rows)).forEach((row) => {
    if (!row.querySelector('th[scope=row]')) say('a row has no header', row);
    const columns = table.tHead ? table.tHead.rows[0].cells.length : row.cells.length;
    if (row.cells.length !== columns) say('a row has other columns than the head', row);
  });
});

const ids = all('[id]').map((one) => one.id);
ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => say('an id is there twice', document.getElementById(id)));
all('dl').forEach((one) => {
  if (Array.from(one.children).some((child) => !['DT', 'DD'].includes(child.tagName))) say('a list of terms has other children', one);
});
all('[tabindex]').filter((one) => Number(one.tabIndex) > 0).forEach((one) => say('an order of its own', one));
// What can be scrolled must be reachable by keyboard.
all('*').filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === 'auto')
  .filter((one) => one.tabIndex < 0).forEach((one) => say('it scrolls and the keyboard does not reach it', one));

// Contrast of every text with what is behind it (WCAG 2.2, 1.4.3).
const parts = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const colour = parts(getComputedStyle(one).backgroundColor);
    if (colour.length && (colour.length < 4 || colour[3] > 0)) return colour;
  }
  return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
};
all('body *').filter((one) => Array.from(one.childNodes).some((node) => node.nodeType === 3 && node.data.trim())).forEach((one) => {
  const style = getComputedStyle(one);
  if (style.display === 'none' || ['title', 'desc', 'style'].includes(one.tagName.toLowerCase())) return;
  const ink = parts(one instanceof SVGElement ? style.fill : style.color);
  const [a, b] = [luminance(ink), luminance(behind(one))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)}`, one);
});
return wrong;
