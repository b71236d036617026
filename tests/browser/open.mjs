// Opens /docs/ and tells what it shows. usage: node open.mjs BASE_URL CHROMIUM; prints JSON.
import { chromium } from 'playwright-core';

const [base, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const seen = { faults: [], elsewhere: [] };
try {
  const page = await browser.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') seen.faults.push(message.text());
  });
  page.on('pageerror', (error) => seen.faults.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${base}/`) && !request.url().startsWith('data:')) seen.elsewhere.push(request.url());
  });
  await page.goto(`${base}/docs/`);
  await page.locator('.opblock').first().waitFor();
  seen.title = await page.title();
  seen.paths = await page.locator('.opblock [data-path]').evaluateAll((nodes) => nodes.map((node) => node.dataset.path));
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
