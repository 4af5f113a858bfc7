import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../support/poll.ts';
import { numbersOf, PullRig, row } from '../../support/pull-rig.ts';
import { makeMedia } from '../../support/upstream/made-media.ts';
import { ScriptedChannel } from '../../support/upstream/scripted-channel.ts';

const SPEED = 4;
const media = await makeMedia({ seconds: 12 });
let rig: PullRig;
let showing: NodeJS.Timeout | undefined;

afterEach(async () => {
  clearInterval(showing);
  await rig.close();
});

/** Shows six segments of a channel, and one more each time that the last one is asked for. */
function show(...paths: string[]): ScriptedChannel[] {
  const channels = paths.map((path) => new ScriptedChannel(rig.server, path, [{ name: 'v0', media }]).advance(6));
  showing = setInterval(() => {
    for (const channel of channels) {
      const playlist = channel.playlist();
      const last = `${channel.path}/v0/${playlist.revealed - 1}.ts`;
      if (playlist.left > 0 && rig.server.requests(last).length > 0) playlist.advance();
    }
  }, 5);
  return channels;
}

/** Numbers of the pictures of each stretch. */
function numbers(): Promise<number[][]> {
  return Promise.all(rig.stretches.map(async (stretch) => (await numbersOf(stretch)).map(({ number }) => number)));
}

describe('LadderPull, of a live channel', () => {
  it('begins three segments before the end and follows in real time', async () => {
    rig = await PullRig.start(SPEED);
    const [channel] = show('/live') as [ScriptedChannel];
    const pull = rig.pull({ urls: [channel.url] });
    await until('the pull is live', () => pull.status().state === 'live');
    await until('all is shown', () => channel.playlist().left === 0);
    channel.end();
    await pull.done;
    expect(await numbers()).toEqual([row(75, 299)]);
    expect(pull.status()).toMatchObject({ state: 'ended', counters: { edgeSkips: 0, stretches: 1 } });
  });

  it('goes on at another address when one fails, and says so', async () => {
    rig = await PullRig.start(SPEED);
    const channels = show('/one', '/two');
    const pull = rig.pull({ urls: channels.map(({ url }) => url) });
    await until('the pull is live', () => pull.status().state === 'live');
    rig.server.rule(/^\/one/, { status: 503 });
    await until('the second address', () => pull.status().address?.includes('/two'));
    expect(pull.status()).toMatchObject({ failovers: 1, counters: { edgeSkips: 0 } });
    await until('all is shown', () => channels[1]!.playlist().left === 0);
    channels[1]!.end();
    await pull.done;
    const shown = await numbers();
    expect(shown.map(([first]) => first)).toEqual([75, 75]);
    expect(shown[1]).toEqual(row(75, 299));
    expect(rig.states).not.toContain('failed');
  });

  it('waits for a source that cannot be reached, and begins when it can', async () => {
    rig = await PullRig.start(SPEED);
    const channel = new ScriptedChannel(rig.server, '/live', [{ name: 'v0', media }]).end();
    const heal = rig.server.rule(/^\/live/, { status: 503 });
    const pull = rig.pull({ urls: [channel.url] });
    await until('it waits', () => pull.status().state === 'waiting');
    expect(pull.status().lastError).toMatch(/status 503/);
    heal();
    await pull.done;
    expect((await numbers())[0]?.slice(0, 100)).toEqual(row(0, 99));
    expect(rig.states.slice(-2)).toEqual(['live', 'ended']);
  });

  it('fails when its broadcast is taken away', async () => {
    rig = await PullRig.start(SPEED);
    const channel = new ScriptedChannel(rig.server, '/live', [{ name: 'v0', media }]).end();
    const pull = rig.pull({ urls: [channel.url] });
    await until('it is live', () => pull.status().state === 'live');
    rig.cut('an admin ended it');
    await pull.done;
    expect(pull.status()).toMatchObject({ state: 'failed', lastError: 'an admin ended it' });
  });

  it('fails at an address that may not be pulled from', async () => {
    rig = await PullRig.start(SPEED);
    const pull = rig.pull({ urls: ['http://10.1.2.3/live.m3u8'] });
    await pull.done;
    expect(pull.status().state).toBe('failed');
    expect(pull.status().lastError).not.toMatch(/10\.1\.2\.3:/);
  });
});
