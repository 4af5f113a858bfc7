import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { childEnvironment, deathBoundLaunch } from '../../src/ffmpeg/launcher.ts';
import { until } from '../support/poll.ts';
import { isRunning } from '../support/transcode-live.ts';

const isBound = (await deathBoundLaunch('ffmpeg')).path === 'setpriv';

it.runIf(isBound)(
  'lets no child outlive this process: writing, paused, silent or stopped',
  async () => {
    const script = new URL('../support/ffmpeg-orphans.ts', import.meta.url).pathname;
    const parent = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
    const pids = JSON.parse(line) as number[];
    expect(pids.map(isRunning)).toEqual([true, true, true, true]);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await until('all children to be gone', () => !pids.some(isRunning));
  },
  60_000,
);

it('keeps a program as it is where it cannot be bound, and its id where it can', async () => {
  const { path, args } = await deathBoundLaunch('/opt/ffmpeg');
  expect([path, ...args].at(-1)).toBe('/opt/ffmpeg');
});

it('hands neither proxies nor secrets of ours to children, and everything else', () => {
  const names = ['http_proxy', 'HTTPS_PROXY', 'all_proxy', 'NO_PROXY', 'LADDERCAST_ADMIN_TOKEN', 'LADDERCASTLE'];
  for (const name of names) process.env[name] = 'x';
  try {
    const environment = childEnvironment();
    expect(names.filter((name) => name in environment)).toEqual(['LADDERCASTLE']);
    expect(environment['PATH']).toBe(process.env['PATH']);
  } finally {
    for (const name of names) Reflect.deleteProperty(process.env, name);
  }
});
