import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { registerStations, removeStation, startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { ask } from '../../support/http.ts';
import { freePort } from '../../support/mosquitto.ts';
import { connectStation, type MqttStation } from '../../support/mqtt-station.ts';
import { portsOf, recordOf, waterOf } from '../../support/station-words.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait.ts';

const patient = { timeout: 60_000 };
const shared: { browser?: Browser } = {};

beforeAll(async () => {
  shared.browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}, 60_000);

afterAll(() => shared.browser?.close());

/** A zone in which it is about noon: no test turns its clock past midnight by chance. */
const utcHour = new Date().getUTCHours();
const timezoneId = `Etc/GMT${utcHour < 12 ? '' : '+'}${utcHour - 12}`;

type Opened = { page: Page; complaints: string[] };

/** The page as a person has it, with a clock that can be turned; what its console says is kept. */
async function open(base: string, query = ''): Promise<Opened> {
  if (!shared.browser) throw new Error('no browser');
  const context = await shared.browser.newContext({ timezoneId, locale: 'en-GB' });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.clock.install();
  await page.goto(`${base}/${query}`);
  return { page, complaints };
}

const line = (page: Page): Promise<string | null> => page.locator('#age').textContent();

/** The cells of a station's row: state, freshness, ports, hot water, seats, level, last report. */
async function row(page: Page, name: string): Promise<string[]> {
  return page.locator('tbody tr').filter({ hasText: name }).locator('td').allTextContents();
}

function rowIs(page: Page, name: string, cells: unknown[]): Promise<void> {
  return waitFor(`${name}: ${JSON.stringify(cells)}`, async () => {
    expect(await row(page, name)).toEqual(cells);
    return true;
  }).then(() => {});
}

const time = expect.stringMatching(/^\d\d:\d\d:\d\d$/);

async function liveStation(cloud: TestCloud, id = 'a'): Promise<MqttStation> {
  const station = await connectStation({ port: cloud.mqttPort, id });
  await station.hello();
  await station.state({ ports: portsOf('free', 'charging'), water: waterOf() });
  return station;
}

const shown = ['开放 open', '实时 live', '1 / 2', '1 / 1', '3+ / 12', '人少 quiet', time];

test('the table shows every station, and its numbers change with what a station says', patient, async () => {
  const cloud = await startTestCloud({
    stations: [recordOf('a', { name: '老街驿站', capacity: 12 }), recordOf('b', { name: '江边驿站', kind: 'lite' })],
  });
  const station = await liveStation(cloud);
  const { page, complaints } = await open(cloud.http);
  await rowIs(page, '老街驿站', shown);
  await rowIs(page, '江边驿站', ['开放 open', '—', '—', '—', '—', '—', '—']);
  await waitFor('the line', async () => (await line(page)) === '2 个驿站，1 个实时 · 2 stations, 1 live');
  await station.state({
    seq: 1,
    inside: 12,
    ports: portsOf('charging', 'charging'),
    water: waterOf({ hot: 'unavailable' }),
  });
  await rowIs(page, '老街驿站', ['已满 full', '实时 live', '0 / 2', '0 / 1', '0 / 12', '忙 busy', time]);
  await registerStations(cloud.dataDir, [recordOf('c', { name: '新驿站' })]);
  await rowIs(page, '新驿站', ['状态未知 unknown', '—', '—', '—', '—', '—', '—']);
  await removeStation(cloud.dataDir, 'b');
  await rowIs(page, '江边驿站', ['已撤销 removed', '—', '—', '—', '—', '—', '—']);
  expect(complaints).toEqual([]);
});

test('a name is text, whatever is in it', patient, async () => {
  const name = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>&lt;b&gt;`;
  const cloud = await startTestCloud({ stations: [recordOf('a', { name })] });
  const { page, complaints } = await open(cloud.http);
  await waitFor('the name', async () => (await page.locator('tbody th').textContent()) === name);
  expect(await page.locator('tbody img, tbody script, tbody b').count()).toBe(0);
  expect(await page.title()).toBe('驿站 · live stations');
  expect(complaints).toEqual([]);
});

test(
  'when the server dies the page says so and ages; when it is back the page goes on without a reload',
  patient,
  async () => {
    const dataDir = tempDir();
    const http = { host: '127.0.0.1', port: await freePort(), metrics: 'off' } as const;
    const first = await startTestCloud({ dataDir, config: { http }, stations: [recordOf('a', { capacity: 12 })] });
    await liveStation(first);
    const { page, complaints } = await open(first.http);
    await rowIs(page, 'a驿站', shown);
    await first.stop();
    await waitFor('the news', async () => /connection lost, data is \d+ s old$/.test((await line(page)) ?? ''));
    expect(await page.locator('#age').getAttribute('class')).toBe('warning');
    await rowIs(page, 'a驿站', shown);
    await page.clock.fastForward(90_000);
    await rowIs(page, 'a驿站', ['开放 open', '延迟 late', ...shown.slice(2)]);
    await page.clock.fastForward(230_000);
    const was = (free: string) => expect.stringMatching(new RegExp(`^\\? \\(${free} · \\d\\d:\\d\\d:\\d\\d\\)$`));
    await rowIs(page, 'a驿站', ['状态未知 unknown', '陈旧 stale', was('1'), was('1'), was('3\\+'), '?', time]);
    await page.clock.fastForward(300_000);
    await rowIs(page, 'a驿站', ['状态未知 unknown', '离线 offline', was('1'), was('1'), was('3\\+'), '?', time]);
    expect(await line(page)).toMatch(/数据截至 6\d\d 秒前/);

    const second = await startTestCloud({ dataDir, config: { http }, stations: [recordOf('b')] });
    const station = await liveStation(second);
    await rowIs(page, 'a驿站', shown);
    // Nobody will tell of it again: it came while the page heard nothing.
    await rowIs(page, 'b驿站', ['状态未知 unknown', '—', '—', '—', '—', '—', '—']);
    await waitFor('the line', async () => (await line(page)) === '2 个驿站，1 个实时 · 2 stations, 1 live');
    await station.state({ seq: 1, ports: portsOf('free', 'free'), water: waterOf() });
    await rowIs(page, 'a驿站', ['开放 open', '实时 live', '2 / 2', ...shown.slice(3)]);
    expect(complaints.filter((text) => !text.includes('net::ERR_'))).toEqual([]);
  },
);

test('a feed that froze without a word ages on the page all the same', patient, async () => {
  const cloud = await startTestCloud({ stations: [recordOf('a', { capacity: 12 })] });
  await liveStation(cloud);
  const proxy = await startTcpProxy(Number(new URL(cloud.http).port));
  const { page, complaints } = await open(`http://127.0.0.1:${proxy.port}`);
  await rowIs(page, 'a驿站', shown);
  proxy.freeze();
  await page.clock.fastForward(15_000);
  expect(await line(page)).toBe('1 个驿站，1 个实时 · 1 stations, 1 live');
  await page.clock.fastForward(10_000);
  await waitFor('the news', async () => /connection lost, data is 2\d s old$/.test((await line(page)) ?? ''));
  await page.clock.fastForward(300_000);
  await rowIs(page, 'a驿站', [
    '状态未知 unknown',
    '陈旧 stale',
    ...Array(3).fill(expect.stringMatching(/^\? \(/)),
    '?',
    time,
  ]);
  expect(complaints).toEqual([]);
});

test('a report of another day is shown with its date', patient, async () => {
  const cloud = await startTestCloud();
  await liveStation(cloud);
  const { page } = await open(cloud.http);
  await rowIs(page, 'a驿站', ['开放 open', ...Array(6).fill(expect.any(String))]);
  await page.clock.fastForward(25 * 3_600_000);
  const cell = async (): Promise<string> => (await row(page, 'a驿站')).at(-1) ?? '';
  await waitFor('the date', async () => /^\d\d\/\d\d\/\d{4}, \d\d:\d\d:\d\d$/.test(await cell()));
});

test('a region without stations says so, and shows the first one when it comes', patient, async () => {
  const cloud = await startTestCloud({ stations: [] });
  const { page } = await open(cloud.http);
  await waitFor('the line', async () => (await line(page)) === '此地区暂无驿站 · no stations in this region yet');
  await registerStations(cloud.dataDir, [recordOf('a')]);
  await waitFor('the register', async () => (await ask(cloud.http, '/v1/regions/100000/status.json')).status === 200);
  await page.clock.fastForward(3000);
  await rowIs(page, 'a驿站', ['状态未知 unknown', '—', '—', '—', '—', '—', '—']);
});

test('?region shows that region alone', patient, async () => {
  const cloud = await startTestCloud({ stations: [recordOf('a'), recordOf('b', { region: '370102' })] });
  const { page } = await open(cloud.http, '?region=370102');
  await rowIs(page, 'b驿站', ['状态未知 unknown', '—', '—', '—', '—', '—', '—']);
  expect(await page.locator('tbody tr').count()).toBe(1);
});
