import { expect, it } from 'vitest';
import type { Report } from '../../src/check/report.ts';
import { checkHls } from '../../src/check/check-hls.ts';
import { CheckOrigin, type CheckReply, type CheckRequest, type Defect } from './check-origin.ts';
import { CheckStream } from './check-stream.ts';

/** A defect, the one item that must find it, and what its evidence must say. */
export interface PlantedDefect extends Defect {
  readonly item: string;
  readonly name: string;
  readonly evidence: RegExp;
  /** How long it takes to be seen. */
  readonly seconds?: number;
}

const SECONDS = 5;
const AT_ONCE = 8;
/** A check that was itself later than this judges times of a quarter of a second no more, and is made again. */
const MAX_LAG_MS = 250;
const ATTEMPTS = 3;

/** Checks synthetic streams with defects, some at once. */
export class CheckRuns {
  readonly #reports = new Map<Defect, Promise<Report>>();

  /** Starts all of them; each can be waited for by `report`. */
  async start(defects: readonly (Defect & { readonly seconds?: number })[]): Promise<void> {
    const stream = await CheckStream.make();
    const lanes: Promise<unknown>[] = Array.from({ length: AT_ONCE }, () => Promise.resolve());
    for (const [index, defect] of defects.entries()) {
      const lane = index % AT_ONCE;
      const run = lanes[lane]!.then(() => check(stream, defect));
      lanes[lane] = run.catch(() => undefined);
      this.#reports.set(defect, run);
    }
  }

  async report(defect: Defect): Promise<Report> {
    const report = await this.#reports.get(defect);
    if (report === undefined) throw new Error('the check of this defect was not started');
    return report;
  }

  /** Items that failed, with their evidence. */
  async failed(defect: Defect): Promise<{ id: string; evidence: string }[]> {
    const { items } = await this.report(defect);
    const failures = items.filter(({ status }) => status === 'fail');
    return failures.map(({ id, evidence }) => ({ id, evidence: evidence.join('\n') }));
  }
}

async function check(stream: CheckStream, defect: Defect & { readonly seconds?: number }): Promise<Report> {
  for (let attempt = 1; ; attempt += 1) {
    const origin = await CheckOrigin.start(stream, defect);
    const options = { seconds: defect.seconds ?? SECONDS, insecure: true };
    const report = await checkHls(origin.url, options).finally(() => origin.close());
    if (report.lagMs <= MAX_LAG_MS || attempt === ATTEMPTS) return report;
  }
}

/** Tests that each of the defects, once `runs` was started with them, is found by its own item and by no other. */
export function findsEach(runs: CheckRuns, defects: readonly PlantedDefect[]): void {
  it.each(defects.map((defect) => ({ title: `${defect.item}: ${defect.name}`, defect })))(
    'finds $title',
    async ({ defect }) => {
      const found = await runs.failed(defect);
      expect(
        found.map(({ id }) => id),
        JSON.stringify(found, undefined, 2),
      ).toEqual([defect.item]);
      expect(found[0]?.evidence).toMatch(defect.evidence);
    },
  );
}

/** True for a media playlist of the smaller picture. */
export function isLo({ kind, rendition }: Pick<CheckRequest, 'kind' | 'rendition'>): boolean {
  return kind === 'playlist' && rendition === 'lo';
}

/** Replaces all of something in the playlist of the smaller picture. */
export function inLo(from: string | RegExp, to: string): NonNullable<Defect['text']> {
  return (text, request) => (isLo(request) ? text.replaceAll(from, to) : text);
}

/** The answer with another value of one header. */
export function withHeader(reply: CheckReply, name: string, value: string): CheckReply {
  return { ...reply, headers: { ...reply.headers, [name]: value } };
}

/** Hands out a result later. */
export function after<T>(ms: number, result: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(result), ms));
}
