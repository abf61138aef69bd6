// Opens a page in Chromium at three widths, light and dark, and says what is wrong with it: one line each.
//
//   node look.js PAGE.html FOLDER    (pictures go to FOLDER)
"use strict";

const path = require("node:path");
const { pathToFileURL } = require("node:url");
const puppeteer = require("puppeteer-core");

const WIDTHS = [360, 820, 1280];
const THEMES = ["light", "dark"];

async function look(browser, page, file, width, theme, folder) {
  const wrong = [];
  const say = (text) => wrong.push(`${width} ${theme}: ${text}`);
  page.on("console", (message) => say(`console: ${message.text()}`));
  page.on("pageerror", (error) => say(`error: ${error.message}`));
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) say(`asks for ${request.url()}`);
  });
  await page.setViewport({ width, height: 900, isMobile: width < 500, hasTouch: width < 500 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  await page.goto(pathToFileURL(file).href);
  const shot = (name) => page.screenshot({ path: path.join(folder, `${width}-${theme}${name}.png`), fullPage: true });
  await shot("");
  // What can be opened is looked at as well.
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (over > 0) say(`${over} pixels are beyond the right edge`);
  const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = background.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) > 384;
  if (light !== (theme === "light")) say(`the background is ${background}`);
  await page.evaluate(require("axe-core").source);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const rule of found.violations) {
    for (const node of rule.nodes) say(`axe ${rule.id}: ${node.html.slice(0, 200)}`);
  }
  return wrong;
}

// Everything that can be worked with is reached by the Tab key alone, and shows that it was.
async function tab(page) {
  const wanted = await page.$$eval("a[href], summary, [tabindex='0']", (all) => all.length);
  const reached = new Set();
  for (let i = 0; i < wanted + 2; i++) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(() => {
      const at = document.activeElement;
      if (!at || at === document.body) return null;
      const all = [...document.querySelectorAll("a[href], summary, [tabindex='0']")];
      return { index: all.indexOf(at), outline: getComputedStyle(at).outlineStyle };
    });
    if (now && now.outline !== "none") reached.add(now.index);
  }
  return reached.size === wanted ? [] : [`the Tab key reaches ${reached.size} of ${wanted}`];
}

async function main() {
  const [file, folder] = process.argv.slice(2);
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    // Root has no sandbox of Chromium's; the page is our own, and is read from a file.
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  const wrong = [];
  try {
    for (const width of WIDTHS) {
      for (const theme of THEMES) {
        const page = await browser.newPage();
        // The page forbids scripts: axe is not the page's own.
        await page.setBypassCSP(true);
        wrong.push(...(await look(browser, page, file, width, theme, folder)));
        if (width === 1280 && theme === "light") wrong.push(...(await tab(page)));
        await page.close();
      }
    }
  } finally {
    await browser.close();
  }
  wrong.forEach((line) => console.log(line));
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 2;
});
