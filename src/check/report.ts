import type { Finding } from './judge.ts';
import type { CheckRecord } from './record.ts';
import { RULES } from './rules/index.ts';

/** What a check found, an item a line of the checklist. */
export interface Report {
  readonly url: string;
  readonly observedS: number;
  /** How late the check itself was at worst: above some 100 ms this machine was too busy to judge by time. */
  readonly lagMs: number;
  /** Short names of the media playlists that were watched. */
  readonly playlists: readonly string[];
  readonly items: readonly ReportItem[];
  /** True if no item failed. */
  readonly passed: boolean;
}

/** One item and its finding. */
export interface ReportItem extends Finding {
  readonly id: string;
  readonly title: string;
}

/** Judges what was seen by every rule. */
export function judgeRecord(record: CheckRecord): Report {
  const items = RULES.map(({ id, title, check }) => ({ id, title, ...check(record) }));
  return {
    url: record.url,
    observedS: record.observedS,
    lagMs: Math.round(record.lagMs),
    playlists: record.playlists.map(({ name }) => name),
    items,
    passed: items.every(({ status }) => status !== 'fail'),
  };
}

const LABELS = { pass: 'pass', fail: 'FAIL', 'not-applicable': 'n/a', 'not-checkable': '?' } as const;

/** The report for people: an item a line, with its evidence below it. */
export function formatReport(report: Report): string {
  const { url, observedS, lagMs, playlists, items } = report;
  const lines = items.flatMap(({ id, title, status, evidence, advice }) => [
    `${LABELS[status].padEnd(4)}  ${id.padEnd(3)}  ${title}`,
    ...evidence.map((line) => `             ${line}`),
    ...advice.map((line) => `             advice: ${line}`),
  ]);
  const count = (status: Finding['status']): number => items.filter((item) => item.status === status).length;
  const total =
    `${count('pass')} passed, ${count('fail')} failed, ${count('not-applicable')} not applicable, ` +
    `${count('not-checkable')} not checkable from outside`;
  return [
    url,
    `watched ${observedS} s (at most ${lagMs} ms late): ${playlists.join(', ')}`,
    '',
    ...lines,
    '',
    total,
    '',
  ].join('\n');
}
