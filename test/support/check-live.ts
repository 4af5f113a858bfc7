import { expect } from 'vitest';
import { checkHls } from '../../src/check/check-hls.ts';
import type { Report } from '../../src/check/report.ts';

/** Checks a live broadcast for that long, and expects every item to hold that can be seen of it. */
export async function expectConforming(url: string, playlists: readonly string[], seconds = 12): Promise<Report> {
  const report = await checkHls(url, { seconds, insecure: true });
  const failed = report.items.filter(({ status }) => status === 'fail');
  expect(failed, `late by ${report.lagMs} ms`).toEqual([]);
  expect([...report.playlists].sort()).toEqual([...playlists].sort());
  // Whether holds end in time is seen only if media stays away; HTTP/2 is for TLS.
  const hidden = new URL(url).protocol === 'https:' ? ['L15'] : ['L15', 'L29'];
  const unseen = report.items.filter(({ id, status }) => status !== 'pass' && !hidden.includes(id));
  expect(unseen).toEqual([]);
  return report;
}
