import { beforeAll, describe, expect, it } from 'vitest';
import { checkHls } from '../../src/check/check-hls.ts';
import type { Report } from '../../src/check/report.ts';
import { DELIVERY_DEFECTS, DIRECTIVE_DEFECTS, PLAYLIST_DEFECTS, type PlantedDefect } from '../support/check-defects.ts';
import { CheckOrigin, type Defect, failure } from '../support/check-origin.ts';
import { CheckStream } from '../support/check-stream.ts';

const SECONDS = 5;
const AT_ONCE = 16;
const TIMEOUT_MS = 120_000;

/** Runs tasks a few at a time, in order. */
class Lanes {
  readonly #free: (() => void)[] = [];
  #left = AT_ONCE;

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#left > 0) this.#left -= 1;
    else await new Promise<void>((resolve) => this.#free.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#free.shift();
      if (next === undefined) this.#left += 1;
      else next();
    }
  }
}

describe('a check of a synthetic stream', { timeout: TIMEOUT_MS }, () => {
  const defects = [...PLAYLIST_DEFECTS, ...DIRECTIVE_DEFECTS, ...DELIVERY_DEFECTS];
  const good: Record<string, Defect> = {
    http: {},
    https: { tls: 'h2' },
    held: {
      answer: ({ query, openMsn }) => {
        const isNextButOne = query.get('_HLS_msn') === String(openMsn + 1) && !query.has('_HLS_part');
        return isNextButOne ? new Promise((resolve) => setTimeout(() => resolve(failure(503)), 3_000)) : undefined;
      },
    },
  };
  const reports = new Map<Defect, Promise<Report>>();

  beforeAll(async () => {
    const stream = await CheckStream.make();
    const lanes = new Lanes();
    for (const defect of [...Object.values(good), ...defects]) {
      const run = lanes.run(async () => {
        const origin = await CheckOrigin.start(stream, defect);
        const seconds = 'seconds' in defect ? (defect as PlantedDefect).seconds : undefined;
        return checkHls(origin.url, { seconds: seconds ?? SECONDS, insecure: true }).finally(() => origin.close());
      });
      run.catch(() => undefined);
      reports.set(defect, run);
    }
  });

  const failed = async (defect: Defect): Promise<string[]> =>
    (await reports.get(defect)!).items
      .filter(({ status }) => status === 'fail')
      .map(({ id, evidence }) => `${id}: ${evidence.join('\n')}`);

  it('passes all that can be seen of a stream without defects', async () => {
    expect(await failed(good['http']!)).toEqual([]);
    const { items, passed } = await reports.get(good['http']!)!;
    expect(passed).toBe(true);
    expect(items.map(({ id }) => id)).toEqual(Array.from({ length: 32 }, (_, index) => `L${index + 1}`));
    expect(items.filter(({ status }) => status !== 'pass').map(({ id, status }) => [id, status])).toEqual([
      ['L15', 'not-checkable'],
      ['L29', 'not-applicable'],
    ]);
  });

  it('sees HTTP/2 over TLS', async () => {
    expect(await failed(good['https']!)).toEqual([]);
    const item = (await reports.get(good['https']!)!).items.find(({ id }) => id === 'L29');
    expect(item).toMatchObject({ status: 'pass', evidence: expect.arrayContaining(['TLSv1.3, h2']) as string[] });
  });

  it('sees that a hold ends with 503', async () => {
    expect(await failed(good['held']!)).toEqual([]);
    const item = (await reports.get(good['held']!)!).items.find(({ id }) => id === 'L15');
    expect(item?.status).toBe('pass');
  });

  it.each(defects.map((defect) => ({ title: `${defect.item}: ${defect.name}`, defect })))(
    'finds $title',
    async ({ defect }) => {
      const found = await failed(defect);
      expect(found.map((text) => text.split(':')[0])).toEqual([defect.item]);
      expect(found[0]).toMatch(defect.evidence);
    },
  );
});
