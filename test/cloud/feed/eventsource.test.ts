import { EventSource } from 'eventsource';
import { expect, onTestFinished, test } from 'vitest';
import { startFeed } from '../../support/feed.ts';
import type { SseData } from '../../support/sse.ts';
import { portsOf, recordOf } from '../../support/station-words.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait.ts';

type Heard = { event: string; id: string; stations: string[] | undefined };

function listen(url: string): Heard[] {
  const source = new EventSource(url);
  onTestFinished(() => source.close());
  const heard: Heard[] = [];
  for (const event of ['hello', 'patch', 'beat', 'reset']) {
    source.addEventListener(event, ({ lastEventId, data }) => {
      const { stations }: SseData = JSON.parse(data);
      heard.push({ event, id: lastEventId, stations: stations?.map(({ id }) => id) });
    });
  }
  return heard;
}

test('the npm EventSource client follows, and resumes by itself after its connection broke', async () => {
  const { http, clock, stream, tell } = await startFeed({ stations: [recordOf('a'), recordOf('b')] });
  const proxy = await startTcpProxy(Number(new URL(http).port));
  const heard = listen(`http://127.0.0.1:${proxy.port}/v1/stream?region=341002`);
  await waitFor('hello', () => heard.length === 1);
  await tell('a', { ports: portsOf('free') });
  await waitFor('the patch', () => heard.length === 2);
  await clock.advance(14_000);
  await waitFor('the beat', () => heard.length === 3);
  proxy.cut();
  await waitFor('the cut', () => stream.clients === 0);
  await tell('b');
  await tell('a', { seq: 1, ports: portsOf('charging') });
  await tell('a', { seq: 2, ports: portsOf('full') });
  await waitFor('what was missed', () => heard.length === 5);
  await tell('b', { seq: 1, ports: portsOf('free') });
  await waitFor('what is new', () => heard.length === 6);
  expect(heard).toEqual([
    { event: 'hello', id: 'e1-1', stations: undefined },
    { event: 'patch', id: 'e1-2', stations: ['a'] },
    { event: 'beat', id: 'e1-2', stations: undefined },
    // Without an id of its own: the client keeps the one that it resumed from.
    { event: 'hello', id: 'e1-2', stations: undefined },
    { event: 'patch', id: 'e1-5', stations: ['a', 'b'] },
    { event: 'patch', id: 'e1-6', stations: ['b'] },
  ]);
});
