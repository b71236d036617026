// Shows report.svg in the size that it was asked for, light and dark, and tells where its texts stand. usage: node plot.mjs URL_OF_REPORT CHROMIUM TOKEN; prints JSON.
import { chromium } from 'playwright-core';

const [url, executablePath, token] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const seen = [];
try {
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [[400, 300], [960, 540], [1600, 900]]) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height }, extraHTTPHeaders: { Authorization: `Bearer ${token}` } });
      const faults = [];
      page.on('console', (message) => faults.push(message.text()));
      page.on('pageerror', (error) => faults.push(String(error)));
      await page.goto(`${url}?width=${width}&height=${height}`);
      const drawn = await page.evaluate(() => {
        const box = (node) => (({ left, top, right, bottom }) => ({ left, top, right, bottom, text: node.textContent }))(node.getBoundingClientRect());
        const style = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
        return { texts: [...document.querySelectorAll('text:not(g text)')].map(box), back: style('.back', 'fill'), ink: style('.name', 'fill'), claims: style('.line.claims', 'stroke'),
                 overflows: document.documentElement.scrollWidth > innerWidth };
      });
      seen.push({ colorScheme, width, height, faults, ...drawn });
      await page.close();
    }
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
