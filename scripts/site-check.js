// Look at every page of build/site in headless Chromium: `make site-check` runs this.
//
// Wide and narrow, light and dark, each page must pass the rules of axe, fit the width, raise no
// error and load nothing from another server; the search must find a word. SHOTS=FOLDER keeps pictures.
const fs = require("fs");
const path = require("path");
const { pathToFileURL } = require("url");
const { chromium } = require("playwright-core");

const site = path.resolve("build/site");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const pages = fs.readdirSync(site, { recursive: true }).filter((name) => name.endsWith(".html"));
const problems = [];

async function look(page, name, label) {
  await page.goto(pathToFileURL(path.join(site, name)).href);
  await page.waitForLoadState("load");
  // The theme builds parts of the page after it is loaded.
  await page.waitForTimeout(300);
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (excess > 0) problems.push(`${label}: ${excess} pixels wider than the screen`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  for (const { id, nodes } of violations) problems.push(`${label}: ${id}: ${nodes[0].html.slice(0, 120)}`);
  if (process.env.SHOTS) {
    await page.screenshot({ path: path.join(process.env.SHOTS, `${label.replace(/\W+/g, "-")}.png`) });
  }
}

async function search(page) {
  await page.goto(pathToFileURL(path.join(site, "index.html")).href);
  await page.waitForTimeout(500);
  await page.keyboard.press("/");
  await page.waitForTimeout(500);
  await page.keyboard.type("heartbeat", { delay: 30 });
  await page
    .locator('a[href*="health-check.html"][href*="h=heartbeat"]').first()
    .waitFor({ state: "attached", timeout: 10000 })
    .catch(() => problems.push("the search does not find the page of the health check by the word heartbeat"));
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
      page.on("request", (request) => {
        if (/^(https?|wss?):/.test(request.url())) problems.push(`${page.url()}: loads ${request.url()}`);
      });
      page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));
      for (const name of pages) await look(page, name, `${name} ${colorScheme} ${width}`);
      await search(page);
      await page.close();
    }
  }
  await browser.close();
  console.log([...new Set(problems), `${pages.length} pages, ${new Set(problems).size} problems`].join("\n"));
  process.exit(problems.length ? 1 : 0);
})();
