import { describe, expect, it } from 'vitest';
import { demoArguments } from '../../src/setup/demo-publisher.mjs';
import { createReport } from '../../src/setup/report.mjs';
import { tallyVitest } from '../../src/setup/test-tally.mjs';

describe('the report of set-up', () => {
  it('writes one line a step', async () => {
    let text = '';
    const report = createReport({ write: (part) => (text += part) });
    await report.step('[1/2] packages', (say) => {
      say('installing');
      return Promise.resolve('installed');
    });
    await expect(report.step('[2/2] build', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(text).toBe('[1/2] packages: installing installed\n[2/2] build: failed\n');
  });
});

describe('the tally of the tests', () => {
  const file = (status: string, ...tests: string[]) => ({
    status,
    assertionResults: tests.map((outcome) => ({ status: outcome })),
  });
  const report = (...testResults: object[]) => JSON.stringify({ testResults });

  it('counts tests, and leaves skipped ones out', () => {
    const text = report(file('passed', 'passed', 'passed', 'pending'), file('failed', 'failed', 'passed'));
    expect(tallyVitest({ code: 1, report: text })).toEqual({ passed: 3, failed: 1 });
  });

  it.each([
    ['a file that could not be loaded', 1, report(file('failed'))],
    ['an error outside of the tests', 1, report(file('passed'))],
    ['a run without a report', 0, undefined],
    ['a damaged report', 0, '{"testRes'],
  ])('counts %s as failed', (_what, code, text) => {
    expect(tallyVitest({ code, report: text })).toEqual({ passed: 0, failed: 1 });
  });
});

describe('the demo', () => {
  it('publishes what the whole ladder can use: 1080p30 with a keyframe each 2 s', () => {
    const line = demoArguments({ url: 'rtmp://h/live/demo', wallClock: false }).join(' ');
    expect(line).toContain('size=1920x1080:rate=30');
    expect(line).toContain('-g 60');
    expect(line).not.toContain('drawtext');
    expect(line.endsWith('-f flv rtmp://h/live/demo')).toBe(true);
  });
});
