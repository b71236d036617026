// Opens /docs/ as a person would: logs in by "Try it out", authorizes with the token, and asks for the balance.
// usage: node docs.mjs BASE_URL USERNAME CHROMIUM, the password in the environment; prints what it saw as JSON.
import { chromium } from 'playwright-core';

const [base, username, executablePath] = process.argv.slice(2);
const password = process.env.DOCS_PASSWORD;
const timeout = 30000;

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const seen = { faults: [], elsewhere: [] };
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(timeout);
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') seen.faults.push(message.text());
  });
  page.on('pageerror', (error) => seen.faults.push(String(error)));
  page.on('requestfailed', (request) => seen.faults.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${base}/`) && !request.url().startsWith('data:')) seen.elsewhere.push(request.url());
  });

  await page.goto(`${base}/docs/`);
  await page.locator('.info .title').waitFor();
  seen.title = await page.title();

  // Opens an operation, lets `fill` enter the input, executes it, and returns status and body as the page shows them.
  const tryOut = async (path, method, fill) => {
    const block = page.locator(`.opblock-${method}`).filter({ has: page.locator(`[data-path="${path}"]`) });
    await block.locator('.opblock-summary-control').click();
    await block.locator('.try-out__btn').click();
    await fill(block);
    await block.locator('.btn.execute').click();
    const row = block.locator('.live-responses-table tbody tr.response').first();
    await row.waitFor();
    const shown = {
      status: (await row.locator('.response-col_status').innerText()).trim().split(/\s/)[0],
      body: await row.locator('.highlight-code code, .highlight-code pre').first().innerText(),
    };
    await block.locator('.opblock-summary-control').click();
    return shown;
  };

  const login = await tryOut('/v1/sessions', 'post', (block) => block.locator('textarea.body-param__text').fill(JSON.stringify({ username, password })));
  seen.login = login.status;
  const token = JSON.parse(login.body).access_token;

  await page.locator('.auth-wrapper .btn.authorize').click();
  const dialog = page.locator('.dialog-ux');
  await dialog.locator('input').first().fill(token);
  await dialog.locator('button.authorize').first().click();
  await dialog.locator('button', { hasText: 'Logout' }).first().waitFor();
  await dialog.locator('.btn-done').first().click();

  seen.wallet = await tryOut('/v1/wallet', 'get', async () => {});
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
